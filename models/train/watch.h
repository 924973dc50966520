#ifndef VT_TRAIN_WATCH_H
#define VT_TRAIN_WATCH_H

#include "models/train/checkpoint.h"
#include "models/train/train_internal.h"

/*
 * One training of factors with eyes on it: a curve of loss and held-out ndcg, an early end, a
 * checkpoint now and then, and the way back from one. One thread; callbacks run on it.
 *
 *   zero it, fill the first part → vt__watch_begin → vt__watch_train → read state → vt__watch_fini
 */
enum { VT__WATCH_PATH_BYTES = 4096 };

struct vt__watch {
    const struct vt_train_options *options;
    struct vt__stage *stage;
    const struct vt_sparse *matrix;
    const struct vt_held_out *held_out; /* whose watched customers are asked; NULL: nobody is, and
                                           the factors are not kept */
    const char *checkpoint_name;        /* below options->checkpoint_dir */
    const float *start_items;           /* of a warm start; NULL: random. Borrowed */
    uint32_t start_stride;
    uint32_t iterations;

    struct vt_train_checkpoint state; /* `best` and `items` are of the resumed one, or kept */
    double best_ndcg, unobserved_weight;
    int64_t written_ns;
    char path[VT__WATCH_PATH_BYTES]; /* "": no checkpoints */
    struct vt_err err;               /* the first of a callback, which cannot return it */
};

/* Whether the family has factors to watch, and no other training inside it. */
bool vt__watch_can(const struct vt_algorithm *algorithm);
/* Takes up a checkpoint of this very training, if there is one; others are told and ignored. */
VT_MUST_USE struct vt_err vt__watch_begin(struct vt__watch *watch);
/* Trains, or finds that it was done. With held_out set `state.best` then has the factors of
 * state.best_iteration. `ret_trained` stays empty when all was in the checkpoint. VT_CANCELLED when
 * told to stop; errors of training and measuring. A checkpoint that cannot be written is told and
 * costs no more than itself. */
VT_MUST_USE struct vt_err vt__watch_train(struct vt__watch *watch, struct vt_diag *diag,
                                          struct vt_trained *ret_trained);
/* The customers of `test` asked by the best factors. */
VT_MUST_USE struct vt_err vt__watch_evaluate(const struct vt__watch *watch,
                                             const struct vt_eval_options *eval,
                                             struct vt_metrics_at_k *ret_metrics);
void vt__watch_fini(struct vt__watch *watch);

/* First item factors for the columns of a matrix from those of a version: an item that it does not
 * know begins with zero, and gets its factor from its customers in the first iteration. Owned
 * result of n_columns × parent->factor_stride. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__warm_start(const struct vt_bundle_view *parent,
                                         const uint32_t *item_ids, uint32_t n_columns,
                                         float **ret_items);

#endif
