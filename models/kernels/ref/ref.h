#ifndef VT_KERNELS_REF_REF_H
#define VT_KERNELS_REF_REF_H

#include <stdbool.h>
#include <stdint.h>

/* Plain C forms of struct vt_kernels; kernels.h has shapes, formulas and errors of the members with
 * the same names. Any thread. */
double vt__ref_dot(const float *a, const float *b, uint32_t dim);
void vt__ref_dots(const float *rows, uint32_t n_rows, uint32_t row_stride, const float *query,
                  uint32_t dim, double *ret_scores);
void vt__ref_matvec_f32(const float *rows, uint32_t n_rows, uint32_t row_stride, const float *query,
                        uint32_t dim, float *ret);
void vt__ref_matmul_nt_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                           uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                           uint32_t ret_stride);
void vt__ref_matmul_nn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                           uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                           uint32_t ret_stride);
void vt__ref_matmul_tn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                           uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                           uint32_t ret_stride);
void vt__ref_matmul_nt_sub_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                               uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                               uint32_t ret_stride);
void vt__ref_gram_add_f32(const float *rows, uint32_t n_rows, uint32_t dim, float *lower);
void vt__ref_gram_add_f64(const double *rows, uint32_t n_rows, uint32_t dim, double *lower);
bool vt__ref_solve_f32(float *lower, uint32_t dim, float *rhs);
bool vt__ref_solve_f64(double *lower, uint32_t dim, double *rhs);
bool vt__ref_invert_f64(double *lower, uint32_t dim);

#endif
