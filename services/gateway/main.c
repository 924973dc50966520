/*
 * vitrine-gateway: keeps one Envoy. Envoy ends at SIGTERM with every call that is under way, so it
 * is told before, by its admin page, to fail its health checks and to send each caller away with
 * the answer to its next call (GOAWAY, or connection: close); new callers are still served, as not
 * all of them have heard. After the linger nobody should be left, and it gets its SIGTERM. A second
 * signal ends the wait. When Envoy ends by itself, so does this, with its status. As process 1 of a
 * container it has no other children to wait for. One thread; signals are waited for, not handled.
 */
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/base/options.h"
#include "services/gateway/admin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STATUS_NOT_SERVING = 1,
    STATUS_USAGE = 2,
    STATUS_NOT_RUN = 127,
    STATUS_SIGNAL = 128,
    ARGUMENTS_MAX = 64
};
enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

struct gateway_options {
    const char *admin;
    int64_t linger_ms, grace_ms;
    bool health;
};

static const struct vt_option gateway_table[] = {
    {.name = "admin",
     .kind = VT_OPTION_TEXT,
     .offset = offsetof(struct gateway_options, admin),
     .argument = "ADDR",
     .fallback = "127.0.0.1:9901",
     .help = "Envoy's admin page, as the configuration says"},
    {.name = "linger",
     .kind = VT_OPTION_DURATION,
     .offset = offsetof(struct gateway_options, linger_ms),
     .argument = "TIME",
     .fallback = "10s",
     .help = "after SIGTERM: how long new callers are served while health says no",
     .min = 0,
     .max = 3600000},
    {.name = "grace",
     .kind = VT_OPTION_DURATION,
     .offset = offsetof(struct gateway_options, grace_ms),
     .argument = "TIME",
     .fallback = "3s",
     .help = "then: how long calls under way may take, with the port closed",
     .min = 0,
     .max = 3600000},
    {.name = "health",
     .kind = VT_OPTION_BOOL,
     .offset = offsetof(struct gateway_options, health),
     .help = "instead: ask the Envoy that runs whether it serves; exit status 0 or 1"},
};
static const struct vt_options_spec gateway_spec = {
    .command = "vitrine-gateway",
    .summary = "Runs Envoy, and lets its callers leave before it ends.",
    .example = "vitrine-gateway --linger 10s -- envoy -c gateway/envoy.yaml --disable-hot-restart",
    .options = gateway_table,
    .n_options = sizeof gateway_table / sizeof gateway_table[0],
    .positional = "-- PROGRAM [ARGUMENT]...",
    .max_positional = ARGUMENTS_MAX,
    .layered = true,
};

/* The signals that are waited for; everything else does what it does anyway. */
static sigset_t awaited(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    return set;
}

/* Does not return in the child. */
static pid_t start(const struct vt_options *options)
{
    char *argv[ARGUMENTS_MAX + 1] = {0};
    for (size_t i = 0; i < options->n_positional; i++)
        argv[i] = (char *)(uintptr_t)options->positional[i];
    const sigset_t set = awaited();
    pid_t envoy = fork();
    if (envoy != 0)
        return envoy;
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* no Envoy without its keeper */
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    execvp(argv[0], argv);
    fprintf(stderr, "vitrine-gateway: %s: %s\n", argv[0], strerror(errno));
    _exit(STATUS_NOT_RUN);
}

/* How Envoy ended, as a shell says it. */
struct outcome {
    bool ended;
    int status;
};

static bool has_ended(pid_t envoy, struct outcome *outcome)
{
    int status = 0;
    if (waitpid(envoy, &status, WNOHANG) != envoy)
        return false;
    outcome->ended = true;
    outcome->status = WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

static int64_t now_ns(void)
{
    const struct vt_clock *clock = vt_clock_system();
    return clock->monotonic_ns(clock);
}

/* One of the awaited signals, or 0 when the time is over. */
static int wait_for_signal(int64_t until_ns)
{
    const sigset_t set = awaited();
    for (int64_t left_ns = until_ns - now_ns(); left_ns > 0; left_ns = until_ns - now_ns()) {
        const struct timespec limit = {.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
        int number = sigtimedwait(&set, NULL, &limit);
        if (number > 0)
            return number;
    }
    return 0;
}

static void wait_until_asked(pid_t envoy, struct outcome *outcome)
{
    const sigset_t set = awaited();
    for (;;) {
        int number = sigwaitinfo(&set, NULL);
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGCHLD && has_ended(envoy, outcome))
            return;
    }
}

/* Lets time pass; true: Envoy has ended meanwhile, or somebody is in a hurry. */
static bool pass(int64_t time_ms, pid_t envoy, struct outcome *outcome)
{
    int64_t until_ns = now_ns() + time_ms * NS_PER_MS;
    for (;;) {
        int number = wait_for_signal(until_ns);
        if (number == SIGCHLD && has_ended(envoy, outcome))
            return true;
        if (number != SIGCHLD)
            return number != 0;
    }
}

/* Sends the callers away and gives them time. */
static void drain(const struct gateway_options *options, pid_t envoy, struct outcome *outcome)
{
    struct vt_diag diag = {0};
    struct vt_err err = vt_gateway_ask(options->admin, "POST /healthcheck/fail", &diag);
    if (!vt_failed(err)) {
        vt_log(VT_LOG_INFO, "gateway_draining", VT_F_INT("linger_ms", options->linger_ms));
        if (pass(options->linger_ms, envoy, outcome))
            return;
        err = vt_gateway_ask(options->admin, "POST /drain_listeners", &diag);
    }
    if (vt_failed(err))
        vt_log(VT_LOG_WARN, "gateway_not_drained", VT_F_STR("text", diag.text));
    else
        pass(options->grace_ms, envoy, outcome);
}

static int keep(const struct gateway_options *options, pid_t envoy)
{
    struct outcome outcome = {0};
    wait_until_asked(envoy, &outcome);
    if (!outcome.ended)
        drain(options, envoy, &outcome);
    if (!outcome.ended)
        kill(envoy, SIGTERM);
    const sigset_t set = awaited();
    while (!outcome.ended && !has_ended(envoy, &outcome))
        sigwaitinfo(&set, NULL);
    return outcome.status;
}

static int run(const struct gateway_options *target, const struct vt_options *options)
{
    if (options->n_positional == 0) {
        fputs("vitrine-gateway: no PROGRAM to run; see vitrine-gateway --help\n", stderr);
        return STATUS_USAGE;
    }
    const sigset_t set = awaited();
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t envoy = start(options);
    return envoy > 0 ? keep(target, envoy) : STATUS_NOT_RUN;
}

static int print_health(const struct gateway_options *target)
{
    struct vt_diag diag = {0};
    if (!vt_failed(vt_gateway_ask(target->admin, "GET /ready", &diag))) {
        puts("SERVING");
        return 0;
    }
    fprintf(stderr, "vitrine-gateway: not serving: %s\n", diag.text);
    return STATUS_NOT_SERVING;
}

int main(int argc, char **argv)
{
    struct gateway_options target = {0};
    struct vt_options options = {0};
    struct vt_diag diag = {0};
    bool help = false;
    struct vt_err err =
        vt_options_parse(&gateway_spec, argc, argv, &target, &options, &help, &diag);
    int status = STATUS_USAGE;
    if (vt_failed(err)) {
        fprintf(stderr, "vitrine-gateway: %s\n", diag.text[0] != '\0' ? diag.text : err.what);
    } else if (help) {
        status = 0;
    } else {
        status = target.health ? print_health(&target) : run(&target, &options);
    }
    vt_options_fini(&options);
    return status;
}
