#ifndef VT_CANDIDATE_REMOTE_H
#define VT_CANDIDATE_REMOTE_H

#include "services/candidate/candidate.h"
#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/common/rpc/client.h"

/*
 * A candidate service in another process, as a port. A query pinned to a version that the service
 * does not hold ends with VT_PRECONDITION, as in one process. After VT_BREAKER_MISSES missed
 * budgets in a row the port refuses at once for a moment. Any thread; lists live in the request's
 * arena.
 */
struct vt_candidate_remote;

/* Channel and clock are borrowed; `metrics` may be NULL. */
VT_MUST_USE struct vt_err vt_candidate_remote_new(struct vt_rpc_channel *channel,
                                                  const struct vt_clock *clock,
                                                  struct vt_metrics *metrics,
                                                  struct vt_candidate_remote **ret_remote);
void vt_candidate_remote_free(struct vt_candidate_remote *remote); /* NULL is allowed */
struct vt_candidate_port vt_candidate_remote_port(struct vt_candidate_remote *remote);

#endif
