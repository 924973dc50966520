/*
 * Impressions are packed as histories are, under a key of their own beside the history's, so that
 * they push nothing out that the customer did. They are counted here, at their owner: what goes to
 * ranking is the few items that reach the limit. All memory is the request's arena.
 */
#include "services/profile/shown.h"

#include "services/profile/alias.h"
#include "services/profile/history.h"

#include <string.h>

uint32_t vt__shown_places(uint32_t n_events)
{
    uint32_t n = 2;
    while (n < 2 * n_events)
        n *= 2;
    return n;
}

static uint32_t count_one(struct vt__shown_count *counts, uint32_t n_places, uint32_t item)
{
    uint32_t place = item * UINT32_C(0x9e3779b1) & (n_places - 1);
    while (counts[place].item != 0 && counts[place].item != item)
        place = (place + 1) & (n_places - 1);
    counts[place].item = item;
    return ++counts[place].n;
}

uint32_t vt__shown_often(const struct vt_history_event *events, uint32_t n, uint32_t at_least,
                         int64_t since_ms, struct vt__shown_count *counts, uint32_t *ret_items)
{
    uint32_t n_items = 0, n_places = vt__shown_places(n);
    for (uint32_t e = 0; e < n && events[e].time_ms > since_ms; e++)
        if (events[e].item != 0 && count_one(counts, n_places, events[e].item) == at_least)
            ret_items[n_items++] = events[e].item;
    return n_items;
}

static struct vt_err count_packed(struct vt_slice packed, const struct vt_shown_limit *limit,
                                  int64_t now_ms, struct vt_arena *arena,
                                  struct vt_profile_view *view)
{
    size_t n = 0;
    VT_CHECK(vt__history_count(packed, &n) && n <= VT__HISTORY_LIMIT, VT_CORRUPT,
             "what was shown to a customer of the store is malformed");
    const uint32_t n_places = vt__shown_places((uint32_t)n);
    struct vt_history_event *events = vt_arena_array(arena, n + 1, sizeof *events);
    struct vt__shown_count *counts = vt_arena_array(arena, n_places, sizeof *counts);
    uint32_t *items = vt_arena_array(arena, n + 1, sizeof *items);
    VT_CHECK(events != NULL && counts != NULL && items != NULL, VT_EXHAUSTED,
             "the answer does not fit the call's memory");
    memset(counts, 0, n_places * sizeof *counts);
    vt__history_unpack(packed, events, n);
    view->n_shown = vt__shown_often(events, (uint32_t)n, limit->at_least, now_ms - limit->within_ms,
                                    counts, items);
    view->shown = items;
    return vt_ok();
}

struct vt_err vt__read_shown(struct vt_profile *profile, const struct vt_shown_limit *limit,
                             struct vt_request *request, struct vt_profile_view *view,
                             bool *ret_moved)
{
    struct vt_store_value value = {0};
    bool found = false;
    struct vt__key key = vt__key_shown(view->customer_number);
    VT_TRY(vt_store_get(profile->store, VT__HISTORY, vt__key_slice(&key), request->diag, &value,
                        &found));
    struct vt_err err = found ? count_packed(value.bytes, limit, vt_clock_unix_ms(profile->clock),
                                             request->arena, view)
                              : vt_ok();
    vt_store_value_release(&value);
    if (found || vt_failed(err))
        return err;
    uint64_t survivor = view->customer_number;
    VT_TRY(vt__resolve_customer(profile, view->customer_number, request->diag, &survivor));
    *ret_moved = survivor != view->customer_number;
    return vt_ok();
}
