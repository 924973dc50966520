/*
 * Errors that programs can read (google/rpc/status.proto and error_details.proto): written by hand
 * from their field numbers, for they are three small messages.
 */
#include "services/common/rpc/error_details.h"

#include "services/common/rpc/protowire.h"
#include "services/common/rpc/status.h"

enum { STATUS_CODE = 1, STATUS_MESSAGE = 2, STATUS_DETAILS = 3 };
enum { ANY_TYPE = 1, ANY_VALUE = 2 };
enum { BAD_REQUEST_VIOLATION = 1, VIOLATION_FIELD = 1, VIOLATION_TEXT = 2 };
enum { RETRY_DELAY = 1, DURATION_SECONDS = 1, DURATION_NANOS = 2, MS_PER_S = 1000 };

static void put_any(struct vt__wire_writer *status, const char *type, struct vt_slice value)
{
    unsigned char memory[VT__DETAILS_BYTES_MAX];
    struct vt__wire_writer any = {.data = memory, .capacity = sizeof memory};
    vt__wire_put_bytes(&any, ANY_TYPE, vt_slice_str(type));
    vt__wire_put_bytes(&any, ANY_VALUE, value);
    vt__wire_put_bytes(status, STATUS_DETAILS, vt__wire_written(&any));
    status->overflow |= any.overflow;
}

static void put_bad_request(struct vt__wire_writer *status, const struct vt_diag *diag)
{
    unsigned char inner[512], outer[520];
    struct vt__wire_writer violation = {.data = inner, .capacity = sizeof inner};
    struct vt__wire_writer request = {.data = outer, .capacity = sizeof outer};
    vt__wire_put_bytes(&violation, VIOLATION_FIELD, vt_slice_str(diag->field));
    vt__wire_put_bytes(&violation, VIOLATION_TEXT, vt_slice_str(diag->text));
    vt__wire_put_bytes(&request, BAD_REQUEST_VIOLATION, vt__wire_written(&violation));
    put_any(status, "type.googleapis.com/google.rpc.BadRequest", vt__wire_written(&request));
    status->overflow |= violation.overflow || request.overflow;
}

static void put_retry_info(struct vt__wire_writer *status, uint64_t after_ms)
{
    unsigned char inner[16], outer[24];
    struct vt__wire_writer delay = {.data = inner, .capacity = sizeof inner};
    struct vt__wire_writer info = {.data = outer, .capacity = sizeof outer};
    vt__wire_put_varint(&delay, DURATION_SECONDS, after_ms / MS_PER_S);
    vt__wire_put_varint(&delay, DURATION_NANOS, after_ms % MS_PER_S * UINT64_C(1000000));
    vt__wire_put_bytes(&info, RETRY_DELAY, vt__wire_written(&delay));
    put_any(status, "type.googleapis.com/google.rpc.RetryInfo", vt__wire_written(&info));
}

struct vt_slice vt__error_details(struct vt_err err, const char *message,
                                  const struct vt_diag *diag,
                                  unsigned char memory[VT__DETAILS_BYTES_MAX])
{
    bool names_field = err.code == VT_INVALID && diag->field[0] != '\0';
    bool retry_helps = err.code == VT_EXHAUSTED || err.code == VT_UNAVAILABLE;
    struct vt__wire_writer status = {.data = memory, .capacity = VT__DETAILS_BYTES_MAX};
    if (!names_field && !retry_helps)
        return (struct vt_slice){0};
    vt__wire_put_varint(&status, STATUS_CODE, (uint64_t)vt_rpc_status_from_code(err.code));
    vt__wire_put_bytes(&status, STATUS_MESSAGE, vt_slice_str(message));
    if (names_field)
        put_bad_request(&status, diag);
    if (retry_helps)
        put_retry_info(&status, err.code == VT_EXHAUSTED ? VT__RETRY_EXHAUSTED_MS
                                                         : VT__RETRY_UNAVAILABLE_MS);
    return status.overflow ? (struct vt_slice){0} : vt__wire_written(&status);
}
