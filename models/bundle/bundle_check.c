/*
 * What is judged when a version is opened: shapes that the manifest promises, everything that an
 * index could go wrong by, and with `verify` whether the numbers make sense. Once, off the serving
 * threads; afterwards the arrays are used without a check.
 */
#include "models/bundle/bundle_private.h"
#include "models/rank/trees.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct vt_err vt__bundle_refuse(struct vt_diag *diag, enum vt__bundle_array which,
                                const char *reason)
{
    const char *file = vt__bundle_files[which].name;
    vt_diag_set(diag, file, "%s: %s", file, reason);
    return VT_ERR(VT_CORRUPT, "bundle is damaged");
}

static struct vt_err check_shape(const struct vt_bundle *bundle, enum vt__bundle_array which,
                                 uint64_t rows, uint64_t cols, struct vt_diag *diag)
{
    const struct vt_array *array = &bundle->arrays[which];
    char reason[160];
    if (array->values == NULL)
        return vt__bundle_refuse(diag, which, "missing, though the manifest's parameters need it");
    if (array->rows == rows && array->cols == cols)
        return vt_ok();
    snprintf(reason, sizeof reason,
             "shape is %" PRIu64 " × %" PRIu64 " where the manifest wants %" PRIu64 " × %" PRIu64,
             array->rows, array->cols, rows, cols);
    return vt__bundle_refuse(diag, which, reason);
}

static struct vt_err check_numbers(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_bundle_view *view = &bundle->view;
    if (view->n_items == 0)
        return vt__bundle_refuse(diag, VT__ITEM_NUMBERS, "no items");
    VT_TRY(check_shape(bundle, VT__ITEM_NUMBERS, view->n_items, 1, diag));
    for (uint32_t row = 1; row < view->n_items; row++)
        if (view->item_numbers[row] <= view->item_numbers[row - 1])
            return vt__bundle_refuse(diag, VT__ITEM_NUMBERS, "item numbers are not ascending");
    return vt_ok();
}

static uint32_t stride_of(uint32_t dim)
{
    return (dim + VT_BUNDLE_STRIDE_FLOATS - 1) / VT_BUNDLE_STRIDE_FLOATS * VT_BUNDLE_STRIDE_FLOATS;
}

static struct vt_err check_factors(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_bundle_view *view = &bundle->view;
    if (view->dim == 0 && view->item_factors == NULL && view->gram == NULL)
        return vt_ok();
    if (view->dim == 0 || view->factor_stride != stride_of(view->dim))
        return vt__bundle_refuse(diag, VT__ITEM_FACTORS,
                                 "factor_stride is not factors rounded up to 16");
    VT_TRY(check_shape(bundle, VT__ITEM_FACTORS, view->n_items, view->factor_stride, diag));
    return check_shape(bundle, VT__GRAM, view->dim, view->dim, diag);
}

/* A CSR of n_rows whose columns are rows of the version; missing is fine. */
static struct vt_err check_csr(const struct vt_bundle *bundle, enum vt__bundle_array which,
                               uint64_t n_rows, struct vt_diag *diag)
{
    const enum vt__bundle_array columns_of = which + 1, values_of = which + 2;
    const uint64_t *starts = bundle->arrays[which].values;
    const uint32_t *columns = bundle->arrays[columns_of].values;
    if (starts == NULL && columns == NULL && bundle->arrays[values_of].values == NULL)
        return vt_ok();
    VT_TRY(check_shape(bundle, which, n_rows + 1, 1, diag));
    if (starts[0] != 0)
        return vt__bundle_refuse(diag, which, "does not begin with 0");
    for (uint64_t row = 0; row < n_rows; row++)
        if (starts[row + 1] < starts[row])
            return vt__bundle_refuse(diag, which, "starts descend");
    VT_TRY(check_shape(bundle, columns_of, starts[n_rows], 1, diag));
    VT_TRY(check_shape(bundle, values_of, starts[n_rows], 1, diag));
    for (uint64_t i = 0; i < starts[n_rows]; i++)
        if (columns[i] >= bundle->view.n_items)
            return vt__bundle_refuse(diag, columns_of, "names a row that does not exist");
    return vt_ok();
}

static struct vt_err check_ascending(const struct vt_bundle *bundle, enum vt__bundle_array which,
                                     struct vt_diag *diag)
{
    const struct vt_array *array = &bundle->arrays[which];
    const uint64_t *keys = array->values;
    for (uint64_t i = 1; keys != NULL && i < array->rows; i++)
        if (keys[i] <= keys[i - 1])
            return vt__bundle_refuse(diag, which, "keys are not ascending");
    return vt_ok();
}

static struct vt_err check_optional_shape(const struct vt_bundle *bundle,
                                          enum vt__bundle_array which, uint64_t rows, uint64_t cols,
                                          struct vt_diag *diag)
{
    return bundle->arrays[which].values != NULL ? check_shape(bundle, which, rows, cols, diag)
                                                : vt_ok();
}

