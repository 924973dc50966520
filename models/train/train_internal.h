#ifndef VT_TRAIN_TRAIN_INTERNAL_H
#define VT_TRAIN_TRAIN_INTERNAL_H

#include "models/train/train.h"

/* What the files of one training share: train.c makes the model of everything, measure.c the one
 * that is measured before. */

/* What is going on, for the progress bar. */
struct vt__stage {
    vt_train_progress_fn fn; /* may be NULL */
    void *ctx;
    const char *name;
};

/* The algorithm's options, its iterations being told to the stage. Borrows both. */
struct vt_algorithm_options vt__observed_by(struct vt__stage *stage,
                                            const struct vt_train_options *options);

/* Chooses what is held out, trains without it, and puts metrics and result->held_out down. Too few
 * events to hold any out are no error: then there are no metrics. */
VT_MUST_USE struct vt_err vt__measure(const struct vt_train_input *input,
                                      const struct vt_train_options *options,
                                      struct vt__stage *stage, struct vt_diag *diag,
                                      struct vt_train_result *result);

#endif
