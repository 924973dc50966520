/*
 * RecommendAll and WhoWouldLike. Both score with the very code that answers storefronts, one
 * customer after the other, so their answers agree with Recommend's by construction; proposing by
 * one matrix product for many customers costs more than the pruned scan of each (ADR 0175).
 */
#include "services/ranking/handlers_audience.h"

#include "services/ranking/customer_stream.h"
#include "services/ranking/fans.h"
#include "services/ranking/wire.h"

#include <stdlib.h>
#include <string.h>

enum {
    N_WORKERS = 2,
    CALLS_MAX = 4, /* of each method at a time */
    REQUEST_BYTES = 256 << 10,
    FANS_PER_MESSAGE = 200,
    ASKS = VT_CALLER_OPERATOR | VT_CALLER_READ_ONLY, /* they see all persons */
};

struct vt_audience {
    struct vt_profile_port profile;
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    const struct vt_clock *clock;
    struct vt_candidate_service *candidate;
    struct vt_ranking_service *ranking;
    struct vt_worker_pool *pool;
};

static struct vt_err new_ranking(const struct vt_ranking_options *options,
                                 struct vt_candidate_service *candidate,
                                 struct vt_ranking_service **ret_ranking)
{
    struct vt_ranking_options own = *options;
    own.metrics = NULL;
    own.decisions = NULL;
    own.candidate = vt_candidate_local_port(candidate);
    return vt_ranking_service_new(&own, ret_ranking);
}

struct vt_err vt_audience_new(const struct vt_ranking_options *options,
                              struct vt_audience **ret_audience)
{
    struct vt_audience *audience = calloc(1, sizeof *audience);
    VT_CHECK(audience != NULL, VT_EXHAUSTED, "no memory for the calls about all customers");
    audience->profile = options->profile;
    audience->bundles = options->bundles;
    audience->items = options->items;
    audience->clock = options->clock;
    struct vt_err err = vt_candidate_service_new(options->bundles, options->items, options->clock,
                                                 NULL, &audience->candidate);
    if (!vt_failed(err)) {
        err = new_ranking(options, audience->candidate, &audience->ranking);
    }
    if (!vt_failed(err))
        err = vt_worker_pool_new(N_WORKERS, 2 * CALLS_MAX, &audience->pool);
    if (vt_failed(err))
        vt_audience_free(audience);
    else
        *ret_audience = audience;
    return err;
}

void vt_audience_free(struct vt_audience *audience)
{
    if (audience == NULL)
        return;
    vt_worker_pool_free(audience->pool);
    vt_ranking_service_free(audience->ranking);
    vt_candidate_service_free(audience->candidate);
    free(audience);
}

struct vt_err vt_audience_load_placements(struct vt_audience *audience, const char *path,
                                          struct vt_diag *diag)
{
    return vt_ranking_load_placements(audience->ranking, path, diag);
}

static struct vt__customer_stream_options stream_options(const struct vt_audience *audience,
                                                         uint64_t after)
{
    return (struct vt__customer_stream_options){
        .profile = &audience->profile,
        .clock = audience->clock,
        .pool = audience->pool,
        .after = after,
        .max_events = VT_HISTORY_MAX,
    };
}

/* ---- RecommendAll ---- */

struct batch {
    struct vt_audience *audience;
    struct vt_wire_recommend_all asked; /* in the call's arena */
};

struct answer {
    struct vt_err err;
    struct vt_ranking_answer list;
};

static void keep_answer(void *ctx, struct vt_err err, const struct vt_ranking_answer *list)
{
    struct answer *answer = ctx;
    answer->err = err;
    if (!vt_failed(err))
        answer->list = *list;
}

