#ifndef VT_RANKING_BLEND_H
#define VT_RANKING_BLEND_H

#include "models/bundle/bundle.h"
#include "services/candidate/candidate.h"

/* A candidate with one score: what the list is ordered by. */
struct vt__scored {
    const struct vt_candidate *candidate; /* borrowed */
    uint32_t row;                         /* UINT32_MAX: the bundle does not have it */
    double score;
    double nearest; /* highest cosine to what stands before it in the list */
};

/*
 * Puts the sources' scales together: score = Σ weight_s · score_s / max|score_s| over the list,
 * then divided by the highest |score|, so that a list's best is 1 (or all are 0). A ranker's score
 * counts as weight · (score − lowest) / (highest − lowest), and stands for the sources
 * `ranked_sources` (bits) of its candidate, which are not added again. A function of the list
 * alone. `ret_scored` is n long. O(n).
 */
void vt__blend(const struct vt_candidate *candidates, uint32_t n,
               const float weights[VT_SOURCE_COUNT], uint32_t ranked_sources,
               struct vt__scored *ret_scored);

/*
 * Moves the best `n` to the front, by maximal marginal relevance (Carbonell and Goldstein, 1998):
 * each place goes to the highest (1 − λ)·score + λ·(1 − nearest), ties to the lower item number,
 * which also becomes its score, so scores never rise down the list. λ is 0, .1, .25 and .45 for the
 * levels 1 none to 4 high. `bundle` gives the item factors; NULL: no diversity. Greedy,
 * O(n·pool·d). Returns how many places were filled.
 */
uint32_t vt__diversify(struct vt__scored *scored, uint32_t n_scored, uint32_t n, unsigned level,
                       const struct vt_bundle *bundle);

#endif
