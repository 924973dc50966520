#ifndef VT_FACTOR_IALS_H
#define VT_FACTOR_IALS_H

#include "models/dataset/dataset.h"
#include "models/factor/fold_in.h"

#include <stdbool.h>
#include <stdint.h>

struct vt_ials_progress {
    uint32_t iteration, iterations; /* 1-based */
    double loss; /* the objective, exact for the factors after this iteration; never rises */
    /* The items' side after this iteration, valid during the call: what a checkpoint keeps. Given
     * back as start_items with first_iteration = iteration, training goes on to the same bytes. */
    const float *item_factors; /* n_items × row_stride */
    uint32_t n_items, dim, row_stride;
};
/* False ends training after this iteration. Runs on the caller's thread. */
typedef bool (*vt_ials_progress_fn)(void *ctx, const struct vt_ials_progress *progress);

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
    /* Instead of random first factors, borrowed: n_items × start_stride floats, finite; from a
     * checkpoint, or from an earlier model for a warm start. NULL: random. */
    const float *start_items;
    uint32_t start_stride;        /* ≥ factors */
    uint32_t first_iteration;     /* so many are done already; below `iterations` */
    vt_ials_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};
enum { VT_IALS_ITERATIONS_MAX = 1000 };
/* The defaults of docs/models.md: 64 factors, 16 iterations. */
void vt_ials_options_default(struct vt_ials_options *ret_options);

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
 * solved or the factors are not finite. Cost of an iteration: n_entries·dim² + (n_users +
 * n_items)·dim³/3 multiply-adds; memory: both sides' factors, the matrix transposed, and
 * dim²·threads.
 */
VT_MUST_USE struct vt_err vt_ials_train(const struct vt_sparse *matrix,
                                        const struct vt_ials_options *options, struct vt_diag *diag,
                                        struct vt_ials_model *ret_model);

#endif
