/*
 * What a customer may ask for: to see everything that is held, and to be forgotten.
 */
#include "services/common/handler/handler.h"
#include "services/profile/export_stream.h"
#include "services/profile/handlers_internal.h"

void vt__handle_export_customer(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    vt__export_serve(call, rpc->profile, rpc->workers);
}

void vt__handle_erase_customer(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_handler_unimplemented(call, "EraseCustomer is not in this version; UpsertCustomers with "
                                   "CONSENT_DENIED stops the use of the history");
}
