/*
 * `vitrine train --every 1h`: one training after the other in one process, for those who have no
 * cron. The lock is held for each run only, so that others can train in between. SIGTERM and SIGINT
 * are blocked in all threads and fetched here: between runs by the wait itself, in a run after each
 * iteration. So there is no handler, and no moment at which a signal is lost.
 *
 * Runs start `every` apart; one that takes longer is followed at once. After a failure the wait
 * doubles with each further one, up to a day: a full disk or a refusing gate does not keep two
 * cores busy all night. Data that were trained on, or refused, are not trained on again.
 */
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/node/command.h"
#include "services/node/train_job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_MAX_MS (INT64_C(24) * 3600 * 1000)

struct schedule {
    const struct vt_train_command *command;
    sigset_t signals;
    bool stopped;
    unsigned failures;         /* in a row */
    uint64_t done_fingerprint; /* of the data that need no further training; 0: none */
};

/* Waits for a signal to end it all; false: none came in that time. */
static bool wait_for_stop(struct schedule *schedule, int64_t wait_ms)
{
    const struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    int got = -1;
    while (!schedule->stopped && (got = sigtimedwait(&schedule->signals, NULL, &wait)) < 0 &&
           errno == EINTR)
        ;
    schedule->stopped = schedule->stopped || got > 0;
    return schedule->stopped;
}

static bool stop_wanted(void *ctx)
{
    return wait_for_stop(ctx, 0);
}

/* ---- one run ---- */

static void log_done(const struct vt_train_job *job)
{
    const struct vt_bundle_view *view = &job->result.view;
    vt_log(VT_LOG_INFO, "train_done", VT_F_STR("version", view->version),
           VT_F_BOOL("published", job->published),
           VT_F_INT("interactions", (int64_t)view->n_interactions),
           VT_F_REAL("seconds", job->seconds));
}

static void note_end(struct schedule *schedule, const struct vt_train_job *job, struct vt_err err,
                     const struct vt_diag *diag)
{
    if (job->skipped) {
        vt_log(VT_LOG_INFO, "train_skipped", VT_F_STR("reason", err.what));
        return;
    }
    if (err.code == VT_CANCELLED)
        return; /* the stop is logged */
    /* What the gate refused it will refuse again. */
    if (!vt_failed(err) || err.code == VT_PRECONDITION)
        schedule->done_fingerprint = job->fingerprint;
    schedule->failures = vt_failed(err) ? schedule->failures + 1 : 0;
    if (vt_failed(err))
        vt_log_err(VT_LOG_ERROR, "train_failed", err, diag->text);
    else
        log_done(job);
}

static void train_once(struct schedule *schedule)
{
    struct vt_diag diag = {0};
    struct vt_train_job *job = calloc(1, sizeof *job);
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory");
    if (job == NULL) {
        schedule->failures++;
        vt_log_err(VT_LOG_ERROR, "train_failed", err, "");
        return;
    }
    job->command = schedule->command;
    job->stop_wanted = stop_wanted;
    job->stop_ctx = schedule;
    job->known_fingerprint = schedule->done_fingerprint;
    err = vt_train_job_choose(job, &diag);
    if (!vt_failed(err))
        err = vt_train_job_run(job, &diag);
    note_end(schedule, job, err, &diag);
    vt_train_job_fini(job);
    free(job);
}

/* ---- the loop ---- */

int64_t vt_train_schedule_wait_ms(int64_t every_ms, unsigned failures, int64_t spent_ms)
{
    const int64_t longest_ms = every_ms > WAIT_MAX_MS ? every_ms : WAIT_MAX_MS;
    int64_t period_ms = every_ms;
    for (unsigned i = 0; i < failures && period_ms < longest_ms; i++)
        period_ms = period_ms < longest_ms / 2 ? 2 * period_ms : longest_ms;
    return spent_ms < period_ms ? period_ms - spent_ms : 0;
}

static int64_t wait_ms(const struct schedule *schedule, int64_t started_ns)
{
    const int64_t now_ns = vt_clock_monotonic_ns(vt_clock_system());
    return vt_train_schedule_wait_ms(schedule->command->every_ms, schedule->failures,
                                     (now_ns - started_ns) / 1000000);
}

int vt_train_schedule_run(const struct vt_train_command *command)
{
    struct schedule schedule = {.command = command};
    sigemptyset(&schedule.signals);
    sigaddset(&schedule.signals, SIGTERM);
    sigaddset(&schedule.signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &schedule.signals,
                    NULL); /* threads that training makes inherit it */
    vt_log(VT_LOG_INFO, "train_schedule", VT_F_INT("every_ms", command->every_ms));
    int64_t started_ns;
    do {
        started_ns = vt_clock_monotonic_ns(vt_clock_system());
        train_once(&schedule);
    } while (!wait_for_stop(&schedule, wait_ms(&schedule, started_ns)));
    vt_log(VT_LOG_INFO, "train_schedule_ended", VT_F_INT("failures", schedule.failures));
    return VT_EXIT_DONE;
}
