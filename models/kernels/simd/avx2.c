/*
 * The score with AVX2 and FMA: two registers of four doubles are the eight lanes. Fusing does not
 * change the bits, because the product of two floats is exact in double. A tail shorter than eight
 * is padded with zeros: adding +0 leaves a lane as it is (a lane that starts at +0 never is -0).
 * The functions carry their target in an attribute, so the file builds for any x86-64 and only
 * runs where vt__avx2_available() said so.
 */
#include "models/kernels/simd/avx2.h"

#if VT_HAVE_AVX2_KERNELS

#include "models/kernels/kernels.h"

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define TARGET_AVX2 __attribute__((target("avx2,fma")))

bool vt__avx2_available(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

struct lanes {
    __m256d low, high; /* lanes 0–3 and 4–7 */
};

TARGET_AVX2 static inline struct lanes add_eight(struct lanes sum, const float *a, const float *b)
{
    __m256 a8 = _mm256_loadu_ps(a), b8 = _mm256_loadu_ps(b);
    sum.low = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(a8)),
                              _mm256_cvtps_pd(_mm256_castps256_ps128(b8)), sum.low);
    sum.high = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(a8, 1)),
                               _mm256_cvtps_pd(_mm256_extractf128_ps(b8, 1)), sum.high);
    return sum;
}

TARGET_AVX2 static inline double reduce_lanes(struct lanes sum)
{
    __m256d quads = _mm256_add_pd(sum.low, sum.high);
    __m128d pairs = _mm_add_pd(_mm256_castpd256_pd128(quads), _mm256_extractf128_pd(quads, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pairs, _mm_unpackhi_pd(pairs, pairs)));
}

TARGET_AVX2 static inline double dot(const float *a, const float *b, uint32_t dim)
{
    struct lanes sum = {_mm256_setzero_pd(), _mm256_setzero_pd()};
    uint32_t i = 0;
    for (; i + VT_KERNEL_LANES <= dim; i += VT_KERNEL_LANES)
        sum = add_eight(sum, a + i, b + i);
    if (i < dim) {
        float a8[VT_KERNEL_LANES] = {0}, b8[VT_KERNEL_LANES] = {0};
        memcpy(a8, a + i, (dim - i) * sizeof *a);
        memcpy(b8, b + i, (dim - i) * sizeof *b);
        sum = add_eight(sum, a8, b8);
    }
    return reduce_lanes(sum);
}

TARGET_AVX2 double vt__avx2_dot(const float *a, const float *b, uint32_t dim)
{
    return dot(a, b, dim);
}

enum { ROWS_AT_ONCE = 4 };

/* Four rows at a time: eight sums that do not wait for each other, and the query is widened to
 * doubles once for all of them. Each row's lanes are added to as dot() adds. */
TARGET_AVX2 static inline void dot_four(const float *rows, uint32_t row_stride, const float *query,
                                        uint32_t dim, double *ret_scores)
{
    struct lanes sums[ROWS_AT_ONCE];
    for (uint32_t r = 0; r < ROWS_AT_ONCE; r++)
        sums[r] = (struct lanes){_mm256_setzero_pd(), _mm256_setzero_pd()};
    for (uint32_t i = 0; i + VT_KERNEL_LANES <= dim; i += VT_KERNEL_LANES) {
        const __m256d low = _mm256_cvtps_pd(_mm_loadu_ps(query + i));
        const __m256d high = _mm256_cvtps_pd(_mm_loadu_ps(query + i + 4));
        for (uint32_t r = 0; r < ROWS_AT_ONCE; r++) {
            const float *row = rows + (size_t)r * row_stride + i;
            sums[r].low = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(row)), low, sums[r].low);
            sums[r].high =
                _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(row + 4)), high, sums[r].high);
        }
    }
    for (uint32_t r = 0; r < ROWS_AT_ONCE; r++)
        ret_scores[r] = reduce_lanes(sums[r]);
}

TARGET_AVX2 void vt__avx2_dots(const float *rows, uint32_t n_rows, uint32_t row_stride,
                               const float *query, uint32_t dim, double *ret_scores)
{
    uint32_t r = 0;
    for (; dim % VT_KERNEL_LANES == 0 && r + ROWS_AT_ONCE <= n_rows; r += ROWS_AT_ONCE)
        dot_four(rows + (size_t)r * row_stride, row_stride, query, dim, ret_scores + r);
    for (; r < n_rows; r++)
        ret_scores[r] = dot(rows + (size_t)r * row_stride, query, dim);
}

#else
typedef int vt__avx2_not_on_this_architecture; /* ISO C forbids an empty file */
#endif
