/* One worker is enough for people who ask why; more of them wait their turn, and those beyond the
 * limit are told to come back. */
#include "services/ranking/handlers_explain.h"

#include "services/common/handler/handler.h"
#include "services/ranking/explain.h"
#include "services/ranking/wire.h"

#include <stdlib.h>

enum {
    CALLS_MAX = 16,
    REQUEST_BYTES = 8 << 10,
    DEADLINE_MS = 5000,
    ASKS = VT_CALLER_STOREFRONT | VT_CALLER_OPERATOR | VT_CALLER_MARKETER | VT_CALLER_READ_ONLY,
};

struct vt_explain_rpc {
    struct vt_ranking_service *service;
    struct vt_worker_pool *worker;
};

struct vt_err vt_explain_rpc_new(struct vt_ranking_service *service,
                                 struct vt_explain_rpc **ret_rpc)
{
    struct vt_explain_rpc *rpc = calloc(1, sizeof *rpc);
    VT_CHECK(rpc != NULL, VT_EXHAUSTED, "no memory for Explain");
    rpc->service = service;
    struct vt_err err = vt_worker_pool_new(1, CALLS_MAX, &rpc->worker);
    if (vt_failed(err)) {
        free(rpc);
        return err;
    }
    *ret_rpc = rpc;
    return vt_ok();
}

void vt_explain_rpc_free(struct vt_explain_rpc *rpc)
{
    if (rpc == NULL)
        return;
    vt_worker_pool_free(rpc->worker);
    free(rpc);
}

static struct vt_err run_explain(void *ctx, struct vt_request *request, struct vt_slice body,
                                 struct vt_slice *ret_body)
{
    struct vt_explain_rpc *rpc = ctx;
    struct vt_replay *replay = vt_arena_array(request->arena, 1, sizeof *replay);
    struct vt_explanation explanation;
    struct vt_answer_outcomes outcomes;
    struct vt_slice token;
    VT_CHECK(replay != NULL, VT_EXHAUSTED, "the call's memory is full");
    VT_TRY(vt_wire_explain_decode(body, request->arena, request->diag, &token));
    VT_TRY(vt_replay_make(rpc->service, request, token, replay));
    struct vt_err err = vt_explain(rpc->service, request->arena, replay, &explanation);
    if (!vt_failed(err))
        err = vt_answer_outcomes(rpc->service, request, token, replay, &outcomes);
    if (!vt_failed(err))
        err = vt_wire_explain_encode(replay, &explanation, &outcomes, request->arena, ret_body);
    vt_replay_release(replay);
    return err;
}

static void explain(struct vt_rpc_call *call, void *service)
{
    struct vt_explain_rpc *rpc = service;
    vt_handler_run_on(rpc->worker, call, rpc, run_explain);
}

static const struct vt_rpc_method methods[] = {
    {"/vitrine.v1.RecommendationService/Explain", explain, VT_RPC_UNARY, REQUEST_BYTES, DEADLINE_MS,
     CALLS_MAX, ASKS},
};

const struct vt_rpc_method *vt_explain_rpc_methods(size_t *ret_n)
{
    *ret_n = sizeof methods / sizeof methods[0];
    return methods;
}
