#ifndef VT_TRAIN_TRAIN_INTERNAL_H
#define VT_TRAIN_TRAIN_INTERNAL_H

#include "models/train/train.h"

/* What the files of one training share: train.c makes the model of everything, measure.c the one
 * that is measured before. */

/* What is going on, for the progress bar. */
struct vt__stage {
    vt_train_progress_fn fn;        /* may be NULL */
    bool (*stop_wanted)(void *ctx); /* may be NULL */
    void *ctx;
    const char *name;
    bool stopped;
};

/* Whether whoever trains wants it to end; once true, always true. */
bool vt__stage_stops(struct vt__stage *stage);

/* vt_algorithm_train, and VT_CANCELLED when it ended because the stage was to stop. */
VT_MUST_USE struct vt_err vt__train_stage(const struct vt__stage *stage,
                                          const struct vt_algorithm *algorithm,
                                          const struct vt_sparse *matrix,
                                          const struct vt_algorithm_options *options,
                                          struct vt_diag *diag, struct vt_trained *ret_trained);

/* The algorithm's options, its iterations being told to the stage. Borrows both. */
struct vt_algorithm_options vt__observed_by(struct vt__stage *stage,
                                            const struct vt_train_options *options);

/* The names of the two checkpoints below the data folder. */
#define VT__CHECKPOINT_MEASURED "train.measured.checkpoint"
#define VT__CHECKPOINT_FINAL "train.checkpoint"

/* Chooses what is held out, trains without it, and puts metrics, curve and result->held_out down.
 * Too few events to hold any out are no error: then there are no metrics. *ret_iterations: how many
 * the training of everything shall have. */
VT_MUST_USE struct vt_err vt__measure(const struct vt_train_input *input,
                                      const struct vt_train_options *options,
                                      struct vt__stage *stage, struct vt_diag *diag,
                                      struct vt_train_result *result, uint32_t *ret_iterations);

#endif
