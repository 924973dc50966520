/*
 * Writing a version. The order on disk is what makes a kill harmless at any step: everything goes
 * into DIR/bundles/.tmp-<version>, each file fsynced; the folder is opened again and judged by the
 * same code that will judge it before serving; only then does one rename make it a version. A
 * killed writer leaves a .tmp- folder that nobody reads and the next writer removes.
 */
#include "models/bundle/bundle_private.h"
#include "models/bundle/manifest.h"
#include "services/common/base/file.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct part {
    uint64_t rows, cols;
    const void *values;
};

/* Starts, columns and values: three parts in a row. */
static void list_csr(const struct vt_csr *csr, struct part ret_parts[3])
{
    if (csr->n_rows == 0)
        return;
    uint64_t n_entries = csr->starts[csr->n_rows];
    ret_parts[0] = (struct part){(uint64_t)csr->n_rows + 1, 1, csr->starts};
    ret_parts[1] = (struct part){n_entries, 1, csr->columns};
    ret_parts[2] = (struct part){n_entries, 1, csr->values};
}

/* The arrays of a content, in the order of enum vt__bundle_array; values NULL: not there. */
static void list_arrays(const struct vt_bundle_view *content,
                        struct vt_array ret_arrays[VT__N_ARRAYS])
{
    const struct vt_bundle_content *texts = &content->content;
    const struct vt_bundle_ranker *ranker = &content->ranker;
    const uint32_t n_nodes = ranker->n_trees > 0 ? ranker->starts[ranker->n_trees] : 0;
    const bool factors = content->dim > 0;
    struct part parts[VT__N_ARRAYS] = {
        [VT__ITEM_NUMBERS] = {content->n_items, 1, content->item_numbers},
        [VT__ITEM_FACTORS] = {content->n_items, content->factor_stride,
                              factors ? content->item_factors : NULL},
        [VT__GRAM] = {content->dim, content->dim, factors ? content->gram : NULL},
        [VT__POPULARITY] = {content->n_items, 1, content->popularity},
        [VT__FACTOR_MOMENTS] = {(uint64_t)content->dim + 1, content->dim,
                                factors ? content->factor_moments : NULL},
        [VT__TRENDING] = {content->n_items, 1, content->trending},
        [VT__REBUY] = {content->n_items, VT_BUNDLE_REBUY_COLUMNS, content->rebuy},
        [VT__GROUP_KEYS] = {content->groups.lists.n_rows, 1,
                            content->groups.lists.n_rows > 0 ? content->groups.keys : NULL},
        [VT__CONTENT_TERMS] = {texts->n_terms, 1, texts->n_terms > 0 ? texts->terms : NULL},
        [VT__CONTENT_IDF] = {texts->n_terms, 1, texts->n_terms > 0 ? texts->idf : NULL},
        [VT__CONTENT_MAP] = {texts->n_terms, content->factor_stride,
                             texts->n_terms > 0 && factors ? texts->map : NULL},
        [VT__RANKER_STARTS] = {(uint64_t)ranker->n_trees + 1, 1,
                               ranker->n_trees > 0 ? ranker->starts : NULL},
        [VT__RANKER_NODES] = {n_nodes, 4, ranker->n_trees > 0 ? ranker->nodes : NULL},
        [VT__RANKER_VALUES] = {n_nodes, 1, ranker->n_trees > 0 ? ranker->values : NULL},
        [VT__RANKER_CALIBRATION] = {2, ranker->n_knots,
                                    ranker->n_knots > 0 ? ranker->calibration : NULL},
        [VT__CURVE] = {content->n_curve, VT_BUNDLE_CURVE_COLUMNS,
                       content->n_curve > 0 ? content->curve : NULL},
    };
    list_csr(&content->neighbors, &parts[VT__NEIGHBOR_STARTS]);
    list_csr(&content->kernel, &parts[VT__KERNEL_STARTS]);
    list_csr(&content->bought_together, &parts[VT__TOGETHER_STARTS]);
    list_csr(&content->groups.lists, &parts[VT__GROUP_STARTS]);
    for (unsigned which = 0; which < VT__N_ARRAYS; which++)
        ret_arrays[which] = (struct vt_array){
            .type = vt__bundle_files[which].type,
            .n_dims = vt__bundle_files[which].n_dims,
            .rows = parts[which].rows,
            .cols = parts[which].cols,
            .values = parts[which].values,
        };
}

/* ---- the name ---- */

