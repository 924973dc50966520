#ifndef VT_TRAIN_HELD_OUT_H
#define VT_TRAIN_HELD_OUT_H

#include "models/dataset/split.h"
#include "models/eval/eval.h"

#include <stdint.h>

/*
 * What training keeps back to judge by, parted by customer:
 *
 *   watched   steer the training (when to stop): their numbers are not reported
 *   the rest  the metrics of the version
 *   judged    of these a seeded few thousand, on whom the gate also asks the finished model and the
 *             version that serves
 *
 * Where the version that serves was trained on a part of what would be held out, and enough events
 * are newer than all it has seen, just those are held out, so that neither has seen them.
 */
enum { VT_WATCHED_MAX = 1000, VT_JUDGED_MAX = 3000 };

struct vt_held_out_options {
    enum vt_protocol protocol; /* TIME, or RANDOM where there is no time */
    double test_share;         /* of all events, held out at most */
    struct vt_dataset_options dataset;
    uint32_t served_history_max; /* newest events of a customer that serving knows */
    uint64_t seed;
    bool watch;                  /* whether anybody will look at `watched` */
    int64_t parent_last_time_ms; /* newest event that the serving version has seen; 0: none */
};

struct vt_held_out {
    struct vt_split split;    /* test: without the watched; n_rows 0: nothing could be held out */
    struct vt_sparse watched; /* as split.test; n_rows 0: nobody is */
    struct vt_sparse judged;
    bool parent_has_seen; /* some of it */
    double *recall,
        *ndcg; /* n_rows: of the model that has not seen it; NaN: not asked or not yet */
    /* n_rows: of the serving version's recipe, trained on split.train, for the judged; NULL: that
     * was not needed, or the recipe is not known */
    double *parent_recall, *parent_ndcg;
    uint32_t *lists; /* its lists, n_rows × k of vt_eval_options.lists; NULL: not asked yet */
};

/* Too few to hold any out is not an error: n_rows is 0 then. VT_EXHAUSTED. Owned result. Same
 * input, same bytes. */
VT_MUST_USE struct vt_err vt_held_out_make(const struct vt_interaction *interactions, uint64_t n,
                                           const struct vt_held_out_options *options,
                                           struct vt_held_out *ret_held_out);
void vt_held_out_free(struct vt_held_out *held_out); /* zeroed is allowed */
/* Whether there is anything to measure on. */
bool vt_held_out_any(const struct vt_held_out *held_out);

#endif
