/* Flattened trees: walking them, and what is refused. */
#include "models/rank/trees.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

/* Tree 0: feature 1 < 0.5 ? 1 : (feature 0 < -2 ? 10 : 100), missing right then left. Tree 1: a
 * leaf of 1000. */
static const uint32_t starts[] = {0, 5, 6};
static const uint32_t nodes[][VT_TREES_NODE_WORDS] = {{1, 1, 2, 0}, {0}, {0, 3, 4, 1},
                                                      {0},          {0}, {0}};
static const float values[] = {0.5F, 1, -2, 10, 100, 1000};
enum { N_NODES = 6, N_FEATURES = 2 };
static const struct vt_trees two_trees = {2, starts, &nodes[0][0], values};

static float score(float first, float second)
{
    float row[] = {first, second}, ret;
    vt_trees_predict(&two_trees, row, 1, N_FEATURES, &ret);
    return ret;
}

static void assert_score(float first, float second, float expected)
{
    float got = score(first, second);
    assert_memory_equal(&got, &expected, sizeof got);
}

static void rows_fall_into_their_leaves(void **state)
{
    (void)state;
    assert_score(0, 0.25F, 1001);
    assert_score(-3, 0.5F, 1010); /* a threshold belongs to the right */
    assert_score(-2, 0.5F, 1100);
    assert_score(-INFINITY, INFINITY, 1010);
}

static void missing_goes_the_way_of_the_split(void **state)
{
    (void)state;
    assert_score(0, NAN, 1100);
    assert_score(NAN, NAN, 1010);
}

/* More rows than are walked at once. */
static void rows_do_not_see_each_other(void **state)
{
    (void)state;
    enum { ROWS = 131, STRIDE = 3 };
    float rows[ROWS][STRIDE], scores[ROWS];
    for (int r = 0; r < ROWS; r++) {
        rows[r][0] = (float)(r % 5) - 4;
        rows[r][1] = (float)(r % 7) / 7;
        rows[r][2] = NAN; /* behind the row: not looked at */
    }
    vt_trees_predict(&two_trees, &rows[0][0], ROWS, STRIDE, scores);
    for (int r = 0; r < ROWS; r++) {
        float alone = score(rows[r][0], rows[r][1]);
        assert_memory_equal(&alone, &scores[r], sizeof alone);
    }
}

static void no_trees_score_zero(void **state)
{
    (void)state;
    static const uint32_t none[] = {0};
    const struct vt_trees trees = {0, none, &nodes[0][0], values};
    float row[] = {1, 2}, got = 5;
    assert_ok(vt_trees_check(&trees, 0, N_FEATURES, NULL));
    vt_trees_predict(&trees, row, 1, N_FEATURES, &got);
    assert_true(got >= 0 && got <= 0);
}

/* Each damage alone is found, and told with its tree. */
static void damage_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t place, word, value;
    } damages[] = {
        {0, 0, 2}, /* a feature that is not there */
        {0, 1, 5}, /* a child in the next tree */
        {2, 1, 2}, /* its own child */
        {2, 2, 0}, /* one child only, before its parent */
        {2, 2, UINT32_MAX}, {0, 3, 2},
    };
    struct vt_diag diag = {0};
    assert_ok(vt_trees_check(&two_trees, N_NODES, N_FEATURES, &diag));
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        uint32_t damaged[N_NODES][VT_TREES_NODE_WORDS];
        memcpy(damaged, nodes, sizeof damaged);
        damaged[damages[i].place][damages[i].word] = damages[i].value;
        const struct vt_trees trees = {2, starts, &damaged[0][0], values};
        assert_code(vt_trees_check(&trees, N_NODES, N_FEATURES, &diag), VT_CORRUPT);
        assert_non_null(strstr(diag.text, "tree 0"));
    }
}

static void wrong_starts_and_numbers_are_refused(void **state)
{
    (void)state;
    static const uint32_t wrong[][3] = {{1, 5, 6}, {0, 0, 6}, {0, 6, 6}, {0, 5, 7}, {0, 7, 6}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct vt_trees trees = {2, wrong[i], &nodes[0][0], values};
        assert_code(vt_trees_check(&trees, N_NODES, N_FEATURES, NULL), VT_CORRUPT);
    }
    float damaged[N_NODES];
    memcpy(damaged, values, sizeof damaged);
    damaged[5] = NAN;
    const struct vt_trees trees = {2, starts, &nodes[0][0], damaged};
    struct vt_diag diag = {0};
    assert_code(vt_trees_check(&trees, N_NODES, N_FEATURES, &diag), VT_CORRUPT);
    assert_non_null(strstr(diag.text, "tree 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_fall_into_their_leaves),
        cmocka_unit_test(missing_goes_the_way_of_the_split),
        cmocka_unit_test(rows_do_not_see_each_other),
        cmocka_unit_test(no_trees_score_zero),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(wrong_starts_and_numbers_are_refused),
    };
    return cmocka_run_group_tests_name("rank/trees", tests, NULL, NULL);
}
