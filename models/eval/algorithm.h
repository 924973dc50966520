#ifndef VT_EVAL_ALGORITHM_H
#define VT_EVAL_ALGORITHM_H

#include "models/dataset/dataset.h"
#include "models/eval/recommender.h"
#include "models/factor/ials.h"
#include "models/neighbor/neighbor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The families by name, with what can be set about each: one table behind `--algorithm` and
 * `--set key=value` of evaluate and train.
 */

/* Called after each iteration of those that iterate, on the caller's thread. False ends training.
 */
typedef bool (*vt_training_progress_fn)(void *ctx, uint32_t done, uint32_t total, double loss);

struct vt_algorithm_options {
    struct vt_ials_options ials;
    struct vt_neighbor_options neighbor;
    uint32_t threads;                 /* 0: one per CPU; for all */
    uint64_t seed;                    /* for all */
    vt_training_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};
/* Each family's own defaults, seed 1. */
void vt_algorithm_options_default(struct vt_algorithm_options *ret_options);

/* A trained model behind the face that evaluation wants. */
struct vt_trained {
    struct vt_recommender recommender;   /* borrows `model` */
    const struct vt_ials_model *factors; /* of `model`; NULL: this family has none */
    void *model;                         /* owned */
    void (*free_model)(void *model);
};
void vt_trained_free(struct vt_trained *trained); /* zeroed is allowed */

struct vt_algorithm;
/* NULL when there is none of that name; `diag` then has the nearest and the list. */
const struct vt_algorithm *vt_algorithm_find(const char *name, struct vt_diag *diag);
/* "ials" …; a literal. */
const char *vt_algorithm_name(const struct vt_algorithm *algorithm);

/* Applies one "key=value". VT_INVALID with the nearest key, or the range, in `diag`. */
VT_MUST_USE struct vt_err vt_algorithm_set(const struct vt_algorithm *algorithm,
                                           const char *key_value, struct vt_diag *diag,
                                           struct vt_algorithm_options *options);

/* Trains on a user × item matrix of confidences. VT_INVALID for options out of range or an empty
 * matrix, VT_EXHAUSTED without memory, VT_CORRUPT when no finite model comes out. Owned result; the
 * same bytes for any thread count. */
VT_MUST_USE struct vt_err vt_algorithm_train(const struct vt_algorithm *algorithm,
                                             const struct vt_sparse *matrix,
                                             const struct vt_algorithm_options *options,
                                             struct vt_diag *diag, struct vt_trained *ret_trained);

#endif
