/*
 * The Gram matrix of one side, α·Σ y yᵀ: what all unobserved pairs together say, and all that one
 * row needs to know of the others. Summed in double over the units of share.h, these added in
 * order: a long sum, and part of what serving reads. Its eigenvectors are a basis in which it is a
 * diagonal; turning both sides' factors into that basis changes no score, and makes its part of a
 * conjugate-gradient step, and of the preconditioner, one multiplication a dimension (adr/0091).
 */
#include "models/factor/ials_internal.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GATHER_ROWS = 128 }; /* rows of one rank-k update: 64 KiB at dim 64 */

struct vt_err vt__gram_allocate(uint32_t dim, uint32_t n_threads, struct vt__gram *ret_gram)
{
    uint32_t stride = (dim + VT_KERNEL_DIM_STEP - 1) / VT_KERNEL_DIM_STEP * VT_KERNEL_DIM_STEP;
    size_t cells = (size_t)dim * dim, padded_cells = (size_t)stride * stride;
    struct vt__gram gram = {
        .values = calloc(cells, sizeof *gram.values),
        .padded = calloc(padded_cells, sizeof *gram.padded),
        .parts = malloc(VT__UNITS_MAX * cells * sizeof *gram.parts),
        .gathered = malloc((size_t)n_threads * GATHER_ROWS * dim * sizeof *gram.gathered),
        .basis = calloc(padded_cells, sizeof *gram.basis),
        .eigenvalues = calloc(stride, sizeof *gram.eigenvalues),
    };
    if (gram.values == NULL || gram.padded == NULL || gram.parts == NULL || gram.gathered == NULL ||
        gram.basis == NULL || gram.eigenvalues == NULL) {
        vt__gram_free(&gram);
        return VT_ERR(VT_EXHAUSTED, "out of memory for the Gram matrix");
    }
    *ret_gram = gram;
    return vt_ok();
}

void vt__gram_free(struct vt__gram *gram)
{
    free(gram->values);
    free(gram->padded);
    free(gram->parts);
    free(gram->gathered);
    free(gram->basis);
    free(gram->eigenvalues);
    *gram = (struct vt__gram){0};
}

struct gram_work {
    const struct vt__factors *factors;
    struct vt__gram *gram;
    uint32_t rows_per_unit, first_unit; /* the first that is here */
};

static void sum_block(void *ctx, uint32_t block, uint32_t thread)
{
    const struct gram_work *work = ctx;
    uint32_t dim = work->factors->dim, row = block * work->rows_per_unit;
    uint32_t end = row + work->rows_per_unit;
    if (end > work->factors->n_rows)
        end = work->factors->n_rows;
    double *part = work->gram->parts + ((size_t)work->first_unit + block) * dim * dim;
    double *gathered = work->gram->gathered + (size_t)thread * GATHER_ROWS * dim;
    memset(part, 0, (size_t)dim * dim * sizeof *part);
    while (row < end) {
        uint32_t n = 0;
        for (; n < GATHER_ROWS && row < end; n++, row++)
            for (uint32_t d = 0; d < dim; d++)
                gathered[(size_t)n * dim + d] = (double)vt__factors_row(work->factors, row)[d];
        vt_kernels()->gram_add_f64(gathered, n, dim, part);
    }
}

static double sum_of_parts(const struct vt__gram *gram, uint32_t n_blocks, size_t cells, size_t at)
{
    double sum = 0;
    for (uint32_t block = 0; block < n_blocks; block++)
        sum += gram->parts[block * cells + at];
    return sum;
}

/* Adds the units up, in order. */
static void add_parts(const struct vt__factors *factors, uint32_t n_units, double unobserved_weight,
                      struct vt__gram *gram)
{
    size_t dim = factors->dim, stride = factors->stride;
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j <= i; j++) {
            double value = unobserved_weight * sum_of_parts(gram, n_units, dim * dim, i * dim + j);
            gram->values[i * dim + j] = gram->values[j * dim + i] = value;
            gram->padded[i * stride + j] = gram->padded[j * stride + i] = (float)value;
        }
}

struct vt_err vt__gram_compute(const struct vt__factors *factors, const struct vt__share *share,
                               const struct vt_group *group, double unobserved_weight,
                               uint32_t n_threads, struct vt__gram *gram)
{
    const uint32_t rows = share->rows_per_unit;
    struct gram_work work = {factors, gram, rows, vt__share_first(share) / rows};
    size_t bounds[VT_GROUP_RANKS_MAX + 1];
    if (factors->n_rows > 0)
        vt_parallel((factors->n_rows + rows - 1) / rows, n_threads, sum_block, &work);
    vt__share_unit_bounds(share, (size_t)factors->dim * factors->dim * sizeof(double), bounds);
    if (group != NULL)
        VT_TRY(vt_group_all_gather(group, bounds, gram->parts));
    add_parts(factors, share->n_units, unobserved_weight, gram);
    return vt_ok();
}

static bool all_finite(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

struct vt_err vt__gram_decompose(const struct vt__factors *factors, struct vt__gram *gram)
{
    size_t dim = factors->dim, stride = factors->stride;
    double *vectors = gram->parts, *values = gram->gathered; /* free between two sums */
    VT_CHECK(all_finite(gram->values, dim * dim), VT_CORRUPT,
             "iALS: the Gram matrix is not finite");
    memcpy(vectors, gram->values, dim * dim * sizeof *vectors);
    VT_CHECK(vt_kernels()->eigen_f64(vectors, factors->dim, values), VT_CORRUPT,
             "iALS: the Gram matrix has no eigenvalues");
    memset(gram->values, 0, dim * dim * sizeof *gram->values);
    for (size_t i = 0; i < dim; i++) {
        gram->values[i * dim + i] = values[i] > 0 ? values[i] : 0;
        gram->eigenvalues[i] = (float)gram->values[i * dim + i];
        for (size_t j = 0; j < dim; j++)
            gram->basis[i * stride + j] = (float)vectors[i * dim + j];
    }
    return vt_ok();
}
