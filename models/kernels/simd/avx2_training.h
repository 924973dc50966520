#ifndef VT_KERNELS_SIMD_AVX2_TRAINING_H
#define VT_KERNELS_SIMD_AVX2_TRAINING_H

#include "models/kernels/kernels.h"

#include <stdbool.h>
#include <stdint.h>

/* AVX2 + FMA forms of the members of struct vt_kernels that factors are trained with; kernels.h has
 * shapes, formulas and errors of the members with the same names. Sums are float. Call only where
 * vt__avx2_available() said so; any thread. */
void vt__avx2_gather_f32(const float *factors, uint32_t dim, const uint32_t *columns,
                         const float *weights, uint32_t n, float *ret_rows, float *ret_targets);
double vt__avx2_residual_f32(const struct vt_rows_f32 *rows, const float *targets,
                             const float *vector, float *ret_residuals, float *ret_sum);
void vt__avx2_gram_upper_f32(const struct vt_rows_f32 *rows, float *upper);
bool vt__avx2_solve_upper_f32(float *upper, uint32_t dim, float *rhs);

#endif
