#ifndef VT_RANKING_ELIGIBLE_H
#define VT_RANKING_ELIGIBLE_H

#include "services/ranking/run.h"

/* What may stand in an answer. All of them read the item table: enter it before. */

/* Finds what the customer dislikes and marks what was seen in the run's history, once, because
 * every item of the answer is held against both. VT_EXHAUSTED when the request's memory is full. */
VT_MUST_USE struct vt_err vt__read_history(struct vt__run *run);
/* Whether the caller's filter lets the item pass, by the catalog of this moment. */
bool vt__passes_filter(const struct vt__run *run, uint32_t item);
/* Recommendable now, passing the filter, and neither excluded, nor in the context, nor disliked,
 * nor seen, nor shown too often. */
bool vt__is_eligible(const struct vt__run *run, uint32_t item);
/* The same but for what was seen or shown: whoever pinned it wants it to be seen again. */
bool vt__is_pinnable(const struct vt__run *run, uint32_t item);
/* Drops candidates that are not eligible (sold out since, a rule the port did not know); of the
 * caller's own list (Rank) only what the filter leaves out, for good, and what is disliked: it
 * comes last, as what has no score does. Returns how many are left, in their order. */
uint32_t vt__keep_eligible(const struct vt__run *run, struct vt_candidate *candidates, uint32_t n);
/* O(n). */
bool vt__is_listed(const uint32_t *items, uint32_t n, uint32_t item);

#endif
