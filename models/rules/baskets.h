#ifndef VT_RULES_BASKETS_H
#define VT_RULES_BASKETS_H

#include "models/dataset/dataset.h"

#include <stdint.h>

/*
 * What was bought together. Events carry no order number, so a basket is what one customer ordered
 * or purchased without a pause of more than `pause_ms`: the lines of one order share a time, and
 * somebody who comes back within the pause is still on the same errand.
 */
enum { VT_BASKET_PAUSE_MS = 30 * 60 * 1000 };

struct vt_basket_options {
    int64_t pause_ms;   /* 0: only events of the same millisecond belong together */
    uint32_t items_max; /* larger baskets are left out (a shop's own stock-up); 0: none is */
};
/* 30 minutes, 500 items. */
void vt_basket_options_default(struct vt_basket_options *ret_options);

/* Baskets × items, every value 1. `item_ids`: the columns, ascending. Owned. */
struct vt_baskets {
    struct vt_sparse matrix;
    uint32_t *item_ids;
};
void vt_baskets_free(struct vt_baskets *baskets); /* NULL or zeroed is allowed */

/* Cuts the orders and purchases among `interactions` (any order) into baskets; an item counts once
 * in a basket. With `item_ids` (ascending, borrowed) those are the columns and other items are left
 * out; NULL: the items bought. Without a purchase `ret` has no rows. VT_EXHAUSTED without memory.
 * Same input, same bytes. O(n log n) and 64 bytes a purchase. */
VT_MUST_USE struct vt_err vt_baskets_cut(const struct vt_interaction *interactions, uint64_t n,
                                         const struct vt_basket_options *options,
                                         const uint32_t *item_ids, uint32_t n_items,
                                         struct vt_baskets *ret_baskets);

#endif
