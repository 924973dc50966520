/*
 * A version around factors that somebody else made. Rows are put in the order of item numbers, as
 * every version has them; then the Gram matrix, the moments, popularity and neighbours are computed
 * as training would. The result goes the same way to disk as a trained one, with the bundle's own
 * checks; there are no metrics, because nobody knows what the factors have seen.
 */
#include "models/train/import.h"

#include "models/factor/moments.h"
#include "models/kernels/kernels.h"
#include "models/popularity/popularity.h"
#include "models/train/factor_gram.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGULARIZATION_EXPONENT_MAX = 2 };

void vt_import_options_default(struct vt_import_options *ret_options)
{
    *ret_options = (struct vt_import_options){.regularization = 0.01, .regularization_exponent = 1};
    vt_dataset_options_default(&ret_options->dataset);
    vt_neighbor_options_default(&ret_options->neighbor);
}

static struct vt_err check_options(const struct vt_import_options *options, struct vt_diag *diag)
{
    const char *wrong = NULL;
    if (!(options->regularization > 0) || !isfinite(options->regularization))
        wrong = "the regularization must be above 0";
    if (!(options->regularization_exponent >= 0 &&
          options->regularization_exponent <= REGULARIZATION_EXPONENT_MAX))
        wrong = "the exponent of the regularization must be 0 to 2";
    if (!(options->unobserved_weight >= 0 && options->unobserved_weight <= 1))
        wrong = "the unobserved weight must be 0 to 1; 0 stands for 5 × the density";
    if (wrong == NULL)
        return vt_ok();
    vt_diag_set(diag, "", "%s", wrong);
    return VT_ERR(VT_INVALID, "an option of the fold-in is out of range");
}

/* ---- items in order ---- */

struct source {
    uint32_t number;
    uint32_t row; /* of the file */
};

