#ifndef VT_GRAPH_SVD_H
#define VT_GRAPH_SVD_H

#include "models/dataset/dataset.h"

#include <stdint.h>

/*
 * The largest singular values of a sparse matrix and its right singular vectors, by block power
 * iteration from a random start (Halko, Martinsson, Tropp, "Finding Structure with Randomness",
 * 2011, algorithms 4.4 and 5.1).
 */
struct vt_svd_options {
    uint32_t rank;       /* wanted, 1 … VT_SVD_RANK_MAX; at most the shorter side is found */
    uint32_t iterations; /* of the power; more for values that lie close together */
    uint64_t seed;
    uint32_t threads; /* 0: one per CPU */
};
enum { VT_SVD_RANK_MAX = 2048, VT_SVD_OVERSAMPLE = 16 };

/* Owned; immutable once made. */
struct vt_svd {
    uint32_t n_cols, rank; /* rank: what was found; singular values of 0 are left out */
    double *values;        /* rank, descending */
    float *vectors;  /* n_cols × stride: row j has element j of every vector; padding is zero */
    uint32_t stride; /* rank rounded up to 16 */
};
void vt_svd_free(struct vt_svd *svd); /* zeroed is allowed */

/* `transposed` is the matrix transposed. Sums in double, over fixed blocks: the same bytes for any
 * thread count. VT_INVALID for a rank out of range or a matrix of zeros; VT_EXHAUSTED. Memory:
 * three blocks of n_cols or n_rows × (rank + 16) doubles. Cost of an iteration: 4 · n_entries ·
 * (rank + 16) and 4 · n_cols · (rank + 16)². */
VT_MUST_USE struct vt_err vt_svd_right(const struct vt_sparse *matrix,
                                       const struct vt_sparse *transposed,
                                       const struct vt_svd_options *options,
                                       struct vt_svd *ret_svd);

/* Memory beside the matrices, from above, and arithmetic. */
uint64_t vt_svd_memory_bytes(uint64_t n_rows, uint64_t n_cols, uint32_t rank);
double vt_svd_gflop(uint64_t n_rows, uint64_t n_cols, uint64_t n_entries,
                    const struct vt_svd_options *options);

#endif
