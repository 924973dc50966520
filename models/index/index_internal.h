#ifndef VT_INDEX_INDEX_INTERNAL_H
#define VT_INDEX_INDEX_INTERNAL_H

#include "models/index/index.h"

/*
 * The rows again, as bytes: in descending order of their norms, VT_SCAN_ROWS to a block, laid out
 * as struct vt_scan wants them. A row y is stood for by scale · (its bytes − 128), which is at most
 * `error` away from it. The last block goes on with rows of zeros that are none (UINT32_MAX).
 */
struct vt__block_bound {
    float norm_max, norm_min; /* of the block's rows: rounded up, as vt_index_norm */
    float error;              /* the largest of the block's rows, rounded up */
};
struct vt__blocks {
    uint32_t n_blocks, n_steps;
    uint8_t *values; /* 64-byte aligned */
    float *scales;   /* n_blocks × VT_SCAN_ROWS */
    uint32_t *rows;  /* n_blocks × VT_SCAN_ROWS: which row of the matrix */
    struct vt__block_bound *bounds;
};

struct vt_index {
    struct vt_index_rows rows;
    struct vt__blocks blocks;
    float norms[]; /* n_rows, rounded up */
};

/* Fills index->blocks from its rows and norms, which are finite. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__blocks_make(struct vt_index *index);
void vt__blocks_free(struct vt__blocks *blocks);

/* `value` as a float that is not below it. */
float vt__rounded_up(double value);
/* The query's measure of one row, by the definition. */
double vt__index_measure(const struct vt_index *index, const struct vt_kernels *kernels,
                         enum vt_index_measure measure, const float *vector, uint32_t row);

#endif
