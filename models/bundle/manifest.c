/*
 * The manifest's two directions, kept side by side: the scalars are one table that both walk, so a
 * key cannot be written and not read. JSON goes through jansson; duplicates and over-long texts are
 * refused, since a manifest that can be read in two ways is damaged. Its last key is the sha256 of
 * the text without that key, so that a changed number is damage too.
 */
#include "models/bundle/manifest.h"

#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum scalar_kind { TEXT, TIME, COUNT64, COUNT32, REAL };

struct scalar {
    const char *key;
    enum scalar_kind kind;
    size_t offset, size_bytes;
    double max; /* of COUNT32 and COUNT64 */
};

/* The parts of the mix by their keys. */
static const struct {
    const char *key;
    size_t offset;
} members[] = {
    {"factor", offsetof(struct vt_bundle_mix, factor)},
    {"kernel", offsetof(struct vt_bundle_mix, kernel)},
    {"neighbor", offsetof(struct vt_bundle_mix, neighbor)},
    {"popular", offsetof(struct vt_bundle_mix, popular)},
};
enum { N_MEMBERS = sizeof members / sizeof members[0] };

#define SCALAR(key_, kind_, field_, max_)                                                          \
    {                                                                                              \
        key_, kind_, offsetof(struct vt_manifest, field_),                                         \
            sizeof(((struct vt_manifest *)0)->field_), max_                                        \
    }

static const struct scalar scalars[] = {
    SCALAR("version", TEXT, version, 0),
    SCALAR("parent", TEXT, parent, 0),
    SCALAR("algorithm", TEXT, algorithm, 0),
    SCALAR("blas", TEXT, blas, 0),
    SCALAR("create_time_ms", TIME, create_time_ms, 0),
    SCALAR("first_event_time_ms", TIME, first_time_ms, 0),
    SCALAR("last_event_time_ms", TIME, last_time_ms, 0),
    SCALAR("users", COUNT64, n_users, 1e15),
    SCALAR("interactions", COUNT64, n_interactions, 1e15),
    SCALAR("items", COUNT32, n_items, UINT32_MAX - 1.0),
    SCALAR("factors", COUNT32, dim, VT_BUNDLE_DIM_MAX),
    SCALAR("factor_stride", COUNT32, factor_stride, VT_BUNDLE_DIM_MAX),
    SCALAR("regularization", REAL, regularization, 0),
    SCALAR("regularization_exponent", REAL, regularization_exponent, 0),
    SCALAR("unobserved_weight", REAL, unobserved_weight, 0),
    SCALAR("decay_half_life_days", REAL, decay_half_life_days, 0),
};
enum { N_SCALARS = sizeof scalars / sizeof scalars[0] };

bool vt_version_valid(const char *version)
{
    size_t len = strnlen(version, VT_VERSION_BYTES_MAX);
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    return len > 0 && len < VT_VERSION_BYTES_MAX && version[0] != '.' &&
           strspn(version, allowed) == len;
}

/* ---- text and seal ---- */

static const char SEAL[] = "sha256";

static char *text_of(const json_t *root)
{
    return json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
}

