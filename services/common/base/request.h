#ifndef VT_BASE_REQUEST_H
#define VT_BASE_REQUEST_H

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vt_span; /* services/common/trace/span.h */

/*
 * What the domain may know about the call it works for: memory, time, whether anybody still waits,
 * where to say what is wrong. Made by vt_rpc for each call (or by a test on its stack). Everything
 * returned through a continuation lives in `arena`, valid until the call is finished.
 */
struct vt_request {
    struct vt_arena *arena;       /* borrowed */
    struct vt_diag *diag;         /* borrowed, may be NULL */
    int64_t deadline_ns;          /* CLOCK_MONOTONIC; INT64_MAX is none */
    const atomic_bool *cancelled; /* relaxed loads; NULL: never */
    void *loop;           /* opaque to the domain: where outgoing calls of this call complete */
    void *outgoing;       /* opaque, too: the list of those under way; NULL: not kept */
    struct vt_span *span; /* borrowed; where the call stands in its trace; NULL: nowhere */
};

/* True when nobody waits for the answer any more: a hint to stop working. Any thread. */
static inline bool vt_request_cancelled(const struct vt_request *request)
{
    return request->cancelled != NULL &&
           atomic_load_explicit(request->cancelled, memory_order_relaxed);
}

#endif
