/*
 * The ranking domain: one small state machine per call, kept in the call's arena.
 *
 *   vt_ranking_run → [profile port] → on_profile → [candidate port] → on_candidates → answer → done
 *
 * Every arrow in brackets may finish inline (one process) or later on the same serving thread
 * (three); the code does not know which. Each port gets a share of what is left of the deadline; a
 * port that fails or is late costs quality, never the answer: without a profile the context and the
 * popular items answer, without candidates the popular list of the item table does. The item table
 * is entered only within a step, so nothing is held while waiting, and what is answered is copied.
 */
#include "services/ranking/ranking.h"

#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/common/trace/span.h"
#include "services/ranking/answer.h"
#include "services/ranking/eligible.h"
#include "services/ranking/places.h"
#include "services/ranking/record.h"
#include "services/ranking/run.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROFILE_SHARE = 4,   /* the profile may take 1/4 of what is left of the deadline */
    CANDIDATE_SHARE = 2, /* the candidates 1/2 of what is left then */
    CANDIDATES_MIN = 200,
    CANDIDATES_PER_ITEM = 4, /* so that diversity has something to choose from */
};
#define UNBOUNDED_PROFILE_NS INT64_C(50000000)    /* where the caller set no deadline */
#define UNBOUNDED_CANDIDATE_NS INT64_C(200000000) /* likewise */

static const char *const step_names[VT__STEP_COUNT] = {"profile", "candidate", "rank"};

static const struct {
    const char *label, *event, *reason;
} degradations[VT__DEGRADED_COUNT] = {
    [VT__DEGRADED_PROFILE] = {"reason=\"profile\"", "degraded: no profile",
                              "profile service away or late: answered without history"},
    [VT__DEGRADED_CANDIDATE] = {"reason=\"candidate\"", "degraded: no candidates",
                                "candidate service away or late: popular items"},
    [VT__DEGRADED_MODEL] = {"reason=\"no_model\"", "degraded: no model", "no model yet"},
};

/* ---- life cycle ---- */

static void register_list_metrics(struct vt_ranking_service *service, struct vt_metrics *metrics)
{
    static const char *const rules[VT_RULE_COUNT] = {"pin",  "slot", "explore", "boost",
                                                     "bury", "cap",  "shown"};
    char label[64];
    for (unsigned source = VT_SOURCE_FACTOR; source < VT_SOURCE_COUNT; source++) {
        (void)snprintf(label, sizeof label, "source=\"%s\"", vt_source_name(source));
        service->by_source[source] =
            vt_metrics_counter(metrics, "vitrine_recommend_items_total",
                               "Items answered that a source has a score for.", label);
    }
    for (unsigned rule = 0; rule < VT_RULE_COUNT; rule++) {
        (void)snprintf(label, sizeof label, "rule=\"%s\"", rules[rule]);
        service->by_rule[rule] = vt_metrics_counter(metrics, "vitrine_recommend_rules_total",
                                                    "Rules of placements that fired.", label);
    }
}

static void register_metrics(struct vt_ranking_service *service, struct vt_metrics *metrics)
{
    char label[64];
    static const double bounds[] = {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4,
                                    1e-3, 2.5e-3, 1e-2, 5e-2, 2.5e-1};
    for (int s = 0; s < VT__STEP_COUNT; s++) {
        (void)snprintf(label, sizeof label, "step=\"%s\"", step_names[s]);
        service->steps[s] = vt_metrics_histogram(metrics, "vitrine_recommend_step_seconds",
                                                 "Time of one step of an answer.", label, bounds,
                                                 sizeof bounds / sizeof *bounds);
    }
    for (int d = 0; d < VT__DEGRADED_COUNT; d++)
        service->degraded[d] =
            vt_metrics_counter(metrics, "vitrine_recommend_degraded_total",
                               "Answers that were not the best possible.", degradations[d].label);
    register_list_metrics(service, metrics);
}

/* What placements begin as: options say the weights of the sources that they know. */
static void base_placement(const struct vt_ranking_options *options,
                           struct vt_placement *ret_placement)
{
    vt_placement_default(ret_placement);
    ret_placement->diversity = options->diversity;
    for (unsigned source = VT_SOURCE_FACTOR; source < VT_SOURCE_COUNT; source++)
        if (!vt_placement_only(source))
            ret_placement->weights[source] = options->source_weights[source];
}

struct vt_err vt_ranking_load_placements(struct vt_ranking_service *service, const char *path,
                                         struct vt_diag *diag)
{
    struct vt_placement base;
    struct vt_placements *placements = NULL;
    base_placement(&service->options, &base);
    VT_TRY(vt_placements_load(path, &base, diag, &placements));
    struct vt_err err = vt_publication_put(&service->placements, &placements->published);
    if (vt_failed(err))
        vt_published_release(&placements->published);
    return err;
}

