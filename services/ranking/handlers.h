#ifndef VT_RANKING_HANDLERS_H
#define VT_RANKING_HANDLERS_H

#include "services/common/rpc/call.h"

#include <stddef.h>

/* The method table of RecommendationService, to be added to a server with a struct
 * vt_ranking_service as its service. Immutable. */
const struct vt_rpc_method *vt_ranking_rpc_methods(size_t *ret_n);

#endif
