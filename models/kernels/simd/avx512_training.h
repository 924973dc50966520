#ifndef VT_KERNELS_SIMD_AVX512_TRAINING_H
#define VT_KERNELS_SIMD_AVX512_TRAINING_H

#include "models/kernels/kernels.h"

/* AVX-512 forms of what avx2_training.h has, with its bits. Call only where
 * vt__avx512_scan_available() said so; any thread. */
void vt__avx512_gather_f32(const float *factors, uint32_t dim, const uint32_t *columns,
                           const float *weights, uint32_t n, float *ret_rows, float *ret_targets);
double vt__avx512_residual_f32(const struct vt_rows_f32 *rows, const float *targets,
                               const float *vector, float *ret_residuals, float *ret_sum);

#endif
