#ifndef VT_EVAL_RECOMMENDER_H
#define VT_EVAL_RECOMMENDER_H

#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* What a customer did: matrix columns, ascending, and the confidence of each (below 0: of a
 * dislike). Borrowed. */
struct vt_weighted_history {
    const uint32_t *columns;
    const float *weights;
    uint32_t n;
};

/* Any model, as evaluation sees it: a function of the history, as at request time. Immutable;
 * `score` is called from many threads, each with its own scratch of scratch_bytes (16-byte
 * aligned). */
struct vt_recommender {
    const char *name;
    const void *self; /* borrowed */
    size_t scratch_bytes;
    /* A score for each of the matrix's columns; higher is better, NaN means never. */
    struct vt_err (*score)(const void *self, const struct vt_weighted_history *history,
                           void *scratch, double *ret_scores);
};

#endif
