/*
 * vitrine serve: builds the cell, waits for SIGTERM or SIGINT, drains; on SIGHUP it reads the
 * placements again. Signals are blocked before any thread starts and taken by sigtimedwait here, so
 * that no handler runs anywhere.
 */
#include "services/common/base/log.h"
#include "services/node/cell.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/notify.h"
#include "services/node/serve_options.h"
#include "services/node/serve_tls.h"
#include "services/ranking/placement.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { READY_POLL_MS = 20, BEATS = 2 /* in the time that the watchdog allows */ };

/* SIGHUP only where there is something to read again: otherwise it means, as ever, that the
 * terminal is gone. */
static void block_signals(const struct vt_serve_options *options, sigset_t *ret_waited)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(ret_waited);
    sigaddset(ret_waited, SIGTERM);
    sigaddset(ret_waited, SIGINT);
    if (options->placements != NULL)
        sigaddset(ret_waited, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret_waited, NULL);
}

static void reload(struct vt_cell *cell, const char *placements)
{
    struct vt_diag diag = {0};
    struct vt_err err = vt_cell_reload(cell, &diag);
    if (vt_failed(err))
        vt_log(VT_LOG_ERROR, "placements_refused", VT_F_STR("file", placements),
               VT_F_STR("reason", diag.text[0] != '\0' ? diag.text : err.what));
    else
        vt_log(VT_LOG_INFO, "placements_loaded", VT_F_STR("file", placements));
}

/* Returns true once it is ready, and tells so when it becomes it. */
static bool poll_ready(struct vt_cell *cell)
{
    if (!vt_cell_poll_ready(cell))
        return false;
    vt_log(VT_LOG_INFO, "ready", VT_F_INT("port", vt_cell_grpc_port(cell)));
    vt_notify("READY=1\nSTATUS=serving");
    return true;
}

/* The next signal, or at most 0 when none came in that time; 0 ms: waits for ever. */
static int next_signal(const sigset_t *waited, int64_t wait_ms)
{
    const struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    return wait_ms == 0 ? sigwaitinfo(waited, NULL) : sigtimedwait(waited, NULL, &wait);
}

/* Returns the signal. Until the cell is ready it looks again every few milliseconds; then the
 * service manager, where it wants to know, hears that the port answers. */
static int wait_for_stop(struct vt_cell *cell, const sigset_t *waited, const char *placements)
{
    const int64_t beat_ms = vt_notify_watchdog_ms() / BEATS;
    bool ready = false;
    for (;;) {
        ready = ready || poll_ready(cell);
        int caught = next_signal(waited, ready ? beat_ms : READY_POLL_MS);
        if (caught == SIGHUP)
            reload(cell, placements);
        else if (caught > 0)
            return caught;
        if (ready && beat_ms > 0 && vt_cell_is_alive(cell))
            vt_notify("WATCHDOG=1");
    }
}

static enum vt_log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int level = 0;
    while (level < VT_LOG_ERROR && strcmp(names[level], name) != 0)
        level++;
    return (enum vt_log_level)level;
}

static int run_cell(const struct vt_serve_options *options)
{
    sigset_t waited;
    struct vt_diag diag = {0};
    struct vt_cell *cell = NULL;
    block_signals(options, &waited);
    struct vt_err err = vt_cell_start(options, &diag, &cell);
    if (vt_failed(err))
        return vt_command_fail(vt_serve_spec.command, err, &diag);
    vt_log(VT_LOG_INFO, "listening", VT_F_STR("role", options->role),
           VT_F_BOOL("tls", options->tls.cert != NULL), VT_F_INT("port", vt_cell_grpc_port(cell)),
           VT_F_INT("http_port", vt_cell_http_port(cell)));
    if (options->plaintext_from_the_network)
        vt_log(VT_LOG_WARN, "plaintext_from_the_network", VT_F_STR("listen", options->listen));
    int caught = wait_for_stop(cell, &waited, options->placements);
    vt_notify("STOPPING=1\nSTATUS=draining");
    vt_log(VT_LOG_INFO, "draining", VT_F_STR("signal", caught == SIGTERM ? "TERM" : "INT"));
    vt_cell_stop(cell);
    vt_log(VT_LOG_INFO, "stopped");
    return VT_EXIT_DONE;
}

static struct vt_err check_placements(const struct vt_serve_options *options, struct vt_diag *diag)
{
    struct vt_placement base;
    struct vt_placements *placements = NULL;
    vt_placement_default(&base);
    if (options->placements == NULL)
        return vt_ok();
    VT_TRY(vt_placements_load(options->placements, &base, diag, &placements));
    vt_published_release(&placements->published);
    return vt_ok();
}

static int serve(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct vt_serve_options *options = target;
    struct vt_diag diag = {0};
    struct vt_err err = vt_serve_options_check(options, &diag);
    if (!vt_failed(err))
        err = vt_serve_tls_check(options, &diag);
    if (!vt_failed(err))
        err = check_placements(options, &diag);
    if (vt_failed(err))
        return vt_command_refuse(vt_serve_spec.command, err, &diag);
    vt_log_set_level(level_of(options->log_level));
    if (!options->check_config)
        return run_cell(options);
    puts("the configuration is valid");
    return VT_EXIT_DONE;
}

int vt_cmd_serve(int argc, char **argv)
{
    struct vt_serve_options options = {0};
    return vt_command_run(&vt_serve_spec, argc, argv, &options, serve);
}
