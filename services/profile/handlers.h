#ifndef VT_PROFILE_HANDLERS_H
#define VT_PROFILE_HANDLERS_H

#include "services/common/base/err.h"
#include "services/common/catalog/item_table.h"
#include "services/common/rpc/call.h"
#include "services/profile/profile.h"

#include <stddef.h>

/*
 * The profile service's gRPC shell: EventService, ProfileService, CatalogService, AdminService. Add
 * the methods to a server with this as their service; free it after the server has drained.
 */
struct vt_profile_rpc;
struct vt_metrics; /* services/common/base/metrics.h */

/* `items` tells the SKUs of histories (borrowed; NULL: they stay empty). Starts two threads for
 * work that blocks, and one that acknowledges streams of events. */
VT_MUST_USE struct vt_err vt_profile_rpc_new(struct vt_profile *profile,
                                             struct vt_item_table *items,
                                             struct vt_profile_rpc **ret_rpc);
/* Where its own metrics go; before it serves. NULL: nowhere, as it begins. */
void vt_profile_rpc_measure(struct vt_profile_rpc *rpc, struct vt_metrics *metrics);
void vt_profile_rpc_free(struct vt_profile_rpc *rpc); /* NULL is allowed */

/* The method table. Immutable. */
const struct vt_rpc_method *vt_profile_rpc_methods(size_t *ret_n);

#endif
