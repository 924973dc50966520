#ifndef VT_BUNDLE_NPY_H
#define VT_BUNDLE_NPY_H

#include "models/bundle/array.h"

/* Writes `array` as a numpy file (format 1.0, C order) for notebooks; `row_stride` elements from
 * row to row in memory, at least cols. A new file: VT_UNAVAILABLE when it is there already or
 * cannot be written, `diag` names it. */
VT_MUST_USE struct vt_err vt_npy_write(const char *path, const struct vt_array *array,
                                       uint64_t row_stride, struct vt_diag *diag);

#endif
