/*
 * The two directions of a backup's manifest, side by side. The seal is taken over the text as it is
 * written, without the last key, so that a changed digit anywhere is damage and not another backup.
 */
#include "services/keep/manifest.h"

#include "services/common/base/sha256.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char SEAL[] = "sha256";

struct vt_err vt_keep_manifest_add(struct vt_keep_manifest *manifest,
                                   const struct vt_keep_file *file)
{
    VT_CHECK(manifest->n_files < VT_KEEP_FILES_MAX, VT_EXHAUSTED, "a backup of too many files");
    if (manifest->n_files == manifest->capacity) {
        size_t capacity = manifest->capacity * 2 + 64;
        void *grown = realloc(manifest->files, capacity * sizeof manifest->files[0]);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory");
        manifest->files = grown;
        manifest->capacity = capacity;
    }
    struct vt_keep_file added = *file;
    added.path = strdup(file->path);
    VT_CHECK(added.path != NULL, VT_EXHAUSTED, "out of memory");
    manifest->files[manifest->n_files++] = added;
    manifest->bytes += file->bytes;
    return vt_ok();
}

void vt_keep_manifest_fini(struct vt_keep_manifest *manifest)
{
    for (size_t i = 0; i < manifest->n_files; i++)
        free(manifest->files[i].path);
    free(manifest->files);
    *manifest = (struct vt_keep_manifest){0};
}

bool vt_keep_id_valid(const char *id)
{
    size_t len = strnlen(id, VT_KEEP_ID_BYTES);
    return len > 0 && len < VT_KEEP_ID_BYTES && strspn(id, "0123456789-") == len;
}

/* ---- seal ---- */

static struct vt_err seal_of(const json_t *root, char ret_hex[VT_SHA256_HEX_BYTES])
{
    char *text = json_dumps(root, JSON_INDENT(1));
    VT_CHECK(text != NULL, VT_EXHAUSTED, "out of memory");
    struct vt_err err = vt_sha256(vt_slice_str(text), ret_hex);
    free(text);
    return err;
}

/* ---- encode ---- */

static json_t *encode_file(const struct vt_keep_file *file)
{
    return json_pack("{s:s, s:I, s:s, s:I, s:I}", "path", file->path, "bytes",
                     (json_int_t)file->bytes, "sha256", file->sha256, "mtime_ns",
                     (json_int_t)file->mtime_ns, "inode", (json_int_t)file->inode);
}

static struct vt_err encode_root(const struct vt_keep_manifest *manifest, json_t **ret_root)
{
    json_t *files = json_array();
    for (size_t i = 0; i < manifest->n_files; i++)
        json_array_append_new(files, encode_file(&manifest->files[i]));
    bool whole = json_array_size(files) == manifest->n_files;
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:o}", "format", VT_KEEP_FORMAT, "id", manifest->id,
                  "store", manifest->store_id, "time_ms", (json_int_t)manifest->time_ms, "sequence",
                  (json_int_t)manifest->sequence, "files", files);
    if (root != NULL && whole) {
        *ret_root = root;
        return vt_ok();
    }
    json_decref(root);
    return VT_ERR(VT_INVALID, "a path of the backup is not UTF-8");
}

struct vt_err vt_keep_manifest_encode(const struct vt_keep_manifest *manifest, char **ret_json)
{
    json_t *root = NULL;
    char seal[VT_SHA256_HEX_BYTES];
    VT_TRY(encode_root(manifest, &root));
    struct vt_err err = seal_of(root, seal);
    char *text = NULL;
    if (!vt_failed(err)) {
        json_object_set_new(root, SEAL, json_string(seal));
        text = json_dumps(root, JSON_INDENT(1));
    }
    json_decref(root);
    VT_TRY(err);
    VT_CHECK(text != NULL, VT_EXHAUSTED, "out of memory");
    *ret_json = text;
    return vt_ok();
}

/* ---- decode ---- */

static struct vt_err refuse(struct vt_diag *diag, const char *key, const char *reason)
{
    vt_diag_set(diag, "manifest", "\"%s\" %s", key, reason);
    return VT_ERR(VT_CORRUPT, "the manifest of the backup is damaged");
}

static bool copy_text(const json_t *object, const char *key, char *ret_text, size_t size_bytes)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    if (text == NULL || json_string_length(value) >= size_bytes)
        return false;
    memcpy(ret_text, text, json_string_length(value) + 1);
    return true;
}

