/*
 * EASE: which way training goes, what both ways share, and the checks around them. All arithmetic
 * on the large matrix is float; that is enough as long as the ridge keeps it away from singular,
 * which is measured afterwards: P_jj · (Σ_u w_u x_uj² + ridge_j) is the factor by which item j is
 * explained by the others, and float can tell it up to about 10⁶.
 */
#include "models/linear/ease.h"

#include "models/kernels/parallel.h"
#include "models/linear/linear_internal.h"

#include <math.h>
#include <stdlib.h>

#define EXPLAINED_MAX 1e6
/* Both measured on validation parts: docs/models.md. */
static const double regularization_per_square[] = {[VT_EASE_ITEMS] = 5, [VT_EASE_NEAR] = 0.75};
#define DENSE_FROM 0.02 /* interactions over users · items */

void vt_ease_options_default(struct vt_ease_options *ret_options)
{
    *ret_options = (struct vt_ease_options){.dropout = 0.5,
                                            .user_exponent = 0.5,
                                            .popularity_exponent = 0.2,
                                            .neighbors = 1000,
                                            .support = 200};
}

/* ---- the plan ---- */

static uint32_t kept_per_row(uint64_t n_items, const struct vt_ease_options *options)
{
    return (uint64_t)options->neighbors < n_items ? options->neighbors : (uint32_t)n_items;
}

static uint64_t budget_bytes(const struct vt_ease_options *options)
{
    return options->memory_bytes > 0 ? options->memory_bytes : VT_EASE_MEMORY_BYTES;
}

static uint64_t padded(uint64_t n)
{
    return (n + VT_TILE - 1) / VT_TILE * VT_TILE;
}

static struct vt_ease_plan plan_items(uint64_t n_items, uint64_t n_entries,
                                      const struct vt_ease_options *options)
{
    struct vt_ease_plan plan = {
        .form = VT_EASE_ITEMS, .memory_bytes = UINT64_MAX, .gflop = INFINITY};
    if (n_items > VT_SYMMETRIC_MAX)
        return plan;
    uint64_t threads = vt_threads_resolve(options->threads), side = padded(n_items);
    plan.memory_bytes = vt_symmetric_bytes((uint32_t)n_items) +
                        vt_symmetric_invert_bytes((uint32_t)n_items) +
                        vt_kernel_rows_bytes((uint32_t)n_items, kept_per_row(n_items, options)) +
                        threads * side * VT_TILE * sizeof(float) + 12 * n_entries + 48 * n_items;
    plan.gflop = pow((double)side, 3) / 1e9;
    plan.fits = plan.memory_bytes <= budget_bytes(options);
    return plan;
}

/* Pairs of items that anybody has both of: as many as there could be, or what users of
 * GRAM_SKEW times the mean length would make. */
#define GRAM_SKEW 4

static struct vt_ease_plan plan_near(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                     const struct vt_ease_options *options)
{
    double threads = vt_threads_resolve(options->threads), items = (double)n_items;
    double support = options->support < n_items ? options->support : items;
    double mean = (double)n_entries / (double)(n_users > 0 ? n_users : 1);
    double pairs = fmin(items * items, (double)n_entries * mean * GRAM_SKEW) / 2;
    double bytes = 8 * pairs + 16 * items * support + 28 * (double)n_entries + 64 * items +
                   threads * (8 * support * support + 32 * items) +
                   (double)vt_kernel_rows_bytes((uint32_t)n_items, kept_per_row(n_items, options));
    /* In operations of a large matrix product: those of a small Cholesky in double take as long as
     * 8 of them, a step of the walk over G as 300 (45,000 × 41,000, support 64 and 200, by CPU
     * time). */
    double solve = 8 * support * support * support / 3, walk = 300 * support * pairs;
    struct vt_ease_plan plan = {.form = VT_EASE_NEAR,
                                .memory_bytes = (uint64_t)bytes,
                                .gflop = (items * solve + walk) / 1e9};
    plan.fits = plan.memory_bytes <= budget_bytes(options);
    return plan;
}

