/*
 * Kernels added up: a row at a time into a dense row of sums, whose touched columns are then cut.
 * Kernels are added in their order, so a sum has the same bits on any thread.
 */
#include "models/blend/kernel_sum.h"

#include "models/kernels/parallel.h"
#include "models/neighbor/kernel_rows.h"

#include <stdlib.h>

enum { ROWS_PER_BLOCK = 64 };

struct scratch {
    double *sums;      /* n_items, 0 between rows */
    bool *is_touched;  /* n_items, false between rows */
    uint32_t *columns; /* n_items */
    float *values;     /* n_items */
    struct vt_index_hit *hits;
};

struct adding {
    const struct vt_item_kernel *const *kernels;
    const double *factors;
    uint32_t n_kernels, n_items;
    struct vt_kernel_rows rows;
    struct scratch *scratch; /* by thread */
    uint32_t n_threads;
};

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t sum_row(const struct adding *adding, uint32_t row, struct scratch *scratch)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < adding->n_kernels; k++) {
        const struct vt_item_kernel *kernel = adding->kernels[k];
        for (uint64_t e = kernel->starts[row]; e < kernel->starts[row + 1]; e++) {
            const uint32_t column = kernel->columns[e];
            if (!scratch->is_touched[column])
                scratch->columns[n++] = column;
            scratch->is_touched[column] = true;
            scratch->sums[column] += adding->factors[k] * (double)kernel->values[e];
        }
    }
    return n;
}

static void add_row(struct adding *adding, uint32_t row, struct scratch *scratch)
{
    const uint32_t n = sum_row(adding, row, scratch);
    qsort(scratch->columns, n, sizeof *scratch->columns, compare_u32);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t column = scratch->columns[i];
        scratch->values[i] = (float)scratch->sums[column];
        scratch->sums[column] = 0;
        scratch->is_touched[column] = false;
    }
    vt_kernel_rows_cut(&adding->rows, row, scratch->columns, scratch->values, n, scratch->hits);
}

static void add_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct adding *adding = ctx;
    const uint32_t first = block * ROWS_PER_BLOCK, left = adding->n_items - first;
    const uint32_t n = left < ROWS_PER_BLOCK ? left : ROWS_PER_BLOCK;
    for (uint32_t i = 0; i < n; i++)
        add_row(adding, first + i, &adding->scratch[thread]);
}

static struct vt_err scratch_init(uint32_t n_items, uint32_t per_row, struct scratch *scratch)
{
    scratch->sums = calloc(n_items, sizeof *scratch->sums);
    scratch->is_touched = calloc(n_items, sizeof *scratch->is_touched);
    scratch->columns = calloc(n_items, sizeof *scratch->columns);
    scratch->values = calloc(n_items, sizeof *scratch->values);
    scratch->hits = calloc(per_row, sizeof *scratch->hits);
    VT_CHECK(scratch->sums != NULL && scratch->is_touched != NULL && scratch->columns != NULL &&
                 scratch->values != NULL && scratch->hits != NULL,
             VT_EXHAUSTED, "out of memory for a sum of kernels");
    return vt_ok();
}

static void adding_fini(struct adding *adding)
{
    for (uint32_t t = 0; adding->scratch != NULL && t < adding->n_threads; t++) {
        free(adding->scratch[t].sums);
        free(adding->scratch[t].is_touched);
        free(adding->scratch[t].columns);
        free(adding->scratch[t].values);
        free(adding->scratch[t].hits);
    }
    free(adding->scratch);
    vt_kernel_rows_fini(&adding->rows);
}

static struct vt_err add_all(struct adding *adding, uint32_t per_row)
{
    VT_TRY(vt_kernel_rows_init(adding->n_items, per_row, &adding->rows));
    adding->scratch = calloc(adding->n_threads, sizeof *adding->scratch);
    VT_CHECK(adding->scratch != NULL, VT_EXHAUSTED, "out of memory for a sum of kernels");
    for (uint32_t t = 0; t < adding->n_threads; t++)
        VT_TRY(scratch_init(adding->n_items, per_row, &adding->scratch[t]));
    vt_parallel((adding->n_items + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, adding->n_threads,
                add_block, adding);
    return vt_ok();
}

struct vt_err vt_blend_kernel_sum(const struct vt_item_kernel *const *kernels,
                                  const double *factors, uint32_t n_kernels, uint32_t per_row,
                                  uint32_t threads, struct vt_item_kernel *ret_kernel)
{
    VT_ASSERT(n_kernels > 0 && per_row > 0);
    struct adding adding = {.kernels = kernels,
                            .factors = factors,
                            .n_kernels = n_kernels,
                            .n_items = kernels[0]->n_items,
                            .n_threads = vt_threads_resolve(threads)};
    struct vt_err err = add_all(&adding, per_row < adding.n_items ? per_row : adding.n_items);
    if (!vt_failed(err))
        vt_kernel_rows_finish(&adding.rows, ret_kernel);
    adding_fini(&adding);
    return err;
}
