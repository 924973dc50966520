#ifndef VT_TRACE_SPAN_H
#define VT_TRACE_SPAN_H

#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct vt_tracer; /* services/common/trace/tracer.h */

enum {
    VT_SPAN_STEPS_MAX = 12,
    VT_TRACEPARENT_BYTES = 56, /* with the NUL */
    VT_TRACE_ID_BYTES = 33,    /* as hexadecimal text, with the NUL */
    VT_SPAN_ID_BYTES = 17,
};

/* A call that came in, and a call that went out. */
enum vt_span_kind { VT_SPAN_SERVER, VT_SPAN_CLIENT };

/* Part of a span's time, or (end_ns 0) a moment in it. */
struct vt_span_step {
    const char *name; /* a literal */
    int64_t begin_ns, end_ns;
};

/*
 * One call's place in its trace (W3C trace context), and what is told of it when it is recorded. A
 * record of fixed size: it holds no text but literals, so no customer's id can get into it. Belongs
 * to whoever handles the call; one thread at a time. Times are CLOCK_MONOTONIC.
 */
struct vt_span {
    uint64_t trace_high, trace_low; /* both 0: in no trace */
    uint64_t id;                    /* what is called from here names it as its parent */
    uint64_t parent;                /* 0: the trace begins here */
    bool sampled;                   /* whoever is called from here is to record, too */
    struct vt_tracer *tracer;       /* borrowed; NULL: nothing is recorded here */
    enum vt_span_kind kind;
    enum vt_code code;
    const char *path; /* "/vitrine.v1.ProfileService/GetProfile"; a literal */
    int64_t begin_ns, end_ns;
    uint32_t n_children; /* ids given to spans below */
    uint32_t n_steps;
    struct vt_span_step steps[VT_SPAN_STEPS_MAX]; /* set up to n_steps */
};

/* In no trace and not recorded. Does not touch the steps. */
void vt_span_clear(struct vt_span *span);

/* Reads a traceparent into trace, parent and `sampled`: version 00 as it is, later ones by the
 * fields that they share with it. False, and nothing changed, when it is none. O(1). */
bool vt_traceparent_read(struct vt_slice text, struct vt_span *span);
/* What is told to a service called from `span` whose own span is `id`. */
void vt_traceparent_print(const struct vt_span *span, uint64_t id,
                          char ret_text[VT_TRACEPARENT_BYTES]);
/* As logs have them. */
void vt_trace_id_print(const struct vt_span *span, char ret_text[VT_TRACE_ID_BYTES]);
void vt_span_id_print(uint64_t id, char ret_text[VT_SPAN_ID_BYTES]);

/* An id for a span below this one: follows from the span's own, so that nothing is shared. */
uint64_t vt_span_child_id(struct vt_span *span);

/* Notes that a step took from begin_ns to end_ns, or that something happened. Nothing to do when
 * the span is NULL or not recorded; past VT_SPAN_STEPS_MAX they are left out. `name` is a literal
 * and never holds anything that came from outside. A few stores. */
void vt_span_step(struct vt_span *span, const char *name, int64_t begin_ns, int64_t end_ns);
void vt_span_event(struct vt_span *span, const char *name, int64_t at_ns);

#endif