static struct vt_err recommend_one(void *ctx, struct vt_request *request,
                                   const struct vt_profile_view *view, struct vt_slice *ret_body)
{
    const struct batch *batch = ctx;
    struct answer answer = {0};
    if (!view->consent || view->n_events < batch->asked.min_events)
        return vt_ok();
    struct vt_ranking_query query = batch->asked.query;
    query.profile = view;
    vt_ranking_run(batch->audience->ranking, request, &query, keep_answer, &answer); /* inline */
    VT_TRY(answer.err);
    return vt_wire_recommend_all_encode(view, &answer.list, request->arena, ret_body);
}

static struct vt_err mark_batch(void *ctx, struct vt_request *request, uint64_t last,
                                uint64_t n_visited, bool more, struct vt_slice *ret_body)
{
    (void)ctx;
    return vt_wire_recommend_all_mark_encode(last, n_visited, more, request->arena, ret_body);
}

static void recommend_all(struct vt_rpc_call *call, void *service)
{
    struct vt_request *request = vt_rpc_call_request(call);
    struct batch *batch = calloc(1, sizeof *batch);
    struct vt_err err = batch != NULL
                            ? vt_wire_recommend_all_decode(vt_rpc_call_body(call), request->arena,
                                                           request->diag, &batch->asked)
                            : VT_ERR(VT_EXHAUSTED, "no memory for another batch");
    if (vt_failed(err)) {
        free(batch);
        vt_rpc_call_finish(call, err);
        return;
    }
    batch->audience = service;
    struct vt__customer_stream_options options = stream_options(service, batch->asked.after);
    options.shown = vt_ranking_shown_limit(batch->audience->ranking, batch->asked.query.placement);
    vt__customer_stream_start(
        call, &options,
        &(struct vt__customer_stream_task){
            .visit = recommend_one, .mark = mark_batch, .free = free, .ctx = batch});
}

/* ---- WhoWouldLike ---- */

struct search {
    struct vt_audience *audience;
    struct vt_fans *fans;
    struct vt_bundle *bundle; /* acquired; NULL: no model */
    uint64_t n_visited;
    uint32_t n_sent;
};

static void search_free(void *ctx)
{
    struct search *search = ctx;
    vt_fans_free(search->fans);
    vt_bundle_release(search->bundle);
    free(search);
}

static struct vt_slice version_of(const struct search *search)
{
    return search->bundle != NULL ? vt_slice_str(vt_bundle_view(search->bundle)->version)
                                  : vt_slice(NULL, 0);
}

static struct vt_err look_at_one(void *ctx, struct vt_request *request,
                                 const struct vt_profile_view *view, struct vt_slice *ret_body)
{
    (void)ret_body;
    const struct search *search = ctx;
    return vt_fans_look(search->fans, request, view);
}

static struct vt_err tell_how_far(void *ctx, struct vt_request *request, uint64_t last,
                                  uint64_t n_visited, bool more, struct vt_slice *ret_body)
{
    (void)last, (void)more;
    struct search *search = ctx;
    search->n_visited = n_visited;
    return vt_wire_who_would_like_encode(n_visited, version_of(search), NULL, 0, request->arena,
                                         ret_body);
}

static struct vt_err name_items(const struct search *search, struct vt_wire_fan *fans, uint32_t n,
                                struct vt_arena *arena)
{
    struct vt_item_table *items = search->audience->items;
    unsigned ticket = vt_item_table_enter(items);
    bool fits = true;
    for (uint32_t i = 0; i < n && fits; i++) {
        fans[i].item_id = vt_arena_copy(arena, vt_item_table_id(items, fans[i].fan->item));
        fits = fans[i].item_id.data != NULL;
    }
    vt_item_table_leave(items, ticket);
    VT_CHECK(fits, VT_EXHAUSTED, "the call's memory is full");
    return vt_ok();
}

