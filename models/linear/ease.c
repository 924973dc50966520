/*
 * EASE: which way the inverse is taken, what both ways share, and the checks around them. All
 * arithmetic on the large matrices is float; that is enough as long as the ridge keeps the matrix
 * away from singular, which is measured afterwards: P_jj · (Σ_u x_uj² + ridge_j) is the factor by
 * which item j is explained by the others, and float can tell it up to about 10⁶.
 */
#include "models/linear/ease.h"

#include "models/kernels/parallel.h"
#include "models/linear/linear_internal.h"

#include <math.h>
#include <stdlib.h>

#define EXPLAINED_MAX 1e6
#define REGULARIZATION_PER_ITEM 3 /* docs/models.md: measured on validation parts */

void vt_ease_options_default(struct vt_ease_options *ret_options)
{
    *ret_options = (struct vt_ease_options){.dropout = 0.33, .neighbors = 1000};
}

double vt_ease_regularization(const struct vt_sparse *matrix)
{
    double squares = 0;
    uint64_t n_users = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        n_users += matrix->starts[user + 1] > matrix->starts[user];
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        squares += (double)matrix->values[e] * (double)matrix->values[e];
    return n_users > 0 && squares > 0 ? REGULARIZATION_PER_ITEM * squares / (double)n_users : 1;
}

/* ---- the plan ---- */

static uint32_t kept_per_row(uint64_t n_items, const struct vt_ease_options *options)
{
    return (uint64_t)options->neighbors < n_items ? options->neighbors : (uint32_t)n_items;
}

static uint64_t padded(uint64_t n)
{
    return (n + VT_TILE - 1) / VT_TILE * VT_TILE;
}

static struct vt_ease_plan plan_form(enum vt_ease_form form, uint64_t n_users, uint64_t n_items,
                                     uint64_t n_entries, const struct vt_ease_options *options)
{
    uint64_t side = form == VT_EASE_ITEMS ? n_items : n_users;
    struct vt_ease_plan plan = {.form = form, .memory_bytes = UINT64_MAX, .gflop = INFINITY};
    if (side > VT_SYMMETRIC_MAX || n_items > UINT32_MAX)
        return plan;
    double threads = vt_threads_resolve(options->threads);
    double per_thread = form == VT_EASE_ITEMS
                            ? (double)VT_TILE * (double)padded(n_items)
                            : (double)VT_TILE * (double)padded(n_users) +
                                  (double)VT_TILE * (double)n_items + 3.0 * (double)n_entries;
    double entries = (double)n_entries, cube = pow((double)padded(side), 3);
    plan.memory_bytes =
        vt_symmetric_bytes((uint32_t)side) + vt_symmetric_invert_bytes((uint32_t)side) +
        vt_kernel_rows_bytes((uint32_t)n_items, kept_per_row(n_items, options)) + 8 * n_entries +
        (uint64_t)(threads * 4 * per_thread) + 32 * (n_items + n_users);
    double rows = form == VT_EASE_ITEMS ? 0 : 2 * entries * (double)(n_users + n_items);
    plan.gflop = (cube + rows) / 1e9;
    uint64_t limit = options->memory_bytes > 0 ? options->memory_bytes : VT_EASE_MEMORY_BYTES;
    plan.fits = plan.memory_bytes <= limit;
    return plan;
}

struct vt_ease_plan vt_ease_plan(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                 const struct vt_ease_options *options)
{
    struct vt_ease_plan items = plan_form(VT_EASE_ITEMS, n_users, n_items, n_entries, options);
    struct vt_ease_plan users = plan_form(VT_EASE_USERS, n_users, n_items, n_entries, options);
    if (items.fits != users.fits)
        return items.fits ? items : users;
    return users.gflop < items.gflop ? users : items;
}

/* ---- what the forms share ---- */

struct vt_err vt__ease_check_inverse(const struct vt__ease *ease)
{
    for (uint32_t i = 0; i < ease->matrix->n_cols; i++) {
        double explained = ease->inverse_diag[i] * (ease->squares[i] + ease->ridge[i]);
        if (explained > 0 && explained < EXPLAINED_MAX)
            continue;
        vt_diag_set(ease->diag, "regularization",
                    "item %u is a sum of other items up to rounding: the matrix is singular with "
                    "regularization %g; raise it (docs/models.md has what suits which data)",
                    i, ease->ridge[i]);
        return VT_ERR(VT_INVALID, "the matrix of items is singular");
    }
    return vt_ok();
}

void vt__ease_keep_row(struct vt__ease *ease, uint32_t item, float *inverse_row,
                       struct vt_index_hit *hits)
{
    for (uint32_t j = 0; j < ease->matrix->n_cols; j++)
        inverse_row[j] = (float)(-(double)inverse_row[j] / ease->inverse_diag[j]);
    vt_kernel_rows_cut(&ease->rows, item, inverse_row, hits);
}

