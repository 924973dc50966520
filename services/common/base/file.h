#ifndef VT_BASE_FILE_H
#define VT_BASE_FILE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Files as the formats need them. All failures name the path and the errno text in `diag`. */

enum { VT_SHA256_HEX_BYTES = 65 };

/* Writes beside, fsyncs, renames over `path`, fsyncs the folder. */
VT_MUST_USE struct vt_err vt_file_write_atomic(const char *path, struct vt_slice content,
                                               struct vt_diag *diag);
/* Whole file, malloc'd with a NUL behind; more than `max_bytes` is VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_file_read(const char *path, size_t max_bytes, struct vt_diag *diag,
                                       char **ret_text, size_t *ret_len);
/* Read-only mapping; an empty file maps to len 0. Unmap with vt_file_unmap. */
VT_MUST_USE struct vt_err vt_file_map(const char *path, struct vt_diag *diag,
                                      struct vt_slice *ret_bytes);
/* What vt_file_map returned; len 0 is allowed. */
void vt_file_unmap(struct vt_slice bytes);
/* Of the whole file, as 64 lower-case hex digits and a NUL. */
VT_MUST_USE struct vt_err vt_file_sha256(const char *path, struct vt_diag *diag,
                                         char ret_hex[VT_SHA256_HEX_BYTES]);
/* mkdir -p, mode 0700 for what it makes; on return the folder survives a power cut. */
VT_MUST_USE struct vt_err vt_folder_create(const char *path, struct vt_diag *diag);
/* fsyncs the folder itself: names made or renamed in it survive a power cut. */
VT_MUST_USE struct vt_err vt_folder_sync(const char *path, struct vt_diag *diag);
/* rm -r of a folder of ours; missing is fine. Does not follow symbolic links. */
VT_MUST_USE struct vt_err vt_folder_remove(const char *path, struct vt_diag *diag);

#endif
