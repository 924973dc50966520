/*
 * DIR/bundles as a whole: which versions there are, which one is CURRENT, which one was before.
 * CURRENT and PREVIOUS are one-line files replaced by rename, not symbolic links: a reader gets the
 * old text or the new one, and a copy of the folder by any tool keeps its meaning. PREVIOUS is
 * written first: a kill in between leaves the old CURRENT in force, which is the promise that
 * counts.
 */
#include "models/bundle/bundle_private.h"
#include "models/bundle/manifest.h"
#include "services/common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSIONS_MAX = 100000 };

struct vt_err vt__bundle_lock(const char *data_dir, struct vt_diag *diag, int *ret_fd)
{
    char path[VT__PATH_BYTES];
    VT_TRY(vt__bundle_path(path, data_dir, NULL, NULL));
    VT_TRY(vt_folder_create(path, diag));
    VT_TRY(vt__bundle_path(path, data_dir, ".lock", NULL));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int locked = -1;
    while (fd >= 0 && (locked = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
        ;
    if (locked == 0) {
        *ret_fd = fd;
        return vt_ok();
    }
    int sys = errno;
    vt_diag_set(diag, "", "cannot lock %s: %s", path, strerror(sys));
    if (fd >= 0)
        close(fd);
    return VT_ERR_SYS(VT_UNAVAILABLE, sys, "cannot lock the folder of bundles");
}

void vt__bundle_unlock(int fd)
{
    close(fd); /* gives the lock back */
}

/* ---- CURRENT and PREVIOUS ---- */

static struct vt_err read_pointer(const char *data_dir, const char *name, struct vt_diag *diag,
                                  char *ret_version)
{
    char path[VT__PATH_BYTES], *text;
    size_t len;
    VT_TRY(vt__bundle_path(path, data_dir, name, NULL));
    VT_TRY(vt_file_read(path, VT_VERSION_BYTES_MAX, diag, &text, &len));
    text[strcspn(text, "\n")] = '\0';
    bool valid = vt_version_valid(text);
    if (valid)
        snprintf(ret_version, VT_VERSION_BYTES_MAX, "%s", text);
    else
        vt_diag_set(diag, name, "%s does not hold the name of a version", path);
    free(text);
    VT_CHECK(valid, VT_CORRUPT, "CURRENT or PREVIOUS is damaged");
    return vt_ok();
}

static struct vt_err write_pointer(const char *data_dir, const char *name, const char *version,
                                   struct vt_diag *diag)
{
    char path[VT__PATH_BYTES], text[VT_VERSION_BYTES_MAX + 1];
    VT_TRY(vt__bundle_path(path, data_dir, name, NULL));
    int n = snprintf(text, sizeof text, "%s\n", version);
    return vt_file_write_atomic(path, vt_slice(text, (size_t)n), diag);
}

struct vt_err vt_bundle_current(const char *data_dir, struct vt_diag *diag, char *ret_version)
{
    return read_pointer(data_dir, "CURRENT", diag, ret_version);
}

struct vt_err vt_bundle_previous(const char *data_dir, struct vt_diag *diag, char *ret_version)
{
    return read_pointer(data_dir, "PREVIOUS", diag, ret_version);
}

static struct vt_err switch_locked(const char *data_dir, const char *version, struct vt_diag *diag)
{
    char before[VT_VERSION_BYTES_MAX];
    struct vt_err err = vt_bundle_current(data_dir, NULL, before);
    if (!vt_failed(err) && strcmp(before, version) == 0)
        return vt_ok();
    if (!vt_failed(err))
        VT_TRY(write_pointer(data_dir, "PREVIOUS", before, diag));
    return write_pointer(data_dir, "CURRENT", version, diag);
}

struct vt_err vt_bundle_publish(const char *data_dir, const char *version, struct vt_diag *diag)
{
    struct vt_bundle *bundle;
    VT_TRY(vt_bundle_open(data_dir, version, true, diag, &bundle));
    vt_bundle_release(bundle);
    int lock;
    VT_TRY(vt__bundle_lock(data_dir, diag, &lock));
    struct vt_err err = switch_locked(data_dir, version, diag);
    vt__bundle_unlock(lock);
    return err;
}

/* ---- the list ---- */

struct version_list {
    char (*names)[VT_VERSION_BYTES_MAX];
    uint32_t n, capacity;
};

static struct vt_err append(struct version_list *list, const char *name)
{
    VT_CHECK(list->n < VERSIONS_MAX, VT_EXHAUSTED, "too many versions in the folder of bundles");
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity * 2 + 16;
        void *grown = realloc(list->names, capacity * sizeof *list->names);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory for the list of versions");
        list->names = grown;
        list->capacity = capacity;
    }
    size_t len = strnlen(name, VT_VERSION_BYTES_MAX - 1);
    memcpy(list->names[list->n], name, len);
    list->names[list->n++][len] = '\0';
    return vt_ok();
}

static bool is_version_folder(DIR *folder, const char *name)
{
    struct stat info;
    return vt_version_valid(name) && fstatat(dirfd(folder), name, &info, 0) == 0 &&
           S_ISDIR(info.st_mode);
}

static int newer_first(const void *a, const void *b)
{
    return strcmp(b, a);
}

struct vt_err vt_bundle_list(const char *data_dir, char (**ret_versions)[VT_VERSION_BYTES_MAX],
                             uint32_t *ret_n)
{
    char path[VT__PATH_BYTES];
    VT_TRY(vt__bundle_path(path, data_dir, NULL, NULL));
    struct version_list list = {0};
    struct vt_err err = vt_ok();
    DIR *folder = opendir(path);
    if (folder == NULL && errno != ENOENT)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot read the folder of bundles");
    struct dirent *entry;
    while (folder != NULL && !vt_failed(err) && (entry = readdir(folder)) != NULL)
        if (is_version_folder(folder, entry->d_name))
            err = append(&list, entry->d_name);
    if (folder != NULL)
        closedir(folder);
    if (vt_failed(err)) {
        free(list.names);
        return err;
    }
    if (list.n > 0)
        qsort(list.names, list.n, sizeof *list.names, newer_first);
    *ret_versions = list.names;
    *ret_n = list.n;
    return vt_ok();
}
