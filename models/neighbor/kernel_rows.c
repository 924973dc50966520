/*
 * How item-CF, EASE and the other kernels of items get their rows: the best of each row are kept
 * where the final arrays are, at the row's own distance, so that threads need no lock and the end
 * only closes the gaps of short rows.
 */
#include "models/neighbor/kernel_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t vt_kernel_rows_bytes(uint32_t n_items, uint32_t per_row)
{
    return (uint64_t)n_items *
           (per_row * (sizeof(uint32_t) + sizeof(float)) + sizeof(uint64_t) + sizeof(uint32_t));
}

struct vt_err vt_kernel_rows_init(uint32_t n_items, uint32_t per_row,
                                  struct vt_kernel_rows *ret_rows)
{
    VT_ASSERT(n_items > 0 && per_row > 0 && per_row <= n_items);
    struct vt_kernel_rows rows = {
        .n_items = n_items, .per_row = per_row, .kernel = {.n_items = n_items}};
    rows.kernel.starts = calloc((size_t)n_items + 1, sizeof *rows.kernel.starts);
    rows.kernel.columns = calloc((size_t)n_items * per_row, sizeof *rows.kernel.columns);
    rows.kernel.values = calloc((size_t)n_items * per_row, sizeof *rows.kernel.values);
    rows.n_kept = calloc(n_items, sizeof *rows.n_kept);
    if (rows.kernel.starts == NULL || rows.kernel.columns == NULL || rows.kernel.values == NULL ||
        rows.n_kept == NULL) {
        vt_kernel_rows_fini(&rows);
        return VT_ERR(VT_EXHAUSTED, "out of memory for an item-item kernel");
    }
    *ret_rows = rows;
    return vt_ok();
}

void vt_kernel_rows_fini(struct vt_kernel_rows *rows)
{
    vt_item_kernel_free(&rows->kernel);
    free(rows->n_kept);
    *rows = (struct vt_kernel_rows){0};
}

void vt_kernel_rows_keep(struct vt_kernel_rows *rows, uint32_t row, struct vt_top *top)
{
    size_t at = (size_t)row * rows->per_row;
    vt_top_sort(top);
    for (uint32_t i = 0; i < top->n; i++) {
        rows->kernel.columns[at + i] = top->hits[i].row;
        rows->kernel.values[at + i] = (float)top->hits[i].score;
    }
    rows->n_kept[row] = top->n;
}

void vt_kernel_rows_cut(struct vt_kernel_rows *rows, uint32_t row, const uint32_t *columns,
                        const float *values, uint32_t n, struct vt_index_hit *hits)
{
    struct vt_top largest = {.hits = hits, .capacity = rows->per_row};
    for (uint32_t e = 0; e < n; e++) {
        const double size = (double)fabsf(values[e]);
        /* Most are too small for a full list: seen at a glance, without a call. */
        if (!(size > 0) || (largest.n == largest.capacity && size < hits[0].score) ||
            (columns != NULL ? columns[e] : e) == row)
            continue;
        vt_top_offer(&largest, (struct vt_index_hit){.score = size, .row = e});
    }
    /* The same as a heap by value: hit i is read before anything at or behind it is written. */
    struct vt_top top = {.hits = hits, .capacity = largest.n};
    for (uint32_t i = 0; i < largest.n; i++) {
        uint32_t e = hits[i].row;
        vt_top_offer(&top, (struct vt_index_hit){.score = (double)values[e],
                                                 .row = columns != NULL ? columns[e] : e});
    }
    vt_kernel_rows_keep(rows, row, &top);
}

void vt_kernel_rows_finish(struct vt_kernel_rows *rows, struct vt_item_kernel *ret_kernel)
{
    struct vt_item_kernel *kernel = &rows->kernel;
    uint64_t end = 0;
    for (uint32_t row = 0; row < rows->n_items; row++) {
        size_t from = (size_t)row * rows->per_row, n = rows->n_kept[row];
        memmove(kernel->columns + end, kernel->columns + from, n * sizeof *kernel->columns);
        memmove(kernel->values + end, kernel->values + from, n * sizeof *kernel->values);
        end += n;
        kernel->starts[row + 1] = end;
    }
    *ret_kernel = *kernel;
    rows->kernel = (struct vt_item_kernel){0};
    vt_kernel_rows_fini(rows);
}
