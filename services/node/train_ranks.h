#ifndef VT_NODE_TRAIN_RANKS_H
#define VT_NODE_TRAIN_RANKS_H

#include "services/node/train_job.h"

/* `vitrine train --mpi`, on every rank that mpirun started: rank 0 does `rank_0` with job->group
 * set, the others their part of its trainings. Returns the exit status; when a rank fails it ends
 * all of them with that status. */
int vt_train_ranks_run(struct vt_train_job *job, int (*rank_0)(struct vt_train_job *job));

#endif
