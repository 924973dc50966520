#ifndef VT_PROFILE_MERGE_H
#define VT_PROFILE_MERGE_H

#include "services/profile/profile_internal.h"

/* How several customers become one (merge.c). Writer thread; everything that is read is read by
 * vt__joined_read, so that writing can only fail on damage found between the two. */
struct vt__joined {
    uint64_t number;
    struct vt__customer_record record; /* texts in profile->arena */
    struct vt_store_value history;     /* released by vt__joined_release */
    struct vt_store_value shown;       /* likewise: the impressions beside the history */
    uint32_t n_identities, n_merged;
};

/* VT_CORRUPT when the customer has no record. */
VT_MUST_USE struct vt_err vt__joined_read(struct vt_profile *profile, uint64_t number,
                                          struct vt__joined *ret_joined);
void vt__joined_release(struct vt__joined *joined);

/* What is known about all of them together, `customers[0]` being the survivor: the strictest
 * consent; the survivor's attributes, and those of the others where it has none. Attributes live in
 * the arena: VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__join_records(const struct vt__joined *customers, uint32_t n,
                                           struct vt_arena *arena,
                                           struct vt__customer_record *ret_record);

/* Into the batch: identities, merged numbers and history of `merged` become those of `survivor`;
 * its own record and history go. `keep_history`: the survivor may have one. */
VT_MUST_USE struct vt_err vt__merge_customer(struct vt_profile *profile,
                                             const struct vt__joined *merged, uint64_t survivor,
                                             bool keep_history);

#endif
