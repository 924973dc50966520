#ifndef VT_NODE_CELL_H
#define VT_NODE_CELL_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/node/serve_options.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What one process serves: the parts its role needs, wired to each other: directly where both are
 * here, through a remote port where one is in another process. Built in the order of dependence,
 * torn down in the opposite one. One thread.
 */
struct vt_cell;

/* Opens, wires and listens; health is NOT_SERVING until vt_cell_poll_ready. Whatever fails is named
 * in `diag`, and nothing stays open. The options must outlive the cell. */
VT_MUST_USE struct vt_err vt_cell_start(const struct vt_serve_options *options,
                                        struct vt_diag *diag, struct vt_cell **ret_cell);
uint16_t vt_cell_grpc_port(const struct vt_cell *cell);
uint16_t vt_cell_http_port(const struct vt_cell *cell); /* 0: none */
/* Sets health to SERVING once the item table is complete and, where only answers are given, the
 * published version is loaded; true from then on. */
bool vt_cell_poll_ready(struct vt_cell *cell);
/* Whether the own port answers, dialled as a stranger would; what /livez says. Blocks for a second
 * at most. */
bool vt_cell_is_alive(const struct vt_cell *cell);
/* Reads the placements again; requests from then on follow them. Whatever is wrong with the file is
 * named in `diag`, and the old ones stay. Nothing to do where there is no such file. Blocking. */
VT_MUST_USE struct vt_err vt_cell_reload(struct vt_cell *cell, struct vt_diag *diag);
/* Drains and frees all. NULL is allowed. */
void vt_cell_stop(struct vt_cell *cell);

#endif