/* The sha256 of everything in `root`, which has no seal (now). */
static struct vt_err seal_of(const json_t *root, char ret_hex[VT_SHA256_HEX_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t len = 0;
    char *text = text_of(root);
    VT_CHECK(text != NULL, VT_EXHAUSTED, "out of memory for the manifest");
    int done = EVP_Q_digest(NULL, "SHA256", NULL, text, strlen(text), digest, &len);
    free(text);
    VT_CHECK(done == 1 && 2 * len + 1 == VT_SHA256_HEX_BYTES, VT_INTERNAL, "SHA-256 of a text");
    for (size_t i = 0; i < len; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
    return vt_ok();
}

/* ---- encode ---- */

static json_t *encode_scalar(const struct vt_manifest *manifest, const struct scalar *scalar)
{
    const char *at = (const char *)manifest + scalar->offset;
    switch (scalar->kind) {
    case TEXT:
        return json_string(at);
    case TIME:
    case COUNT64:
        return json_integer(*(const int64_t *)(const void *)at);
    case COUNT32:
        return json_integer(*(const uint32_t *)(const void *)at);
    case REAL:
        return json_real(*(const double *)(const void *)at);
    }
    return NULL;
}

static json_t *encode_by_type(const float numbers[VT_EVENT_TYPE_COUNT], bool zeroes)
{
    json_t *object = json_object();
    for (unsigned type = 1; type < VT_EVENT_TYPE_COUNT; type++)
        if (zeroes || numbers[type] > 0)
            json_object_set_new(object, vt_event_type_name(type), json_real((double)numbers[type]));
    return object;
}

static json_t *encode_mix(const struct vt_manifest *manifest)
{
    json_t *mix = json_object();
    for (size_t i = 0; i < N_MEMBERS; i++) {
        float weight;
        memcpy(&weight, (const char *)&manifest->mix + members[i].offset, sizeof weight);
        json_object_set_new(mix, members[i].key, json_real((double)weight));
    }
    return mix;
}

static json_t *encode_features(const struct vt_manifest *manifest)
{
    json_t *features = json_array();
    for (uint32_t f = 0; f < manifest->ranker_features.n; f++)
        json_array_append_new(features,
                              json_string(vt_rank_feature_name(manifest->ranker_features.ids[f])));
    return features;
}

static json_t *encode_parameters(const struct vt_manifest *manifest)
{
    json_t *parameters = json_object();
    for (uint32_t i = 0; i < manifest->n_parameters; i++)
        json_object_set_new(parameters, manifest->parameters[i].name,
                            json_string(manifest->parameters[i].value));
    return parameters;
}

static json_t *encode_metrics(const struct vt_manifest *manifest)
{
    json_t *metrics = json_object();
    for (uint32_t i = 0; i < manifest->n_metrics; i++)
        json_object_set_new(metrics, manifest->metrics[i].name,
                            json_real(manifest->metrics[i].value));
    return metrics;
}

static json_t *encode_files(const struct vt_manifest *manifest)
{
    json_t *files = json_object();
    for (uint32_t i = 0; i < manifest->n_files; i++)
        json_object_set_new(files, manifest->files[i].name, json_string(manifest->files[i].sha256));
    return files;
}

static bool fill_root(const struct vt_manifest *manifest, json_t *root)
{
    json_object_set_new(root, "format", json_integer(VT_BUNDLE_FORMAT));
    /* jansson refuses NULL, NaN and broken UTF-8 as a value: the key is then missing and the count
     * below is short, so one check covers every failure. */
    for (size_t i = 0; i < N_SCALARS; i++)
        json_object_set_new(root, scalars[i].key, encode_scalar(manifest, &scalars[i]));
    json_object_set_new(root, "event_weights", encode_by_type(manifest->event_weights, true));
    json_object_set_new(root, "value_exponents", encode_by_type(manifest->value_exponents, false));
    json_object_set_new(root, "kernel", json_string(manifest->kernel_name));
    json_object_set_new(root, "mix", encode_mix(manifest));
    json_object_set_new(root, "ranker_features", encode_features(manifest));
    json_object_set_new(root, "parameters", encode_parameters(manifest));
    json_object_set_new(root, "metrics", encode_metrics(manifest));
    json_object_set_new(root, "files", encode_files(manifest));
    return json_object_size(root) == N_SCALARS + 9 &&
           json_object_size(json_object_get(root, "mix")) == N_MEMBERS &&
           json_object_size(json_object_get(root, "metrics")) == manifest->n_metrics &&
           json_object_size(json_object_get(root, "parameters")) == manifest->n_parameters &&
           json_object_size(json_object_get(root, "files")) == manifest->n_files;
}

static struct vt_err encode_sealed(const struct vt_manifest *manifest, json_t *root,
                                   char **ret_json)
{
    char seal[VT_SHA256_HEX_BYTES];
    VT_CHECK(fill_root(manifest, root), VT_INVALID,
             "manifest has a text or number that JSON cannot hold");
    VT_TRY(seal_of(root, seal));
    json_object_set_new(root, SEAL, json_string(seal));
    char *text = text_of(root);
    VT_CHECK(text != NULL, VT_EXHAUSTED, "out of memory for the manifest");
    *ret_json = text;
    return vt_ok();
}

struct vt_err vt_manifest_encode(const struct vt_manifest *manifest, char **ret_json)
{
    json_t *root = json_object();
    struct vt_err err = encode_sealed(manifest, root, ret_json);
    json_decref(root);
    return err;
}

/* ---- decode ---- */

static struct vt_err refuse(struct vt_diag *diag, const char *key, const char *reason)
{
    vt_diag_set(diag, key, "manifest.json: \"%s\" %s", key, reason);
    return VT_ERR(VT_CORRUPT, "manifest is damaged");
}

/* False when it is not text or does not fit with its NUL. */
static bool copy_text(const json_t *value, char *ret_text, size_t size_bytes)
{
    const char *text = json_string_value(value);
    if (text == NULL || json_string_length(value) >= size_bytes)
        return false;
    memcpy(ret_text, text, json_string_length(value) + 1);
    return true;
}

static bool copy_real(const json_t *value, double *ret_value)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number))
        return false;
    *ret_value = number;
    return true;
}

