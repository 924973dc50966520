/* Candidates and their features, by hand. */
#include "models/rank/features.h"
#include "tests/testlib/testlib.h"

#include <math.h>

enum { ITEMS = 5, SOURCES = 2 };

static const float weights[] = {1, 0}, popularity_log[] = {0, 1, 2, 3, 4};
static const struct vt_rank_pool pool = {ITEMS, SOURCES, 3, weights, popularity_log};

/* Item 4 has the highest score of source 0 but is in the history. */
static const uint32_t known[] = {1, 4};
static const float known_weights[] = {2, 1};
static const struct vt_rank_history history = {known, known_weights, 2};
static const double said[] = {1, 2, 3, 4, 5, /* and source 1: */ 9, 7, 9, 8, 0};

static void fill(double *ret_scores)
{
    for (int i = 0; i < ITEMS * SOURCES; i++)
        ret_scores[i] = said[i];
}

static void candidates_are_the_best_sums_outside_the_history(void **state)
{
    (void)state;
    double scores[ITEMS * SOURCES], sums[ITEMS];
    struct vt_index_hit hits[3];
    fill(scores);
    assert_int_equal(vt_rank_candidates(&pool, &history, scores, sums, hits), 3);
    assert_int_equal(hits[0].row, 3);
    assert_int_equal(hits[1].row, 2);
    assert_int_equal(hits[2].row, 0);
    for (int i = 0; i < ITEMS; i++)
        assert_true(fabs(sums[i] - (i - 2) / sqrt(2)) < 1e-12);
    assert_true(fabs(hits[0].score - 1 / sqrt(2)) < 1e-12);
}

static void fewer_items_than_wanted_are_all_there(void **state)
{
    (void)state;
    const struct vt_rank_pool wide = {ITEMS, SOURCES, ITEMS, weights, popularity_log};
    double scores[ITEMS * SOURCES], sums[ITEMS];
    struct vt_index_hit hits[ITEMS];
    fill(scores);
    assert_int_equal(vt_rank_candidates(&wide, &history, scores, sums, hits), ITEMS - 2);
}

static void a_source_that_says_nothing_counts_nothing(void **state)
{
    (void)state;
    double scores[ITEMS * SOURCES] = {7, 7, 7, 7, 7, 1, 2, 3, 4, 5}, sums[ITEMS];
    struct vt_index_hit hits[3];
    assert_int_equal(vt_rank_candidates(&pool, &history, scores, sums, hits), 3);
    for (int i = 0; i < ITEMS; i++)
        assert_true(sums[i] >= 0 && sums[i] <= 0);
    assert_int_equal(hits[0].row, 0); /* ties: the lower item */
}

static void rows_hold_what_the_header_says(void **state)
{
    (void)state;
    double scores[ITEMS * SOURCES], sums[ITEMS];
    struct vt_index_hit hits[3], scratch[3];
    float rows[3][10];
    fill(scores);
    uint32_t n = vt_rank_candidates(&pool, &history, scores, sums, hits);
    assert_int_equal(vt_rank_n_features(SOURCES), 10);
    vt_rank_features(&pool, &history, scores, hits, n, scratch, &rows[0][0]);
    /* Candidates 3, 2, 0; source 1 says 8, 9, 9. */
    static const float places[3][2] = {{0, 2}, {1, 0}, {2, 0}};
    for (int i = 0; i < 3; i++) {
        const uint32_t item = hits[i].row;
        const double expected[10] = {scores[item],
                                     (double)places[i][0],
                                     scores[ITEMS + item],
                                     (double)places[i][1],
                                     sums[item],
                                     item,
                                     log(3),
                                     log(3),
                                     2.5,
                                     item - 2.5};
        for (int f = 0; f < 10; f++)
            assert_true(fabs((double)rows[i][f] - expected[f]) < 1e-6);
    }
}

/* Nothing is wanted: what that mean is, is missing. */
static void a_history_of_dislikes_has_missing_features(void **state)
{
    (void)state;
    static const float disliked[] = {-1, -1};
    const struct vt_rank_history dislikes = {known, disliked, 2};
    double scores[ITEMS * SOURCES], sums[ITEMS];
    struct vt_index_hit hits[3], scratch[3];
    float rows[3][10];
    fill(scores);
    uint32_t n = vt_rank_candidates(&pool, &dislikes, scores, sums, hits);
    vt_rank_features(&pool, &dislikes, scores, hits, n, scratch, &rows[0][0]);
    assert_true(isnan(rows[0][8]) && isnan(rows[0][9]) && rows[0][7] <= 0);
    assert_true(isfinite(rows[0][4]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candidates_are_the_best_sums_outside_the_history),
        cmocka_unit_test(fewer_items_than_wanted_are_all_there),
        cmocka_unit_test(a_source_that_says_nothing_counts_nothing),
        cmocka_unit_test(rows_hold_what_the_header_says),
        cmocka_unit_test(a_history_of_dislikes_has_missing_features),
    };
    return cmocka_run_group_tests_name("rank/features", tests, NULL, NULL);
}
