#ifndef VT_BLEND_WEIGHTS_H
#define VT_BLEND_WEIGHTS_H

#include "models/blend/table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The weights of a blend, found on a table of candidates. What is raised is the mean of recall and
 * ndcg of lists of k, over the users of the table, of
 *
 *   score(i) = w_K · z_K(i) + Σ over the other parts m of w_m · z_m(i)
 *
 * where the kernel K is Σ w_p/scale_p · K_p over the kernel parts p, and w_K = Σ w_p: exactly the
 * served form. From `start`, from the best part alone and from all by what they are worth, it is
 * improved by one weight at a time, by factors that become finer; the best end is taken. No
 * gradient, no chance: the same weights for any thread count.
 */
struct vt_blend_weights {
    double weight[VT_BLEND_PARTS_MAX]; /* their absolute values add up to 1; to 1e-4 */
    double recall, ndcg;               /* of the table's users */
};
struct vt_blend_search {
    double start[VT_BLEND_PARTS_MAX];   /* not all 0; a part may join from 0 */
    bool is_signed[VT_BLEND_PARTS_MAX]; /* may go below 0; never one of the kernel */
    uint32_t k;                         /* 1 … VT_BLEND_DEPTH */
    uint32_t threads;                   /* 0: one per CPU */
};

/* What these weights come to. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_blend_measure(const struct vt_blend_table *table, const double *weight,
                                           uint32_t k, uint32_t threads,
                                           struct vt_blend_weights *ret_measured);
/* VT_INVALID for a start of zeros or k out of range; VT_EXHAUSTED. Cost: some hundreds of passes
 * over the table. */
VT_MUST_USE struct vt_err vt_blend_find_weights(const struct vt_blend_table *table,
                                                const struct vt_blend_search *search,
                                                struct vt_blend_weights *ret_weights);

#endif