static bool decode_scalar(const json_t *value, const struct scalar *scalar,
                          struct vt_manifest *manifest)
{
    void *at = (char *)manifest + scalar->offset;
    json_int_t integer = json_integer_value(value);
    switch (scalar->kind) {
    case TEXT:
        return copy_text(value, at, scalar->size_bytes);
    case REAL:
        return copy_real(value, at);
    case TIME:
        *(int64_t *)at = integer;
        return json_is_integer(value);
    case COUNT64:
        *(uint64_t *)at = (uint64_t)integer;
        return json_is_integer(value) && integer >= 0 && (double)integer <= scalar->max;
    case COUNT32:
        *(uint32_t *)at = (uint32_t)integer;
        return json_is_integer(value) && integer >= 0 && (double)integer <= scalar->max;
    }
    return false;
}

/* A type that came later than this manifest, or was left out, has 0. */
static struct vt_err decode_by_type(const json_t *root, const char *name, double min, double max,
                                    struct vt_diag *diag, float ret[VT_EVENT_TYPE_COUNT])
{
    const json_t *object = json_object_get(root, name);
    for (unsigned type = 1; type < VT_EVENT_TYPE_COUNT; type++) {
        double number = 0;
        const json_t *value = json_object_get(object, vt_event_type_name(type));
        if (value == NULL)
            continue;
        if (!copy_real(value, &number) || number < min || number > max)
            return refuse(diag, name, "has a number out of range, or something else");
        ret[type] = (float)number;
    }
    return vt_ok();
}

static struct vt_err decode_mix(const json_t *object, struct vt_diag *diag,
                                struct vt_manifest *manifest)
{
    for (size_t i = 0; i < N_MEMBERS; i++) {
        double weight = 0;
        if (!copy_real(json_object_get(object, members[i].key), &weight) || fabs(weight) > 1e6)
            return refuse(diag, "mix", "has a weight that is no number");
        memcpy((char *)&manifest->mix + members[i].offset, &(float){(float)weight}, sizeof(float));
    }
    return vt_ok();
}

static struct vt_err refuse_feature(struct vt_diag *diag, const char *name)
{
    vt_diag_set(diag, "ranker_features",
                "manifest.json: \"ranker_features\" has '%.40s', which this program does not know: "
                "its trees cannot be asked. The version was made by a later vitrine",
                name != NULL ? name : "(no text)");
    return VT_ERR(VT_CORRUPT, "the ranker of a version asks for an unknown feature");
}

/* Absent in what was written before rankers served. */
static struct vt_err decode_features(const json_t *array, struct vt_diag *diag,
                                     struct vt_manifest *manifest)
{
    struct vt_rank_features *features = &manifest->ranker_features;
    if (array == NULL)
        return vt_ok();
    if (!json_is_array(array) || json_array_size(array) > VT_RANK_FEATURES_MAX)
        return refuse(diag, "ranker_features", "is no list, or has too many entries");
    for (size_t f = 0; f < json_array_size(array); f++) {
        const char *name = json_string_value(json_array_get(array, f));
        if (name == NULL || !vt_rank_feature_find(name, &features->ids[features->n++]))
            return refuse_feature(diag, name);
    }
    return vt_ok();
}

/* What came with format 2. */
static struct vt_err decode_parts(const json_t *root, struct vt_diag *diag,
                                  struct vt_manifest *manifest)
{
    if (!copy_text(json_object_get(root, "kernel"), manifest->kernel_name,
                   sizeof manifest->kernel_name))
        return refuse(diag, "kernel", "is missing or too long");
    VT_TRY(decode_features(json_object_get(root, "ranker_features"), diag, manifest));
    return decode_mix(json_object_get(root, "mix"), diag, manifest);
}

static struct vt_err decode_parameters(json_t *object, struct vt_diag *diag,
                                       struct vt_manifest *manifest)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (manifest->n_parameters == VT_BUNDLE_PARAMETERS_MAX)
            return refuse(diag, "parameters", "has too many entries");
        struct vt_bundle_parameter *to = &manifest->parameters[manifest->n_parameters++];
        if (strlen(key) >= sizeof to->name || !copy_text(value, to->value, sizeof to->value))
            return refuse(diag, "parameters", "has an entry that is too long or no text");
        memcpy(to->name, key, strlen(key) + 1);
    }
    return vt_ok();
}

