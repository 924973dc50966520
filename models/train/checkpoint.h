#ifndef VT_TRAIN_CHECKPOINT_H
#define VT_TRAIN_CHECKPOINT_H

#include "models/train/curve.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Where a training of factors stands, on disk, so that a kill costs only the iterations since. The
 * items' side alone: no row of a customer is in it, so erasing a customer needs nothing done here,
 * and the next training, whose data differ, does not take it up. With the solvers cholesky and
 * cg training goes on from it to the same bytes; subspace begins with one exact half-iteration and
 * comes to a model as good, not the same bytes.
 */
struct vt_train_checkpoint {
    uint64_t fingerprint;    /* of matrix and options: vt_train_factors_fingerprint */
    uint32_t iteration;      /* so many are done */
    bool complete;           /* this training is at its end: it was stopped, or has them all */
    uint32_t best_iteration; /* the best one measured so far; 0: none was */
    uint32_t n_items, dim, row_stride;
    struct vt_curve curve;
    float *items; /* owned: n_items × row_stride */
    float *best;  /* owned: those after best_iteration; NULL: `items` are */
};
void vt_train_checkpoint_free(struct vt_train_checkpoint *checkpoint); /* zeroed is allowed */

/* Writes beside, fsyncs, renames: a kill leaves the one before. Mode 0600. VT_EXHAUSTED on a full
 * disk or without memory for a copy. */
VT_MUST_USE struct vt_err vt_train_checkpoint_write(const char *path,
                                                    const struct vt_train_checkpoint *checkpoint,
                                                    struct vt_diag *diag);
/* VT_NOT_FOUND: there is none; VT_CORRUPT: damaged (`diag` says how). Owned result. */
VT_MUST_USE struct vt_err vt_train_checkpoint_read(const char *path, struct vt_diag *diag,
                                                   struct vt_train_checkpoint *ret_checkpoint);
/* The same from bytes. */
VT_MUST_USE struct vt_err vt_train_checkpoint_parse(struct vt_slice bytes, struct vt_diag *diag,
                                                    struct vt_train_checkpoint *ret_checkpoint);

#endif
