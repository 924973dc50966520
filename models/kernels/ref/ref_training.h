#ifndef VT_KERNELS_REF_REF_TRAINING_H
#define VT_KERNELS_REF_REF_TRAINING_H

#include "models/kernels/kernels.h"

#include <stdbool.h>
#include <stdint.h>

/* Plain C forms of the members of struct vt_kernels that factors are trained with; kernels.h has
 * shapes, formulas and errors of the members with the same names. Any thread. */
bool vt__ref_eigen_f64(double *symmetric, uint32_t dim, double *ret_values);
void vt__ref_gather_f32(const float *factors, uint32_t dim, const uint32_t *columns,
                        const float *weights, uint32_t n, float *ret_rows, float *ret_targets);
double vt__ref_residual_f32(const struct vt_rows_f32 *rows, const float *targets,
                            const float *vector, float *ret_residuals, float *ret_sum);
void vt__ref_gram_upper_f32(const struct vt_rows_f32 *rows, float *upper);
bool vt__ref_solve_upper_f32(float *upper, uint32_t dim, float *rhs);

#endif
