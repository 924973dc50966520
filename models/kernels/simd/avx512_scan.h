#ifndef VT_KERNELS_SIMD_AVX512_SCAN_H
#define VT_KERNELS_SIMD_AVX512_SCAN_H

#include "models/kernels/kernels.h"

/* AVX-512 VNNI form of struct vt_kernels' scan: the bits of vt__ref_scan. Call only where
 * available. */
bool vt__avx512_scan_available(void);
void vt__avx512_scan(const struct vt_scan *scan, const float *thresholds, uint32_t *ret_masks,
                     float *ret_products);

#endif
