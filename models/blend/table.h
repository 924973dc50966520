#ifndef VT_BLEND_TABLE_H
#define VT_BLEND_TABLE_H

#include "models/dataset/dataset.h"
#include "models/eval/recommender.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What the members of a blend say about the items that matter: for each user of a validation part
 * the best items of every member, with the score of all members for each, on the served model's
 * scale. Weights are then tried on this table alone, without scoring the catalogue again.
 */
enum { VT_BLEND_PARTS_MAX = 8, VT_BLEND_DEPTH = 100 };

struct vt_blend_part {
    const struct vt_recommender *recommender; /* borrowed */
    bool in_kernel;                           /* added to the others of these in one item kernel */
};

struct vt_blend_table_input {
    const struct vt_blend_part *parts;
    uint32_t n_parts;            /* 1 … VT_BLEND_PARTS_MAX */
    const struct vt_sparse *fit; /* histories; its items are left out of a user's ranking */
    const struct vt_sparse *held;
    uint32_t threads; /* 0: one per CPU */
};

/* Owned arrays; immutable once made. */
struct vt_blend_table {
    uint32_t n_parts, n_users, width; /* width: n_parts · VT_BLEND_DEPTH */
    bool in_kernel[VT_BLEND_PARTS_MAX];
    /* Mean over users of a kernel part's deviation over items: what it is divided by before
     * kernels are added. 1 for the other parts. */
    double scale[VT_BLEND_PARTS_MAX];
    uint32_t *n_held;       /* n_users: of all that were held, listed or not */
    uint32_t *n_candidates; /* n_users, at most width */
    bool *is_hit;           /* n_users × width, candidates by column */
    float *scores;          /* n_users × width × n_parts; kernel parts over scale, the others over
                               the user's own deviation */
    double *covariances;    /* n_users × n_parts²: over all items, of kernel parts over scale */
};

/* For every user with anything in `held` and in `fit`. VT_INVALID when there is none; VT_EXHAUSTED;
 * errors of the recommenders. Same input, same bytes for any thread count. */
VT_MUST_USE struct vt_err vt_blend_table_make(const struct vt_blend_table_input *input,
                                              struct vt_blend_table *ret_table);
void vt_blend_table_free(struct vt_blend_table *table); /* zeroed is allowed */

/* Mean and deviation of n numbers, in two passes; the deviation is 0 when all are the same. */
void vt_blend_moments(const double *values, uint32_t n, double *ret_mean, double *ret_deviation);

/* scale[] alone, from the histories of every `step`th user of `matrix`: what a model that was
 * trained again is added up by. */
VT_MUST_USE struct vt_err vt_blend_scale(const struct vt_recommender *recommender,
                                         const struct vt_sparse *matrix, uint32_t users_max,
                                         double *ret_scale);

#endif
