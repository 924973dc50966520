#ifndef VT_RANK_BOOST_H
#define VT_RANK_BOOST_H

#include "models/rank/trees.h"

#include <stdbool.h>

/*
 * Learning to rank by gradient-boosted trees: LambdaMART (Burges, "From RankNet to LambdaRank to
 * LambdaMART", 2010) as XGBoost's rank:ndcg makes it (Chen, Guestrin 2016), on one thread so that
 * the same examples give the same trees. XGBoost is needed for training alone and is loaded when
 * training begins; the trees come out flattened.
 */

/* Rows in groups: the candidates of one customer stand together. Borrowed. */
struct vt_boost_examples {
    const float *features;       /* n_rows × n_features; NaN: missing */
    const float *labels;         /* n_rows: 0 … 31; 0 is not wanted */
    const uint32_t *group_sizes; /* n_groups, their sum is n_rows */
    uint32_t n_rows, n_groups, n_features;
};

/* Called after each round; false ends training. */
typedef bool (*vt_boost_progress_fn)(void *ctx, uint32_t done, uint32_t total);

struct vt_boost_options {
    uint32_t rounds;      /* trees; 1 … VT_TREES_MAX */
    uint32_t depth;       /* of a tree; 1 … VT_BOOST_DEPTH_MAX */
    double learning_rate; /* (0, 1] */
    double leaf_weight;   /* least sum of second derivatives in a leaf, ≥ 0 */
    double l2;            /* on leaf values, ≥ 0 */
    double row_share;     /* of the rows that a tree sees, (0, 1] */
    double feature_share; /* of the features that a tree sees, (0, 1] */
    uint64_t seed;
    vt_boost_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};
enum { VT_BOOST_DEPTH_MAX = 16 };
/* The defaults of docs/models.md. */
void vt_boost_options_default(struct vt_boost_options *ret_options);

/* Whether training can begin: VT_UNAVAILABLE with what to install in `diag` when libxgboost cannot
 * be loaded. */
VT_MUST_USE struct vt_err vt_boost_check(struct vt_diag *diag);

struct vt_boosted {
    struct vt_trees trees;
    uint32_t n_features, n_nodes;
    double validation_ndcg; /* of the trees that were kept; NaN without a validation part */
    void *memory;           /* owned; `trees` points into it */
};
void vt_boosted_free(struct vt_boosted *boosted); /* zeroed is allowed */

/*
 * Trains, and keeps as many of the trees, from the first on, as rank `validation` (NULL: all are
 * kept) best by ndcg at VT_BOOST_NDCG_AT. VT_INVALID for options out of range, no groups, sizes
 * that do not add up, labels that are not in range, infinite features, features that are missing
 * everywhere, or no group with both wanted and unwanted rows: `diag` says which and where.
 * VT_UNAVAILABLE when libxgboost cannot be loaded; VT_CANCELLED; VT_EXHAUSTED; VT_INTERNAL when the
 * flattened trees do not give XGBoost's own predictions to the bit, which is checked each time.
 */
enum { VT_BOOST_NDCG_AT = 20 };
VT_MUST_USE struct vt_err vt_boost_train(const struct vt_boost_examples *train,
                                         const struct vt_boost_examples *validation,
                                         const struct vt_boost_options *options,
                                         struct vt_diag *diag, struct vt_boosted *ret_boosted);

/* Mean over the groups with a wanted row of ndcg at `k` (gain: the label) when rows are ordered by
 * score, ties by place. 0 when there is no such group. k: 1 … 1000. */
double vt_ranking_ndcg(const struct vt_boost_examples *examples, const float *scores, uint32_t k);

#endif
