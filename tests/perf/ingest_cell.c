/* The options go through the command line's own table, so that defaults are those of a user. */
#include "tests/perf/ingest_cell.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static struct vt_err parse(const char *folder, struct vt_diag *diag, struct ingest_cell *cell)
{
    static char words[][20] = {/* the options point into them */
                               "serve", "--listen",    "127.0.0.1:0", "--drain-linger",
                               "0ms",   "--log-level", "error",       "--data"};
    enum { N_WORDS = sizeof words / sizeof words[0] };
    char *argv[N_WORDS + 2];
    bool help = false;
    for (int i = 0; i < N_WORDS; i++)
        argv[i] = words[i];
    argv[N_WORDS] = (char *)(uintptr_t)folder;
    argv[N_WORDS + 1] = NULL;
    return vt_options_parse(&vt_serve_spec, N_WORDS + 1, argv, &cell->options, &cell->parsed, &help,
                            diag);
}

static struct vt_err connect_to(struct ingest_cell *cell)
{
    char target[32];
    const struct timespec poll = {.tv_nsec = 1000000};
    while (!vt_cell_poll_ready(cell->cell))
        nanosleep(&poll, NULL);
    snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)vt_cell_grpc_port(cell->cell));
    return vt_rpc_channel_new(target, &cell->channel);
}

struct vt_err ingest_cell_start(const char *folder, struct vt_diag *diag,
                                struct ingest_cell *ret_cell)
{
    *ret_cell = (struct ingest_cell){0};
    struct vt_err err = parse(folder, diag, ret_cell);
    if (!vt_failed(err))
        err = vt_cell_start(&ret_cell->options, diag, &ret_cell->cell);
    if (!vt_failed(err))
        err = connect_to(ret_cell);
    if (vt_failed(err))
        ingest_cell_stop(ret_cell);
    return err;
}

void ingest_cell_stop(struct ingest_cell *cell)
{
    vt_rpc_channel_free(cell->channel);
    vt_cell_stop(cell->cell);
    vt_options_fini(&cell->parsed);
    *cell = (struct ingest_cell){0};
}
