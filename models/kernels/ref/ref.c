/*
 * The kernels in plain C: what every faster variant is tested against, and what runs on a CPU that
 * has nothing better. The score is exact to define: a product of two floats is exact in double, so
 * multiply-then-add and fused multiply-add give the same bits, and only the order of the sums is
 * left to fix: lane i mod 8, then the tree of reduce_lanes.
 */
#include "models/kernels/ref/ref.h"

#include "models/kernels/kernels.h"

#include <math.h>
#include <stddef.h>

static double reduce_lanes(const double lanes[VT_KERNEL_LANES])
{
    double quads[4];
    for (int i = 0; i < 4; i++)
        quads[i] = lanes[i] + lanes[i + 4];
    return (quads[0] + quads[2]) + (quads[1] + quads[3]);
}

double vt__ref_dot(const float *a, const float *b, uint32_t dim)
{
    double lanes[VT_KERNEL_LANES] = {0};
    for (uint32_t i = 0; i < dim; i++)
        lanes[i % VT_KERNEL_LANES] += (double)a[i] * (double)b[i];
    return reduce_lanes(lanes);
}

void vt__ref_dots(const float *rows, uint32_t n_rows, uint32_t row_stride, const float *query,
                  uint32_t dim, double *ret_scores)
{
    for (uint32_t r = 0; r < n_rows; r++)
        ret_scores[r] = vt__ref_dot(rows + (size_t)r * row_stride, query, dim);
}

void vt__ref_matvec_f32(const float *rows, uint32_t n_rows, uint32_t row_stride, const float *query,
                        uint32_t dim, float *ret)
{
    for (uint32_t r = 0; r < n_rows; r++)
        ret[r] = (float)vt__ref_dot(rows + (size_t)r * row_stride, query, dim);
}

void vt__ref_matmul_nt_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                           uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                           uint32_t ret_stride)
{
    for (uint32_t i = 0; i < n_a; i++)
        vt__ref_matvec_f32(b, n_b, b_stride, a + (size_t)i * a_stride, dim,
                           ret + (size_t)i * ret_stride);
}

void vt__ref_matmul_nn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                           uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                           uint32_t ret_stride)
{
    for (uint32_t i = 0; i < n_a; i++)
        for (uint32_t j = 0; j < n_b; j++) {
            double sum = 0;
            for (uint32_t r = 0; r < dim; r++)
                sum += (double)a[(size_t)i * a_stride + r] * (double)b[(size_t)r * b_stride + j];
            ret[(size_t)i * ret_stride + j] = (float)sum;
        }
}

void vt__ref_matmul_tn_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                           uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                           uint32_t ret_stride)
{
    for (uint32_t i = 0; i < n_a; i++)
        for (uint32_t j = 0; j < n_b; j++) {
            double sum = 0;
            for (uint32_t r = 0; r < dim; r++)
                sum += (double)a[(size_t)r * a_stride + i] * (double)b[(size_t)r * b_stride + j];
            ret[(size_t)i * ret_stride + j] = (float)sum;
        }
}

void vt__ref_matmul_nt_sub_f32(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                               uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                               uint32_t ret_stride)
{
    for (uint32_t i = 0; i < n_a; i++)
        for (uint32_t j = 0; j < n_b; j++) {
            float *at = &ret[(size_t)i * ret_stride + j];
            double product = vt__ref_dot(a + (size_t)i * a_stride, b + (size_t)j * b_stride, dim);
            *at = (float)((double)*at - product);
        }
}

void vt__ref_gram_add_f32(const float *rows, uint32_t n_rows, uint32_t dim, float *lower)
{
    for (uint32_t i = 0; i < dim; i++)
        for (uint32_t j = 0; j <= i; j++) {
            double sum = lower[(size_t)i * dim + j];
            for (uint32_t r = 0; r < n_rows; r++)
                sum += (double)rows[(size_t)r * dim + i] * (double)rows[(size_t)r * dim + j];
            lower[(size_t)i * dim + j] = (float)sum;
        }
}

void vt__ref_gram_add_f64(const double *rows, uint32_t n_rows, uint32_t dim, double *lower)
{
    for (uint32_t r = 0; r < n_rows; r++)
        for (uint32_t i = 0; i < dim; i++)
            for (uint32_t j = 0; j <= i; j++)
                lower[(size_t)i * dim + j] += rows[(size_t)r * dim + i] * rows[(size_t)r * dim + j];
}

