/*
 * History and context → weighted rows. The weights and their decay are the bundle's, through the
 * same function as training, so that a vector folded in here equals the one training would have
 * found. Context items count as views at the time of the newest event. Only for "alike to these"
 * the history is left out and each item weighs one.
 */
#include "services/candidate/taste.h"

#include "models/dataset/history.h"

#include <string.h>

bool vt_candidate_is_seen(unsigned event_type)
{
    return event_type != VT_EVENT_IMPRESSION && event_type != VT_EVENT_SEARCH;
}

bool vt_candidate_is_bought(unsigned event_type)
{
    return event_type == VT_EVENT_CART || event_type == VT_EVENT_RESERVATION ||
           event_type == VT_EVENT_ORDER || event_type == VT_EVENT_PURCHASE;
}

bool vt_candidate_keeps_out(unsigned event_type, bool include_viewed, bool include_bought)
{
    return vt_candidate_is_seen(event_type) &&
           !(vt_candidate_is_bought(event_type) ? include_bought : include_viewed);
}

static int64_t newest_time(const struct vt_candidate_query *query)
{
    int64_t newest_ms = 0;
    for (uint32_t e = 0; e < query->n_history; e++)
        if (query->history[e].time_ms > newest_ms)
            newest_ms = query->history[e].time_ms;
    return newest_ms;
}

static uint32_t fill_events(const struct vt_candidate_query *query, struct vt_history_event *events)
{
    int64_t newest_ms = newest_time(query);
    uint32_t n = 0;
    for (uint32_t c = 0; c < query->n_context; c++)
        events[n++] = (struct vt_history_event){
            .item = query->context[c], .type = VT_EVENT_VIEW, .value = 1, .time_ms = newest_ms};
    if (query->similar)
        return n;
    for (uint32_t e = 0; e < query->n_history; e++)
        if (query->history[e].item != 0)
            events[n++] = query->history[e];
    return n;
}

/* Moves those of [begin, end) that the bundle has to `to`; returns their end. */
static uint32_t keep_rows(const struct vt_bundle *bundle, struct vt__taste *taste, uint32_t begin,
                          uint32_t end, uint32_t to)
{
    for (uint32_t i = begin; i < end; i++) {
        uint32_t row = vt_bundle_row(bundle, taste->items[i]);
        if (row == UINT32_MAX)
            continue;
        taste->items[to] = taste->items[i];
        taste->weights[to] = taste->weights[i];
        taste->rows[to++] = row;
    }
    return to;
}

/* Drops items that the bundle does not have. */
static void find_rows(const struct vt_bundle *bundle, struct vt__taste *taste)
{
    uint32_t end = taste->n + taste->n_disliked;
    uint32_t n_liked = keep_rows(bundle, taste, 0, taste->n, 0);
    taste->n_disliked = keep_rows(bundle, taste, taste->n, end, n_liked) - n_liked;
    taste->n = n_liked;
}

struct vt_err vt__taste_make(const struct vt_bundle *bundle, const struct vt_candidate_query *query,
                             struct vt_arena *arena, struct vt__taste *ret_taste)
{
    static const float equal_weights[VT_EVENT_TYPE_COUNT] = {[VT_EVENT_VIEW] = 1};
    const struct vt_bundle_view *view = vt_bundle_view(bundle);
    size_t room = (size_t)query->n_history + query->n_context + 1;
    struct vt_history_event *events = vt_arena_array(arena, room, sizeof *events);
    struct vt__taste taste = {
        .items = vt_arena_array(arena, room, sizeof *taste.items),
        .rows = vt_arena_array(arena, room, sizeof *taste.rows),
        .weights = vt_arena_array(arena, room, sizeof *taste.weights),
        .events = events,
    };
    VT_CHECK(events != NULL && taste.items != NULL && taste.rows != NULL && taste.weights != NULL,
             VT_EXHAUSTED, "the request's memory is full");
    taste.n_events = fill_events(query, events);
    const struct vt_event_weighing weighing = {
        .event_weights = query->similar ? equal_weights : view->event_weights,
        .value_exponents = query->similar ? NULL : view->value_exponents,
        .half_life_days = view->decay_half_life_days,
    };
    taste.n = vt_history_merge(events, taste.n_events, &weighing, taste.items, taste.weights,
                               &taste.n_disliked);
    find_rows(bundle, &taste);
    *ret_taste = taste;
    return vt_ok();
}
