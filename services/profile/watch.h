#ifndef VT_PROFILE_WATCH_H
#define VT_PROFILE_WATCH_H

#include "services/common/base/worker.h"
#include "services/common/rpc/call.h"
#include "services/profile/profile.h"

/* Serves one CatalogService.Watch call until its caller is gone; answers the call. At most one task
 * of a call waits in the pool at a time. */
void vt__watch_serve(struct vt_rpc_call *call, struct vt_profile *profile,
                     struct vt_worker_pool *pool);

#endif
