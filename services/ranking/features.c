/*
 * The feature matrix of an answer. Candidates bring the scores of their sources; price and age come
 * from the columns of the item table, the rest from the history that the profile service gave. Rows
 * are made and judged a block at a time, on the stack: nothing is allocated, and what a block reads
 * stays in the first cache.
 */
#include "services/ranking/features.h"

#include "models/rank/trees.h"

#include <math.h>

enum { ROWS_AT_ONCE = 64 };

static const enum vt_source source_of[VT_RANK_SCORE_COUNT] = {
    [VT_RANK_SCORE_MODEL] = VT_SOURCE_MODEL,
    [VT_RANK_SCORE_FACTOR] = VT_SOURCE_FACTOR,
    [VT_RANK_SCORE_KERNEL] = VT_SOURCE_KERNEL,
    [VT_RANK_SCORE_NEIGHBOR] = VT_SOURCE_ITEM_NEIGHBOR,
    [VT_RANK_SCORE_POPULAR] = VT_SOURCE_POPULAR,
    [VT_RANK_SCORE_TOGETHER] = VT_SOURCE_BOUGHT_TOGETHER,
    [VT_RANK_SCORE_TRENDING] = VT_SOURCE_TRENDING,
};

static bool has_score(const struct vt_candidate *candidate, enum vt_source source)
{
    return (candidate->sources >> source & 1) != 0;
}

void vt_ranking_facts_read(struct vt_sight *sight, const struct vt_candidate *candidates,
                           uint32_t n, struct vt_ranking_fact *ret_facts)
{
    for (uint32_t i = 0; i < n; i++) {
        ret_facts[i].price = vt_sight_price(sight, candidates[i].item);
        ret_facts[i].create_time_ms = vt_sight_create_time_ms(sight, candidates[i].item);
    }
}

static struct vt_rank_candidate describe(const struct vt_ranking_list *list, uint32_t place)
{
    const struct vt_candidate *candidate = &list->candidates[place];
    struct vt_rank_candidate described = {
        .price = list->facts[place].price,
        .create_time_ms = list->facts[place].create_time_ms,
    };
    for (unsigned s = 0; s < VT_RANK_SCORE_COUNT; s++)
        described.scores[s] =
            has_score(candidate, source_of[s]) ? candidate->scores[source_of[s]] : (double)NAN;
    return described;
}

static double price_of(const void *ctx, uint32_t item)
{
    struct vt_sight *const *sight = ctx;
    return vt_sight_price(*sight, item);
}

void vt_ranking_list_make(struct vt_sight *sight, const struct vt_history_event *events,
                          uint32_t n_events, int64_t now_ms, struct vt_ranking_list *list)
{
    vt_rank_customer_make(events, n_events, now_ms, price_of, &sight, &list->customer);
    list->bests = (struct vt_rank_bests){0};
    for (uint32_t i = 0; i < list->n; i++) {
        struct vt_rank_candidate described = describe(list, i);
        vt_rank_bests_add(&described, 1, &list->bests);
    }
}

void vt_ranking_list_rows(const struct vt_ranking_list *list,
                          const struct vt_rank_features *features, uint32_t begin, uint32_t n,
                          float *ret_rows)
{
    for (uint32_t i = begin; i < begin + n; i++) {
        struct vt_rank_candidate described = describe(list, i);
        vt_rank_rows(features, &list->customer, &list->bests, &described, 1, ret_rows);
        ret_rows += features->n;
    }
}

bool vt_ranking_can_rank(const struct vt_bundle_view *view, const struct vt_candidate *candidates,
                         uint32_t n)
{
    for (uint32_t i = 0; view->ranker.n_trees > 0 && i < n; i++)
        if (has_score(&candidates[i], VT_SOURCE_MODEL))
            return true;
    return false;
}

void vt_ranking_rank(const struct vt_bundle_view *view, const struct vt_ranking_list *list,
                     struct vt_candidate *candidates)
{
    const struct vt_bundle_ranker *ranker = &view->ranker;
    const struct vt_trees trees = {ranker->n_trees, ranker->starts, ranker->nodes, ranker->values};
    float rows[ROWS_AT_ONCE * VT_RANK_FEATURES_MAX], scores[ROWS_AT_ONCE];
    for (uint32_t begin = 0; begin < list->n; begin += ROWS_AT_ONCE) {
        uint32_t n = list->n - begin < ROWS_AT_ONCE ? list->n - begin : ROWS_AT_ONCE;
        vt_ranking_list_rows(list, &ranker->features, begin, n, rows);
        vt_trees_predict(&trees, rows, n, ranker->features.n, scores);
        for (uint32_t i = 0; i < n; i++) {
            struct vt_candidate *candidate = &candidates[begin + i];
            if (!has_score(candidate, VT_SOURCE_MODEL))
                continue;
            candidate->scores[VT_SOURCE_RANKER] = (double)scores[i];
            candidate->sources |= 1U << VT_SOURCE_RANKER;
        }
    }
}

uint32_t vt_ranking_sources_inside(const struct vt_rank_features *features)
{
    uint32_t inside = 0;
    for (unsigned s = 0; s < VT_RANK_SCORE_COUNT; s++)
        if (vt_rank_features_use(features, s))
            inside |= 1U << source_of[s];
    return inside;
}
