/*
 * vitrine serve: builds the cell, waits for SIGTERM or SIGINT, drains. Signals are blocked before
 * any thread starts and taken by sigtimedwait here, so that no handler runs anywhere.
 */
#include "services/common/base/log.h"
#include "services/node/cell.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/serve_options.h"
#include "services/node/serve_tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { READY_POLL_MS = 20 };

static void block_signals(sigset_t *ret_stop)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(ret_stop);
    sigaddset(ret_stop, SIGTERM);
    sigaddset(ret_stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, ret_stop, NULL);
}

/* Returns the signal. Until the cell is ready it looks again every few milliseconds. */
static int wait_for_stop(struct vt_cell *cell, const sigset_t *stop)
{
    const struct timespec poll = {.tv_nsec = READY_POLL_MS * 1000000L};
    bool ready = false;
    for (;;) {
        if (!ready && (ready = vt_cell_poll_ready(cell)))
            vt_log(VT_LOG_INFO, "ready", VT_F_INT("port", vt_cell_grpc_port(cell)));
        int caught = ready ? sigwaitinfo(stop, NULL) : sigtimedwait(stop, NULL, &poll);
        if (caught > 0)
            return caught;
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
    sigset_t stop;
    struct vt_diag diag = {0};
    struct vt_cell *cell = NULL;
    block_signals(&stop);
    struct vt_err err = vt_cell_start(options, &diag, &cell);
    if (vt_failed(err))
        return vt_command_fail(vt_serve_spec.command, err, &diag);
    vt_log(VT_LOG_INFO, "listening", VT_F_STR("role", options->role),
           VT_F_BOOL("tls", options->tls.cert != NULL), VT_F_INT("port", vt_cell_grpc_port(cell)),
           VT_F_INT("http_port", vt_cell_http_port(cell)));
    if (options->plaintext_from_the_network)
        vt_log(VT_LOG_WARN, "plaintext_from_the_network", VT_F_STR("listen", options->listen));
    int caught = wait_for_stop(cell, &stop);
    vt_log(VT_LOG_INFO, "draining", VT_F_STR("signal", caught == SIGTERM ? "TERM" : "INT"));
    vt_cell_stop(cell);
    vt_log(VT_LOG_INFO, "stopped");
    return VT_EXIT_DONE;
}

static int serve(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct vt_serve_options *options = target;
    struct vt_diag diag = {0};
    struct vt_err err = vt_serve_options_check(options, &diag);
    if (!vt_failed(err))
        err = vt_serve_tls_check(options, &diag);
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
