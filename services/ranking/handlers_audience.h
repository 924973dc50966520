#ifndef VT_RANKING_HANDLERS_AUDIENCE_H
#define VT_RANKING_HANDLERS_AUDIENCE_H

#include "services/common/rpc/call.h"
#include "services/ranking/ranking.h"

/*
 * The calls about all customers, RecommendAll and WhoWouldLike. They work on worker threads, with
 * services of their own, so that storefronts' calls wait for none of it. Any thread.
 */
struct vt_audience;

/* `options` as those of the storefronts' service; its candidate port is not used, and its metrics
 * count nothing here. VT_EXHAUSTED without memory. */
VT_MUST_USE struct vt_err vt_audience_new(const struct vt_ranking_options *options,
                                          struct vt_audience **ret_audience);
/* No call may run any more. NULL is allowed. */
void vt_audience_free(struct vt_audience *audience);

/* As vt_ranking_load_placements, for the lists of RecommendAll. */
VT_MUST_USE struct vt_err vt_audience_load_placements(struct vt_audience *audience,
                                                      const char *path, struct vt_diag *diag);

/* What vt_rpc_server_add takes, with the audience as the service. */
const struct vt_rpc_method *vt_audience_rpc_methods(size_t *ret_n);

#endif
