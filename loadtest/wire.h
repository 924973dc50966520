#ifndef LOADTEST_WIRE_H
#define LOADTEST_WIRE_H

#include "services/common/base/arena.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* A serialised RecommendRequest for a customer, in the arena. */
VT_MUST_USE struct vt_err load_wire_recommend(const char *customer, uint32_t n,
                                              struct vt_arena *arena, struct vt_slice *ret_bytes);
/* A serialised GetProfileRequest for a customer and its newest n events, likewise. */
VT_MUST_USE struct vt_err load_wire_profile(const char *customer, uint32_t n,
                                            struct vt_arena *arena, struct vt_slice *ret_bytes);
/* A serialised UpsertItemsRequest of n prices under a mask: updates `first` and on, of items named
 * as vitrine-bench fill names them. VT_EXHAUSTED: the arena is too small. */
VT_MUST_USE struct vt_err load_wire_prices(uint64_t first, uint32_t n, uint32_t n_items,
                                           struct vt_arena *arena, struct vt_slice *ret_bytes);
/* RecommendResponse.degraded, found without decoding the items: the generator shares its machine
 * with what it measures. False for bytes of another kind (the floor's). O(fields). */
bool load_wire_is_degraded(struct vt_slice response);
/* Of responses that know no lesser form. */
bool load_wire_never_degraded(struct vt_slice response);

#endif
