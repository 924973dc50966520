/*
 * Nothing is decided here: scores, places and what was dropped come from the replay's trace, and
 * the shares are the blend's own terms, worked out by the same functions that summed them. The
 * effect of a ranker's feature is what its score loses when the row says "missing" there: one at a
 * time, so they need not add up.
 */
#include "services/ranking/explain.h"

#include "models/rank/trees.h"
#include "services/ranking/run.h"

#include <math.h>
#include <string.h>

const char *vt_bar_name(enum vt_bar bar)
{
    static const char *const names[VT_BAR_COUNT] = {
        [VT_BAR_NONE] = "",           [VT_BAR_UNAVAILABLE] = "unavailable",
        [VT_BAR_FILTER] = "filter",   [VT_BAR_EXCLUDED] = "excluded",
        [VT_BAR_CONTEXT] = "context", [VT_BAR_DISLIKED] = "disliked",
        [VT_BAR_SEEN] = "seen",       [VT_BAR_SHOWN] = "shown",
    };
    return bar < VT_BAR_COUNT ? names[bar] : "";
}

struct explaining {
    const struct vt_ranking_service *service;
    struct vt_arena *arena;
    const struct vt_replay *replay;
    struct vt__blend_scales scales;
    double largest; /* of the blend's sums */
};

/* Where the candidate of an item stands in the trace; UINT32_MAX: no source found it. */
static uint32_t find_candidate(const struct vt__trace *trace, uint32_t item)
{
    for (uint32_t i = 0; i < trace->n; i++)
        if (trace->candidates[i].item == item)
            return i;
    return UINT32_MAX;
}

static void find_largest(struct explaining *explaining)
{
    const struct vt_replay *replay = explaining->replay;
    const struct vt__trace *trace = &replay->trace;
    vt__blend_scales(trace->candidates, trace->n, &explaining->scales);
    for (uint32_t i = 0; i < trace->n; i++) {
        double parts[VT_SOURCE_COUNT];
        vt__blend_parts(&trace->candidates[i], replay->placement->weights, trace->ranked_sources,
                        &explaining->scales, parts);
        explaining->largest = fmax(explaining->largest, fabs(vt__blend_sum(parts)));
    }
}

static void explain_blend(const struct explaining *explaining, const struct vt_candidate *candidate,
                          struct vt_explained_item *item)
{
    const struct vt_replay *replay = explaining->replay;
    double parts[VT_SOURCE_COUNT], magnitude = 0;
    vt__blend_parts(candidate, replay->placement->weights, replay->trace.ranked_sources,
                    &explaining->scales, parts);
    for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
        magnitude += fabs(parts[source]);
    for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
        if ((candidate->sources >> source & 1) != 0)
            item->parts[item->n_parts++] =
                (struct vt_explained_part){.source = source,
                                           .score = candidate->scores[source],
                                           .weight = (double)replay->placement->weights[source],
                                           .share = magnitude > 0 ? parts[source] / magnitude : 0};
    item->blend = explaining->largest > 0 ? vt__blend_sum(parts) / explaining->largest : 0;
}

static struct vt_err explain_ranker(const struct explaining *explaining, uint32_t place,
                                    struct vt_explained_item *item)
{
    const struct vt__trace *trace = &explaining->replay->trace;
    if (trace->view == NULL || (trace->candidates[place].sources >> VT_SOURCE_RANKER & 1) == 0)
        return vt_ok();
    const struct vt_bundle_ranker *ranker = &trace->view->ranker;
    const struct vt_trees trees = {ranker->n_trees, ranker->starts, ranker->nodes, ranker->values};
    const uint32_t n = ranker->features.n;
    struct vt_explained_feature *features =
        vt_arena_array(explaining->arena, n + (size_t)1, sizeof *features);
    VT_CHECK(features != NULL, VT_EXHAUSTED, "the request's memory is full");
    float row[VT_RANK_FEATURES_MAX], whole, without;
    vt_ranking_list_rows(&trace->list, &ranker->features, place, 1, row);
    vt_trees_predict(&trees, row, 1, n, &whole);
    for (uint32_t f = 0; f < n; f++) {
        float value = row[f];
        row[f] = NAN;
        vt_trees_predict(&trees, row, 1, n, &without);
        row[f] = value;
        features[f] = (struct vt_explained_feature){vt_rank_feature_name(ranker->features.ids[f]),
                                                    (double)value, (double)whole - (double)without};
    }
    item->features = features;
    item->n_features = n;
    return vt_ok();
}

static struct vt_err explain_candidate(const struct explaining *explaining, uint32_t number,
                                       struct vt_explained_item *item)
{
    const struct vt__trace *trace = &explaining->replay->trace;
    uint32_t place = find_candidate(trace, number);
    item->number = number;
    item->factor = 1;
    if (place == UINT32_MAX)
        return vt_ok();
    explain_blend(explaining, &trace->candidates[place], item);
    return explain_ranker(explaining, place, item);
}

/* The part of an item that the list's maker keeps; NULL: it was not among them. */
static const struct vt__scored *find_scored(const struct vt__trace *trace, uint32_t item)
{
    for (uint32_t i = 0; i < trace->n_scored; i++)
        if (trace->scored[i].candidate->item == item)
            return &trace->scored[i];
    return NULL;
}

