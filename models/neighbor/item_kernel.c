/*
 * The form that every item-item kernel ends in, and its one use: adding up the rows of a history.
 */
#include "models/neighbor/item_kernel.h"

#include <stdlib.h>
#include <string.h>

void vt_item_kernel_free(struct vt_item_kernel *kernel)
{
    free(kernel->starts);
    free(kernel->columns);
    free(kernel->values);
    *kernel = (struct vt_item_kernel){0};
}

void vt_item_kernel_score(const struct vt_item_kernel *kernel, const uint32_t *columns,
                          const float *weights, uint32_t n, double *ret_scores)
{
    memset(ret_scores, 0, kernel->n_items * sizeof *ret_scores);
    for (uint32_t i = 0; i < n; i++)
        for (uint64_t at = kernel->starts[columns[i]]; at < kernel->starts[columns[i] + 1]; at++)
            ret_scores[kernel->columns[at]] += (double)weights[i] * (double)kernel->values[at];
}
