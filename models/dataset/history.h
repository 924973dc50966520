#ifndef VT_DATASET_HISTORY_H
#define VT_DATASET_HISTORY_H

#include "services/common/base/event.h"

#include <stdint.h>

/*
 * What a customer's events say about items: the one definition that training (dataset.c) and
 * serving (fold-in) share. Plain functions, any thread, no allocation.
 */

/* The weight of the event's type, halved for each half-life that it is older than `newest_ms`.
 * `half_life_days` 0: no decay. The event's value (quantity, stars) does not enter. */
float vt_event_confidence(const float event_weights[VT_EVENT_TYPE_COUNT], unsigned type,
                          int64_t time_ms, int64_t newest_ms, double half_life_days);

/* Events of one customer → items with the sum of their confidences; items whose sum is not above 0
 * are left out. Age counts from the newest event given. `ret_items` (item numbers, in the order of
 * their first event here) and `ret_weights` hold up to n_events. Returns how many. O(n²), for
 * histories of up to a few hundred events. */
uint32_t vt_history_merge(const struct vt_history_event *events, uint32_t n_events,
                          const float event_weights[VT_EVENT_TYPE_COUNT], double half_life_days,
                          uint32_t *ret_items, float *ret_weights);

#endif
