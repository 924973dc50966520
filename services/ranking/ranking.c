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

#include "models/dataset/history.h"
#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/ranking/blend.h"
#include "services/ranking/reason.h"
#include "services/ranking/token.h"

#include <sodium.h>
#include <stdatomic.h>
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

enum degradation { DEGRADED_PROFILE, DEGRADED_CANDIDATE, DEGRADED_MODEL, DEGRADED_COUNT };
static const struct {
    const char *label, *reason;
} degradations[DEGRADED_COUNT] = {
    [DEGRADED_PROFILE] = {"reason=\"profile\"",
                          "profile service away or late: answered without history"},
    [DEGRADED_CANDIDATE] = {"reason=\"candidate\"",
                            "candidate service away or late: popular items"},
    [DEGRADED_MODEL] = {"reason=\"no_model\"", "no model yet"},
};

enum step { STEP_PROFILE, STEP_CANDIDATE, STEP_RANK, STEP_COUNT };

struct vt_ranking_service {
    struct vt_ranking_options options;
    struct vt_histogram *steps[STEP_COUNT];
    struct vt_counter *degraded[DEGRADED_COUNT];
    unsigned char nonce[VT_TOKEN_NONCE_BYTES / 2]; /* random, of this process */
    _Atomic uint64_t n_tokens; /* the nonce's other half; relaxed: only has to differ */
};

/* One call. */
struct run {
    struct vt_ranking_service *service;
    struct vt_request *request;
    struct vt_ranking_query query;
    vt_ranking_answer_fn done;
    void *ctx;
    struct vt_bundle *pin; /* acquired; NULL: no model here */
    struct vt_profile_view profile;
    uint32_t *context, *exclude, *rank; /* item numbers; unknown SKUs are left out */
    uint32_t n_context, n_exclude, n_rank;
    uint32_t *disliked; /* item numbers, of the history */
    uint32_t n_disliked;
    struct vt_candidate_query ask;
    bool asked_without_pin, asked_profile;
    const char *degraded_reason;
    int64_t mark_ns;
};

/* ---- life cycle ---- */

static void register_metrics(struct vt_ranking_service *service, struct vt_metrics *metrics)
{
    static const char *const labels[STEP_COUNT] = {"step=\"profile\"", "step=\"candidate\"",
                                                   "step=\"rank\""};
    static const double bounds[] = {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4,
                                    1e-3, 2.5e-3, 1e-2, 5e-2, 2.5e-1};
    for (int s = 0; s < STEP_COUNT; s++)
        service->steps[s] = vt_metrics_histogram(metrics, "vitrine_recommend_step_seconds",
                                                 "Time of one step of an answer.", labels[s],
                                                 bounds, sizeof bounds / sizeof *bounds);
    for (int d = 0; d < DEGRADED_COUNT; d++)
        service->degraded[d] =
            vt_metrics_counter(metrics, "vitrine_recommend_degraded_total",
                               "Answers that were not the best possible.", degradations[d].label);
}

struct vt_err vt_ranking_service_new(const struct vt_ranking_options *options,
                                     struct vt_ranking_service **ret_service)
{
    VT_CHECK(sodium_init() >= 0, VT_INTERNAL, "libsodium does not start");
    struct vt_ranking_service *service = calloc(1, sizeof *service);
    VT_CHECK(service != NULL, VT_EXHAUSTED, "no memory for the ranking service");
    service->options = *options;
    register_metrics(service, options->metrics);
    randombytes_buf(service->nonce, sizeof service->nonce);
    *ret_service = service;
    return vt_ok();
}

void vt_ranking_service_free(struct vt_ranking_service *service)
{
    if (service == NULL)
        return;
    sodium_memzero(service->options.token_key, sizeof service->options.token_key);
    free(service);
}

/* ---- small parts of a run ---- */

static void finish(struct run *run, struct vt_err err, const struct vt_ranking_answer *answer)
{
    vt_bundle_release(run->pin);
    run->pin = NULL;
    run->done(run->ctx, err, answer);
}

static void degrade(struct run *run, enum degradation degradation, const char *reason)
{
    run->degraded_reason = reason != NULL ? reason : degradations[degradation].reason;
    vt_counter_add(run->service->degraded[degradation], 1);
}

static void step_done(struct run *run, enum step step)
{
    int64_t now_ns = vt_clock_monotonic_ns(run->service->options.clock);
    vt_histogram_observe(run->service->steps[step], (double)(now_ns - run->mark_ns) * 1e-9);
    run->mark_ns = now_ns;
}

