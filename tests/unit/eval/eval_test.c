#include "models/eval/eval.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

static void assert_near(double got, double expected)
{
    assert_true(fabs(got - expected) < 1e-12);
}

/*
 * Three users, five items, of which 2 and 4 have no train user and can never be listed. Scores fall
 * with the item number for everybody, so the lists of 2, without train items, are: user 0 {1},
 * user 1 {0}, user 2 (no history: most popular first) {3, 0}. Only user 1's item 0 is a hit.
 */
static uint64_t train_starts[] = {0, 2, 4, 4}, test_starts[] = {0, 1, 3, 5};
static uint32_t train_columns[] = {0, 3, 1, 3}, test_columns[] = {2, 0, 4, 1, 2};
static float ones[] = {1, 1, 1, 1, 1};
static const struct vt_sparse train = {3, 5, 4, train_starts, train_columns, ones};
static const struct vt_sparse test = {3, 5, 5, test_starts, test_columns, ones};

static struct vt_err falling_score(const void *self, const struct vt_weighted_history *history,
                                   void *scratch, double *ret_scores)
{
    (void)self;
    (void)history;
    (void)scratch;
    for (int i = 0; i < 5; i++)
        ret_scores[i] = -i;
    return vt_ok();
}
static const struct vt_recommender falling = {.name = "falling", .score = falling_score};

static void metrics_equal_the_hand_computed_ones(void **state)
{
    (void)state;
    struct vt_eval_options options = {.train = &train, .test = &test, .k = 2, .threads = 1};
    struct vt_metrics_at_k metrics;
    assert_ok(vt_evaluate(&falling, &options, &metrics));
    double ideal_of_two = 1 + 1 / log2(3);
    assert_int_equal(metrics.n_users, 3);
    assert_near(metrics.recall, (0 + 0.5 + 0) / 3);
    assert_near(metrics.ndcg, 1 / ideal_of_two / 3);
    assert_near(metrics.precision, 0.5 / 3);
    assert_near(metrics.hit_rate, 1.0 / 3);
    assert_near(metrics.map, 0.5 / 3);
    assert_near(metrics.coverage, 1);      /* items 0, 1, 3 of 0, 1, 3 */
    assert_near(metrics.novelty, 3.0 / 4); /* two train users: 1 bit for 1, 0 and 0, none for 3 */
    /* only user 2 has a pair: cos(3, 0) = 1 / √2 */
    assert_near(metrics.diversity, (1 + 1 + 1 - 1 / sqrt(2)) / 3);
}

static void metrics_are_the_same_for_any_thread_count(void **state)
{
    (void)state;
    struct vt_metrics_at_k one, many;
    struct vt_eval_options options = {.train = &train, .test = &test, .k = 2, .threads = 1};
    assert_ok(vt_evaluate(&falling, &options, &one));
    options.threads = 3;
    assert_ok(vt_evaluate(&falling, &options, &many));
    assert_int_equal(one.n_users, many.n_users);
    /* the doubles to the last bit; padding is not theirs */
    size_t at = offsetof(struct vt_metrics_at_k, recall);
    assert_memory_equal((char *)&one + at, (char *)&many + at, sizeof one - at);
}

static void each_customer_has_its_own_metrics(void **state)
{
    (void)state;
    double recall[3], ndcg[3];
    uint64_t starts[] = {0, 1, 3, 3};
    const struct vt_sparse fewer = {3, 5, 3, starts, test_columns, ones};
    struct vt_eval_options options = {
        .train = &train, .test = &fewer, .k = 2, .threads = 2, .per_user = {recall, ndcg}};
    struct vt_metrics_at_k metrics;
    assert_ok(vt_evaluate(&falling, &options, &metrics));
    assert_near(recall[0], 0);
    assert_near(recall[1], 0.5);
    assert_near(ndcg[1], 1 / (1 + 1 / log2(3)));
    assert_true(isnan(recall[2]) && isnan(ndcg[2])); /* nothing to find */
    assert_near(metrics.recall, (recall[0] + recall[1]) / 2);
    assert_near(metrics.ndcg, (ndcg[0] + ndcg[1]) / 2);
}

static struct vt_err no_number_score(const void *self, const struct vt_weighted_history *history,
                                     void *scratch, double *ret_scores)
{
    (void)self;
    (void)history;
    (void)scratch;
    for (int i = 0; i < 5; i++)
        ret_scores[i] = NAN;
    return vt_ok();
}

static struct vt_err rising_score(const void *self, const struct vt_weighted_history *history,
                                  void *scratch, double *ret_scores)
{
    (void)self;
    (void)history;
    (void)scratch;
    for (int i = 0; i < 5; i++)
        ret_scores[i] = i;
    return vt_ok();
}

/* The second pass is by another model, so a list says which pass it is from: user 0's history is
 * shorter than his train row, user 1's is the same. */
static void who_has_the_same_history_keeps_his_list(void **state)
{
    (void)state;
    static uint64_t starts[] = {0, 1, 3, 3};
    static uint32_t columns[] = {0, 1, 3};
    const struct vt_sparse newest = {3, 5, 3, starts, columns, ones};
    const struct vt_recommender rising = {.name = "rising", .score = rising_score};
    uint32_t first[3], second[3];
    struct vt_eval_options options = {
        .train = &train, .test = &test, .k = 1, .threads = 1, .lists = first};
    struct vt_metrics_at_k metrics;
    assert_ok(vt_evaluate(&falling, &options, &metrics));
    options.histories = &newest;
    options.known_lists = first;
    options.lists = second;
    assert_ok(vt_evaluate(&rising, &options, &metrics));
    assert_int_equal(second[0], 1); /* the only item that is known and not his */
    assert_int_equal(second[1], first[1]);
    assert_near(metrics.recall, 0.5 / 3); /* user 1's, from the first pass */
    options.known_lists = NULL;
    options.histories = &newest;
    assert_ok(vt_evaluate(&rising, &options, &metrics));
    assert_int_equal(second[1], 0);
}

static void items_without_a_number_for_score_are_not_listed(void **state)
{
    (void)state;
    const struct vt_recommender nothing = {.name = "nothing", .score = no_number_score};
    struct vt_eval_options options = {.train = &train, .test = &test, .k = 2, .threads = 1};
    struct vt_metrics_at_k metrics;
    assert_ok(vt_evaluate(&nothing, &options, &metrics));
    assert_near(metrics.recall, 0);
    assert_near(metrics.coverage, 2.0 / 3); /* user 2 has no history: the popular ones */
}

static void k_outside_its_limits_is_refused(void **state)
{
    (void)state;
    struct vt_metrics_at_k metrics;
    struct vt_eval_options options = {.train = &train, .test = &test, .k = 0};
    assert_code(vt_evaluate(&falling, &options, &metrics), VT_INVALID);
    options.k = VT_EVAL_K_MAX + 1;
    assert_code(vt_evaluate(&falling, &options, &metrics), VT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_equal_the_hand_computed_ones),
        cmocka_unit_test(each_customer_has_its_own_metrics),
        cmocka_unit_test(metrics_are_the_same_for_any_thread_count),
        cmocka_unit_test(who_has_the_same_history_keeps_his_list),
        cmocka_unit_test(items_without_a_number_for_score_are_not_listed),
        cmocka_unit_test(k_outside_its_limits_is_refused),
    };
    return cmocka_run_group_tests_name("eval/eval", tests, NULL, NULL);
}
