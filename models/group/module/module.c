/*
 * The group over MPI: the only file that includes <mpi.h>, built as vitrine-mpi.so. Messages are
 * cut into pieces because MPI counts in int. A rank that fails takes the others with it (MPI's own
 * rule, and mpirun says which it was): nothing has been published then, since rank 0 writes last.
 */
#include "models/group/mpi.h"

#include <mpi.h>

enum { PIECE_BYTES = 64 << 20, TAG = 1 };

static int piece_of(size_t left)
{
    return (int)(left < PIECE_BYTES ? left : PIECE_BYTES);
}

static struct vt_err mpi_swap(void *self, uint32_t to, const void *sent, size_t sent_bytes,
                              uint32_t from, void *ret_received, size_t received_bytes)
{
    size_t out = 0, in = 0;
    (void)self;
    while (out < sent_bytes || in < received_bytes) {
        MPI_Request requests[2];
        int n = 0, out_now = piece_of(sent_bytes - out), in_now = piece_of(received_bytes - in);
        if (in_now > 0)
            MPI_Irecv((char *)ret_received + in, in_now, MPI_BYTE, (int)from, TAG, MPI_COMM_WORLD,
                      &requests[n++]);
        if (out_now > 0)
            MPI_Isend((const char *)sent + out, out_now, MPI_BYTE, (int)to, TAG, MPI_COMM_WORLD,
                      &requests[n++]);
        VT_CHECK(MPI_Waitall(n, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS, VT_UNAVAILABLE,
                 "a rank is away");
        out += (size_t)out_now;
        in += (size_t)in_now;
    }
    return vt_ok();
}

static void mpi_finish(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
}

static void mpi_abort(int status)
{
    MPI_Abort(MPI_COMM_WORLD, status);
}

struct vt_err vt_mpi_module_open(struct vt_mpi *ret_mpi);

struct vt_err vt_mpi_module_open(struct vt_mpi *ret_mpi)
{
    int level, rank, n_ranks;
    VT_CHECK(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) == MPI_SUCCESS &&
                 level >= MPI_THREAD_FUNNELED,
             VT_UNAVAILABLE, "MPI does not start");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n_ranks);
    VT_CHECK(n_ranks <= VT_GROUP_RANKS_MAX, VT_INVALID, "more than 64 ranks");
    *ret_mpi = (struct vt_mpi){
        .group = {.rank = (uint32_t)rank, .n_ranks = (uint32_t)n_ranks, .swap = mpi_swap},
        .finish = mpi_finish,
        .abort = mpi_abort,
    };
    return vt_ok();
}
