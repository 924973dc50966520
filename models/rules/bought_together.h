#ifndef VT_RULES_BOUGHT_TOGETHER_H
#define VT_RULES_BOUGHT_TOGETHER_H

#include "models/dataset/dataset.h"
#include "services/common/base/diag.h"

/*
 * For each item, what stands in the same baskets. The value of a pair i → j is the share of i's
 * baskets that hold j as far as it is sure: the lower end of the Wilson interval (1927) of
 * n_both / n_i at `z`. Pairs count when j is surely more frequent beside i than it is at all: the
 * interval's lower end is above `lift_min` times j's share of all baskets; chance pairs and what
 * everybody buys anyway stay out.
 */
struct vt_bought_together_options {
    uint32_t per_item; /* best pairs kept, 1 … VT_BOUGHT_TOGETHER_MAX */
    uint32_t n_both_min;
    double z;        /* of the interval: 1.645 is 95 % sure of the lower end */
    double lift_min; /* 1: more than chance */
    uint32_t threads;
};
enum { VT_BOUGHT_TOGETHER_MAX = 1000, VT_BOUGHT_TOGETHER_DEFAULT = 50 };
/* 50 an item, 2 baskets, 1.645, 1. */
void vt_bought_together_options_default(struct vt_bought_together_options *ret_options);

/* CSR: row i holds the columns bought with i, best first, ties by column. Owned. */
struct vt_bought_together {
    uint32_t n_items;
    uint64_t *starts; /* n_items + 1 */
    uint32_t *columns;
    float *values; /* in (0, 1] */
};
void vt_bought_together_free(struct vt_bought_together *together); /* NULL, zeroed is allowed */

/* `baskets`: rows are baskets, columns items; values are not looked at. VT_INVALID: an option is
 * out of range; VT_EXHAUSTED. O(Σ squares of basket sizes); the same bytes for any number of
 * threads. */
VT_MUST_USE struct vt_err vt_bought_together_train(const struct vt_sparse *baskets,
                                                   const struct vt_bought_together_options *options,
                                                   struct vt_diag *diag,
                                                   struct vt_bought_together *ret_together);

#endif