struct vt_err vt_ranking_service_new(const struct vt_ranking_options *options,
                                     struct vt_ranking_service **ret_service)
{
    VT_CHECK(sodium_init() >= 0, VT_INTERNAL, "libsodium does not start");
    struct vt_ranking_service *service =
        aligned_alloc(_Alignof(struct vt_ranking_service), sizeof *service);
    VT_CHECK(service != NULL, VT_EXHAUSTED, "no memory for the ranking service");
    memset(service, 0, sizeof *service);
    service->options = *options;
    register_metrics(service, options->metrics);
    if (options->decisions != NULL)
        memcpy(service->nonce, vt_decision_log_run(options->decisions), sizeof service->nonce);
    else
        randombytes_buf(service->nonce, sizeof service->nonce);
    vt_publication_init(&service->placements);
    struct vt_err err = vt_ranking_load_placements(service, NULL, NULL);
    if (vt_failed(err))
        vt_ranking_service_free(service);
    else
        *ret_service = service;
    return err;
}

void vt_ranking_service_free(struct vt_ranking_service *service)
{
    if (service == NULL)
        return;
    vt_publication_fini(&service->placements);
    sodium_memzero(service->options.token_key, sizeof service->options.token_key);
    free(service);
}

/* ---- small parts of a run ---- */

static void finish(struct vt__run *run, struct vt_err err, const struct vt_ranking_answer *answer)
{
    vt_bundle_release(run->pin);
    run->pin = NULL;
    vt_published_release(&run->placements->published);
    run->placements = NULL;
    vt_filter_release(&run->filter);
    run->done(run->ctx, err, answer);
}

static void degrade(struct vt__run *run, enum vt__degradation degradation, const char *reason)
{
    run->degraded_reason = reason != NULL ? reason : degradations[degradation].reason;
    vt_counter_add(run->service->degraded[degradation], 1);
    vt_span_event(run->request->span, degradations[degradation].event,
                  vt_clock_monotonic_ns(run->service->options.clock));
}

static void step_done(struct vt__run *run, enum vt__step step)
{
    int64_t now_ns = vt_clock_monotonic_ns(run->service->options.clock);
    vt_histogram_observe(run->service->steps[step], (double)(now_ns - run->mark_ns) * 1e-9);
    vt_span_step(run->request->span, step_names[step], run->mark_ns, now_ns);
    run->mark_ns = now_ns;
}

static int64_t budget_end(const struct vt__run *run, int64_t share, int64_t unbounded_ns)
{
    int64_t now_ns = vt_clock_monotonic_ns(run->service->options.clock);
    int64_t left_ns = run->request->deadline_ns - now_ns;
    if (run->request->deadline_ns == INT64_MAX)
        return now_ns + unbounded_ns;
    return left_ns > 0 ? now_ns + left_ns / share : now_ns;
}

/* ---- the steps ---- */

static void answer(struct vt__run *run, const struct vt_candidate_list *found)
{
    struct vt_ranking_answer answer;
    struct vt__record record;
    vt__record_begin(run, found, &record);
    struct vt_err err = vt__answer_make(run, found, &answer);
    if (vt_failed(err))
        vt_err_ignore(vt__record_end(run, &record, NULL), "there is no answer to record");
    else
        err = vt__record_end(run, &record, &answer);
    if (!vt_failed(err))
        vt__answer_count(run->service, &answer);
    step_done(run, VT__STEP_RANK);
    finish(run, err, vt_failed(err) ? NULL : &answer);
}

static void ask_candidates(struct vt__run *run);

static void on_candidates(void *ctx, struct vt_err err, const struct vt_candidate_list *list)
{
    struct vt__run *run = ctx;
    struct vt_candidate_list found = {0};
    step_done(run, VT__STEP_CANDIDATE);
    if (vt_request_cancelled(run->request) || err.code == VT_CANCELLED) {
        finish(run, VT_ERR(VT_CANCELLED, "the caller went away"), NULL);
        return;
    }
    /* Ranking and candidate follow CURRENT each for itself, so for about a second one may hold a
     * version that the other does not; a list of the other version is better than none. */
    if (err.code == VT_PRECONDITION && !run->asked_without_pin) {
        run->asked_without_pin = true;
        run->ask.version = vt_slice(NULL, 0);
        ask_candidates(run);
        return;
    }
    if (vt_failed(err))
        degrade(run, VT__DEGRADED_CANDIDATE, NULL);
    else
        found = *list;
    if (found.degraded_reason != NULL)
        degrade(run, VT__DEGRADED_MODEL, found.degraded_reason);
    answer(run, &found);
}

