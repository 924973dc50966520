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
struct vt_err vt__ease_by_users(struct vt__ease *ease);

/* VT_INVALID when a P_jj says that float arithmetic cannot tell the matrix from a singular one. */
struct vt_err vt__ease_check_inverse(const struct vt__ease *ease);

/* Row `item` of B from row `item` of P (n_items, overwritten): cut and kept. Any thread. */
void vt__ease_keep_row(struct vt__ease *ease, uint32_t item, float *inverse_row,
                       struct vt_index_hit *hits);

/*
 * ret += Σ_r w_r · a_ri · a_rj for all i, j, in double and rounded once: the Gram matrix of the
 * columns of a, given as CSR (`rows`) and transposed (`columns`). `row_weights` NULL: 1. Elements
 * above the diagonal are left alone. VT_EXHAUSTED. Cost: Σ over rows of half the square of their
 * length.
 */
struct vt_err vt__gram_add(const struct vt_sparse *rows, const struct vt_sparse *columns,
                           const double *row_weights, uint32_t n_threads, struct vt_symmetric *ret);

#endif
