/*
 * From a data folder into a folder of backups. Tables of the live store never change once written
 * and a checkpoint links them, so their inode and time stay while they live: the backup before
 * answers for most of them without a byte being read. Everything else is read once for its sha256,
 * and copied only when the contents are new. A copy is synced under a name of its own and then
 * renamed to its sha256, so that a file under such a name is always whole.
 */
#include "services/keep/collect.h"

#include "services/common/base/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, NS_PER_S = 1000000000 };

struct vt_keep_collect {
    struct vt_keep *keep; /* borrowed */
    struct vt_keep_progress progress;
    struct vt_keep_manifest before;   /* the newest backup; files sorted by path */
    struct vt_keep_manifest manifest; /* the one being made */
    struct vt_keep_copied copied;
};

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct vt_keep_file *)a)->path, ((const struct vt_keep_file *)b)->path);
}

static struct vt_err load_newest(struct vt_keep_collect *collect, struct vt_diag *diag)
{
    char(*ids)[VT_KEEP_ID_BYTES] = NULL;
    size_t n = 0;
    VT_TRY(vt_keep_list(collect->keep, diag, &ids, &n));
    if (n != 0)
        vt_err_ignore(vt_keep_load(collect->keep, ids[0], NULL, &collect->before),
                      "without it everything is read once more");
    free(ids);
    if (collect->before.n_files != 0)
        qsort(collect->before.files, collect->before.n_files, sizeof collect->before.files[0],
              compare_paths);
    return vt_ok();
}

struct vt_err vt_keep_collect_new(struct vt_keep *keep, const struct vt_keep_progress *progress,
                                  struct vt_diag *diag, struct vt_keep_collect **ret_collect)
{
    struct vt_keep_collect *collect = calloc(1, sizeof *collect);
    VT_CHECK(collect != NULL, VT_EXHAUSTED, "out of memory");
    collect->keep = keep;
    collect->progress = *progress;
    struct vt_err err = load_newest(collect, diag);
    if (vt_failed(err))
        vt_keep_collect_free(collect);
    else
        *ret_collect = collect;
    return err;
}

void vt_keep_collect_free(struct vt_keep_collect *collect)
{
    if (collect == NULL)
        return;
    vt_keep_manifest_fini(&collect->before);
    vt_keep_manifest_fini(&collect->manifest);
    free(collect);
}

/* ---- one file ---- */

static bool have_contents(const struct vt_keep *keep, const char *sha256, uint64_t bytes)
{
    char path[VT_KEEP_PATH_BYTES];
    struct stat info;
    return !vt_failed(vt_keep_content_path(keep, sha256, path)) && stat(path, &info) == 0 &&
           (uint64_t)info.st_size == bytes;
}

/* The earlier backup's word for it, when the source is as it was then. */
static bool find_unchanged(const struct vt_keep_collect *collect, struct vt_keep_file *file)
{
    if (collect->before.n_files == 0)
        return false;
    const struct vt_keep_file *old =
        bsearch(file, collect->before.files, collect->before.n_files, sizeof *file, compare_paths);
    if (old == NULL || old->bytes != file->bytes || old->mtime_ns != file->mtime_ns ||
        old->inode != file->inode || !have_contents(collect->keep, old->sha256, old->bytes))
        return false;
    memcpy(file->sha256, old->sha256, sizeof file->sha256);
    return true;
}

static struct vt_err take_contents(struct vt_keep_collect *collect, const char *source,
                                   struct vt_keep_file *file, struct vt_diag *diag)
{
    char beside[VT_KEEP_PATH_BYTES], path[VT_KEEP_PATH_BYTES], name[32];
    snprintf(name, sizeof name, ".copy-%ld", (long)getpid());
    VT_TRY(vt_keep_content_path(collect->keep, name, beside));
    unlink(beside);
    VT_TRY(vt_file_copy(source, beside, diag, &file->bytes, file->sha256));
    struct vt_err err = vt_keep_content_path(collect->keep, file->sha256, path);
    if (!vt_failed(err) && rename(beside, path) != 0) {
        vt_diag_set(diag, path, "cannot be made: %s", strerror(errno));
        err = VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot store a file of the backup");
    }
    if (vt_failed(err)) {
        unlink(beside);
        return err;
    }
    collect->copied.bytes += file->bytes;
    collect->copied.files++;
    return vt_ok();
}

static struct vt_err add_file(struct vt_keep_collect *collect, const char *source, const char *path,
                              const struct stat *info, struct vt_diag *diag)
{
    struct vt_keep_file file = {.path = (char *)(uintptr_t)path, /* copied when it is added */
                                .bytes = (uint64_t)info->st_size,
                                .inode = (uint64_t)info->st_ino & INT64_MAX};
    if (info->st_mtim.tv_sec > 0)
        file.mtime_ns = info->st_mtim.tv_sec * NS_PER_S + info->st_mtim.tv_nsec;
    if (!find_unchanged(collect, &file)) {
        VT_TRY(vt_file_sha256(source, diag, file.sha256));
        if (!have_contents(collect->keep, file.sha256, file.bytes))
            VT_TRY(take_contents(collect, source, &file, diag));
    }
    VT_TRY(vt_keep_manifest_add(&collect->manifest, &file));
    if (collect->progress.tell != NULL)
        collect->progress.tell(collect->progress.ctx, collect->manifest.bytes);
    return vt_ok();
}

