/*
 * The candidate domain. One request runs to completion on its thread: pin a bundle, read the taste
 * from the history, let every source find its best, give each survivor the scores of all sources,
 * cut to n. State that changes (bundles, items) is read through counted or entered handles; the
 * working memory is lent from a pool, so nothing is allocated once the threads are warm.
 *
 * Where the version has a mix, what its members found is ordered by the model's score first. The
 * cut orders by a candidate's best place in any source, ties by item number: scores of
 * different sources have different scales, places do not.
 */
#include "services/candidate/candidate.h"

#include "models/dataset/history.h"
#include "services/candidate/model_score.h"
#include "services/candidate/newcomers.h"
#include "services/candidate/sources.h"
#include "services/candidate/sources_content.h"
#include "services/candidate/sources_goods.h"
#include "services/candidate/sources_known.h"
#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/common/trace/span.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step { STEP_TASTE, STEP_FACTOR, STEP_OTHERS, STEP_SCORE, STEP_COUNT };

struct vt_candidate_service {
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    const struct vt_clock *clock;
    struct vt_histogram *steps[STEP_COUNT];
    struct vt_counter *no_model;
    struct vt__newcomers *newcomers;
    struct vt_filter_cache *filters;
    struct vt__scratch_pool pool;
};

static const char *const step_names[STEP_COUNT] = {"taste", "factor", "others", "score"};
static const double step_bounds[] = {5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4,
                                     5e-4, 1e-3, 2.5e-3, 1e-2, 5e-2};

static void register_metrics(struct vt_candidate_service *service, struct vt_metrics *metrics)
{
    char label[64];
    for (int s = 0; s < STEP_COUNT; s++) {
        (void)snprintf(label, sizeof label, "step=\"%s\"", step_names[s]);
        service->steps[s] = vt_metrics_histogram(
            metrics, "vitrine_candidate_step_seconds", "Time of one step of GetCandidates.", label,
            step_bounds, sizeof step_bounds / sizeof *step_bounds);
    }
    service->no_model =
        vt_metrics_counter(metrics, "vitrine_candidate_without_model_total",
                           "Requests answered with popular items for want of a model.", "");
}

struct vt_err vt_candidate_service_new(struct vt_bundle_set *bundles, struct vt_item_table *items,
                                       const struct vt_clock *clock, struct vt_metrics *metrics,
                                       struct vt_candidate_service **ret_service)
{
    struct vt_candidate_service *service =
        aligned_alloc(_Alignof(struct vt_candidate_service), sizeof *service);
    VT_CHECK(service != NULL, VT_EXHAUSTED, "no memory for the candidate service");
    memset(service, 0, sizeof *service);
    service->bundles = bundles;
    service->items = items;
    service->clock = clock;
    register_metrics(service, metrics);
    struct vt_err err = vt__newcomers_new(bundles, items, clock, metrics, &service->newcomers);
    if (vt_failed(err))
        vt_candidate_service_free(service);
    else
        *ret_service = service;
    return err;
}

void vt_candidate_service_free(struct vt_candidate_service *service)
{
    if (service == NULL)
        return;
    vt__newcomers_free(service->newcomers);
    vt__scratch_pool_fini(&service->pool);
    free(service);
}

void vt_candidate_service_use_filters(struct vt_candidate_service *service,
                                      struct vt_filter_cache *filters)
{
    service->filters = filters;
}

/* ---- one request ---- */

static struct vt_err check_query(const struct vt_candidate_query *query)
{
    VT_CHECK(query->n >= 1 && query->n <= VT_CANDIDATES_MAX, VT_INVALID, "n is 1 to 2,000");
    VT_CHECK(query->n_context <= VT_CONTEXT_MAX, VT_INVALID, "at most 100 context items");
    VT_CHECK(query->n_campaign <= VT_CAMPAIGN_MAX, VT_INVALID, "at most 500 campaign items");
    VT_CHECK(query->n_exclude <= VT_EXCLUDE_MAX, VT_INVALID, "at most 2,000 excluded items");
    VT_CHECK(query->n_score_only <= VT_CANDIDATES_MAX, VT_INVALID, "at most 2,000 items to score");
    return vt_ok();
}

