#ifndef VT_PROFILE_ALIAS_H
#define VT_PROFILE_ALIAS_H

#include "services/profile/profile_internal.h"

/*
 * Customers that became part of another. What was recorded before keeps their numbers (log, seen,
 * customer_events); whoever reads those resolves the number here. The way is one step long: a merge
 * re-points what led to the customer it merges.
 */

/* Of a customer that was merged the survivor, of any other itself. Any thread; one point read. */
VT_MUST_USE struct vt_err vt__resolve_customer(struct vt_profile *profile, uint64_t recorded,
                                               struct vt_diag *diag, uint64_t *ret_customer);
/* Every customer that became part of `survivor`, ascending, with the time of merging; stops at the
 * first error of `each`. Iterates: on a thread that may block. */
typedef struct vt_err (*vt__each_merged_fn)(void *ctx, uint64_t merged, int64_t time_ms);
VT_MUST_USE struct vt_err vt__each_merged(struct vt_profile *profile, uint64_t survivor,
                                          vt__each_merged_fn each, void *ctx);

/* All aliases in memory, as of loading: for passes over the log. Zero it first; 16 bytes for each
 * merged customer. One thread. */
struct vt__alias_map {
    struct vt__alias {
        uint64_t merged, survivor;
    } * rows; /* owned, ascending by merged */
    size_t n, capacity;
};
VT_MUST_USE struct vt_err vt__alias_map_load(struct vt_profile *profile, struct vt__alias_map *map);
void vt__alias_map_fini(struct vt__alias_map *map);
/* As vt__resolve_customer. O(log n), no reads. */
uint64_t vt__alias_map_resolve(const struct vt__alias_map *map, uint64_t recorded);

#endif
