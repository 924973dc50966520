/*
 * An open bundle: the mappings of its arrays, the view of plain pointers into them, and the way
 * from item number to row. Opening judges everything that a reader could stumble over, once, off
 * the serving threads; after that the arrays are used without a check. The count of references is
 * the only thing that changes after opening.
 *
 * Number → row is a table when the numbers are dense (they are: numbers are given in order of first
 * mention), at most TABLE_SPARSITY entries a row, else a binary search.
 */
#include "models/bundle/bundle.h"

#include "models/bundle/bundle_private.h"
#include "models/bundle/manifest.h"
#include "models/index/index.h"
#include "services/common/base/file.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TABLE_SPARSITY = 8, TABLE_MIN_ENTRIES = 65536 };

#define CSR_FILES(at_, name_)                                                                      \
    [at_##_STARTS] = {name_ "_starts.arr", VT_ARRAY_U64, 1},                                       \
    [at_##_COLUMNS] = {name_ "_columns.arr", VT_ARRAY_U32, 1},                                     \
    [at_##_VALUES] = {name_ "_values.arr", VT_ARRAY_F32, 1}

const struct vt__bundle_file vt__bundle_files[VT__N_ARRAYS] = {
    [VT__ITEM_NUMBERS] = {"item_numbers.arr", VT_ARRAY_U32, 1},
    [VT__ITEM_FACTORS] = {"item_factors.arr", VT_ARRAY_F32, 2},
    [VT__GRAM] = {"gram.arr", VT_ARRAY_F64, 2},
    CSR_FILES(VT__NEIGHBOR, "neighbor"),
    [VT__POPULARITY] = {"popularity.arr", VT_ARRAY_F32, 1},
    CSR_FILES(VT__KERNEL, "kernel"),
    [VT__FACTOR_MOMENTS] = {"factor_moments.arr", VT_ARRAY_F64, 2},
    CSR_FILES(VT__TOGETHER, "bought_together"),
    [VT__TRENDING] = {"trending.arr", VT_ARRAY_F32, 1},
    [VT__REBUY] = {"rebuy.arr", VT_ARRAY_F32, 2},
    [VT__GROUP_KEYS] = {"group_keys.arr", VT_ARRAY_U64, 1},
    CSR_FILES(VT__GROUP, "group"),
    [VT__CONTENT_TERMS] = {"content_terms.arr", VT_ARRAY_U64, 1},
    [VT__CONTENT_IDF] = {"content_idf.arr", VT_ARRAY_F32, 1},
    [VT__CONTENT_MAP] = {"content_map.arr", VT_ARRAY_F32, 2},
    [VT__RANKER_STARTS] = {"ranker_starts.arr", VT_ARRAY_U32, 1},
    [VT__RANKER_NODES] = {"ranker_nodes.arr", VT_ARRAY_U32, 2},
    [VT__RANKER_VALUES] = {"ranker_values.arr", VT_ARRAY_F32, 1},
    [VT__RANKER_CALIBRATION] = {"ranker_calibration.arr", VT_ARRAY_F32, 2},
    [VT__CURVE] = {"curve.arr", VT_ARRAY_F64, 2},
};

/* ---- open ---- */

struct vt_err vt__bundle_path(char ret_path[VT__PATH_BYTES], const char *data_dir, const char *name,
                              const char *file)
{
    int n =
        snprintf(ret_path, VT__PATH_BYTES, "%s/bundles%s%s%s%s", data_dir, name != NULL ? "/" : "",
                 name != NULL ? name : "", file != NULL ? "/" : "", file != NULL ? file : "");
    VT_CHECK(n > 0 && n < VT__PATH_BYTES, VT_INVALID, "path of the data folder is too long");
    return vt_ok();
}

static struct vt_err read_manifest(const char *folder, struct vt_diag *diag,
                                   struct vt_manifest *ret_manifest)
{
    char path[VT__PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/manifest.json", folder);
    VT_CHECK(n > 0 && n < VT__PATH_BYTES, VT_INVALID, "path of the bundle is too long");
    char *text;
    size_t len;
    struct vt_err err = vt_file_read(path, VT_MANIFEST_BYTES_MAX, diag, &text, &len);
    if (vt_failed(err)) {
        err.code = VT_CORRUPT; /* the folder is there: a manifest missing or too long is damage */
        return err;
    }
    err = vt_manifest_decode(vt_slice(text, len), diag, ret_manifest);
    free(text);
    return err;
}

static const struct vt_manifest_file *find_file(const struct vt_manifest *manifest,
                                                const char *name)
{
    for (uint32_t i = 0; i < manifest->n_files; i++)
        if (strcmp(manifest->files[i].name, name) == 0)
            return &manifest->files[i];
    return NULL;
}

static struct vt_err open_array(struct vt_bundle *bundle, const char *folder,
                                enum vt__bundle_array which, bool verify, struct vt_diag *diag)
{
    const struct vt__bundle_file *expected = &vt__bundle_files[which];
    const struct vt_manifest_file *listed = find_file(&bundle->manifest, expected->name);
    if (listed == NULL)
        return vt_ok();
    char path[VT__PATH_BYTES], sha256[VT_SHA256_HEX_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", folder, expected->name);
    VT_CHECK(n > 0 && n < VT__PATH_BYTES, VT_INVALID, "path of the bundle is too long");
    struct vt_err err = vt_array_open(path, diag, &bundle->arrays[which]);
    if (err.code == VT_NOT_FOUND)
        return vt__bundle_refuse(diag, which, "the manifest lists it, but it is missing");
    VT_TRY(err);
    if (bundle->arrays[which].type != expected->type)
        return vt__bundle_refuse(diag, which, "numbers are of the wrong type");
    if (!verify)
        return vt_ok();
    VT_TRY(vt_file_sha256(path, diag, sha256));
    if (strcmp(sha256, listed->sha256) != 0)
        return vt__bundle_refuse(diag, which,
                                 "sha256 is not the manifest's: the file was changed or damaged");
    return vt_ok();
}

static struct vt_err refuse_report(struct vt_diag *diag, const char *reason)
{
    vt_diag_set(diag, VT__REPORT_FILE, VT__REPORT_FILE ": %s", reason);
    return VT_ERR(VT_CORRUPT, "the bundle is damaged");
}

/* The page is no part of serving, but a version is whole or it is not. */
static struct vt_err open_report(struct vt_bundle *bundle, const char *folder, bool verify,
                                 struct vt_diag *diag)
{
    const struct vt_manifest_file *listed = find_file(&bundle->manifest, VT__REPORT_FILE);
    if (listed == NULL)
        return vt_ok();
    char path[VT__PATH_BYTES], sha256[VT_SHA256_HEX_BYTES];
    int n = snprintf(path, sizeof path, "%s/" VT__REPORT_FILE, folder);
    VT_CHECK(n > 0 && n < VT__PATH_BYTES, VT_INVALID, "path of the bundle is too long");
    struct vt_err err = vt_file_map(path, diag, &bundle->report);
    if (err.code == VT_NOT_FOUND)
        return refuse_report(diag, "the manifest lists it, but it is missing");
    VT_TRY(err);
    if (!verify)
        return vt_ok();
    VT_TRY(vt_file_sha256(path, diag, sha256));
    return strcmp(sha256, listed->sha256) == 0
               ? vt_ok()
               : refuse_report(diag,
                               "sha256 is not the manifest's: the file was changed or damaged");
}

/* Before the checks: only shapes that decoding promised are looked at. */
static struct vt_csr csr_of(const struct vt_bundle *bundle, enum vt__bundle_array starts)
{
    const struct vt_array *arrays = &bundle->arrays[starts];
    uint32_t n_rows = arrays[0].values != NULL ? (uint32_t)(arrays[0].rows - 1) : 0;
    return (struct vt_csr){n_rows, arrays[0].values, arrays[1].values, arrays[2].values};
}

static void fill_view(struct vt_bundle *bundle)
{
    const struct vt_manifest *manifest = &bundle->manifest;
    const struct vt_array *arrays = bundle->arrays;
    const bool ranker = arrays[VT__RANKER_STARTS].values != NULL;
    bundle->view = (struct vt_bundle_view){
        .version = manifest->version,
        .parent = manifest->parent,
        .algorithm = manifest->algorithm,
        .create_time_ms = manifest->create_time_ms,
        .n_users = manifest->n_users,
        .n_interactions = manifest->n_interactions,
        .n_items = manifest->n_items,
        .item_numbers = arrays[VT__ITEM_NUMBERS].values,
        .dim = manifest->dim,
        .factor_stride = manifest->factor_stride,
        .item_factors = arrays[VT__ITEM_FACTORS].values,
        .gram = arrays[VT__GRAM].values,
        .regularization = manifest->regularization,
        .regularization_exponent = manifest->regularization_exponent,
        .unobserved_weight = manifest->unobserved_weight,
        .decay_half_life_days = manifest->decay_half_life_days,
        .neighbors = csr_of(bundle, VT__NEIGHBOR_STARTS),
        .kernel_name = manifest->kernel_name,
        .kernel = csr_of(bundle, VT__KERNEL_STARTS),
        .mix = manifest->mix,
        .factor_moments = arrays[VT__FACTOR_MOMENTS].values,
        .bought_together = csr_of(bundle, VT__TOGETHER_STARTS),
        .trending = arrays[VT__TRENDING].values,
        .rebuy = arrays[VT__REBUY].values,
        .groups = {arrays[VT__GROUP_KEYS].values, csr_of(bundle, VT__GROUP_STARTS)},
        .content = {(uint32_t)arrays[VT__CONTENT_TERMS].rows, arrays[VT__CONTENT_TERMS].values,
                    arrays[VT__CONTENT_IDF].values, arrays[VT__CONTENT_MAP].values},
        .ranker = {ranker ? (uint32_t)arrays[VT__RANKER_STARTS].rows - 1 : 0,
                   arrays[VT__RANKER_STARTS].values, arrays[VT__RANKER_NODES].values,
                   arrays[VT__RANKER_VALUES].values, manifest->ranker_features,
                   arrays[VT__RANKER_CALIBRATION].values,
                   (uint32_t)arrays[VT__RANKER_CALIBRATION].cols},
        .curve = arrays[VT__CURVE].values,
        .n_curve = (uint32_t)arrays[VT__CURVE].rows,
        .popularity = arrays[VT__POPULARITY].values,
        .metrics = manifest->metrics,
        .n_metrics = manifest->n_metrics,
        .parameters = manifest->parameters,
        .n_parameters = manifest->n_parameters,
        .first_time_ms = manifest->first_time_ms,
        .last_time_ms = manifest->last_time_ms,
        .blas = manifest->blas,
        .report = bundle->report,
    };
    memcpy(bundle->view.event_weights, manifest->event_weights, sizeof bundle->view.event_weights);
    memcpy(bundle->view.value_exponents, manifest->value_exponents,
           sizeof bundle->view.value_exponents);
}

/* Leaves row_of NULL when the numbers are too sparse for a table. */
static struct vt_err build_row_table(struct vt_bundle *bundle)
{
    const struct vt_bundle_view *view = &bundle->view;
    uint64_t span = (uint64_t)view->item_numbers[view->n_items - 1] - view->item_numbers[0] + 1;
    if (span > (uint64_t)view->n_items * TABLE_SPARSITY + TABLE_MIN_ENTRIES)
        return vt_ok();
    bundle->row_of = malloc(span * sizeof *bundle->row_of);
    VT_CHECK(bundle->row_of != NULL, VT_EXHAUSTED, "out of memory for the bundle");
    memset(bundle->row_of, 0xFF, span * sizeof *bundle->row_of);
    for (uint32_t row = 0; row < view->n_items; row++)
        bundle->row_of[view->item_numbers[row] - view->item_numbers[0]] = row;
    bundle->n_row_of = (uint32_t)span;
    return vt_ok();
}

static struct vt_err build_index(struct vt_bundle *bundle, struct vt_diag *diag)
{
    struct vt_bundle_view *view = &bundle->view;
    if (view->dim == 0)
        return vt_ok();
    const struct vt_index_rows rows = {view->item_factors, view->n_items, view->dim,
                                       view->factor_stride};
    struct vt_err err = vt_index_new(&rows, &bundle->index);
    if (err.code == VT_CORRUPT)
        return vt__bundle_refuse(diag, VT__ITEM_FACTORS, "has a number that is not finite");
    view->index = bundle->index;
    return err;
}

static int more_popular_first(const void *a, const void *b, void *popularity)
{
    uint32_t row_a = *(const uint32_t *)a, row_b = *(const uint32_t *)b;
    float score_a = ((const float *)popularity)[row_a],
          score_b = ((const float *)popularity)[row_b];
    if (score_a < score_b || score_a > score_b)
        return score_a > score_b ? -1 : 1;
    return row_a < row_b ? -1 : 1;
}

static struct vt_err build_popular_scores(struct vt_bundle *bundle)
{
    struct vt_bundle_view *view = &bundle->view;
    bundle->popular_scores = malloc(view->n_items * sizeof *bundle->popular_scores);
    VT_CHECK(bundle->popular_scores != NULL, VT_EXHAUSTED, "out of memory for the bundle");
    for (uint32_t row = 0; row < view->n_items; row++)
        bundle->popular_scores[row] = log1p((double)view->popularity[row]);
    view->popular_scores = bundle->popular_scores;
    return vt_ok();
}

static void compute_popular_moments(struct vt_bundle_view *view)
{
    double sum = 0, squares = 0;
    for (uint32_t row = 0; row < view->n_items; row++) {
        double score = view->popular_scores[row];
        sum += score;
        squares += score * score;
    }
    view->popular_mean = sum / view->n_items;
    double variance = squares / view->n_items - view->popular_mean * view->popular_mean;
    view->popular_deviation = variance > 0 ? sqrt(variance) : 0;
}

static struct vt_err build_popular_rows(struct vt_bundle *bundle)
{
    struct vt_bundle_view *view = &bundle->view;
    bundle->popular_rows = malloc(view->n_items * sizeof *bundle->popular_rows);
    VT_CHECK(bundle->popular_rows != NULL, VT_EXHAUSTED, "out of memory for the bundle");
    for (uint32_t row = 0; row < view->n_items; row++)
        bundle->popular_rows[row] = row;
    qsort_r(bundle->popular_rows, view->n_items, sizeof *bundle->popular_rows, more_popular_first,
            (void *)(uintptr_t)view->popularity);
    view->popular_rows = bundle->popular_rows;
    return vt_ok();
}

static struct vt_err build_trending_rows(struct vt_bundle *bundle)
{
    struct vt_bundle_view *view = &bundle->view;
    uint32_t n = 0;
    if (view->trending == NULL)
        return vt_ok();
    for (uint32_t row = 0; row < view->n_items; row++)
        n += view->trending[row] > 0;
    bundle->trending_rows = malloc(((size_t)n + 1) * sizeof *bundle->trending_rows);
    VT_CHECK(bundle->trending_rows != NULL, VT_EXHAUSTED, "out of memory for the bundle");
    n = 0;
    for (uint32_t row = 0; row < view->n_items; row++)
        if (view->trending[row] > 0)
            bundle->trending_rows[n++] = row;
    qsort_r(bundle->trending_rows, n, sizeof *bundle->trending_rows, more_popular_first,
            (void *)(uintptr_t)view->trending);
    view->trending_rows = bundle->trending_rows;
    view->n_trending_rows = n;
    return vt_ok();
}

static struct vt_err open_into(struct vt_bundle *bundle, const char *folder, bool verify,
                               struct vt_diag *diag)
{
    VT_TRY(read_manifest(folder, diag, &bundle->manifest));
    for (unsigned which = 0; which < VT__N_ARRAYS; which++)
        VT_TRY(open_array(bundle, folder, which, verify, diag));
    VT_TRY(open_report(bundle, folder, verify, diag));
    fill_view(bundle);
    VT_TRY(vt__bundle_check_structure(bundle, diag));
    if (verify)
        VT_TRY(vt__bundle_check_sense(bundle, diag));
    VT_TRY(build_row_table(bundle));
    VT_TRY(build_popular_scores(bundle));
    compute_popular_moments(&bundle->view);
    VT_TRY(build_popular_rows(bundle));
    VT_TRY(build_trending_rows(bundle));
    return build_index(bundle, diag);
}

struct vt_err vt__bundle_open_folder(const char *folder, bool verify, struct vt_diag *diag,
                                     struct vt_bundle **ret_bundle)
{
    struct vt_bundle *bundle = calloc(1, sizeof *bundle);
    VT_CHECK(bundle != NULL, VT_EXHAUSTED, "out of memory for the bundle");
    atomic_init(&bundle->count, 1);
    struct vt_err err = open_into(bundle, folder, verify, diag);
    if (vt_failed(err)) {
        vt_bundle_release(bundle);
        return err;
    }
    *ret_bundle = bundle;
    return vt_ok();
}

struct vt_err vt_bundle_open(const char *data_dir, const char *version, bool verify,
                             struct vt_diag *diag, struct vt_bundle **ret_bundle)
{
    if (!vt_version_valid(version)) {
        vt_diag_set(diag, "version", "'%.80s' is not the name of a version", version);
        return VT_ERR(VT_INVALID, "not the name of a version");
    }
    char folder[VT__PATH_BYTES];
    VT_TRY(vt__bundle_path(folder, data_dir, version, NULL));
    struct stat info;
    if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
        vt_diag_set(diag, "version", "there is no version %s; see vitrine models list", version);
        return VT_ERR(VT_NOT_FOUND, "no such version");
    }
    struct vt_bundle *bundle;
    VT_TRY(vt__bundle_open_folder(folder, verify, diag, &bundle));
    if (strcmp(bundle->manifest.version, version) != 0) {
        vt_bundle_release(bundle);
        vt_diag_set(diag, "manifest.json", "manifest.json: belongs to another version");
        return VT_ERR(VT_CORRUPT, "manifest belongs to another version");
    }
    *ret_bundle = bundle;
    return vt_ok();
}

/* ---- use ---- */

const struct vt_bundle_view *vt_bundle_view(const struct vt_bundle *bundle)
{
    return &bundle->view;
}

static uint32_t search_row(const struct vt_bundle_view *view, uint32_t item_number)
{
    uint32_t low = 0, high = view->n_items;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (view->item_numbers[middle] < item_number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < view->n_items && view->item_numbers[low] == item_number ? low : UINT32_MAX;
}

uint32_t vt_bundle_row(const struct vt_bundle *bundle, uint32_t item_number)
{
    if (bundle->row_of == NULL)
        return search_row(&bundle->view, item_number);
    /* Numbers below the first wrap around to far above n_row_of. */
    uint32_t at = item_number - bundle->view.item_numbers[0];
    return at < bundle->n_row_of ? bundle->row_of[at] : UINT32_MAX;
}

void vt__bundle_count_add(struct vt_bundle *bundle, int64_t delta)
{
    /* acq_rel: pairs with the decrements of vt_bundle_release. */
    int64_t before = atomic_fetch_add_explicit(&bundle->count, delta, memory_order_acq_rel);
    VT_ASSERT(before + delta > 0);
}

int64_t vt__bundle_count(const struct vt_bundle *bundle)
{
    return atomic_load_explicit(&bundle->count, memory_order_acquire);
}

void vt_bundle_release(struct vt_bundle *bundle)
{
    /* acq_rel: what this holder read happens before the unmapping by whoever is last. */
    if (bundle == NULL || atomic_fetch_sub_explicit(&bundle->count, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned which = 0; which < VT__N_ARRAYS; which++)
        vt_array_close(&bundle->arrays[which]);
    vt_file_unmap(bundle->report);
    vt_index_free(bundle->index);
    free(bundle->popular_scores);
    free(bundle->popular_rows);
    free(bundle->trending_rows);
    free(bundle->row_of);
    free(bundle);
}