struct vt_ease_plan vt_ease_plan(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                 const struct vt_ease_options *options)
{
    struct vt_ease_plan items = plan_items(n_items, n_entries, options);
    struct vt_ease_plan near = plan_near(n_users, n_items, n_entries, options);
    double pairs = (double)n_users * (double)n_items;
    bool dense = (double)n_entries >= DENSE_FROM * pairs;
    if (options->form == VT_EASE_AUTO)
        return dense && items.fits ? items : near;
    return options->form == VT_EASE_ITEMS ? items : near;
}

double vt_ease_regularization(const struct vt_sparse *matrix, const struct vt_ease_options *options)
{
    double squares = 0;
    uint64_t n_users = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        n_users += matrix->starts[user + 1] > matrix->starts[user];
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        squares += (double)matrix->values[e] * (double)matrix->values[e];
    if (n_users == 0 || !(squares > 0))
        return 1;
    struct vt_ease_plan plan =
        vt_ease_plan(matrix->n_rows, matrix->n_cols, matrix->n_entries, options);
    return regularization_per_square[plan.form] * squares / (double)n_users;
}

/* ---- what the forms share ---- */

struct vt_err vt__ease_check_inverse(const struct vt__ease *ease)
{
    for (uint32_t i = 0; i < ease->matrix.n_cols; i++) {
        double explained = ease->inverse_diag[i] * (ease->squares[i] + ease->ridge[i]);
        VT_CHECK(explained > 0 && explained < EXPLAINED_MAX, VT_INVALID,
                 "the matrix of items is singular");
    }
    return vt_ok();
}

void vt__ease_keep_row(struct vt__ease *ease, uint32_t item, float *inverse_row,
                       struct vt_index_hit *hits)
{
    for (uint32_t j = 0; j < ease->matrix.n_cols; j++)
        inverse_row[j] =
            (float)(-(double)inverse_row[j] / ease->inverse_diag[j] * ease->column_scale[j]);
    vt_kernel_rows_cut(&ease->rows, item, NULL, inverse_row, ease->matrix.n_cols, hits);
}

/* ---- the whole ---- */

static struct vt_err check_options(const struct vt_ease_options *options, struct vt_diag *diag)
{
    if (options->neighbors == 0 || options->neighbors > VT_EASE_NEIGHBORS_MAX) {
        vt_diag_set(diag, "neighbors", "neighbors is %u, must be 1 to %d", options->neighbors,
                    VT_EASE_NEIGHBORS_MAX);
        return VT_ERR(VT_INVALID, "neighbors is out of range");
    }
    if (options->support == 0 || options->support > VT_EASE_SUPPORT_MAX) {
        vt_diag_set(diag, "support", "support is %u, must be 1 to %d", options->support,
                    VT_EASE_SUPPORT_MAX);
        return VT_ERR(VT_INVALID, "support is out of range");
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
    if (!(options->user_exponent >= 0 && options->user_exponent <= 2) ||
        !(options->popularity_exponent >= -2 && options->popularity_exponent <= 2)) {
        vt_diag_set(
            diag, "user_exponent",
            "user_exponent is %g, must be 0 to 2; popularity_exponent is %g, must be -2 to 2",
            options->user_exponent, options->popularity_exponent);
        return VT_ERR(VT_INVALID, "an exponent is out of range");
    }
    return vt_ok();
}

static struct vt_err alloc_ease(struct vt__ease *ease, const struct vt_sparse *matrix)
{
    uint32_t n_items = matrix->n_cols;
    ease->matrix = *matrix;
    ease->matrix.values = calloc(matrix->n_entries, sizeof *ease->matrix.values);
    ease->ridge = calloc(n_items, sizeof *ease->ridge);
    ease->squares = calloc(n_items, sizeof *ease->squares);
    ease->column_scale = calloc(n_items, sizeof *ease->column_scale);
    ease->inverse_diag = calloc(n_items, sizeof *ease->inverse_diag);
    VT_CHECK(ease->matrix.values != NULL && ease->ridge != NULL && ease->squares != NULL &&
                 ease->column_scale != NULL && ease->inverse_diag != NULL,
             VT_EXHAUSTED, "out of memory for a linear model");
    return vt_kernel_rows_init(n_items, kept_per_row(n_items, ease->options), &ease->rows);
}

static void free_ease(struct vt__ease *ease)
{
    free(ease->matrix.values);
    vt_sparse_free(&ease->by_item);
    vt_kernel_rows_fini(&ease->rows);
    free(ease->ridge);
    free(ease->squares);
    free(ease->column_scale);
    free(ease->inverse_diag);
}

static double sum_of_squares(const struct vt_sparse *matrix, uint32_t row)
{
    double squares = 0;
    for (uint64_t e = matrix->starts[row]; e < matrix->starts[row + 1]; e++)
        squares += (double)matrix->values[e] * (double)matrix->values[e];
    return squares;
}

/* ease->matrix = rows of `matrix` times √w_u. */
static void weigh_users(struct vt__ease *ease, const struct vt_sparse *matrix)
{
    double before = 0, after = 0, exponent = ease->options->user_exponent;
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        double squares = sum_of_squares(matrix, user);
        before += squares;
        after += squares > 0 ? squares * pow(squares, -exponent) : 0;
    }
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        double squares = sum_of_squares(matrix, user);
        double root = squares > 0 ? sqrt(before / after * pow(squares, -exponent)) : 0;
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
            ease->matrix.values[e] = (float)(root * (double)matrix->values[e]);
    }
}

