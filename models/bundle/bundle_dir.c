/*
 * DIR/bundles as a whole: which versions there are, which one is CURRENT, which one was before.
 * CURRENT and PREVIOUS are one-line files replaced by rename, not symbolic links: a reader gets the
 * old text or the new one, and a copy of the folder by any tool keeps its meaning.
 *
 * A switch replaces two files, and a kill may fall between. PREVIOUS is written first and says what
 * comes before either side of the switch:
 *
 *     what came before the version on the next line
 *     the version that is about to be CURRENT
 *     what came before the one that CURRENT still names
 *
 * The reader takes the first line when CURRENT is the second, else the third. So a kill at any step
 * leaves a CURRENT and a PREVIOUS that belong together: the old pair until CURRENT is renamed, the
 * new one from then on. A PREVIOUS of one line, as older versions wrote it, is taken as it is.
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

enum { POINTER_LINES = 3, POINTER_BYTES_MAX = POINTER_LINES * (VT_VERSION_BYTES_MAX + 1) };

/* What stands in CURRENT (one line) or PREVIOUS; lines that are not there are empty. */
struct pointer {
    char lines[POINTER_LINES][VT_VERSION_BYTES_MAX];
};

/* Empty lines are for the reader to judge; what is not empty must name a version. */
static bool parse_pointer(const char *text, struct pointer *ret_pointer)
{
    *ret_pointer = (struct pointer){0};
    for (unsigned line = 0; line < POINTER_LINES; line++) {
        size_t len = strcspn(text, "\n");
        if (len >= VT_VERSION_BYTES_MAX)
            return false;
        memcpy(ret_pointer->lines[line], text, len);
        if (len > 0 && !vt_version_valid(ret_pointer->lines[line]))
            return false;
        text += len;
        text += *text == '\n';
    }
    return *text == '\0';
}

static struct vt_err read_pointer(const char *data_dir, const char *name, struct vt_diag *diag,
                                  struct pointer *ret_pointer)
{
    char path[VT__PATH_BYTES], *text;
    size_t len;
    VT_TRY(vt__bundle_path(path, data_dir, name, NULL));
    VT_TRY(vt_file_read(path, POINTER_BYTES_MAX, diag, &text, &len));
    bool whole = strlen(text) == len && parse_pointer(text, ret_pointer);
    free(text);
    if (whole)
        return vt_ok();
    vt_diag_set(diag, name, "%s does not hold the name of a version", path);
    return VT_ERR(VT_CORRUPT, "CURRENT or PREVIOUS is damaged");
}

static struct vt_err write_pointer(const char *data_dir, const char *name,
                                   const struct pointer *pointer, struct vt_diag *diag)
{
    char path[VT__PATH_BYTES], text[POINTER_BYTES_MAX];
    VT_TRY(vt__bundle_path(path, data_dir, name, NULL));
    int n = 0;
    for (unsigned line = 0; line < POINTER_LINES; line++)
        if (line == 0 || pointer->lines[1][0] != '\0')
            n += snprintf(text + n, sizeof text - (size_t)n, "%s\n", pointer->lines[line]);
    return vt_file_write_atomic(path, vt_slice(text, (size_t)n), diag);
}

static void set_line(struct pointer *pointer, unsigned line, const char *version)
{
    snprintf(pointer->lines[line], VT_VERSION_BYTES_MAX, "%s", version);
}

struct vt_err vt_bundle_current(const char *data_dir, struct vt_diag *diag, char *ret_version)
{
    struct pointer pointer;
    VT_TRY(read_pointer(data_dir, "CURRENT", diag, &pointer));
    if (pointer.lines[0][0] == '\0') {
        vt_diag_set(diag, "CURRENT", "%s/bundles/CURRENT is empty", data_dir);
        return VT_ERR(VT_CORRUPT, "CURRENT or PREVIOUS is damaged");
    }
    memcpy(ret_version, pointer.lines[0], VT_VERSION_BYTES_MAX);
    return vt_ok();
}

struct vt_err vt_bundle_previous(const char *data_dir, struct vt_diag *diag, char *ret_version)
{
    struct pointer pointer;
    char current[VT_VERSION_BYTES_MAX] = "";
    VT_TRY(read_pointer(data_dir, "PREVIOUS", diag, &pointer));
    vt_err_ignore(vt_bundle_current(data_dir, NULL, current),
                  "without a CURRENT the first line is the best there is");
    bool pending = pointer.lines[1][0] != '\0' && strcmp(pointer.lines[1], current) != 0;
    const char *version = pointer.lines[pending ? 2 : 0];
    if (version[0] == '\0' || strcmp(version, current) == 0) {
        vt_diag_set(diag, "PREVIOUS", "no version served before this one");
        return VT_ERR(VT_NOT_FOUND, "there is no previous version");
    }
    memcpy(ret_version, version, VT_VERSION_BYTES_MAX);
    return vt_ok();
}

/* A PREVIOUS that cannot be read is replaced: the switch is also how an operator mends it. */
static struct vt_err switch_locked(const char *data_dir, const char *version, struct vt_diag *diag)
{
    char before[VT_VERSION_BYTES_MAX], earlier[VT_VERSION_BYTES_MAX];
    struct pointer current = {0}, previous = {0};
    struct vt_err err = vt_bundle_current(data_dir, NULL, before);
    if (!vt_failed(err) && strcmp(before, version) == 0)
        return vt_ok();
    if (!vt_failed(err)) {
        set_line(&previous, 0, before);
        set_line(&previous, 1, version);
        if (!vt_failed(vt_bundle_previous(data_dir, NULL, earlier)))
            set_line(&previous, 2, earlier);
        VT_TRY(write_pointer(data_dir, "PREVIOUS", &previous, diag));
    }
    set_line(&current, 0, version);
    return write_pointer(data_dir, "CURRENT", &current, diag);
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
