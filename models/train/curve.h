#ifndef VT_TRAIN_CURVE_H
#define VT_TRAIN_CURVE_H

#include "models/bundle/bundle.h"

#include <stdint.h>

/*
 * How the measured training went (the one that does not see what is held out): a point for each
 * iteration. An array of points is what vt_bundle_view.curve holds.
 */
struct vt_curve_point {
    double iteration;     /* 1-based; a double, so that a curve is one array */
    double loss;          /* of the objective after it */
    double held_out_ndcg; /* of the watched customers, as served; below 0: not measured */
};
_Static_assert(sizeof(struct vt_curve_point) == VT_BUNDLE_CURVE_COLUMNS * sizeof(double),
               "a curve is an array of doubles");

struct vt_curve {
    uint32_t n;
    struct vt_curve_point points[VT_BUNDLE_CURVE_MAX];
};

#endif
