#ifndef VT_NODE_RANKER_PAST_H
#define VT_NODE_RANKER_PAST_H

#include "models/train/train.h"
#include "services/candidate/candidate.h"
#include "services/common/base/clock.h"

/*
 * The storefront as it was at a moment: a version trained on what was known then, the items that it
 * knew, a clock that stands still, and the candidate service over them, the same code that serves.
 * What a learned ranker is shown of the past comes from here, so it cannot be something that
 * serving would not have known.
 */

/* What was known, and what was not. */
struct vt_ranker_past_input {
    const struct vt_interaction *known; /* everything up to the moment, any order; borrowed */
    uint64_t n_known;
    const struct vt_catalog *catalog; /* texts and prices of today; borrowed, may be empty */
    int64_t now_ms;                   /* the moment */
    const struct vt_train_options *options;
    const struct vt_settled *settled; /* n_settings 0: no search came before */
    /* What the version shall rank with; NULL: trees that say nothing, so that the candidates come
     * with every score that some ranker could look at. Borrowed. */
    const struct vt_bundle_ranker *ranker;
    const char *folder; /* the version goes there; made, and removed by _close */
};

struct vt_ranker_past {
    struct vt_clock_fake clock;
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    struct vt_candidate_service *candidates;
    char *folder;
};

/* Trains, writes and opens. Errors of training and of the disk. Owned result. */
VT_MUST_USE struct vt_err vt_ranker_past_open(const struct vt_ranker_past_input *input,
                                              struct vt_diag *diag, struct vt_ranker_past *ret);
void vt_ranker_past_close(struct vt_ranker_past *past); /* zeroed is allowed */

#endif
