#ifndef LOADTEST_TIMELINE_H
#define LOADTEST_TIMELINE_H

#include "loadtest/histogram.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What happened when: the measured time in at most TIMELINE_SLOTS_MAX slots of whole seconds
 * (tenths for runs under a minute), each with its counts and a coarse histogram. A call belongs to
 * the slot of its intended moment, so a pause of the server stands where it was. One thread; merge
 * at the end.
 */
enum {
    TIMELINE_SLOTS_MAX = 600,
    TIMELINE_SUB_BITS = 4, /* a slot's quantiles are off by at most 6.3 %, upwards */
    TIMELINE_BUCKETS = (HISTOGRAM_POWERS + 1) << TIMELINE_SUB_BITS,
};

struct timeline_slot {
    uint64_t sent, ok, degraded, failed, max_ns;
    uint32_t latency[TIMELINE_BUCKETS]; /* of OK answers */
};

struct timeline {
    struct timeline_slot *slots; /* owned, n_slots */
    uint32_t n_slots;
    int64_t slot_ns;
};

/* False when there is no memory. */
bool timeline_init(struct timeline *timeline, int64_t duration_ms);
void timeline_fini(struct timeline *timeline); /* a zeroed one is allowed */
/* The slot of a moment, ns since the measurement began, inside of it. */
struct timeline_slot *timeline_at(const struct timeline *timeline, int64_t since_ns);
/* Counts an OK answer. */
void timeline_slot_add(struct timeline_slot *slot, uint64_t latency_ns);
/* Both of the same duration. */
void timeline_merge(struct timeline *into, const struct timeline *from);
/* As histogram_quantile. */
uint64_t timeline_slot_quantile(const struct timeline_slot *slot, double q);

#endif
