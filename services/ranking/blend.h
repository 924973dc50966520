#ifndef VT_RANKING_BLEND_H
#define VT_RANKING_BLEND_H

#include "models/bundle/bundle.h"
#include "services/candidate/candidate.h"

/* A candidate with one score: what the list is ordered by. */
struct vt__scored {
    const struct vt_candidate *candidate; /* borrowed */
    uint32_t row;                         /* UINT32_MAX: the bundle does not have it */
    double score;
    double nearest; /* highest cosine to the first n_met places of the list */
    uint32_t n_met;
    uint32_t rules;    /* bits of enum vt_rule: what put it where it stands */
    uint32_t boosts;   /* bits: which boosts of the placement matched */
    double factor;     /* the product of those; 1: none */
    double propensity; /* of an explored item: how likely it was to be chosen; else 0 */
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

/* By what the sources' scores of a list are divided. */
struct vt__blend_scales {
    double largest[VT_SOURCE_COUNT];      /* magnitude; 0: the source says nothing */
    double ranker_lowest, ranker_highest; /* not below each other: the ranker says nothing */
};
void vt__blend_scales(const struct vt_candidate *candidates, uint32_t n,
                      struct vt__blend_scales *ret_scales);
/* The terms of a candidate of the list; their sum is its score before that is divided by the list's
 * highest magnitude. */
void vt__blend_parts(const struct vt_candidate *candidate, const float weights[VT_SOURCE_COUNT],
                     uint32_t ranked_sources, const struct vt__blend_scales *scales,
                     double ret_parts[VT_SOURCE_COUNT]);
double vt__blend_sum(const double parts[VT_SOURCE_COUNT]);

#endif
