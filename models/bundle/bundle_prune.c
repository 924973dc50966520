/*
 * What goes out of DIR/bundles: versions too old to go back to, and what killed writers left. A
 * version leaves as it came, by one rename: first out of sight (.tmp-<version>), then file by file.
 * A kill in between leaves a folder that nobody reads and the next writer removes.
 */
#include "models/bundle/bundle_private.h"
#include "services/common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* vt_file_write_atomic writes "CURRENT.XXXXXX" first. */
static bool is_half_pointer(const char *name)
{
    return strncmp(name, "CURRENT.", sizeof "CURRENT." - 1) == 0 ||
           strncmp(name, "PREVIOUS.", sizeof "PREVIOUS." - 1) == 0;
}

static struct vt_err remove_leftover(const char *data_dir, const char *name, struct vt_diag *diag)
{
    char path[VT__PATH_BYTES];
    bool folder = strncmp(name, VT__TMP_PREFIX, sizeof VT__TMP_PREFIX - 1) == 0;
    if (!folder && !is_half_pointer(name))
        return vt_ok();
    VT_TRY(vt__bundle_path(path, data_dir, name, NULL));
    if (folder)
        return vt_folder_remove(path, diag);
    if (unlink(path) == 0 || errno == ENOENT)
        return vt_ok();
    vt_diag_set(diag, "", "cannot remove %s: %s", path, strerror(errno));
    return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot remove what a killed writer left");
}

struct vt_err vt__bundle_remove_leftovers(const char *data_dir, struct vt_diag *diag)
{
    char path[VT__PATH_BYTES];
    VT_TRY(vt__bundle_path(path, data_dir, NULL, NULL));
    DIR *folder = opendir(path);
    VT_CHECK(folder != NULL, VT_UNAVAILABLE, "cannot read the folder of bundles");
    struct vt_err err = vt_ok();
    struct dirent *entry;
    while (!vt_failed(err) && (entry = readdir(folder)) != NULL)
        err = remove_leftover(data_dir, entry->d_name, diag);
    closedir(folder);
    return err;
}

static struct vt_err remove_version(const char *data_dir, const char *version, struct vt_diag *diag)
{
    char from[VT__PATH_BYTES], to[VT__PATH_BYTES], bundles[VT__PATH_BYTES];
    char name[sizeof VT__TMP_PREFIX + VT_VERSION_BYTES_MAX];
    snprintf(name, sizeof name, VT__TMP_PREFIX "%s", version);
    VT_TRY(vt__bundle_path(from, data_dir, version, NULL));
    VT_TRY(vt__bundle_path(to, data_dir, name, NULL));
    VT_TRY(vt__bundle_path(bundles, data_dir, NULL, NULL));
    if (rename(from, to) != 0) {
        vt_diag_set(diag, "", "cannot rename %s to %s: %s", from, to, strerror(errno));
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot take a version away");
    }
    VT_TRY(vt_folder_sync(bundles, diag)); /* before its files go: it must not come back in part */
    return vt_folder_remove(to, diag);
}

/* With the lock held: the list cannot change below, but by hand. */
static struct vt_err prune_locked(const char *data_dir, uint32_t keep, struct vt_diag *diag,
                                  uint32_t *ret_n_removed)
{
    char current[VT_VERSION_BYTES_MAX] = "", previous[VT_VERSION_BYTES_MAX] = "";
    char(*versions)[VT_VERSION_BYTES_MAX];
    uint32_t n, n_removed = 0;
    VT_TRY(vt__bundle_remove_leftovers(data_dir, diag));
    struct vt_err err = vt_bundle_current(data_dir, diag, current);
    if (vt_failed(err) && err.code != VT_NOT_FOUND)
        return err; /* which one serves is not known: nothing is removed */
    vt_err_ignore(vt_bundle_previous(data_dir, NULL, previous), "there may be none yet");
    VT_TRY(vt_bundle_list(data_dir, &versions, &n));
    err = vt_ok();
    for (uint32_t i = keep; i < n && !vt_failed(err); i++) {
        if (strcmp(versions[i], current) == 0 || strcmp(versions[i], previous) == 0)
            continue;
        err = remove_version(data_dir, versions[i], diag);
        n_removed += !vt_failed(err);
    }
    free(versions);
    if (ret_n_removed != NULL)
        *ret_n_removed = n_removed;
    return err;
}

struct vt_err vt_bundle_prune(const char *data_dir, uint32_t keep, struct vt_diag *diag,
                              uint32_t *ret_n_removed)
{
    VT_CHECK(keep >= 1, VT_INVALID, "at least one version must stay");
    int lock;
    VT_TRY(vt__bundle_lock(data_dir, diag, &lock));
    struct vt_err err = prune_locked(data_dir, keep, diag, ret_n_removed);
    vt__bundle_unlock(lock);
    return err;
}
