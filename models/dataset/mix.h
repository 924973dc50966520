#ifndef VT_DATASET_MIX_H
#define VT_DATASET_MIX_H

#include <stdint.h>

/* The output function of splitmix64 (Steele, Lea, Flood 2014): 64 bits to 64 well mixed ones, one
 * to one. With a counter times VT_MIX64_STEP before it, the generator itself. Any thread. */
#define VT_MIX64_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t vt_mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
