/*
 * A block Q of n_cols × width is multiplied by AᵀA and made orthonormal again, a few times; then
 * the small matrix (AQ)ᵀ(AQ) has the squares of the singular values as its eigenvalues, and Q times
 * its eigenvectors are the right singular vectors.
 *
 * Orthonormal by the Gram matrix: with QᵀQ = W Λ Wᵀ the columns of Q W Λ^-½ are orthonormal. That
 * loses digits where Λ spans many orders, so it is done twice, and directions below rounding are
 * dropped rather than blown up: a matrix of lower rank ends with fewer vectors. Everything is in
 * double; rows are cut into fixed blocks, partial Gram matrices are added in their order.
 */
#include "models/graph/svd.h"

#include "models/dataset/mix.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_PER_BLOCK = 64,  /* of a sparse product */
    GRAM_BLOCKS_MAX = 32, /* partial sums of width² doubles each … */
    GRAM_ROWS_MIN = 1024, /* … over at least so many rows */
    STRIDE_FLOATS = 16,
    ITERATIONS_MAX = 100,
};
/* An eigenvalue below this share of the largest is rounding of the sums, not a direction. */
#define RANK_TOLERANCE 1e-12

/* Dense rows × width, row-major. */
struct block {
    double *values;
    uint32_t n_rows, width;
};

struct svd_work {
    const struct vt_sparse *matrix, *transposed;
    struct block q;            /* n_cols × width */
    struct block product;      /* n_rows × width */
    struct block next;         /* n_cols × width */
    double *gram, *gram_parts; /* width², GRAM_BLOCKS_MAX × width² */
    double *eigenvalues;       /* width */
    uint32_t n_threads;
};

void vt_svd_free(struct vt_svd *svd)
{
    free(svd->values);
    free(svd->vectors);
    *svd = (struct vt_svd){0};
}

/* ---- sparse × dense ---- */

struct multiplication {
    const struct vt_sparse *matrix;
    const struct block *from;
    struct block *to;
};

static void multiply_row(const struct multiplication *work, uint32_t row)
{
    const struct vt_sparse *matrix = work->matrix;
    const uint32_t width = work->from->width;
    double *restrict to = work->to->values + (size_t)row * width;
    memset(to, 0, width * sizeof *to);
    for (uint64_t e = matrix->starts[row]; e < matrix->starts[row + 1]; e++) {
        const double *restrict from = work->from->values + (size_t)matrix->columns[e] * width;
        const double value = (double)matrix->values[e];
        for (uint32_t i = 0; i < width; i++)
            to[i] += value * from[i];
    }
}

static void multiply_block(void *ctx, uint32_t block, uint32_t thread)
{
    const struct multiplication *work = ctx;
    uint32_t first = block * ROWS_PER_BLOCK, left = work->matrix->n_rows - first;
    (void)thread;
    for (uint32_t i = 0; i < ROWS_PER_BLOCK && i < left; i++)
        multiply_row(work, first + i);
}

