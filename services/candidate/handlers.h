#ifndef VT_CANDIDATE_HANDLERS_H
#define VT_CANDIDATE_HANDLERS_H

#include "services/common/rpc/call.h"

#include <stddef.h>

/* The method table of CandidateService, to be added to a server with a struct vt_candidate_service
 * as its service. Immutable. */
const struct vt_rpc_method *vt_candidate_rpc_methods(size_t *ret_n);

#endif
