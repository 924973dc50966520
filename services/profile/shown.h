#ifndef VT_PROFILE_SHOWN_H
#define VT_PROFILE_SHOWN_H

#include "services/profile/profile_internal.h"

/* What a customer was shown how often: the impressions beside the history (keys.h). */

/* A place in the table of counts. */
struct vt__shown_count {
    uint32_t item; /* 0: free */
    uint32_t n;
};

/* A power of two, at least twice as many as the events. */
uint32_t vt__shown_places(uint32_t n_events);
/* The items of the first n events that are newer than `since_ms` that come at least `at_least`
 * times, in the order in which counting back reaches it; newest first. `counts` is zeros,
 * vt__shown_places(n) long; `ret_items` has room for n. Returns how many. O(n). */
uint32_t vt__shown_often(const struct vt_history_event *events, uint32_t n, uint32_t at_least,
                         int64_t since_ms, struct vt__shown_count *counts, uint32_t *ret_items);

/* Into the view. *ret_moved: there is no row, because the customer became part of another. As
 * vt_profile_get. Any thread. */
VT_MUST_USE struct vt_err vt__read_shown(struct vt_profile *profile,
                                         const struct vt_shown_limit *limit,
                                         struct vt_request *request, struct vt_profile_view *view,
                                         bool *ret_moved);

#endif
