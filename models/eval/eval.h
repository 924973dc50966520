#ifndef VT_EVAL_EVAL_H
#define VT_EVAL_EVAL_H

#include "models/dataset/dataset.h"
#include "models/eval/recommender.h"

#include <stddef.h>
#include <stdint.h>

/*
 * How well a recommender finds what was held out. Full ranking: for every user with test items, all
 * items are ranked that train knows and that are not in the user's own train row; ties go to the
 * lower column. Every mean is over those users, each list is the first k.
 *
 *   recall     hits / number of the user's test items
 *   ndcg       Σ over hits 1/log2(rank + 1), over its ideal for min(k, test items) hits
 *   precision  hits / k
 *   hit_rate   1 when there is a hit
 *   map        Σ over hits (hits so far / rank), over min(k, test items)
 *   coverage   share of train's items that appear in anybody's list
 *   diversity  1 - mean cosine between the items of a list (as sets of train users); 1 for a list
 *              without a pair
 *   novelty    mean of log2(train users / train users of the item), in bits; train users are those
 *              with an item in train
 */
struct vt_metrics_at_k {
    uint32_t n_users; /* with test items */
    double recall, ndcg, precision, hit_rate, map, coverage, diversity, novelty;
};

enum { VT_EVAL_K_MAX = 1000 };
#define VT_EVAL_NO_ITEM UINT32_MAX

/* The same by customer, for significance.h and segments: arrays of the test matrix's n_rows that
 * the caller owns, each may be NULL; NaN for a customer without test items. */
struct vt_per_user_metrics {
    double *recall, *ndcg;
};

struct vt_eval_options {
    const struct vt_sparse *train;     /* whose items are left out of the user's ranking */
    const struct vt_sparse *histories; /* what the recommender is told; NULL: train */
    const struct vt_sparse *test;
    uint32_t k;                          /* 1 … VT_EVAL_K_MAX */
    uint32_t threads;                    /* 0: one per CPU */
    struct vt_per_user_metrics per_user; /* filled beside the means */
    /* The lists themselves, n_rows × k columns, best first; VT_EVAL_NO_ITEM behind the end of a
     * list and in rows without test items. The caller's, NULL: not wanted. */
    uint32_t *lists;
    /* Lists that a pass with the whole train rows for histories came to, as `lists` has them: a
     * user whose history is that row takes his own from here. Borrowed, NULL: there are none. */
    const uint32_t *known_lists;
};

/* The same numbers to the last bit for any thread count. A user without a history gets the most
 * popular items, as serving does. VT_INVALID for k out of range or shapes that differ;
 * VT_EXHAUSTED; errors of the recommender. */
VT_MUST_USE struct vt_err vt_evaluate(const struct vt_recommender *recommender,
                                      const struct vt_eval_options *options,
                                      struct vt_metrics_at_k *ret_metrics);

#endif
