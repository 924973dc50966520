#ifndef VT_NODE_RANKER_MEASURE_H
#define VT_NODE_RANKER_MEASURE_H

#include "models/eval/significance.h"
#include "models/rank/calibration.h"
#include "services/node/ranker_past.h"
#include "services/node/ranker_people.h"

/*
 * Whether a ranker is worth having: the people of a moment that it has learnt nothing about are
 * asked twice, through the ranking service as it serves, with the version's trees and without them.
 */
struct vt_ranker_measured {
    struct vt_paired_difference recall, ndcg; /* a: with the ranker, b: the blend without it */
    double calibration_error; /* of the probabilities of what was answered; NaN: none given */
};

/* Lists of k, no diversity, blended by the default weights. VT_EXHAUSTED, VT_INTERNAL. The same
 * numbers for any count of threads. */
VT_MUST_USE struct vt_err vt_ranker_measure(const struct vt_ranker_past *past,
                                            const struct vt_ranker_people *people,
                                            const struct vt_calibration *calibration, uint32_t k,
                                            uint32_t threads,
                                            struct vt_ranker_measured *ret_measured);

#endif
