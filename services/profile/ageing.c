/*
 * What the chores of age share. They throw away by the wall clock, which may be wrong: set by hand,
 * by a broken time server, by a virtual machine that comes back from a snapshot. A store that
 * forgets a year because the clock jumped a year is worse than one that keeps too much, so the wall
 * clock is held against the monotonic one, which nobody sets: while they disagree nothing is thrown
 * away. A clock that was wrong already when the store was opened is not found out this way.
 */
#include "services/profile/ageing.h"

#include "services/common/base/log.h"
#include "services/profile/ageing_internal.h"

#include <stdlib.h>

enum { NS_PER_MS = 1000000, JUMP_MS = 60 * 60 * 1000 };

struct vt_err vt__ageing_new(struct vt_profile *profile, const struct vt_profile_options *options,
                             struct vt__ageing **ret_ageing)
{
    struct vt__ageing *ageing = calloc(1, sizeof *ageing);
    VT_CHECK(ageing != NULL, VT_EXHAUSTED, "out of memory");
    ageing->event_retention_ms = options->event_retention_ms;
    ageing->visitor_expiry_ms = options->visitor_expiry_ms;
    ageing->opened_unix_ms = vt_clock_unix_ms(profile->clock);
    ageing->opened_monotonic_ns = vt_clock_monotonic_ns(profile->clock);
    ageing->n_days = vt_metrics_counter(options->metrics, "vitrine_log_drops_total",
                                        "Days of the event log dropped by age.", "");
    ageing->n_visitors = vt_metrics_counter(options->metrics, "vitrine_visitors_expired_total",
                                            "Anonymous visitors forgotten by age.", "");
    ageing->clock_jumped =
        vt_metrics_gauge(options->metrics, "vitrine_clock_jumped",
                         "1: the clock was set while running; nothing is dropped by age.", "");
    *ret_ageing = ageing;
    return vt_ok();
}

void vt__ageing_free(struct vt__ageing *ageing)
{
    free(ageing);
}

bool vt__ageing_clock_is_sound(struct vt_profile *profile)
{
    struct vt__ageing *ageing = profile->ageing;
    int64_t wall_ms = vt_clock_unix_ms(profile->clock) - ageing->opened_unix_ms;
    int64_t ran_ns = vt_clock_monotonic_ns(profile->clock) - ageing->opened_monotonic_ns;
    bool sound = llabs(wall_ms - ran_ns / NS_PER_MS) <= JUMP_MS;
    if (!sound && !ageing->told_jump)
        vt_log_err(VT_LOG_WARN, "clock_jumped",
                   VT_ERR(VT_PRECONDITION, "the wall clock was set by over an hour"),
                   "nothing is dropped by age until it is right again, or the server restarted");
    ageing->told_jump = !sound;
    vt_gauge_set(ageing->clock_jumped, sound ? 0 : 1);
    return sound;
}
