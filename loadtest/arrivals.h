#ifndef LOADTEST_ARRIVALS_H
#define LOADTEST_ARRIVALS_H

#include "loadtest/random.h"

#include <stdbool.h>
#include <stdint.h>

/* The moments at which one thread's customers come, independent of every answer. One thread. */
struct arrivals {
    struct load_random random;
    double mean_ns; /* between two of this thread */
    double at_ns;   /* the newest, since the start; a double holds hours to a nanosecond */
    bool poisson;
};

/* `rate` (a second, > 0) is that of all `n_threads` together; this is thread `index`. Fixed gaps of
 * the threads interleave evenly; Poisson processes add up to one of the whole rate. */
void arrivals_init(struct arrivals *arrivals, double rate, bool poisson, uint32_t index,
                   uint32_t n_threads, uint64_t seed);
/* The next moment, ns since the start; never before the one told last. */
int64_t arrivals_next_ns(struct arrivals *arrivals);

#endif