/* ---- folders ---- */

/* Where a walk stands. */
struct place {
    char source[VT_KEEP_PATH_BYTES]; /* of the folder */
    char path[VT_KEEP_PATH_BYTES];   /* in the backup: empty, or ending with a slash */
    const char *const *leave_out;
    unsigned depth;
};

static bool is_left_out(const struct place *place, const char *name)
{
    if (name[0] == '.')
        return true;
    for (const char *const *out = place->leave_out; out != NULL && *out != NULL; out++)
        if (strcmp(*out, name) == 0)
            return true;
    return false;
}

static struct vt_err join(const struct place *place, const char *name, struct place *ret_below)
{
    *ret_below = (struct place){.depth = place->depth + 1};
    int n = snprintf(ret_below->source, sizeof ret_below->source, "%s/%s", place->source, name);
    int m = snprintf(ret_below->path, sizeof ret_below->path, "%s%s", place->path, name);
    VT_CHECK(n < VT_KEEP_PATH_BYTES - 1 && m < VT_KEEP_NAME_BYTES_MAX, VT_INVALID,
             "a path in the data folder is too long");
    return vt_ok();
}

static struct vt_err tell_changed(struct vt_err err, const char *source, struct vt_diag *diag)
{
    if (err.code != VT_NOT_FOUND)
        return err;
    vt_diag_set(diag, source, "vanished while it was copied: run the backup again");
    return VT_ERR(VT_UNAVAILABLE, "the data folder changed under the backup");
}

static struct vt_err walk(struct vt_keep_collect *collect, const struct place *place,
                          struct vt_diag *diag);

static struct vt_err visit(struct vt_keep_collect *collect, const struct place *place,
                           const char *name, bool folders, struct vt_diag *diag)
{
    struct place below;
    struct stat info;
    VT_TRY(join(place, name, &below));
    if (stat(below.source, &info) != 0)
        return vt_ok(); /* a file that somebody writes beside and renames */
    if (folders && S_ISDIR(info.st_mode)) {
        strcat(below.path, "/"); /* there is room: join left it */
        return walk(collect, &below, diag);
    }
    if (folders || !S_ISREG(info.st_mode))
        return vt_ok();
    return tell_changed(add_file(collect, below.source, below.path, &info, diag), below.source,
                        diag);
}

static struct vt_err walk_kind(struct vt_keep_collect *collect, const struct place *place,
                               bool folders, struct vt_diag *diag)
{
    DIR *folder = opendir(place->source);
    if (folder == NULL) {
        vt_diag_set(diag, place->source, "cannot be read: %s", strerror(errno));
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot read a folder");
    }
    struct vt_err err = vt_ok();
    for (struct dirent *entry; !vt_failed(err) && (entry = readdir(folder)) != NULL;)
        if (!is_left_out(place, entry->d_name))
            err = visit(collect, place, entry->d_name, folders, diag);
    closedir(folder);
    return err;
}

static struct vt_err walk(struct vt_keep_collect *collect, const struct place *place,
                          struct vt_diag *diag)
{
    VT_CHECK(place->depth <= DEPTH_MAX, VT_INVALID, "the data folder is nested too deeply");
    VT_TRY(walk_kind(collect, place, false, diag));
    return walk_kind(collect, place, true, diag);
}

struct vt_err vt_keep_collect_add(struct vt_keep_collect *collect, const char *folder,
                                  const char *prefix, const char *const *leave_out,
                                  struct vt_diag *diag)
{
    struct place place = {.leave_out = leave_out};
    int n = snprintf(place.source, sizeof place.source, "%s", folder);
    snprintf(place.path, sizeof place.path, "%s", prefix);
    VT_CHECK(n < VT_KEEP_PATH_BYTES, VT_INVALID, "the path of the folder is too long");
    return walk(collect, &place, diag);
}

struct vt_err vt_keep_collect_commit(struct vt_keep_collect *collect, uint64_t sequence,
                                     int64_t now_ms, struct vt_diag *diag,
                                     struct vt_keep_manifest *ret_manifest,
                                     struct vt_keep_copied *ret_copied)
{
    collect->manifest.sequence = sequence;
    collect->manifest.time_ms = now_ms;
    VT_TRY(vt_keep_commit(collect->keep, &collect->manifest, diag));
    *ret_copied = collect->copied;
    *ret_manifest = collect->manifest;
    collect->manifest = (struct vt_keep_manifest){0};
    return vt_ok();
}
