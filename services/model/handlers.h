#ifndef VT_MODEL_HANDLERS_H
#define VT_MODEL_HANDLERS_H

#include "models/bundle/bundle_set.h"
#include "services/common/rpc/call.h"

#include <stddef.h>

/*
 * ModelService over the bundles of this process: every service of a cell has one. Add the methods
 * to a server with this as their service; free it after the server has drained.
 */
struct vt_model_rpc;

/* The set and the folder's name are borrowed. Starts one thread for work that blocks. */
VT_MUST_USE struct vt_err vt_model_rpc_new(const char *data_dir, struct vt_bundle_set *bundles,
                                           struct vt_model_rpc **ret_rpc);
void vt_model_rpc_free(struct vt_model_rpc *rpc); /* NULL is allowed */

/* The method table. Immutable. */
const struct vt_rpc_method *vt_model_rpc_methods(size_t *ret_n);

#endif
