/*
 * The candidate port over gRPC. One call's state lives in the request's arena; the answer arrives
 * on the request's serving thread and is decoded there. Every refusal goes to the caller as it is:
 * the one retry without a pin is ranking's, because it is needed in one process too.
 */
#include "services/candidate/remote.h"

#include "services/candidate/wire.h"
#include "services/common/handler/circuit.h"

#include <stdlib.h>

#define GET_CANDIDATES "/vitrine.v1.CandidateService/GetCandidates"

struct vt_candidate_remote {
    struct vt_circuit circuit;
};

struct get {
    struct vt_circuit_call call;
    struct vt_request *request;
    struct vt_candidate_list list; /* here, so that it lives as long as the request */
    vt_candidate_list_fn done;
    void *ctx;
};

struct vt_err vt_candidate_remote_new(struct vt_rpc_channel *channel, const struct vt_clock *clock,
                                      struct vt_metrics *metrics,
                                      struct vt_candidate_remote **ret_remote)
{
    struct vt_candidate_remote *remote = calloc(1, sizeof *remote);
    VT_CHECK(remote != NULL, VT_EXHAUSTED, "no memory for the candidate port");
    vt_circuit_init(&remote->circuit, channel, clock, metrics, "candidate");
    *ret_remote = remote;
    return vt_ok();
}

void vt_candidate_remote_free(struct vt_candidate_remote *remote)
{
    free(remote);
}

static void on_answer(void *ctx, struct vt_err err, struct vt_slice body)
{
    struct get *get = ctx;
    if (!vt_failed(err))
        err = vt_wire_candidate_list_decode(body, get->request->arena, NULL, &get->list);
    get->done(get->ctx, err, vt_failed(err) ? NULL : &get->list);
}

static void port_get(void *self, struct vt_request *request, const struct vt_candidate_query *query,
                     int64_t deadline_ns, vt_candidate_list_fn done, void *ctx)
{
    struct vt_candidate_remote *remote = self;
    struct vt_slice body = {0};
    struct get *get = vt_arena_alloc(request->arena, sizeof *get);
    struct vt_err err = get != NULL ? vt_wire_candidate_query_encode(query, request->arena, &body)
                                    : VT_ERR(VT_EXHAUSTED, "the call's memory is full");
    if (vt_failed(err)) {
        done(ctx, err, NULL);
        return;
    }
    *get = (struct get){.request = request, .done = done, .ctx = ctx};
    const struct vt_rpc_outgoing outgoing = {GET_CANDIDATES, body, deadline_ns, on_answer, get};
    vt_circuit_start(&remote->circuit, &get->call, request, &outgoing);
}

struct vt_candidate_port vt_candidate_remote_port(struct vt_candidate_remote *remote)
{
    return (struct vt_candidate_port){.self = remote, .get = port_get};
}
