#ifndef LOADTEST_RANDOM_H
#define LOADTEST_RANDOM_H

#include <stdint.h>

/* splitmix64 (Steele, Lea, Flood 2014): a stream of 64-bit numbers from any seed. One thread. */
struct load_random {
    uint64_t state;
};

static inline uint64_t load_random_bits(struct load_random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Between 0 and 1, both excluded, so that its logarithm is finite. */
static inline double load_random_unit(struct load_random *random)
{
    return ((double)(load_random_bits(random) >> 11) + 0.5) * 0x1p-53;
}

/* 0 to n - 1, where 0 < n < 2^32; the bias is below n / 2^32. */
static inline uint64_t load_random_below(struct load_random *random, uint64_t n)
{
    return ((load_random_bits(random) >> 32) * n) >> 32;
}

#endif
