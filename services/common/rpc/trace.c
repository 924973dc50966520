/*
 * What is told of a call: its span, when its trace is recorded, and its line in the log. Both carry
 * the method's own path (never the caller's text), code and times, and no word of the message: a
 * diag may name a customer. Every call has a line at level debug; at warn only those that failed on
 * our side, and of these no more than LINES_PER_SECOND, for a broken part fails every call and a
 * log that is full of it hides the reason. How many there were is in the metrics.
 */
#include "services/common/base/log.h"
#include "services/common/rpc/server_internal.h"
#include "services/common/rpc/status.h"
#include "services/common/trace/tracer.h"

enum { LINES_PER_SECOND = 20 };

/* ---- calls that come in ---- */

/* Probes come every second and would be most of what is recorded. */
static bool may_begin_trace(const struct vt__server_call *call)
{
    const struct vt_rpc_server *server = call->worker->server;
    return call->method->service != server->health && call->method->service != server->reflection;
}

void vt__server_span_begin(struct vt__server_call *call, struct vt_slice traceparent)
{
    struct vt_span *span = &call->base.span;
    vt_trace_begin(call->worker->server->options.tracer, &call->worker->trace_ids, traceparent,
                   may_begin_trace(call), span);
    span->path = call->method->row->path;
    span->begin_ns = call->waiting.arrived_ns;
}

static bool is_our_fault(enum vt_code code)
{
    return code == VT_INTERNAL || code == VT_CORRUPT || code == VT_UNAVAILABLE;
}

/* Relaxed: two threads at the turn of a second may write a line too many. */
static bool within_budget(struct vt_rpc_server *server, int64_t now_ns)
{
    int64_t second = now_ns / 1000000000;
    if (atomic_exchange_explicit(&server->log_second, second, memory_order_relaxed) != second)
        atomic_store_explicit(&server->n_logged, 0, memory_order_relaxed);
    return atomic_fetch_add_explicit(&server->n_logged, 1, memory_order_relaxed) < LINES_PER_SECOND;
}

static void write_line(enum vt_log_level level, const char *event, const struct vt_span *span,
                       const char *what)
{
    char trace_id[VT_TRACE_ID_BYTES], span_id[VT_SPAN_ID_BYTES];
    vt_trace_id_print(span, trace_id);
    vt_span_id_print(span->id, span_id);
    vt_log(level, event, VT_F_STR("method", span->path + 1),
           VT_F_STR("code", vt_rpc_status_name(vt_rpc_status_from_code(span->code))),
           VT_F_STR("what", what), VT_F_INT("us", (span->end_ns - span->begin_ns) / 1000),
           VT_F_STR("trace_id", trace_id), VT_F_STR("span_id", span_id));
}

static void log_end(struct vt_rpc_server *server, const struct vt_span *span, const char *what)
{
    if (is_our_fault(span->code) && within_budget(server, span->end_ns))
        write_line(VT_LOG_WARN, "call_failed", span, what);
    else if (vt_log_wants(VT_LOG_DEBUG))
        write_line(VT_LOG_DEBUG, "call", span, what);
}

void vt__server_span_end(struct vt__server_call *call, struct vt_err err, int64_t now_ns)
{
    struct vt_span *span = &call->base.span;
    span->code = (enum vt_code)err.code;
    span->end_ns = now_ns;
    vt_span_push(span);
    log_end(call->worker->server, span, err.what != NULL ? err.what : "");
}

/* ---- calls that go out ---- */

struct vt_slice vt__client_span_begin(struct vt_span *caller, struct vt__client_span *span,
                                      char text[VT_TRACEPARENT_BYTES])
{
    *span = (struct vt__client_span){.caller = caller};
    if (caller == NULL || (caller->trace_high | caller->trace_low) == 0)
        return (struct vt_slice){0};
    span->id = caller->id;
    if (caller->tracer != NULL) {
        span->id = vt_span_child_id(caller);
        span->begin_ns = vt__now_ns();
    }
    vt_traceparent_print(caller, span->id, text);
    return vt_slice(text, VT_TRACEPARENT_BYTES - 1);
}

void vt__client_span_end(const struct vt__client_span *span, const char *path, enum vt_code code)
{
    const struct vt_span *caller = span->caller;
    if (caller == NULL || caller->tracer == NULL)
        return;
    struct vt_span record;
    vt_span_clear(&record);
    record.trace_high = caller->trace_high;
    record.trace_low = caller->trace_low;
    record.id = span->id;
    record.parent = caller->id;
    record.tracer = caller->tracer;
    record.kind = VT_SPAN_CLIENT;
    record.code = code;
    record.path = path;
    record.begin_ns = span->begin_ns;
    record.end_ns = vt__now_ns();
    vt_span_push(&record);
}
