/*
 * PCG32 (XSH-RR 64/32): one multiplication and a rotation a draw, a stream chosen by the increment.
 * Ours rather than the C library's, because every byte of the generator follows from the seed on
 * any machine; bounds are met by rejection, so that no value is likelier than another.
 */
#include "services/demo/random.h"

void vt_random_init(struct vt_random *random, uint64_t seed, uint64_t stream)
{
    *random = (struct vt_random){.state = 0, .stream = (stream << 1) | 1};
    vt_random_u32(random);
    random->state += seed;
    vt_random_u32(random);
}

uint32_t vt_random_u32(struct vt_random *random)
{
    uint64_t old = random->state;
    random->state = old * UINT64_C(6364136223846793005) + random->stream;
    uint32_t mixed = (uint32_t)(((old >> 18) ^ old) >> 27);
    uint32_t turn = (uint32_t)(old >> 59);
    return (mixed >> turn) | (mixed << ((32 - turn) & 31));
}

uint32_t vt_random_below(struct vt_random *random, uint32_t bound)
{
    uint32_t threshold = (UINT32_MAX - bound + 1) % bound; /* 2^32 mod bound */
    for (;;) {
        uint32_t draw = vt_random_u32(random);
        if (draw >= threshold)
            return draw % bound;
    }
}

uint32_t vt_random_between(struct vt_random *random, uint32_t min, uint32_t max)
{
    return min + vt_random_below(random, max - min + 1);
}

double vt_random_unit(struct vt_random *random)
{
    return vt_random_u32(random) / 4294967296.0;
}

bool vt_random_chance(struct vt_random *random, double probability)
{
    return vt_random_unit(random) < probability;
}

uint32_t vt_random_pick(struct vt_random *random, const double *cumulative, uint32_t n)
{
    double target = vt_random_unit(random) * cumulative[n - 1];
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cumulative[middle] > target)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
