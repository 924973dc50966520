/*
 * Names of codes for logs, messages and metrics labels, and the end of a process whose own
 * invariant broke: a core dump at the spot is worth more than an answer made from broken state.
 */
#include "services/common/base/err.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const code_names[VT_CODE_COUNT] = {
    [VT_OK] = "OK",
    [VT_INVALID] = "INVALID",
    [VT_NOT_FOUND] = "NOT_FOUND",
    [VT_EXHAUSTED] = "EXHAUSTED",
    [VT_DEADLINE] = "DEADLINE",
    [VT_UNAVAILABLE] = "UNAVAILABLE",
    [VT_CORRUPT] = "CORRUPT",
    [VT_INTERNAL] = "INTERNAL",
    [VT_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [VT_PRECONDITION] = "PRECONDITION",
    [VT_DENIED] = "DENIED",
    [VT_CANCELLED] = "CANCELLED",
    [VT_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *vt_code_name(enum vt_code code)
{
    return (unsigned)code < VT_CODE_COUNT ? code_names[code] : "UNKNOWN";
}

_Noreturn void vt_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "vitrine: bug: %s does not hold (%s:%d)\n", condition, file, line);
    abort();
}
