#ifndef VT_GROUP_MPI_H
#define VT_GROUP_MPI_H

#include "models/group/group.h"

/* The face of vitrine-mpi.so, the only part that links MPI: what serves never loads it. */
struct vt_mpi {
    struct vt_group group;
    /* Waits for the others, then leaves; no call after it. */
    void (*finish)(void);
    /* Ends all ranks with this status, now: for a failure that the others cannot know of. */
    void (*abort)(int status);
};
#define VT_MPI_MODULE "vitrine-mpi.so"
#define VT_MPI_OPEN "vt_mpi_module_open"
typedef struct vt_err (*vt_mpi_open_fn)(struct vt_mpi *ret_mpi);

/* Loads the module from beside the program or ../lib/vitrine, and joins the ranks that mpirun has
 * started; a program that mpirun did not start is a group of one. VT_UNAVAILABLE with what to do in
 * `diag` when the module or MPI is not there; VT_INVALID for more than VT_GROUP_RANKS_MAX ranks.
 * Once a process, on its first thread; all calls of the group on that thread. */
VT_MUST_USE struct vt_err vt_mpi_open(struct vt_diag *diag, struct vt_mpi *ret_mpi);

#endif