static void multiply(const struct vt_sparse *matrix, const struct block *from, uint32_t n_threads,
                     struct block *to)
{
    struct multiplication work = {matrix, from, to};
    to->width = from->width;
    vt_parallel((matrix->n_rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, n_threads, multiply_block,
                &work);
}

/* ---- Gram matrix of a block's columns ---- */

struct gram_work {
    const struct block *block;
    double *parts;
    uint32_t rows_per_part;
};

static void gram_part(void *ctx, uint32_t part, uint32_t thread)
{
    const struct gram_work *work = ctx;
    const struct block *block = work->block;
    size_t cells = (size_t)block->width * block->width;
    uint32_t first = part * work->rows_per_part, left = block->n_rows - first;
    double *lower = work->parts + part * cells;
    (void)thread;
    memset(lower, 0, cells * sizeof *lower);
    vt_kernels()->gram_add_f64(block->values + (size_t)first * block->width,
                               left < work->rows_per_part ? left : work->rows_per_part,
                               block->width, lower);
}

/* Both triangles of work->gram. */
static void compute_gram(struct svd_work *work, const struct block *block)
{
    const uint32_t width = block->width;
    uint32_t per_part = (block->n_rows + GRAM_BLOCKS_MAX - 1) / GRAM_BLOCKS_MAX;
    per_part = per_part < GRAM_ROWS_MIN ? GRAM_ROWS_MIN : per_part;
    const uint32_t n_parts = (block->n_rows + per_part - 1) / per_part;
    struct gram_work gram = {block, work->gram_parts, per_part};
    vt_parallel(n_parts, work->n_threads, gram_part, &gram);
    for (uint32_t i = 0; i < width; i++)
        for (uint32_t j = 0; j <= i; j++) {
            double sum = 0;
            for (uint32_t part = 0; part < n_parts; part++)
                sum += work->gram_parts[((size_t)part * width + i) * width + j];
            work->gram[(size_t)i * width + j] = work->gram[(size_t)j * width + i] = sum;
        }
}

/* ---- dense × small ---- */

struct rotation {
    const struct block *from;
    const double *by; /* n_kept × width: row k of it gives column k */
    uint32_t n_kept;
    double *to; /* n_rows × n_kept */
};

static void rotate_block(void *ctx, uint32_t block, uint32_t thread)
{
    const struct rotation *work = ctx;
    const uint32_t width = work->from->width;
    uint32_t first = block * ROWS_PER_BLOCK, left = work->from->n_rows - first;
    (void)thread;
    for (uint32_t r = first; r < first + (left < ROWS_PER_BLOCK ? left : ROWS_PER_BLOCK); r++) {
        const double *restrict from = work->from->values + (size_t)r * width;
        double *restrict to = work->to + (size_t)r * work->n_kept;
        memset(to, 0, work->n_kept * sizeof *to);
        for (uint32_t i = 0; i < width; i++)
            for (uint32_t k = 0; k < work->n_kept; k++)
                to[k] += from[i] * work->by[(size_t)i * work->n_kept + k];
    }
}

static void rotate(const struct block *from, const double *by, uint32_t n_kept, uint32_t n_threads,
                   double *to)
{
    struct rotation work = {from, by, n_kept, to};
    vt_parallel((from->n_rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, n_threads, rotate_block,
                &work);
}

/* ---- orthonormal columns ---- */

/* The eigenvectors of work->gram (rows, ascending) as columns in descending order, each times
 * `scale` of its eigenvalue, into `by`: width × n_kept. Returns n_kept. */
static uint32_t take_directions(const struct svd_work *work, uint32_t width, uint32_t most,
                                bool whiten, double *by)
{
    const double largest = work->eigenvalues[width - 1];
    uint32_t n_kept = 0;
    while (n_kept < width && n_kept < most &&
           work->eigenvalues[width - 1 - n_kept] > RANK_TOLERANCE * largest &&
           work->eigenvalues[width - 1 - n_kept] > 0)
        n_kept++;
    for (uint32_t k = 0; k < n_kept; k++) {
        uint32_t source = width - 1 - k;
        double scale = whiten ? 1 / sqrt(work->eigenvalues[source]) : 1;
        for (uint32_t i = 0; i < width; i++)
            by[(size_t)i * n_kept + k] = scale * work->gram[(size_t)source * width + i];
    }
    return n_kept;
}

/* Makes the columns of `block` orthonormal, in `spare`, which it becomes. */
static struct vt_err orthonormalise(struct svd_work *work, struct block *block, struct block *spare)
{
    compute_gram(work, block);
    VT_CHECK(vt_kernels()->eigen_f64(work->gram, block->width, work->eigenvalues), VT_EXHAUSTED,
             "SVD: the eigenvalues were not found");
    uint32_t n_kept = take_directions(work, block->width, block->width, true, work->gram_parts);
    VT_CHECK(n_kept > 0, VT_INVALID, "SVD: the matrix is zero");
    rotate(block, work->gram_parts, n_kept, work->n_threads, spare->values);
    spare->width = n_kept;
    struct block kept = *block;
    *block = *spare;
    *spare = kept;
    return vt_ok();
}

/* ---- the whole ---- */

static void randomise(struct block *block, uint64_t seed)
{
    size_t n = (size_t)block->n_rows * block->width;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = vt_mix64(seed + (i + 1) * VT_MIX64_STEP);
        block->values[i] = (double)(bits >> 11) / 4503599627370496.0 - 1; /* in [-1, 1) */
    }
}

static struct vt_err power_step(struct svd_work *work)
{
    multiply(work->matrix, &work->q, work->n_threads, &work->product);
    multiply(work->transposed, &work->product, work->n_threads, &work->next);
    struct block kept = work->q;
    work->q = work->next;
    work->next = kept;
    VT_TRY(orthonormalise(work, &work->q, &work->next));
    return orthonormalise(work, &work->q, &work->next);
}

static struct vt_err take_result(struct svd_work *work, uint32_t rank, struct vt_svd *ret_svd)
{
    multiply(work->matrix, &work->q, work->n_threads, &work->product);
    compute_gram(work, &work->product);
    VT_CHECK(vt_kernels()->eigen_f64(work->gram, work->q.width, work->eigenvalues), VT_EXHAUSTED,
             "SVD: the eigenvalues were not found");
    const uint32_t width = work->q.width, n_cols = work->q.n_rows;
    uint32_t n_kept = take_directions(work, width, rank, false, work->gram_parts);
    VT_CHECK(n_kept > 0, VT_INVALID, "SVD: the matrix is zero");
    rotate(&work->q, work->gram_parts, n_kept, work->n_threads, work->next.values);
    struct vt_svd svd = {.n_cols = n_cols, .rank = n_kept};
    svd.stride = (n_kept + STRIDE_FLOATS - 1) / STRIDE_FLOATS * STRIDE_FLOATS;
    svd.values = calloc(n_kept, sizeof *svd.values);
    svd.vectors = calloc((size_t)n_cols * svd.stride, sizeof *svd.vectors);
    if (svd.values == NULL || svd.vectors == NULL) {
        vt_svd_free(&svd);
        return VT_ERR(VT_EXHAUSTED, "out of memory for singular vectors");
    }
    for (uint32_t k = 0; k < n_kept; k++)
        svd.values[k] = sqrt(work->eigenvalues[width - 1 - k]);
    for (uint32_t j = 0; j < n_cols; j++)
        for (uint32_t k = 0; k < n_kept; k++)
            svd.vectors[(size_t)j * svd.stride + k] =
                (float)work->next.values[(size_t)j * n_kept + k];
    *ret_svd = svd;
    return vt_ok();
}

static struct vt_err block_init(uint32_t n_rows, uint32_t width, struct block *ret_block)
{
    *ret_block = (struct block){calloc((size_t)n_rows * width, sizeof(double)), n_rows, width};
    VT_CHECK(ret_block->values != NULL, VT_EXHAUSTED, "out of memory for an SVD");
    return vt_ok();
}

static struct vt_err work_init(struct svd_work *work, uint32_t width)
{
    const size_t cells = (size_t)width * width;
    VT_TRY(block_init(work->matrix->n_cols, width, &work->q));
    VT_TRY(block_init(work->matrix->n_cols, width, &work->next));
    VT_TRY(block_init(work->matrix->n_rows, width, &work->product));
    work->gram = calloc(cells, sizeof *work->gram);
    work->gram_parts = calloc(GRAM_BLOCKS_MAX * cells, sizeof *work->gram_parts);
    work->eigenvalues = calloc(width, sizeof *work->eigenvalues);
    VT_CHECK(work->gram != NULL && work->gram_parts != NULL && work->eigenvalues != NULL,
             VT_EXHAUSTED, "out of memory for an SVD");
    return vt_ok();
}

static void work_fini(struct svd_work *work)
{
    free(work->q.values);
    free(work->next.values);
    free(work->product.values);
    free(work->gram);
    free(work->gram_parts);
    free(work->eigenvalues);
}

static uint32_t width_of(uint64_t n_rows, uint64_t n_cols, uint32_t rank)
{
    uint64_t shorter = n_rows < n_cols ? n_rows : n_cols;
    uint64_t width = (uint64_t)rank + VT_SVD_OVERSAMPLE;
    return (uint32_t)(width < shorter ? width : shorter);
}

static struct vt_err run(struct svd_work *work, const struct vt_svd_options *options,
                         struct vt_svd *ret_svd)
{
    randomise(&work->q, options->seed);
    for (uint32_t i = 0; i < options->iterations; i++)
        VT_TRY(power_step(work));
    return take_result(work, options->rank, ret_svd);
}

struct vt_err vt_svd_right(const struct vt_sparse *matrix, const struct vt_sparse *transposed,
                           const struct vt_svd_options *options, struct vt_svd *ret_svd)
{
    VT_CHECK(options->rank > 0 && options->rank <= VT_SVD_RANK_MAX, VT_INVALID,
             "SVD: the rank is out of range");
    VT_CHECK(options->iterations > 0 && options->iterations <= ITERATIONS_MAX, VT_INVALID,
             "SVD: the number of iterations is out of range");
    VT_CHECK(matrix->n_rows > 0 && matrix->n_cols > 0, VT_INVALID, "SVD: the matrix is empty");
    struct svd_work work = {.matrix = matrix,
                            .transposed = transposed,
                            .n_threads = vt_threads_resolve(options->threads)};
    struct vt_err err = work_init(&work, width_of(matrix->n_rows, matrix->n_cols, options->rank));
    if (!vt_failed(err))
        err = run(&work, options, ret_svd);
    work_fini(&work);
    return err;
}

uint64_t vt_svd_memory_bytes(uint64_t n_rows, uint64_t n_cols, uint32_t rank)
{
    uint64_t width = width_of(n_rows, n_cols, rank);
    return ((2 * n_cols + n_rows) * width + (GRAM_BLOCKS_MAX + 2) * width * width) *
               sizeof(double) +
           n_cols * (rank + STRIDE_FLOATS) * sizeof(float);
}

double vt_svd_gflop(uint64_t n_rows, uint64_t n_cols, uint64_t n_entries,
                    const struct vt_svd_options *options)
{
    double width = width_of(n_rows, n_cols, options->rank);
    double products = 4 * (double)n_entries * width, dense = 6 * (double)n_cols * width * width;
    return (double)options->iterations * (products + dense) / 1e9;
}
