/* What a version's trees are asked, and what becomes of their answer: every block of a long list,
 * the sources that they stand for, and lists that they have not learnt from. */
#include "models/rank/trees.h"
#include "services/ranking/blend.h"
#include "services/ranking/features.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

enum { N = 150 }; /* two blocks and a part */

/* One tree: by the model's score, then by the price of what the model likes. */
static const uint32_t starts[] = {0, 5};
static const uint32_t nodes[] = {0, 1, 2, 1, 0, 0, 0, 0, 1, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static const float values[] = {0, -1, 3, 2, 1}; /* ln(price) below 3 gives 2 */

static struct vt_bundle_view view(void)
{
    struct vt_bundle_view made = {
        .ranker = {.n_trees = 1, .starts = starts, .nodes = nodes, .values = values}};
    made.ranker.features.n = 2;
    assert_true(vt_rank_feature_find("model", &made.ranker.features.ids[0]));
    assert_true(vt_rank_feature_find("price", &made.ranker.features.ids[1]));
    return made;
}

static void set_score(struct vt_candidate *candidate, enum vt_source source, double score)
{
    candidate->scores[source] = score;
    candidate->sources |= 1U << source;
}

static struct vt_item_table *priced_items(void)
{
    struct vt_item_table *items = NULL;
    assert_ok(vt_item_table_new(&items));
    for (uint32_t number = 1; number <= N; number++) {
        struct vt_item item = {.number = number, .stock = -1, .price = number % 3 == 0 ? 5 : 50};
        assert_ok(vt_item_table_upsert(items, &item));
    }
    return items;
}

static void each_candidate_gets_the_leaf_of_its_row(void **state)
{
    (void)state;
    const struct vt_bundle_view version = view();
    struct vt_item_table *items = priced_items();
    struct vt_candidate candidates[N] = {0};
    struct vt_ranking_fact facts[N];
    struct vt_sight sight = {.items = items};
    struct vt_ranking_list list = {.candidates = candidates, .facts = facts, .n = N};
    float row[2], score;
    for (uint32_t i = 0; i < N; i++) {
        candidates[i].item = i + 1;
        if (i % 7 != 0) /* the others have no score of the model */
            set_score(&candidates[i], VT_SOURCE_MODEL, i % 2 == 0 ? -1 : 1);
    }
    unsigned ticket = vt_item_table_enter(items);
    assert_true(vt_ranking_can_rank(&version, candidates, N));
    vt_ranking_facts_read(&sight, candidates, N, facts);
    vt_ranking_list_make(&sight, NULL, 0, 0, &list);
    vt_ranking_rank(&version, &list, candidates);
    for (uint32_t i = 0; i < N; i++) {
        const double expected = i % 2 == 0 ? -1 : (i + 1) % 3 == 0 ? 2 : 1;
        const struct vt_trees trees = {1, starts, nodes, values};
        assert_int_equal(candidates[i].sources >> VT_SOURCE_RANKER & 1, i % 7 != 0);
        vt_ranking_list_rows(&list, &version.ranker.features, i, 1, row);
        vt_trees_predict(&trees, row, 1, 2, &score);
        if (i % 7 == 0)
            continue;
        assert_true(fabs(candidates[i].scores[VT_SOURCE_RANKER] - expected) <= 0);
        assert_true(fabs((double)score - expected) <= 0); /* a row alone is the row of the block */
    }
    vt_item_table_leave(items, ticket);
    vt_item_table_free(items);
}

static void lists_without_the_model_and_versions_without_trees_are_not_asked(void **state)
{
    (void)state;
    const struct vt_bundle_view version = view();
    struct vt_bundle_view plain = version;
    struct vt_candidate popular = {.item = 1}, known = {.item = 2};
    plain.ranker.n_trees = 0;
    set_score(&popular, VT_SOURCE_POPULAR, 1);
    set_score(&known, VT_SOURCE_MODEL, 1);
    assert_false(vt_ranking_can_rank(&version, &popular, 1));
    assert_false(vt_ranking_can_rank(&version, NULL, 0));
    assert_false(vt_ranking_can_rank(&plain, &known, 1));
    assert_true(vt_ranking_can_rank(&version, &known, 1));
}

/* The ranker puts 2 before 1, whatever the model says; trending is not in it and goes on top. */
static void the_ranker_stands_for_its_sources_alone(void **state)
{
    (void)state;
    const struct vt_bundle_view version = view();
    const uint32_t inside = vt_ranking_sources_inside(&version.ranker.features);
    float weights[VT_SOURCE_COUNT] = {0};
    struct vt_candidate candidates[3] = {{.item = 1}, {.item = 2}, {.item = 3}};
    struct vt__scored scored[3];
    static const double model[] = {9, 1, 5}, ranker[] = {-2, 2, 0};
    weights[VT_SOURCE_MODEL] = weights[VT_SOURCE_RANKER] = 1;
    weights[VT_SOURCE_TRENDING] = 1;
    for (unsigned i = 0; i < 3; i++) {
        set_score(&candidates[i], VT_SOURCE_MODEL, model[i]);
        set_score(&candidates[i], VT_SOURCE_RANKER, ranker[i]);
    }
    set_score(&candidates[2], VT_SOURCE_TRENDING, 4);
    assert_int_equal(inside, 1U << VT_SOURCE_MODEL);
    vt__blend(candidates, 3, weights, inside, scored);
    assert_true(fabs(scored[0].score) <= 0); /* (−2 + 2) / 4 */
    assert_true(fabs(scored[1].score - 1 / 1.5) < 1e-12);
    assert_true(fabs(scored[2].score - 1) <= 0); /* .5 and 1 of trending, the most */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_candidate_gets_the_leaf_of_its_row),
        cmocka_unit_test(lists_without_the_model_and_versions_without_trees_are_not_asked),
        cmocka_unit_test(the_ranker_stands_for_its_sources_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
