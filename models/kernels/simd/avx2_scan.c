/*
 * The scan with AVX2. vpmaddubsw multiplies unsigned by signed bytes and adds two neighbours in 16
 * bits, saturating; with rows up to 255 and a query of at most 63 that sum is at most 2 · 255 · 63
 * = 32,130 and never does. The offset of 128 is the same for every row, 128 times the query's sum,
 * and is taken off once a block. Four registers hold the sums of the block's 32 rows, so nothing is
 * summed across lanes.
 */
#include "models/kernels/simd/avx2_scan.h"

#include "models/kernels/simd/avx2.h"

#if VT_HAVE_AVX2_KERNELS

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define TARGET_AVX2 __attribute__((target("avx2,fma")))
enum { OFFSET = 128, REGISTERS = VT_SCAN_ROWS / 8, STEP_BYTES = VT_SCAN_ROWS * VT_SCAN_STEP };

/* sums[r] += the products of eight rows' four bytes with the query's four. */
TARGET_AVX2 static inline __m256i add_products(__m256i sums, const uint8_t *rows, __m256i query)
{
    __m256i pairs =
        _mm256_maddubs_epi16(_mm256_load_si256((const __m256i *)(const void *)rows), query);
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

TARGET_AVX2 static inline __m256i four_of_query(const int8_t *query)
{
    int32_t four;
    memcpy(&four, query, sizeof four);
    return _mm256_set1_epi32(four);
}

TARGET_AVX2 static inline uint32_t mask_of(__m256i sums, const float *scales, __m256 threshold,
                                           float *ret_products)
{
    __m256 products = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scales));
    if (ret_products != NULL)
        _mm256_storeu_ps(ret_products, products);
    __m256 below = _mm256_cmp_ps(products, threshold, _CMP_LT_OQ);
    return ~(uint32_t)_mm256_movemask_ps(below) & 0xFFU;
}

TARGET_AVX2 static inline uint32_t scan_block(const struct vt_scan *scan, const uint8_t *block,
                                              const float *scales, __m256i offset, float threshold,
                                              float *products)
{
    __m256i a = offset, b = offset, c = offset, d = offset;
#pragma GCC unroll 4 /* a fifth faster than a step at a time: nothing is copied between registers  \
                      */
    for (uint32_t step = 0; step < scan->n_steps; step++, block += STEP_BYTES) {
        __m256i query = four_of_query(scan->query + (size_t)step * VT_SCAN_STEP);
        a = add_products(a, block, query);
        b = add_products(b, block + 32, query);
        c = add_products(c, block + 64, query);
        d = add_products(d, block + 96, query);
    }
    __m256 least = _mm256_set1_ps(threshold);
    if (products == NULL)
        return mask_of(a, scales, least, NULL) | mask_of(b, scales + 8, least, NULL) << 8 |
               mask_of(c, scales + 16, least, NULL) << 16 |
               mask_of(d, scales + 24, least, NULL) << 24;
    return mask_of(a, scales, least, products) | mask_of(b, scales + 8, least, products + 8) << 8 |
           mask_of(c, scales + 16, least, products + 16) << 16 |
           mask_of(d, scales + 24, least, products + 24) << 24;
}

TARGET_AVX2 void vt__avx2_scan(const struct vt_scan *scan, const float *thresholds,
                               uint32_t *ret_masks, float *ret_products)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < scan->n_steps * VT_SCAN_STEP; i++)
        sum += scan->query[i];
    const __m256i offset = _mm256_set1_epi32(-OFFSET * sum);
    for (uint32_t b = 0; b < scan->n_blocks; b++)
        ret_masks[b] =
            scan_block(scan, scan->values + (size_t)b * scan->n_steps * STEP_BYTES,
                       scan->scales + (size_t)b * VT_SCAN_ROWS, offset, thresholds[b],
                       ret_products != NULL ? ret_products + (size_t)b * VT_SCAN_ROWS : NULL);
}

#endif
