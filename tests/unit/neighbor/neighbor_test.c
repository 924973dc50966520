/* Similarities by hand, the best K, and the same bytes for any thread count. */
#include "models/neighbor/neighbor.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 4 users × 4 items; item 3 has no user. */
static uint64_t starts[] = {0, 2, 4, 7, 8};
static uint32_t columns[] = {0, 1, 0, 1, 0, 1, 2, 2};
static float values[] = {1, 1, 1, 1, 1, 2, 1, 1};
static const struct vt_sparse matrix = {4, 4, 8, starts, columns, values};

static struct vt_item_kernel train(const struct vt_sparse *input, uint32_t k, double shrinkage,
                                   uint32_t threads)
{
    struct vt_item_kernel model;
    struct vt_neighbor_options options = {
        .neighbors = k, .shrinkage = shrinkage, .threads = threads};
    assert_ok(vt_neighbor_train(input, &options, NULL, &model));
    return model;
}

static void similarity_is_the_cosine_by_hand(void **state)
{
    (void)state;
    struct vt_item_kernel model = train(&matrix, 10, 0, 1);
    /* items 0 and 1: (1·1 + 1·1 + 1·2) / (√3 · √6); items 0 and 2: 1 / (√3 · √2) */
    assert_int_equal(model.starts[1], 2);
    assert_int_equal(model.columns[0], 1);
    assert_int_equal(model.columns[1], 2);
    assert_true(fabs((double)model.values[0] - (4 / sqrt(18))) < 1e-6);
    assert_true(fabs((double)model.values[1] - (1 / sqrt(6))) < 1e-6);
    assert_int_equal(model.starts[4] - model.starts[3], 0); /* nobody has item 3 */
    vt_item_kernel_free(&model);
}

static void dislikes_speak_against_the_pair(void **state)
{
    (void)state;
    static float mixed[] = {1, 1, 1, -1, 1, 2, 1, 1}; /* user 1 likes 0 and dislikes 1 */
    const struct vt_sparse disliking = {4, 4, 8, starts, columns, mixed};
    struct vt_item_kernel model = train(&disliking, 10, 0, 1);
    assert_int_equal(model.columns[0], 1);
    assert_true(fabs((double)model.values[0] - (2 / sqrt(18))) < 1e-6);
    vt_item_kernel_free(&model);
}

static void shrinkage_pulls_rare_pairs_down(void **state)
{
    (void)state;
    struct vt_item_kernel model = train(&matrix, 10, 3, 1);
    assert_true(fabs((double)model.values[0] - (4 / sqrt(18) * 3 / 6)) < 1e-6);
    assert_true(fabs((double)model.values[1] - (1 / sqrt(6) * 1 / 4)) < 1e-6);
    vt_item_kernel_free(&model);
}

static struct vt_item_kernel train_by(enum vt_similarity similarity)
{
    struct vt_item_kernel model;
    struct vt_neighbor_options options = {.similarity = similarity, .neighbors = 10, .threads = 2};
    assert_ok(vt_neighbor_train(&matrix, &options, NULL, &model));
    return model;
}

static double entry(const struct vt_item_kernel *model, uint32_t row, uint32_t column)
{
    double scores[4];
    vt_item_kernel_score(model, &row, (float[]){1}, 1, scores);
    return scores[column];
}

static void conditional_similarity_is_by_hand_and_one_way(void **state)
{
    (void)state;
    struct vt_item_kernel model = train_by(VT_SIMILARITY_CONDITIONAL);
    /* items 0 (three users) and 2 (two): user 2 has both, its row {1, 2, 1} is √6 long */
    assert_true(fabs(entry(&model, 0, 2) - 1 / sqrt(6) / (3 * sqrt(2))) < 1e-6);
    assert_true(fabs(entry(&model, 2, 0) - 1 / sqrt(6) / (2 * sqrt(3))) < 1e-6);
    vt_item_kernel_free(&model);
}

static void tfidf_is_the_cosine_of_weighted_users(void **state)
{
    (void)state;
    struct vt_item_kernel model = train_by(VT_SIMILARITY_TFIDF);
    /* users of 2, 2, 3 and 1 items: idf = ln(1 + 4 / (1 + n)) */
    double a = pow(log(1 + 4.0 / 3), 2), b = pow(log(2), 2), c = pow(log(3), 2);
    assert_true(fabs(entry(&model, 0, 2) - b / sqrt((2 * a + b) * (b + c))) < 1e-6);
    vt_item_kernel_free(&model);
}

static void bm25_weighs_pairs_by_hand(void **state)
{
    (void)state;
    struct vt_item_kernel model = train_by(VT_SIMILARITY_BM25);
    /* lengths 3, 4, 2, 0: mean 9 / 4; k1 100, b 0.8 */
    double idf = log(1 + 1.5 / 3.5);
    double of_0 = idf * 101 / (1 + 100 * (0.2 + 0.8 * 3 / 2.25));
    double of_2 = idf * 101 / (1 + 100 * (0.2 + 0.8 * 2 / 2.25));
    assert_true(fabs(entry(&model, 0, 2) - of_0 * of_2) < 1e-6);
    vt_item_kernel_free(&model);
}

