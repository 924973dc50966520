#ifndef VT_KEEP_REPOSITORY_H
#define VT_KEEP_REPOSITORY_H

#include "services/keep/manifest.h"

#include <stdbool.h>

/*
 * A folder of backups of one store (docs/adr/0061):
 *
 *   vitrine-backup.json    which store's; made first
 *   backups/ID.json        a manifest each; it is the backup: there or not, by one rename
 *   files/SHA256           contents, each once, however many backups hold it
 *   lock                   one writer, or several readers
 *
 * One thread per object; any number of processes.
 */
struct vt_keep;

enum vt_keep_mode { VT_KEEP_READ, VT_KEEP_WRITE };

/* Opens and locks it; for writing an empty or missing folder becomes one. VT_NOT_FOUND: no backups
 * here; VT_PRECONDITION: the folder holds something else, or is of a later version; VT_UNAVAILABLE:
 * another command is at it. `path` is copied. */
VT_MUST_USE struct vt_err vt_keep_open(const char *path, enum vt_keep_mode mode,
                                       struct vt_diag *diag, struct vt_keep **ret_keep);
void vt_keep_close(struct vt_keep *keep); /* NULL is allowed */

/* VT_PRECONDITION when the backups here are another store's. Of a new folder it becomes the owner.
 */
VT_MUST_USE struct vt_err vt_keep_claim(struct vt_keep *keep, const char *store_id,
                                        struct vt_diag *diag);

/* Ids of all backups, newest first; free(*ret_ids). */
VT_MUST_USE struct vt_err vt_keep_list(const struct vt_keep *keep, struct vt_diag *diag,
                                       char (**ret_ids)[VT_KEEP_ID_BYTES], size_t *ret_n);
/* VT_NOT_FOUND with those there are in `diag`; VT_CORRUPT names the file. */
VT_MUST_USE struct vt_err vt_keep_load(const struct vt_keep *keep, const char *id,
                                       struct vt_diag *diag, struct vt_keep_manifest *ret_manifest);
/* Writes the manifest under a new id, made from its time: from then on the backup is there. All
 * files it names must be. */
VT_MUST_USE struct vt_err vt_keep_commit(struct vt_keep *keep, struct vt_keep_manifest *manifest,
                                         struct vt_diag *diag);

/* Removes backups: those older than `max_age_ms` (0: never) and all but the newest `n_max` (0: no
 * limit). The newest stays in any case. Contents that no backup holds are removed as well. Nothing
 * is removed when a manifest cannot be read: VT_CORRUPT. */
struct vt_keep_rule {
    int64_t now_ms, max_age_ms;
    uint32_t n_max;
};
VT_MUST_USE struct vt_err vt_keep_prune(struct vt_keep *keep, const struct vt_keep_rule *rule,
                                        struct vt_diag *diag, uint32_t *ret_n_removed,
                                        uint32_t *ret_n_kept);

/* The path of contents or, with NULL, of their folder. VT_INVALID: longer than a path may be. */
enum { VT_KEEP_PATH_BYTES = 4096 };
VT_MUST_USE struct vt_err vt_keep_content_path(const struct vt_keep *keep, const char *sha256,
                                               char ret_path[VT_KEEP_PATH_BYTES]);

#endif