/* NULL in *ret_bundle: there is no model yet. */
static struct vt_err pin_bundle(struct vt_candidate_service *service, struct vt_slice version,
                                struct vt_diag *diag, struct vt_bundle **ret_bundle)
{
    struct vt_bundle *current = vt_bundle_set_current(service->bundles);
    if (version.len == 0) {
        *ret_bundle = current;
        return vt_ok();
    }
    struct vt_bundle *pinned = vt_bundle_set_find(service->bundles, version);
    if (pinned == NULL)
        vt_diag_set(diag, "model_version",
                    "version %.*s is not held here; ask again with the current one, %s",
                    (int)version.len, version.data,
                    current != NULL ? vt_bundle_view(current)->version : "(none yet)");
    vt_bundle_release(current);
    VT_CHECK(pinned != NULL, VT_PRECONDITION, "the pinned model version is not held");
    *ret_bundle = pinned;
    return vt_ok();
}

static struct vt_err still_wanted(const struct vt_candidate_service *service,
                                  const struct vt_request *request)
{
    VT_CHECK(!vt_request_cancelled(request), VT_CANCELLED, "the caller went away");
    VT_CHECK(vt_clock_monotonic_ns(service->clock) < request->deadline_ns, VT_DEADLINE,
             "out of time while gathering candidates");
    return vt_ok();
}

/* Observes the time since *mark and moves it. */
static void step_done(struct vt_candidate_service *service, struct vt_request *request,
                      enum step step, int64_t *mark_ns)
{
    int64_t now_ns = vt_clock_monotonic_ns(service->clock);
    vt_histogram_observe(service->steps[step], (double)(now_ns - *mark_ns) * 1e-9);
    vt_span_step(request->span, step_names[step], *mark_ns, now_ns);
    *mark_ns = now_ns;
}

/* A place and a number as one number: less is before. Exact, since places are below 2^21; what has
 * no place stands behind n that have one. */
static double order_of(const struct vt__found *found)
{
    return (double)found->best_rank * 0x1p32 + (double)found->item;
}

/* The first n by their best places, into scratch->hits, whose rows are places in `found`. */
static uint32_t cut(struct vt__scratch *scratch, uint32_t n)
{
    struct vt_top top = {.hits = scratch->hits, .capacity = n};
    for (uint32_t i = 0; i < scratch->n_found; i++)
        vt_top_offer(&top, (struct vt_index_hit){-order_of(&scratch->found[i]), i});
    vt_top_sort(&top);
    return top.n;
}

static struct vt_err score_found(const struct vt__gathering *gathering, struct vt_arena *arena,
                                 struct vt_candidate_list *list)
{
    struct vt__scratch *scratch = gathering->scratch;
    bool as_asked = gathering->query->n_score_only > 0;
    uint32_t n = as_asked ? scratch->n_found : cut(scratch, gathering->query->n);
    list->candidates = vt_arena_array(arena, n + 1, sizeof *list->candidates);
    VT_CHECK(list->candidates != NULL, VT_EXHAUSTED, "the request's memory is full");
    for (uint32_t i = 0; i < n; i++)
        list->candidates[i] =
            vt__sources_score(gathering, &scratch->found[as_asked ? i : scratch->hits[i].row]);
    list->n = n;
    return vt_ok();
}

/* The caller's own items, in the caller's order, each once. */
static void find_asked(struct vt__gathering *gathering)
{
    const struct vt_candidate_query *query = gathering->query;
    for (uint32_t i = 0; i < query->n_score_only; i++)
        if (vt_filter_passes(gathering->filter, gathering->items, query->score_only[i],
                             gathering->now_ms))
            vt__sources_add(gathering, query->score_only[i],
                            vt_bundle_row(gathering->bundle, query->score_only[i]), i);
}

/* A model that knows the taste puts popular items where they belong: they only fill up. */
static bool wants_popular(const struct vt__gathering *gathering)
{
    if (gathering->has_model)
        return gathering->scratch->n_found < gathering->query->n ||
               fabs(gathering->scales.popular.by) > 0;
    return !gathering->query->similar || gathering->taste->n == 0;
}

