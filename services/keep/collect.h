#ifndef VT_KEEP_COLLECT_H
#define VT_KEEP_COLLECT_H

#include "services/keep/repository.h"

/*
 * Making a backup: folders are added one after the other, then the manifest is committed. What an
 * earlier backup holds is not copied again; what it holds unchanged by name, size, time and inode
 * is not even read. One thread.
 */
struct vt_keep_collect;

struct vt_keep_progress {
    void (*tell)(void *ctx, uint64_t bytes); /* looked at so far; NULL: nobody asks */
    void *ctx;
};

struct vt_keep_copied {
    uint64_t bytes, files; /* that no earlier backup had */
};

/* Borrows `keep`, opened for writing, until _free. */
VT_MUST_USE struct vt_err vt_keep_collect_new(struct vt_keep *keep,
                                              const struct vt_keep_progress *progress,
                                              struct vt_diag *diag,
                                              struct vt_keep_collect **ret_collect);
/* Whatever was not committed is left as contents that no backup holds. NULL is allowed. */
void vt_keep_collect_free(struct vt_keep_collect *collect);

/* Adds the regular files below `folder` under `prefix` ("" or "live/"). Names that begin with a dot
 * and those at the top that `leave_out` lists (ends with NULL; may be NULL) are not looked at.
 * Files of a folder come before its subfolders, so that what a pointer file names is there too.
 * VT_UNAVAILABLE: a file vanished meanwhile, or cannot be read; VT_EXHAUSTED: the disk of the
 * backup is full. */
VT_MUST_USE struct vt_err vt_keep_collect_add(struct vt_keep_collect *collect, const char *folder,
                                              const char *prefix, const char *const *leave_out,
                                              struct vt_diag *diag);

/* Makes the backup out of what was added. `ret_manifest` is the caller's to finish. */
VT_MUST_USE struct vt_err vt_keep_collect_commit(struct vt_keep_collect *collect, uint64_t sequence,
                                                 int64_t now_ms, struct vt_diag *diag,
                                                 struct vt_keep_manifest *ret_manifest,
                                                 struct vt_keep_copied *ret_copied);

#endif