static struct vt_err explain_places(const struct explaining *explaining,
                                    struct vt_explanation *explanation)
{
    const struct vt_ranking_answer *answer = &explaining->replay->answer;
    struct vt_explained_item *items =
        vt_arena_array(explaining->arena, answer->n + (size_t)1, sizeof *items);
    VT_CHECK(items != NULL, VT_EXHAUSTED, "the request's memory is full");
    for (uint32_t i = 0; i < answer->n; i++) {
        const struct vt_ranked_item *ranked = &answer->items[i];
        const struct vt__scored *scored = find_scored(&explaining->replay->trace, ranked->number);
        VT_TRY(explain_candidate(explaining, ranked->number, &items[i]));
        items[i].id = ranked->id;
        items[i].place = i + 1;
        items[i].score = ranked->score;
        items[i].factor = ranked->factor > 0 ? ranked->factor : 1;
        items[i].nearest = scored != NULL ? scored->nearest : 0;
        items[i].propensity = ranked->propensity;
        items[i].rules = ranked->rules;
        items[i].boosts = ranked->boosts;
    }
    explanation->items = items;
    explanation->n_items = answer->n;
    return vt_ok();
}

/* ---- what is not in the list ---- */

static bool comes_before(const struct vt__scored *a, const struct vt__scored *b)
{
    return a->score > b->score ||
           (!(a->score < b->score) && a->candidate->item < b->candidate->item);
}

/* The best of those without a place, at most VT_EXPLAIN_MISSES_MAX, best first. */
static uint32_t best_below(const struct vt__trace *trace,
                           const struct vt__scored *ret_best[VT_EXPLAIN_MISSES_MAX])
{
    uint32_t n = 0;
    for (uint32_t i = trace->n_places; i < trace->n_scored; i++) {
        uint32_t at = n;
        while (at > 0 && comes_before(&trace->scored[i], ret_best[at - 1]))
            at--;
        if (at == VT_EXPLAIN_MISSES_MAX)
            continue;
        uint32_t last = n < VT_EXPLAIN_MISSES_MAX ? n++ : VT_EXPLAIN_MISSES_MAX - 1;
        memmove(&ret_best[at + 1], &ret_best[at], (last - at) * sizeof ret_best[0]);
        ret_best[at] = &trace->scored[i];
    }
    return n;
}

static struct vt_err add_below(const struct explaining *explaining,
                               struct vt_explanation *explanation, struct vt_explained_item *misses)
{
    const struct vt_replay *replay = explaining->replay;
    const struct vt__scored *best[VT_EXPLAIN_MISSES_MAX];
    uint32_t n = best_below(&replay->trace, best);
    double last = replay->answer.n > 0 ? replay->answer.items[replay->answer.n - 1].score : 0;
    for (uint32_t i = 0; i < n; i++) {
        struct vt_explained_item *item = &misses[explanation->n_misses++];
        VT_TRY(explain_candidate(explaining, best[i]->candidate->item, item));
        item->miss = VT_MISS_SCORE;
        item->score = best[i]->score;
        item->factor = best[i]->factor;
        item->nearest = best[i]->nearest;
        item->boosts = best[i]->boosts;
        item->short_of = last - item->score;
    }
    return vt_ok();
}

static struct vt_err add_drops(const struct explaining *explaining,
                               struct vt_explanation *explanation, struct vt_explained_item *misses)
{
    const struct vt_ranking_answer *answer = &explaining->replay->answer;
    for (uint32_t d = 0; d < answer->n_drops && d < VT_EXPLAIN_MISSES_MAX; d++) {
        struct vt_explained_item *item = &misses[explanation->n_misses++];
        VT_TRY(explain_candidate(explaining, answer->drops[d].item, item));
        item->miss = VT_MISS_CAP;
        item->cap = answer->drops[d].cap;
        item->score = item->blend;
        item->rules = 1U << VT_RULE_CAP;
    }
    return vt_ok();
}

static void add_barred(const struct explaining *explaining, struct vt_explanation *explanation,
                       struct vt_explained_item *misses)
{
    const struct vt__trace *trace = &explaining->replay->trace;
    for (uint32_t b = 0; b < trace->n_barred && b < VT_EXPLAIN_MISSES_MAX; b++) {
        struct vt_explained_item *item = &misses[explanation->n_misses++];
        *item = (struct vt_explained_item){.number = trace->barred[b].candidate.item,
                                           .factor = 1,
                                           .miss = VT_MISS_BARRED,
                                           .bar = trace->barred[b].bar};
    }
}

static struct vt_err explain_misses(const struct explaining *explaining,
                                    struct vt_explanation *explanation)
{
    struct vt_item_table *items = explaining->service->options.items;
    struct vt_explained_item *misses =
        vt_arena_array(explaining->arena, (size_t)3 * VT_EXPLAIN_MISSES_MAX, sizeof *misses);
    VT_CHECK(misses != NULL, VT_EXHAUSTED, "the request's memory is full");
    VT_TRY(add_below(explaining, explanation, misses));
    VT_TRY(add_drops(explaining, explanation, misses));
    add_barred(explaining, explanation, misses);
    unsigned ticket = vt_item_table_enter(items);
    for (uint32_t m = 0; m < explanation->n_misses; m++)
        misses[m].id = vt_arena_copy(explaining->arena, vt_item_table_id(items, misses[m].number));
    vt_item_table_leave(items, ticket);
    explanation->misses = misses;
    return vt_ok();
}

struct vt_err vt_explain(struct vt_ranking_service *service, struct vt_arena *arena,
                         const struct vt_replay *replay, struct vt_explanation *ret_explanation)
{
    struct explaining explaining = {.service = service, .arena = arena, .replay = replay};
    struct vt_explanation explanation = {0};
    find_largest(&explaining);
    VT_TRY(explain_places(&explaining, &explanation));
    VT_TRY(explain_misses(&explaining, &explanation));
    *ret_explanation = explanation;
    return vt_ok();
}
