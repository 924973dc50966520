#ifndef VT_RPC_ERROR_DETAILS_H
#define VT_RPC_ERROR_DETAILS_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

enum {
    VT__DETAILS_BYTES_MAX = 1024,
    VT__RETRY_EXHAUSTED_MS = 100,    /* a queue has room again after a commit or two */
    VT__RETRY_UNAVAILABLE_MS = 1000, /* a part starts again, a store is opened again */
};

/* A serialised google.rpc.Status for the trailer grpc-status-details-bin: the field that is wrong
 * (BadRequest) for INVALID, when to come back (RetryInfo) for EXHAUSTED and UNAVAILABLE. Empty when
 * there is nothing more to tell than code and message. */
struct vt_slice vt__error_details(struct vt_err err, const char *message,
                                  const struct vt_diag *diag,
                                  unsigned char memory[VT__DETAILS_BYTES_MAX]);

#endif
