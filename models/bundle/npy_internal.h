#ifndef VT_BUNDLE_NPY_INTERNAL_H
#define VT_BUNDLE_NPY_INTERNAL_H

#include <stdint.h>

/* A header of numpy's format 1.0, one size for any shape of ours. */
enum { VT__NPY_HEADER_BYTES = 128 };

/* `descriptor`: numpy's name of the number type, "<f4". Dimensions: 0 (a scalar), 1 (rows), 2 (rows
 * × cols). A NUL goes behind. */
void vt__npy_header(const char *descriptor, uint32_t n_dims, uint64_t rows, uint64_t cols,
                    char ret_header[VT__NPY_HEADER_BYTES + 1]);

#endif
