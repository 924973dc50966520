#ifndef VT_GRAPH_GRAPH_H
#define VT_GRAPH_GRAPH_H

#include "models/dataset/dataset.h"
#include "models/neighbor/item_kernel.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Graph filters as item-item kernels. With R the users × items matrix of confidences,
 * R̃ = D_U^(−user_exponent) R D_I^(−item_exponent), D the sums of its rows and columns, P = R̃ᵀR̃ and
 * V the right singular vectors of R̃ for its largest values, the ideal low pass is L =
 * D_I^(−item_exponent) V Vᵀ D_I^(item_exponent), and
 *
 *   K = (P + low_pass · L) (I − sharpening · P)^sharpenings
 *
 * Without sharpening this is GF-CF (Shen et al., "How Powerful is Graph Convolution for
 * Recommendation?", 2021); with it, a blurring step and Euler steps of the sharpening process of
 * BSPM (Choi et al., "Blurring-Sharpening Process Models for Collaborative Filtering", 2023).
 * Column j of K is then taken times (its degree over the mean)^(−popularity_exponent).
 *
 * A customer's scores are the history's row times K. Dislikes take no part in the graph; in a
 * history they subtract their row. Of each row of K the `neighbors` entries that are largest
 * without their sign are kept.
 */
enum { VT_GRAPH_NEIGHBORS_MAX = 100000, VT_GRAPH_VECTORS_MAX = 2048, VT_GRAPH_SHARPENINGS_MAX = 8 };

/* On the caller's thread, after each step; false ends training. */
typedef bool (*vt_graph_progress_fn)(void *ctx, uint32_t done, uint32_t total);

struct vt_graph_options {
    uint32_t vectors; /* of the low pass, 0 … VT_GRAPH_VECTORS_MAX; 0: no low pass */
    double low_pass, sharpening;
    uint32_t sharpenings; /* 0: GF-CF */
    double user_exponent, item_exponent, popularity_exponent;
    uint32_t neighbors; /* kept of a row, 1 … VT_GRAPH_NEIGHBORS_MAX */
    uint32_t svd_iterations;
    uint64_t seed;
    uint32_t threads;              /* 0: one per CPU */
    vt_graph_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};
/* GF-CF, and the sharpened form; docs/models.md says where the numbers come from. */
void vt_graph_options_default(struct vt_graph_options *ret_options);
void vt_graph_options_sharpened(struct vt_graph_options *ret_options);

/* VT_INVALID for options out of range or a matrix without a wanted pair; VT_EXHAUSTED;
 * VT_CANCELLED when `progress` said so. Owned result; the same bytes for any thread count. Cost:
 * the SVD, 2 · vectors · n_items² for the low pass, 4 · sharpenings · n_entries · n_items. */
VT_MUST_USE struct vt_err vt_graph_train(const struct vt_sparse *matrix,
                                         const struct vt_graph_options *options,
                                         struct vt_diag *diag, struct vt_item_kernel *ret_kernel);

/* Memory beside the matrix, from above, and arithmetic. */
uint64_t vt_graph_memory_bytes(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                               const struct vt_graph_options *options);
double vt_graph_gflop(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                      const struct vt_graph_options *options);

#endif