static void hash_content(EVP_MD_CTX *hash, const struct vt_bundle_view *content)
{
    struct vt_array arrays[VT__N_ARRAYS];
    list_arrays(content, arrays);
    for (unsigned which = 0; which < VT__N_ARRAYS; which++) {
        const struct vt_array *array = &arrays[which];
        unsigned char header[VT_ARRAY_HEADER_BYTES];
        if (array->values == NULL)
            continue;
        vt_array_header_encode(array, header);
        EVP_DigestUpdate(hash, header, sizeof header);
        EVP_DigestUpdate(hash, array->values,
                         array->rows * array->cols * vt_array_type_bytes(array->type));
    }
    for (uint32_t f = 0; f < content->ranker.features.n; f++) {
        const char *name = vt_rank_feature_name(content->ranker.features.ids[f]);
        EVP_DigestUpdate(hash, name, strlen(name));
    }
    for (uint32_t i = 0; i < content->n_parameters; i++) {
        EVP_DigestUpdate(hash, content->parameters[i].name, strlen(content->parameters[i].name));
        EVP_DigestUpdate(hash, content->parameters[i].value, strlen(content->parameters[i].value));
    }
}

void vt_bundle_version_name(const struct vt_bundle_view *content,
                            char ret_version[VT_VERSION_BYTES_MAX])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1) {
        hash_content(hash, content);
        EVP_DigestFinal_ex(hash, digest, NULL);
    }
    EVP_MD_CTX_free(hash);
    time_t seconds = content->create_time_ms / 1000;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char date[32];
    strftime(date, sizeof date, "%Y%m%d-%H%M%S", &utc);
    snprintf(ret_version, VT_VERSION_BYTES_MAX, "%s%03d-%02x%02x%02x%02x", date,
             (int)(content->create_time_ms % 1000), digest[0], digest[1], digest[2], digest[3]);
}

/* ---- the manifest ---- */

static bool set_text(char *to, size_t size_bytes, const char *text)
{
    int n = snprintf(to, size_bytes, "%s", text != NULL ? text : "");
    return n >= 0 && (size_t)n < size_bytes;
}

static struct vt_err fill_manifest(const struct vt_bundle_view *content,
                                   struct vt_manifest *manifest)
{
    VT_CHECK(content->n_metrics <= VT_BUNDLE_METRICS_MAX &&
                 content->n_parameters <= VT_BUNDLE_PARAMETERS_MAX,
             VT_INVALID, "too many metrics or parameters for a manifest");
    bool fits = set_text(manifest->version, sizeof manifest->version, content->version) &&
                set_text(manifest->parent, sizeof manifest->parent, content->parent) &&
                set_text(manifest->algorithm, sizeof manifest->algorithm, content->algorithm) &&
                set_text(manifest->blas, sizeof manifest->blas, content->blas) &&
                set_text(manifest->kernel_name, sizeof manifest->kernel_name, content->kernel_name);
    VT_CHECK(fits, VT_INVALID, "a name is too long for the manifest");
    manifest->create_time_ms = content->create_time_ms;
    manifest->first_time_ms = content->first_time_ms;
    manifest->last_time_ms = content->last_time_ms;
    manifest->n_users = content->n_users;
    manifest->n_interactions = content->n_interactions;
    manifest->n_items = content->n_items;
    manifest->dim = content->dim;
    manifest->factor_stride = content->factor_stride;
    manifest->regularization = content->regularization;
    manifest->regularization_exponent = content->regularization_exponent;
    manifest->unobserved_weight = content->unobserved_weight;
    manifest->decay_half_life_days = content->decay_half_life_days;
    memcpy(manifest->event_weights, content->event_weights, sizeof manifest->event_weights);
    memcpy(manifest->value_exponents, content->value_exponents, sizeof manifest->value_exponents);
    manifest->mix = content->mix;
    manifest->ranker_features = content->ranker.features;
    manifest->n_metrics = content->n_metrics;
    manifest->n_parameters = content->n_parameters;
    if (content->n_metrics > 0)
        memcpy(manifest->metrics, content->metrics, content->n_metrics * sizeof *content->metrics);
    if (content->n_parameters > 0)
        memcpy(manifest->parameters, content->parameters,
               content->n_parameters * sizeof *content->parameters);
    return vt_ok();
}

static struct vt_err write_manifest(const char *data_dir, const char *name,
                                    const struct vt_manifest *manifest, struct vt_diag *diag)
{
    char path[VT__PATH_BYTES], *json;
    VT_TRY(vt__bundle_path(path, data_dir, name, "manifest.json"));
    VT_TRY(vt_manifest_encode(manifest, &json));
    struct vt_err err = vt_file_write_atomic(path, vt_slice_str(json), diag);
    free(json);
    return err;
}

/* ---- the folder ---- */

