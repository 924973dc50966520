#ifndef VT_BLEND_KERNEL_SUM_H
#define VT_BLEND_KERNEL_SUM_H

#include "models/neighbor/item_kernel.h"

#include <stdint.h>

/* One item-item kernel as a sum of several: Σ factor[k] · kernels[k], of each row the `per_row`
 * entries that are largest without their sign. Kernels are borrowed and of one n_items; owned
 * result, the same bytes for any thread count. VT_EXHAUSTED without memory. Cost: the entries, and
 * a sort of the columns of each row. */
VT_MUST_USE struct vt_err vt_blend_kernel_sum(const struct vt_item_kernel *const *kernels,
                                              const double *factors, uint32_t n_kernels,
                                              uint32_t per_row, uint32_t threads,
                                              struct vt_item_kernel *ret_kernel);

#endif
