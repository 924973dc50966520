#ifndef VT_NODE_CHECKPOINT_H
#define VT_NODE_CHECKPOINT_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/rpc/client.h"

/* A copy of a served live store (hard links), for the length of one command. One thread. */
enum { VT_CHECKPOINT_PATH_BYTES = 4096 };
struct vt_checkpoint {
    char folder[VT_CHECKPOINT_PATH_BYTES];   /* ours, DIR/.checkpoint-PID */
    char data_dir[VT_CHECKPOINT_PATH_BYTES]; /* within: what vt_profile_open takes */
    int fd;                                  /* of the folder, locked */
};

/* Asks the server behind `channel`, which holds `data_dir`, for one. Blocking. Removes what killed
 * commands left first. */
VT_MUST_USE struct vt_err vt_checkpoint_take(struct vt_rpc_channel *channel, const char *data_dir,
                                             struct vt_diag *diag,
                                             struct vt_checkpoint *ret_checkpoint);
/* The same, whoever holds the folder: its server is asked where one runs, else we are the owner for
 * a moment. VT_UNAVAILABLE: somebody holds it and does not answer. */
VT_MUST_USE struct vt_err vt_checkpoint_take_any(const char *data_dir, struct vt_diag *diag,
                                                 struct vt_checkpoint *ret_checkpoint);
void vt_checkpoint_drop(struct vt_checkpoint *checkpoint);

/* Removes the checkpoints of commands that were killed; those in use stay. Any process. */
void vt_checkpoint_sweep(const char *data_dir);

#endif
