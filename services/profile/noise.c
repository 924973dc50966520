/*
 * Crawlers look at everything and buy nothing; a few of them outweigh a shop's customers. Those
 * that the sender knows come with a bot mark. The others show by their pace: nobody looks at a
 * thousand pages within an hour, hour after hour. So what costs a program nothing (pages, clicks,
 * searches, impressions) is counted by visitor and hour, and what goes beyond the bound is marked.
 * What people do deliberately is never counted: a till may send ten thousand purchases an hour
 * under one card.
 *
 * The hour is the event's own, so a batch that was held back counts as if it had come in time. What
 * is over a day old is an import, not traffic, and is not counted: files often know only the day.
 *
 * Memory is fixed: 65,536 slots of visitor and hour, four to a set. Where a set is full the slot of
 * the oldest hour goes, then the least used: a crawler's own slot is the last to go. Forgetting
 * only ever lets noise through; nobody is marked for what others sent. A restart counts from zero.
 */
#include "services/profile/noise.h"

#include "services/common/base/identity.h"
#include "services/common/base/metrics.h"

#include <stdlib.h>
#include <xxhash.h>

enum {
    WAYS = 4,
    SETS = 16384, /* 1 MiB in all */
    MS_PER_HOUR = 3600 * 1000,
    LIVE_MS = 24 * MS_PER_HOUR, /* older events are not traffic */
    UNITS = 10,                 /* of the bound: what a page counts */
};

/* A page that shows fifty products makes fifty impressions and one view. */
static const uint8_t browsing_units[VT_EVENT_TYPE_COUNT] = {
    [VT_EVENT_IMPRESSION] = 1,
    [VT_EVENT_CLICK] = UNITS,
    [VT_EVENT_VIEW] = UNITS,
    [VT_EVENT_SEARCH] = UNITS,
};

struct slot {
    uint64_t visitor; /* hash of identity and hour; 0: free */
    uint32_t hour;    /* since 1970 */
    uint32_t used;    /* units; stays at its maximum */
};

struct vt__noise {
    uint32_t units_per_hour; /* 0: no bound */
    struct vt_counter *n_bot, *n_capped, *n_clamped;
    struct slot slots[SETS][WAYS];
};

struct vt_err vt__noise_new(uint32_t events_per_hour, struct vt_metrics *metrics,
                            struct vt__noise **ret_noise)
{
    struct vt__noise *noise = calloc(1, sizeof *noise);
    VT_CHECK(noise != NULL, VT_EXHAUSTED, "out of memory");
    noise->units_per_hour =
        events_per_hour < UINT32_MAX / UNITS ? events_per_hour * UNITS : UINT32_MAX;
    const char *name = "vitrine_events_noise_total";
    const char *help = "Accepted events that count for nothing, by reason.";
    noise->n_bot = vt_metrics_counter(metrics, name, help, "reason=\"bot\"");
    noise->n_capped = vt_metrics_counter(metrics, name, help, "reason=\"cap\"");
    noise->n_clamped =
        vt_metrics_counter(metrics, "vitrine_events_clamped_total",
                           "Accepted events from clocks ahead of ours, kept at our time.", "");
    *ret_noise = noise;
    return vt_ok();
}

void vt__noise_free(struct vt__noise *noise)
{
    free(noise);
}

int64_t vt__noise_event_time(struct vt__noise *noise, int64_t time_ms, int64_t now_ms)
{
    if (time_ms <= now_ms + VT_EVENT_AHEAD_MS)
        return time_ms;
    vt_counter_add(noise->n_clamped, 1);
    return now_ms;
}

static bool goes_before(const struct slot *a, const struct slot *b)
{
    return a->hour != b->hour ? a->hour < b->hour : a->used < b->used;
}

/* The visitor's slot; a new one takes a free place or the one that is missed least. */
static struct slot *slot_of(struct vt__noise *noise, const struct vt__key *identity, uint32_t hour)
{
    uint64_t visitor = XXH3_64bits_withSeed(identity->bytes, identity->len, hour) | 1;
    struct slot *set = noise->slots[(visitor >> 1) % SETS], *least = &set[0];
    for (unsigned way = 0; way < WAYS; way++) {
        if (set[way].visitor == visitor && set[way].hour == hour)
            return &set[way];
        if (goes_before(&set[way], least)) /* a free one has hour 0 */
            least = &set[way];
    }
    *least = (struct slot){.visitor = visitor, .hour = hour};
    return least;
}

static bool is_over(struct vt__noise *noise, unsigned type, int64_t time_ms,
                    const struct vt__key *identity, int64_t now_ms)
{
    uint32_t units = browsing_units[type];
    if (noise->units_per_hour == 0 || units == 0 || time_ms < now_ms - LIVE_MS)
        return false;
    struct slot *slot = slot_of(noise, identity, (uint32_t)(time_ms / MS_PER_HOUR));
    slot->used = slot->used <= UINT32_MAX - units ? slot->used + units : UINT32_MAX;
    return slot->used > noise->units_per_hour;
}

enum vt__noise_mark vt__noise_judge(struct vt__noise *noise, const struct vt_event *event,
                                    int64_t time_ms, const struct vt__key *identity, int64_t now_ms)
{
    if (event->bot) {
        vt_counter_add(noise->n_bot, 1);
        return VT__NOISE_BOT;
    }
    if (identity == NULL || identity->bytes[0] == VT_IDENTITY_UNSPECIFIED ||
        !is_over(noise, event->type, time_ms, identity, now_ms))
        return VT__NOISE_NONE;
    vt_counter_add(noise->n_capped, 1);
    return VT__NOISE_CAP;
}
