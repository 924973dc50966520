#ifndef VT_NEIGHBOR_NEIGHBOR_H
#define VT_NEIGHBOR_NEIGHBOR_H

#include "models/dataset/dataset.h"
#include "models/neighbor/item_kernel.h"

#include <stdint.h>

/*
 * Item-item collaborative filtering: which items the same users took. The similarity of two items
 * is the cosine of their columns of confidences, shrunk towards 0 when few users have both:
 *
 *   sim(i, j) = Σ_u r_ui r_uj / (|r_i| |r_j|) · n_ij / (n_ij + shrinkage)
 *
 * Dislikes are negative r: who likes one and dislikes the other speaks against the pair. n_ij are
 * the users of both (Sarwar et al. 2001; shrinkage as in Koren 2008). Of each row the
 * best `neighbors` are kept, best first, ties by the lower column; the item itself and 0 never.
 */
enum { VT_NEIGHBORS_MAX = 10000 };

struct vt_neighbor_options {
    uint32_t neighbors;      /* of a row; 1 … VT_NEIGHBORS_MAX */
    double shrinkage;        /* ≥ 0, users */
    uint32_t user_items_max; /* a user with more items is no shopper: left out; 0: nobody is */
    uint32_t threads;        /* 0: one per CPU */
};
/* 100 neighbours, shrinkage 10, users of up to 5,000 items. */
void vt_neighbor_options_default(struct vt_neighbor_options *ret_options);

/* Same matrix and options: same bytes, for any thread count. VT_INVALID for options out of range;
 * VT_EXHAUSTED without memory. Cost: Σ over users of the square of their items; memory: the matrix
 * transposed, 16 bytes per item and thread, and 8 · neighbors bytes per item. */
VT_MUST_USE struct vt_err vt_neighbor_train(const struct vt_sparse *matrix,
                                            const struct vt_neighbor_options *options,
                                            struct vt_diag *diag, struct vt_item_kernel *ret_model);

#endif
