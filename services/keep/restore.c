/*
 * The way back. Contents are hashed on their way from the backup, so a damaged one is found before
 * anything is in place. The data folder itself is never renamed, because it is often a mount point.
 * A staging folder without a live store beside it says that a restore was interrupted: then
 * everything else in the folder was put there by that restore, and goes.
 */
#include "services/keep/restore.h"

#include "services/common/base/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char STAGING[] = ".restore";

/* ---- contents ---- */

static struct vt_err make_folder_of(const char *path, struct vt_diag *diag)
{
    char folder[VT_KEEP_PATH_BYTES];
    size_t len = (size_t)(strrchr(path, '/') - path);
    memcpy(folder, path, len);
    folder[len] = '\0';
    return vt_folder_create(folder, diag);
}

static struct vt_err bring(const char *from, const char *to, struct vt_diag *diag,
                           uint64_t *ret_bytes, char *ret_hex)
{
    struct stat info;
    if (to != NULL) {
        VT_TRY(make_folder_of(to, diag));
        return vt_file_copy(from, to, diag, ret_bytes, ret_hex);
    }
    VT_TRY(vt_file_sha256(from, diag, ret_hex));
    *ret_bytes = stat(from, &info) == 0 ? (uint64_t)info.st_size : 0;
    return vt_ok();
}

static struct vt_err check_one(const struct vt_keep *keep, const struct vt_keep_file *file,
                               const char *folder, struct vt_diag *diag)
{
    char from[VT_KEEP_PATH_BYTES], to[VT_KEEP_PATH_BYTES], hex[VT_SHA256_HEX_BYTES];
    uint64_t bytes = 0;
    VT_TRY(vt_keep_content_path(keep, file->sha256, from));
    if (folder != NULL)
        VT_CHECK(snprintf(to, sizeof to, "%s/%s", folder, file->path) < (int)sizeof to, VT_INVALID,
                 "the path of the data folder is too long");
    struct vt_err err = bring(from, folder != NULL ? to : NULL, diag, &bytes, hex);
    if (err.code == VT_NOT_FOUND)
        vt_diag_set(diag, file->path, "is missing in the backup: %s", from);
    else if (!vt_failed(err) && (bytes != file->bytes || strcmp(hex, file->sha256) != 0))
        vt_diag_set(diag, file->path, "is damaged in the backup: %s", from);
    else
        return err;
    return VT_ERR(VT_CORRUPT, "the backup is damaged");
}

struct vt_err vt_keep_check(const struct vt_keep *keep, const struct vt_keep_manifest *manifest,
                            const char *folder, const struct vt_keep_progress *progress,
                            struct vt_diag *diag)
{
    uint64_t done = 0;
    for (size_t i = 0; i < manifest->n_files; i++) {
        VT_TRY(check_one(keep, &manifest->files[i], folder, diag));
        done += manifest->files[i].bytes;
        if (progress->tell != NULL)
            progress->tell(progress->ctx, done);
    }
    return vt_ok();
}

/* ---- the data folder ---- */

static bool is_listed(const char *const *names, const char *name)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool exists_in(const char *folder, const char *name)
{
    char path[VT_KEEP_PATH_BYTES];
    struct stat info;
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n < (int)sizeof path && lstat(path, &info) == 0;
}

/* Removes what an interrupted restore put in place; else refuses whatever is there. */
static struct vt_err clear_entry(const char *data_dir, const char *name, bool interrupted,
                                 struct vt_diag *diag)
{
    char path[VT_KEEP_PATH_BYTES];
    VT_CHECK(snprintf(path, sizeof path, "%s/%s", data_dir, name) < (int)sizeof path, VT_INVALID,
             "the path of the data folder is too long");
    if (interrupted)
        return vt_folder_remove(path, diag);
    vt_diag_set(diag, data_dir,
                "is not empty (%s): restore into a new folder, check it, then move it here; or "
                "move this one away first",
                name);
    return VT_ERR(VT_PRECONDITION, "the data folder holds data");
}

static struct vt_err clear_folder(const char *data_dir, const char *const *may_be_there,
                                  struct vt_diag *diag)
{
    bool interrupted = exists_in(data_dir, STAGING) && !exists_in(data_dir, "live");
    DIR *folder = opendir(data_dir);
    if (folder == NULL) {
        vt_diag_set(diag, data_dir, "cannot be read: %s", strerror(errno));
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot read the data folder");
    }
    struct vt_err err = vt_ok();
    for (struct dirent *entry; !vt_failed(err) && (entry = readdir(folder)) != NULL;)
        if (!is_listed(may_be_there, entry->d_name) && strcmp(entry->d_name, STAGING) != 0)
            err = clear_entry(data_dir, entry->d_name, interrupted, diag);
    closedir(folder);
    return err;
}

