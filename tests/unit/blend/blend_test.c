#include "models/blend/kernel_sum.h"
#include "models/blend/table.h"
#include "models/blend/weights.h"
#include "models/dataset/mix.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 90, ITEMS = 160, HISTORY = 6, PARTS = 3 };

/* A part knows each user's taste (the user's first item, modulo 4) more or less well: its score is
 * `signal` for items of the taste, plus noise of its own. */
struct part {
    double signal, size;
    uint64_t seed;
};

static double noise(uint64_t seed, uint32_t user, uint32_t item)
{
    return (double)(vt_mix64(seed + user * UINT64_C(1000003) + item) >> 11) * 0x1p-53;
}

static struct vt_err part_score(const void *self, const struct vt_weighted_history *history,
                                void *scratch, double *ret_scores)
{
    const struct part *part = self;
    (void)scratch;
    for (uint32_t i = 0; i < ITEMS; i++) {
        double of_taste = i % 4 == history->columns[0] % 4 ? part->signal : 0;
        ret_scores[i] =
            part->size * (of_taste + noise(part->seed, history->columns[0] * 31 + history->n, i));
    }
    return vt_ok();
}

struct data {
    struct vt_sparse fit, held;
    struct part part[PARTS];
    struct vt_recommender recommenders[PARTS];
    struct vt_blend_part parts[PARTS];
};

static void fill_matrix(struct vt_sparse *matrix, uint64_t *starts, uint32_t *columns,
                        float *values, uint32_t first)
{
    uint64_t n = 0;
    for (uint32_t user = 0; user < USERS; user++) {
        for (uint32_t i = 0; i < HISTORY; i++, n++) {
            columns[n] = (user % 4) + 4 * ((user + first) % 20 + 3 * i); /* first: 7, no overlap */
            values[n] = 1;
        }
        starts[user + 1] = n;
    }
    *matrix = (struct vt_sparse){USERS, ITEMS, n, starts, columns, values};
}

static void make_data(struct data *data)
{
    static uint64_t starts[2][USERS + 1];
    static uint32_t columns[2][USERS * HISTORY];
    static float values[2][USERS * HISTORY];
    *data = (struct data){.part = {{0.7, 1, 11}, {0.6, 100, 22}, {0, 0.01, 33}}};
    fill_matrix(&data->fit, starts[0], columns[0], values[0], 0);
    fill_matrix(&data->held, starts[1], columns[1], values[1], 7);
    for (int p = 0; p < PARTS; p++) {
        data->recommenders[p] =
            (struct vt_recommender){.name = "part", .self = &data->part[p], .score = part_score};
        data->parts[p] = (struct vt_blend_part){&data->recommenders[p], p != 1};
    }
}

static void make_table(const struct data *data, uint32_t threads, struct vt_blend_table *table)
{
    const struct vt_blend_table_input input = {.parts = data->parts,
                                               .n_parts = PARTS,
                                               .fit = &data->fit,
                                               .held = &data->held,
                                               .threads = threads};
    assert_ok(vt_blend_table_make(&input, table));
}

static void moments_are_those_of_the_definition(void **state)
{
    (void)state;
    double values[1000], mean, deviation;
    long double sum = 0, squares = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        values[i] = 1e3 + noise(5, i, 0);
        sum += (long double)values[i];
    }
    for (uint32_t i = 0; i < 1000; i++)
        squares += ((long double)values[i] - sum / 1000) * ((long double)values[i] - sum / 1000);
    vt_blend_moments(values, 1000, &mean, &deviation);
    assert_true(fabs(mean - (double)(sum / 1000)) < 1e-9);
    assert_true(fabs(deviation - (double)sqrtl(squares / 1000)) < 1e-9);
}

/* z-scores of the served form, from the full score rows. */
static double naive_blend_score(const struct data *data, uint32_t user, const double *scale,
                                const double *weight, uint32_t item)
{
    const struct vt_weighted_history history = {
        data->fit.columns + data->fit.starts[user], data->fit.values + data->fit.starts[user],
        (uint32_t)(data->fit.starts[user + 1] - data->fit.starts[user])};
    double kernel[ITEMS] = {0}, scores[ITEMS], mean, deviation, result = 0, kernel_weight = 0;
    for (int p = 0; p < PARTS; p++) {
        assert_ok(part_score(&data->part[p], &history, NULL, scores));
        if (data->parts[p].in_kernel) {
            kernel_weight += weight[p];
            for (int i = 0; i < ITEMS; i++)
                kernel[i] += weight[p] / scale[p] * scores[i];
            continue;
        }
        vt_blend_moments(scores, ITEMS, &mean, &deviation);
        result += weight[p] * (scores[item] - mean) / deviation;
    }
    vt_blend_moments(kernel, ITEMS, &mean, &deviation);
    return result + kernel_weight * (kernel[item] - mean) / deviation;
}

static double naive_recall_of(const struct data *data, uint32_t user, const double *scale,
                              const double *weight, uint32_t k)
{
    double scores[ITEMS];
    uint32_t hits = 0;
    for (uint32_t i = 0; i < ITEMS; i++)
        scores[i] = naive_blend_score(data, user, scale, weight, i);
    bool is_known[ITEMS] = {false};
    for (uint64_t e = 0; e < data->fit.n_entries; e++)
        is_known[data->fit.columns[e]] = true;
    for (uint32_t i = 0; i < ITEMS; i++)
        if (!is_known[i])
            scores[i] = -INFINITY;
    for (uint64_t e = data->fit.starts[user]; e < data->fit.starts[user + 1]; e++)
        scores[data->fit.columns[e]] = -INFINITY;
    for (uint64_t e = data->held.starts[user]; e < data->held.starts[user + 1]; e++) {
        uint32_t better = 0;
        for (uint32_t i = 0; i < ITEMS; i++)
            better += scores[i] > scores[data->held.columns[e]];
        hits += scores[data->held.columns[e]] > -INFINITY && better < k;
    }
    return (double)hits / HISTORY;
}

