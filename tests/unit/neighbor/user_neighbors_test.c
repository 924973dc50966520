/* User-CF by hand, and its limits. */
#include "models/neighbor/user_neighbors.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Users {0, 1}, {0, 1, 2}, {3}. */
static uint64_t starts[] = {0, 2, 5, 6};
static uint32_t columns[] = {0, 1, 0, 1, 2, 3};
static float values[] = {1, 1, 1, 1, 1, 1};
static const struct vt_sparse matrix = {3, 4, 6, starts, columns, values};

static void score(uint32_t neighbors, double shrinkage, const float *weights, double *ret_scores)
{
    struct vt_user_neighbors model;
    struct vt_user_neighbors_options options = {.neighbors = neighbors, .shrinkage = shrinkage};
    assert_ok(vt_user_neighbors_build(&matrix, &options, NULL, &model));
    void *scratch = malloc(vt_user_neighbors_scratch_bytes(&model));
    memset(scratch, 0xa5, vt_user_neighbors_scratch_bytes(&model));
    vt_user_neighbors_score(&model, (uint32_t[]){0, 1}, weights, 2, scratch, ret_scores);
    free(scratch);
    vt_user_neighbors_free(&model);
}

static void scores_are_by_hand(void **state)
{
    (void)state;
    double scores[4];
    score(3, 0, (float[]){1, 1}, scores);
    /* cosines 1 and 2 / (√2 · √3) */
    assert_true(fabs(scores[0] - (1 + 2 / sqrt(6))) < 1e-9);
    assert_true(fabs(scores[2] - 2 / sqrt(6)) < 1e-9);
    assert_true(!(scores[3] > 0));
    score(3, 2, (float[]){1, 1}, scores); /* both share two items: half */
    assert_true(fabs(scores[2] - 1 / sqrt(6)) < 1e-9);
}

static void only_the_nearest_are_asked(void **state)
{
    (void)state;
    double scores[4];
    score(1, 0, (float[]){1, 1}, scores);
    assert_true(fabs(scores[1] - 1) < 1e-9);
    assert_true(!(scores[2] > 0));
}

static void a_dislike_keeps_users_of_the_item_away(void **state)
{
    (void)state;
    double scores[4];
    score(3, 0, (float[]){1, -1}, scores);
    for (size_t i = 0; i < 4; i++)
        assert_true(!(scores[i] > 0));
}

static void options_out_of_range_are_named(void **state)
{
    (void)state;
    struct vt_user_neighbors model;
    struct vt_diag diag = {0};
    const struct vt_user_neighbors_options none = {.neighbors = 0},
                                           many = {.neighbors = VT_USER_NEIGHBORS_MAX + 1},
                                           nan = {.neighbors = 1, .shrinkage = NAN};
    assert_code(vt_user_neighbors_build(&matrix, &none, &diag, &model), VT_INVALID);
    assert_non_null(strstr(diag.text, "neighbors"));
    assert_code(vt_user_neighbors_build(&matrix, &many, &diag, &model), VT_INVALID);
    assert_code(vt_user_neighbors_build(&matrix, &nan, &diag, &model), VT_INVALID);
    assert_non_null(strstr(diag.text, "shrinkage"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_by_hand),
        cmocka_unit_test(only_the_nearest_are_asked),
        cmocka_unit_test(a_dislike_keeps_users_of_the_item_away),
        cmocka_unit_test(options_out_of_range_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