static struct vt_err write_arrays(const char *data_dir, const char *name,
                                  const struct vt_bundle_view *content,
                                  struct vt_manifest *manifest, struct vt_diag *diag)
{
    struct vt_array arrays[VT__N_ARRAYS];
    list_arrays(content, arrays);
    for (unsigned which = 0; which < VT__N_ARRAYS; which++) {
        if (arrays[which].values == NULL)
            continue;
        char path[VT__PATH_BYTES];
        struct vt_manifest_file *entry = &manifest->files[manifest->n_files++];
        snprintf(entry->name, sizeof entry->name, "%s", vt__bundle_files[which].name);
        VT_TRY(vt__bundle_path(path, data_dir, name, entry->name));
        VT_TRY(vt_array_write(path, &arrays[which], diag));
        VT_TRY(vt_file_sha256(path, diag, entry->sha256));
    }
    return vt_ok();
}

static struct vt_err write_report(const char *data_dir, const char *name,
                                  const struct vt_bundle_view *content,
                                  struct vt_manifest *manifest, struct vt_diag *diag)
{
    char path[VT__PATH_BYTES];
    if (content->report.len == 0)
        return vt_ok();
    struct vt_manifest_file *entry = &manifest->files[manifest->n_files++];
    snprintf(entry->name, sizeof entry->name, "%s", VT__REPORT_FILE);
    VT_TRY(vt__bundle_path(path, data_dir, name, entry->name));
    VT_TRY(vt_file_write_atomic(path, content->report, diag));
    return vt_file_sha256(path, diag, entry->sha256);
}

static struct vt_err verify_folder(const char *folder, struct vt_diag *diag)
{
    struct vt_bundle *bundle;
    VT_TRY(vt__bundle_open_folder(folder, true, diag, &bundle));
    vt_bundle_release(bundle);
    return vt_ok();
}

static struct vt_err rename_folder(const char *from, const char *data_dir, const char *version,
                                   struct vt_diag *diag)
{
    char to[VT__PATH_BYTES], bundles[VT__PATH_BYTES];
    VT_TRY(vt__bundle_path(to, data_dir, version, NULL));
    VT_TRY(vt__bundle_path(bundles, data_dir, NULL, NULL));
    if (rename(from, to) != 0) {
        vt_diag_set(diag, "", "cannot rename %s to %s: %s", from, to, strerror(errno));
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot rename the bundle into place");
    }
    return vt_folder_sync(bundles, diag);
}

/* Fills DIR/bundles/<name> with content called `content->version`, and judges it. */
static struct vt_err fill_folder(const char *data_dir, const char *name, const char *folder,
                                 const struct vt_bundle_view *content, struct vt_diag *diag)
{
    struct vt_manifest manifest = {0};
    VT_TRY(fill_manifest(content, &manifest));
    VT_TRY(vt_folder_create(folder, diag));
    VT_TRY(write_arrays(data_dir, name, content, &manifest, diag));
    VT_TRY(write_report(data_dir, name, content, &manifest, diag));
    VT_TRY(write_manifest(data_dir, name, &manifest, diag));
    VT_TRY(vt_folder_sync(folder, diag));
    return verify_folder(folder, diag);
}

static struct vt_err write_locked(const char *data_dir, const struct vt_bundle_view *content,
                                  struct vt_diag *diag)
{
    char folder[VT__PATH_BYTES], name[sizeof VT__TMP_PREFIX + VT_VERSION_BYTES_MAX];
    struct stat info;
    VT_TRY(vt__bundle_path(folder, data_dir, content->version, NULL));
    if (stat(folder, &info) == 0) {
        vt_diag_set(diag, "version", "version %s is already there", content->version);
        return VT_ERR(VT_PRECONDITION, "version is already there");
    }
    VT_TRY(vt__bundle_remove_leftovers(data_dir, diag));
    snprintf(name, sizeof name, VT__TMP_PREFIX "%s", content->version);
    VT_TRY(vt__bundle_path(folder, data_dir, name, NULL));
    struct vt_err err = fill_folder(data_dir, name, folder, content, diag);
    if (!vt_failed(err))
        err = rename_folder(folder, data_dir, content->version, diag);
    if (vt_failed(err))
        vt_err_ignore(vt_folder_remove(folder, NULL), "the next writer removes what is left");
    return err;
}

struct vt_err vt_bundle_write(const char *data_dir, const struct vt_bundle_view *content,
                              struct vt_diag *diag)
{
    VT_CHECK(content->version != NULL && vt_version_valid(content->version), VT_INVALID,
             "not the name of a version");
    int lock;
    VT_TRY(vt__bundle_lock(data_dir, diag, &lock));
    struct vt_err err = write_locked(data_dir, content, diag);
    vt__bundle_unlock(lock);
    return err;
}
