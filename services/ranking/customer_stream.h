#ifndef VT_RANKING_CUSTOMER_STREAM_H
#define VT_RANKING_CUSTOMER_STREAM_H

#include "services/common/base/worker.h"
#include "services/common/rpc/call.h"
#include "services/ranking/ranking.h"

/*
 * A stream that goes through all customers: pages of profiles from the port, one customer at a time
 * on a worker thread, at the caller's pace. Serving threads only hand over.
 */
struct vt__customer_stream;

/* What a call does with the customers. Each function works in the request's arena, which is empty
 * again for the next one, and returns a message, or an empty slice for none. */
struct vt__customer_stream_task {
    struct vt_err (*visit)(void *ctx, struct vt_request *request,
                           const struct vt_profile_view *view, struct vt_slice *ret_body);
    /* After each page: all customers numbered up to `last` were visited, `n_visited` of them by
     * this call; `more` follow. Its message must not be empty. */
    struct vt_err (*mark)(void *ctx, struct vt_request *request, uint64_t last, uint64_t n_visited,
                          bool more, struct vt_slice *ret_body);
    /* After the last mark, until it has none any more; may be NULL. */
    struct vt_err (*rest)(void *ctx, struct vt_request *request, struct vt_slice *ret_body);
    void (*free)(void *ctx); /* when the stream ends, however it does */
    void *ctx;
};

struct vt__customer_stream_options {
    const struct vt_profile_port *profile; /* borrowed; has `list` */
    const struct vt_clock *clock;          /* borrowed */
    struct vt_worker_pool *pool;           /* borrowed; has room for a task of every call */
    uint64_t after;                        /* begin with customers numbered above */
    uint32_t max_events;
    struct vt_shown_limit shown; /* to tell of each customer */
};

/* Takes the call, on its serving thread, and `task`, whatever comes. */
void vt__customer_stream_start(struct vt_rpc_call *call,
                               const struct vt__customer_stream_options *options,
                               const struct vt__customer_stream_task *task);

#endif
