#ifndef VT_RANKING_HANDLERS_EXPLAIN_H
#define VT_RANKING_HANDLERS_EXPLAIN_H

#include "services/common/rpc/call.h"
#include "services/ranking/ranking.h"

#include <stddef.h>

/* Explain: reads files, so it has a worker thread of its own. Any thread. */
struct vt_explain_rpc;

/* Of the service's answers; borrowed. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_explain_rpc_new(struct vt_ranking_service *service,
                                             struct vt_explain_rpc **ret_rpc);
/* No call may run any more. NULL is allowed. */
void vt_explain_rpc_free(struct vt_explain_rpc *rpc);
/* What vt_rpc_server_add takes, with the rpc as the service. */
const struct vt_rpc_method *vt_explain_rpc_methods(size_t *ret_n);

#endif
