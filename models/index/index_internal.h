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

/*
 * Rows of one direction that stand together: each group is a byte row of dim + VT__GROUP_DIMS, its
 * middle and its radius in shares, whose product with the query and the query's norm in shares is
 * not below the product of any of its rows (groups.c). blocks.rows holds the first place.
 */
enum { VT__GROUP_DIMS = 8 };
struct vt__groups {
    struct vt__blocks blocks;
    uint8_t *n_rows; /* of each place */
};

/* Rows whose norms differ little. Without groups (both group blocks 0) they descend; with, the
 * groups' rows come first, and from rest_block on those that are in none, which descend. */
struct vt__band {
    uint32_t first_block, end_block;
    uint32_t first_group_block, end_group_block, rest_block;
    float norm_max;
};

struct vt_index {
    struct vt_index_rows rows;
    struct vt__blocks blocks;
    struct vt__groups groups;
    struct vt__band *bands;
    uint32_t n_bands, n_grouped; /* rows in groups */
    float norms[];               /* n_rows, rounded up */
};

/* Fills the blocks, bands and groups from the index's rows and norms, which are finite.
 * VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__blocks_make(struct vt_index *index);
/* Room for n rows of dim, all zeros. VT_EXHAUSTED; vt__blocks_free either way. */
VT_MUST_USE struct vt_err vt__blocks_allocate(struct vt__blocks *blocks, uint32_t n, uint32_t dim);
/* Writes a row and widens its block's bound; `norm` is not below the row's. */
void vt__blocks_put(struct vt__blocks *blocks, uint32_t place, const float *row, uint32_t dim,
                    float norm);
void vt__blocks_free(struct vt__blocks *blocks);

/* A query as bytes, and how far a byte score may be from the defined one: so much for each unit of
 * a block's norm and error, and so much at least. */
struct vt__asked {
    int8_t bytes[VT_INDEX_DIM_MAX + VT__GROUP_DIMS];
    double scale, per_scale; /* a byte's worth, 0 for zeros; 1 / scale */
    double norm, error;      /* of the query, and of what its bytes stand for */
    double rounding;         /* relative error of a defined score, against |x||y| */
    double away_per_norm, away_per_error, away_least;
};

/* Fills `asked`, which is all zeros; only its norm when the vector is not finite. */
void vt__ask(struct vt__asked *asked, const float *vector, uint32_t dim);
/* The same of the vector with its norm in shares, for groups; no scale where float cannot hold
 * those. */
void vt__ask_groups(struct vt__asked *asked, const float *vector, uint32_t dim);

/* Cuts the places, which descend by norm, into bands; reorders those of bands that have groups. */
VT_MUST_USE struct vt_err vt__groups_make(struct vt_index *index);
void vt__groups_free(struct vt__groups *groups);
/* VT__GROUP_DIMS equal shares: the products of two lengths' shares sum to no less than theirs. */
void vt__spread(float length, float *ret_shares);

/* `value` as a float that is not below it. */
float vt__rounded_up(double value);
/* The query's measure of one row, by the definition. */
double vt__index_measure(const struct vt_index *index, const struct vt_kernels *kernels,
                         enum vt_index_measure measure, const float *vector, uint32_t row);

#endif
