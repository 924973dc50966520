#ifndef VT_TRAIN_NEED_H
#define VT_TRAIN_NEED_H

#include "models/train/train.h"

#include <stdint.h>

/* What a training will take, before it begins: memory at its peak from above, with the list of
 * events that is there already, and arithmetic of all its passes. */
struct vt_train_need {
    uint64_t memory_bytes;
    uint64_t rank_memory_bytes; /* of each rank but 0; 0: there is none */
    double gflop;
    double seconds; /* on this machine, from a short measurement; a rough figure */
};

/* Derived from the arrays that each step holds, of a training by n_ranks (1: alone). The
 * measurement of the machine takes about a tenth of a second, on `threads` threads. */
struct vt_train_need vt_train_need(const struct vt_train_options *options,
                                   const struct vt_shape *shape, uint32_t n_ranks);

/* VT_EXHAUSTED when the need is above `memory_bytes`; `diag` says by how much and what would fit:
 * the largest number of factors, where that is what takes it. */
VT_MUST_USE struct vt_err vt_train_need_check(const struct vt_train_options *options,
                                              const struct vt_shape *shape,
                                              const struct vt_train_need *need,
                                              uint64_t memory_bytes, struct vt_diag *diag);

/* GFLOP/s of the kernel that training spends its time in (a symmetric rank-k update of 64 columns)
 * on so many threads. About 0.1 s. */
double vt_train_speed_gflops(uint32_t threads);

#endif
