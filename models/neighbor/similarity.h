#ifndef VT_NEIGHBOR_SIMILARITY_H
#define VT_NEIGHBOR_SIMILARITY_H

#include "models/neighbor/neighbor.h"

/*
 * What the similarities of neighbor.h have in common: sim(i, j) = Σ_u left_ui · right_uj /
 * (row_norm_i · column_norm_j), before shrinkage. Users of more than user_items_max items count
 * nowhere.
 */
struct vt__similarity {
    struct vt_sparse right;           /* users × items; values owned, the rest borrowed */
    struct vt_sparse left;            /* items × users; owned */
    double *row_norms, *column_norms; /* n_items; 0: no similarity to anything */
};
struct vt_err vt__similarity_init(const struct vt_sparse *matrix,
                                  const struct vt_neighbor_options *options,
                                  struct vt__similarity *ret_similarity);
void vt__similarity_fini(struct vt__similarity *similarity); /* zeroed is allowed */

/* Whether a user of n_items items is no shopper but a robot or a till. */
bool vt__user_counts(const struct vt_neighbor_options *options, uint64_t n_items);

#endif
