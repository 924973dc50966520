/* What the report says of held-out customers, against counts made by hand. */
#include "models/train/report_data.h"
#include "tests/testlib/testlib.h"

#include <math.h>

/*
 * Four customers, six items, lists of two.
 *
 *   customer  train              asked for  list
 *   0         0 1 2 3 4          5          5 -
 *   1         0 1                2 3        2 4
 *   2         0                  1          3 1
 *   3         (nothing)          0          0 1
 *
 * Customers of the items in train: 3 2 1 1 1 0; interactions 8.
 */
enum { N_ROWS = 4, N_COLS = 6, K = 2 };
#define NONE VT_EVAL_NO_ITEM

static uint64_t train_starts[] = {0, 5, 7, 8, 8}, test_starts[] = {0, 1, 3, 4, 5};
static uint32_t train_columns[] = {0, 1, 2, 3, 4, 0, 1, 0}, test_columns[] = {5, 2, 3, 1, 0};
static float ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
static uint32_t lists[N_ROWS * K] = {5, NONE, 2, 4, 3, 1, 0, 1};
static double recall[] = {1, 0.5, 1, 1}, ndcg[] = {1, 0.6, 0.6, 1};

static struct vt_held_out held_out(void)
{
    return (struct vt_held_out){
        .split = {.ids = {.n_users = N_ROWS, .n_items = N_COLS},
                  .train = {N_ROWS, N_COLS, 8, train_starts, train_columns, ones},
                  .test = {N_ROWS, N_COLS, 5, test_starts, test_columns, ones}},
        .recall = recall,
        .ndcg = ndcg,
        .lists = lists,
    };
}

static struct vt_report_measured measure(uint32_t threads)
{
    const struct vt_held_out given = held_out();
    struct vt_train_options options;
    struct vt_report_measured quality;
    vt_train_options_default(&options);
    options.k = K;
    options.algorithm_options.threads = threads;
    assert_ok(vt__train_report_quality(&given, &options, &quality));
    return quality;
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) < 1e-12);
}

static void customers_fall_into_their_segments(void **state)
{
    (void)state;
    const struct vt_report_measured quality = measure(1);
    assert_int_equal(quality.all.recall.n, 4);
    assert_near(quality.all.recall.mean, 3.5 / 4);
    assert_near(quality.all.ndcg.mean, 3.2 / 4);
    assert_true(quality.all.ndcg.low <= quality.all.ndcg.mean);
    assert_true(quality.all.ndcg.high >= quality.all.ndcg.mean);
    assert_int_equal(quality.customers[VT_REPORT_UNKNOWN].recall.n, 1);
    assert_int_equal(quality.customers[VT_REPORT_NEW].recall.n, 2);
    assert_near(quality.customers[VT_REPORT_NEW].recall.mean, 0.75);
    assert_int_equal(quality.customers[VT_REPORT_LIGHT].recall.n, 1);
    assert_int_equal(quality.customers[VT_REPORT_HEAVY].recall.n, 0);
}

/* Item 0 begins at interaction 0, item 1 at 3, item 4 at 5, the others behind, of 8 in thirds. */
static void items_are_parted_by_interactions(void **state)
{
    (void)state;
    const struct vt_report_measured quality = measure(1);
    assert_int_equal(quality.n_items[VT_REPORT_HEAD], 1);
    assert_int_equal(quality.n_items[VT_REPORT_MIDDLE], 2);
    assert_int_equal(quality.n_items[VT_REPORT_TAIL], 2);
    assert_int_equal(quality.items[VT_REPORT_HEAD].n, 1);
    assert_near(quality.items[VT_REPORT_HEAD].mean, 1);
}

static void shares_and_unevenness_are_those_of_the_counts(void **state)
{
    (void)state;
    const struct vt_report_measured quality = measure(1);
    double wanted = 0, shown = 0;
    for (unsigned i = 0; i < VT_REPORT_DECILES; i++) {
        wanted += quality.wanted[i];
        shown += quality.shown[i];
    }
    assert_near(wanted, 1);
    assert_near(shown, 1);
    assert_near(quality.wanted[8], 3.0 / 8); /* the most wanted of five items: place 4 of 5 */
    /* 1 1 1 2 3: Σ (2i − n − 1) x = −4 −2 +0 +4 +12 = 10, over n Σ x = 40. Shown, of what train
     * knows: items 0 to 4 in 1 2 1 1 1 lists: −4 −2 +0 +2 +8 = 4 over 30. */
    assert_near(quality.wanted_gini, 10.0 / 40);
    assert_near(quality.shown_gini, 4.0 / 30);
}

static void assert_same(const struct vt_interval *a, const struct vt_interval *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(&a->mean, &b->mean, sizeof a->mean);
    assert_memory_equal(&a->low, &b->low, sizeof a->low);
    assert_memory_equal(&a->high, &b->high, sizeof a->high);
}

static void threads_do_not_show(void **state)
{
    (void)state;
    const struct vt_report_measured one = measure(1), four = measure(4);
    assert_same(&one.all.recall, &four.all.recall);
    assert_same(&one.all.ndcg, &four.all.ndcg);
    for (unsigned i = 0; i < VT_REPORT_ITEMS; i++)
        assert_same(&one.items[i], &four.items[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(customers_fall_into_their_segments),
        cmocka_unit_test(items_are_parted_by_interactions),
        cmocka_unit_test(shares_and_unevenness_are_those_of_the_counts),
        cmocka_unit_test(threads_do_not_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
