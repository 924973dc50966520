/* From candidates to what the caller reads. A Recommend is never shorter than n while that many
 * items may be recommended, and a Rank has every SKU of its request once, so both are filled up
 * here. */
#include "services/ranking/answer.h"

#include "services/common/base/metrics.h"
#include "services/ranking/eligible.h"
#include "services/ranking/features.h"
#include "services/ranking/places.h"
#include "services/ranking/reason.h"

#include <string.h>

/* A list under construction. */
struct list {
    struct vt_ranked_item *items;
    uint32_t n, capacity;
    const struct vt_rule_drop *drops;
    uint32_t n_drops;
};

static struct vt_err copy_text(struct vt_arena *arena, struct vt_slice *text)
{
    if (text->len == 0)
        return vt_ok();
    *text = vt_arena_copy(arena, *text);
    VT_CHECK(text->data != NULL, VT_EXHAUSTED, "the request's memory is full");
    return vt_ok();
}

static struct vt_err add_details(const struct vt__run *run, struct vt_ranked_item *ranked)
{
    struct vt_arena *arena = run->request->arena;
    struct vt_item item;
    if (!vt_item_table_get(run->service->options.items, ranked->number, &item))
        return vt_ok();
    struct vt_slice *categories =
        vt_arena_array(arena, item.n_categories + (size_t)1, sizeof *categories);
    VT_CHECK(categories != NULL, VT_EXHAUSTED, "the request's memory is full");
    for (uint32_t c = 0; c < item.n_categories; c++) {
        categories[c] = item.categories[c];
        VT_TRY(copy_text(arena, &categories[c]));
    }
    ranked->title = item.title;
    ranked->currency_code = item.currency_code;
    ranked->price = item.price;
    ranked->categories = categories;
    ranked->n_categories = item.n_categories;
    VT_TRY(copy_text(arena, &ranked->title));
    return copy_text(arena, &ranked->currency_code);
}

static struct vt_slice reason_of(const struct vt__run *run, const struct vt_candidate *candidate)
{
    struct vt__reason_facts facts = {
        .items = run->service->options.items,
        .history = run->profile.events,
        .n_history = run->profile.n_events,
        .context = run->context,
        .n_context = run->n_context,
        .language = vt__language_of(run->query.language),
    };
    return vt__reason_text(&facts, candidate, run->request->arena);
}

static struct vt_err append(const struct vt__run *run, struct list *list,
                            const struct vt__scored *scored)
{
    const struct vt_candidate *candidate = scored->candidate;
    if (list->n == list->capacity)
        return vt_ok();
    struct vt_ranked_item *ranked = &list->items[list->n];
    *ranked = (struct vt_ranked_item){
        .id = vt_item_table_id(run->service->options.items, candidate->item),
        .number = candidate->item,
        .score = scored->score,
        .rules = scored->rules,
        .boosts = scored->boosts,
        .factor = scored->factor,
        .propensity = scored->propensity,
        .sources = candidate->sources,
    };
    memcpy(ranked->source_scores, candidate->scores, sizeof ranked->source_scores);
    VT_TRY(copy_text(run->request->arena, &ranked->id));
    if (run->query.explain)
        ranked->reason = reason_of(run, candidate);
    if (run->query.return_details)
        VT_TRY(add_details(run, ranked));
    list->n++;
    return vt_ok();
}

/* Rank answers with every SKU once: those without a score and those unknown stand last, as given.
 * With a filter it answers with those that pass, and nobody knows whether an unknown one would. */
static struct vt_err append_rest(const struct vt__run *run, struct list *list)
{
    for (uint32_t i = 0; i < run->query.n_rank_ids; i++) {
        struct vt_slice id = run->query.rank_ids[i];
        bool listed = false;
        for (uint32_t l = 0; l < list->n && !listed; l++)
            listed = vt_slice_equal(list->items[l].id, id);
        if (listed || list->n == list->capacity)
            continue;
        uint32_t number = vt_sight_number(run->sight, id);
        if (!vt__passes_filter(run, number))
            continue;
        struct vt_ranked_item *ranked = &list->items[list->n++];
        *ranked = (struct vt_ranked_item){.id = id, .number = number};
        VT_TRY(copy_text(run->request->arena, &ranked->id));
        if (run->query.return_details && ranked->number != 0)
            VT_TRY(add_details(run, ranked));
    }
    return vt_ok();
}

const struct vt_bundle *vt__bundle_of(const struct vt__run *run, struct vt_slice version)
{
    if (run->pin == NULL ||
        !vt_slice_equal(vt_slice_str(vt_bundle_view(run->pin)->version), version))
        return NULL;
    return run->pin;
}

/* What the version's trees say, where they are wanted and can say something; *ret_ranked are the
 * sources that are in it. */
static struct vt_err ask_ranker(const struct vt__run *run, const struct vt_bundle *bundle,
                                struct vt_candidate *candidates, uint32_t n, uint32_t *ret_ranked)
{
    const struct vt_bundle_view *view = bundle != NULL ? vt_bundle_view(bundle) : NULL;
    *ret_ranked = 0;
    if (view == NULL || run->query.mode == VT_RANKING_SIMILAR ||
        !(run->placement->weights[VT_SOURCE_RANKER] > 0) ||
        !vt_ranking_can_rank(view, candidates, n))
        return vt_ok();
    struct vt_ranking_fact *facts = vt_arena_array(run->request->arena, n, sizeof *facts);
    VT_CHECK(facts != NULL, VT_EXHAUSTED, "the request's memory is full");
    struct vt_ranking_list list = {.candidates = candidates, .facts = facts, .n = n};
    vt_ranking_facts_read(run->sight, candidates, n, facts);
    vt_ranking_list_make(run->sight, run->profile.events, run->profile.n_events, run->now_ms,
                         &list);
    vt_ranking_rank(view, &list, candidates);
    if (run->trace != NULL) {
        run->trace->view = view;
        run->trace->list = list;
    }
    *ret_ranked = vt_ranking_sources_inside(&view->ranker.features);
    return vt_ok();
}

