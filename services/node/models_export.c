/*
 * A version's arrays as numpy and scipy read them. The version is verified first, so that nobody
 * studies damaged numbers; SKUs come from the live store, which is asked when it is there, because
 * a version itself knows numbers only.
 */
#include "services/node/models_export.h"

#include "models/bundle/npy.h"
#include "models/bundle/npz.h"
#include "services/common/base/file.h"
#include "services/node/models_items.h"
#include "services/node/training_data.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, MANIFEST_BYTES_MAX = 1 << 20, DIGITS = 15 };

static struct vt_err path_of(char ret_path[PATH_BYTES], const char *folder, const char *name)
{
    int n = snprintf(ret_path, PATH_BYTES, "%s/%s", folder, name);
    VT_CHECK(n > 0 && n < PATH_BYTES, VT_INVALID, "path of the folder is too long");
    return vt_ok();
}

static struct vt_err export_arrays(const char *folder, const struct vt_bundle_view *view,
                                   struct vt_diag *diag)
{
    const struct {
        const char *name;
        struct vt_array array;
        uint64_t row_stride;
    } files[] = {
        {"item_numbers.npy", {VT_ARRAY_U32, 1, view->n_items, 1, view->item_numbers, {0}}, 1},
        {"item_factors.npy",
         {VT_ARRAY_F32, 2, view->n_items, view->dim, view->item_factors, {0}},
         view->factor_stride},
        {"gram.npy", {VT_ARRAY_F64, 2, view->dim, view->dim, view->gram, {0}}, view->dim},
        {"popularity.npy", {VT_ARRAY_F32, 1, view->n_items, 1, view->popularity, {0}}, 1},
        {"curve.npy",
         {VT_ARRAY_F64, 2, view->n_curve, VT_BUNDLE_CURVE_COLUMNS, view->curve, {0}},
         VT_BUNDLE_CURVE_COLUMNS},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[PATH_BYTES];
        if (files[i].array.values == NULL)
            continue;
        VT_TRY(path_of(path, folder, files[i].name));
        VT_TRY(vt_npy_write(path, &files[i].array, files[i].row_stride, diag));
    }
    return vt_ok();
}

static struct vt_err export_matrices(const char *folder, const struct vt_bundle_view *view,
                                     struct vt_diag *diag)
{
    const struct {
        const char *name;
        const struct vt_csr *csr;
    } files[] = {
        {"kernel.npz", &view->kernel},
        {"neighbors.npz", &view->neighbors},
        {"bought_together.npz", &view->bought_together},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[PATH_BYTES];
        if (files[i].csr->n_rows == 0)
            continue;
        VT_TRY(path_of(path, folder, files[i].name));
        VT_TRY(vt_npz_write_csr(path, files[i].csr, view->n_items, diag));
    }
    return vt_ok();
}

/* Versions made from files have no store beside them: numbers are all there is. */
static struct vt_err export_items(const char *data_dir, const char *folder,
                                  const struct vt_bundle_view *view, struct vt_diag *diag)
{
    struct vt_catalog catalog = {0};
    char path[PATH_BYTES];
    VT_TRY(path_of(path, folder, "items.txt"));
    struct vt_err err = vt_training_catalog_read(data_dir, diag, &catalog);
    if (!vt_failed(err) || err.code == VT_NOT_FOUND)
        err = vt_models_items_write(path, view, &catalog, diag);
    vt_catalog_free(&catalog);
    return err;
}

static struct vt_err export_metrics(const char *folder, const struct vt_bundle_view *view,
                                    struct vt_diag *diag)
{
    char path[PATH_BYTES];
    VT_TRY(path_of(path, folder, "metrics.json"));
    json_t *metrics = json_object();
    for (uint32_t i = 0; i < view->n_metrics; i++)
        json_object_set_new(metrics, view->metrics[i].name, json_real(view->metrics[i].value));
    char *text = json_dumps(metrics, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
    json_decref(metrics);
    VT_CHECK(text != NULL, VT_EXHAUSTED, "out of memory for the metrics");
    struct vt_err err = vt_file_write_atomic(path, vt_slice_str(text), diag);
    free(text);
    return err;
}

static struct vt_err copy_manifest(const char *data_dir, const char *version, const char *folder,
                                   struct vt_diag *diag)
{
    char from[PATH_BYTES], to[PATH_BYTES], *text;
    size_t len;
    int n = snprintf(from, sizeof from, "%s/bundles/%s/manifest.json", data_dir, version);
    VT_CHECK(n > 0 && n < PATH_BYTES, VT_INVALID, "path of the folder is too long");
    VT_TRY(path_of(to, folder, "manifest.json"));
    VT_TRY(vt_file_read(from, MANIFEST_BYTES_MAX, diag, &text, &len));
    struct vt_err err = vt_file_write_atomic(to, vt_slice(text, len), diag);
    free(text);
    return err;
}

static struct vt_err export_view(const char *data_dir, const char *folder,
                                 const struct vt_bundle_view *view, struct vt_diag *diag)
{
    VT_TRY(vt_folder_create(folder, diag));
    VT_TRY(export_arrays(folder, view, diag));
    VT_TRY(export_matrices(folder, view, diag));
    VT_TRY(export_items(data_dir, folder, view, diag));
    VT_TRY(export_metrics(folder, view, diag));
    return copy_manifest(data_dir, view->version, folder, diag);
}

struct vt_err vt_models_export(const char *data_dir, const char *version, const char *out_dir,
                               struct vt_diag *diag)
{
    struct vt_bundle *bundle;
    VT_TRY(vt_bundle_open(data_dir, version, true, diag, &bundle));
    struct vt_err err = export_view(data_dir, out_dir, vt_bundle_view(bundle), diag);
    vt_bundle_release(bundle);
    return err;
}
