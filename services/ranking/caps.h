#ifndef VT_RANKING_CAPS_H
#define VT_RANKING_CAPS_H

#include "services/ranking/placement.h"
#include "services/ranking/sight.h"

/* How many of a kind stand in a list already: each cap puts an item into at most one of its groups,
 * and a group that is full takes no more. One list, one thread. */
struct vt__caps {
    const struct vt_cap *caps;
    struct vt_sight *sight; /* borrowed */
    uint64_t *groups;       /* n × n_caps, by place; 0: in no group */
    uint32_t n_caps, n, capacity;
    int64_t now_ms;
};

/* For a list of at most `capacity`; memory from the arena. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__caps_init(struct vt__caps *caps, const struct vt_placement *placement,
                                        struct vt_sight *sight, int64_t now_ms, uint32_t capacity,
                                        struct vt_arena *arena);
/* Whether one more of this item fits; else *ret_cap is the first cap that is in the way.
 * O(caps · places). */
bool vt__caps_admit(const struct vt__caps *caps, uint32_t item, uint32_t *ret_cap);
/* The item stands in the list now, admitted or not (a pin). */
void vt__caps_add(struct vt__caps *caps, uint32_t item);

#endif
