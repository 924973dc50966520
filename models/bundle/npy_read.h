#ifndef VT_BUNDLE_NPY_READ_H
#define VT_BUNDLE_NPY_READ_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A numpy file from outside (numpy.save), format 1.0 to 3.0: a matrix of float32 or float64,
 * little-endian, in C or Fortran order. Everything else is refused with what it is and what would
 * do. Plain data; borrows the file's bytes.
 */
struct vt_npy {
    uint64_t rows, cols;
    bool is_double, is_fortran;
    const unsigned char *values; /* rows × cols numbers, any alignment */
};

enum {
    VT_NPY_HEADER_BYTES_MAX = 4096,
    VT_NPY_COLS_MAX = 65536,
};
#define VT_NPY_ROWS_MAX (UINT64_C(1) << 32)

/* Judges the header and the length of a whole file. VT_INVALID with the reason, and the offset
 * where there is one, in `diag`. Never reads outside `file`. */
VT_MUST_USE struct vt_err vt_npy_decode(struct vt_slice file, struct vt_diag *diag,
                                        struct vt_npy *ret_npy);
/* One number; row < rows, col < cols. */
double vt_npy_at(const struct vt_npy *npy, uint64_t row, uint64_t col);

#endif