static struct vt_err send_best(void *ctx, struct vt_request *request, struct vt_slice *ret_body)
{
    struct search *search = ctx;
    uint32_t n_best = 0;
    const struct vt_fan *best = vt_fans_best(search->fans, &n_best);
    uint32_t n = n_best - search->n_sent;
    n = n < FANS_PER_MESSAGE ? n : FANS_PER_MESSAGE;
    if (n == 0)
        return vt_ok();
    struct vt_wire_fan *fans = vt_arena_array(request->arena, n, sizeof *fans);
    VT_CHECK(fans != NULL, VT_EXHAUSTED, "the call's memory is full");
    for (uint32_t i = 0; i < n; i++)
        fans[i].fan = &best[search->n_sent + i];
    VT_TRY(name_items(search, fans, n, request->arena));
    search->n_sent += n;
    return vt_wire_who_would_like_encode(search->n_visited, version_of(search), fans, n,
                                         request->arena, ret_body);
}

/* Numbers of the known SKUs. */
static struct vt_err resolve(struct search *search, struct vt_request *request,
                             const struct vt_wire_who_would_like *asked, uint32_t *items,
                             uint32_t *ret_n)
{
    struct vt_item_table *table = search->audience->items;
    uint32_t n = 0;
    unsigned ticket = vt_item_table_enter(table);
    for (uint32_t i = 0; i < asked->n_items; i++) {
        items[n] = vt_item_table_number(table, asked->item_ids[i]);
        n += items[n] != 0;
    }
    vt_item_table_leave(table, ticket);
    if (n == 0)
        vt_diag_set(request->diag, "item_ids", "none of the %u items is known, e.g. %.*s",
                    asked->n_items, (int)asked->item_ids[0].len, asked->item_ids[0].data);
    VT_CHECK(n > 0, VT_NOT_FOUND, "no item to look for customers for is known");
    *ret_n = n;
    return vt_ok();
}

static struct vt_err search_begin(struct search *search, struct vt_rpc_call *call)
{
    struct vt_request *request = vt_rpc_call_request(call);
    struct vt_wire_who_would_like asked;
    uint32_t items[VT_FANS_ITEMS_MAX], n = 0;
    VT_TRY(vt_wire_who_would_like_decode(vt_rpc_call_body(call), request->arena, request->diag,
                                         &asked));
    VT_TRY(resolve(search, request, &asked, items, &n));
    search->bundle = vt_bundle_set_current(search->audience->bundles);
    VT_CHECK(search->bundle != NULL, VT_PRECONDITION,
             "there is no model yet; train one, then ask who would like an item");
    const struct vt_fans_query query = {
        .items = items,
        .n_items = n,
        .n = asked.n,
        .include_buyers = asked.include_buyers,
        .version = version_of(search),
    };
    return vt_fans_new(search->audience->candidate, &query, &search->fans);
}

static void who_would_like(struct vt_rpc_call *call, void *service)
{
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL) {
        vt_rpc_call_finish(call, VT_ERR(VT_EXHAUSTED, "no memory to look for customers"));
        return;
    }
    search->audience = service;
    struct vt_err err = search_begin(search, call);
    if (vt_failed(err)) {
        search_free(search);
        vt_rpc_call_finish(call, err);
        return;
    }
    const struct vt__customer_stream_options options = stream_options(service, 0);
    vt__customer_stream_start(call, &options,
                              &(struct vt__customer_stream_task){.visit = look_at_one,
                                                                 .mark = tell_how_far,
                                                                 .rest = send_best,
                                                                 .free = search_free,
                                                                 .ctx = search});
}

static const struct vt_rpc_method methods[] = {
    {"/vitrine.v1.RecommendationService/RecommendAll", recommend_all, VT_RPC_BATCH_STREAM,
     REQUEST_BYTES, 0, CALLS_MAX, ASKS},
    {"/vitrine.v1.RecommendationService/WhoWouldLike", who_would_like, VT_RPC_BATCH_STREAM,
     REQUEST_BYTES, 0, CALLS_MAX, ASKS},
};

const struct vt_rpc_method *vt_audience_rpc_methods(size_t *ret_n)
{
    *ret_n = sizeof methods / sizeof methods[0];
    return methods;
}
