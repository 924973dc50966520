/*
 * The ladder ends a little above what a closed loop reaches, and each step is a load of its own,
 * with its warm-up, so that a queue left behind by the step before is gone. Two steps in a row that
 * were not held end it: rates beyond only take longer. Then the gap between the last rate that was
 * held and the first that was not is halved a few times.
 */
#include "loadtest/sweep.h"

#include <stdlib.h>

static const double HELD = 0.98;      /* of the calls that were due */
static const double LADDER_TOP = 1.1; /* of the closed loop's rate */
static const double LADDER_FOOT = 0.05;
static const double P99_FREE_US = 1000; /* below this a factor is noise of the scheduler */

static struct vt_err measure(const struct generator_options *options, double rate,
                             struct sweep_step *ret_step)
{
    struct generator_options step = *options;
    struct load_result *result = NULL;
    step.rate = rate;
    VT_TRY(generator_run(&step, &result));
    uint64_t due = result->all.sent + result->unsent;
    *ret_step = (struct sweep_step){
        .rate = rate,
        .goodput = load_result_goodput(result),
        .good_share = due > 0 ? (double)(result->all.ok - result->all.degraded) / (double)due : 0,
        .p50_us = load_result_quantile_us(result, 0.5),
        .p90_us = load_result_quantile_us(result, 0.9),
        .p99_us = load_result_quantile_us(result, 0.99),
        .p999_us = load_result_quantile_us(result, 0.999),
        .lag_p99_us = (double)histogram_quantile(&result->lag, 0.99) * 1e-3,
        .machine_busy = result->machine_busy,
        .errors = load_result_n_errors(&result->all),
        .degraded = result->all.degraded,
        .limited = load_result_doubt(result, rate) != NULL,
    };
    load_result_free(result);
    return vt_ok();
}

bool sweep_is_held(const struct sweep_plan *plan, const struct sweep_step *lowest,
                   const struct sweep_step *step)
{
    double limit_us = plan->p99_factor * lowest->p99_us;
    limit_us = limit_us > P99_FREE_US ? limit_us : P99_FREE_US;
    return step->good_share >= HELD && step->errors == 0 && step->degraded == 0 &&
           step->p99_us <= limit_us;
}

/* What the ladder and the closer looks work on. */
struct climb {
    const struct generator_options *options;
    const struct sweep_plan *plan;
    void (*told)(void *ctx, const struct sweep_step *step);
    void *ctx;
    struct sweep *sweep;
};

static struct vt_err add_step(const struct climb *climb, double rate, bool *ret_held)
{
    struct sweep *sweep = climb->sweep;
    struct sweep_step *step = &sweep->steps[sweep->n_steps];
    VT_TRY(measure(climb->options, rate, step));
    step->held = sweep_is_held(climb->plan, &sweep->steps[0], step);
    sweep->n_steps++;
    if (climb->told != NULL)
        climb->told(climb->ctx, step);
    *ret_held = step->held;
    return vt_ok();
}

static struct vt_err climb_ladder(const struct climb *climb, double top, double *ret_held_at,
                                  double *ret_lost_at)
{
    uint32_t n = climb->plan->n_steps, n_lost = 0;
    double foot = top * LADDER_FOOT;
    for (uint32_t i = 0; i < n && n_lost < 2; i++) {
        double rate = foot + (top - foot) * i / (n - 1);
        bool held = false;
        VT_TRY(add_step(climb, rate, &held));
        n_lost = held ? 0 : n_lost + 1; /* one unlucky step is not the knee */
        if (held)
            *ret_held_at = rate;
        else if (n_lost == 1)
            *ret_lost_at = rate;
    }
    return vt_ok();
}

static struct vt_err look_closer(const struct climb *climb, double *held_at, double lost_at)
{
    for (uint32_t i = 0; i < climb->plan->n_closer && lost_at > *held_at; i++) {
        bool held = false;
        double rate = (*held_at + lost_at) / 2;
        VT_TRY(add_step(climb, rate, &held));
        if (held)
            *held_at = rate;
        else
            lost_at = rate;
    }
    return vt_ok();
}

static int by_rate(const void *a, const void *b)
{
    const struct sweep_step *first = a, *second = b;
    return (first->rate > second->rate) - (first->rate < second->rate);
}

static struct vt_err find_top(const struct climb *climb, double *ret_top)
{
    struct sweep_step closed;
    *ret_top = climb->plan->max_rate;
    if (*ret_top > 0)
        return vt_ok();
    VT_TRY(measure(climb->options, 0, &closed));
    VT_CHECK(closed.goodput > 0, VT_UNAVAILABLE, "the target gave no good answer");
    climb->sweep->closed_rate = closed.goodput;
    *ret_top = closed.goodput * LADDER_TOP;
    return vt_ok();
}

struct vt_err sweep_run(const struct generator_options *options, const struct sweep_plan *plan,
                        void (*told)(void *ctx, const struct sweep_step *step), void *ctx,
                        struct sweep *ret_sweep)
{
    const struct climb climb = {options, plan, told, ctx, ret_sweep};
    double top = 0, held_at = 0, lost_at = 0;
    *ret_sweep = (struct sweep){0};
    VT_TRY(find_top(&climb, &top));
    VT_TRY(climb_ladder(&climb, top, &held_at, &lost_at));
    if (held_at > 0)
        VT_TRY(look_closer(&climb, &held_at, lost_at));
    ret_sweep->knee = held_at;
    qsort(ret_sweep->steps, ret_sweep->n_steps, sizeof ret_sweep->steps[0], by_rate);
    return vt_ok();
}
