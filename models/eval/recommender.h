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

enum { VT_SCORE_MANY_MAX = 8 }; /* histories at once */

/* Any model, as evaluation sees it: a function of the history, as at request time. Immutable;
 * both functions are called from many threads, each with its own scratch of scratch_bytes (16-byte
 * aligned). */
struct vt_recommender {
    const char *name;
    const void *self; /* borrowed */
    size_t scratch_bytes;
    /* A score for each of the matrix's columns; higher is better, NaN means never. */
    struct vt_err (*score)(const void *self, const struct vt_weighted_history *history,
                           void *scratch, double *ret_scores);
    /* The same for 1 … VT_SCORE_MANY_MAX histories, to the same bits: row h of ret_scores, as long
     * as the matrix has columns, is that of histories[h]. For models whose items are read from
     * memory once for all of them; NULL: vt_score_many takes one after the other. */
    struct vt_err (*score_many)(const void *self, const struct vt_weighted_history *histories,
                                uint32_t n, void *scratch, double *ret_scores);
};

static inline struct vt_err vt_score_many(const struct vt_recommender *recommender,
                                          const struct vt_weighted_history *histories, uint32_t n,
                                          uint32_t n_items, void *scratch, double *ret_scores)
{
    if (recommender->score_many != NULL)
        return recommender->score_many(recommender->self, histories, n, scratch, ret_scores);
    for (uint32_t h = 0; h < n; h++)
        VT_TRY(recommender->score(recommender->self, &histories[h], scratch,
                                  ret_scores + (size_t)h * n_items));
    return vt_ok();
}

#endif
