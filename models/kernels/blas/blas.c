/*
 * The only file that includes BLAS and LAPACK headers. OpenBLAS runs on one thread per call (main
 * sees to that before it is loaded) and is called from many of ours; that needs a build with locks,
 * so vt__blas_check refuses the serial one. Our row-major lower triangle is LAPACK's column-major
 * upper one: nothing is transposed, and the _work forms neither scan for NaN nor allocate.
 */
#include "models/kernels/blas/blas.h"

#include <cblas.h>
#include <lapacke.h>
#include <string.h>

struct vt_err vt__blas_check(struct vt_diag *diag)
{
    const char *config = openblas_get_config();
    if (strstr(config, "SINGLE_THREADED") == NULL)
        return vt_ok();
    vt_diag_set(diag, "libopenblas",
                "this OpenBLAS (%s) gives wrong results when several threads call it; install "
                "libopenblas0-pthread and make it the alternative for libopenblas.so.0",
                config);
    return VT_ERR(VT_PRECONDITION, "OpenBLAS is a single-threaded build");
}

const char *vt__blas_core(void)
{
    return openblas_get_corename();
}

void vt__blas_matvec_f32(const float *rows, uint32_t n_rows, uint32_t row_stride,
                         const float *query, uint32_t dim, float *ret)
{
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (blasint)n_rows, (blasint)dim, 1.0F, rows,
                (blasint)row_stride, query, 1, 0.0F, ret, 1);
}

void vt__blas_matmul_nt_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                            uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                            uint32_t ret_stride)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n_a, (blasint)n_b, (blasint)dim,
                1.0F, a, (blasint)a_stride, b, (blasint)b_stride, 0.0F, ret, (blasint)ret_stride);
}

void vt__blas_matmul_nn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                            uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                            uint32_t ret_stride)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)n_a, (blasint)n_b, (blasint)dim,
                1.0F, a, (blasint)a_stride, b, (blasint)b_stride, 0.0F, ret, (blasint)ret_stride);
}

void vt__blas_matmul_tn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                            uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                            uint32_t ret_stride)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)n_a, (blasint)n_b, (blasint)dim,
                1.0F, a, (blasint)a_stride, b, (blasint)b_stride, 0.0F, ret, (blasint)ret_stride);
}

void vt__blas_matmul_nt_sub_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                                uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                                uint32_t ret_stride)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n_a, (blasint)n_b, (blasint)dim,
                -1.0F, a, (blasint)a_stride, b, (blasint)b_stride, 1.0F, ret, (blasint)ret_stride);
}

void vt__blas_gram_add_f32(const float *rows, uint32_t n_rows, uint32_t dim, float *lower)
{
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, (blasint)dim, (blasint)n_rows, 1.0F, rows,
                (blasint)dim, 1.0F, lower, (blasint)dim);
}

void vt__blas_gram_add_f64(const double *rows, uint32_t n_rows, uint32_t dim, double *lower)
{
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (blasint)dim, (blasint)n_rows, 1.0, rows,
                (blasint)dim, 1.0, lower, (blasint)dim);
}

bool vt__blas_solve_f32(float *lower, uint32_t dim, float *rhs)
{
    lapack_int n = (lapack_int)dim;
    return LAPACKE_sposv_work(LAPACK_COL_MAJOR, 'U', n, 1, lower, n, rhs, n) == 0;
}

bool vt__blas_solve_f64(double *lower, uint32_t dim, double *rhs)
{
    lapack_int n = (lapack_int)dim;
    return LAPACKE_dposv_work(LAPACK_COL_MAJOR, 'U', n, 1, lower, n, rhs, n) == 0;
}

bool vt__blas_invert_f64(double *lower, uint32_t dim)
{
    lapack_int n = (lapack_int)dim;
    return LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', n, lower, n) == 0 &&
           LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'U', n, lower, n) == 0;
}

bool vt__blas_eigen_f64(double *symmetric, uint32_t dim, double *ret_values)
{
    lapack_int n = (lapack_int)dim;
    return LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', n, symmetric, n, ret_values) == 0;
}

void vt__blas_gram_upper_f32(const struct vt_rows_f32 *rows, float *upper)
{
    cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, (blasint)rows->dim, (blasint)rows->n, 1.0F,
                rows->values, (blasint)rows->stride, 1.0F, upper, (blasint)rows->dim);
}

/* Our row-major upper triangle is LAPACK's column-major lower one. */
bool vt__blas_solve_upper_f32(float *upper, uint32_t dim, float *rhs)
{
    lapack_int n = (lapack_int)dim;
    return LAPACKE_sposv_work(LAPACK_COL_MAJOR, 'L', n, 1, upper, n, rhs, n) == 0;
}
