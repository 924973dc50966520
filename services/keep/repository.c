/*
 * The folder of backups. Contents are named by their sha256, so a file that did not change between
 * two backups is there once, and a damaged one cannot pass. A backup begins to exist when its
 * manifest is renamed into place, after all it names was synced: whatever is killed before leaves
 * contents without a manifest, which the next backup takes over or prune removes.
 */
#include "services/keep/repository.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKUPS_MAX = 100000,
    MARKER_BYTES_MAX = 4096,
    MANIFEST_BYTES_MAX = 1 << 30,
    LISTED_IDS_MAX = 8, /* in the message about an unknown id */
};

static const char MARKER[] = "vitrine-backup.json";
static const char SUFFIX[] = ".json";

struct vt_keep {
    char path[VT_KEEP_PATH_BYTES];
    char store_id[VT_KEEP_STORE_ID_BYTES]; /* empty: nobody's yet */
    int lock_fd;
};

static struct vt_err path_of(const struct vt_keep *keep, const char *folder, const char *name,
                             char ret_path[VT_KEEP_PATH_BYTES])
{
    int n = snprintf(ret_path, VT_KEEP_PATH_BYTES, "%s/%s%s%s", keep->path, folder,
                     name != NULL ? "/" : "", name != NULL ? name : "");
    VT_CHECK(n > 0 && n < VT_KEEP_PATH_BYTES, VT_INVALID, "the path of the backup is too long");
    return vt_ok();
}

struct vt_err vt_keep_content_path(const struct vt_keep *keep, const char *sha256,
                                   char ret_path[VT_KEEP_PATH_BYTES])
{
    return path_of(keep, "files", sha256, ret_path);
}

static struct vt_err manifest_path(const struct vt_keep *keep, const char *id,
                                   char ret_path[VT_KEEP_PATH_BYTES])
{
    char name[VT_KEEP_ID_BYTES + sizeof SUFFIX];
    snprintf(name, sizeof name, "%s%s", id, SUFFIX);
    return path_of(keep, "backups", name, ret_path);
}

/* ---- whose ---- */

static struct vt_err read_marker(struct vt_keep *keep, struct vt_diag *diag)
{
    char path[VT_KEEP_PATH_BYTES], *text = NULL;
    size_t len = 0;
    int format = 0;
    const char *store = "";
    VT_TRY(path_of(keep, MARKER, NULL, path));
    VT_TRY(vt_file_read(path, MARKER_BYTES_MAX, diag, &text, &len));
    json_t *root = json_loadb(text, len, 0, NULL);
    free(text);
    bool whole = json_unpack(root, "{s:i, s:s}", "format", &format, "store", &store) == 0 &&
                 strlen(store) < sizeof keep->store_id;
    if (whole)
        snprintf(keep->store_id, sizeof keep->store_id, "%s", store);
    json_decref(root);
    if (whole && format == VT_KEEP_FORMAT)
        return vt_ok();
    vt_diag_set(diag, path, whole ? "has format %d: a later version wrote it" : "is damaged",
                format);
    return whole ? VT_ERR(VT_PRECONDITION, "the backups were written by a later version")
                 : VT_ERR(VT_CORRUPT, "the folder of backups is damaged");
}

static struct vt_err write_marker(const struct vt_keep *keep, struct vt_diag *diag)
{
    char path[VT_KEEP_PATH_BYTES], text[128];
    VT_TRY(path_of(keep, MARKER, NULL, path));
    int n = snprintf(text, sizeof text, "{\"format\": %d, \"store\": \"%s\"}\n", VT_KEEP_FORMAT,
                     keep->store_id);
    return vt_file_write_atomic(path, vt_slice(text, (size_t)n), diag);
}

struct vt_err vt_keep_claim(struct vt_keep *keep, const char *store_id, struct vt_diag *diag)
{
    if (strcmp(keep->store_id, store_id) == 0)
        return vt_ok();
    if (keep->store_id[0] != '\0') {
        vt_diag_set(diag, keep->path,
                    "holds backups of store %s, and this is store %s: choose another folder",
                    keep->store_id, store_id);
        return VT_ERR(VT_PRECONDITION, "the backups here are of another store");
    }
    snprintf(keep->store_id, sizeof keep->store_id, "%s", store_id);
    return write_marker(keep, diag);
}

/* ---- opening ---- */

