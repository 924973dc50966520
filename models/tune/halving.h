#ifndef VT_TUNE_HALVING_H
#define VT_TUNE_HALVING_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Successive halving (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and
 * Hyperparameter Optimization", 2016): all trials are measured cheaply, the best third again at
 * three times the price, and so on; the last rung is the full price.
 */
enum { VT_TUNE_TRIALS_MAX = 1000, VT_TUNE_RUNGS = 3, VT_TUNE_KEEP_ONE_OF = 3 };

struct vt_tune_result {
    uint32_t trial, rung;
    double value; /* higher is better; NaN: the trial failed */
};

struct vt_tune_options {
    uint32_t n_trials; /* 1 … VT_TUNE_TRIALS_MAX */
    /* What trial `trial` is worth at rung 0 … VT_TUNE_RUNGS - 1; the same for the same arguments.
     * *ret_stop: the time is over, the value is not one. */
    struct vt_err (*measure)(void *ctx, uint32_t trial, uint32_t rung, struct vt_diag *diag,
                             double *ret_value, bool *ret_stop);
    /* After each, on the caller's thread; `best` is so far. */
    void (*told)(void *ctx, const struct vt_tune_result *now, const struct vt_tune_result *best);
    void *ctx;
};

/* `ret_best`: of the highest rung that was reached, the best; ties go to the lower trial.
 * VT_INVALID when no trial gave a value; errors of `measure`. */
VT_MUST_USE struct vt_err vt_tune_halve(const struct vt_tune_options *options, struct vt_diag *diag,
                                        struct vt_tune_result *ret_best);

#endif
