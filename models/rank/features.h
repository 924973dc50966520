#ifndef VT_RANK_FEATURES_H
#define VT_RANK_FEATURES_H

#include "models/index/top.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What a ranker knows of a candidate: how each source of candidates thinks of it, the item itself,
 * and the customer. One definition for training and for use.
 */
enum { VT_RANK_SOURCES_MAX = 8, VT_RANK_CANDIDATES_MAX = 1000 };

/* Where candidates come from. Borrowed, immutable, any thread. */
struct vt_rank_pool {
    uint32_t n_items, n_sources;
    uint32_t n_candidates;       /* 1 … VT_RANK_CANDIDATES_MAX */
    const float *weights;        /* n_sources: of their z-scores in the sum that chooses */
    const float *popularity_log; /* n_items: ln(1 + popularity) */
};

struct vt_rank_history {
    const uint32_t *columns; /* < n_items, ascending */
    const float *weights;
    uint32_t n;
};

/* Of a row: two for each source, and six. */
uint32_t vt_rank_n_features(uint32_t n_sources);

/*
 * scores: n_sources × n_items, what each source says; become z-scores over all items, (s − mean) /
 * deviation, 0 where a source says the same of all. ret_sums[i] = Σ weights · z. ret_hits: the
 * n_candidates items of the highest sums that are not in the history, best first, ties by the lower
 * item. Returns how many.
 */
uint32_t vt_rank_candidates(const struct vt_rank_pool *pool, const struct vt_rank_history *history,
                            double *scores, double *ret_sums, struct vt_index_hit *ret_hits);

/*
 * ret_rows: n × vt_rank_n_features. For each source: the z-score, and the candidate's place among
 * the n by it (0 best; equal scores share the place of the first). Then the sum, ln(1 +
 * popularity) of the item, and of the customer: ln(1 + items), ln(1 + items wanted), the mean
 * of ln(1 + popularity) of what is wanted (missing: nothing is), and the item's less that mean.
 * z: what vt_rank_candidates left in `scores`. `scratch`: n hits.
 */
void vt_rank_features(const struct vt_rank_pool *pool, const struct vt_rank_history *history,
                      const double *z, const struct vt_index_hit *hits, uint32_t n,
                      struct vt_index_hit *scratch, float *ret_rows);

#endif
