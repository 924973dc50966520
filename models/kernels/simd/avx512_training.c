/*
 * avx2_training.c with registers of sixteen floats. The order of every sum is the same, so are the
 * bits: a model does not depend on which of the two CPUs has trained it. A test builds this file
 * over SIMDe, as it does avx512_scan.c.
 */
#include "models/kernels/simd/avx512_training.h"

#include "models/kernels/simd/avx2.h"

#if VT_HAVE_AVX2_KERNELS

#ifdef VT_AVX512_OVER_SIMDE /* whose header the test has included */
#define TARGET_AVX512
#else
#include <immintrin.h>
#define TARGET_AVX512 __attribute__((target("avx512f,avx2,fma")))
#endif
#include <stddef.h>
#include <string.h>

enum {
    EIGHT = VT_KERNEL_ROWS_STEP,
    SIXTEEN = 16,
    PREFETCH_ROWS = 6,
};

/* ---- gather ---- */

TARGET_AVX512 void vt__avx512_gather_f32(const float *factors, uint32_t dim,
                                         const uint32_t *columns, const float *weights, uint32_t n,
                                         float *ret_rows, float *ret_targets)
{
    uint32_t n_padded = (n + EIGHT - 1) / EIGHT * EIGHT;
    for (uint32_t e = 0; e < n; e++) {
        const float *row = factors + (size_t)columns[e] * dim;
        const float *ahead =
            factors + (size_t)columns[e + PREFETCH_ROWS < n ? e + PREFETCH_ROWS : e] * dim;
        float size = weights[e] > 0 ? weights[e] : -weights[e];
        float root = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(size)));
        for (uint32_t d = 0; d < dim; d += SIXTEEN) {
            _mm_prefetch((const char *)(ahead + d), _MM_HINT_T0);
            _mm512_storeu_ps(ret_rows + (size_t)e * dim + d,
                             _mm512_mul_ps(_mm512_set1_ps(root), _mm512_loadu_ps(row + d)));
        }
        ret_targets[e] = weights[e] > 0 ? root : 0;
    }
    memset(ret_rows + (size_t)n * dim, 0, (size_t)(n_padded - n) * dim * sizeof *ret_rows);
    memset(ret_targets + n, 0, (n_padded - n) * sizeof *ret_targets);
}

/* ---- residuals ---- */

/* The upper eight of the sixteen added to the lower. */
TARGET_AVX512 static inline __m256 fold(__m512 values)
{
    __m256d high = _mm512_extractf64x4_pd(_mm512_castps_pd(values), 1);
    return _mm256_add_ps(_mm512_castps512_ps256(values), _mm256_castpd_ps(high));
}

/* Lane r: the sum of the sixteen elements of sums[r]. */
TARGET_AVX512 static inline __m256 add_across(const __m512 sums[EIGHT])
{
    __m256 low = _mm256_hadd_ps(_mm256_hadd_ps(fold(sums[0]), fold(sums[1])),
                                _mm256_hadd_ps(fold(sums[2]), fold(sums[3])));
    __m256 high = _mm256_hadd_ps(_mm256_hadd_ps(fold(sums[4]), fold(sums[5])),
                                 _mm256_hadd_ps(fold(sums[6]), fold(sums[7])));
    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20),
                         _mm256_permute2f128_ps(low, high, 0x31));
}

/* The dot products of eight rows with a vector. */
TARGET_AVX512 static inline __m256 dot_eight(const float *rows, size_t stride, uint32_t dim,
                                             const float *vector)
{
    __m512 sums[EIGHT];
#pragma GCC unroll 8
    for (size_t r = 0; r < EIGHT; r++)
        sums[r] = _mm512_setzero_ps();
    for (uint32_t d = 0; d < dim; d += SIXTEEN) {
        __m512 part = _mm512_loadu_ps(vector + d);
#pragma GCC unroll 8
        for (size_t r = 0; r < EIGHT; r++)
            sums[r] = _mm512_fmadd_ps(_mm512_loadu_ps(rows + r * stride + d), part, sums[r]);
    }
    return add_across(sums);
}

/* sum += Σ by[r] · row r, of eight rows. */
TARGET_AVX512 static inline void add_eight(const float *rows, size_t stride, uint32_t dim,
                                           const float by[EIGHT], float *sum)
{
    __m512 factors[EIGHT];
#pragma GCC unroll 8
    for (size_t r = 0; r < EIGHT; r++)
        factors[r] = _mm512_set1_ps(by[r]);
    for (uint32_t d = 0; d < dim; d += SIXTEEN) {
        __m512 part = _mm512_loadu_ps(sum + d);
#pragma GCC unroll 8
        for (size_t r = 0; r < EIGHT; r++)
            part = _mm512_fmadd_ps(factors[r], _mm512_loadu_ps(rows + r * stride + d), part);
        _mm512_storeu_ps(sum + d, part);
    }
}

TARGET_AVX512 static inline double sum_of_pairs(__m256d sum)
{
    __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd(sum, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

TARGET_AVX512 static inline __m256d add_squares(__m256d sum, __m256 values)
{
    __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
    __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1));
    return _mm256_fmadd_pd(high, high, _mm256_fmadd_pd(low, low, sum));
}

TARGET_AVX512 double vt__avx512_residual_f32(const struct vt_rows_f32 *rows, const float *targets,
                                             const float *vector, float *ret_residuals,
                                             float *ret_sum)
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
typedef int vt__avx512_training_not_on_this_architecture; /* ISO C forbids an empty file */
#endif
