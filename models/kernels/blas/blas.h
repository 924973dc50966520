#ifndef VT_KERNELS_BLAS_BLAS_H
#define VT_KERNELS_BLAS_BLAS_H

#include "models/kernels/kernels.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* OpenBLAS and LAPACK forms of struct vt_kernels; kernels.h has shapes, formulas and errors of the
 * members with the same names. Any thread once vt__blas_check said yes. */
VT_MUST_USE struct vt_err vt__blas_check(struct vt_diag *diag);
const char *vt__blas_core(void);
void vt__blas_matvec_f32(const float *rows, uint32_t n_rows, uint32_t row_stride,
                         const float *query, uint32_t dim, float *ret);
void vt__blas_matmul_nt_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                            uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                            uint32_t ret_stride);
void vt__blas_matmul_nn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                            uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                            uint32_t ret_stride);
void vt__blas_matmul_tn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                            uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                            uint32_t ret_stride);
void vt__blas_matmul_nt_sub_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                                uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                                uint32_t ret_stride);
void vt__blas_gram_add_f32(const float *rows, uint32_t n_rows, uint32_t dim, float *lower);
void vt__blas_gram_add_f64(const double *rows, uint32_t n_rows, uint32_t dim, double *lower);
bool vt__blas_solve_f32(float *lower, uint32_t dim, float *rhs);
bool vt__blas_solve_f64(double *lower, uint32_t dim, double *rhs);
bool vt__blas_invert_f64(double *lower, uint32_t dim);
bool vt__blas_eigen_f64(double *symmetric, uint32_t dim, double *ret_values);
void vt__blas_gram_upper_f32(const struct vt_rows_f32 *rows, float *upper);
bool vt__blas_solve_upper_f32(float *upper, uint32_t dim, float *rhs);

#endif
