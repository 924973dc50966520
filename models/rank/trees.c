/*
 * The trees of a ranker: whether they are sound, and the plain way to ask them. Small trees, and
 * those of a ranker are, go the way of trees_columns.c.
 */
#include "models/rank/trees.h"

#include "models/rank/trees_internal.h"

#include <math.h>
#include <stddef.h>

static bool node_is_sound(const uint32_t *node, uint32_t place, uint32_t end, uint32_t n_features)
{
    if (node[1] == 0 && node[2] == 0)
        return true;
    return node[0] < n_features && node[1] > place && node[1] < end && node[2] > place &&
           node[2] < end && node[3] <= 1;
}

static struct vt_err refuse(struct vt_diag *diag, uint32_t tree, const char *text)
{
    vt_diag_set(diag, "ranker", "tree %u %s", tree, text);
    return VT_ERR(VT_CORRUPT, "the trees of a ranker are damaged");
}

static struct vt_err check_tree(const struct vt_trees *trees, uint32_t tree, uint32_t n_features,
                                struct vt_diag *diag)
{
    uint32_t end = trees->starts[tree + 1];
    for (uint32_t place = trees->starts[tree]; place < end; place++) {
        const uint32_t *node = trees->nodes + (size_t)place * VT_TREES_NODE_WORDS;
        if (!node_is_sound(node, place, end, n_features))
            return refuse(diag, tree, "has a node that points out of the tree or of the features");
        if (!isfinite(trees->values[place]))
            return refuse(diag, tree, "has a number that is not finite");
    }
    return vt_ok();
}

struct vt_err vt_trees_check(const struct vt_trees *trees, uint32_t n_nodes, uint32_t n_features,
                             struct vt_diag *diag)
{
    if (trees->n_trees > VT_TREES_MAX)
        return refuse(diag, trees->n_trees, "is one too many");
    if (trees->starts[0] != 0 || trees->starts[trees->n_trees] != n_nodes)
        return refuse(diag, 0, "does not begin at 0, or the last does not end with the nodes");
    for (uint32_t tree = 0; tree < trees->n_trees; tree++)
        if (trees->starts[tree + 1] <= trees->starts[tree] || trees->starts[tree + 1] > n_nodes)
            return refuse(diag, tree, "is empty or out of range");
    for (uint32_t tree = 0; tree < trees->n_trees; tree++)
        VT_TRY(check_tree(trees, tree, n_features, diag));
    return vt_ok();
}

static float leaf_of(const struct vt_trees *trees, uint32_t place, const float *row)
{
    for (;;) {
        const uint32_t *node = trees->nodes + (size_t)place * VT_TREES_NODE_WORDS;
        if (node[1] == 0)
            return trees->values[place];
        float feature = row[node[0]];
        bool left = isnan(feature) ? node[3] != 0 : feature < trees->values[place];
        place = left ? node[1] : node[2];
    }
}

void vt__trees_walk(const struct vt_trees *trees, const float *rows, uint32_t n_rows,
                    uint32_t row_stride, float *ret_scores)
{
    for (uint32_t r = 0; r < n_rows; r++) {
        ret_scores[r] = 0;
        for (uint32_t tree = 0; tree < trees->n_trees; tree++)
            ret_scores[r] += leaf_of(trees, trees->starts[tree], rows + (size_t)r * row_stride);
    }
}

void vt_trees_predict(const struct vt_trees *trees, const float *rows, uint32_t n_rows,
                      uint32_t row_stride, float *ret_scores)
{
    if (vt__trees_fit_columns(trees, row_stride))
        vt__trees_columns(trees, rows, n_rows, row_stride, ret_scores);
    else
        vt__trees_walk(trees, rows, n_rows, row_stride, ret_scores);
}
