#ifndef VT_OTLP_ENCODE_H
#define VT_OTLP_ENCODE_H

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"
#include "services/common/trace/span.h"

#include <stddef.h>
#include <stdint.h>

/* What all spans of a process say about it. Borrowed. */
struct vt_otlp_resource {
    const char *service_name, *instance_id, *version;
};

/* What one batch becomes. */
struct vt_otlp_batch {
    struct vt_slice bytes; /* an ExportTraceServiceRequest, in the arena */
    uint64_t n_spans;      /* in it: records, and their steps */
};

/*
 * Records as an ExportTraceServiceRequest: each is a span with the attributes of OpenTelemetry's
 * conventions for RPC, each of its steps a span below it, each moment an event. `offset_ns` is what
 * CLOCK_REALTIME is ahead of CLOCK_MONOTONIC. VT_EXHAUSTED: the arena is too small. Any thread;
 * O(records). Ids are given to the steps, so the records change.
 */
VT_MUST_USE struct vt_err vt_otlp_encode(const struct vt_otlp_resource *resource,
                                         struct vt_span *records, size_t n_records,
                                         int64_t offset_ns, struct vt_arena *arena,
                                         struct vt_otlp_batch *ret_batch);

/* The spans that the collector says it refused, in an ExportTraceServiceResponse; what cannot be
 * read is none. */
uint64_t vt_otlp_refused(struct vt_slice response, struct vt_arena *arena);

#endif
