/* The gRPC shell of the candidate service: one call, computed on the serving thread (it neither
 * blocks nor reads the store). */
#include "services/candidate/handlers.h"

#include "services/candidate/candidate.h"
#include "services/candidate/wire.h"
#include "services/common/handler/handler.h"

enum { REQUEST_BYTES = 64 << 10, DEADLINE_MS = 1000 };

static struct vt_err get_candidates(void *service, struct vt_request *request, struct vt_slice body,
                                    struct vt_slice *ret_body)
{
    struct vt_candidate_query query;
    struct vt_candidate_list list = {0};
    VT_TRY(vt_wire_candidate_query_decode(body, request->arena, request->diag, &query));
    VT_TRY(vt_candidate_get(service, request, &query, &list));
    return vt_wire_candidate_list_encode(&list, request->arena, ret_body);
}

static void get_candidates_call(struct vt_rpc_call *call, void *service)
{
    vt_handler_run(call, service, get_candidates);
}

static const struct vt_rpc_method methods[] = {
    {"/vitrine.v1.CandidateService/GetCandidates", get_candidates_call, VT_RPC_UNARY, REQUEST_BYTES,
     DEADLINE_MS, 0, VT_CALLER_OPERATOR | VT_CALLER_SERVICE},
};

const struct vt_rpc_method *vt_candidate_rpc_methods(size_t *ret_n)
{
    *ret_n = sizeof methods / sizeof methods[0];
    return methods;
}