/* Nothing in it but what an interrupted first backup leaves. */
static bool is_vacant(const char *path)
{
    static const char *const ours[] = {".", "..", "lock", "files", "backups"};
    bool vacant = true;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT;
    for (struct dirent *entry; vacant && (entry = readdir(folder)) != NULL;) {
        bool known = strncmp(entry->d_name, MARKER, sizeof MARKER - 1) == 0; /* half written */
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
            known = known || strcmp(entry->d_name, ours[i]) == 0;
        vacant = known;
    }
    closedir(folder);
    return vacant;
}

static struct vt_err judge_folder(struct vt_keep *keep, enum vt_keep_mode mode,
                                  struct vt_diag *diag, bool *ret_marked)
{
    char marker[VT_KEEP_PATH_BYTES];
    VT_TRY(path_of(keep, MARKER, NULL, marker));
    *ret_marked = access(marker, F_OK) == 0;
    if (*ret_marked)
        return vt_ok();
    if (mode == VT_KEEP_READ) {
        vt_diag_set(diag, keep->path, "no backups here: %s is missing", MARKER);
        return VT_ERR(VT_NOT_FOUND, "there are no backups");
    }
    if (is_vacant(keep->path))
        return vt_ok();
    vt_diag_set(diag, keep->path, "holds something else: choose an empty or a new folder");
    return VT_ERR(VT_PRECONDITION, "not a folder of backups");
}

static struct vt_err make_folders(const struct vt_keep *keep, struct vt_diag *diag)
{
    char path[VT_KEEP_PATH_BYTES];
    VT_TRY(path_of(keep, "files", NULL, path));
    VT_TRY(vt_folder_create(path, diag));
    VT_TRY(path_of(keep, "backups", NULL, path));
    VT_TRY(vt_folder_create(path, diag));
    return vt_folder_sync(keep->path, diag);
}

