#ifndef VT_DATASET_HISTORY_H
#define VT_DATASET_HISTORY_H

#include "services/common/base/event.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What a customer's events say about items: the one definition that training (dataset.c) and
 * serving (fold-in) share. Plain functions, any thread, no allocation.
 */

/* How events are weighed, as training chose it and the manifest keeps it. Borrowed arrays of
 * VT_EVENT_TYPE_COUNT. */
struct vt_event_weighing {
    const float *event_weights;
    const float *value_exponents; /* 0 to 1; 0: the value does not enter. NULL: of all types 0 */
    double half_life_days;        /* 0: no decay */
};

/* weight of the type · value^exponent of the type · 2^(−age / half-life), age counted from
 * `newest_ms`. A value (quantity, stars, the storefront's own) that is not above 0 says nothing and
 * counts as 1; one above VT_AMOUNT_MAX counts as that. */
float vt_event_confidence(const struct vt_event_weighing *weighing, unsigned type, float value,
                          int64_t time_ms, int64_t newest_ms);

/* Whether dislikes count as such: their type has a negative weight. */
bool vt_dislikes_count(const float event_weights[VT_EVENT_TYPE_COUNT]);

/* The items whose newest opinion (vt_event_opinion) is a dislike; at equal times the dislike
 * stands. Events in any order. `ret_items` holds up to n_events. Returns how many, each once. O(n)
 * without dislikes. */
uint32_t vt_history_dislikes(const struct vt_history_event *events, uint32_t n_events,
                             uint32_t *ret_items);

/* Events of one customer → items with a weight:
 *   liked      the sum of the confidences of its events, without opinions that were taken back;
 *              items whose sum is not above 0 are left out
 *   disliked   whatever else was done with it: minus the confidence of the dislike, whose value
 *              does not enter: few stars are no weak dislike
 * Age counts from the newest event given. `ret_items` (item numbers) and `ret_weights` hold up to
 * n_events: first the liked in the order of their first event here, then the disliked. Returns how
 * many are liked; *ret_n_disliked follow them, none when dislikes do not count. O(n²), for
 * histories of up to a few hundred events. */
uint32_t vt_history_merge(const struct vt_history_event *events, uint32_t n_events,
                          const struct vt_event_weighing *weighing, uint32_t *ret_items,
                          float *ret_weights, uint32_t *ret_n_disliked);

#endif
