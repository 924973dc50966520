/* TF-IDF by hand, the map against a direct solution in long double, and what odd input does. */
#include "models/content/map.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct vt_catalog *catalog, uint32_t number, const char *title, const char *brand)
{
    const struct vt_catalog_item item = {
        .number = number, .title = vt_slice_str(title), .brand = vt_slice_str(brand)};
    assert_ok(vt_catalog_append(catalog, &item));
}

static struct vt_content_model train(const struct vt_catalog *catalog, uint32_t terms_max)
{
    struct vt_content_model model;
    struct vt_content_options options;
    vt_content_options_default(&options);
    options.terms_max = terms_max;
    assert_ok(vt_content_train(catalog, &options, NULL, &model));
    return model;
}

static uint32_t read(const struct vt_content_model *model, const struct vt_catalog_item *item,
                     struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX])
{
    struct vt_content_reader *reader;
    assert_ok(vt_content_reader_new(model->language, NULL, &reader));
    uint32_t n = vt_content_read(reader, &model->space, item, terms);
    vt_content_reader_free(reader);
    return n;
}

static void weights_are_those_by_hand(void **state)
{
    (void)state;
    struct vt_catalog catalog = {0};
    struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX];
    add(&catalog, 1, "tea tea cup", "");
    add(&catalog, 2, "tea pot", "");
    add(&catalog, 3, "cup tea unique", "");
    struct vt_content_model model = train(&catalog, 100);
    assert_int_equal(model.space.n_terms, 2); /* "pot" and "unique" stand in one item only */
    double tea = (1 + log(2)) * (1 + log(4.0 / 4)), cup = 1 + log(4.0 / 3);
    double norm = sqrt(tea * tea + cup * cup);
    assert_int_equal(read(&model, &catalog.items[0], terms), 2);
    double lighter = fmin((double)terms[0].weight, (double)terms[1].weight);
    double heavier = fmax((double)terms[0].weight, (double)terms[1].weight);
    assert_true(fabs(lighter - fmin(tea, cup) / norm) < 1e-6);
    assert_true(fabs(heavier - fmax(tea, cup) / norm) < 1e-6);
    assert_true(terms[0].term < terms[1].term);
    vt_content_model_free(&model);
    vt_catalog_free(&catalog);
}

static void whole_brands_and_attributes_are_terms_beside_their_words(void **state)
{
    (void)state;
    struct vt_catalog catalog = {0};
    struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX];
    const struct vt_catalog_attribute attribute = {vt_slice_str("colour"), vt_slice_str("red")};
    struct vt_catalog_item item = {.brand = vt_slice_str("Red Teapot"),
                                   .categories = {vt_slice_str("red")},
                                   .n_categories = 1,
                                   .attributes = &attribute,
                                   .n_attributes = 1};
    for (item.number = 1; item.number <= 2; item.number++)
        assert_ok(vt_catalog_append(&catalog, &item));
    struct vt_content_model model = train(&catalog, 100);
    /* red, teapot; brand, category and attribute as a whole */
    assert_int_equal(read(&model, &catalog.items[0], terms), 5);
    vt_content_model_free(&model);
    vt_catalog_free(&catalog);
}

static void the_commonest_terms_stay_when_there_are_too_many(void **state)
{
    (void)state;
    struct vt_catalog catalog = {0};
    struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX];
    add(&catalog, 1, "tea cup", "");
    add(&catalog, 2, "tea cup", "");
    add(&catalog, 3, "tea", "");
    struct vt_content_model model = train(&catalog, 1);
    assert_int_equal(model.space.n_terms, 1);
    assert_int_equal(read(&model, &catalog.items[2], terms), 1);
    vt_content_model_free(&model);
    vt_catalog_free(&catalog);
}

static void a_catalog_without_words_has_no_terms(void **state)
{
    (void)state;
    struct vt_catalog catalog = {0};
    struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX];
    struct vt_content_model model = train(&catalog, 100);
    assert_int_equal(model.space.n_terms, 0);
    vt_content_model_free(&model);
    add(&catalog, 1, "", "");
    add(&catalog, 2, "--", "");
    model = train(&catalog, 100);
    assert_int_equal(model.space.n_terms, 0);
    assert_int_equal(read(&model, &catalog.items[0], terms), 0);
    vt_content_model_free(&model);
    vt_catalog_free(&catalog);
}

