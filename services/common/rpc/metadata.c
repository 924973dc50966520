/* Judges the one metadata value that we pass on without understanding it. */
#include "services/common/rpc/internal.h"

enum { VERSION_AT = 0, TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, TRACEPARENT_BYTES = 55 };

static bool is_hex(struct vt_slice text, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool is_zero(struct vt_slice text, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++)
        if (text.data[i] != '0')
            return false;
    return true;
}

bool vt__traceparent_valid(struct vt_slice text)
{
    return text.len == TRACEPARENT_BYTES && memcmp(text.data, "00-", TRACE_AT) == 0 &&
           text.data[PARENT_AT - 1] == '-' && text.data[FLAGS_AT - 1] == '-' &&
           is_hex(text, TRACE_AT, 32) && !is_zero(text, TRACE_AT, 32) &&
           is_hex(text, PARENT_AT, 16) && !is_zero(text, PARENT_AT, 16) &&
           is_hex(text, FLAGS_AT, 2);
}
