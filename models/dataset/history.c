/*
 * Confidence of events. Training sums it over a whole matrix, serving over one history; a customer
 * vector computed at request time equals the trained one because both come through here.
 */
#include "models/dataset/history.h"

#include <math.h>
#include <string.h>

#define MS_PER_DAY (24.0 * 60 * 60 * 1000)

/* value^exponent of the type. */
static double value_factor(const struct vt_event_weighing *weighing, unsigned type, float value)
{
    const double exponent =
        weighing->value_exponents != NULL ? (double)weighing->value_exponents[type] : 0;
    if (!(exponent > 0) || !(value > 0))
        return 1;
    return pow(fmin((double)value, VT_AMOUNT_MAX), exponent);
}

float vt_event_confidence(const struct vt_event_weighing *weighing, unsigned type, float value,
                          int64_t time_ms, int64_t newest_ms)
{
    if (type >= VT_EVENT_TYPE_COUNT)
        return 0;
    const double weight =
        (double)weighing->event_weights[type] * value_factor(weighing, type, value);
    if (!(weighing->half_life_days > 0) || time_ms >= newest_ms)
        return (float)weight;
    double age_days = ((double)newest_ms - (double)time_ms) / MS_PER_DAY;
    return (float)(weight * exp2(-age_days / weighing->half_life_days));
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

bool vt_dislikes_count(const float event_weights[VT_EVENT_TYPE_COUNT])
{
    return event_weights[VT_EVENT_DISLIKE] < 0;
}

static bool is_dislike(const struct vt_history_event *event)
{
    return event->item != 0 && vt_event_opinion(event->type, event->value) < 0;
}

/* No later event says otherwise, or the same again. */
static bool stands(const struct vt_history_event *events, uint32_t n_events,
                   const struct vt_history_event *opinion)
{
    for (uint32_t e = 0; e < n_events; e++)
        if (events[e].item == opinion->item && events[e].time_ms > opinion->time_ms &&
            vt_event_opinion(events[e].type, events[e].value) != 0)
            return false;
    return true;
}

static uint32_t find(const uint32_t *items, uint32_t n, uint32_t item)
{
    uint32_t at = 0;
    while (at < n && items[at] != item)
        at++;
    return at;
}

uint32_t vt_history_dislikes(const struct vt_history_event *events, uint32_t n_events,
                             uint32_t *ret_items)
{
    uint32_t n = 0;
    for (uint32_t e = 0; e < n_events; e++)
        if (is_dislike(&events[e]) && stands(events, n_events, &events[e]) &&
            find(ret_items, n, events[e].item) == n)
            ret_items[n++] = events[e].item;
    return n;
}

static float dislike_confidence(const struct vt_history_event *events, uint32_t n_events,
                                uint32_t item, const struct vt_event_weighing *weighing)
{
    int64_t time_ms = INT64_MIN;
    for (uint32_t e = 0; e < n_events; e++)
        if (events[e].item == item && is_dislike(&events[e]) && events[e].time_ms > time_ms)
            time_ms = events[e].time_ms;
    return vt_event_confidence(weighing, VT_EVENT_DISLIKE, 0, time_ms,
                               newest_time(events, n_events));
}

/* Dislikes are not summed: one that stands says all there is to say, one that was taken back says
 * nothing. Returns how many items were touched. */
static uint32_t sum_behaviour(const struct vt_history_event *events, uint32_t n_events,
                              const struct vt_event_weighing *weighing, uint32_t *items,
                              float *weights)
{
    bool dislikes = vt_dislikes_count(weighing->event_weights);
    int64_t newest_ms = newest_time(events, n_events);
    uint32_t n = 0;
    for (uint32_t e = 0; e < n_events; e++) {
        if (dislikes && is_dislike(&events[e]))
            continue;
        uint32_t i = find_or_append(events[e].item, items, weights, &n);
        weights[i] += vt_event_confidence(weighing, events[e].type, events[e].value,
                                          events[e].time_ms, newest_ms);
    }
    return n;
}

uint32_t vt_history_merge(const struct vt_history_event *events, uint32_t n_events,
                          const struct vt_event_weighing *weighing, uint32_t *ret_items,
                          float *ret_weights, uint32_t *ret_n_disliked)
{
    uint32_t n = sum_behaviour(events, n_events, weighing, ret_items, ret_weights);
    uint32_t *disliked = ret_items + n;
    uint32_t n_disliked = vt_dislikes_count(weighing->event_weights)
                              ? vt_history_dislikes(events, n_events, disliked)
                              : 0;
    for (uint32_t i = 0; i < n && n_disliked > 0; i++)
        if (find(disliked, n_disliked, ret_items[i]) < n_disliked)
            ret_weights[i] = 0;
    uint32_t n_liked = drop_not_positive(ret_items, ret_weights, n);
    memmove(ret_items + n_liked, disliked, n_disliked * sizeof *disliked);
    for (uint32_t i = n_liked; i < n_liked + n_disliked; i++)
        ret_weights[i] = dislike_confidence(events, n_events, ret_items[i], weighing);
    *ret_n_disliked = n_disliked;
    return n_liked;
}
