#ifndef VT_GROUP_GROUP_H
#define VT_GROUP_GROUP_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Processes that train one model together. A group is a rank, a number of ranks and one way to
 * talk: two ranks swap bytes. All else is made of that here, in a fixed order. Every rank makes the
 * same calls in the same order; one thread of each.
 */
enum { VT_GROUP_RANKS_MAX = 64 };

struct vt_group {
    uint32_t rank, n_ranks; /* n_ranks ≥ 1 */
    void *self;
    /* Sends to one rank while it receives from another (the same or not; never itself). The sizes
     * are those that the others expect; 0 is fine. Blocking. VT_UNAVAILABLE when a rank is away. */
    struct vt_err (*swap)(void *self, uint32_t to, const void *sent, size_t sent_bytes,
                          uint32_t from, void *ret_received, size_t received_bytes);
};

/* What rank 0 has in `bytes`, everywhere. Each rank but 0 receives `size_bytes` once. */
VT_MUST_USE struct vt_err vt_group_broadcast(const struct vt_group *group, void *bytes,
                                             size_t size_bytes);

/* `bytes` is the same array everywhere; rank r has filled bounds[r] … bounds[r + 1] (bytes, n_ranks
 * + 1 of them). Afterwards everybody has all of it. Received by a rank: what the others filled. */
VT_MUST_USE struct vt_err vt_group_all_gather(const struct vt_group *group, const size_t *bounds,
                                              void *bytes);

/* As all_gather, but the whole is rank 0's alone: `part` is what this rank has, `ret_whole` is read
 * on rank 0 only and may be NULL elsewhere. */
VT_MUST_USE struct vt_err vt_group_gather(const struct vt_group *group, const size_t *bounds,
                                          const void *part, void *ret_whole);

/* The other way: rank r gets bounds[r] … bounds[r + 1] of rank 0's `whole` (NULL elsewhere). */
VT_MUST_USE struct vt_err vt_group_scatter(const struct vt_group *group, const size_t *bounds,
                                           const void *whole, void *ret_part);

#endif
