/*
 * Folders as arguments: each stands for the files in it that are known by name, in the order that
 * describes before it mentions. Every path is looked at before any is read, so that a missing
 * file is told before minutes of work.
 */
#include "services/ingest/ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const known_files[] = {
    "u.item",
    "u.user",
    "u.data",
    "items.jsonl",
    "customers.jsonl",
    "channels.jsonl",
    "events.jsonl",
    "items.jsonl.xz",
    "items.jsonl.gz",
    "items.jsonl.zst",
    "customers.jsonl.xz",
    "customers.jsonl.gz",
    "customers.jsonl.zst",
    "events.jsonl.xz",
    "events.jsonl.gz",
    "events.jsonl.zst",
    "online_retail.csv.xz",
    "online_retail.csv",
};
enum { N_KNOWN_FILES = sizeof known_files / sizeof known_files[0], PATH_BYTES = 4096 };

static struct vt_err add_path(const char *path, char **paths, size_t *n)
{
    VT_CHECK(*n < VT_INGEST_FILES_MAX, VT_INVALID, "more than 1,000 files in one import");
    paths[*n] = strdup(path);
    VT_CHECK(paths[*n] != NULL, VT_EXHAUSTED, "out of memory");
    (*n)++;
    return vt_ok();
}

static struct vt_err expand_folder(const char *folder, struct vt_diag *diag, char **paths,
                                   size_t *n)
{
    size_t before = *n;
    char path[PATH_BYTES];
    for (size_t i = 0; i < N_KNOWN_FILES; i++) {
        int len = snprintf(path, sizeof path, "%s/%s", folder, known_files[i]);
        if (len < PATH_BYTES && access(path, F_OK) == 0)
            VT_TRY(add_path(path, paths, n));
    }
    if (*n > before)
        return vt_ok();
    vt_diag_set(diag, folder,
                "is a folder without files known by name (items.jsonl, customers.jsonl, "
                "events.jsonl, u.data …); name its files");
    return VT_ERR(VT_INVALID, "nothing to import in the folder");
}

static struct vt_err expand_path(const char *path, struct vt_diag *diag, char **paths, size_t *n)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        vt_diag_set(diag, path, "%s", strerror(errno));
        return VT_ERR_SYS(VT_NOT_FOUND, errno, "cannot open the file");
    }
    return S_ISDIR(status.st_mode) ? expand_folder(path, diag, paths, n) : add_path(path, paths, n);
}

struct vt_err vt_ingest_expand(const char *const *paths, size_t n_paths, struct vt_diag *diag,
                               char ***ret_paths, size_t *ret_n)
{
    size_t n = 0;
    char **list = calloc(VT_INGEST_FILES_MAX, sizeof *list);
    VT_CHECK(list != NULL, VT_EXHAUSTED, "out of memory");
    struct vt_err err = vt_ok();
    for (size_t i = 0; i < n_paths && !vt_failed(err); i++)
        err = expand_path(paths[i], diag, list, &n);
    if (vt_failed(err)) {
        vt_ingest_paths_free(list, n);
        return err;
    }
    *ret_paths = list;
    *ret_n = n;
    return vt_ok();
}

void vt_ingest_paths_free(char **paths, size_t n)
{
    for (size_t i = 0; paths != NULL && i < n; i++)
        free(paths[i]);
    free(paths);
}
