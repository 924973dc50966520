#ifndef VT_BUNDLE_NPZ_H
#define VT_BUNDLE_NPZ_H

#include "models/bundle/bundle.h"

/* Writes `csr` (n_rows × n_columns) as scipy.sparse.load_npz reads a csr matrix: a zip, stored, of
 * the members format, shape, indices, indptr and data. A new file: VT_UNAVAILABLE when it is there
 * already or cannot be written, `diag` names it; VT_INVALID for more columns than scipy's int32
 * indices hold. Same matrix, same bytes. */
VT_MUST_USE struct vt_err vt_npz_write_csr(const char *path, const struct vt_csr *csr,
                                           uint32_t n_columns, struct vt_diag *diag);

#endif
