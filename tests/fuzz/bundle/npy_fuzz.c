/* Any bytes as a numpy file: refused, or every number readable in both orders. */
#include "models/bundle/npy_read.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_diag diag = {0};
    struct vt_npy npy;
    if (vt_failed(vt_npy_decode(vt_slice(data, size), &diag, &npy))) {
        if (diag.text[0] == '\0')
            abort(); /* a refusal says why */
        return 0;
    }
    if (npy.rows * npy.cols * (npy.is_double ? 8 : 4) > size)
        abort(); /* numbers that the file does not have */
    volatile double sum = 0;
    for (uint64_t row = 0; row < npy.rows; row++)
        for (uint64_t col = 0; col < npy.cols; col++)
            sum = sum + vt_npy_at(&npy, row, col);
    return 0;
}
