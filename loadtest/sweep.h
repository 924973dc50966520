#ifndef LOADTEST_SWEEP_H
#define LOADTEST_SWEEP_H

#include "loadtest/generator.h"

/*
 * Raises the rate step by step until the target no longer follows, then looks closer at where its
 * latency bends. The knee is the highest rate that was held: 98 % of the calls that were due got a
 * good answer, none an error, and with a p99 of at most `p99_factor` times that at the lowest rate.
 */
enum { SWEEP_STEPS_MAX = 64 };

struct sweep_step {
    double rate, goodput; /* a second */
    double good_share;    /* of the calls that were due */
    double p50_us, p90_us, p99_us, p999_us, lag_p99_us;
    double machine_busy;
    uint64_t errors, degraded;
    bool held;
    bool limited; /* the generator measured itself */
};

struct sweep_plan {
    double max_rate;   /* where the ladder ends; 0: measured first with a closed loop */
    double p99_factor; /* > 1 */
    uint32_t n_steps;  /* of the ladder, 2 to SWEEP_STEPS_MAX / 2 */
    uint32_t n_closer; /* looks between the last that held and the first that did not */
};

struct sweep {
    struct sweep_step steps[SWEEP_STEPS_MAX]; /* by rate */
    uint32_t n_steps;
    double closed_rate; /* calls a second of the closed loop; 0: not measured */
    double knee;        /* 0: not even the lowest rate was held */
};

/* `options` but its rate; `told` is called after each step, may be NULL. */
VT_MUST_USE struct vt_err sweep_run(const struct generator_options *options,
                                    const struct sweep_plan *plan,
                                    void (*told)(void *ctx, const struct sweep_step *step),
                                    void *ctx, struct sweep *ret_sweep);
/* Whether a step was held, given the lowest one. */
bool sweep_is_held(const struct sweep_plan *plan, const struct sweep_step *lowest,
                   const struct sweep_step *step);

#endif
