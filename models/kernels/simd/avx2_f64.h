#ifndef VT_KERNELS_SIMD_AVX2_F64_H
#define VT_KERNELS_SIMD_AVX2_F64_H

#include <stdbool.h>
#include <stdint.h>

/* AVX2 + FMA forms of the members of struct vt_kernels with the same names (kernels.h has shapes,
 * formulas and errors), for small shapes; others go to the BLAS. Call only where
 * vt__avx2_available() said so; any thread. */
void vt__avx2_gram_add_f64(const double *rows, uint32_t n_rows, uint32_t dim, double *lower);
bool vt__avx2_solve_f64(double *lower, uint32_t dim, double *rhs);

#endif
