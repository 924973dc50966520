#ifndef VT_RANK_CALIBRATION_H
#define VT_RANK_CALIBRATION_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdint.h>

/*
 * From a ranker's score to the probability that the item is wanted: the isotonic regression of the
 * labels on the scores (pool adjacent violators; Zadrozny and Elkan, "Transforming Classifier
 * Scores into Accurate Multiclass Probability Estimates", 2002). It never changes an order, only
 * what a score means. Knots are merged so that each stands for at least VT_CALIBRATION_ROWS_MIN
 * rows: a step that a few rows made is chance.
 */
struct vt_calibration {
    uint32_t n;                 /* knots; 0: none */
    const float *scores;        /* ascending: the mean score of the rows of each knot */
    const float *probabilities; /* of the knots, never falling; n behind `scores` */
    void *memory;               /* owned, both point into it; NULL: both are borrowed */
};
enum { VT_CALIBRATION_ROWS_MIN = 50, VT_CALIBRATION_BINS = 10 };

/* Fitted on rows that the ranker was not trained on. labels: above 0 is wanted. VT_INVALID for no
 * rows, a score that is not finite (`diag` says which row), or one class only; VT_EXHAUSTED.
 * O(n log n). */
VT_MUST_USE struct vt_err vt_calibration_fit(const float *scores, const float *labels, uint32_t n,
                                             struct vt_diag *diag,
                                             struct vt_calibration *ret_calibration);
void vt_calibration_free(struct vt_calibration *calibration); /* zeroed is allowed */

/* Linear between knots, level beyond them; in [0, 1]. NaN stays NaN. Any thread; O(log n). */
float vt_calibration_apply(const struct vt_calibration *calibration, float score);

/*
 * The expected calibration error (Naeini, Cooper, Hauskrecht 2015): rows in VT_CALIBRATION_BINS
 * bins of the same number of rows by probability, the mean over rows of |mean probability − share
 * wanted| of their bin. Measured on rows that neither the ranker nor the calibration has seen, or
 * it says nothing. VT_INVALID without rows or with NaN, VT_EXHAUSTED.
 */
VT_MUST_USE struct vt_err vt_calibration_error(const float *probabilities, const float *labels,
                                               uint32_t n, double *ret_error);

#endif
