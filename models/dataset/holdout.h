#ifndef VT_DATASET_HOLDOUT_H
#define VT_DATASET_HOLDOUT_H

#include "models/dataset/dataset.h"

#include <stdint.h>

/* How a matrix is parted for choosing what a family cannot know beforehand. */
struct vt_holdout_options {
    double share;       /* of a chosen user's wanted entries that are held out, in (0, 1) */
    uint32_t users_max; /* about as many users are chosen, by hash; the others keep everything */
    uint64_t seed;
};

/* Both parts have the shape of `matrix`. An entry is held out by the hash of its user and item, so
 * that the same pair is in any matrix; a user keeps one entry at least; dislikes are never held
 * out. Held-out values are 1. Owned; the test part may be empty. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_holdout_make(const struct vt_sparse *matrix,
                                          const struct vt_holdout_options *options,
                                          struct vt_sparse *ret_train, struct vt_sparse *ret_test);

#endif
