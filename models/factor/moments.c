/*
 * The covariance is summed around 0 and the mean's square is taken off at the end. That loses
 * digits only where the mean is far larger than the deviation, which factors of items are not; what
 * remains below 0 after rounding is 0.
 */
#include "models/factor/moments.h"

#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCKS_MAX = 64,       /* bounds the partial sums: a part is (1 + dim) × dim doubles */
    BLOCK_ROWS_MIN = 1024, /* … of at least so many rows */
    GATHER_ROWS = 64,      /* rows made double at once */
};

struct sums {
    const struct vt_factor_rows *rows;
    uint32_t rows_per_block;
    double *parts;    /* n_blocks × (1 + dim) × dim: Σ y, then the lower triangle of Σ y yᵀ */
    double *gathered; /* threads × GATHER_ROWS × dim */
};

static void add_rows(const struct vt_factor_rows *rows, uint32_t first, uint32_t n,
                     double *restrict gathered, double *restrict part)
{
    const uint32_t dim = rows->dim;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t d = 0; d < dim; d++) {
            double value = (double)rows->values[(size_t)(first + i) * rows->row_stride + d];
            gathered[(size_t)i * dim + d] = value;
            part[d] += value;
        }
    vt_kernels()->gram_add_f64(gathered, n, dim, part + dim);
}

static void sum_block(void *ctx, uint32_t block, uint32_t thread)
{
    const struct sums *sums = ctx;
    const uint32_t dim = sums->rows->dim, first = block * sums->rows_per_block;
    const uint32_t left = sums->rows->n_rows - first;
    const uint32_t n = left < sums->rows_per_block ? left : sums->rows_per_block;
    double *gathered = sums->gathered + (size_t)thread * GATHER_ROWS * dim;
    double *part = sums->parts + (size_t)block * (dim + 1) * dim;
    for (uint32_t at = 0; at < n; at += GATHER_ROWS)
        add_rows(sums->rows, first + at, n - at < GATHER_ROWS ? n - at : GATHER_ROWS, gathered,
                 part);
}

/* Adds the parts up in their order. */
static void finish(const struct sums *sums, uint32_t n_blocks, double *ret_moments)
{
    const uint32_t dim = sums->rows->dim;
    const double n = sums->rows->n_rows;
    const size_t cells = (size_t)(dim + 1) * dim;
    double *mean = ret_moments, *covariance = ret_moments + dim;
    memset(ret_moments, 0, cells * sizeof *ret_moments);
    for (uint32_t block = 0; block < n_blocks; block++)
        for (size_t i = 0; i < cells; i++)
            ret_moments[i] += sums->parts[block * cells + i];
    for (uint32_t d = 0; d < dim; d++)
        mean[d] /= n;
    for (uint32_t i = 0; i < dim; i++)
        for (uint32_t j = 0; j <= i; j++) {
            double value = covariance[(size_t)i * dim + j] / n - mean[i] * mean[j];
            covariance[(size_t)i * dim + j] = covariance[(size_t)j * dim + i] = value;
        }
}

struct vt_err vt_factor_moments(const struct vt_factor_rows *rows, uint32_t threads,
                                double *ret_moments)
{
    VT_CHECK(rows->n_rows > 0 && rows->dim > 0, VT_INVALID, "no factors to take moments of");
    uint32_t per_block = (rows->n_rows + BLOCKS_MAX - 1) / BLOCKS_MAX;
    per_block = per_block < BLOCK_ROWS_MIN ? BLOCK_ROWS_MIN : per_block;
    const uint32_t n_blocks = (rows->n_rows + per_block - 1) / per_block;
    const uint32_t n_threads = vt_threads_resolve(threads);
    struct sums sums = {.rows = rows, .rows_per_block = per_block};
    struct vt_err err = vt_ok();
    sums.parts = calloc((size_t)n_blocks * (rows->dim + 1) * rows->dim, sizeof *sums.parts);
    sums.gathered = calloc((size_t)n_threads * GATHER_ROWS * rows->dim, sizeof *sums.gathered);
    if (sums.parts == NULL || sums.gathered == NULL)
        err = VT_ERR(VT_EXHAUSTED, "out of memory for the moments of factors");
    else
        vt_parallel(n_blocks, n_threads, sum_block, &sums);
    if (!vt_failed(err))
        finish(&sums, n_blocks, ret_moments);
    free(sums.parts);
    free(sums.gathered);
    return err;
}

void vt_factor_score_moments(const double *moments, uint32_t dim, const float *vector,
                             double *ret_mean, double *ret_deviation)
{
    double mean = 0, variance = 0;
    for (uint32_t i = 0; i < dim; i++) {
        const double *row = moments + (size_t)(i + 1) * dim;
        double sum = 0;
        for (uint32_t j = 0; j < dim; j++)
            sum += row[j] * (double)vector[j];
        variance += sum * (double)vector[i];
        mean += moments[i] * (double)vector[i];
    }
    *ret_mean = mean;
    *ret_deviation = variance > 0 ? sqrt(variance) : 0;
}
