#ifndef VT_PROFILE_SPACE_H
#define VT_PROFILE_SPACE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Writes stop before the disk is full (space.c). All of a struct vt__space is set at open or
 * atomic: any thread.
 */
struct vt_metrics;
struct vt_profile;

enum { VT__SPACE_LOOK_MS = 1000 };

struct vt__space {
    uint64_t min_bytes;               /* below it writes are refused */
    uint64_t enough_bytes;            /* from it on they are taken again */
    atomic_uint_least64_t free_bytes; /* at the last look; relaxed */
    atomic_bool low;                  /* relaxed: a bound of the disk, not of other memory */
    struct vt_gauge *free_gauge, *min_gauge, *refused_gauge;
};

/* `min_bytes` 0: what a store of this size needs, at most 1/16 of the disk. Looks once. */
VT_MUST_USE struct vt_err vt__space_open(struct vt_profile *profile, uint64_t min_bytes,
                                         struct vt_metrics *metrics);
/* Asks the file system, and logs when writes stop or may go on. One system call. */
void vt__space_look(struct vt_profile *profile);
/* VT_EXHAUSTED while space is low, with numbers in `diag`. */
VT_MUST_USE struct vt_err vt__space_check(const struct vt_profile *profile, struct vt_diag *diag);
/* The chore: looks when nobody writes. */
VT_MUST_USE struct vt_err vt__space_chore(struct vt_profile *profile);

#endif
