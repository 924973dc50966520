#ifndef VT_PROFILE_HISTORY_H
#define VT_PROFILE_HISTORY_H

#include "services/common/base/event.h"
#include "services/common/base/slice.h"
#include "services/profile/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A customer's newest events, packed: a format byte, then 20 bytes an event, newest first; equal
 * times by item, type and channel. Two events equal in all four are one, with the greater value.
 * A value and a merge operand have the same form.
 */
enum {
    VT__HISTORY_FORMAT = 1,
    VT__HISTORY_EVENT_BYTES = 20,
    VT__HISTORY_LIMIT = 1000, /* the most that may be configured */
};

/* Below 0 when a stands before b in a history. Total up to the value. */
int vt__history_compare(const struct vt_history_event *a, const struct vt_history_event *b);
/* Sorts, drops repetitions and what is beyond `max`; returns how many stay. */
size_t vt__history_normalise(struct vt_history_event *events, size_t n, size_t max);
/* Appends the packed form of normalised events. */
void vt__history_pack(const struct vt_history_event *events, size_t n, struct vt__buffer *buffer);
/* How many events a packed history holds; false when it is malformed. O(1). */
bool vt__history_count(struct vt_slice packed, size_t *ret_n);
/* Unpacks the first n, which must be at most the count. */
void vt__history_unpack(struct vt_slice packed, struct vt_history_event *events, size_t n);
/* vt_store_merge's fold; `state` points to the uint32_t of events to keep. Any thread. */
bool vt__history_fold(const void *state, const struct vt_slice *values, size_t n_values,
                      char **ret_value, size_t *ret_len);

#endif
