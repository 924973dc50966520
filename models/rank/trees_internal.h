#ifndef VT_RANK_TREES_INTERNAL_H
#define VT_RANK_TREES_INTERNAL_H

#include "models/rank/trees.h"

#include <stdbool.h>

/* The ways to ask trees, all with the bits of vt_trees_predict; for trees.c and its test. */

/* From node to node for each row: works for every tree. */
void vt__trees_walk(const struct vt_trees *trees, const float *rows, uint32_t n_rows,
                    uint32_t row_stride, float *ret_scores);

/* Many rows at once. Only for trees of at most VT__TREES_NODES_MAX nodes (depth 6) over rows of at
 * most VT__TREES_COLUMNS_MAX floats. */
enum { VT__TREES_NODES_MAX = 127, VT__TREES_COLUMNS_MAX = 64 };
bool vt__trees_fit_columns(const struct vt_trees *trees, uint32_t row_stride);
/* By what this CPU has. */
void vt__trees_columns(const struct vt_trees *trees, const float *rows, uint32_t n_rows,
                       uint32_t row_stride, float *ret_scores);
void vt__trees_columns_plain(const struct vt_trees *trees, const float *rows, uint32_t n_rows,
                             uint32_t row_stride, float *ret_scores);

#endif