static void ask_candidates(struct vt__run *run)
{
    const struct vt_candidate_port *port = &run->service->options.candidate;
    port->get(port->self, run->request, &run->ask,
              budget_end(run, CANDIDATE_SHARE, UNBOUNDED_CANDIDATE_NS), on_candidates, run);
}

static uint32_t candidates_wanted(uint32_t n)
{
    uint32_t wanted = n * CANDIDATES_PER_ITEM;
    if (wanted < CANDIDATES_MIN)
        return CANDIDATES_MIN;
    return wanted < VT_CANDIDATES_MAX ? wanted : VT_CANDIDATES_MAX;
}

static void gather(struct vt__run *run)
{
    bool rank = run->query.mode == VT_RANKING_RANK;
    if (rank && run->n_rank == 0) { /* nothing known to score; an empty list would mean: search */
        answer(run, &(struct vt_candidate_list){0});
        return;
    }
    run->ask = (struct vt_candidate_query){
        .history = run->profile.events,
        .n_history = run->profile.n_events,
        .context = run->context,
        .n_context = run->n_context,
        .exclude = run->exclude,
        .n_exclude = run->n_exclude,
        .n = candidates_wanted(rank ? run->n_rank : run->query.n),
        .score_only = rank ? run->rank : NULL,
        .n_score_only = run->n_rank,
        .similar = run->query.mode == VT_RANKING_SIMILAR,
        .filter = run->query.filter,
        .include_viewed = run->include_viewed,
        .include_bought = run->include_bought,
        .include_seen = run->include_viewed && run->include_bought,
        .budgets = run->placement->budgets,
        .groups = run->placement->groups,
        .campaign = run->campaign,
        .n_campaign = run->n_campaign,
    };
    if (run->pin != NULL)
        run->ask.version = vt_slice_str(vt_bundle_view(run->pin)->version);
    ask_candidates(run);
}

static void on_profile(void *ctx, struct vt_err err, const struct vt_profile_view *view)
{
    struct vt__run *run = ctx;
    step_done(run, VT__STEP_PROFILE);
    if (vt_request_cancelled(run->request) || err.code == VT_CANCELLED) {
        finish(run, VT_ERR(VT_CANCELLED, "the caller went away"), NULL);
        return;
    }
    if (err.code == VT_INVALID) { /* the caller's own mistake, not a service that is away */
        finish(run, err, NULL);
        return;
    }
    if (vt_failed(err))
        degrade(run, VT__DEGRADED_PROFILE, NULL);
    else
        run->profile = *view;
    if (!run->profile.consent) {
        run->profile.events = NULL;
        run->profile.n_events = 0;
    }
    if (!run->profile.consent || run->query.mode != VT_RANKING_RECOMMEND ||
        run->placement->shown.at_least == 0)
        run->profile.n_shown = 0;
    err = vt__read_history(run);
    if (vt_failed(err))
        finish(run, err, NULL);
    else
        gather(run);
}

static void start(struct vt__run *run)
{
    const struct vt_profile_port *port = &run->service->options.profile;
    struct vt_profile_key *who = &run->query.who;
    if (run->query.profile != NULL) {
        run->asked_profile = true;
        on_profile(run, vt_ok(), run->query.profile);
        return;
    }
    bool somebody =
        vt_identity_choose(who->customer_id, who->visitor_id, who->identity).id.len != 0;
    if (!somebody || run->query.mode == VT_RANKING_SIMILAR) {
        gather(run);
        return;
    }
    run->asked_profile = true;
    if (run->query.mode == VT_RANKING_RECOMMEND)
        who->shown = run->placement->shown;
    port->get(port->self, run->request, who, VT_HISTORY_MAX,
              budget_end(run, PROFILE_SHARE, UNBOUNDED_PROFILE_NS), on_profile, run);
}

/* ---- the beginning ---- */

/* Numbers of the known SKUs, each once. */
static struct vt_err resolve(const struct vt__run *run, const struct vt_slice *ids, uint32_t n_ids,
                             uint32_t **ret_numbers, uint32_t *ret_n)
{
    uint32_t *numbers = vt_arena_array(run->request->arena, (size_t)n_ids + 1, sizeof *numbers);
    VT_CHECK(numbers != NULL, VT_EXHAUSTED, "the request's memory is full");
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_ids; i++) {
        uint32_t number = vt_item_table_number(run->service->options.items, ids[i]);
        if (number != 0 && !vt__is_listed(numbers, n, number))
            numbers[n++] = number;
    }
    *ret_numbers = numbers;
    *ret_n = n;
    return vt_ok();
}

static struct vt_err find_campaigns(struct vt__run *run)
{
    if (run->query.mode != VT_RANKING_RECOMMEND || run->placement->n_campaigns == 0)
        return vt_ok();
    run->campaign =
        vt_arena_array(run->request->arena, VT_PLACEMENT_CAMPAIGN_ITEMS_MAX, sizeof *run->campaign);
    VT_CHECK(run->campaign != NULL, VT_EXHAUSTED, "the request's memory is full");
    run->n_campaign = vt__running_campaigns(run->placement, run->service->options.items,
                                            run->now_ms, run->campaign);
    return vt_ok();
}

