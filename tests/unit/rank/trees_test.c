/* Flattened trees: walking them, and what is refused. */
#include "models/dataset/mix.h"
#include "models/rank/trees_internal.h"
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

/* Trees of any shape over rows with everything that a float can be. */
enum { MANY_TREES = 40, MANY_ROWS = 203, MANY_FEATURES = 9, MANY_NODES = MANY_TREES * 63 };

struct many {
    uint32_t starts[MANY_TREES + 1], nodes[MANY_NODES][VT_TREES_NODE_WORDS];
    float values[MANY_NODES], rows[MANY_ROWS][MANY_FEATURES];
};

static float odd_float(uint64_t random)
{
    static const float odd[] = {0, -0.0F, 1e30F, -1e30F, 1e-40F, INFINITY, -INFINITY, NAN};
    return random % 3 == 0 ? odd[random / 3 % 8] : (float)(random % 17) / 4 - 2;
}

/* A node at a time, each with a chance of children until there are 63. */
static uint32_t grow(struct many *many, uint32_t start, uint32_t tree, uint64_t *seed)
{
    uint32_t end = start + 1;
    for (uint32_t place = start; place < end; place++) {
        uint64_t random = vt_mix64(*seed += VT_MIX64_STEP);
        uint32_t *node = many->nodes[place];
        many->values[place] = (float)(random >> 8 & 15) / 4 - 2;
        memset(node, 0, sizeof many->nodes[0]);
        if (tree % 8 == 7 || random % 4 == 0 || end - start + 2 > 63)
            continue; /* every eighth is a leaf alone */
        node[0] = (uint32_t)(random >> 16) % MANY_FEATURES;
        node[1 + (random >> 40 & 1)] = end; /* left or right first */
        node[2 - (random >> 40 & 1)] = end + 1;
        node[3] = random >> 41 & 1;
        end += 2;
    }
    return end;
}

static void every_way_to_ask_has_the_same_bits(void **state)
{
    (void)state;
    static struct many many;
    uint64_t seed = 3;
    float walked[MANY_ROWS], plain[MANY_ROWS], chosen[MANY_ROWS];
    for (uint32_t tree = 0; tree < MANY_TREES; tree++)
        many.starts[tree + 1] = grow(&many, many.starts[tree], tree, &seed);
    for (uint32_t i = 0; i < MANY_ROWS * MANY_FEATURES; i++)
        many.rows[i / MANY_FEATURES][i % MANY_FEATURES] =
            odd_float(vt_mix64(seed += VT_MIX64_STEP));
    const struct vt_trees trees = {MANY_TREES, many.starts, &many.nodes[0][0], many.values};
    assert_ok(vt_trees_check(&trees, many.starts[MANY_TREES], MANY_FEATURES, NULL));
    assert_true(vt__trees_fit_columns(&trees, MANY_FEATURES));
    vt__trees_walk(&trees, &many.rows[0][0], MANY_ROWS, MANY_FEATURES, walked);
    for (uint32_t n = 1; n <= MANY_ROWS; n += n < 66 ? 1 : 137) { /* to either side of a block */
        vt__trees_columns_plain(&trees, &many.rows[0][0], n, MANY_FEATURES, plain);
        vt__trees_columns(&trees, &many.rows[0][0], n, MANY_FEATURES, chosen);
        assert_memory_equal(plain, walked, n * sizeof *plain);
        assert_memory_equal(chosen, walked, n * sizeof *chosen);
    }
}

/* Deeper than a block holds, and rows wider: the walk answers. */
static void large_trees_and_wide_rows_are_walked(void **state)
{
    (void)state;
    enum { CHAIN = VT__TREES_NODES_MAX + 2 };
    static uint32_t nodes_of_chain[CHAIN][VT_TREES_NODE_WORDS];
    static float values_of_chain[CHAIN], row[VT__TREES_COLUMNS_MAX + 1] = {62.5F};
    const uint32_t ends[] = {0, CHAIN};
    const struct vt_trees chain = {1, ends, &nodes_of_chain[0][0], values_of_chain};
    float score_of_chain = 0;
    for (uint32_t k = 0; 2 * k + 2 < CHAIN; k++) { /* < k: a leaf of k, else go on */
        nodes_of_chain[2 * k][1] = 2 * k + 1;
        nodes_of_chain[2 * k][2] = 2 * k + 2;
        values_of_chain[2 * k] = values_of_chain[2 * k + 1] = (float)k;
    }
    assert_false(vt__trees_fit_columns(&chain, 1));
    vt_trees_predict(&chain, row, 1, 1, &score_of_chain);
    assert_true(score_of_chain >= 63 && score_of_chain <= 63);
    assert_false(vt__trees_fit_columns(&two_trees, VT__TREES_COLUMNS_MAX + 1));
    vt_trees_predict(&two_trees, row, 1, VT__TREES_COLUMNS_MAX + 1, &score_of_chain);
    assert_true(score_of_chain >= 1001 && score_of_chain <= 1001);
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
        cmocka_unit_test(every_way_to_ask_has_the_same_bits),
        cmocka_unit_test(large_trees_and_wide_rows_are_walked),
        cmocka_unit_test(no_trees_score_zero),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(wrong_starts_and_numbers_are_refused),
    };
    return cmocka_run_group_tests_name("rank/trees", tests, NULL, NULL);
}
