/*
 * What a customer may ask for: to see everything that is held, and to be forgotten.
 */
#include "services/common/handler/handler.h"
#include "services/profile/handlers_internal.h"

void vt__handle_export_customer(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_handler_unimplemented(call, "ExportCustomer is not in this version; GetProfile returns the "
                                   "attributes and the newest events");
}

void vt__handle_erase_customer(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_handler_unimplemented(call, "EraseCustomer is not in this version; UpsertCustomers with "
                                   "CONSENT_DENIED stops the use of the history");
}
