#ifndef VT_FACTOR_IALS_H
#define VT_FACTOR_IALS_H

#include "models/dataset/dataset.h"
#include "models/factor/fold_in.h"

#include <stdbool.h>
#include <stdint.h>

struct vt_group;

struct vt_ials_progress {
    uint32_t iteration, iterations; /* 1-based */
    double loss; /* the objective of the factors after this iteration; with VT_IALS_CHOLESKY it
                    never rises but by rounding */
    /* Both sides after this iteration, valid during the call: what a checkpoint keeps. Given back
     * as start_items and start_users with first_iteration = iteration, training goes on to the same
     * bytes. All but the subspace solver need the items alone for that. */
    const float *item_factors; /* n_items × row_stride */
    const float *user_factors; /* n_users × row_stride; NULL with a group: no rank has all */
    uint32_t n_items, n_users, dim, row_stride;
    double unobserved_weight; /* as used */
};
/* False ends training after this iteration. Runs on the caller's thread. */
typedef bool (*vt_ials_progress_fn)(void *ctx, const struct vt_ials_progress *progress);

/* How a row's normal equations are solved; docs/models.md compares them, adr/0090 says why. */
enum vt_ials_solver {
    VT_IALS_CHOLESKY, /* exactly */
    VT_IALS_CG, /* a few steps of preconditioned conjugate gradients, for an item from its row as
                   it was (after Takács, Pilászy, Tikk 2011) */
    VT_IALS_SUBSPACE, /* exactly in one block of dimensions after the other: iALS++ (Rendle,
                         Krichene, Zhang, Koren 2021) */
    VT_IALS_SOLVERS
};

/* iALS (Hu, Koren, Volinsky 2008) in the form of Rendle, Krichene, Zhang, Koren: "Revisiting the
 * Performance of iALS on Item Recommendation Benchmarks", 2022: frequency-scaled regularisation and
 * a weight for what was not observed. docs/models.md says where the defaults come from. */
struct vt_ials_options {
    uint32_t factors;    /* 1 … VT_FACTORS_MAX */
    uint32_t iterations; /* of users, then items; 1 … VT_IALS_ITERATIONS_MAX */
    double regularization;
    double regularization_exponent; /* 0: the same for all, 1: by frequency */
    double unobserved_weight;       /* of every pair; 0: 5 × the density, at most 1 */
    double init_stddev;             /* of a factor vector's length */
    uint64_t seed;
    uint32_t threads; /* 0: one per CPU */
    uint32_t solver;  /* enum vt_ials_solver */
    uint32_t
        cg_steps; /* of VT_IALS_CG for an item; a user takes two more; 1 … VT_IALS_CG_STEPS_MAX */
    uint32_t block_size; /* of VT_IALS_SUBSPACE; a multiple of VT_IALS_BLOCK_STEP */
    /* Instead of random first factors, borrowed: n_items × start_stride floats, finite; from a
     * checkpoint, or from an earlier model for a warm start. NULL: random. */
    const float *start_items;
    uint32_t start_stride; /* ≥ factors, of both */
    /* The users' side of the same checkpoint, for the subspace solver: n_users × start_stride.
     * NULL: its first half-iteration is exact, since it goes on from what there is. */
    const float *start_users;
    uint32_t first_iteration;     /* so many are done already; below `iterations` */
    vt_ials_progress_fn progress; /* may be NULL */
    void *progress_ctx;
    /* Trains with other processes, of which this is rank 0 and the others are in vt_ials_work.
     * Borrowed; NULL, or a group of one: alone. */
    const struct vt_group *group;
    uint32_t exchange_rows; /* of other ranks that one holds at a time; 0: its share of them */
};
enum {
    VT_IALS_ITERATIONS_MAX = 1000,
    VT_IALS_CG_STEPS_MAX = 100,
    VT_IALS_BLOCK_STEP = 16,
};
/* The defaults of docs/models.md: 64 factors, 16 iterations. */
void vt_ials_options_default(struct vt_ials_options *ret_options);

/* The unobserved weight that training will use: the given one, or what follows from the data. */
double vt_ials_unobserved_weight(const struct vt_ials_options *options,
                                 const struct vt_sparse *matrix);

/* The items' side: all that serving needs. Owned arrays; immutable once trained, any thread. */
struct vt_ials_model {
    uint32_t n_items, dim, row_stride; /* stride: dim rounded up to 16, the padding is zero */
    float *item_factors;               /* n_items × row_stride; items without events are zero */
    double *gram; /* dim × dim, both triangles: unobserved_weight · Σ y yᵀ */
    double regularization, regularization_exponent, unobserved_weight; /* as used */
    double loss; /* after the last iteration */
};
void vt_ials_model_free(struct vt_ials_model *model); /* zeroed or NULL is allowed */
/* The model as fold-in wants it; borrows. */
struct vt_fold_in_model vt_ials_fold_in_model(const struct vt_ials_model *model);

/*
 * Trains on a user × item matrix of confidences (below 0: of a dislike, see fold_in.h). Same
 * matrix, options and BLAS kernels: same bytes, for any thread count. VT_INVALID for options out of
 * range (`diag` says which); VT_EXHAUSTED without memory; VT_CORRUPT when the equations cannot be
 * solved or the factors are not finite. Multiply-adds of an iteration over both sides, beside the
 * Gram matrices: Cholesky n_entries·dim² + (n_users + n_items)·dim³/6; CG n_entries·dim·(4·cg_steps
 * + 5); subspace n_entries·dim·(block_size + 6) + (n_users + n_items)·dim·block_size²/6. Memory:
 * both sides' factors, the matrix transposed, 64·dim² doubles, and at most dim² floats and
 * 1.25 MiB a thread. With a group each rank has its part of the factors and of both matrices, two
 * blocks of exchange_rows factors, and rank 0 all items beside; an error ends this rank's part
 * only, so the caller must end the group.
 */
VT_MUST_USE struct vt_err vt_ials_train(const struct vt_sparse *matrix,
                                        const struct vt_ials_options *options, struct vt_diag *diag,
                                        struct vt_ials_model *ret_model);

/* The other ranks' side of all trainings of rank 0, until it calls vt_ials_dismiss. `threads` as in
 * the options. Errors as vt_ials_train, or of the group: the caller must end it. */
VT_MUST_USE struct vt_err vt_ials_work(const struct vt_group *group, uint32_t threads);
/* Rank 0: the others may leave vt_ials_work. */
VT_MUST_USE struct vt_err vt_ials_dismiss(const struct vt_group *group);

#endif
