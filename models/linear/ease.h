#ifndef VT_LINEAR_EASE_H
#define VT_LINEAR_EASE_H

#include "models/dataset/dataset.h"
#include "models/neighbor/item_kernel.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * EASE: the linear autoencoder with a zero diagonal, in closed form (Steck, "Embarrassingly Shallow
 * Autoencoders for Sparse Data", 2019). With X the users × items matrix of confidences it minimises
 *
 *   Σ_u w_u |x_u − x_u·B|² + Σ_i ridge_i · |row i of B|²,   B_ii = 0
 *   w_u     ∝ (Σ_i x_ui²)^(−user_exponent), scaled so that Σ w_u x_ui² = Σ x_ui²
 *   ridge_i = regularization + dropout / (1 − dropout) · Σ_u w_u x_ui²
 *
 * whose answer is B_ij = −P_ij / P_jj with P = (XᵀWX + diag(ridge))⁻¹. The second part of the ridge
 * is what training with dropped-out inputs comes to (Steck, "Autoencoders that don't overfit
 * towards the Identity", 2020). The weights keep users of long histories from deciding everything,
 * and the kernel is B with column j times (Σ_u x_uj² over its mean)^(−popularity_exponent), which
 * takes back some of the advantage that popular items have in a squared loss (both in the manner of
 * Park, Yoon, Kim and Lee, "Why is Normalization Necessary for Linear Recommenders?", 2025). A
 * dislike is a negative entry of X, as input and as target.
 *
 * Of each row of B the `neighbors` entries that are largest without their sign are kept: what
 * speaks against an item counts as much as what speaks for it.
 */
enum { VT_EASE_NEIGHBORS_MAX = 100000 };

/* Called on the caller's thread after each step; false ends training. */
typedef bool (*vt_ease_progress_fn)(void *ctx, uint32_t done, uint32_t total);

/* How training comes to B. */
enum vt_ease_form {
    VT_EASE_AUTO,  /* ITEMS for dense data where it fits the memory, else NEAR */
    VT_EASE_ITEMS, /* exactly, through the inverse of an items × items matrix */
    VT_EASE_NEAR,  /* each column fitted on the `support` items that go with its item most */
};
enum { VT_EASE_SUPPORT_MAX = 4096 };

struct vt_ease_options {
    double regularization;      /* > 0; 0: chosen from the data, vt_ease_regularization */
    double dropout;             /* [0, 1) */
    double user_exponent;       /* 0: users by what they have; 1: every user counts the same */
    double popularity_exponent; /* 0: B as it is */
    uint32_t neighbors;         /* kept of a row; 1 … VT_EASE_NEIGHBORS_MAX */
    uint64_t memory_bytes;      /* training must stay below; 0: VT_EASE_MEMORY_BYTES */
    uint32_t support; /* of NEAR: items that a column is fitted on; 1 … VT_EASE_SUPPORT_MAX */
    uint32_t form;    /* enum vt_ease_form */
    uint32_t threads; /* 0: one per CPU */
    vt_ease_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};
#define VT_EASE_MEMORY_BYTES (UINT64_C(2) << 30)
void vt_ease_options_default(struct vt_ease_options *ret_options);

/* What training takes, said beforehand. */
struct vt_ease_plan {
    enum vt_ease_form form;
    bool fits;             /* in options.memory_bytes */
    uint64_t memory_bytes; /* beside the matrix itself, from above */
    double gflop;
};
struct vt_ease_plan vt_ease_plan(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                 const struct vt_ease_options *options);

/* A λ to begin with on these data: the mean of Σ_i x_ui² over users, times a factor of the form
 * that training would take; docs/models.md says where it comes from. */
double vt_ease_regularization(const struct vt_sparse *matrix,
                              const struct vt_ease_options *options);

/* VT_INVALID for options out of range, an empty matrix, or a matrix that is singular with so little
 * regularization; VT_EXHAUSTED when the plan does not fit or memory is out; VT_CANCELLED when
 * `progress` said so. Owned result. Same input, same bytes for any thread count. */
VT_MUST_USE struct vt_err vt_ease_train(const struct vt_sparse *matrix,
                                        const struct vt_ease_options *options, struct vt_diag *diag,
                                        struct vt_item_kernel *ret_kernel);

#endif
