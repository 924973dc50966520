#ifndef VT_TRACE_TRACER_H
#define VT_TRACE_TRACER_H

#include "services/common/base/err.h"
#include "services/common/base/slice.h"
#include "services/common/trace/ids.h"
#include "services/common/trace/span.h"

#include <stdbool.h>
#include <stdint.h>

struct vt_metrics; /* services/common/base/metrics.h */

/*
 * Which calls are recorded, and a bounded queue of records between the serving threads and the one
 * thread that sends them away. Recording never waits: what finds the queue full is dropped and
 * counted. Life cycle: _new, … , _free when nobody pushes any more.
 */
struct vt_tracer;

enum { VT_TRACER_RECORDS_MAX = 4096, VT_TRACER_BATCH = 256 };

struct vt_tracer_options {
    double share;               /* 0..1 of the calls that come without a traceparent */
    uint32_t n_records;         /* a power of two; 0: VT_TRACER_RECORDS_MAX */
    struct vt_metrics *metrics; /* borrowed, may be NULL */
};
/* VT_EXHAUSTED: no memory. */
VT_MUST_USE struct vt_err vt_tracer_new(const struct vt_tracer_options *options,
                                        struct vt_tracer **ret_tracer);
void vt_tracer_free(struct vt_tracer *tracer); /* NULL is allowed */

/*
 * The trace of a call that arrives with this traceparent (empty or broken: none), in a cleared
 * span. The caller's word is followed: a sampled trace is recorded, another is not. Who comes
 * without one gets a trace, of which `tracer` records its share if the call `may_begin` one. With
 * tracer NULL nothing is recorded, and the caller's own span is what we name to others: ours would
 * be missing in the tree. Any thread, `ids` being its own; O(1), no allocation, nothing shared.
 */
void vt_trace_begin(struct vt_tracer *tracer, struct vt_trace_ids *ids, struct vt_slice traceparent,
                    bool may_begin, struct vt_span *span);

/* Records the span (copied) if it is to be recorded. Any thread; wait-free but for other threads
 * that push at the same time. */
void vt_span_push(const struct vt_span *span);

/* For the one thread that takes records: false when there is none. */
bool vt_tracer_pop(struct vt_tracer *tracer, struct vt_span *ret_span);
/* Blocks until a batch has come together, somebody wakes, or the time is over. */
void vt_tracer_wait(struct vt_tracer *tracer, int64_t timeout_ms);
void vt_tracer_wake(struct vt_tracer *tracer); /* any thread */
/* Counts n spans that were taken and could not be told to anybody. */
void vt_tracer_count_lost(struct vt_tracer *tracer, uint64_t n);

#endif
