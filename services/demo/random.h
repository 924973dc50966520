#ifndef VT_DEMO_RANDOM_H
#define VT_DEMO_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Seeded randomness for the generator: PCG32 (O'Neill 2014) and draws that use only exact IEEE
 * arithmetic (+ − × ÷), no libm: the same seed gives the same bytes on every machine. One thread.
 */
struct vt_random {
    uint64_t state, stream;
};

/* Different `stream`s of one seed are independent: one per purpose, so that a change in one part
 * of the generator does not reshuffle the others. */
void vt_random_init(struct vt_random *random, uint64_t seed, uint64_t stream);
/* All 32 bits. */
uint32_t vt_random_u32(struct vt_random *random);
/* 0 ≤ result < bound; bound above 0. Unbiased. */
uint32_t vt_random_below(struct vt_random *random, uint32_t bound);
/* min ≤ result ≤ max. */
uint32_t vt_random_between(struct vt_random *random, uint32_t min, uint32_t max);
/* 0 ≤ result < 1, 32 bits of it. */
double vt_random_unit(struct vt_random *random);
/* True with this probability: never at 0, always at 1. */
bool vt_random_chance(struct vt_random *random, double probability);
/* Index drawn by running totals `cumulative` (ascending, last one the sum); n above 0. O(log n). */
uint32_t vt_random_pick(struct vt_random *random, const double *cumulative, uint32_t n);

#endif