static struct vt_err resolve_all(struct vt__run *run)
{
    const struct vt_ranking_query *query = &run->query;
    VT_TRY(find_campaigns(run));
    VT_TRY(resolve(run, query->context_ids, query->n_context_ids, &run->context, &run->n_context));
    VT_TRY(resolve(run, query->exclude_ids, query->n_exclude_ids, &run->exclude, &run->n_exclude));
    return resolve(run, query->rank_ids, query->n_rank_ids, &run->rank, &run->n_rank);
}

static struct vt_err check_query(const struct vt_ranking_query *query, struct vt_diag *diag)
{
    if (query->mode == VT_RANKING_RANK) {
        bool fits = query->n_rank_ids >= 1 && query->n_rank_ids <= VT_RANK_ITEMS_MAX;
        if (!fits)
            vt_diag_set(diag, "item_ids", "%u items, 1 to %d can be ranked", query->n_rank_ids,
                        VT_RANK_ITEMS_MAX);
        VT_CHECK(fits, VT_INVALID, "the number of items to rank is out of range");
        return vt_ok();
    }
    bool fits = query->n >= 1 && query->n <= VT_RECOMMEND_N_MAX;
    if (!fits)
        vt_diag_set(diag, "n", "%u items, 1 to %d can be asked for", query->n, VT_RECOMMEND_N_MAX);
    VT_CHECK(fits, VT_INVALID, "n is out of range");
    return vt_ok();
}

static struct vt_err check_known(const struct vt__run *run)
{
    const struct vt_ranking_query *query = &run->query;
    if (query->mode != VT_RANKING_SIMILAR || run->n_context > 0)
        return vt_ok();
    struct vt_slice first =
        query->n_context_ids > 0 ? query->context_ids[0] : vt_slice_str("(none given)");
    vt_diag_set(run->request->diag, "item_ids", "none of the %u items is known, e.g. %.*s",
                query->n_context_ids, (int)first.len, first.data);
    return VT_ERR(VT_NOT_FOUND, "no item to be alike to is known");
}

static struct vt_err prepare(struct vt__run *run)
{
    struct vt_item_table *items = run->service->options.items;
    VT_TRY(check_query(&run->query, run->request->diag));
    unsigned ticket = vt_item_table_enter(items);
    struct vt_err err = vt_filter_acquire(run->service->options.filters, items, run->query.filter,
                                          run->request->arena, run->request->diag, &run->filter);
    if (!vt_failed(err))
        err = resolve_all(run);
    vt_item_table_leave(items, ticket);
    VT_TRY(err);
    return check_known(run);
}

static void choose_placement(struct vt__run *run)
{
    /* What is published begins the struct (placement.h). */
    run->placements = (struct vt_placements *)vt_publication_take(&run->service->placements);
    run->placement = vt_placements_find(run->placements, run->query.placement);
    run->include_viewed = run->query.include_seen || run->placement->show_viewed;
    run->include_bought = run->query.include_seen || run->placement->show_bought;
}

struct vt_shown_limit vt_ranking_shown_limit(struct vt_ranking_service *service,
                                             struct vt_slice placement)
{
    /* What is published begins the struct (placement.h). */
    struct vt_placements *placements =
        (struct vt_placements *)vt_publication_take(&service->placements);
    const struct vt_shown_limit limit = vt_placements_find(placements, placement)->shown;
    vt_published_release(&placements->published);
    return limit;
}

void vt_ranking_run(struct vt_ranking_service *service, struct vt_request *request,
                    const struct vt_ranking_query *query, vt_ranking_answer_fn done, void *ctx)
{
    struct vt__run *run = vt_arena_array(request->arena, 1, sizeof *run);
    struct vt_sight *sight = vt_arena_array(request->arena, 1, sizeof *sight);
    if (run == NULL || sight == NULL) {
        done(ctx, VT_ERR(VT_EXHAUSTED, "the request's memory is full"), NULL);
        return;
    }
    sight->items = service->options.items;
    *run = (struct vt__run){
        .service = service,
        .sight = sight,
        .request = request,
        .query = *query,
        .done = done,
        .ctx = ctx,
        .mark_ns = vt_clock_monotonic_ns(service->options.clock),
        .now_ms = vt_clock_unix_ms(service->options.clock),
    };
    choose_placement(run);
    struct vt_err err = prepare(run);
    if (vt_failed(err)) {
        finish(run, err, NULL);
        return;
    }
    run->pin = vt_bundle_set_current(service->options.bundles);
    start(run);
}
