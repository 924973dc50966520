#ifndef VT_RULES_ITEMSETS_H
#define VT_RULES_ITEMSETS_H

#include "models/dataset/dataset.h"

#include <stdint.h>

/*
 * Frequent itemsets: all sets of items that stand together in at least a share of the baskets.
 * Eclat (Zaki 2000): depth first over the lists of baskets of each item, intersected.
 */
enum { VT_ITEMSET_LENGTH_MAX = 16 };

struct vt_itemset_options {
    double support;        /* share of the baskets, above 0, at most 1 */
    uint32_t length_max;   /* items of a set, 1 … VT_ITEMSET_LENGTH_MAX */
    uint64_t itemsets_max; /* more is refused */
    uint64_t memory_bytes; /* of lists and result; more is refused */
};
/* .001; sets of up to 10 items, as arules; 4 million of them; 1 GiB. */
void vt_itemset_options_default(struct vt_itemset_options *ret_options);

/* Set i is items[starts[i]] … items[starts[i + 1] - 1], ascending columns. Sets of one item are
 * among them. Owned. */
struct vt_itemsets {
    uint32_t n, n_baskets;
    uint64_t *starts; /* n + 1 */
    uint32_t *items;
    uint32_t *counts; /* baskets that hold the set */
};
void vt_itemsets_free(struct vt_itemsets *itemsets); /* NULL or zeroed is allowed */

/* `baskets`: rows are baskets, columns items; values are not looked at. Every set whose count is at
 * least support × rows, and no other; rows without a column count as baskets. VT_INVALID: an option
 * is out of range; VT_EXHAUSTED: over itemsets_max, memory_bytes, or out of memory, with what to do
 * in `diag`. One thread; same input, same bytes. */
VT_MUST_USE struct vt_err vt_itemsets_mine(const struct vt_sparse *baskets,
                                           const struct vt_itemset_options *options,
                                           struct vt_diag *diag, struct vt_itemsets *ret_itemsets);

#endif