/* ---- the whole ---- */

static struct vt_err check_options(const struct vt_ease_options *options, struct vt_diag *diag)
{
    if (options->neighbors == 0 || options->neighbors > VT_EASE_NEIGHBORS_MAX) {
        vt_diag_set(diag, "neighbors", "neighbors is %u, must be 1 to %d", options->neighbors,
                    VT_EASE_NEIGHBORS_MAX);
        return VT_ERR(VT_INVALID, "neighbors is out of range");
    }
    if (!(options->regularization >= 0) || !isfinite(options->regularization)) {
        vt_diag_set(diag, "regularization",
                    "regularization is %g, must be above 0, or 0 to have it chosen",
                    options->regularization);
        return VT_ERR(VT_INVALID, "regularization is out of range");
    }
    if (!(options->dropout >= 0) || !(options->dropout < 1)) {
        vt_diag_set(diag, "dropout", "dropout is %g, must be 0 or more and below 1",
                    options->dropout);
        return VT_ERR(VT_INVALID, "dropout is out of range");
    }
    return vt_ok();
}

static struct vt_err alloc_ease(struct vt__ease *ease)
{
    uint32_t n_items = ease->matrix->n_cols;
    VT_TRY(vt_sparse_transpose(ease->matrix, &ease->by_item));
    VT_TRY(vt_kernel_rows_init(n_items, kept_per_row(n_items, ease->options), &ease->rows));
    ease->ridge = calloc(n_items, sizeof *ease->ridge);
    ease->squares = calloc(n_items, sizeof *ease->squares);
    ease->inverse_diag = calloc(n_items, sizeof *ease->inverse_diag);
    VT_CHECK(ease->ridge != NULL && ease->squares != NULL && ease->inverse_diag != NULL,
             VT_EXHAUSTED, "out of memory for a linear model");
    return vt_ok();
}

static void free_ease(struct vt__ease *ease)
{
    vt_sparse_free(&ease->by_item);
    vt_kernel_rows_fini(&ease->rows);
    free(ease->ridge);
    free(ease->squares);
    free(ease->inverse_diag);
}

static void compute_ridge(struct vt__ease *ease)
{
    double regularization = ease->options->regularization > 0
                                ? ease->options->regularization
                                : vt_ease_regularization(ease->matrix);
    double per_square = ease->options->dropout / (1 - ease->options->dropout);
    for (uint32_t i = 0; i < ease->matrix->n_cols; i++) {
        for (uint64_t e = ease->by_item.starts[i]; e < ease->by_item.starts[i + 1]; e++)
            ease->squares[i] += (double)ease->by_item.values[e] * (double)ease->by_item.values[e];
        ease->ridge[i] = regularization + per_square * ease->squares[i];
    }
}

static struct vt_err refuse_plan(const struct vt_ease_plan *plan,
                                 const struct vt_ease_options *options, struct vt_diag *diag)
{
    uint64_t limit = options->memory_bytes > 0 ? options->memory_bytes : VT_EASE_MEMORY_BYTES;
    vt_diag_set(diag, "memory", "EASE needs %llu MiB on these data and may use %llu MiB",
                (unsigned long long)(plan->memory_bytes >> 20), (unsigned long long)(limit >> 20));
    return VT_ERR(VT_EXHAUSTED, "EASE does not fit its memory budget");
}

struct vt_err vt_ease_train(const struct vt_sparse *matrix, const struct vt_ease_options *options,
                            struct vt_diag *diag, struct vt_item_kernel *ret_kernel)
{
    VT_TRY(check_options(options, diag));
    VT_CHECK(matrix->n_cols > 0 && matrix->n_entries > 0, VT_INVALID,
             "no interactions to fit a linear model to");
    struct vt_ease_plan plan =
        vt_ease_plan(matrix->n_rows, matrix->n_cols, matrix->n_entries, options);
    if (!plan.fits)
        return refuse_plan(&plan, options, diag);
    struct vt__ease ease = {.matrix = matrix,
                            .options = options,
                            .n_threads = vt_threads_resolve(options->threads),
                            .diag = diag};
    struct vt_err err = alloc_ease(&ease);
    if (!vt_failed(err)) {
        compute_ridge(&ease);
        err = plan.form == VT_EASE_ITEMS ? vt__ease_by_items(&ease) : vt__ease_by_users(&ease);
    }
    if (!vt_failed(err))
        vt_kernel_rows_finish(&ease.rows, ret_kernel);
    free_ease(&ease);
    return err;
}
