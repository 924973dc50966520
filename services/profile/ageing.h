#ifndef VT_PROFILE_AGEING_H
#define VT_PROFILE_AGEING_H

#include "services/profile/profile_internal.h"

/*
 * What leaves the store by age: days of the event log, and visitors who stayed away. Both are
 * chores: bounded steps on the background thread, written through the writer.
 */
struct vt__ageing;

/* VT_EXHAUSTED. `options` and the clock as of opening; the profile's clock must be set. */
VT_MUST_USE struct vt_err vt__ageing_new(struct vt_profile *profile,
                                         const struct vt_profile_options *options,
                                         struct vt__ageing **ret_ageing);
void vt__ageing_free(struct vt__ageing *ageing); /* NULL is allowed */

/* False when the wall clock and the monotonic one disagree by over an hour since the store was
 * opened: somebody set the clock, and by it nothing may be thrown away. Said once. Chores' thread.
 */
bool vt__ageing_clock_is_sound(struct vt_profile *profile);

enum { VT__RETENTION_EVERY_MS = 15 * 60 * 1000, VT__VISITORS_EVERY_MS = 60 * 1000 };

/* ---- retention.c ---- */

/* Drops the oldest day of the log when all of it is older than the retention time: one range
 * delete. Behind the last such day the tables are rewritten, so that the disk gets its space back.
 * A chore: one day a run, so that a clock set wrong costs little until somebody sees it. */
VT_MUST_USE struct vt_err vt__retain_events(struct vt_profile *profile);
/* The first day of which the log holds a block; what came before has been dropped, and references
 * to it are no damage. 0: the log is empty or was not looked at yet. Any thread. */
uint32_t vt__log_first_day(const struct vt_profile *profile);
/* Looks at the log's first block; once at opening. */
VT_MUST_USE struct vt_err vt__retention_open(struct vt_profile *profile, struct vt_diag *diag);
/* vt_store_expiry's rule for customer_events: the day is no longer in the log. */
bool vt__customer_day_expired(const void *profile, struct vt_slice key, struct vt_slice value);

/* ---- visitors.c ---- */

/* Looks at the next customers and deletes those that are known by cookie or device only and did
 * nothing for the expiry time. A chore: up to 20,000 rows a run, then from where it stopped. */
VT_MUST_USE struct vt_err vt__expire_visitors(struct vt_profile *profile);

#endif