static int by_number(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static struct vt_err check_once(const struct source *sources, uint32_t n, struct vt_diag *diag)
{
    for (uint32_t i = 1; i < n; i++) {
        if (sources[i].number != sources[i - 1].number)
            continue;
        vt_diag_set(diag, "items", "lines %" PRIu32 " and %" PRIu32 " name the same item",
                    sources[i - 1].row + 1, sources[i].row + 1);
        return VT_ERR(VT_INVALID, "an item is named twice");
    }
    return vt_ok();
}

static struct vt_err refuse_number(double value, uint64_t row, uint64_t column,
                                   struct vt_diag *diag)
{
    vt_diag_set(diag, "item-factors",
                "row %" PRIu64 ", column %" PRIu64
                " (from 0) is %g: every number must be finite, and fit a float32",
                row, column, value);
    return VT_ERR(VT_INVALID, "a factor is not finite");
}

static struct vt_err copy_factors(const struct vt_npy *npy, const struct source *sources,
                                  struct vt_ials_model *model, struct vt_diag *diag)
{
    for (uint32_t i = 0; i < model->n_items; i++) {
        float *to = model->item_factors + (uint64_t)i * model->row_stride;
        for (uint32_t column = 0; column < model->dim; column++) {
            const double value = vt_npy_at(npy, sources[i].row, column);
            if (!(fabs(value) <= (double)FLT_MAX))
                return refuse_number(value, sources[i].row, column, diag);
            to[column] = (float)value;
        }
    }
    return vt_ok();
}

static struct vt_err check_shape(const struct vt_npy *npy, struct vt_diag *diag)
{
    if (npy->rows >= 2 && npy->rows < UINT32_MAX && npy->cols <= VT_BUNDLE_DIM_MAX)
        return vt_ok();
    vt_diag_set(diag, "item-factors",
                "%" PRIu64 " items × %" PRIu64
                " factors: at least 2 items and at most %d factors can be taken; if the file has "
                "the items in columns, transpose it",
                npy->rows, npy->cols, VT_BUNDLE_DIM_MAX);
    return VT_ERR(VT_INVALID, "the factors have a shape that cannot serve");
}

static struct vt_err order_items(const struct vt_import_input *input, struct source *sources,
                                 struct vt_ids *ids, struct vt_ials_model *model,
                                 struct vt_diag *diag)
{
    const uint32_t n = (uint32_t)input->factors->rows;
    for (uint32_t i = 0; i < n; i++)
        sources[i] = (struct source){input->numbers[i], i};
    qsort(sources, n, sizeof *sources, by_number);
    VT_TRY(check_once(sources, n, diag));
    for (uint32_t i = 0; i < n; i++)
        ids->item_ids[i] = sources[i].number;
    return copy_factors(input->factors, sources, model, diag);
}

/* The ids of the events' customers and the file's items; the model, its factors in that order. */
static struct vt_err take_factors(const struct vt_import_input *input, struct vt_ids *ids,
                                  struct vt_ials_model *model, struct vt_diag *diag)
{
    const uint32_t n = (uint32_t)input->factors->rows, dim = (uint32_t)input->factors->cols;
    const uint32_t step = VT_BUNDLE_STRIDE_FLOATS, stride = (dim + step - 1) / step * step;
    struct source *sources = malloc(n * sizeof *sources);
    free(ids->item_ids);
    ids->item_ids = malloc(n * sizeof *ids->item_ids);
    ids->n_items = n;
    *model = (struct vt_ials_model){.n_items = n, .dim = dim, .row_stride = stride};
    model->item_factors = calloc((size_t)n * stride, sizeof *model->item_factors);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for the factors");
    if (sources != NULL && ids->item_ids != NULL && model->item_factors != NULL)
        err = order_items(input, sources, ids, model, diag);
    free(sources);
    return err;
}

/* ---- what goes around them ---- */

static double unobserved_weight(const struct vt_import_options *options,
                                const struct vt_sparse *matrix)
{
    if (options->unobserved_weight > 0)
        return options->unobserved_weight;
    const struct vt_ials_options by_density = {.unobserved_weight = 0};
    return vt_ials_unobserved_weight(&by_density, matrix);
}

static struct vt_err make_sources(const struct vt_import_options *options, struct vt_diag *diag,
                                  struct vt_ials_model *model, struct vt_train_result *result)
{
    const struct vt_sparse *matrix = &result->dataset.matrix;
    const struct vt_factor_rows rows = {model->item_factors, model->n_items, model->dim,
                                        model->row_stride};
    struct vt_neighbor_options neighbor = options->neighbor;
    neighbor.threads = options->threads;
    model->regularization = options->regularization;
    model->regularization_exponent = options->regularization_exponent;
    model->unobserved_weight = unobserved_weight(options, matrix);
    VT_TRY(vt__factor_gram(&rows, model->unobserved_weight, &model->gram));
    result->factor_moments =
        calloc((size_t)(rows.dim + 1) * rows.dim, sizeof *result->factor_moments);
    result->popularity = calloc(matrix->n_cols, sizeof *result->popularity);
    VT_CHECK(result->factor_moments != NULL && result->popularity != NULL, VT_EXHAUSTED,
             "out of memory for the version");
    VT_TRY(vt_factor_moments(&rows, options->threads, result->factor_moments));
    VT_TRY(vt_popularity_train(matrix, result->popularity));
    return vt_neighbor_train(matrix, &neighbor, diag, &result->neighbors);
}

static void fill_view(const struct vt_import_options *options, const struct vt_ials_model *model,
                      struct vt_train_result *result)
{
    const struct vt_dataset *dataset = &result->dataset;
    const struct vt_item_kernel *neighbors = &result->neighbors;
    result->view = (struct vt_bundle_view){
        .version = result->version,
        .parent = result->parent,
        .algorithm = "imported",
        .kernel_name = "",
        .blas = vt_kernels_blas_core(),
        .n_users = dataset->matrix.n_rows,
        .n_interactions = dataset->matrix.n_entries,
        .n_items = model->n_items,
        .item_numbers = dataset->item_ids,
        .dim = model->dim,
        .factor_stride = model->row_stride,
        .item_factors = model->item_factors,
        .gram = model->gram,
        .regularization = model->regularization,
        .regularization_exponent = model->regularization_exponent,
        .unobserved_weight = model->unobserved_weight,
        .decay_half_life_days = options->dataset.decay_half_life_days,
        .neighbors = {neighbors->n_items, neighbors->starts, neighbors->columns, neighbors->values},
        .popularity = result->popularity,
        .mix = {.factor = 1},
        .factor_moments = result->factor_moments,
        .metrics = result->metrics,
        .parameters = result->parameters,
        .n_parameters = 1,
        .first_time_ms = dataset->first_time_ms,
        .last_time_ms = dataset->last_time_ms,
    };
    snprintf(result->parameters[0].name, sizeof result->parameters[0].name, "factors");
    snprintf(result->parameters[0].value, sizeof result->parameters[0].value, "%" PRIu32,
             model->dim);
    memcpy(result->view.event_weights, options->dataset.event_weights,
           sizeof result->view.event_weights);
    memcpy(result->view.value_exponents, options->dataset.value_exponents,
           sizeof result->view.value_exponents);
}

static void find_times(const struct vt_import_input *input, struct vt_dataset *dataset)
{
    dataset->first_time_ms = INT64_MAX;
    dataset->last_time_ms = INT64_MIN;
    for (uint64_t i = 0; i < input->n; i++) {
        const int64_t time_ms = input->interactions[i].time_ms;
        if (time_ms < dataset->first_time_ms)
            dataset->first_time_ms = time_ms;
        if (time_ms > dataset->last_time_ms)
            dataset->last_time_ms = time_ms;
    }
}

/* The matrix of the events over the file's items; gives the ids to the dataset. */
static struct vt_err build_dataset(const struct vt_import_input *input,
                                   const struct vt_import_options *options, struct vt_ids *ids,
                                   struct vt_diag *diag, struct vt_dataset *dataset)
{
    VT_TRY(vt_sparse_build(input->interactions, input->n, &options->dataset, ids, diag,
                           &dataset->matrix));
    find_times(input, dataset);
    dataset->user_ids = ids->user_ids;
    dataset->item_ids = ids->item_ids;
    *ids = (struct vt_ids){0};
    if (dataset->matrix.n_entries > 0)
        return vt_ok();
    vt_diag_set(diag, "items",
                "no event that counts is of any of these items: check that the "
                "file names this store's items");
    return VT_ERR(VT_PRECONDITION, "no event is of any of the items");
}

static struct vt_err run(const struct vt_import_input *input,
                         const struct vt_import_options *options, struct vt_ids *ids,
                         struct vt_diag *diag, struct vt_train_result *result)
{
    VT_TRY(check_options(options, diag));
    VT_TRY(check_shape(input->factors, diag));
    VT_TRY(vt_ids_collect(input->interactions, input->n, ids));
    result->imported = calloc(1, sizeof *result->imported);
    VT_CHECK(result->imported != NULL, VT_EXHAUSTED, "out of memory for the factors");
    VT_TRY(take_factors(input, ids, result->imported, diag));
    VT_TRY(build_dataset(input, options, ids, diag, &result->dataset));
    VT_TRY(make_sources(options, diag, result->imported, result));
    fill_view(options, result->imported, result);
    return vt_ok();
}

struct vt_err vt_import_run(const struct vt_import_input *input,
                            const struct vt_import_options *options, struct vt_diag *diag,
                            struct vt_train_result *ret_result)
{
    struct vt_ids ids = {0};
    struct vt_err err = run(input, options, &ids, diag, ret_result);
    vt_ids_free(&ids);
    if (vt_failed(err))
        vt_train_result_free(ret_result);
    return err;
}
