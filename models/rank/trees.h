#ifndef VT_RANK_TREES_H
#define VT_RANK_TREES_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdint.h>

/*
 * Boosted regression trees, flattened: what a bundle's ranker part holds and what serving evaluates
 * without the library that trained them. A borrowed view; immutable, any thread.
 */
struct vt_trees {
    uint32_t n_trees;
    const uint32_t *starts; /* n_trees + 1: tree t has the nodes starts[t] … starts[t + 1] - 1 */
    /* n_nodes × VT_TREES_NODE_WORDS: feature, left, right, 1 when missing goes left; children are
     * places in this array, behind their parent and in its tree; both 0: a leaf */
    const uint32_t *nodes;
    const float *values; /* n_nodes: the threshold of a split, the value of a leaf */
};
enum { VT_TREES_NODE_WORDS = 4, VT_TREES_FEATURES_MAX = 256, VT_TREES_MAX = 10000 };

/* Whether arrays from outside, n_nodes long, are trees that vt_trees_predict may walk on rows of
 * n_features: VT_CORRUPT with the tree and the node in `diag` when a tree is empty, a child is
 * not behind its parent, a feature is out of range or a number is not finite. O(n_nodes). */
VT_MUST_USE struct vt_err vt_trees_check(const struct vt_trees *trees, uint32_t n_nodes,
                                         uint32_t n_features, struct vt_diag *diag);

/*
 * ret_scores[r] = the sum over the trees, in their order and in float from 0, of the value of the
 * leaf that row r falls into. At a split a row goes left when its feature < threshold, right when
 * it is not, and the split's own way when it is NaN (missing). Those are XGBoost's rules and its
 * order of summation: the same bits as its prediction with base_score 0. rows: n_rows × row_stride.
 * No allocation; cost n_rows · n_trees · depth comparisons.
 */
void vt_trees_predict(const struct vt_trees *trees, const float *rows, uint32_t n_rows,
                      uint32_t row_stride, float *ret_scores);

#endif
