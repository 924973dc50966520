/* The scan of byte rows in plain C: what the variants' bits are held against. */
#include "models/kernels/ref/ref_scan.h"

#include <stddef.h>

enum { OFFSET = 128 };

static int32_t sum_of_row(const struct vt_scan *scan, const uint8_t *block, uint32_t row)
{
    int32_t sum = 0;
    for (uint32_t step = 0; step < scan->n_steps; step++)
        for (uint32_t i = 0; i < VT_SCAN_STEP; i++) {
            int32_t value = block[((size_t)step * VT_SCAN_ROWS + row) * VT_SCAN_STEP + i];
            sum += (value - OFFSET) * scan->query[step * VT_SCAN_STEP + i];
        }
    return sum;
}

void vt__ref_scan(const struct vt_scan *scan, const float *thresholds, uint32_t *ret_masks,
                  float *ret_products)
{
    const size_t block_bytes = (size_t)scan->n_steps * VT_SCAN_ROWS * VT_SCAN_STEP;
    for (uint32_t b = 0; b < scan->n_blocks; b++) {
        uint32_t mask = 0;
        for (uint32_t row = 0; row < VT_SCAN_ROWS; row++) {
            int32_t sum = sum_of_row(scan, scan->values + b * block_bytes, row);
            float product = (float)sum * scan->scales[b * VT_SCAN_ROWS + row];
            if (ret_products != NULL)
                ret_products[b * VT_SCAN_ROWS + row] = product;
            mask |= (product < thresholds[b] ? 0U : 1U) << row;
        }
        ret_masks[b] = mask;
    }
}
