#ifndef VT_DATASET_HOLD_OUT_H
#define VT_DATASET_HOLD_OUT_H

#include "models/dataset/dataset.h"

#include <stdint.h>

/*
 * A validation part split off a matrix that is there already: what a family is tuned on when the
 * test part must not be looked at. For each of the users that are asked, a seeded share of what the
 * user wanted; at least one entry is held and at least one stays.
 */
struct vt_hold_out_options {
    double share;       /* of a user's wanted entries, in (0, 1) */
    uint32_t users_max; /* a seeded choice of so many users; 0: all who have two or more */
    uint64_t seed;
};

/* `fit` and `held` have the shape of the matrix; together they have its entries, each once, `held`
 * with values 1. Owned. */
struct vt_hold_out {
    struct vt_sparse fit, held;
};

/* VT_INVALID for options out of range; VT_EXHAUSTED. `held` is empty where no user has two wanted
 * entries. Same input, same bytes. */
VT_MUST_USE struct vt_err vt_hold_out_make(const struct vt_sparse *matrix,
                                           const struct vt_hold_out_options *options,
                                           struct vt_hold_out *ret_parts);
void vt_hold_out_free(struct vt_hold_out *parts); /* zeroed is allowed */

#endif
