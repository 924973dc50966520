/*
 * One training by the ranks of mpirun. Rank 0 is the trainer as ever: it holds the lock, reads the
 * events, measures, judges and writes. The others see neither the data folder nor the caller. A
 * rank that fails ends all, and since publishing is the last thing that rank 0 does, after every
 * exchange, what serves then stays.
 */
#include "services/node/train_ranks.h"

#include "models/factor/ials.h"
#include "models/group/mpi.h"
#include "models/kernels/kernels.h"
#include "services/node/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CORE_BYTES = 128 };
#define COMMAND "vitrine train"

/* The same bytes need the same kernels everywhere. */
static struct vt_err check_alike(const struct vt_group *group, struct vt_diag *diag)
{
    char first[CORE_BYTES] = "", own[CORE_BYTES] = "";
    snprintf(own, sizeof own, "%s", vt_kernels_blas_core());
    memcpy(first, own, sizeof first);
    VT_TRY(vt_group_broadcast(group, first, sizeof first));
    if (strncmp(first, own, sizeof own) == 0)
        return vt_ok();
    vt_diag_set(diag, "mpi",
                "rank %" PRIu32 " computes with %s, rank 0 with %s: their sums would differ. Set "
                "OPENBLAS_CORETYPE to one that both have (mpirun -x OPENBLAS_CORETYPE=…)",
                group->rank, own, first);
    return VT_ERR(VT_PRECONDITION, "the machines compute differently");
}

static int fail_rank(const struct vt_group *group, struct vt_err err, const struct vt_diag *diag)
{
    fprintf(stderr, "rank %" PRIu32 " of %" PRIu32 " failed: all end, and nothing is published\n",
            group->rank, group->n_ranks);
    return vt_command_fail(COMMAND, err, diag);
}

static int run_rank(struct vt_train_job *job, const struct vt_group *group,
                    int (*rank_0)(struct vt_train_job *job))
{
    struct vt_diag diag = {0};
    struct vt_err err = check_alike(group, &diag);
    if (!vt_failed(err) && group->rank > 0)
        err = vt_ials_work(group, job->command->threads);
    if (vt_failed(err))
        return fail_rank(group, err, &diag);
    if (group->rank > 0)
        return VT_EXIT_DONE;
    job->group = group;
    const int status = rank_0(job);
    if (status != VT_EXIT_DONE || group->n_ranks == 1)
        return status;
    err = vt_ials_dismiss(group);
    return vt_failed(err) ? fail_rank(group, err, NULL) : VT_EXIT_DONE;
}

int vt_train_ranks_run(struct vt_train_job *job, int (*rank_0)(struct vt_train_job *job))
{
    struct vt_diag diag = {0};
    struct vt_mpi mpi;
    struct vt_err err = vt_mpi_open(&diag, &mpi);
    if (vt_failed(err))
        return vt_command_fail(COMMAND, err, &diag);
    const int status = run_rank(job, &mpi.group, rank_0);
    fflush(NULL);
    if (status != VT_EXIT_DONE)
        mpi.abort(status);
    mpi.finish();
    return status;
}
