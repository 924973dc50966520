#ifndef VT_RPC_LOOP_H
#define VT_RPC_LOOP_H

#include "services/common/base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A completion queue for a program's own outgoing calls (vt_rpc_client_start with request->loop set
 * to it). The servers' threads have theirs already. Used by the one thread that made it, unless it
 * is shared.
 */
struct vt_rpc_loop;

/* For the calling thread. VT_EXHAUSTED: no memory. */
VT_MUST_USE struct vt_err vt_rpc_loop_new(struct vt_rpc_loop **ret_loop);
/* Runs one completion if there is one before `until_ns` (CLOCK_MONOTONIC, which gRPC rounds up to
 * the next millisecond; 0: looks and returns at once; INT64_MAX: waits). False when the time was
 * up. */
bool vt_rpc_loop_run_one(struct vt_rpc_loop *loop, int64_t until_ns);
/* From now on completions run under `lock`, which is borrowed, and any thread that holds it may
 * start calls; still only one thread runs the loop. */
void vt_rpc_loop_share(struct vt_rpc_loop *loop, pthread_mutex_t *lock);
/* After its last call has completed; NULL is allowed. */
void vt_rpc_loop_free(struct vt_rpc_loop *loop);

#endif
