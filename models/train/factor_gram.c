/*
 * The Gram matrix of factors that are not yet, or no longer, in the hands of their training: for
 * the gate, which does not believe what it is told, and for asking customers between two
 * iterations.
 */
#include "models/train/factor_gram.h"

#include "models/kernels/kernels.h"

#include <stdlib.h>

enum { BLOCK_ROWS = 128 };

static void add_rows(const struct vt_factor_rows *rows, double *block, double *lower)
{
    for (uint32_t row = 0; row < rows->n_rows;) {
        uint32_t n = 0;
        for (; n < BLOCK_ROWS && row < rows->n_rows; n++, row++)
            for (uint32_t d = 0; d < rows->dim; d++)
                block[(size_t)n * rows->dim + d] =
                    (double)rows->values[(size_t)row * rows->row_stride + d];
        vt_kernels()->gram_add_f64(block, n, rows->dim, lower);
    }
}

static void scale_and_mirror(double *gram, size_t dim, double weight)
{
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j <= i; j++)
            gram[j * dim + i] = gram[i * dim + j] *= weight;
}

struct vt_err vt__factor_gram(const struct vt_factor_rows *rows, double weight, double **ret_gram)
{
    double *block = malloc(BLOCK_ROWS * (size_t)rows->dim * sizeof *block);
    double *gram = calloc((size_t)rows->dim * rows->dim, sizeof *gram);
    const bool fits = block != NULL && gram != NULL;
    if (fits) {
        add_rows(rows, block, gram);
        scale_and_mirror(gram, rows->dim, weight);
    }
    free(block);
    if (!fits) {
        free(gram);
        return VT_ERR(VT_EXHAUSTED, "out of memory for a Gram matrix");
    }
    *ret_gram = gram;
    return vt_ok();
}
