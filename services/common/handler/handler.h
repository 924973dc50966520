#ifndef VT_HANDLER_HANDLER_H
#define VT_HANDLER_HANDLER_H

#include "services/common/base/err.h"
#include "services/common/base/request.h"
#include "services/common/base/slice.h"
#include "services/common/base/worker.h"
#include "services/common/rpc/call.h"

/*
 * The shape of a method that has its answer when its function returns: bytes in, bytes out. Most
 * methods are of it; a method table's handler then is one line that says where it runs.
 */
typedef struct vt_err (*vt_handler_fn)(void *service, struct vt_request *request,
                                       struct vt_slice body, struct vt_slice *ret_body);

/* Replies, or fails with the status of `err`. Any thread; the call is gone afterwards. */
void vt_handler_answer(struct vt_rpc_call *call, struct vt_err err, struct vt_slice body);
/* On the serving thread, at once: for what neither blocks nor iterates. */
void vt_handler_run(struct vt_rpc_call *call, void *service, vt_handler_fn run);
/* On a worker thread: for what may block. VT_EXHAUSTED to the caller when too much waits. */
void vt_handler_run_on(struct vt_worker_pool *pool, struct vt_rpc_call *call, void *service,
                       vt_handler_fn run);

#endif