static struct vt_err lock_folder(struct vt_keep_target *target, struct vt_diag *diag)
{
    target->lock_fd = open(target->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target->lock_fd >= 0 && flock(target->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return vt_ok();
    int sys = errno;
    vt_diag_set(diag, target->data_dir, sys == EWOULDBLOCK ? "another restore is at it" : "%s",
                strerror(sys));
    return VT_ERR_SYS(VT_UNAVAILABLE, sys, "the data folder cannot be locked");
}

static struct vt_err begin(struct vt_keep_target *target, const char *const *may_be_there,
                           struct vt_diag *diag)
{
    VT_TRY(vt_folder_create(target->data_dir, diag));
    VT_TRY(lock_folder(target, diag));
    VT_TRY(clear_folder(target->data_dir, may_be_there, diag));
    VT_TRY(vt_folder_remove(target->staging, diag));
    VT_TRY(vt_folder_create(target->staging, diag));
    return vt_folder_sync(target->data_dir, diag);
}

struct vt_err vt_keep_target_begin(const char *data_dir, const char *const *may_be_there,
                                   struct vt_diag *diag, struct vt_keep_target *ret_target)
{
    struct vt_keep_target target = {.lock_fd = -1};
    int n = snprintf(target.data_dir, sizeof target.data_dir, "%s", data_dir);
    int m = snprintf(target.staging, sizeof target.staging, "%s/%s", data_dir, STAGING);
    VT_CHECK(n < VT_KEEP_PATH_BYTES && m < VT_KEEP_PATH_BYTES, VT_INVALID,
             "the path of the data folder is too long");
    struct vt_err err = begin(&target, may_be_there, diag);
    if (vt_failed(err) && target.lock_fd >= 0)
        close(target.lock_fd);
    if (!vt_failed(err))
        *ret_target = target;
    return err;
}

static struct vt_err put_in_place(const struct vt_keep_target *target, const char *name,
                                  struct vt_diag *diag)
{
    char from[VT_KEEP_PATH_BYTES], to[VT_KEEP_PATH_BYTES];
    int n = snprintf(from, sizeof from, "%s/%s", target->staging, name);
    int m = snprintf(to, sizeof to, "%s/%s", target->data_dir, name);
    VT_CHECK(n < VT_KEEP_PATH_BYTES && m < VT_KEEP_PATH_BYTES, VT_INVALID,
             "the path of the data folder is too long");
    if (rename(from, to) == 0)
        return vt_ok();
    vt_diag_set(diag, to, "cannot be put in place: %s", strerror(errno));
    return VT_ERR_SYS(VT_UNAVAILABLE, errno, "the restored files cannot be put in place");
}

static struct vt_err put_all_but(const struct vt_keep_target *target, const char *last,
                                 struct vt_diag *diag)
{
    DIR *folder = opendir(target->staging);
    VT_CHECK(folder != NULL, VT_UNAVAILABLE, "the folder of the restore is gone");
    struct vt_err err = vt_ok();
    for (struct dirent *entry; !vt_failed(err) && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, last) != 0)
            err = put_in_place(target, entry->d_name, diag);
    closedir(folder);
    return err;
}

static struct vt_err put_in_order(const struct vt_keep_target *target, const char *last,
                                  struct vt_diag *diag)
{
    VT_CHECK(syncfs(target->lock_fd) == 0, VT_UNAVAILABLE, "the restored files cannot be synced");
    VT_TRY(put_all_but(target, last, diag));
    VT_TRY(vt_folder_sync(target->data_dir, diag));
    VT_TRY(put_in_place(target, last, diag));
    return vt_folder_sync(target->data_dir, diag);
}

struct vt_err vt_keep_target_finish(struct vt_keep_target *target, const char *last,
                                    struct vt_diag *diag)
{
    struct vt_err err = put_in_order(target, last, diag);
    if (!vt_failed(err)) {
        vt_keep_target_drop(target);
        return err;
    }
    close(target->lock_fd); /* the staging folder stays: it says what the rest is */
    target->lock_fd = -1;
    return err;
}

void vt_keep_target_drop(struct vt_keep_target *target)
{
    if (target->lock_fd < 0)
        return;
    vt_err_ignore(vt_folder_remove(target->staging, NULL), "the next restore removes it");
    close(target->lock_fd);
    target->lock_fd = -1;
}