static void only_the_best_k_are_kept(void **state)
{
    (void)state;
    struct vt_item_kernel model = train(&matrix, 1, 0, 1);
    assert_int_equal(model.starts[4], 3);
    assert_int_equal(model.columns[0], 1);
    assert_int_equal(model.columns[1], 0);
    vt_item_kernel_free(&model);
}

static void equal_neighbors_come_by_column(void **state)
{
    (void)state;
    uint64_t one_user_starts[] = {0, 5};
    uint32_t one_user_columns[] = {0, 1, 2, 3, 4};
    float ones[] = {1, 1, 1, 1, 1};
    const struct vt_sparse one_user = {1, 5, 5, one_user_starts, one_user_columns, ones};
    struct vt_item_kernel model = train(&one_user, 3, 0, 2);
    static const uint32_t of_item_2[] = {0, 1, 3};
    assert_memory_equal(&model.columns[model.starts[2]], of_item_2, sizeof of_item_2);
    vt_item_kernel_free(&model);
}

static void users_with_too_many_items_are_left_out(void **state)
{
    (void)state;
    struct vt_item_kernel model;
    struct vt_neighbor_options options = {.neighbors = 10, .user_items_max = 2, .threads = 1};
    assert_ok(vt_neighbor_train(&matrix, &options, NULL, &model));
    assert_int_equal(model.starts[4], 2); /* only items 0 and 1 stay together */
    assert_true(fabs((double)model.values[0] - (1)) < 1e-6);
    vt_item_kernel_free(&model);
}

static void score_adds_the_rows_of_the_history(void **state)
{
    (void)state;
    struct vt_item_kernel model = train(&matrix, 10, 0, 1);
    const uint32_t history[] = {0, 1};
    const float weights[] = {1, 2};
    double scores[4];
    vt_item_kernel_score(&model, history, weights, 2, scores);
    assert_true(fabs((double)scores[2] - (1 / sqrt(6) + 2 * 2 / sqrt(12))) < 1e-5);
    assert_true(fabs((double)scores[3] - (0)) < 1e-12);
    vt_item_kernel_free(&model);
}

static void thread_count_does_not_change_a_byte(void **state)
{
    (void)state;
    enum { USERS = 300, ITEMS = 200, PER_USER = 20 };
    static uint64_t many_starts[USERS + 1];
    static uint32_t many_columns[USERS * PER_USER];
    static float many_values[USERS * PER_USER];
    uint32_t random = 1;
    for (uint32_t i = 0; i < USERS * PER_USER; i++) {
        random = random * 1664525U + 1013904223U;
        many_columns[i] = i % PER_USER * (ITEMS / PER_USER) + (random >> 16) % (ITEMS / PER_USER);
        many_values[i] = 0.1F * (float)(1 + (random >> 24) % 9);
    }
    for (uint32_t user = 0; user <= USERS; user++)
        many_starts[user] = (uint64_t)user * PER_USER;
    const struct vt_sparse many = {USERS,       ITEMS,        USERS * PER_USER,
                                   many_starts, many_columns, many_values};
    struct vt_item_kernel one = train(&many, 30, 10, 1), four = train(&many, 30, 10, 4);
    uint64_t n = one.starts[ITEMS];
    assert_memory_equal(one.starts, four.starts, sizeof many_starts[0] * (ITEMS + 1));
    assert_memory_equal(one.columns, four.columns, n * sizeof *one.columns);
    assert_memory_equal(one.values, four.values, n * sizeof *one.values);
    vt_item_kernel_free(&one);
    vt_item_kernel_free(&four);
}

static void options_out_of_range_are_named(void **state)
{
    (void)state;
    struct vt_item_kernel model;
    struct vt_diag diag = {0};
    struct vt_neighbor_options options = {.neighbors = 0};
    assert_code(vt_neighbor_train(&matrix, &options, &diag, &model), VT_INVALID);
    assert_string_equal(diag.field, "neighbors");
    options = (struct vt_neighbor_options){.neighbors = 1, .shrinkage = -1};
    assert_code(vt_neighbor_train(&matrix, &options, &diag, &model), VT_INVALID);
    assert_string_equal(diag.field, "shrinkage");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarity_is_the_cosine_by_hand),
        cmocka_unit_test(dislikes_speak_against_the_pair),
        cmocka_unit_test(shrinkage_pulls_rare_pairs_down),
        cmocka_unit_test(conditional_similarity_is_by_hand_and_one_way),
        cmocka_unit_test(tfidf_is_the_cosine_of_weighted_users),
        cmocka_unit_test(bm25_weighs_pairs_by_hand),
        cmocka_unit_test(only_the_best_k_are_kept),
        cmocka_unit_test(equal_neighbors_come_by_column),
        cmocka_unit_test(users_with_too_many_items_are_left_out),
        cmocka_unit_test(score_adds_the_rows_of_the_history),
        cmocka_unit_test(thread_count_does_not_change_a_byte),
        cmocka_unit_test(options_out_of_range_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
