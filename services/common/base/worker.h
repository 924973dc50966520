#ifndef VT_BASE_WORKER_H
#define VT_BASE_WORKER_H

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A few threads for work that may block: checkpoints, verifying and loading bundles, iterating over
 * the store for a Watch. Serving threads hand such work over and go on. Submitting never blocks and
 * never allocates. Any thread.
 */
struct vt_worker_pool;

/* Lives in the memory of whoever submits it, until `run` has begun; it may then be submitted
 * again, also from inside `run`. */
struct vt_worker_task {
    void (*run)(void *ctx);
    void *ctx;
    struct vt_worker_task *next; /* the pool's */
};

enum { VT_WORKER_THREADS_MAX = 64 };

/* `n_threads` is 1 to VT_WORKER_THREADS_MAX; at most `max_queued` tasks wait at a time. */
VT_MUST_USE struct vt_err vt_worker_pool_new(unsigned n_threads, uint32_t max_queued,
                                             struct vt_worker_pool **ret_pool);
/* Runs what is queued, then joins. Nothing may be submitted any more. NULL is allowed. */
void vt_worker_pool_free(struct vt_worker_pool *pool);

/* VT_EXHAUSTED when max_queued tasks wait already; the task is then not taken. */
VT_MUST_USE struct vt_err vt_worker_pool_submit(struct vt_worker_pool *pool,
                                                struct vt_worker_task *task);

#endif