static struct vt_err find_best(struct vt_candidate_service *service, struct vt_request *request,
                               struct vt__gathering *gathering, int64_t *mark_ns)
{
    vt__sources_exclude(gathering);
    VT_TRY(vt__sources_find_factor(gathering));
    step_done(service, request, STEP_FACTOR, mark_ns);
    VT_TRY(still_wanted(service, request));
    vt__model_find_kernel(gathering);
    vt__sources_find_neighbors(gathering);
    if (wants_popular(gathering))
        vt__sources_find_popular(gathering);
    if (gathering->has_model)
        vt__model_rank_found(gathering);
    if (!gathering->query->similar) {
        vt__goods_find(gathering);
        VT_TRY(vt__content_find(gathering));
        vt__sources_find_new(gathering);
        vt__known_find(gathering);
    }
    step_done(service, request, STEP_OTHERS, mark_ns);
    return still_wanted(service, request);
}

static struct vt_err gather(struct vt_candidate_service *service, struct vt_request *request,
                            struct vt__gathering *gathering, struct vt_candidate_list *list)
{
    int64_t mark_ns = vt_clock_monotonic_ns(service->clock);
    bool score_only = gathering->query->n_score_only > 0;
    VT_TRY(vt__sources_fold_in(gathering));
    vt__sources_sum_neighbors(gathering);
    vt__goods_sum(gathering);
    vt__model_sum_kernel(gathering);
    vt__model_prepare(gathering);
    step_done(service, request, STEP_TASTE, &mark_ns);
    if (score_only)
        find_asked(gathering);
    else
        VT_TRY(find_best(service, request, gathering, &mark_ns));
    VT_TRY(score_found(gathering, request->arena, list));
    step_done(service, request, STEP_SCORE, &mark_ns);
    return vt_ok();
}

struct dislikes {
    uint32_t *items; /* numbers; in the request's arena */
    uint32_t n;
};

static struct vt_err find_dislikes(const struct vt_candidate_query *query, struct vt_arena *arena,
                                   struct dislikes *ret_dislikes)
{
    uint32_t *items = vt_arena_array(arena, (size_t)query->n_history + 1, sizeof *items);
    VT_CHECK(items != NULL, VT_EXHAUSTED, "the request's memory is full");
    *ret_dislikes =
        (struct dislikes){items, vt_history_dislikes(query->history, query->n_history, items)};
    return vt_ok();
}

static struct vt_err copy_version(const struct vt_bundle_view *view, struct vt_arena *arena,
                                  struct vt_candidate_list *list)
{
    list->version = vt_arena_copy(arena, vt_slice_str(view->version));
    VT_CHECK(list->version.data != NULL, VT_EXHAUSTED, "the request's memory is full");
    return vt_ok();
}

static struct vt_err with_bundle(struct vt_candidate_service *service, struct vt_request *request,
                                 const struct vt_candidate_query *query,
                                 const struct vt_filter_lease *filter,
                                 const struct vt_bundle *bundle, struct vt_candidate_list *list)
{
    struct vt__taste taste;
    struct dislikes dislikes;
    VT_TRY(vt__taste_make(bundle, query, request->arena, &taste));
    VT_TRY(find_dislikes(query, request->arena, &dislikes));
    VT_TRY(copy_version(vt_bundle_view(bundle), request->arena, list));
    struct vt__gathering gathering = {
        .bundle = bundle,
        .view = vt_bundle_view(bundle),
        .items = service->items,
        .now_ms = vt_clock_unix_ms(service->clock),
        .query = query,
        .filter = filter,
        .taste = &taste,
        .disliked = dislikes.items,
        .n_disliked = dislikes.n,
        .scratch = vt__scratch_take(&service->pool, vt_bundle_view(bundle)),
    };
    VT_CHECK(gathering.scratch != NULL, VT_EXHAUSTED, "no memory to gather candidates in");
    unsigned newcomer_ticket;
    gathering.newcomers = vt__newcomers_enter(service->newcomers, gathering.view, &newcomer_ticket);
    struct vt_err err = gather(service, request, &gathering, list);
    vt__newcomers_leave(service->newcomers, newcomer_ticket);
    vt__sources_clean(&gathering);
    vt__scratch_give(&service->pool, gathering.scratch);
    return err;
}

/* ---- without a model ---- */

static bool is_listed(const uint32_t *items, uint32_t n, uint32_t item)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