/* The caller's own items: boosts count, but no rule takes one out or puts another in. */
static struct vt_err append_ranked(const struct vt__run *run, struct list *list,
                                   struct vt__scored *scored, uint32_t n)
{
    vt__apply_boosts(run, scored, n);
    uint32_t n_places = vt__select_best(scored, n, list->capacity);
    if (run->trace != NULL)
        run->trace->n_places = n_places;
    for (uint32_t i = 0; i < n_places; i++)
        VT_TRY(append(run, list, &scored[i]));
    return append_rest(run, list);
}

static struct vt_err append_places(const struct vt__run *run, struct list *list,
                                   const struct vt__places_options *options)
{
    struct vt__places places;
    const struct vt__scored *scored = NULL;
    VT_TRY(vt__places_init(&places, run, options));
    for (;;) {
        VT_TRY(vt__places_next(&places, &scored));
        if (scored == NULL)
            break;
        VT_TRY(append(run, list, scored));
    }
    if (run->trace != NULL) {
        run->trace->n_places = places.n;
        run->trace->n_scored = places.n_scored;
    }
    list->drops = places.drops;
    list->n_drops = places.n_drops;
    return vt_ok();
}

static struct vt_err rank_candidates(const struct vt__run *run,
                                     const struct vt_candidate_list *found, struct list *list)
{
    bool rank = run->query.mode == VT_RANKING_RANK;
    uint32_t n = vt__keep_eligible(run, found->candidates, found->n);
    struct vt__scored *scored = vt_arena_array(
        run->request->arena, (size_t)n + VT__PLACES_EXTRA(list->capacity), sizeof *scored);
    VT_CHECK(scored != NULL, VT_EXHAUSTED, "the request's memory is full");
    const struct vt_bundle *bundle = vt__bundle_of(run, found->version);
    uint32_t ranked = 0;
    VT_TRY(ask_ranker(run, bundle, found->candidates, n, &ranked));
    vt__blend(found->candidates, n, run->placement->weights, ranked, scored);
    if (run->trace != NULL) {
        run->trace->candidates = found->candidates;
        run->trace->n = n;
        run->trace->ranked_sources = ranked;
        run->trace->scored = scored;
        run->trace->n_scored = n;
    }
    if (rank)
        return append_ranked(run, list, scored, n);
    return append_places(
        run, list,
        &(struct vt__places_options){
            .scored = scored,
            .n_scored = n,
            .capacity = list->capacity,
            .level = run->query.diversity != 0 ? run->query.diversity : run->placement->diversity,
            .bundle = bundle,
            .fill = run->query.mode == VT_RANKING_RECOMMEND || run->filter.filter != NULL ||
                    run->degraded_reason != NULL,
        });
}

static struct vt_err make_list(const struct vt__run *run, const struct vt_candidate_list *found,
                               struct list *list)
{
    list->capacity = run->query.mode == VT_RANKING_RANK ? run->query.n_rank_ids : run->query.n;
    list->items =
        vt_arena_array(run->request->arena, (size_t)list->capacity + 1, sizeof *list->items);
    VT_CHECK(list->items != NULL, VT_EXHAUSTED, "the request's memory is full");
    return rank_candidates(run, found, list);
}

void vt__answer_count(const struct vt_ranking_service *service,
                      const struct vt_ranking_answer *answer)
{
    uint64_t by_source[VT_SOURCE_COUNT] = {0}, by_rule[VT_RULE_COUNT] = {0};
    for (uint32_t i = 0; i < answer->n; i++) {
        for (unsigned source = VT_SOURCE_FACTOR; source < VT_SOURCE_COUNT; source++)
            by_source[source] += answer->items[i].sources >> source & 1;
        for (unsigned rule = 0; rule < VT_RULE_COUNT; rule++)
            by_rule[rule] += answer->items[i].rules >> rule & 1;
    }
    by_rule[VT_RULE_CAP] = answer->n_drops;
    by_rule[VT_RULE_SHOWN] = answer->n_shown;
    for (unsigned source = VT_SOURCE_FACTOR; source < VT_SOURCE_COUNT; source++)
        if (by_source[source] > 0)
            vt_counter_add(service->by_source[source], by_source[source]);
    for (unsigned rule = 0; rule < VT_RULE_COUNT; rule++)
        if (by_rule[rule] > 0)
            vt_counter_add(service->by_rule[rule], by_rule[rule]);
}

struct vt_err vt__answer_make(const struct vt__run *run, const struct vt_candidate_list *found,
                              struct vt_ranking_answer *ret_answer)
{
    struct vt_item_table *items = run->service->options.items;
    struct vt_ranking_answer answer = {
        .model_version = found->version,
        .degraded_reason = run->degraded_reason,
    };
    struct list list = {0};
    unsigned ticket = vt_item_table_enter(items);
    struct vt_err err = make_list(run, found, &list);
    vt_item_table_leave(items, ticket);
    VT_TRY(err);
    answer.items = list.items;
    answer.n = list.n;
    answer.placement = vt_arena_copy(run->request->arena, run->placement->name);
    answer.drops = list.drops;
    answer.n_drops = list.n_drops;
    answer.n_shown = run->profile.n_shown;
    *ret_answer = answer;
    return vt_ok();
}
