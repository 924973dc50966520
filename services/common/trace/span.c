/*
 * Trace context by the W3C recommendation (https://www.w3.org/TR/trace-context/): 16 bytes name the
 * trace, 8 the span, one bit says whether it is recorded. Numbers here, text only on the wire and
 * in logs. What else a caller may send (tracestate, other flags) is of no use to us and is not
 * passed on, which the recommendation allows. Ids of spans below another are its own id, mixed with
 * a count: as good as random to everybody else, and no generator has to be shared or locked.
 */
#include "services/common/trace/span.h"

#include "services/common/trace/ids.h"

#include <string.h>

enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, TEXT_BYTES = 55, ID_DIGITS = 16 };
enum { SAMPLED = 1 };

void vt_span_clear(struct vt_span *span)
{
    span->trace_high = span->trace_low = span->id = span->parent = 0;
    span->sampled = false;
    span->tracer = NULL;
    span->kind = VT_SPAN_SERVER;
    span->code = VT_OK;
    span->path = "";
    span->begin_ns = span->end_ns = 0;
    span->n_children = span->n_steps = 0;
}

/* ---- text ---- */

/* -1: no hexadecimal digit in lower case. */
static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, size_t n, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0)
            return false;
        number = number << 4 | (uint64_t)digit;
    }
    *ret_number = number;
    return true;
}

static void print_hex(uint64_t number, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = ID_DIGITS - 1; i >= 0; i--, number >>= 4)
        text[i] = digits[number & 15];
}

/* Version 00 has these bytes and no more; a later one may go on after another dash. */
static bool has_form(struct vt_slice text)
{
    uint64_t version;
    if (text.len < TEXT_BYTES || !read_hex(text.data, 2, &version) || version == 0xff)
        return false;
    if (text.data[2] != '-' || text.data[PARENT_AT - 1] != '-' || text.data[FLAGS_AT - 1] != '-')
        return false;
    return text.len == TEXT_BYTES || (version > 0 && text.data[TEXT_BYTES] == '-');
}

bool vt_traceparent_read(struct vt_slice text, struct vt_span *span)
{
    uint64_t high, low, parent, flags;
    if (!has_form(text) || !read_hex(text.data + TRACE_AT, ID_DIGITS, &high) ||
        !read_hex(text.data + TRACE_AT + ID_DIGITS, ID_DIGITS, &low) ||
        !read_hex(text.data + PARENT_AT, ID_DIGITS, &parent) ||
        !read_hex(text.data + FLAGS_AT, 2, &flags))
        return false;
    if ((high | low) == 0 || parent == 0)
        return false;
    span->trace_high = high;
    span->trace_low = low;
    span->parent = parent;
    span->sampled = (flags & SAMPLED) != 0;
    return true;
}

void vt_traceparent_print(const struct vt_span *span, uint64_t id,
                          char ret_text[VT_TRACEPARENT_BYTES])
{
    memcpy(ret_text, "00-", TRACE_AT);
    print_hex(span->trace_high, ret_text + TRACE_AT);
    print_hex(span->trace_low, ret_text + TRACE_AT + ID_DIGITS);
    ret_text[PARENT_AT - 1] = '-';
    print_hex(id, ret_text + PARENT_AT);
    memcpy(ret_text + FLAGS_AT - 1, span->sampled ? "-01" : "-00", sizeof "-00");
}

void vt_trace_id_print(const struct vt_span *span, char ret_text[VT_TRACE_ID_BYTES])
{
    print_hex(span->trace_high, ret_text);
    print_hex(span->trace_low, ret_text + ID_DIGITS);
    ret_text[VT_TRACE_ID_BYTES - 1] = '\0';
}

void vt_span_id_print(uint64_t id, char ret_text[VT_SPAN_ID_BYTES])
{
    print_hex(id, ret_text);
    ret_text[VT_SPAN_ID_BYTES - 1] = '\0';
}

/* ---- below a span ---- */

uint64_t vt_span_child_id(struct vt_span *span)
{
    struct vt_trace_ids ids = {span->id + span->n_children++ * VT_TRACE_IDS_STRIDE};
    return vt_trace_ids_next(&ids);
}

void vt_span_step(struct vt_span *span, const char *name, int64_t begin_ns, int64_t end_ns)
{
    if (span != NULL && span->tracer != NULL && span->n_steps < VT_SPAN_STEPS_MAX)
        span->steps[span->n_steps++] = (struct vt_span_step){name, begin_ns, end_ns};
}

void vt_span_event(struct vt_span *span, const char *name, int64_t at_ns)
{
    vt_span_step(span, name, at_ns, 0);
}