static struct vt_err take_lock(struct vt_keep *keep, enum vt_keep_mode mode, struct vt_diag *diag)
{
    char path[VT_KEEP_PATH_BYTES];
    VT_TRY(path_of(keep, "lock", NULL, path));
    bool write = mode == VT_KEEP_WRITE; /* who only reads may have no right to write */
    keep->lock_fd = open(path, (write ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0600);
    if (keep->lock_fd >= 0 && flock(keep->lock_fd, (write ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
        return vt_ok();
    int sys = errno;
    if (sys == EWOULDBLOCK)
        vt_diag_set(diag, keep->path, "another backup or restore is at it: try again later");
    else
        vt_diag_set(diag, path, "cannot be opened: %s", strerror(sys));
    return VT_ERR_SYS(VT_UNAVAILABLE, sys, "the folder of backups is in use");
}

static struct vt_err open_into(struct vt_keep *keep, enum vt_keep_mode mode, struct vt_diag *diag)
{
    bool marked = false;
    VT_TRY(judge_folder(keep, mode, diag, &marked));
    if (mode == VT_KEEP_WRITE)
        VT_TRY(make_folders(keep, diag));
    VT_TRY(take_lock(keep, mode, diag));
    return marked ? read_marker(keep, diag) : vt_ok();
}

struct vt_err vt_keep_open(const char *path, enum vt_keep_mode mode, struct vt_diag *diag,
                           struct vt_keep **ret_keep)
{
    struct vt_keep *keep = calloc(1, sizeof *keep);
    VT_CHECK(keep != NULL, VT_EXHAUSTED, "out of memory");
    keep->lock_fd = -1;
    struct vt_err err = VT_ERR(VT_INVALID, "the path of the backup is too long");
    if (snprintf(keep->path, sizeof keep->path, "%s", path) < (int)sizeof keep->path)
        err = open_into(keep, mode, diag);
    if (vt_failed(err))
        vt_keep_close(keep);
    else
        *ret_keep = keep;
    return err;
}

void vt_keep_close(struct vt_keep *keep)
{
    if (keep == NULL)
        return;
    if (keep->lock_fd >= 0)
        close(keep->lock_fd);
    free(keep);
}

/* ---- the backups ---- */

static bool id_of(const char *name, char ret_id[VT_KEEP_ID_BYTES])
{
    size_t len = strlen(name), suffix = sizeof SUFFIX - 1;
    if (len <= suffix || len - suffix >= VT_KEEP_ID_BYTES ||
        strcmp(name + len - suffix, SUFFIX) != 0)
        return false;
    memcpy(ret_id, name, len - suffix);
    ret_id[len - suffix] = '\0';
    return vt_keep_id_valid(ret_id);
}

static int newer_first(const void *a, const void *b)
{
    return strcmp(b, a);
}

static struct vt_err read_ids(DIR *folder, char (**ids)[VT_KEEP_ID_BYTES], size_t *ret_n)
{
    char id[VT_KEEP_ID_BYTES];
    size_t n = 0, capacity = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (!id_of(entry->d_name, id))
            continue;
        VT_CHECK(n < BACKUPS_MAX, VT_EXHAUSTED, "too many backups in one folder");
        if (n == capacity) {
            capacity = capacity * 2 + 16;
            void *grown = realloc(*ids, capacity * sizeof **ids);
            VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory");
            *ids = grown;
        }
        memcpy((*ids)[n++], id, sizeof id);
    }
    if (n != 0)
        qsort(*ids, n, sizeof **ids, newer_first);
    *ret_n = n;
    return vt_ok();
}

struct vt_err vt_keep_list(const struct vt_keep *keep, struct vt_diag *diag,
                           char (**ret_ids)[VT_KEEP_ID_BYTES], size_t *ret_n)
{
    char path[VT_KEEP_PATH_BYTES], (*ids)[VT_KEEP_ID_BYTES] = NULL;
    VT_TRY(path_of(keep, "backups", NULL, path));
    DIR *folder = opendir(path);
    if (folder == NULL) {
        vt_diag_set(diag, path, "cannot be read: %s", strerror(errno));
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot list the backups");
    }
    struct vt_err err = read_ids(folder, &ids, ret_n);
    closedir(folder);
    if (vt_failed(err))
        free(ids);
    else
        *ret_ids = ids;
    return err;
}

static struct vt_err tell_unknown(const struct vt_keep *keep, const char *id, struct vt_diag *diag)
{
    char(*ids)[VT_KEEP_ID_BYTES] = NULL, text[LISTED_IDS_MAX * (VT_KEEP_ID_BYTES + 2)] = "";
    size_t n = 0, len = 0;
    VT_TRY(vt_keep_list(keep, diag, &ids, &n));
    for (size_t i = 0; i < n && i < LISTED_IDS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i != 0 ? ", " : "", ids[i]);
    free(ids);
    vt_diag_set(diag, keep->path, "no backup \"%.32s\"; there are %zu: %s", id, n, text);
    return VT_ERR(VT_NOT_FOUND, "there is no such backup");
}

struct vt_err vt_keep_load(const struct vt_keep *keep, const char *id, struct vt_diag *diag,
                           struct vt_keep_manifest *ret_manifest)
{
    char path[VT_KEEP_PATH_BYTES], *text = NULL;
    size_t len = 0;
    struct vt_keep_manifest manifest;
    if (!vt_keep_id_valid(id))
        return tell_unknown(keep, id, diag);
    VT_TRY(manifest_path(keep, id, path));
    struct vt_err err = vt_file_read(path, MANIFEST_BYTES_MAX, diag, &text, &len);
    if (err.code == VT_NOT_FOUND)
        return tell_unknown(keep, id, diag);
    VT_TRY(err);
    struct vt_diag reason = {0};
    err = vt_keep_manifest_decode(vt_slice(text, len), &reason, &manifest);
    free(text);
    if (vt_failed(err)) {
        vt_diag_set(diag, path, "%s", reason.text);
        return err;
    }
    *ret_manifest = manifest;
    return vt_ok();
}

static void make_id(int64_t time_ms, char ret_id[VT_KEEP_ID_BYTES])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t n = strftime(ret_id, VT_KEEP_ID_BYTES, "%Y%m%d-%H%M%S", &utc);
    snprintf(ret_id + n, VT_KEEP_ID_BYTES - n, "%03d", (int)(time_ms % 1000));
}

static struct vt_err choose_id(const struct vt_keep *keep, struct vt_keep_manifest *manifest,
                               char ret_path[VT_KEEP_PATH_BYTES])
{
    for (;; manifest->time_ms++) { /* a millisecond later when the name is taken */
        make_id(manifest->time_ms, manifest->id);
        VT_TRY(manifest_path(keep, manifest->id, ret_path));
        if (access(ret_path, F_OK) != 0)
            return vt_ok();
    }
}

struct vt_err vt_keep_commit(struct vt_keep *keep, struct vt_keep_manifest *manifest,
                             struct vt_diag *diag)
{
    char path[VT_KEEP_PATH_BYTES], files[VT_KEEP_PATH_BYTES], *text = NULL;
    snprintf(manifest->store_id, sizeof manifest->store_id, "%s", keep->store_id);
    VT_TRY(choose_id(keep, manifest, path));
    VT_TRY(vt_keep_manifest_encode(manifest, &text));
    struct vt_err err = path_of(keep, "files", NULL, files);
    if (!vt_failed(err))
        err = vt_folder_sync(files, diag); /* the names of what the manifest will promise */
    if (!vt_failed(err))
        err = vt_file_write_atomic(path, vt_slice_str(text), diag);
    free(text);
    return err;
}

/* ---- pruning ---- */

/* What the backups that stay hold; sorted once all are in. */
struct held {
    char (*names)[VT_SHA256_HEX_BYTES];
    size_t n, capacity;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct vt_err hold_files(struct held *held, const struct vt_keep_manifest *manifest)
{
    if (held->n + manifest->n_files > held->capacity) {
        size_t capacity = 2 * (held->n + manifest->n_files);
        void *grown = realloc(held->names, capacity * sizeof held->names[0]);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory");
        held->names = grown;
        held->capacity = capacity;
    }
    for (size_t i = 0; i < manifest->n_files; i++)
        memcpy(held->names[held->n++], manifest->files[i].sha256, VT_SHA256_HEX_BYTES);
    return vt_ok();
}

static void remove_contents(const struct vt_keep *keep, const struct held *held)
{
    char path[VT_KEEP_PATH_BYTES];
    if (vt_failed(vt_keep_content_path(keep, NULL, path)))
        return;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        bool wanted = held->n != 0 && bsearch(entry->d_name, held->names, held->n,
                                              sizeof held->names[0], compare_names) != NULL;
        bool own = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!wanted && !own && !vt_failed(vt_keep_content_path(keep, entry->d_name, path)))
            unlink(path); /* what stays is removed the next time */
    }
    closedir(folder);
}

static bool is_due(const struct vt_keep_rule *rule, size_t place, int64_t time_ms)
{
    if (place == 0)
        return false;
    bool old = rule->max_age_ms != 0 && time_ms < rule->now_ms - rule->max_age_ms;
    return old || (rule->n_max != 0 && place >= rule->n_max);
}

/* Reads them all before any goes: contents of a manifest that cannot be read must not be lost. */
static struct vt_err judge_all(struct vt_keep *keep, const struct vt_keep_rule *rule,
                               char (*ids)[VT_KEEP_ID_BYTES], size_t n, struct vt_diag *diag,
                               struct held *held, bool *due)
{
    for (size_t i = 0; i < n; i++) {
        struct vt_keep_manifest manifest = {0};
        VT_TRY(vt_keep_load(keep, ids[i], diag, &manifest));
        due[i] = is_due(rule, i, manifest.time_ms);
        struct vt_err err = due[i] ? vt_ok() : hold_files(held, &manifest);
        vt_keep_manifest_fini(&manifest);
        VT_TRY(err);
    }
    if (held->n != 0)
        qsort(held->names, held->n, sizeof held->names[0], compare_names);
    return vt_ok();
}

static struct vt_err remove_due(const struct vt_keep *keep, char (*ids)[VT_KEEP_ID_BYTES], size_t n,
                                const bool *due, struct vt_diag *diag, uint32_t *ret_n_removed)
{
    char path[VT_KEEP_PATH_BYTES];
    for (size_t i = 0; i < n; i++) {
        if (!due[i])
            continue;
        VT_TRY(manifest_path(keep, ids[i], path));
        if (unlink(path) != 0) {
            vt_diag_set(diag, path, "cannot be removed: %s", strerror(errno));
            return VT_ERR_SYS(VT_UNAVAILABLE, errno, "an old backup cannot be removed");
        }
        ++*ret_n_removed;
    }
    VT_TRY(path_of(keep, "backups", NULL, path));
    return vt_folder_sync(path, diag);
}

struct vt_err vt_keep_prune(struct vt_keep *keep, const struct vt_keep_rule *rule,
                            struct vt_diag *diag, uint32_t *ret_n_removed, uint32_t *ret_n_kept)
{
    char(*ids)[VT_KEEP_ID_BYTES] = NULL;
    struct held held = {0};
    size_t n = 0;
    uint32_t n_removed = 0;
    VT_TRY(vt_keep_list(keep, diag, &ids, &n));
    bool *due = calloc(n + 1, sizeof *due);
    struct vt_err err = due != NULL ? judge_all(keep, rule, ids, n, diag, &held, due)
                                    : VT_ERR(VT_EXHAUSTED, "out of memory");
    if (!vt_failed(err))
        err = remove_due(keep, ids, n, due, diag, &n_removed);
    if (!vt_failed(err)) { /* after the manifests that named them */
        remove_contents(keep, &held);
        *ret_n_removed = n_removed;
        *ret_n_kept = (uint32_t)n - n_removed;
    }
    free(due);
    free(held.names);
    free(ids);
    return err;
}
