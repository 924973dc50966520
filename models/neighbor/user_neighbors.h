#ifndef VT_NEIGHBOR_USER_NEIGHBORS_H
#define VT_NEIGHBOR_USER_NEIGHBORS_H

#include "models/dataset/dataset.h"

#include <stddef.h>
#include <stdint.h>

/*
 * User-user collaborative filtering, for comparison: a history is answered by the users whose rows
 * are nearest to it, which serving would have to store. With sim the cosine of the history and a
 * user's row, shrunk as in neighbor.h, score(j) = Σ over the `neighbors` users of sim · r_uj. Only
 * sim above 0 counts. (Herlocker et al. 1999.)
 */
enum { VT_USER_NEIGHBORS_MAX = 100000 };

struct vt_user_neighbors_options {
    uint32_t neighbors; /* users; 1 … VT_USER_NEIGHBORS_MAX */
    double shrinkage;   /* ≥ 0, items */
};
/* 200 neighbours, shrinkage 10. */
void vt_user_neighbors_options_default(struct vt_user_neighbors_options *ret_options);

/* Owned arrays; immutable, any thread. */
struct vt_user_neighbors {
    struct vt_user_neighbors_options options;
    struct vt_sparse by_user, by_item;
    double *norms; /* of users */
};
/* Keeps a copy of the matrix. VT_INVALID for options out of range, VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_user_neighbors_build(const struct vt_sparse *matrix,
                                                  const struct vt_user_neighbors_options *options,
                                                  struct vt_diag *diag,
                                                  struct vt_user_neighbors *ret_model);
void vt_user_neighbors_free(struct vt_user_neighbors *model); /* zeroed is allowed */

size_t vt_user_neighbors_scratch_bytes(const struct vt_user_neighbors *model);
/* A score for each item. Cost: all users once, those of the history's items, and the items of the
 * nearest. */
void vt_user_neighbors_score(const struct vt_user_neighbors *model, const uint32_t *columns,
                             const float *weights, uint32_t n, void *scratch, double *ret_scores);

#endif