static struct vt_err decode_metrics(json_t *object, struct vt_diag *diag,
                                    struct vt_manifest *manifest)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (manifest->n_metrics == VT_BUNDLE_METRICS_MAX)
            return refuse(diag, "metrics", "has too many entries");
        struct vt_bundle_metric *to = &manifest->metrics[manifest->n_metrics++];
        if (strlen(key) >= sizeof to->name || !copy_real(value, &to->value))
            return refuse(diag, "metrics", "has an entry that is too long or no number");
        memcpy(to->name, key, strlen(key) + 1);
    }
    return vt_ok();
}

static struct vt_err decode_files(json_t *object, struct vt_diag *diag,
                                  struct vt_manifest *manifest)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (manifest->n_files == VT_MANIFEST_FILES_MAX)
            return refuse(diag, "files", "has too many entries");
        struct vt_manifest_file *to = &manifest->files[manifest->n_files++];
        /* A file name obeys the rule of version names: so it stays inside the folder. */
        if (!vt_version_valid(key) || strlen(key) >= sizeof to->name)
            return refuse(diag, "files", "names a file outside the bundle");
        if (!copy_text(value, to->sha256, sizeof to->sha256) ||
            strspn(to->sha256, "0123456789abcdef") != VT_SHA256_HEX_BYTES - 1)
            return refuse(diag, "files", "has an entry without a sha256");
        memcpy(to->name, key, strlen(key) + 1);
    }
    return vt_ok();
}

static struct vt_err decode_root(const json_t *root, struct vt_diag *diag,
                                 struct vt_manifest *manifest)
{
    if (!json_is_object(root))
        return refuse(diag, "", "is not an object");
    json_int_t format = json_integer_value(json_object_get(root, "format"));
    if (format < VT_BUNDLE_FORMAT_OLDEST || format > VT_BUNDLE_FORMAT)
        return refuse(diag, "format", "is not 1 or 2: written by another version of vitrine");
    for (size_t i = 0; i < N_SCALARS; i++)
        if (!decode_scalar(json_object_get(root, scalars[i].key), &scalars[i], manifest))
            return refuse(diag, scalars[i].key, "is missing or impossible");
    if (!vt_version_valid(manifest->version))
        return refuse(diag, "version", "is not a version name");
    if (manifest->parent[0] != '\0' && !vt_version_valid(manifest->parent))
        return refuse(diag, "parent", "is not a version name");
    VT_TRY(decode_by_type(root, "event_weights", -1e6, 1e6, diag, manifest->event_weights));
    VT_TRY(decode_by_type(root, "value_exponents", 0, 1, diag, manifest->value_exponents));
    if (format >= 2)
        VT_TRY(decode_parts(root, diag, manifest));
    VT_TRY(decode_parameters(json_object_get(root, "parameters"), diag, manifest));
    VT_TRY(decode_metrics(json_object_get(root, "metrics"), diag, manifest));
    return decode_files(json_object_get(root, "files"), diag, manifest);
}

/* Takes the seal out of `root` and compares. */
static struct vt_err check_seal(json_t *root, struct vt_diag *diag)
{
    char told[VT_SHA256_HEX_BYTES], is[VT_SHA256_HEX_BYTES];
    if (!copy_text(json_object_get(root, SEAL), told, sizeof told))
        return refuse(diag, SEAL, "is missing");
    json_object_del(root, SEAL);
    VT_TRY(seal_of(root, is));
    if (strcmp(told, is) != 0)
        return refuse(diag, SEAL, "is not that of the rest: the file was changed or damaged");
    return vt_ok();
}

struct vt_err vt_manifest_decode(struct vt_slice json, struct vt_diag *diag,
                                 struct vt_manifest *ret_manifest)
{
    if (json.len > VT_MANIFEST_BYTES_MAX)
        return refuse(diag, "", "is larger than 256 KiB");
    json_error_t where;
    json_t *root = json_loadb(json.data, json.len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        vt_diag_set(diag, "", "manifest.json line %d: %s", where.line, where.text);
        return VT_ERR(VT_CORRUPT, "manifest is not JSON");
    }
    struct vt_manifest manifest = {0};
    struct vt_err err = decode_root(root, diag, &manifest);
    if (!vt_failed(err))
        err = check_seal(root, diag);
    json_decref(root);
    if (!vt_failed(err))
        *ret_manifest = manifest;
    return err;
}