/* Popularity is counted without the users' weights: it is what the scores are compared with. */
static void scale_columns(struct vt__ease *ease, const struct vt_sparse *matrix)
{
    double sum = 0, exponent = ease->options->popularity_exponent;
    double *scale = ease->column_scale;
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        scale[matrix->columns[e]] += (double)matrix->values[e] * (double)matrix->values[e];
    for (uint32_t i = 0; i < matrix->n_cols; i++)
        sum += scale[i];
    for (uint32_t i = 0; i < matrix->n_cols; i++)
        scale[i] = scale[i] > 0 ? pow(scale[i] / sum * (double)matrix->n_cols, -exponent) : 1;
}

static void compute_ridge(struct vt__ease *ease, const struct vt_sparse *matrix)
{
    double regularization = ease->options->regularization > 0
                                ? ease->options->regularization
                                : vt_ease_regularization(matrix, ease->options);
    double per_square = ease->options->dropout / (1 - ease->options->dropout);
    for (uint32_t i = 0; i < matrix->n_cols; i++) {
        ease->squares[i] = sum_of_squares(&ease->by_item, i);
        ease->ridge[i] = regularization + per_square * ease->squares[i];
    }
}

static struct vt_err prepare(struct vt__ease *ease, const struct vt_sparse *matrix)
{
    VT_TRY(alloc_ease(ease, matrix));
    weigh_users(ease, matrix);
    scale_columns(ease, matrix);
    VT_TRY(vt_sparse_transpose(&ease->matrix, &ease->by_item));
    compute_ridge(ease, matrix);
    return vt_ok();
}

static struct vt_err refuse_plan(const struct vt_ease_plan *plan,
                                 const struct vt_ease_options *options, struct vt_diag *diag)
{
    vt_diag_set(diag, "memory", "EASE needs %llu MiB on these data and may use %llu MiB",
                (unsigned long long)(plan->memory_bytes >> 20),
                (unsigned long long)(budget_bytes(options) >> 20));
    return VT_ERR(VT_EXHAUSTED, "EASE does not fit its memory budget");
}

static struct vt_err run_form(struct vt__ease *ease, enum vt_ease_form form)
{
    static struct vt_err (*const run[])(struct vt__ease *) = {
        [VT_EASE_ITEMS] = vt__ease_by_items,
        [VT_EASE_NEAR] = vt__ease_near,
    };
    struct vt_err err = run[form](ease);
    if (err.code == VT_INVALID)
        vt_diag_set(ease->diag, "regularization",
                    "some items are sums of others up to rounding, which regularization %g does "
                    "not part; raise it, or leave it at 0 to have it chosen",
                    ease->options->regularization);
    return err;
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
    struct vt__ease ease = {
        .options = options, .n_threads = vt_threads_resolve(options->threads), .diag = diag};
    struct vt_err err = prepare(&ease, matrix);
    if (!vt_failed(err))
        err = run_form(&ease, plan.form);
    if (!vt_failed(err))
        vt_kernel_rows_finish(&ease.rows, ret_kernel);
    free_ease(&ease);
    return err;
}