static void an_item_of_too_many_words_is_read_up_to_the_limit(void **state)
{
    (void)state;
    static char text[4][VT_TOKEN_TEXT_BYTES_MAX];
    struct vt_catalog catalog = {0};
    struct vt_content_term terms[VT_CONTENT_ITEM_TERMS_MAX];
    struct vt_catalog_attribute attributes[4];
    for (int a = 0; a < 4; a++) {
        size_t len = 0;
        for (int i = 0; i < 600; i++)
            len += (size_t)snprintf(text[a] + len, sizeof text[a] - len, "%d ", 1000 + a * 600 + i);
        attributes[a] = (struct vt_catalog_attribute){vt_slice_str("k"), vt_slice(text[a], len)};
    }
    struct vt_catalog_item item = {.attributes = attributes, .n_attributes = 4};
    for (item.number = 1; item.number <= 2; item.number++)
        assert_ok(vt_catalog_append(&catalog, &item));
    struct vt_content_model model = train(&catalog, VT_CONTENT_TERMS_MAX);
    assert_int_equal(read(&model, &catalog.items[0], terms), VT_CONTENT_ITEM_TERMS_MAX);
    vt_content_model_free(&model);
    vt_catalog_free(&catalog);
}

static void the_number_of_terms_has_a_limit(void **state)
{
    (void)state;
    struct vt_catalog catalog = {0};
    struct vt_content_model model;
    struct vt_content_options options;
    vt_content_options_default(&options);
    options.terms_max = VT_CONTENT_TERMS_MAX + 1;
    assert_code(vt_content_train(&catalog, &options, NULL, &model), VT_INVALID);
    options.terms_max = 0;
    assert_code(vt_content_train(&catalog, &options, NULL, &model), VT_INVALID);
}

/* ---- the map ---- */

enum { ITEMS = 40, TERMS = 12, DIM = 20, STRIDE = 32 };

