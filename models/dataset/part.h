#ifndef VT_DATASET_PART_H
#define VT_DATASET_PART_H

#include "models/dataset/dataset.h"

/* Whether the entry goes to the second part. */
typedef bool (*vt_part_fn)(const void *ctx, uint32_t row, uint32_t column, float value);

/* Two matrices of the same shape that share out the entries of one: to hold a part of it back where
 * only the matrix is known (split.h does it for interactions). Owned results; VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_sparse_part(const struct vt_sparse *matrix, vt_part_fn goes_second,
                                         const void *ctx, struct vt_sparse *ret_first,
                                         struct vt_sparse *ret_second);

/* One in `one_in` of all values, by hash: the same seed and value, the same answer. */
bool vt_part_hash(uint64_t seed, uint64_t value, uint64_t one_in);

#endif
