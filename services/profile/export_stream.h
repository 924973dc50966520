#ifndef VT_PROFILE_EXPORT_STREAM_H
#define VT_PROFILE_EXPORT_STREAM_H

#include "services/common/base/worker.h"
#include "services/common/rpc/call.h"
#include "services/profile/profile.h"

enum { VT__EXPORTS_MAX = 4 }; /* at a time: each may hold a log block */

/* Serves an ExportCustomer call: a line a message, the next when the last has left. All reading is
 * done on `pool`, which must have room for a task of every such call. */
void vt__export_serve(struct vt_rpc_call *call, struct vt_profile *profile,
                      struct vt_worker_pool *pool);

/* Who calls, for the audit log: the way and the roles. Returns `text`. */
enum { VT__ACTOR_BYTES = VT_RPC_ROLES_TEXT_BYTES + 16 };
const char *vt__actor_text(const struct vt_rpc_call *call, char text[VT__ACTOR_BYTES]);

#endif