static void the_table_ranks_as_the_served_form_does(void **state)
{
    (void)state;
    static const double weight[PARTS] = {0.5, 0.3, 0.2};
    struct data data;
    struct vt_blend_table table;
    struct vt_blend_weights measured;
    double recall = 0;
    make_data(&data);
    make_table(&data, 2, &table);
    assert_ok(vt_blend_measure(&table, weight, 10, 1, &measured));
    for (uint32_t user = 0; user < USERS; user++)
        recall += naive_recall_of(&data, user, table.scale, weight, 10);
    assert_true(fabs(measured.recall - recall / USERS) < 1e-9);
    assert_true(measured.recall > 0.05);
    vt_blend_table_free(&table);
}

static void weights_beat_every_part_and_are_the_same_on_any_threads(void **state)
{
    (void)state;
    struct data data;
    struct vt_blend_table table;
    struct vt_blend_weights found[3], alone;
    static const uint32_t threads[] = {1, 2, 7};
    make_data(&data);
    for (int t = 0; t < 3; t++) {
        const struct vt_blend_search search = {.start = {1, 1, 1}, .k = 20, .threads = threads[t]};
        memset(&found[t], 0, sizeof found[t]);
        make_table(&data, threads[t], &table);
        assert_ok(vt_blend_find_weights(&table, &search, &found[t]));
        assert_memory_equal(&found[0], &found[t], sizeof found[0]);
        for (int p = 0; t == 0 && p < PARTS; p++) {
            double weight[PARTS] = {0};
            weight[p] = 1;
            assert_ok(vt_blend_measure(&table, weight, 20, 1, &alone));
            assert_true(found[0].recall + found[0].ndcg > alone.recall + alone.ndcg);
        }
        vt_blend_table_free(&table);
    }
    assert_true(found[0].weight[2] < found[0].weight[0]); /* the one that knows nothing */
}

static void weights_survive_being_written_with_four_places(void **state)
{
    (void)state;
    struct data data;
    struct vt_blend_table table;
    struct vt_blend_weights found;
    const struct vt_blend_search search = {.start = {1, 1, 1}, .k = 20, .threads = 1};
    make_data(&data);
    make_table(&data, 1, &table);
    assert_ok(vt_blend_find_weights(&table, &search, &found));
    for (int p = 0; p < PARTS; p++) {
        char text[32];
        snprintf(text, sizeof text, "%.4f", found.weight[p]);
        assert_true(fabs(strtod(text, NULL) - found.weight[p]) < 1e-12);
    }
    vt_blend_table_free(&table);
}

static void a_start_of_zeros_is_refused(void **state)
{
    (void)state;
    struct data data;
    struct vt_blend_table table;
    struct vt_blend_weights found;
    const struct vt_blend_search search = {.start = {0}, .k = 20, .threads = 1};
    make_data(&data);
    make_table(&data, 1, &table);
    assert_code(vt_blend_find_weights(&table, &search, &found), VT_INVALID);
    vt_blend_table_free(&table);
}

static void kernels_are_added_and_cut_to_the_largest(void **state)
{
    (void)state;
    static uint64_t starts_a[] = {0, 2, 3, 3}, starts_b[] = {0, 1, 3, 4};
    static uint32_t columns_a[] = {1, 2, 0}, columns_b[] = {2, 0, 2, 1};
    static float values_a[] = {2, 1, 1}, values_b[] = {-3, 4, 1, 5};
    const struct vt_item_kernel a = {3, starts_a, columns_a, values_a};
    const struct vt_item_kernel b = {3, starts_b, columns_b, values_b};
    const struct vt_item_kernel *const kernels[] = {&a, &b};
    static const double factors[] = {1, 0.5};
    struct vt_item_kernel sum;
    assert_ok(vt_blend_kernel_sum(kernels, factors, 2, 3, 2, &sum));
    /* row 0: item 1 → 2, item 2 → 1 − 1.5; row 1: item 0 → 1 + 2, item 2 → 0.5; row 2: 1 → 2.5 */
    static const uint64_t starts[] = {0, 2, 4, 5};
    static const uint32_t columns[] = {1, 2, 0, 2, 1};
    static const float values[] = {2, -0.5F, 3, 0.5F, 2.5F};
    assert_memory_equal(sum.starts, starts, sizeof starts);
    assert_memory_equal(sum.columns, columns, sizeof columns);
    assert_memory_equal(sum.values, values, sizeof values);
    vt_item_kernel_free(&sum);
    assert_ok(vt_blend_kernel_sum(kernels, factors, 2, 1, 1, &sum));
    assert_int_equal(sum.starts[3], 3);
    assert_int_equal(sum.columns[1], 0);
    vt_item_kernel_free(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_those_of_the_definition),
        cmocka_unit_test(the_table_ranks_as_the_served_form_does),
        cmocka_unit_test(weights_beat_every_part_and_are_the_same_on_any_threads),
        cmocka_unit_test(weights_survive_being_written_with_four_places),
        cmocka_unit_test(a_start_of_zeros_is_refused),
        cmocka_unit_test(kernels_are_added_and_cut_to_the_largest),
    };
    return cmocka_run_group_tests_name("blend/blend", tests, NULL, NULL);
}