static struct vt_err check_groups(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_array *keys = &bundle->arrays[VT__GROUP_KEYS];
    const struct vt_array *starts = &bundle->arrays[VT__GROUP_STARTS];
    if ((keys->values == NULL) != (starts->values == NULL))
        return vt__bundle_refuse(diag, VT__GROUP_KEYS, "keys and lists do not belong together");
    VT_TRY(check_optional_shape(bundle, VT__GROUP_KEYS, keys->rows, 1, diag));
    VT_TRY(check_ascending(bundle, VT__GROUP_KEYS, diag));
    return check_csr(bundle, VT__GROUP_STARTS, keys->rows, diag);
}

static struct vt_err check_content(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_array *terms = &bundle->arrays[VT__CONTENT_TERMS];
    uint32_t stride = bundle->view.factor_stride;
    if (terms->values == NULL && bundle->arrays[VT__CONTENT_IDF].values == NULL &&
        bundle->arrays[VT__CONTENT_MAP].values == NULL)
        return vt_ok();
    VT_TRY(check_shape(bundle, VT__CONTENT_TERMS, bundle->view.content.n_terms, 1, diag));
    VT_TRY(check_ascending(bundle, VT__CONTENT_TERMS, diag));
    VT_TRY(check_shape(bundle, VT__CONTENT_IDF, terms->rows, 1, diag));
    return check_optional_shape(bundle, VT__CONTENT_MAP, terms->rows, stride, diag);
}

static struct vt_err check_trees(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_bundle_ranker *ranker = &bundle->view.ranker;
    const struct vt_trees trees = {ranker->n_trees, ranker->starts, ranker->nodes, ranker->values};
    const uint32_t n_nodes = (uint32_t)bundle->arrays[VT__RANKER_VALUES].rows;
    struct vt_diag why = {0};
    struct vt_err err = vt_trees_check(&trees, n_nodes, ranker->features.n, &why);
    return vt_failed(err) ? vt__bundle_refuse(diag, VT__RANKER_NODES, why.text) : vt_ok();
}

/* Scores ascend, probabilities do not fall. */
static struct vt_err check_calibration(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_array *array = &bundle->arrays[VT__RANKER_CALIBRATION];
    const float *scores = array->values;
    if (scores == NULL)
        return vt_ok();
    VT_TRY(check_shape(bundle, VT__RANKER_CALIBRATION, 2, array->cols, diag));
    const float *probabilities = scores + array->cols;
    for (uint64_t i = 0; i < array->cols; i++) {
        bool sound =
            probabilities[i] >= 0 && probabilities[i] <= 1 &&
            (i == 0 || (scores[i] > scores[i - 1] && probabilities[i] >= probabilities[i - 1]));
        if (!sound)
            return vt__bundle_refuse(diag, VT__RANKER_CALIBRATION,
                                     "knots do not ascend, or are no probabilities");
    }
    return vt_ok();
}

static struct vt_err check_ranker(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_array *starts = &bundle->arrays[VT__RANKER_STARTS];
    const struct vt_array *values = &bundle->arrays[VT__RANKER_VALUES];
    if (starts->values == NULL && values->values == NULL &&
        bundle->arrays[VT__RANKER_NODES].values == NULL)
        return check_calibration(bundle, diag);
    if (starts->values == NULL || starts->rows < 2 || ((const uint32_t *)starts->values)[0] != 0)
        return vt__bundle_refuse(diag, VT__RANKER_STARTS, "has no trees, or does not begin with 0");
    VT_TRY(
        check_shape(bundle, VT__RANKER_STARTS, (uint64_t)bundle->view.ranker.n_trees + 1, 1, diag));
    VT_TRY(check_shape(bundle, VT__RANKER_VALUES, values->rows, 1, diag));
    VT_TRY(check_shape(bundle, VT__RANKER_NODES, values->rows, 4, diag));
    VT_TRY(check_trees(bundle, diag));
    return check_calibration(bundle, diag);
}

static struct vt_err check_all_finite(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    for (unsigned which = 0; which < VT__N_ARRAYS; which++) {
        const struct vt_array *array = &bundle->arrays[which];
        uint64_t n = array->values != NULL ? array->rows * array->cols : 0;
        bool finite = true;
        if (array->type == VT_ARRAY_F32)
            for (uint64_t i = 0; i < n; i++)
                finite &= isfinite(((const float *)array->values)[i]) != 0;
        if (array->type == VT_ARRAY_F64)
            for (uint64_t i = 0; i < n; i++)
                finite &= isfinite(((const double *)array->values)[i]) != 0;
        if (!finite)
            return vt__bundle_refuse(diag, which,
                                     "has a number that is not finite (NaN or infinity)");
    }
    return vt_ok();
}

static struct vt_err check_padding(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_bundle_view *view = &bundle->view;
    for (uint32_t row = 0; row < view->n_items && view->dim > 0; row++)
        for (uint32_t i = view->dim; i < view->factor_stride; i++)
            if (fpclassify(view->item_factors[(size_t)row * view->factor_stride + i]) != FP_ZERO)
                return vt__bundle_refuse(diag, VT__ITEM_FACTORS,
                                         "padding behind a row is not zero");
    return vt_ok();
}

