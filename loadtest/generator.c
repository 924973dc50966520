/*
 * All threads of a load: made, started at one moment, waited for, added up. The calling thread only
 * looks on, a few times a second: at the processors when the warm-up ends, and to tell how far it
 * is.
 */
#include "loadtest/generator.h"

#include "loadtest/machine.h"
#include "loadtest/sender.h"
#include "services/common/base/clock.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000, START_IN_NS = 20 * NS_PER_MS };

static int64_t now_ns(void)
{
    return vt_clock_monotonic_ns(vt_clock_system());
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static void sleep_until(int64_t until_ns)
{
    const struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        ;
}

/* Sleeps through the run; the share of the machine in use while it measured comes back. */
static double look_on(const struct generator_options *options, int64_t start_ns)
{
    const int64_t from_ns = start_ns + options->warmup_ms * NS_PER_MS;
    const int64_t stop_ns = from_ns + options->duration_ms * NS_PER_MS;
    sleep_until(from_ns);
    struct machine_cpu before = machine_cpu_now();
    for (int64_t now = from_ns; now < stop_ns;) {
        now = now + NS_PER_S < stop_ns ? now + NS_PER_S : stop_ns;
        sleep_until(now);
        if (options->progress != NULL)
            options->progress(options->progress_ctx,
                              (double)(now - from_ns) / (double)(stop_ns - from_ns));
    }
    return machine_cpu_share(before, machine_cpu_now());
}

static struct vt_err start_all(struct sender **senders, uint32_t n, int64_t start_ns,
                               uint32_t *ret_n_started)
{
    for (*ret_n_started = 0; *ret_n_started < n; ++*ret_n_started)
        VT_TRY(sender_start(senders[*ret_n_started], start_ns));
    return vt_ok();
}

static struct vt_err run_all(const struct generator_options *options, struct sender **senders,
                             struct load_result *result)
{
    int64_t start_ns = now_ns() + START_IN_NS;
    uint32_t n_started = 0;
    struct vt_err err = start_all(senders, options->threads, start_ns, &n_started);
    double machine_busy = vt_failed(err) ? 0 : look_on(options, start_ns);
    for (uint32_t i = 0; i < n_started; i++) {
        const struct load_result *part = NULL;
        struct vt_err joined = sender_join(senders[i], &part);
        if (!vt_failed(joined))
            load_result_merge(result, part);
        else if (!vt_failed(err))
            err = joined;
    }
    result->machine_busy = machine_busy;
    return err;
}

static struct vt_err make_and_run(const struct generator_options *options, struct sender **senders,
                                  struct load_result *result)
{
    struct rusage before, after;
    for (uint32_t i = 0; i < options->threads; i++)
        VT_TRY(sender_new(options, i, &senders[i]));
    getrusage(RUSAGE_SELF, &before);
    VT_TRY(run_all(options, senders, result));
    getrusage(RUSAGE_SELF, &after);
    result->user_s = seconds(after.ru_utime) - seconds(before.ru_utime);
    result->system_s = seconds(after.ru_stime) - seconds(before.ru_stime);
    load_result_sum(result);
    return vt_ok();
}

struct vt_err generator_run(const struct generator_options *options,
                            struct load_result **ret_result)
{
    struct load_result *result = NULL;
    struct sender **senders = calloc(options->threads, sizeof(struct sender *));
    VT_CHECK(senders != NULL, VT_EXHAUSTED, "no memory for the load");
    struct vt_err err = load_result_new(options->duration_ms, &result);
    if (!vt_failed(err))
        err = make_and_run(options, senders, result);
    for (uint32_t i = 0; i < options->threads; i++)
        sender_free(senders[i]);
    free(senders);
    if (vt_failed(err))
        load_result_free(result);
    else
        *ret_result = result;
    return err;
}
