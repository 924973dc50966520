#ifndef VT_TRAIN_FACTOR_GRAM_H
#define VT_TRAIN_FACTOR_GRAM_H

#include "models/factor/moments.h"

/* weight · Σ y yᵀ over the rows, dim × dim, both triangles, summed in double in the order of the
 * rows. Owned result. VT_EXHAUSTED. Cost n_rows·dim². */
VT_MUST_USE struct vt_err vt__factor_gram(const struct vt_factor_rows *rows, double weight,
                                          double **ret_gram);

#endif
