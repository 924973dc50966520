#ifndef VT_PROFILE_REMOTE_H
#define VT_PROFILE_REMOTE_H

#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/common/rpc/client.h"
#include "services/profile/profile.h"

/*
 * A profile service in another process, as a port. After VT_BREAKER_MISSES missed budgets in a row
 * the port refuses at once for a moment. Any thread; views live in the request's arena.
 */
struct vt_profile_remote;

/* Channel and clock are borrowed; `metrics` may be NULL. */
VT_MUST_USE struct vt_err vt_profile_remote_new(struct vt_rpc_channel *channel,
                                                const struct vt_clock *clock,
                                                struct vt_metrics *metrics,
                                                struct vt_profile_remote **ret_remote);
void vt_profile_remote_free(struct vt_profile_remote *remote); /* NULL is allowed */
struct vt_profile_port vt_profile_remote_port(struct vt_profile_remote *remote);

#endif
