#ifndef VT_PROFILE_AGEING_INTERNAL_H
#define VT_PROFILE_AGEING_INTERNAL_H

#include "services/profile/profile_internal.h"

/* What ageing.c, retention.c and visitors.c share. The chores' thread, but for `first_day`. */
struct vt__ageing {
    int64_t event_retention_ms, visitor_expiry_ms; /* 0: never */
    int64_t opened_unix_ms, opened_monotonic_ns;
    bool told_jump;
    bool dropped;               /* days, whose tables were not rewritten yet */
    uint64_t next_customer;     /* where the scan for visitors goes on */
    _Atomic uint32_t first_day; /* relaxed: only rises, and an older value is right, too */
    struct vt_counter *n_days, *n_visitors;
    struct vt_gauge *clock_jumped;
};

#endif
