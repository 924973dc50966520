#ifndef VT_KERNELS_SIMD_AVX2_H
#define VT_KERNELS_SIMD_AVX2_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#define VT_HAVE_AVX2_KERNELS 1
#else
#define VT_HAVE_AVX2_KERNELS 0
#endif

/* AVX2 + FMA forms of the score: the bits of vt__ref_dot. Call only when available. */
bool vt__avx2_available(void);
double vt__avx2_dot(const float *a, const float *b, uint32_t dim);
void vt__avx2_dots(const float *rows, uint32_t n_rows, uint32_t row_stride, const float *query,
                   uint32_t dim, double *ret_scores);

#endif
