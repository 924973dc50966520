#ifndef VT_FACTOR_IALS_INTERNAL_H
#define VT_FACTOR_IALS_INTERNAL_H

#include "models/factor/ials.h"
#include "models/factor/share.h"
#include "models/kernels/kernels.h"

#include <stdatomic.h>

/*
 * What the files of iALS share: ials.c (options, iterations, life), factors.c (a side's factors),
 * gram.c (α·YᵀY), half_step.c (all rows of one side), and behind one table the row solvers
 * solve_*.c, which read a row's neighbours through neighbours.h. Of a training by several processes
 * share.h says who has which rows, exchange.h fetches those of others, distribute.c deals them out.
 */

enum {
    VT__FACTOR_ALIGNMENT = 64, /* bytes */
    VT__BLOCK_ROWS = 16,       /* of a half-step's block: small, so that heavy rows do not make
                                  threads wait; divides a unit of share.h */
};

/* One side's factors, or the rows of it that this process has. */
struct vt__factors {
    float *values;        /* n_rows × stride, owned; the padding is zero */
    uint32_t n_rows, dim; /* stride: dim rounded up to VT_KERNEL_DIM_STEP */
    uint32_t stride;
};

static inline float *vt__factors_row(const struct vt__factors *factors, uint32_t row)
{
    return factors->values + (size_t)row * factors->stride;
}

/* All zero. VT_EXHAUSTED without memory. */
VT_MUST_USE struct vt_err vt__factors_allocate(uint32_t n_rows, uint32_t dim,
                                               struct vt__factors *ret_factors);
/* Nearly normal, independent elements so that a row has this expected length; the same bits on
 * every machine. `first_row` is the place of the first one in its side. */
void vt__factors_randomise(struct vt__factors *factors, uint32_t first_row, double stddev,
                           uint64_t seed);
void vt__factors_copy(struct vt__factors *factors, const float *values, uint32_t stride);
/* Each row r becomes Q·r: `basis` is stride × stride, its rows orthonormal or zero. */
void vt__factors_rotate(struct vt__factors *factors, const float *basis, uint32_t n_threads);

/* α Σ y yᵀ over one side, and what it is summed in. */
struct vt__gram {
    double *values;   /* dim × dim, both triangles; owned */
    float *padded;    /* the same, rounded: stride × stride; owned */
    double *parts;    /* partial sums of blocks of rows; owned */
    double *gathered; /* a block of rows in double for each thread; owned */
    /* Set by the CG solver, for which the factors are turned into the eigenbasis: */
    float *basis;       /* stride × stride, a row an eigenvector; owned */
    float *eigenvalues; /* stride; owned */
};
VT_MUST_USE struct vt_err vt__gram_allocate(uint32_t dim, uint32_t n_threads,
                                            struct vt__gram *ret_gram);
void vt__gram_free(struct vt__gram *gram); /* zeroed is allowed */
/* Of the whole side: `factors` are the rows that `share` gives to this process. With a group all
 * ranks call it together, and each gets the whole; NULL: alone. */
VT_MUST_USE struct vt_err vt__gram_compute(const struct vt__factors *factors,
                                           const struct vt__share *share,
                                           const struct vt_group *group, double unobserved_weight,
                                           uint32_t n_threads, struct vt__gram *gram);
/* Fills basis and eigenvalues, and makes `values` what the matrix is in that basis: the factors
 * must be turned into it. VT_CORRUPT when it is not finite. */
VT_MUST_USE struct vt_err vt__gram_decompose(const struct vt__factors *factors,
                                             struct vt__gram *gram);

struct vt__row_solver;
struct vt__exchange;

/* One training, or one rank's part of it: then factors and matrices are of its own rows. */
struct vt__training {
    const struct vt_ials_options *options;
    const struct vt_group *group; /* NULL: alone */
    struct vt__share user_share, item_share;
    struct vt__exchange *for_users, *for_items; /* owned; NULL alone */
    double unobserved_weight;
    uint32_t n_threads;
    const struct vt__row_solver *solver;
    bool is_watched, starts_with_items, starts_with_users;
    struct vt__factors users, items;
    struct vt__factors whole_items;    /* rank 0 of a group only */
    struct vt_sparse by_user, by_item; /* alone, by_user borrows the caller's arrays */
    struct vt__gram gram;
    double *loss_parts;   /* two for each block of rows */
    unsigned char *arena; /* scratch_bytes for each thread */
    size_t scratch_bytes;
};

/* A half-iteration: the rows of `target` are solved from those of `fixed` that `matrix` names. */
struct vt__half_step {
    struct vt__training *training;
    const struct vt__row_solver *solver;
    const struct vt_sparse *matrix;
    bool cold;                 /* rows begin from zero, not from what they were */
    struct vt__factors *fixed; /* what columns name: a side, or a fetched block of it */
    struct vt__factors *target;
    const struct vt__share *fixed_share, *target_share;
    struct vt__exchange *exchange; /* NULL: all of the fixed side is here */
    uint32_t first_row;            /* of the run that is solved */
    uint32_t end_row;
    atomic_bool failed; /* relaxed: read after the join */
};

/*
 * The equations of one row: minimise over x
 *   Σ_e (t_e − z_e·x)² + x·G·x + λ x·x,   z_e = √|w_e| y_e, t_e = √w_e where w_e > 0, else 0,
 * y_e the fixed factors of its columns and G the Gram matrix.
 */
struct vt__row {
    const uint32_t *columns;
    const float *values; /* w */
    uint32_t n;          /* at least 1 */
    double weight;       /* Σ |w| */
    double lambda;
};

/* What scratch depends on. */
struct vt__sizes {
    const struct vt_ials_options *options;
    uint32_t dim, stride;
    uint32_t row_max; /* entries of the longest row of either side */
};

/* A way to solve a row. Rows are independent: any thread, each with its own scratch. */
struct vt__row_solver {
    const char *name;
    /* Whether a user's row goes on from the iteration before. Where not, the items are all that an
     * iteration hands to the next. */
    bool remembers_users;
    /* Aligned to VT__FACTOR_ALIGNMENT when it is handed out. */
    size_t (*scratch_bytes)(const struct vt__sizes *sizes);
    /* What all rows of a half-step share, after its Gram matrix; NULL: nothing. */
    struct vt_err (*prepare)(struct vt__half_step *step);
    /* Replaces `x` (stride floats: the row as it was, zero at first) and returns the objective
     * there; false when float cannot solve it, and x is anything. */
    bool (*solve)(const struct vt__half_step *step, const struct vt__row *row, void *scratch,
                  float *x, double *ret_objective);
};
extern const struct vt__row_solver vt__solver_cholesky, vt__solver_cg, vt__solver_subspace;

/* Solves all rows. ret_loss: the sum of the rows' objectives, and that of λ x·x alone, added in row
 * order by blocks. VT_CORRUPT when a row has no finite solution even in double. */
VT_MUST_USE struct vt_err vt__half_step_run(struct vt__half_step *step, double ret_loss[2]);
uint32_t vt__half_step_blocks(uint32_t n_rows);
/* Scratch of one thread for this solver and for what half_step.c itself needs. */
size_t vt__half_step_scratch_bytes(const struct vt__row_solver *solver,
                                   const struct vt__sizes *sizes);

#endif
