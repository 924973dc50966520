#ifndef VT_KERNELS_SIMD_AVX2_SCAN_H
#define VT_KERNELS_SIMD_AVX2_SCAN_H

#include "models/kernels/kernels.h"

/* AVX2 form of struct vt_kernels' scan: the bits of vt__ref_scan. Call only where
 * vt__avx2_available(). */
void vt__avx2_scan(const struct vt_scan *scan, const float *thresholds, uint32_t *ret_masks,
                   float *ret_products);

#endif
