#ifndef VT_PROFILE_SEEN_FILTER_H
#define VT_PROFILE_SEEN_FILTER_H

#include "services/common/base/err.h"
#include "services/profile/keys.h"

#include <stdbool.h>

struct vt_metrics;
struct vt_profile;

/*
 * "Was this event id accepted before?", answered without the store where the answer is no: a Bloom
 * filter of the ids in the family `seen` (Putze, Sanders, Singler, "Cache-, Hash- and
 * Space-Efficient Bloom Filters", 2007: all bits of a key in one cache line). It holds all ids on
 * disk or says "perhaps" to everything, so it is never wrong, at worst slow. No I/O in _may_have
 * and _add: the writer thread. 8 to 64 MiB, about 12 bits an id; 2 % false "perhaps" when full.
 */
struct vt__seen_filter;

/* Reads a bounded number of ids, so that opening takes the same time for any store; a chore reads
 * the rest. Before the writer starts. */
VT_MUST_USE struct vt_err vt__seen_filter_new(struct vt_profile *profile,
                                              struct vt_metrics *metrics, struct vt_diag *diag,
                                              struct vt__seen_filter **ret_filter);
void vt__seen_filter_free(struct vt__seen_filter *filter); /* NULL is allowed */

/* False: certainly new. */
bool vt__seen_filter_may_have(const struct vt__seen_filter *filter, const struct vt__key *key);
/* Before the id's row is committed. */
void vt__seen_filter_add(struct vt__seen_filter *filter, const struct vt__key *key);

/* The chore: reads on, a bounded number of ids at a time, until the filter is complete; begins a
 * larger one when it has outgrown its size. */
VT_MUST_USE struct vt_err vt__seen_filter_tend(struct vt_profile *profile);
enum { VT__SEEN_FILTER_TEND_MS = 1000 };

#endif