static bool is_seen(const struct vt_candidate_query *query, uint32_t item)
{
    for (uint32_t e = 0; e < query->n_history; e++)
        if (query->history[e].item == item &&
            vt_candidate_keeps_out(query->history[e].type,
                                   query->include_seen || query->include_viewed,
                                   query->include_seen || query->include_bought))
            return true;
    return false;
}

static bool is_popular_allowed(const struct vt_candidate_service *service,
                               const struct vt_candidate_query *query,
                               const struct dislikes *dislikes, uint32_t item, int64_t now_ms)
{
    return !is_listed(dislikes->items, dislikes->n, item) &&
           vt_item_table_recommendable(service->items, item, now_ms) &&
           !is_listed(query->exclude, query->n_exclude, item) &&
           !is_listed(query->context, query->n_context, item) && !is_seen(query, item);
}

static struct vt_candidate popular_candidate(const struct vt_candidate_service *service,
                                             uint32_t item)
{
    struct vt_candidate candidate = {.item = item, .sources = 1U << VT_SOURCE_POPULAR};
    candidate.scores[VT_SOURCE_POPULAR] = (double)vt_item_table_count(service->items, item);
    return candidate;
}

static struct vt_err without_bundle(struct vt_candidate_service *service,
                                    struct vt_request *request,
                                    const struct vt_candidate_query *query,
                                    const struct vt_filter_lease *filter,
                                    struct vt_candidate_list *list)
{
    int64_t now_ms = vt_clock_unix_ms(service->clock);
    bool score_only = query->n_score_only > 0;
    uint32_t n_items = query->n_score_only;
    const uint32_t *items =
        score_only ? query->score_only : vt_item_table_popular(service->items, &n_items);
    struct dislikes dislikes;
    VT_TRY(find_dislikes(query, request->arena, &dislikes));
    list->degraded_reason = "no model yet";
    vt_counter_add(service->no_model, 1);
    list->candidates =
        vt_arena_array(request->arena, (size_t)n_items + 1, sizeof *list->candidates);
    VT_CHECK(list->candidates != NULL, VT_EXHAUSTED, "the request's memory is full");
    for (uint32_t i = 0; i < n_items && (score_only || list->n < query->n); i++)
        if (vt_filter_passes(filter, service->items, items[i], now_ms) &&
            (score_only || is_popular_allowed(service, query, &dislikes, items[i], now_ms)))
            list->candidates[list->n++] = popular_candidate(service, items[i]);
    return vt_ok();
}

struct vt_err vt_candidate_get(struct vt_candidate_service *service, struct vt_request *request,
                               const struct vt_candidate_query *query,
                               struct vt_candidate_list *ret_list)
{
    VT_TRY(check_query(query));
    VT_TRY(still_wanted(service, request));
    struct vt_bundle *bundle = NULL;
    struct vt_candidate_list list = {0};
    VT_TRY(pin_bundle(service, query->version, request->diag, &bundle));
    unsigned ticket = vt_item_table_enter(service->items);
    struct vt_filter_lease filter = {0};
    struct vt_err err = vt_filter_acquire(service->filters, service->items, query->filter,
                                          request->arena, request->diag, &filter);
    if (!vt_failed(err))
        err = bundle != NULL ? with_bundle(service, request, query, &filter, bundle, &list)
                             : without_bundle(service, request, query, &filter, &list);
    vt_filter_release(&filter);
    vt_item_table_leave(service->items, ticket);
    vt_bundle_release(bundle);
    if (!vt_failed(err))
        *ret_list = list;
    return err;
}

static void local_get(void *self, struct vt_request *request,
                      const struct vt_candidate_query *query, int64_t deadline_ns,
                      vt_candidate_list_fn done, void *ctx)
{
    struct vt_request bounded = *request;
    if (deadline_ns < bounded.deadline_ns)
        bounded.deadline_ns = deadline_ns;
    struct vt_candidate_list list = {0};
    struct vt_err err = vt_candidate_get(self, &bounded, query, &list);
    done(ctx, err, vt_failed(err) ? NULL : &list);
}

struct vt_candidate_port vt_candidate_local_port(struct vt_candidate_service *service)
{
    return (struct vt_candidate_port){.self = service, .get = local_get};
}
