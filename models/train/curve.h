#ifndef VT_TRAIN_CURVE_H
#define VT_TRAIN_CURVE_H

#include <stdint.h>

/*
 * How a training went: a point for each iteration of the training that is measured (the one that
 * does not see the held-out part). Plain values; n × VT_CURVE_COLUMNS doubles when stored.
 */
struct vt_curve_point {
    double iteration; /* 1-based; a double, so that a curve is one array */
    double loss;      /* of the objective after it; NaN: the family has none */
    double
        held_out_ndcg; /* of the watched customers, as served; NaN: not measured after this one */
};
enum { VT_CURVE_COLUMNS = 3, VT_CURVE_POINTS_MAX = 1000 };

struct vt_curve {
    uint32_t n;
    uint32_t best_iteration; /* the one training was told to stop at; 0: not watched */
    struct vt_curve_point points[VT_CURVE_POINTS_MAX];
};

#endif
