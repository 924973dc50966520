#ifndef TESTS_PERF_INGEST_CELL_H
#define TESTS_PERF_INGEST_CELL_H

#include "services/common/rpc/client.h"
#include "services/node/cell.h"

/* A whole cell in this process: what `vitrine serve --data` runs, on threads of its own and a port
 * of 127.0.0.1, and a connection to it. Everything is at its default. */
struct ingest_cell {
    struct vt_cell *cell;
    struct vt_rpc_channel *channel;
    struct vt_serve_options options;
    struct vt_options parsed;
};

/* Waits until it is ready. On failure nothing stays open. */
VT_MUST_USE struct vt_err ingest_cell_start(const char *folder, struct vt_diag *diag,
                                            struct ingest_cell *ret_cell);
void ingest_cell_stop(struct ingest_cell *cell);

#endif
