/* The time line: memory is taken before the run (1.6 MB a thread at most), counting is O(1). */
#include "loadtest/timeline.h"

#include <math.h>
#include <stdlib.h>

enum { NS_PER_MS = 1000000, FINE_SLOT_MS = 100, SLOT_MS = 1000 };

static int64_t slot_ms_for(int64_t duration_ms)
{
    if (duration_ms <= FINE_SLOT_MS * (int64_t)TIMELINE_SLOTS_MAX)
        return FINE_SLOT_MS;
    int64_t most = SLOT_MS * (int64_t)TIMELINE_SLOTS_MAX;
    return SLOT_MS * ((duration_ms + most - 1) / most);
}

bool timeline_init(struct timeline *timeline, int64_t duration_ms)
{
    int64_t slot_ms = slot_ms_for(duration_ms);
    uint32_t n_slots = (uint32_t)((duration_ms + slot_ms - 1) / slot_ms);
    *timeline = (struct timeline){.slots = calloc(n_slots, sizeof *timeline->slots),
                                  .n_slots = n_slots,
                                  .slot_ns = slot_ms * NS_PER_MS};
    return timeline->slots != NULL;
}

void timeline_fini(struct timeline *timeline)
{
    free(timeline->slots);
    *timeline = (struct timeline){0};
}

struct timeline_slot *timeline_at(const struct timeline *timeline, int64_t since_ns)
{
    int64_t slot = since_ns / timeline->slot_ns;
    return &timeline->slots[slot < timeline->n_slots ? slot : timeline->n_slots - 1];
}

void timeline_slot_add(struct timeline_slot *slot, uint64_t latency_ns)
{
    slot->ok++;
    slot->latency[histogram_bucket(latency_ns, TIMELINE_SUB_BITS)]++;
    if (latency_ns > slot->max_ns)
        slot->max_ns = latency_ns;
}

static void merge_slot(struct timeline_slot *into, const struct timeline_slot *from)
{
    into->sent += from->sent;
    into->ok += from->ok;
    into->degraded += from->degraded;
    into->failed += from->failed;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (unsigned i = 0; i < TIMELINE_BUCKETS; i++)
        into->latency[i] += from->latency[i];
}

void timeline_merge(struct timeline *into, const struct timeline *from)
{
    for (uint32_t i = 0; i < into->n_slots && i < from->n_slots; i++)
        merge_slot(&into->slots[i], &from->slots[i]);
}

uint64_t timeline_slot_quantile(const struct timeline_slot *slot, double q)
{
    uint64_t rank = (uint64_t)ceil(q * (double)slot->ok), seen = 0;
    for (unsigned i = 0; i < TIMELINE_BUCKETS && slot->ok > 0; i++) {
        seen += slot->latency[i];
        if (seen >= rank && seen > 0) {
            uint64_t end = histogram_bucket_end(i, TIMELINE_SUB_BITS);
            return end < slot->max_ns ? end : slot->max_ns;
        }
    }
    return 0;
}
