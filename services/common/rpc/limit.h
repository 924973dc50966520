#ifndef VT_RPC_LIMIT_H
#define VT_RPC_LIMIT_H

#include <stdint.h>

/*
 * How many calls of one method a serving thread has under way at most, learned from how long they
 * take: when they begin to take longer than they used to, what they wait for (another service, a
 * writer, a pool) is full, and more at a time only makes all of them late. One thread's.
 */
struct vt__limit {
    double limit;      /* calls at a time */
    double usual_ns;   /* slow average of latency; 0: none yet */
    int64_t sum_ns;    /* of the window */
    uint32_t n;        /* samples in the window */
    uint32_t n_at_max; /* most calls at a time in the window */
};

enum { VT__LIMIT_MIN = 64, VT__LIMIT_MAX = 1024, VT__LIMIT_WINDOW = 64 };

void vt__limit_init(struct vt__limit *limit);
/* A call was answered `latency_ns` after it began; `n_under_way` were then, it included. */
void vt__limit_observe(struct vt__limit *limit, int64_t latency_ns, uint32_t n_under_way);

#endif
