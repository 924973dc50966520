#ifndef VT_ALGORITHM_AUTO_SEARCH_H
#define VT_ALGORITHM_AUTO_SEARCH_H

#include "models/algorithm/blend_parts.h"

/* The state of auto's search, shared by auto.c (what is done) and auto_search.c (one family). */

#define VT__AUTO_GFLOP_PER_SECOND                                                                  \
    10.0 /* what a second of the budget stands for, on any machine                                 \
          */
enum { VT__AUTO_FACTORS_MAX = 128 };

struct vt__auto_search {
    struct vt_algorithm_options options; /* the best so far of every family */
    struct vt_sparse fit, held;
    struct vt__blend_parts parts; /* the best of every family, trained on `fit` */
    double gflop_max, gflop_spent;
    uint64_t memory_max; /* of one training */
    double best_value;   /* of a single family: the mean of recall and ndcg */
    enum vt_blend_family best_family;
};

/* Tries one family's settings, leaves the best in search->options and its model in search->parts.
 * A family for which memory or budget is too small is left out. */
VT_MUST_USE struct vt_err vt__auto_try_family(struct vt__auto_search *search,
                                              enum vt_blend_family family, struct vt_diag *diag);

/* The settings of the chosen blend, after those that the search put down. */
void vt__auto_settle(const struct vt_algorithm_options *chosen, struct vt_settled *settled);

/* What all tries of all families would take. */
double vt__auto_gflop(const struct vt_shape *shape, const struct vt_algorithm_options *options);

#endif
