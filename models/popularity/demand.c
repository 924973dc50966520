/*
 * One sorted copy of the events, then only passes over it. A customer counts once for an item,
 * however often: the weights of one run of (item, customer) are added up first.
 */
#include "models/popularity/demand.h"

#include <math.h>
#include <stdlib.h>

#define DAY_MS (24 * 60 * 60 * 1000.0)

static uint32_t find_item(const struct vt_dataset *dataset, uint32_t item)
{
    uint32_t low = 0, high = dataset->matrix.n_cols;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (dataset->item_ids[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < dataset->matrix.n_cols && dataset->item_ids[low] == item;
    return found ? low : UINT32_MAX;
}

static uint32_t find_user(const struct vt_dataset *dataset, uint64_t user)
{
    uint32_t low = 0, high = dataset->matrix.n_rows;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (dataset->user_ids[middle] < user)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < dataset->matrix.n_rows && dataset->user_ids[low] == user;
    return found ? low : UINT32_MAX;
}

static int by_item_customer_time(const void *left, const void *right)
{
    const struct vt_demand_event *a = left, *b = right;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->channel != b->channel)
        return a->channel < b->channel ? -1 : 1;
    return a->weight < b->weight ? -1 : a->weight > b->weight;
}

static void add_event(const struct vt_interaction *interaction, const struct vt_dataset *dataset,
                      const float *event_weights, struct vt_demand *demand)
{
    float weight = interaction->type < VT_EVENT_TYPE_COUNT ? event_weights[interaction->type] : 0;
    if (fpclassify(weight) == FP_ZERO)
        return;
    struct vt_demand_event event = {
        .column = find_item(dataset, interaction->item),
        .row = find_user(dataset, interaction->user),
        .channel = interaction->channel,
        .weight = weight,
        .time_ms = interaction->time_ms,
    };
    if (event.column == UINT32_MAX || event.row == UINT32_MAX)
        return;
    if (demand->n == 0 || event.time_ms > demand->last_time_ms)
        demand->last_time_ms = event.time_ms;
    demand->events[demand->n++] = event;
}

struct vt_err vt_demand_build(const struct vt_interaction *interactions, uint64_t n,
                              const struct vt_dataset *dataset,
                              const float event_weights[VT_EVENT_TYPE_COUNT],
                              struct vt_demand *ret_demand)
{
    struct vt_demand demand = {.n_items = dataset->matrix.n_cols,
                               .n_customers = dataset->matrix.n_rows};
    demand.events = malloc(((size_t)n + 1) * sizeof *demand.events);
    VT_CHECK(demand.events != NULL, VT_EXHAUSTED, "out of memory for what is in demand");
    for (uint64_t i = 0; i < n; i++)
        add_event(&interactions[i], dataset, event_weights, &demand);
    qsort(demand.events, (size_t)demand.n, sizeof *demand.events, by_item_customer_time);
    *ret_demand = demand;
    return vt_ok();
}

void vt_demand_free(struct vt_demand *demand)
{
    if (demand == NULL)
        return;
    free(demand->events);
    *demand = (struct vt_demand){0};
}

static bool same_pair(const struct vt_demand_event *a, const struct vt_demand_event *b)
{
    return a->column == b->column && a->row == b->row;
}

static double weight_of(const struct vt_demand *demand, const struct vt_demand_event *event,
                        double half_life_days)
{
    double age_days = (double)(demand->last_time_ms - event->time_ms) / DAY_MS;
    return (double)event->weight * (half_life_days > 0 ? exp2(-age_days / half_life_days) : 1);
}

void vt_demand_popularity(const struct vt_demand *demand, vt_demand_filter_fn filter,
                          const void *ctx, double half_life_days, float *ret_popularity)
{
    uint64_t i = 0;
    for (uint32_t column = 0; column < demand->n_items; column++) {
        double sum = 0;
        while (i < demand->n && demand->events[i].column == column) {
            const struct vt_demand_event *first = &demand->events[i];
            double weight = 0;
            for (; i < demand->n && same_pair(first, &demand->events[i]); i++)
                if (filter == NULL || filter(ctx, &demand->events[i]))
                    weight += weight_of(demand, &demand->events[i], half_life_days);
            sum += weight / (1 + fabs(weight));
        }
        ret_popularity[column] = (float)fmax(sum, 0);
    }
}
