#ifndef VT_FACTOR_MOMENTS_H
#define VT_FACTOR_MOMENTS_H

#include "services/common/base/err.h"

#include <stdint.h>

/*
 * Mean and deviation of a vector's scores over all items without scoring them: the mean of x·y_i is
 * x·ȳ, its variance xᵀCx with C the covariance of the item factors. What the mix of the served
 * model brings a factor score to scale by.
 */
struct vt_factor_rows {
    const float *values; /* n_rows × row_stride */
    uint32_t n_rows, dim, row_stride;
};

/* ret_moments: (1 + dim) × dim, the mean, then the covariance (both triangles). Sums in double over
 * fixed blocks, added in their order: the same bytes for any thread count. VT_INVALID without rows;
 * VT_EXHAUSTED. Cost n_rows·dim². */
VT_MUST_USE struct vt_err vt_factor_moments(const struct vt_factor_rows *rows, uint32_t threads,
                                            double *ret_moments);

/* Of x·y_i over all items; the deviation is 0 where all scores are the same. Any thread, dim²
 * multiply-adds. */
void vt_factor_score_moments(const double *moments, uint32_t dim, const float *vector,
                             double *ret_mean, double *ret_deviation);

#endif
