#ifndef VT_OTLP_OTLP_H
#define VT_OTLP_OTLP_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

struct vt_metrics; /* services/common/base/metrics.h */
struct vt_tracer;  /* services/common/trace/tracer.h */

/*
 * Sends what the tracer records to an OpenTelemetry collector: OTLP over gRPC, a call a batch, on a
 * thread of its own. Nobody waits for the collector: what it does not take in time is dropped and
 * counted, and the next batch is tried again.
 */
struct vt_otlp;

struct vt_otlp_options {
    const char *target;         /* the collector's "host:port", plaintext; copied */
    const char *service_name;   /* what traces call this process, "vitrine-ranking"; copied */
    double share;               /* of the calls that come without a traceparent; see tracer.h */
    struct vt_metrics *metrics; /* borrowed, may be NULL */
};

/* Does not connect yet: a collector that is away shows at the first batch. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_otlp_start(const struct vt_otlp_options *options,
                                        struct vt_otlp **ret_otlp);
/* What servers record with. Borrowed until _stop; NULL for NULL. */
struct vt_tracer *vt_otlp_tracer(const struct vt_otlp *otlp);
/* Sends what is left, once, and frees all; blocks for VT_OTLP_TIMEOUT_MS at most twice. After the
 * servers are gone. NULL is allowed. */
void vt_otlp_stop(struct vt_otlp *otlp);

enum { VT_OTLP_TIMEOUT_MS = 2000 };

#endif
