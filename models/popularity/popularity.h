#ifndef VT_POPULARITY_POPULARITY_H
#define VT_POPULARITY_POPULARITY_H

#include "models/dataset/dataset.h"

/*
 * How many users want an item. Each user counts once, by how sure the sign is: a confidence w adds
 * w / (1 + w), so a hundred purchases by one customer weigh less than two customers. Where all
 * confidences are equal the order is that of distinct users. Decay is in the confidences already.
 */

/* ret_popularity: n_cols floats, ≥ 0. Sums in double in the order of users: the same bytes always.
 * VT_EXHAUSTED without memory. O(entries). */
VT_MUST_USE struct vt_err vt_popularity_train(const struct vt_sparse *matrix,
                                              float *ret_popularity);

#endif
