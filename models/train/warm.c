/*
 * Beginning where the serving version ended. Its item factors are taken by item number; customers
 * need nothing, since an iteration begins by solving them from the items.
 */
#include "models/train/watch.h"

#include <stdlib.h>
#include <string.h>

bool vt_train_warm_possible(const struct vt_train_options *options)
{
    const struct vt_bundle_view *parent = options->parent;
    return options->warm && parent != NULL && vt__watch_can(options->algorithm) &&
           strcmp(parent->algorithm, vt_algorithm_name(options->algorithm)) == 0 &&
           parent->dim == options->algorithm_options.ials.factors;
}

struct vt_err vt__warm_start(const struct vt_bundle_view *parent, const uint32_t *item_ids,
                             uint32_t n_columns, float **ret_items)
{
    const size_t stride = parent->factor_stride;
    float *items = calloc((size_t)n_columns * stride + 1, sizeof *items);
    VT_CHECK(items != NULL, VT_EXHAUSTED, "out of memory for a warm start");
    /* Both lists ascend: one walk. */
    uint32_t row = 0;
    for (uint32_t column = 0; column < n_columns; column++) {
        while (row < parent->n_items && parent->item_numbers[row] < item_ids[column])
            row++;
        if (row < parent->n_items && parent->item_numbers[row] == item_ids[column])
            memcpy(items + column * stride, parent->item_factors + row * stride,
                   stride * sizeof *items);
    }
    *ret_items = items;
    return vt_ok();
}
