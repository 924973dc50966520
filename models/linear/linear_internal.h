#ifndef VT_LINEAR_LINEAR_INTERNAL_H
#define VT_LINEAR_LINEAR_INTERNAL_H

#include "models/kernels/symmetric.h"
#include "models/linear/ease.h"
#include "models/neighbor/kernel_rows.h"

/* What the forms of EASE share; one training. */
struct vt__ease {
    struct vt_sparse matrix; /* users × items, rows times √w_u; values owned, the rest borrowed */
    struct vt_sparse by_item; /* its transpose, owned */
    const struct vt_ease_options *options;
    uint32_t n_threads;
    double *ridge;        /* n_items */
    double *squares;      /* n_items: Σ_u w_u x_ui² */
    double *column_scale; /* n_items: by popularity */
    double *inverse_diag; /* n_items: P_jj, filled by the form */
    struct vt_kernel_rows rows;
    struct vt_diag *diag;
};

/* A form fills inverse_diag and rows. */
struct vt_err vt__ease_by_items(struct vt__ease *ease);
struct vt_err vt__ease_near(struct vt__ease *ease);

/* VT_INVALID when a P_jj says that float arithmetic cannot tell the matrix from a singular one. */
struct vt_err vt__ease_check_inverse(const struct vt__ease *ease);

/* Row `item` of B from row `item` of P (n_items, overwritten): cut and kept. Any thread. */
void vt__ease_keep_row(struct vt__ease *ease, uint32_t item, float *inverse_row,
                       struct vt_index_hit *hits);

/*
 * ret += Σ_r a_ri · a_rj for all i, j, in double and rounded once: the Gram matrix of the
 * columns of a, given as CSR (`rows`) and transposed (`columns`). Elements above the diagonal are
 * left alone. VT_EXHAUSTED. Cost: Σ over rows of half the square of their length.
 */
struct vt_err vt__gram_add(const struct vt_sparse *rows, const struct vt_sparse *columns,
                           uint32_t n_threads, struct vt_symmetric *ret);

/* One row of a Gram matrix at a time: the accumulator of one thread. Zeros between rows. */
struct vt__gram_row {
    double *sums;   /* n */
    uint64_t *seen; /* a bit for each column that has met something */
    uint32_t n;
};
struct vt_err vt__gram_row_init(uint32_t n, struct vt__gram_row *ret_row);
void vt__gram_row_fini(struct vt__gram_row *row); /* zeroed is allowed */
/* Row i, columns below `end`; `rows` and `columns` as of vt__gram_add. */
void vt__gram_row_fill(const struct vt_sparse *rows, const struct vt_sparse *columns, uint32_t i,
                       uint32_t end, struct vt__gram_row *row);
/* Moves the row out, by column; returns its length. The arrays hold what there is: at most n. NULL:
 * only counted. */
uint32_t vt__gram_row_take(struct vt__gram_row *row, uint32_t *ret_columns, float *ret_values);

/* The entries below the diagonal, rows by column. Owned. VT_EXHAUSTED. Cost: twice that of
 * vt__gram_add. */
struct vt_err vt__gram_sparse(const struct vt_sparse *rows, const struct vt_sparse *columns,
                              uint32_t n_threads, struct vt_sparse *ret_below);

#endif
