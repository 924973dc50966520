#ifndef VT_INDEX_INDEX_H
#define VT_INDEX_INDEX_H

#include "models/index/top.h"
#include "models/kernels/kernels.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Exact retrieval: the rows of a factor matrix with the highest defined score for a vector, the
 * very list that scoring every row would give, bit for bit, under any filter. It scans the rows as
 * bytes in descending order of their norms, skips rows and groups of one direction by a bound that
 * docs/numerics.md proves ("Exact retrieval"), and scores the rest. Related: LEMP (Teflioudi et
 * al., 2015), FEXIPRO (Li et al., 2017). Immutable once made, then any thread.
 */
struct vt_index;

struct vt_index_rows {
    const float *factors; /* n_rows × row_stride, borrowed, must outlive the index */
    uint32_t n_rows, dim, row_stride;
};

/* Orders the rows by norm, looks for groups of one direction and keeps both as bytes beside:
 * O(n_rows · (dim · leaders of a cell + log n_rows)), on one thread.
 * VT_CORRUPT when a number is not finite; VT_INVALID for a
 * dim of 0 or above VT_INDEX_DIM_MAX; VT_EXHAUSTED without memory. */
VT_MUST_USE struct vt_err vt_index_new(const struct vt_index_rows *rows,
                                       struct vt_index **ret_index);
void vt_index_free(struct vt_index *index); /* NULL is allowed */

enum { VT_INDEX_DIM_MAX = 1024 };

/* What a row is ordered by. */
enum vt_index_measure {
    VT_INDEX_DOT,    /* the defined score (kernels.h: dot) */
    VT_INDEX_COSINE, /* the defined score over the norm of the row; 0 for a row of zeros */
};

/* What a search did. */
struct vt_index_work {
    uint64_t n_scanned; /* rows looked at as bytes */
    uint64_t n_scored;  /* rows that got the defined score */
};

struct vt_index_query {
    const float *vector; /* dim */
    uint32_t n;          /* hits wanted */
    enum vt_index_measure measure;
    const uint64_t *excluded; /* bit r set: row r is out; NULL: none. (n_rows + 63) / 64 words */
    /* Asked only for rows that would enter the list; NULL: all may. For filters whose truth would
     * cost more to gather for every row than to ask for a few hundred. */
    bool (*allowed)(void *ctx, uint32_t row);
    void *allowed_ctx;
    bool in_any_order;                /* for who sorts them by something else */
    const struct vt_kernels *kernels; /* NULL: vt_kernels() */
    struct vt_index_work *ret_work;   /* may be NULL */
};

/* Fills `ret_hits` (room for n) best first, ties by row ascending, unless any order will do; *ret_n
 * is below n only when fewer rows pass the filter. VT_INVALID when the vector is not finite.
 * Allocates nothing; 16 KiB of stack. Cost: a byte product of the rows with the highest norms, and
 * the defined score of what it cannot exclude. */
VT_MUST_USE struct vt_err vt_index_search(const struct vt_index *index,
                                          const struct vt_index_query *query,
                                          struct vt_index_hit *ret_hits, uint32_t *ret_n);

/* The measure of one row by the definition: what vt_index_search orders by. */
double vt_index_score(const struct vt_index *index, enum vt_index_measure measure, uint32_t row,
                      const float *vector);
/* Euclidean norm of a row, rounded up to float. */
float vt_index_norm(const struct vt_index *index, uint32_t row);
/* Memory of the index beside the rows. */
uint64_t vt_index_bytes(const struct vt_index *index);

#endif
