/*
 * A row's neighbours with AVX2 and FMA. Eight rows are taken at a time: their dot products with a
 * vector end in one register, and the same eight rows, then in the first cache, are added up by
 * what the dot products said. So a pass of conjugate gradients reads each row from further away
 * once. Sums are float: a factor is one, and the solvers that need more keep more.
 */
#include "models/kernels/simd/avx2_training.h"

#include "models/kernels/simd/avx2.h"

#if VT_HAVE_AVX2_KERNELS

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define TARGET_AVX2 __attribute__((target("avx2,fma")))

enum {
    EIGHT = VT_KERNEL_ROWS_STEP,
    FOUR = EIGHT / 2,
    PREFETCH_ROWS = 6, /* so many rows ahead: a guess that was not tuned */
    LINE_FLOATS = 16,
};

/* ---- gather ---- */

TARGET_AVX2 static inline void prefetch_row(const float *row, uint32_t dim)
{
    for (uint32_t d = 0; d < dim; d += LINE_FLOATS)
        _mm_prefetch((const char *)(row + d), _MM_HINT_T0);
}

TARGET_AVX2 static inline void scale_row(const float *row, __m256 scale, uint32_t dim, float *ret)
{
    for (uint32_t d = 0; d < dim; d += 8)
        _mm256_storeu_ps(ret + d, _mm256_mul_ps(scale, _mm256_loadu_ps(row + d)));
}

TARGET_AVX2 void vt__avx2_gather_f32(const float *factors, uint32_t dim, const uint32_t *columns,
                                     const float *weights, uint32_t n, float *ret_rows,
                                     float *ret_targets)
{
    uint32_t n_padded = (n + EIGHT - 1) / EIGHT * EIGHT;
    for (uint32_t e = 0; e < n; e++) {
        if (e + PREFETCH_ROWS < n)
            prefetch_row(factors + (size_t)columns[e + PREFETCH_ROWS] * dim, dim);
        float size = weights[e] > 0 ? weights[e] : -weights[e];
        float root = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(size)));
        scale_row(factors + (size_t)columns[e] * dim, _mm256_set1_ps(root), dim,
                  ret_rows + (size_t)e * dim);
        ret_targets[e] = weights[e] > 0 ? root : 0;
    }
    memset(ret_rows + (size_t)n * dim, 0, (size_t)(n_padded - n) * dim * sizeof *ret_rows);
    memset(ret_targets + n, 0, (n_padded - n) * sizeof *ret_targets);
}

/* ---- residuals ---- */

/* Lane r: the sum of the eight elements of sums[r]. */
TARGET_AVX2 static inline __m256 add_across(const __m256 sums[EIGHT])
{
    __m256 low = _mm256_hadd_ps(_mm256_hadd_ps(sums[0], sums[1]), _mm256_hadd_ps(sums[2], sums[3]));
    __m256 high =
        _mm256_hadd_ps(_mm256_hadd_ps(sums[4], sums[5]), _mm256_hadd_ps(sums[6], sums[7]));
    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20),
                         _mm256_permute2f128_ps(low, high, 0x31));
}

/* Of four rows' products with a vector the sums in eight lanes. They are made in sixteen, so that
 * avx512_training.c has the same bits; eight rows would need too many registers. dim: a multiple of
 * eight, as avx2_cholesky.c has it. */
TARGET_AVX2 static inline void multiply_four(const float *rows, size_t stride, uint32_t dim,
                                             const float *vector, __m256 ret_sums[FOUR])
{
    __m256 others[FOUR];
    uint32_t d = 0;
#pragma GCC unroll 4
    for (size_t r = 0; r < FOUR; r++)
        ret_sums[r] = others[r] = _mm256_setzero_ps();
    for (; d + 16 <= dim; d += 16) {
        __m256 low = _mm256_loadu_ps(vector + d), high = _mm256_loadu_ps(vector + d + 8);
#pragma GCC unroll 4
        for (size_t r = 0; r < FOUR; r++) {
            const float *row = rows + r * stride + d;
            ret_sums[r] = _mm256_fmadd_ps(_mm256_loadu_ps(row), low, ret_sums[r]);
            others[r] = _mm256_fmadd_ps(_mm256_loadu_ps(row + 8), high, others[r]);
        }
    }
    for (size_t r = 0; d < dim && r < FOUR; r++)
        ret_sums[r] = _mm256_fmadd_ps(_mm256_loadu_ps(rows + r * stride + d),
                                      _mm256_loadu_ps(vector + d), ret_sums[r]);
#pragma GCC unroll 4
    for (size_t r = 0; r < FOUR; r++)
        ret_sums[r] = _mm256_add_ps(ret_sums[r], others[r]);
}

/* The dot products of eight rows with a vector. */
TARGET_AVX2 static inline __m256 dot_eight(const float *rows, size_t stride, uint32_t dim,
                                           const float *vector)
{
    __m256 sums[EIGHT];
    multiply_four(rows, stride, dim, vector, sums);
    multiply_four(rows + FOUR * stride, stride, dim, vector, sums + FOUR);
    return add_across(sums);
}

/* sum += Σ by[r] · row r, of eight rows. */
TARGET_AVX2 static inline void add_eight(const float *rows, size_t stride, uint32_t dim,
                                         const float by[EIGHT], float *sum)
{
    __m256 factors[EIGHT];
#pragma GCC unroll 8
    for (size_t r = 0; r < EIGHT; r++)
        factors[r] = _mm256_broadcast_ss(by + r);
    for (uint32_t d = 0; d < dim; d += 8) {
        __m256 part = _mm256_loadu_ps(sum + d);
#pragma GCC unroll 8
        for (size_t r = 0; r < EIGHT; r++)
            part = _mm256_fmadd_ps(factors[r], _mm256_loadu_ps(rows + r * stride + d), part);
        _mm256_storeu_ps(sum + d, part);
    }
}

TARGET_AVX2 static inline double sum_of_pairs(__m256d sum)
{
    __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd(sum, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

TARGET_AVX2 static inline __m256d add_squares(__m256d sum, __m256 values)
{
    __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
    __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1));
    return _mm256_fmadd_pd(high, high, _mm256_fmadd_pd(low, low, sum));
}

TARGET_AVX2 double vt__avx2_residual_f32(const struct vt_rows_f32 *rows, const float *targets,
                                         const float *vector, float *ret_residuals, float *ret_sum)
{
    __m256d squares = _mm256_setzero_pd();
    float residuals[EIGHT];
    for (uint32_t r = 0; r < rows->n; r += EIGHT) {
        const float *eight = rows->values + (size_t)r * rows->stride;
        __m256 residual = targets != NULL ? _mm256_loadu_ps(targets + r) : _mm256_setzero_ps();
        if (vector != NULL)
            residual = _mm256_sub_ps(residual, dot_eight(eight, rows->stride, rows->dim, vector));
        squares = add_squares(squares, residual);
        if (ret_residuals != NULL)
            _mm256_storeu_ps(ret_residuals + r, residual);
        if (ret_sum == NULL)
            continue;
        _mm256_storeu_ps(residuals, residual);
        add_eight(eight, rows->stride, rows->dim, residuals, ret_sum);
    }
    return sum_of_pairs(squares);
}

#else
typedef int vt__avx2_training_not_on_this_architecture; /* ISO C forbids an empty file */
#endif
