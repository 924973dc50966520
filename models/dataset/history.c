/*
 * Confidence of events. Training sums it over a whole matrix, serving over one history; a customer
 * vector computed at request time equals the trained one because both come through here.
 */
#include "models/dataset/history.h"

#include <math.h>

#define MS_PER_DAY (24.0 * 60 * 60 * 1000)

float vt_event_confidence(const float event_weights[VT_EVENT_TYPE_COUNT], unsigned type,
                          int64_t time_ms, int64_t newest_ms, double half_life_days)
{
    if (type >= VT_EVENT_TYPE_COUNT)
        return 0;
    float weight = event_weights[type];
    if (!(half_life_days > 0) || time_ms >= newest_ms)
        return weight;
    double age_days = ((double)newest_ms - (double)time_ms) / MS_PER_DAY;
    return (float)((double)weight * exp2(-age_days / half_life_days));
}

static int64_t newest_time(const struct vt_history_event *events, uint32_t n_events)
{
    int64_t newest_ms = INT64_MIN;
    for (uint32_t e = 0; e < n_events; e++)
        if (events[e].time_ms > newest_ms)
            newest_ms = events[e].time_ms;
    return newest_ms;
}

static uint32_t find_or_append(uint32_t item, uint32_t *items, float *weights, uint32_t *n)
{
    for (uint32_t i = 0; i < *n; i++)
        if (items[i] == item)
            return i;
    items[*n] = item;
    weights[*n] = 0;
    return (*n)++;
}

static uint32_t drop_not_positive(uint32_t *items, float *weights, uint32_t n)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!(weights[i] > 0))
            continue;
        items[n_kept] = items[i];
        weights[n_kept++] = weights[i];
    }
    return n_kept;
}

uint32_t vt_history_merge(const struct vt_history_event *events, uint32_t n_events,
                          const float event_weights[VT_EVENT_TYPE_COUNT], double half_life_days,
                          uint32_t *ret_items, float *ret_weights)
{
    int64_t newest_ms = newest_time(events, n_events);
    uint32_t n = 0;
    for (uint32_t e = 0; e < n_events; e++) {
        uint32_t i = find_or_append(events[e].item, ret_items, ret_weights, &n);
        ret_weights[i] += vt_event_confidence(event_weights, events[e].type, events[e].time_ms,
                                              newest_ms, half_life_days);
    }
    return drop_not_positive(ret_items, ret_weights, n);
}
