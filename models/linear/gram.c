/*
 * Gram matrices of sparse matrices into tiles. Row i of the result is made from the entries of
 * column i: each brings the part of its row up to column i. One accumulator a thread; a row is
 * added up in the order of the entries, whoever does it.
 */
#include "models/kernels/parallel.h"
#include "models/linear/linear_internal.h"

#include <stdlib.h>
#include <string.h>

enum { GRAM_ROWS_PER_BLOCK = 32 };

struct gram {
    const struct vt_sparse *rows, *columns;
    struct vt_symmetric *ret;
    double *sums; /* n per thread */
};

static void add_entry(const struct gram *gram, uint64_t entry, uint32_t end_column, double *sums)
{
    const struct vt_sparse *rows = gram->rows;
    uint32_t row = gram->columns->columns[entry];
    double weight = (double)gram->columns->values[entry];
    for (uint64_t e = rows->starts[row]; e < rows->starts[row + 1]; e++) {
        if (rows->columns[e] > end_column)
            return;
        sums[rows->columns[e]] += weight * (double)rows->values[e];
    }
}

static void gram_row(const struct gram *gram, uint32_t i, double *sums)
{
    memset(sums, 0, ((size_t)i + 1) * sizeof *sums);
    for (uint64_t e = gram->columns->starts[i]; e < gram->columns->starts[i + 1]; e++)
        add_entry(gram, e, i, sums);
    for (uint32_t first = 0; first <= i; first += VT_TILE) {
        float *tile = vt_symmetric_at(gram->ret, i, first);
        uint32_t n = i - first < VT_TILE ? i - first + 1 : VT_TILE;
        for (uint32_t c = 0; c < n; c++)
            tile[c] = (float)((double)tile[c] + sums[first + c]);
    }
}

/* The last rows are the longest: first come, first served. */
static void gram_block(void *ctx, uint32_t block, uint32_t thread)
{
    const struct gram *gram = ctx;
    uint32_t n = gram->ret->n, first = block * GRAM_ROWS_PER_BLOCK;
    uint32_t end = n - first < GRAM_ROWS_PER_BLOCK ? n : first + GRAM_ROWS_PER_BLOCK;
    for (uint32_t i = first; i < end; i++)
        gram_row(gram, n - 1 - i, gram->sums + (size_t)thread * n);
}

struct vt_err vt__gram_add(const struct vt_sparse *rows, const struct vt_sparse *columns,
                           uint32_t n_threads, struct vt_symmetric *ret)
{
    VT_ASSERT(columns->n_rows == ret->n && rows->n_cols == ret->n);
    struct gram gram = {.rows = rows,
                        .columns = columns,
                        .ret = ret,
                        .sums = calloc((size_t)n_threads * ret->n, sizeof(double))};
    VT_CHECK(gram.sums != NULL, VT_EXHAUSTED, "out of memory for a Gram matrix");
    vt_parallel((ret->n + GRAM_ROWS_PER_BLOCK - 1) / GRAM_ROWS_PER_BLOCK, n_threads, gram_block,
                &gram);
    free(gram.sums);
    return vt_ok();
}