static int64_t budget_end(const struct run *run, int64_t share, int64_t unbounded_ns)
{
    int64_t now_ns = vt_clock_monotonic_ns(run->service->options.clock);
    int64_t left_ns = run->request->deadline_ns - now_ns;
    if (run->request->deadline_ns == INT64_MAX)
        return now_ns + unbounded_ns;
    return left_ns > 0 ? now_ns + left_ns / share : now_ns;
}

static bool is_listed(const uint32_t *items, uint32_t n, uint32_t item)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

static bool is_seen(const struct run *run, uint32_t item)
{
    for (uint32_t e = 0; !run->query.include_seen && e < run->profile.n_events; e++) {
        const struct vt_history_event *event = &run->profile.events[e];
        if (event->item == item && vt_candidate_is_seen(event->type))
            return true;
    }
    return false;
}

static bool is_eligible(const struct run *run, uint32_t item)
{
    const struct vt_ranking_options *options = &run->service->options;
    return vt_item_table_recommendable(options->items, item, vt_clock_unix_ms(options->clock)) &&
           !is_listed(run->exclude, run->n_exclude, item) &&
           !is_listed(run->context, run->n_context, item) &&
           !is_listed(run->disliked, run->n_disliked, item) && !is_seen(run, item);
}

/* ---- the answer ---- */

/* A list under construction. */
struct list {
    struct vt_ranked_item *items;
    uint32_t n, capacity;
};

static struct vt_err copy_text(struct vt_arena *arena, struct vt_slice *text)
{
    if (text->len == 0)
        return vt_ok();
    *text = vt_arena_copy(arena, *text);
    VT_CHECK(text->data != NULL, VT_EXHAUSTED, "the request's memory is full");
    return vt_ok();
}

static struct vt_err add_details(const struct run *run, struct vt_ranked_item *ranked)
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

static struct vt_slice reason_of(const struct run *run, const struct vt_candidate *candidate)
{
    struct vt__reason_facts facts = {
        .items = run->service->options.items,
        .history = run->profile.events,
        .n_history = run->profile.n_events,
        .context = run->context,
        .n_context = run->n_context,
    };
    return vt__reason_text(&facts, candidate, run->request->arena);
}

static struct vt_err append(const struct run *run, struct list *list,
                            const struct vt_candidate *candidate, double score)
{
    if (list->n == list->capacity)
        return vt_ok();
    struct vt_ranked_item *ranked = &list->items[list->n];
    *ranked = (struct vt_ranked_item){
        .id = vt_item_table_id(run->service->options.items, candidate->item),
        .number = candidate->item,
        .score = score,
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

static bool is_in_list(const struct list *list, uint32_t item)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->items[i].number == item)
            return true;
    return false;
}

static struct vt_err fill_with(const struct run *run, struct list *list, uint32_t item)
{
    if (!is_eligible(run, item) || is_in_list(list, item))
        return vt_ok();
    struct vt_candidate candidate = {.item = item, .sources = 1U << VT_SOURCE_POPULAR};
    candidate.scores[VT_SOURCE_POPULAR] =
        (double)vt_item_table_count(run->service->options.items, item);
    return append(run, list, &candidate, 0);
}

/* Never fewer than n while there are eligible items: popular ones, then any by number. */
static struct vt_err fill_up(const struct run *run, struct list *list)
{
    struct vt_item_table *items = run->service->options.items;
    uint32_t n_popular = 0;
    const uint32_t *popular = vt_item_table_popular(items, &n_popular);
    for (uint32_t i = 0; i < n_popular && list->n < list->capacity; i++)
        VT_TRY(fill_with(run, list, popular[i]));
    uint32_t last = vt_item_table_max_number(items);
    for (uint32_t item = 1; item <= last && list->n < list->capacity; item++)
        VT_TRY(fill_with(run, list, item));
    return vt_ok();
}

/* Rank answers with every SKU once: those without a score and those unknown stand last, as given.
 */
static struct vt_err append_rest(const struct run *run, struct list *list)
{
    for (uint32_t i = 0; i < run->query.n_rank_ids; i++) {
        struct vt_slice id = run->query.rank_ids[i];
        bool listed = false;
        for (uint32_t l = 0; l < list->n && !listed; l++)
            listed = vt_slice_equal(list->items[l].id, id);
        if (listed || list->n == list->capacity)
            continue;
        struct vt_ranked_item *ranked = &list->items[list->n++];
        *ranked = (struct vt_ranked_item){
            .id = id, .number = vt_item_table_number(run->service->options.items, id)};
        VT_TRY(copy_text(run->request->arena, &ranked->id));
        if (run->query.return_details && ranked->number != 0)
            VT_TRY(add_details(run, ranked));
    }
    return vt_ok();
}

/* Of the caller's own list only what the customer disliked is dropped: it comes last, as what has
 * no score does. */
