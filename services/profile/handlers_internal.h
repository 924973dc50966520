#ifndef VT_PROFILE_HANDLERS_INTERNAL_H
#define VT_PROFILE_HANDLERS_INTERNAL_H

/* What the handler files of the profile service share. */

#include "services/common/base/worker.h"
#include "services/common/rpc/call.h"
#include "services/profile/handlers.h"

#include <stdatomic.h>

struct vt_profile_rpc {
    struct vt_profile *profile;  /* borrowed */
    struct vt_item_table *items; /* borrowed, may be NULL */
    struct vt_worker_pool *workers;
    struct vt_worker_pool *erasers;      /* for EraseCustomer alone */
    struct vt_worker_pool *acknowledger; /* one thread, for StreamEvents alone */
    atomic_size_t stream_bytes;          /* relaxed: a limit; what all streams' windows hold */
    struct vt_gauge *streams_gauge, *unacknowledged_gauge;
};

/* An upsert of customers or items while the writer has it. */
struct vt__upsert {
    struct vt_rpc_call *call;
    struct vt_upsert_result result;
};

/* For a request whose decoded form is larger than a call may be. */
struct vt_err vt__handler_no_memory(void);

/* handlers_event.c */
void vt__handle_write_events(struct vt_rpc_call *call, void *service);
void vt__handle_stream_events(struct vt_rpc_call *call, void *service);
/* handlers_customer.c */
void vt__handle_get_profile(struct vt_rpc_call *call, void *service);
void vt__handle_batch_get_profiles(struct vt_rpc_call *call, void *service);
void vt__handle_upsert_customers(struct vt_rpc_call *call, void *service);
void vt__handle_list_customers(struct vt_rpc_call *call, void *service);
void vt__handle_list_profiles(struct vt_rpc_call *call, void *service);
void vt__handle_link_identities(struct vt_rpc_call *call, void *service);
/* handlers_rights.c */
void vt__handle_export_customer(struct vt_rpc_call *call, void *service);
void vt__handle_list_outcomes(struct vt_rpc_call *call, void *service);
void vt__handle_list_forgotten(struct vt_rpc_call *call, void *service);
void vt__handle_erase_customer(struct vt_rpc_call *call, void *service);
/* handlers_catalog.c */
void vt__handle_upsert_items(struct vt_rpc_call *call, void *service);
void vt__handle_get_items(struct vt_rpc_call *call, void *service);
void vt__handle_list_items(struct vt_rpc_call *call, void *service);
void vt__handle_delete_items(struct vt_rpc_call *call, void *service);
void vt__handle_watch(struct vt_rpc_call *call, void *service);
/* handlers_admin.c */
void vt__handle_checkpoint(struct vt_rpc_call *call, void *service);

#endif
