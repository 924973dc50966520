#ifndef LOADTEST_ZIPF_H
#define LOADTEST_ZIPF_H

#include "loadtest/random.h"

#include <stdint.h>

/* Ranks 0 to n - 1 with probability proportional to 1 / (rank + 1)^exponent: few customers come
 * often, many seldom. Immutable after _init: any thread, each with its own random numbers. */
struct zipf {
    double exponent, h_first, h_last, shortcut;
    uint64_t n;
};

/* n ≥ 1, exponent 0 (all alike) to 5. */
void zipf_init(struct zipf *zipf, uint64_t n, double exponent);
/* O(1), no table; 1.1 random numbers on average. */
uint64_t zipf_draw(const struct zipf *zipf, struct load_random *random);

#endif