static bool copy_count(const json_t *object, const char *key, uint64_t *ret_count)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret_count = (uint64_t)json_integer_value(value);
    return true;
}

/* Below the folder it is restored into: no way up, none from the root. */
static bool stays_inside(const char *path)
{
    if (path[0] == '\0' || strlen(path) > VT_KEEP_NAME_BYTES_MAX)
        return false;
    for (const char *part = path;; part++) {
        size_t len = strcspn(part, "/");
        if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0))
            return false;
        part += len;
        if (*part == '\0')
            return true;
    }
}

static struct vt_err decode_file(const json_t *object, struct vt_diag *diag,
                                 struct vt_keep_manifest *manifest)
{
    struct vt_keep_file file = {0};
    char path[VT_KEEP_NAME_BYTES_MAX + 1];
    uint64_t mtime_ns = 0;
    if (!copy_text(object, "path", path, sizeof path) || !stays_inside(path))
        return refuse(diag, "files", "has a path that leads outside of the folder");
    if (!copy_text(object, "sha256", file.sha256, sizeof file.sha256) ||
        strspn(file.sha256, "0123456789abcdef") != VT_SHA256_HEX_BYTES - 1)
        return refuse(diag, "files", "has an entry without a sha256");
    if (!copy_count(object, "bytes", &file.bytes) || !copy_count(object, "inode", &file.inode) ||
        !copy_count(object, "mtime_ns", &mtime_ns))
        return refuse(diag, "files", "has an entry without size, inode or time");
    file.mtime_ns = (int64_t)mtime_ns;
    file.path = path;
    return vt_keep_manifest_add(manifest, &file);
}

static struct vt_err decode_root(const json_t *root, struct vt_diag *diag,
                                 struct vt_keep_manifest *manifest)
{
    uint64_t format = 0, time_ms = 0;
    if (!copy_count(root, "format", &format))
        return refuse(diag, "format", "is missing");
    if (format != VT_KEEP_FORMAT) {
        vt_diag_set(diag, "manifest",
                    "has format %llu, and this version knows %d: a later version "
                    "wrote it",
                    (unsigned long long)format, VT_KEEP_FORMAT);
        return VT_ERR(VT_PRECONDITION, "the backup was written by a later version");
    }
    if (!copy_text(root, "id", manifest->id, sizeof manifest->id) ||
        !vt_keep_id_valid(manifest->id))
        return refuse(diag, "id", "is not the name of a backup");
    if (!copy_text(root, "store", manifest->store_id, sizeof manifest->store_id))
        return refuse(diag, "store", "is missing");
    if (!copy_count(root, "sequence", &manifest->sequence) ||
        !copy_count(root, "time_ms", &time_ms))
        return refuse(diag, "sequence", "or \"time_ms\" is missing");
    manifest->time_ms = (int64_t)time_ms;
    const json_t *files = json_object_get(root, "files");
    for (size_t i = 0; i < json_array_size(files); i++)
        VT_TRY(decode_file(json_array_get(files, i), diag, manifest));
    return json_is_array(files) ? vt_ok() : refuse(diag, "files", "is missing");
}

/* Takes the seal out of `root` and compares. */
static struct vt_err check_seal(json_t *root, struct vt_diag *diag)
{
    char told[VT_SHA256_HEX_BYTES], is[VT_SHA256_HEX_BYTES];
    if (!copy_text(root, SEAL, told, sizeof told))
        return refuse(diag, SEAL, "is missing");
    json_object_del(root, SEAL);
    VT_TRY(seal_of(root, is));
    return strcmp(told, is) == 0 ? vt_ok()
                                 : refuse(diag, SEAL, "is not that of the rest: it was changed");
}

struct vt_err vt_keep_manifest_decode(struct vt_slice json, struct vt_diag *diag,
                                      struct vt_keep_manifest *ret_manifest)
{
    json_error_t where;
    json_t *root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        vt_diag_set(diag, "manifest", "line %d: %s", where.line, where.text);
        return VT_ERR(VT_CORRUPT, "the manifest of the backup is not JSON");
    }
    struct vt_keep_manifest manifest = {0};
    struct vt_err err = decode_root(root, diag, &manifest);
    if (!vt_failed(err))
        err = check_seal(root, diag);
    json_decref(root);
    if (vt_failed(err))
        vt_keep_manifest_fini(&manifest);
    else
        *ret_manifest = manifest;
    return err;
}
