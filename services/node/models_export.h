#ifndef VT_NODE_MODELS_EXPORT_H
#define VT_NODE_MODELS_EXPORT_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

/* Writes a version for notebooks into `out_dir` (made when missing): item_factors.npy, gram.npy,
 * popularity.npy, item_numbers.npy and curve.npy; kernel.npz, neighbors.npz and bought_together.npz
 * for scipy.sparse.load_npz; items.txt with the SKUs where a store is there; metrics.json and
 * manifest.json. What the version has not is left out. Existing files are not replaced:
 * VT_UNAVAILABLE. Blocking. */
VT_MUST_USE struct vt_err vt_models_export(const char *data_dir, const char *version,
                                           const char *out_dir, struct vt_diag *diag);

#endif
