#ifndef VT_NEIGHBOR_KERNEL_ROWS_H
#define VT_NEIGHBOR_KERNEL_ROWS_H

#include "models/index/top.h"
#include "models/neighbor/item_kernel.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * An item-item kernel while it is made: the entries of each row that were kept, in rows of the same
 * length. Different rows may be kept from different threads at once.
 */
struct vt_kernel_rows {
    uint32_t n_items, per_row;
    struct vt_item_kernel kernel; /* its rows begin at multiples of per_row */
    uint32_t *n_kept;             /* n_items */
};

/* Memory of the rows: what training must have beside its own. */
uint64_t vt_kernel_rows_bytes(uint32_t n_items, uint32_t per_row);
/* VT_EXHAUSTED without memory. per_row: 1 … n_items. */
VT_MUST_USE struct vt_err vt_kernel_rows_init(uint32_t n_items, uint32_t per_row,
                                              struct vt_kernel_rows *ret_rows);
void vt_kernel_rows_fini(struct vt_kernel_rows *rows); /* zeroed is allowed */

/* Row `row` is what `top` (at most per_row, offered to and not sorted) holds. */
void vt_kernel_rows_keep(struct vt_kernel_rows *rows, uint32_t row, struct vt_top *top);

/* Row `row` is the per_row entries of (columns, values), n of them by column, that are largest
 * without their sign; 0 and the entry of the row itself never. `columns` NULL: 0, 1 … n - 1.
 * `hits`: scratch for per_row. */
void vt_kernel_rows_cut(struct vt_kernel_rows *rows, uint32_t row, const uint32_t *columns,
                        const float *values, uint32_t n, struct vt_index_hit *hits);

/* The kernel, its rows moved together; nothing is copied. `rows` is as after _fini. */
void vt_kernel_rows_finish(struct vt_kernel_rows *rows, struct vt_item_kernel *ret_kernel);

#endif