/* L·Lᵀ in place, row by row. The comparison is written so that a NaN pivot fails it too. */
static bool cholesky_f64(double *lower, uint32_t dim)
{
    for (uint32_t i = 0; i < dim; i++) {
        double *row_i = lower + (size_t)i * dim;
        for (uint32_t j = 0; j <= i; j++) {
            const double *row_j = lower + (size_t)j * dim;
            double sum = row_i[j];
            for (uint32_t k = 0; k < j; k++)
                sum -= row_i[k] * row_j[k];
            if (j < i)
                row_i[j] = sum / row_j[j];
            else if (sum > 0)
                row_i[i] = sqrt(sum);
            else
                return false;
        }
    }
    return true;
}

static void substitute_f64(const double *lower, uint32_t dim, double *rhs)
{
    for (uint32_t i = 0; i < dim; i++) {
        for (uint32_t k = 0; k < i; k++)
            rhs[i] -= lower[(size_t)i * dim + k] * rhs[k];
        rhs[i] /= lower[(size_t)i * dim + i];
    }
    for (uint32_t i = dim; i-- > 0;) {
        for (uint32_t k = i + 1; k < dim; k++)
            rhs[i] -= lower[(size_t)k * dim + i] * rhs[k];
        rhs[i] /= lower[(size_t)i * dim + i];
    }
}

bool vt__ref_solve_f64(double *lower, uint32_t dim, double *rhs)
{
    if (!cholesky_f64(lower, dim))
        return false;
    substitute_f64(lower, dim, rhs);
    return true;
}

/* L ← L⁻¹ in place, column by column from the diagonal down. */
static void invert_triangle_f64(double *lower, uint32_t dim)
{
    for (uint32_t j = 0; j < dim; j++) {
        lower[(size_t)j * dim + j] = 1 / lower[(size_t)j * dim + j];
        for (uint32_t i = j + 1; i < dim; i++) {
            double sum = 0;
            for (uint32_t k = j; k < i; k++)
                sum -= lower[(size_t)i * dim + k] * lower[(size_t)k * dim + j];
            lower[(size_t)i * dim + j] = sum / lower[(size_t)i * dim + i];
        }
    }
}

bool vt__ref_invert_f64(double *lower, uint32_t dim)
{
    if (!cholesky_f64(lower, dim))
        return false;
    invert_triangle_f64(lower, dim);
    /* A⁻¹ = L⁻ᵀ·L⁻¹; element (i, j) reads rows i and below, which are still L⁻¹. */
    for (uint32_t i = 0; i < dim; i++)
        for (uint32_t j = 0; j <= i; j++) {
            double sum = 0;
            for (uint32_t k = i; k < dim; k++)
                sum += lower[(size_t)k * dim + i] * lower[(size_t)k * dim + j];
            lower[(size_t)i * dim + j] = sum;
        }
    return true;
}

static bool cholesky_f32(float *lower, uint32_t dim)
{
    for (uint32_t i = 0; i < dim; i++) {
        float *row_i = lower + (size_t)i * dim;
        for (uint32_t j = 0; j <= i; j++) {
            const float *row_j = lower + (size_t)j * dim;
            double sum = row_i[j];
            for (uint32_t k = 0; k < j; k++)
                sum -= (double)row_i[k] * (double)row_j[k];
            if (j < i)
                row_i[j] = (float)(sum / (double)row_j[j]);
            else if (sum > 0)
                row_i[i] = (float)sqrt(sum);
            else
                return false;
        }
    }
    return true;
}

bool vt__ref_solve_f32(float *lower, uint32_t dim, float *rhs)
{
    if (!cholesky_f32(lower, dim))
        return false;
    for (uint32_t i = 0; i < dim; i++) {
        double sum = rhs[i];
        for (uint32_t k = 0; k < i; k++)
            sum -= (double)lower[(size_t)i * dim + k] * (double)rhs[k];
        rhs[i] = (float)(sum / (double)lower[(size_t)i * dim + i]);
    }
    for (uint32_t i = dim; i-- > 0;) {
        double sum = rhs[i];
        for (uint32_t k = i + 1; k < dim; k++)
            sum -= (double)lower[(size_t)k * dim + i] * (double)rhs[k];
        rhs[i] = (float)(sum / (double)lower[(size_t)i * dim + i]);
    }
    return true;
}