static bool is_rankable(const struct run *run, uint32_t item)
{
    if (run->query.mode == VT_RANKING_RANK)
        return !is_listed(run->disliked, run->n_disliked, item);
    return is_eligible(run, item);
}

/* Drops what became ineligible on the way here (stock sold out, a filter the port did not know). */
static uint32_t keep_eligible(const struct run *run, struct vt_candidate *candidates, uint32_t n)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (is_rankable(run, candidates[i].item))
            candidates[n_kept++] = candidates[i];
    return n_kept;
}

/* The pinned bundle, if it is the one the candidates were made with. */
static const struct vt_bundle *bundle_of(const struct run *run, struct vt_slice version)
{
    if (run->pin == NULL ||
        !vt_slice_equal(vt_slice_str(vt_bundle_view(run->pin)->version), version))
        return NULL;
    return run->pin;
}

static struct vt_err rank_candidates(const struct run *run, const struct vt_candidate_list *found,
                                     struct list *list)
{
    uint32_t n = keep_eligible(run, found->candidates, found->n);
    struct vt__scored *scored = vt_arena_array(run->request->arena, (size_t)n + 1, sizeof *scored);
    VT_CHECK(scored != NULL, VT_EXHAUSTED, "the request's memory is full");
    unsigned level =
        run->query.diversity != 0 ? run->query.diversity : run->service->options.diversity;
    vt__blend(found->candidates, n, run->service->options.source_weights, scored);
    uint32_t n_places =
        vt__diversify(scored, n, list->capacity, run->query.mode == VT_RANKING_RANK ? 1 : level,
                      bundle_of(run, found->version));
    for (uint32_t i = 0; i < n_places; i++)
        VT_TRY(append(run, list, scored[i].candidate, scored[i].score));
    return vt_ok();
}

static struct vt_err make_list(const struct run *run, const struct vt_candidate_list *found,
                               struct list *list)
{
    bool rank = run->query.mode == VT_RANKING_RANK;
    list->capacity = rank ? run->query.n_rank_ids : run->query.n;
    list->items =
        vt_arena_array(run->request->arena, (size_t)list->capacity + 1, sizeof *list->items);
    VT_CHECK(list->items != NULL, VT_EXHAUSTED, "the request's memory is full");
    VT_TRY(rank_candidates(run, found, list));
    if (rank)
        return append_rest(run, list);
    if (run->query.mode == VT_RANKING_RECOMMEND || run->degraded_reason != NULL)
        return fill_up(run, list);
    return vt_ok();
}

static uint64_t customer_hash(const struct run *run)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(run->profile.customer_number >> (56 - 8 * i));
    return vt_token_hash(run->service->options.token_key, vt_slice(bytes, sizeof bytes));
}

/* An answer to somebody without consent is attributed to nothing, so it carries no token; neither
 * does one to somebody whose consent is not known, because the profile service is away. */
static bool is_attributed(const struct run *run)
{
    return !run->asked_profile || run->profile.consent;
}

static struct vt_err make_token(const struct run *run, struct vt_slice version,
                                struct vt_slice *ret_text)
{
    if (!is_attributed(run))
        return vt_ok();
    struct vt_ranking_service *service = run->service;
    uint64_t count = atomic_fetch_add_explicit(&service->n_tokens, 1, memory_order_relaxed);
    struct vt_token token = {
        .time_ms = vt_clock_unix_ms(service->options.clock),
        .customer_hash = run->profile.found ? customer_hash(run) : 0,
        .placement_hash = vt_token_hash(service->options.token_key, run->query.placement),
        .model_version = version,
    };
    memcpy(token.nonce, service->nonce, sizeof service->nonce);
    memcpy(token.nonce + sizeof service->nonce, &count, sizeof count);
    return vt_token_encode(service->options.token_key, &token, run->request->arena, ret_text);
}

static void answer(struct run *run, const struct vt_candidate_list *found)
{
    struct vt_item_table *items = run->service->options.items;
    struct vt_ranking_answer answer = {.model_version = found->version};
    struct list list = {0};
    unsigned ticket = vt_item_table_enter(items);
    struct vt_err err = make_list(run, found, &list);
    vt_item_table_leave(items, ticket);
    if (!vt_failed(err))
        err = make_token(run, found->version, &answer.attribution_token);
    answer.items = list.items;
    answer.n = list.n;
    answer.degraded_reason = run->degraded_reason;
    step_done(run, STEP_RANK);
    finish(run, err, vt_failed(err) ? NULL : &answer);
}

/* ---- the steps ---- */

static void ask_candidates(struct run *run);

