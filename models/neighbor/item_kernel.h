#ifndef VT_NEIGHBOR_ITEM_KERNEL_H
#define VT_NEIGHBOR_ITEM_KERNEL_H

#include "services/common/base/err.h"

#include <stdint.h>

/*
 * An item-item kernel in CSR: row i is what an item i of the history adds to every candidate j.
 * Item-CF, EASE and graph filters all end as one. Rows are best first (values descending, any sign,
 * finite), ties by the lower column. Owned arrays; immutable once made, then any thread.
 */
struct vt_item_kernel {
    uint32_t n_items;
    uint64_t *starts;  /* n_items + 1 */
    uint32_t *columns; /* starts[n_items] */
    float *values;
};
void vt_item_kernel_free(struct vt_item_kernel *kernel); /* zeroed is allowed */

/* ret_scores[j] = Σ over the history of weight · kernel[column][j], in double and in the order of
 * the history, n_items of them. Cost: n_items, and the length of the history's rows. */
void vt_item_kernel_score(const struct vt_item_kernel *kernel, const uint32_t *columns,
                          const float *weights, uint32_t n, double *ret_scores);

#endif
