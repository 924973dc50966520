#ifndef VT_DATASET_HISTORY_H
#define VT_DATASET_HISTORY_H

#include "services/common/base/event.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What a customer's events say about items: the one definition that training (dataset.c) and
 * serving (fold-in) share. Plain functions, any thread, no allocation.
 */

/* The weight of the event's type, halved for each half-life that it is older than `newest_ms`.
 * `half_life_days` 0: no decay. The event's value (quantity, stars) does not enter. */
float vt_event_confidence(const float event_weights[VT_EVENT_TYPE_COUNT], unsigned type,
                          int64_t time_ms, int64_t newest_ms, double half_life_days);

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
 *   disliked   whatever else was done with it: minus the confidence of the dislike
 * Age counts from the newest event given. `ret_items` (item numbers) and `ret_weights` hold up to
 * n_events: first the liked in the order of their first event here, then the disliked. Returns how
 * many are liked; *ret_n_disliked follow them, none when dislikes do not count. O(n²), for
 * histories of up to a few hundred events. */
uint32_t vt_history_merge(const struct vt_history_event *events, uint32_t n_events,
                          const float event_weights[VT_EVENT_TYPE_COUNT], double half_life_days,
                          uint32_t *ret_items, float *ret_weights, uint32_t *ret_n_disliked);

#endif