static void on_candidates(void *ctx, struct vt_err err, const struct vt_candidate_list *list)
{
    struct run *run = ctx;
    struct vt_candidate_list found = {0};
    step_done(run, STEP_CANDIDATE);
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
        degrade(run, DEGRADED_CANDIDATE, NULL);
    else
        found = *list;
    if (found.degraded_reason != NULL)
        degrade(run, DEGRADED_MODEL, found.degraded_reason);
    answer(run, &found);
}

static void ask_candidates(struct run *run)
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

static void gather(struct run *run)
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
        .include_seen = run->query.include_seen,
    };
    if (run->pin != NULL)
        run->ask.version = vt_slice_str(vt_bundle_view(run->pin)->version);
    ask_candidates(run);
}

/* Once, because every item of the answer is held against it. */
static struct vt_err find_dislikes(struct run *run)
{
    const struct vt_profile_view *profile = &run->profile;
    run->disliked =
        vt_arena_array(run->request->arena, (size_t)profile->n_events + 1, sizeof *run->disliked);
    VT_CHECK(run->disliked != NULL, VT_EXHAUSTED, "the request's memory is full");
    run->n_disliked = vt_history_dislikes(profile->events, profile->n_events, run->disliked);
    return vt_ok();
}

static void on_profile(void *ctx, struct vt_err err, const struct vt_profile_view *view)
{
    struct run *run = ctx;
    step_done(run, STEP_PROFILE);
    if (vt_request_cancelled(run->request) || err.code == VT_CANCELLED) {
        finish(run, VT_ERR(VT_CANCELLED, "the caller went away"), NULL);
        return;
    }
    if (err.code == VT_INVALID) { /* the caller's own mistake, not a service that is away */
        finish(run, err, NULL);
        return;
    }
    if (vt_failed(err))
        degrade(run, DEGRADED_PROFILE, NULL);
    else
        run->profile = *view;
    if (!run->profile.consent) {
        run->profile.events = NULL;
        run->profile.n_events = 0;
    }
    err = find_dislikes(run);
    if (vt_failed(err))
        finish(run, err, NULL);
    else
        gather(run);
}

static void start(struct run *run)
{
    const struct vt_profile_port *port = &run->service->options.profile;
    const struct vt_profile_key *who = &run->query.who;
    bool somebody =
        vt_identity_choose(who->customer_id, who->visitor_id, who->identity).id.len != 0;
    if (!somebody || run->query.mode == VT_RANKING_SIMILAR) {
        gather(run);
        return;
    }
    run->asked_profile = true;
    port->get(port->self, run->request, who, VT_HISTORY_MAX,
              budget_end(run, PROFILE_SHARE, UNBOUNDED_PROFILE_NS), on_profile, run);
}

/* ---- the beginning ---- */

/* Numbers of the known SKUs, each once. */
static struct vt_err resolve(const struct run *run, const struct vt_slice *ids, uint32_t n_ids,
                             uint32_t **ret_numbers, uint32_t *ret_n)
{
    uint32_t *numbers = vt_arena_array(run->request->arena, (size_t)n_ids + 1, sizeof *numbers);
    VT_CHECK(numbers != NULL, VT_EXHAUSTED, "the request's memory is full");
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_ids; i++) {
        uint32_t number = vt_item_table_number(run->service->options.items, ids[i]);
        if (number != 0 && !is_listed(numbers, n, number))
            numbers[n++] = number;
    }
    *ret_numbers = numbers;
    *ret_n = n;
    return vt_ok();
}

static struct vt_err resolve_all(struct run *run)
{
    const struct vt_ranking_query *query = &run->query;
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

static struct vt_err check_known(const struct run *run)
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

static struct vt_err prepare(struct run *run)
{
    struct vt_item_table *items = run->service->options.items;
    VT_TRY(check_query(&run->query, run->request->diag));
    unsigned ticket = vt_item_table_enter(items);
    struct vt_err err = resolve_all(run);
    vt_item_table_leave(items, ticket);
    VT_TRY(err);
    return check_known(run);
}

void vt_ranking_run(struct vt_ranking_service *service, struct vt_request *request,
                    const struct vt_ranking_query *query, vt_ranking_answer_fn done, void *ctx)
{
    struct run *run = vt_arena_array(request->arena, 1, sizeof *run);
    if (run == NULL) {
        done(ctx, VT_ERR(VT_EXHAUSTED, "the request's memory is full"), NULL);
        return;
    }
    *run = (struct run){
        .service = service,
        .request = request,
        .query = *query,
        .done = done,
        .ctx = ctx,
        .mark_ns = vt_clock_monotonic_ns(service->options.clock),
    };
    struct vt_err err = prepare(run);
    if (vt_failed(err)) {
        finish(run, err, NULL);
        return;
    }
    run->pin = vt_bundle_set_current(service->options.bundles);
    start(run);
}
