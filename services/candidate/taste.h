#ifndef VT_CANDIDATE_TASTE_H
#define VT_CANDIDATE_TASTE_H

#include "models/bundle/bundle.h"
#include "services/candidate/candidate.h"

#include <stdint.h>

/* What a history and a context say, as the model understands it: items that the bundle has a row
 * for. First the n liked (a positive weight; context, then newest first), behind them the
 * n_disliked (a negative one). In the request's arena. */
struct vt__taste {
    uint32_t *items; /* numbers */
    uint32_t *rows;
    float *weights;
    uint32_t n, n_disliked;
    const struct vt_history_event *events; /* context as views, then the history */
    uint32_t n_events;
};

/* A function of the query alone, never of the clock (docs/adr/0030). VT_EXHAUSTED when the arena is
 * full. O(n²) in the number of events. */
VT_MUST_USE struct vt_err vt__taste_make(const struct vt_bundle *bundle,
                                         const struct vt_candidate_query *query,
                                         struct vt_arena *arena, struct vt__taste *ret_taste);

#endif