struct problem {
    uint64_t starts[ITEMS + 1];
    uint32_t columns[ITEMS * TERMS];
    float values[ITEMS * TERMS];
    struct vt_sparse content;
    float factors[ITEMS * STRIDE], certainties[ITEMS];
    struct vt_content_map_input input;
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static float unit_random(uint32_t *state)
{
    return (float)next_random(state) / (float)(1 << 23) - 1;
}

static void make_problem(struct problem *problem, bool alike)
{
    uint32_t n = 0, state = 7;
    memset(problem, 0, sizeof *problem);
    for (uint32_t item = 0; item < ITEMS; item++) {
        for (uint32_t term = 0; term < TERMS; term++) {
            if (!alike && next_random(&state) % 3 != 0)
                continue;
            problem->columns[n] = term;
            problem->values[n++] = alike ? 0.25F : unit_random(&state);
        }
        problem->starts[item + 1] = n;
        problem->certainties[item] = (float)(item % 4) / 4;
        for (uint32_t d = 0; d < DIM; d++)
            problem->factors[item * STRIDE + d] = unit_random(&state);
    }
    problem->content =
        (struct vt_sparse){ITEMS, TERMS, n, problem->starts, problem->columns, problem->values};
    problem->input = (struct vt_content_map_input){.content = &problem->content,
                                                   .factors = problem->factors,
                                                   .dim = DIM,
                                                   .row_stride = STRIDE,
                                                   .certainties = problem->certainties};
}

static struct vt_content_map map_of(const struct problem *problem, double ridge, uint32_t threads)
{
    struct vt_content_map map;
    struct vt_content_options options;
    vt_content_options_default(&options);
    options.ridge = ridge;
    options.threads = threads;
    assert_ok(vt_content_map_train(&problem->input, &options, NULL, &map));
    return map;
}

/* (XᵀCX + ridge) w = XᵀCy of one factor by Gaussian elimination, in long double. */
static void solve_directly(const struct problem *problem, double ridge, uint32_t d,
                           long double solution[TERMS])
{
    long double system[TERMS][TERMS + 1] = {{0}};
    for (uint32_t item = 0; item < ITEMS; item++) {
        long double row[TERMS] = {0};
        for (uint64_t e = problem->starts[item]; e < problem->starts[item + 1]; e++)
            row[problem->columns[e]] = problem->values[e];
        for (int a = 0; a < TERMS; a++) {
            for (int b = 0; b < TERMS; b++)
                system[a][b] += problem->certainties[item] * row[a] * row[b];
            system[a][TERMS] +=
                problem->certainties[item] * row[a] * problem->factors[item * STRIDE + d];
        }
    }
    for (int a = 0; a < TERMS; a++)
        system[a][a] += ridge;
    for (int a = 0; a < TERMS; a++)
        for (int b = 0; b < TERMS; b++) {
            long double share = a == b ? 0 : system[b][a] / system[a][a];
            for (int c = 0; c <= TERMS; c++)
                system[b][c] -= share * system[a][c];
        }
    for (int a = 0; a < TERMS; a++)
        solution[a] = system[a][TERMS] / system[a][a];
}

static void the_map_equals_a_direct_solution(void **state)
{
    (void)state;
    static struct problem problem;
    make_problem(&problem, false);
    static const double ridges[] = {0.01, 0.1, 1, 10};
    for (size_t r = 0; r < sizeof ridges / sizeof ridges[0]; r++) {
        double ridge = ridges[r];
        struct vt_content_map map = map_of(&problem, ridge, 2);
        for (uint32_t d = 0; d < DIM; d++) {
            long double solution[TERMS];
            solve_directly(&problem, ridge, d, solution);
            for (uint32_t t = 0; t < TERMS; t++)
                assert_true(fabsl((long double)map.rows[t * STRIDE + d] - solution[t]) < 1e-5L);
        }
        for (uint32_t t = 0; t < TERMS; t++)
            for (uint32_t d = DIM; d < STRIDE; d++)
                assert_true(fpclassify(map.rows[t * STRIDE + d]) == FP_ZERO);
        vt_content_map_free(&map);
    }
}

static void texts_that_are_all_alike_still_give_a_map(void **state)
{
    (void)state;
    static struct problem problem;
    make_problem(&problem, true); /* XᵀX has rank 1 */
    struct vt_content_map map = map_of(&problem, 0, 1);
    for (uint32_t i = 0; i < TERMS * STRIDE; i++)
        assert_true(isfinite(map.rows[i]));
    assert_true(map.ridge > 0);
    vt_content_map_free(&map);
}

static void a_relation_that_is_there_is_found_and_noise_is_not(void **state)
{
    (void)state;
    static struct problem problem;
    make_problem(&problem, false);
    struct vt_content_map map = map_of(&problem, 0, 1);
    assert_true(map.explained < 0.3); /* factors at random */
    vt_content_map_free(&map);
    uint32_t state_of_terms = 3;
    float rows[TERMS][DIM];
    for (int t = 0; t < TERMS; t++)
        for (int d = 0; d < DIM; d++)
            rows[t][d] = unit_random(&state_of_terms);
    for (uint32_t item = 0; item < ITEMS; item++) {
        problem.certainties[item] = 1;
        for (uint32_t d = 0; d < DIM; d++) {
            double sum = 0;
            for (uint64_t e = problem.starts[item]; e < problem.starts[item + 1]; e++)
                sum += (double)problem.values[e] * (double)rows[problem.columns[e]][d];
            problem.factors[item * STRIDE + d] = (float)sum;
        }
    }
    map = map_of(&problem, 0, 1);
    assert_true(map.explained > 0.95);
    vt_content_map_free(&map);
}

static void the_map_has_the_bytes_of_one_thread(void **state)
{
    (void)state;
    static struct problem problem;
    make_problem(&problem, false);
    struct vt_content_map one = map_of(&problem, 0, 1), three = map_of(&problem, 0, 3);
    assert_memory_equal(one.rows, three.rows, TERMS * STRIDE * sizeof *one.rows);
    assert_memory_equal(&one.ridge, &three.ridge, sizeof one.ridge);
    vt_content_map_free(&one);
    vt_content_map_free(&three);
}

static void bad_factors_and_ridges_are_refused(void **state)
{
    (void)state;
    static struct problem problem;
    struct vt_content_map map;
    struct vt_content_options options;
    struct vt_diag diag = {0};
    vt_content_options_default(&options);
    make_problem(&problem, false);
    options.ridge = -1;
    assert_code(vt_content_map_train(&problem.input, &options, &diag, &map), VT_INVALID);
    options.ridge = (double)NAN;
    assert_code(vt_content_map_train(&problem.input, &options, &diag, &map), VT_INVALID);
    options.ridge = 1;
    problem.factors[3 * STRIDE + 1] = NAN;
    assert_code(vt_content_map_train(&problem.input, &options, &diag, &map), VT_CORRUPT);
    assert_non_null(strstr(diag.text, "row 3"));
}

static void a_factor_is_the_sum_of_its_terms(void **state)
{
    (void)state;
    static const float rows[2 * 16] = {1, 2, 3, [16] = 10, 20, 30};
    static const struct vt_content_term terms[] = {{0, 0.5F}, {1, 2}};
    float factor[3];
    vt_content_factor(rows, 3, 16, terms, 2, factor);
    static const float expected[] = {20.5F, 41, 61.5F};
    assert_memory_equal(factor, expected, sizeof expected);
    assert_true(vt_content_certainty(0) <= 0 && vt_content_certainty(10) >= 0.5F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_those_by_hand),
        cmocka_unit_test(whole_brands_and_attributes_are_terms_beside_their_words),
        cmocka_unit_test(the_commonest_terms_stay_when_there_are_too_many),
        cmocka_unit_test(a_catalog_without_words_has_no_terms),
        cmocka_unit_test(an_item_of_too_many_words_is_read_up_to_the_limit),
        cmocka_unit_test(the_number_of_terms_has_a_limit),
        cmocka_unit_test(the_map_equals_a_direct_solution),
        cmocka_unit_test(texts_that_are_all_alike_still_give_a_map),
        cmocka_unit_test(a_relation_that_is_there_is_found_and_noise_is_not),
        cmocka_unit_test(the_map_has_the_bytes_of_one_thread),
        cmocka_unit_test(bad_factors_and_ridges_are_refused),
        cmocka_unit_test(a_factor_is_the_sum_of_its_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
