#ifndef VT_KERNELS_REF_REF_SCAN_H
#define VT_KERNELS_REF_REF_SCAN_H

#include "models/kernels/kernels.h"

/* Plain C form of struct vt_kernels' scan. Any thread. */
void vt__ref_scan(const struct vt_scan *scan, const float *thresholds, uint32_t *ret_masks,
                  float *ret_products);

#endif
