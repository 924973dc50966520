#ifndef VT_ALGORITHM_EASE_SEARCH_H
#define VT_ALGORITHM_EASE_SEARCH_H

#include "models/linear/ease.h"

/* A regularization and how it came about. */
struct vt__ease_regularization {
    double value;
    double ndcg;      /* at 20 of what was held out */
    uint32_t n_tried; /* 0: the data are too few, or too many to try: the formula's */
};

/* Chosen by ndcg on a part of `matrix` held out for it. As thread-independent as training. Errors
 * of training and evaluation. Cost: a few fits with a small support. */
VT_MUST_USE struct vt_err
vt__ease_choose_regularization(const struct vt_sparse *matrix,
                               const struct vt_ease_options *options, uint64_t seed,
                               struct vt_diag *diag, struct vt__ease_regularization *ret_chosen);

/* What choosing takes, from above, before the training that follows: 0 where it would be too much.
 */
struct vt_ease_plan vt__ease_search_plan(uint64_t n_users, uint64_t n_items, uint64_t n_entries,
                                         const struct vt_ease_options *options);

#endif
