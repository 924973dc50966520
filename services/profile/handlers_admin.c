/*
 * The calls of DIR/admin.sock, for commands beside a running server.
 */
#include "services/common/handler/handler.h"
#include "services/profile/handlers_internal.h"
#include "services/profile/wire_admin.h"

static struct vt_err checkpoint(void *service, struct vt_request *request, struct vt_slice body,
                                struct vt_slice *ret_body)
{
    struct vt_profile_rpc *rpc = service;
    const char *directory = NULL;
    uint64_t sequence = 0;
    VT_TRY(vt_wire_checkpoint_decode(body, request->arena, request->diag, &directory));
    VT_TRY(vt_profile_checkpoint(rpc->profile, directory, request->diag, &sequence));
    return vt_wire_checkpoint_encode(sequence, request->arena, ret_body);
}

void vt__handle_checkpoint(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    if (vt_rpc_call_is_local(call))
        vt_handler_run_on(rpc->workers, call, rpc, checkpoint);
    else
        vt_rpc_call_fail(call, VT_ERR(VT_DENIED, "AdminService answers on the data folder's "
                                                 "admin.sock only"));
}
