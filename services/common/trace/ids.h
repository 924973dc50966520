#ifndef VT_TRACE_IDS_H
#define VT_TRACE_IDS_H

#include <stdint.h>

/*
 * Where ids of traces and spans come from: SplitMix64 (Steele, Lea, Flood 2014), one for each
 * serving thread. Ids have to differ, nobody has to be unable to guess them.
 */
struct vt_trace_ids {
    uint64_t state;
};

#define VT_TRACE_IDS_STRIDE UINT64_C(0x9e3779b97f4a7c15)

/* Begins where the kernel's random bytes say. Blocks at most once, early in a machine's life. */
void vt_trace_ids_init(struct vt_trace_ids *ids);

/* Never 0, which is no id. One thread. */
static inline uint64_t vt_trace_ids_next(struct vt_trace_ids *ids)
{
    uint64_t z = ids->state += VT_TRACE_IDS_STRIDE;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return z != 0 ? z : 1;
}

#endif
