#ifndef VT_KEEP_RESTORE_H
#define VT_KEEP_RESTORE_H

#include "services/keep/collect.h"

/*
 * From a backup into a data folder. Everything is copied and checked within DIR/.restore; only then
 * it is renamed into place, the live store last: until that rename there is no store, and a restore
 * that was killed is simply run again.
 */

/* Reads all contents of the backup and compares their sha256; with `folder` also copies them to
 * below it, synced. VT_CORRUPT names the first file that is not what it was. Blocking. */
VT_MUST_USE struct vt_err vt_keep_check(const struct vt_keep *keep,
                                        const struct vt_keep_manifest *manifest, const char *folder,
                                        const struct vt_keep_progress *progress,
                                        struct vt_diag *diag);

/* Where a restore is prepared: DIR/.restore, made empty, locked against another restore. */
struct vt_keep_target {
    char data_dir[VT_KEEP_PATH_BYTES], staging[VT_KEEP_PATH_BYTES];
    int lock_fd;
};
/* VT_PRECONDITION when `data_dir` holds data; `may_be_there` lists names at its top that are no
 * data (ends with NULL). What an interrupted restore left is removed. */
VT_MUST_USE struct vt_err vt_keep_target_begin(const char *data_dir,
                                               const char *const *may_be_there,
                                               struct vt_diag *diag,
                                               struct vt_keep_target *ret_target);
/* Renames everything prepared into the data folder, `last` at the end, over what may be there. Then
 * the staging folder goes. After a failure it stays, and a restore that is run again clears up. */
VT_MUST_USE struct vt_err vt_keep_target_finish(struct vt_keep_target *target, const char *last,
                                                struct vt_diag *diag);
/* Gives up: removes the staging folder. After _finish nothing is left to do. */
void vt_keep_target_drop(struct vt_keep_target *target);

#endif
