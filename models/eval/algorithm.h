#ifndef VT_EVAL_ALGORITHM_H
#define VT_EVAL_ALGORITHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/dataset/dataset.h"
#include "models/eval/recommender.h"
#include "models/factor/ials.h"
#include "models/neighbor/neighbor.h"

/*
 * The families by name, with what can be set about each: one table behind `--algorithm` and
 * `--set key=value` of evaluate and train.
 */
struct vt_algorithm_options {
    struct vt_ials_options ials;
    struct vt_neighbor_options neighbor;
    uint32_t threads; /* 0: one per CPU; for all */
    uint64_t seed;    /* for all */
};
void vt_algorithm_options_default(struct vt_algorithm_options *ret_options);

/* Called after each iteration of those that iterate. False ends training. */
typedef bool (*vt_training_progress_fn)(void *ctx, uint32_t done, uint32_t total, double loss);

/* A trained model behind the face that evaluation wants. */
struct vt_trained {
    struct vt_recommender recommender; /* borrows `model` */
    void *model;                       /* owned */
    void (*free_model)(void *model);
};
void vt_trained_free(struct vt_trained *trained); /* zeroed is allowed */

struct vt_algorithm;
/* NULL when there is none of that name; `diag` then has the nearest and the list. */
const struct vt_algorithm *vt_algorithm_find(const char *name, struct vt_diag *diag);
const char *vt_algorithm_name(const struct vt_algorithm *algorithm);
/* Names joined by '|', for --help. */
const char *vt_algorithm_choices(void);

/* Applies one "key=value". VT_INVALID with the nearest key, or the range, in `diag`. */
VT_MUST_USE struct vt_err vt_algorithm_set(const struct vt_algorithm *algorithm,
                                           const char *key_value, struct vt_diag *diag,
                                           struct vt_algorithm_options *options);

VT_MUST_USE struct vt_err vt_algorithm_train(const struct vt_algorithm *algorithm,
                                             const struct vt_sparse *matrix,
                                             const struct vt_algorithm_options *options,
                                             vt_training_progress_fn progress, void *ctx,
                                             struct vt_diag *diag, struct vt_trained *ret_trained);

#endif
