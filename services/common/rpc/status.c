/*
 * Two tables and nothing else. Codes are categories a caller can act on, so statuses that call for
 * the same action share one: ABORTED reads as UNAVAILABLE (retry), ALREADY_EXISTS as PRECONDITION
 * (change the state first).
 */
#include "services/common/rpc/status.h"

#include <grpc/status.h>

static const int status_of_code[VT_CODE_COUNT] = {
    [VT_OK] = GRPC_STATUS_OK,
    [VT_INVALID] = GRPC_STATUS_INVALID_ARGUMENT,
    [VT_NOT_FOUND] = GRPC_STATUS_NOT_FOUND,
    [VT_EXHAUSTED] = GRPC_STATUS_RESOURCE_EXHAUSTED,
    [VT_DEADLINE] = GRPC_STATUS_DEADLINE_EXCEEDED,
    [VT_UNAVAILABLE] = GRPC_STATUS_UNAVAILABLE,
    [VT_CORRUPT] = GRPC_STATUS_DATA_LOSS,
    [VT_INTERNAL] = GRPC_STATUS_INTERNAL,
    [VT_UNIMPLEMENTED] = GRPC_STATUS_UNIMPLEMENTED,
    [VT_PRECONDITION] = GRPC_STATUS_FAILED_PRECONDITION,
    [VT_DENIED] = GRPC_STATUS_PERMISSION_DENIED,
    [VT_CANCELLED] = GRPC_STATUS_CANCELLED,
    [VT_UNAUTHENTICATED] = GRPC_STATUS_UNAUTHENTICATED,
};

static const struct {
    const char *name;
    enum vt_code code;
} statuses[] = {
    [GRPC_STATUS_OK] = {"OK", VT_OK},
    [GRPC_STATUS_CANCELLED] = {"Canceled", VT_CANCELLED},
    [GRPC_STATUS_UNKNOWN] = {"Unknown", VT_INTERNAL},
    [GRPC_STATUS_INVALID_ARGUMENT] = {"InvalidArgument", VT_INVALID},
    [GRPC_STATUS_DEADLINE_EXCEEDED] = {"DeadlineExceeded", VT_DEADLINE},
    [GRPC_STATUS_NOT_FOUND] = {"NotFound", VT_NOT_FOUND},
    [GRPC_STATUS_ALREADY_EXISTS] = {"AlreadyExists", VT_PRECONDITION},
    [GRPC_STATUS_PERMISSION_DENIED] = {"PermissionDenied", VT_DENIED},
    [GRPC_STATUS_RESOURCE_EXHAUSTED] = {"ResourceExhausted", VT_EXHAUSTED},
    [GRPC_STATUS_FAILED_PRECONDITION] = {"FailedPrecondition", VT_PRECONDITION},
    [GRPC_STATUS_ABORTED] = {"Aborted", VT_UNAVAILABLE},
    [GRPC_STATUS_OUT_OF_RANGE] = {"OutOfRange", VT_INVALID},
    [GRPC_STATUS_UNIMPLEMENTED] = {"Unimplemented", VT_UNIMPLEMENTED},
    [GRPC_STATUS_INTERNAL] = {"Internal", VT_INTERNAL},
    [GRPC_STATUS_UNAVAILABLE] = {"Unavailable", VT_UNAVAILABLE},
    [GRPC_STATUS_DATA_LOSS] = {"DataLoss", VT_CORRUPT},
    [GRPC_STATUS_UNAUTHENTICATED] = {"Unauthenticated", VT_UNAUTHENTICATED},
};
enum { N_STATUSES = sizeof statuses / sizeof statuses[0] };

int vt_rpc_status_from_code(enum vt_code code)
{
    return (unsigned)code < VT_CODE_COUNT ? status_of_code[code] : GRPC_STATUS_INTERNAL;
}

enum vt_code vt_rpc_status_to_code(int status)
{
    return status >= 0 && status < N_STATUSES ? statuses[status].code : VT_INTERNAL;
}

const char *vt_rpc_status_name(int status)
{
    return status >= 0 && status < N_STATUSES ? statuses[status].name : "Unknown";
}
