#ifndef VT_KEEP_MANIFEST_H
#define VT_KEEP_MANIFEST_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/file.h"
#include "services/common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What one backup holds: which files of a data folder, and for each the contents by their sha256.
 * On disk it is JSON (docs/data-formats.md) whose last key is the sha256 of the rest. One thread.
 */
enum {
    VT_KEEP_FORMAT = 1,
    VT_KEEP_ID_BYTES = 24,       /* "20261123-020304123" and a NUL */
    VT_KEEP_STORE_ID_BYTES = 33, /* of the profile service: 32 hex digits and a NUL */
    VT_KEEP_FILES_MAX = 1000000,
    VT_KEEP_NAME_BYTES_MAX = 1024,
};

struct vt_keep_file {
    char *path; /* owned; below the data folder, with slashes */
    uint64_t bytes;
    char sha256[VT_SHA256_HEX_BYTES];
    /* Of the source when it was read: a later backup that finds the same need not read it again. */
    int64_t mtime_ns;
    uint64_t inode;
};

struct vt_keep_manifest {
    char id[VT_KEEP_ID_BYTES];
    char store_id[VT_KEEP_STORE_ID_BYTES];
    int64_t time_ms;            /* when it was made */
    uint64_t sequence;          /* of the last event or change within */
    uint64_t bytes;             /* of all files */
    struct vt_keep_file *files; /* owned */
    size_t n_files, capacity;
};

/* Adds a file and its bytes; `file->path` is copied. VT_EXHAUSTED: too many, or no memory. */
VT_MUST_USE struct vt_err vt_keep_manifest_add(struct vt_keep_manifest *manifest,
                                               const struct vt_keep_file *file);
void vt_keep_manifest_fini(struct vt_keep_manifest *manifest); /* zero is allowed */

/* Owned text, free with free(). VT_INVALID: a path that JSON cannot hold. */
VT_MUST_USE struct vt_err vt_keep_manifest_encode(const struct vt_keep_manifest *manifest,
                                                  char **ret_json);
/* VT_CORRUPT with the reason in `diag`: not JSON, changed since it was written, a path that leads
 * outside; VT_PRECONDITION: of a later version. */
VT_MUST_USE struct vt_err vt_keep_manifest_decode(struct vt_slice json, struct vt_diag *diag,
                                                  struct vt_keep_manifest *ret_manifest);

/* True for what encode makes ids of: digits and one dash. */
bool vt_keep_id_valid(const char *id);

#endif
