#ifndef VT_POPULARITY_DEMAND_H
#define VT_POPULARITY_DEMAND_H

#include "models/dataset/dataset.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The events of the items of a dataset in an order that makes every count one pass: by item, then
 * customer, then time. What is popular in a window, on a channel or with some customers, and what
 * is gaining, are different sums over the same list.
 */
struct vt_demand_event {
    uint32_t column, row; /* item and customer of the dataset */
    uint16_t channel;
    uint16_t reserved;
    float weight; /* of the event's type; never 0 */
    int64_t time_ms;
};

struct vt_demand {
    struct vt_demand_event *events; /* owned */
    uint64_t n;
    uint32_t n_items, n_customers;
    int64_t last_time_ms;
};

/* Events of other items or customers, and of types that weigh 0, are left out. VT_EXHAUSTED.
 * O(n log n). */
VT_MUST_USE struct vt_err vt_demand_build(const struct vt_interaction *interactions, uint64_t n,
                                          const struct vt_dataset *dataset,
                                          const float event_weights[VT_EVENT_TYPE_COUNT],
                                          struct vt_demand *ret_demand);
void vt_demand_free(struct vt_demand *demand); /* NULL or zeroed is allowed */

/* Whether an event is to be counted. */
typedef bool (*vt_demand_filter_fn)(const void *ctx, const struct vt_demand_event *event);

/* How many customers want an item, as vt_popularity_train counts them, among the events that the
 * filter lets by (NULL: all), each halved for every `half_life_days` before the newest event (0:
 * never). `ret_popularity`: n_items floats, ≥ 0. Same input, same bytes. O(n). */
void vt_demand_popularity(const struct vt_demand *demand, vt_demand_filter_fn filter,
                          const void *ctx, double half_life_days, float *ret_popularity);

#endif
