#ifndef VT_BASE_SHA256_H
#define VT_BASE_SHA256_H

#include "services/common/base/file.h"

/* The sha256 of bytes in memory, as 64 lower-case hex digits and a NUL. VT_INTERNAL when the
 * library fails. Any thread. */
VT_MUST_USE struct vt_err vt_sha256(struct vt_slice bytes, char ret_hex[VT_SHA256_HEX_BYTES]);

/* Copies a file to `to`, which must not exist, with mode 0600, fsyncs it, and tells how many bytes
 * it was and their sha256. After a failure `to` is gone. VT_NOT_FOUND: there is no `from`;
 * VT_EXHAUSTED: the disk of `to` is full; the path is in `diag`. Blocking. */
VT_MUST_USE struct vt_err vt_file_copy(const char *from, const char *to, struct vt_diag *diag,
                                       uint64_t *ret_bytes, char ret_hex[VT_SHA256_HEX_BYTES]);

#endif
