/*
 * The gRPC shell of the ranking service. The call is parked while the domain's state machine asks
 * profile and candidate; its continuation answers, inline in one process, from the completion queue
 * with three.
 */
#include "services/ranking/handlers.h"

#include "services/common/handler/handler.h"
#include "services/ranking/ranking.h"
#include "services/ranking/wire.h"

enum {
    REQUEST_BYTES = 256 << 10, /* a thousand ids of full length */
    DEADLINE_MS = 1000,
    ASKS = VT_CALLER_STOREFRONT | VT_CALLER_OPERATOR | VT_CALLER_MARKETER | VT_CALLER_READ_ONLY,
};

typedef struct vt_err (*decode_fn)(struct vt_slice body, struct vt_arena *arena,
                                   struct vt_diag *diag, struct vt_ranking_query *ret_query);

static void on_answer(void *ctx, struct vt_err err, const struct vt_ranking_answer *answer)
{
    struct vt_rpc_call *call = ctx;
    struct vt_slice body = {0};
    if (!vt_failed(err))
        err = vt_wire_answer_encode(answer, vt_rpc_call_request(call)->arena, &body);
    vt_handler_answer(call, err, body);
}

/* The query lives in the arena: the domain may look at it until it has answered. */
static void run(struct vt_rpc_call *call, void *service, decode_fn decode)
{
    struct vt_request *request = vt_rpc_call_request(call);
    struct vt_ranking_query *query = vt_arena_array(request->arena, 1, sizeof *query);
    struct vt_err err = query != NULL
                            ? decode(vt_rpc_call_body(call), request->arena, request->diag, query)
                            : VT_ERR(VT_EXHAUSTED, "the call's memory is full");
    if (vt_failed(err))
        vt_rpc_call_fail(call, err);
    else
        vt_ranking_run(service, request, query, on_answer, call);
}

static void recommend(struct vt_rpc_call *call, void *service)
{
    run(call, service, vt_wire_recommend_decode);
}

static void rank(struct vt_rpc_call *call, void *service)
{
    run(call, service, vt_wire_rank_decode);
}

static void similar_items(struct vt_rpc_call *call, void *service)
{
    run(call, service, vt_wire_similar_decode);
}

static const struct vt_rpc_method methods[] = {
    {"/vitrine.v1.RecommendationService/Recommend", recommend, VT_RPC_UNARY, REQUEST_BYTES,
     DEADLINE_MS, 0, ASKS},
    {"/vitrine.v1.RecommendationService/Rank", rank, VT_RPC_UNARY, REQUEST_BYTES, DEADLINE_MS, 0,
     ASKS},
    {"/vitrine.v1.RecommendationService/SimilarItems", similar_items, VT_RPC_UNARY, REQUEST_BYTES,
     DEADLINE_MS, 0, ASKS},
};

const struct vt_rpc_method *vt_ranking_rpc_methods(size_t *ret_n)
{
    *ret_n = sizeof methods / sizeof methods[0];
    return methods;
}
