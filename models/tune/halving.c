/*
 * Halving on plain numbers: what a trial is stays with the caller, so that the schedule is tested
 * without training anything.
 */
#include "models/tune/halving.h"

#include <math.h>
#include <stdlib.h>

struct rung {
    struct vt_tune_result results[VT_TUNE_TRIALS_MAX]; /* of this rung, in the order of trials */
    uint32_t n;
};

/* Best first, failures last. */
static int compare_results(const void *a, const void *b)
{
    const struct vt_tune_result *x = a, *y = b;
    const bool x_failed = isnan(x->value), y_failed = isnan(y->value);
    if (x_failed != y_failed)
        return x_failed ? 1 : -1;
    if (!x_failed && (x->value < y->value || x->value > y->value))
        return x->value > y->value ? -1 : 1;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

static bool is_better(const struct vt_tune_result *a, const struct vt_tune_result *best)
{
    if (isnan(a->value))
        return false;
    return isnan(best->value) || a->rung > best->rung ||
           (a->rung == best->rung && compare_results(a, best) < 0);
}

/* Measures what is in `rung`; *ret_stop: not all of it. */
static struct vt_err measure_rung(const struct vt_tune_options *options, struct vt_diag *diag,
                                  struct rung *rung, struct vt_tune_result *best, bool *ret_stop)
{
    for (uint32_t i = 0; i < rung->n; i++) {
        struct vt_tune_result *now = &rung->results[i];
        VT_TRY(options->measure(options->ctx, now->trial, now->rung, diag, &now->value, ret_stop));
        if (*ret_stop)
            return vt_ok();
        if (is_better(now, best))
            *best = *now;
        if (options->told != NULL)
            options->told(options->ctx, now, best);
    }
    return vt_ok();
}

/* The best of a rung go on, in the order of trials. */
static void promote(struct rung *rung)
{
    const uint32_t n = (rung->n + VT_TUNE_KEEP_ONE_OF - 1) / VT_TUNE_KEEP_ONE_OF;
    qsort(rung->results, rung->n, sizeof rung->results[0], compare_results);
    rung->n = 0;
    for (uint32_t i = 0; i < n && !isnan(rung->results[i].value); i++) {
        rung->results[rung->n] = rung->results[i];
        rung->results[rung->n++].rung++;
    }
}

struct vt_err vt_tune_halve(const struct vt_tune_options *options, struct vt_diag *diag,
                            struct vt_tune_result *ret_best)
{
    VT_CHECK(options->n_trials >= 1 && options->n_trials <= VT_TUNE_TRIALS_MAX, VT_INVALID,
             "tuning takes 1 to 1000 trials");
    struct rung *rung = calloc(1, sizeof *rung);
    VT_CHECK(rung != NULL, VT_EXHAUSTED, "out of memory for tuning");
    struct vt_tune_result best = {.value = (double)NAN};
    struct vt_err err = vt_ok();
    bool stop = false;
    for (uint32_t trial = 0; trial < options->n_trials; trial++)
        rung->results[rung->n++] = (struct vt_tune_result){.trial = trial};
    for (int r = 0; r < VT_TUNE_RUNGS && rung->n > 0 && !stop && !vt_failed(err); r++) {
        err = measure_rung(options, diag, rung, &best, &stop);
        promote(rung);
    }
    free(rung);
    VT_TRY(err);
    VT_CHECK(!isnan(best.value), VT_INVALID, "no trial gave a model");
    *ret_best = best;
    return vt_ok();
}
