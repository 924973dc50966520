/*
 * The scan with AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes and adds four neighbours
 * to a 32-bit sum without any step that could saturate. Two registers hold the sums of the block's
 * 32 rows. A test builds this file over SIMDe, which gives the same instructions to any CPU.
 */
#include "models/kernels/simd/avx512_scan.h"

#include "models/kernels/simd/avx2.h"

#if VT_HAVE_AVX2_KERNELS

#ifdef VT_AVX512_OVER_SIMDE /* whose header the test has included */
#define TARGET_AVX512
#else
#include <immintrin.h>
#define TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))
#endif
#include <stddef.h>
#include <string.h>

enum { OFFSET = 128, STEP_BYTES = VT_SCAN_ROWS * VT_SCAN_STEP };

bool vt__avx512_scan_available(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vnni");
}

TARGET_AVX512 static inline uint32_t mask_of(__m512i sums, const float *scales, __m512 threshold,
                                             float *ret_products)
{
    __m512 products = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(scales));
    if (ret_products != NULL)
        _mm512_storeu_ps(ret_products, products);
    return ~(uint32_t)_mm512_cmp_ps_mask(products, threshold, _CMP_LT_OQ) & 0xFFFFU;
}

TARGET_AVX512 static inline uint32_t scan_block(const struct vt_scan *scan, const uint8_t *block,
                                                const float *scales, __m512i offset,
                                                float threshold, float *products)
{
    __m512i low = offset, high = offset;
    for (uint32_t step = 0; step < scan->n_steps; step++, block += STEP_BYTES) {
        int32_t four;
        memcpy(&four, scan->query + (size_t)step * VT_SCAN_STEP, sizeof four);
        __m512i query = _mm512_set1_epi32(four);
        low = _mm512_dpbusd_epi32(low, _mm512_loadu_si512((const void *)block), query);
        high = _mm512_dpbusd_epi32(high, _mm512_loadu_si512((const void *)(block + 64)), query);
    }
    __m512 least = _mm512_set1_ps(threshold);
    if (products == NULL)
        return mask_of(low, scales, least, NULL) | mask_of(high, scales + 16, least, NULL) << 16;
    return mask_of(low, scales, least, products) | mask_of(high, scales + 16, least, products + 16)
                                                       << 16;
}

TARGET_AVX512 void vt__avx512_scan(const struct vt_scan *scan, const float *thresholds,
                                   uint32_t *ret_masks, float *ret_products)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < scan->n_steps * VT_SCAN_STEP; i++)
        sum += scan->query[i];
    const __m512i offset = _mm512_set1_epi32(-OFFSET * sum);
    for (uint32_t b = 0; b < scan->n_blocks; b++)
        ret_masks[b] =
            scan_block(scan, scan->values + (size_t)b * scan->n_steps * STEP_BYTES,
                       scan->scales + (size_t)b * VT_SCAN_ROWS, offset, thresholds[b],
                       ret_products != NULL ? ret_products + (size_t)b * VT_SCAN_ROWS : NULL);
}

#endif