static struct vt_err check_best_first(const struct vt_csr *csr, enum vt__bundle_array values_of,
                                      struct vt_diag *diag)
{
    for (uint32_t row = 0; row < csr->n_rows; row++)
        for (uint64_t i = csr->starts[row] + 1; i < csr->starts[row + 1]; i++)
            if (csr->values[i] > csr->values[i - 1])
                return vt__bundle_refuse(diag, values_of, "a row is not best first");
    return vt_ok();
}

static struct vt_err check_orders(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_bundle_view *view = &bundle->view;
    VT_TRY(check_best_first(&view->neighbors, VT__NEIGHBOR_VALUES, diag));
    VT_TRY(check_best_first(&view->kernel, VT__KERNEL_VALUES, diag));
    VT_TRY(check_best_first(&view->bought_together, VT__TOGETHER_VALUES, diag));
    return check_best_first(&view->groups.lists, VT__GROUP_VALUES, diag);
}

static struct vt_err check_not_negative(const struct vt_bundle *bundle, enum vt__bundle_array which,
                                        struct vt_diag *diag)
{
    const struct vt_array *array = &bundle->arrays[which];
    const float *values = array->values;
    uint64_t n = array->rows * (array->n_dims == 2 ? array->cols : 1);
    for (uint64_t i = 0; values != NULL && i < n; i++)
        if (values[i] < 0)
            return vt__bundle_refuse(diag, which, "has a negative number");
    return vt_ok();
}

/* A weight of the mix is for a member that is there. */
static struct vt_err check_mix(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_bundle_view *view = &bundle->view;
    const struct vt_bundle_mix *mix = &view->mix;
    if (fpclassify(mix->factor) != FP_ZERO && (view->dim == 0 || view->factor_moments == NULL))
        return vt__bundle_refuse(diag, VT__FACTOR_MOMENTS, "missing, though the mix needs it");
    if (fpclassify(mix->kernel) != FP_ZERO && view->kernel.n_rows == 0)
        return vt__bundle_refuse(diag, VT__KERNEL_STARTS, "missing, though the mix needs it");
    if (fpclassify(mix->neighbor) != FP_ZERO && view->neighbors.n_rows == 0)
        return vt__bundle_refuse(diag, VT__NEIGHBOR_STARTS, "missing, though the mix needs it");
    return vt_ok();
}

static struct vt_err check_curve(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    uint64_t n_points = bundle->arrays[VT__CURVE].rows;
    if (n_points > VT_BUNDLE_CURVE_MAX)
        return vt__bundle_refuse(diag, VT__CURVE, "has more points than a training has iterations");
    return check_optional_shape(bundle, VT__CURVE, n_points, VT_BUNDLE_CURVE_COLUMNS, diag);
}

static struct vt_err check_parts(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    const struct vt_bundle_view *view = &bundle->view;
    const uint32_t n_items = view->n_items, dim = view->dim;
    VT_TRY(check_csr(bundle, VT__NEIGHBOR_STARTS, n_items, diag));
    VT_TRY(check_csr(bundle, VT__KERNEL_STARTS, n_items, diag));
    VT_TRY(check_csr(bundle, VT__TOGETHER_STARTS, n_items, diag));
    VT_TRY(check_optional_shape(bundle, VT__FACTOR_MOMENTS, (uint64_t)dim + 1, dim, diag));
    VT_TRY(check_optional_shape(bundle, VT__TRENDING, n_items, 1, diag));
    VT_TRY(check_optional_shape(bundle, VT__REBUY, n_items, VT_BUNDLE_REBUY_COLUMNS, diag));
    VT_TRY(check_groups(bundle, diag));
    VT_TRY(check_content(bundle, diag));
    VT_TRY(check_ranker(bundle, diag));
    VT_TRY(check_curve(bundle, diag));
    return check_mix(bundle, diag);
}

struct vt_err vt__bundle_check_structure(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    VT_TRY(check_numbers(bundle, diag));
    VT_TRY(check_factors(bundle, diag));
    VT_TRY(check_parts(bundle, diag));
    return check_shape(bundle, VT__POPULARITY, bundle->view.n_items, 1, diag);
}

struct vt_err vt__bundle_check_sense(const struct vt_bundle *bundle, struct vt_diag *diag)
{
    VT_TRY(check_all_finite(bundle, diag));
    VT_TRY(check_padding(bundle, diag));
    VT_TRY(check_orders(bundle, diag));
    VT_TRY(check_not_negative(bundle, VT__POPULARITY, diag));
    VT_TRY(check_not_negative(bundle, VT__TRENDING, diag));
    VT_TRY(check_not_negative(bundle, VT__REBUY, diag));
    return check_not_negative(bundle, VT__CONTENT_IDF, diag);
}
