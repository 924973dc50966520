#ifndef VT_PROFILE_WATCHERS_H
#define VT_PROFILE_WATCHERS_H

#include "services/common/base/err.h"

#include <stdint.h>

/*
 * The readers of the catalog's changes: a gauge of each one's lag, and an end for those who are
 * stuck (watchers.c).
 */
struct vt_metrics;
struct vt_profile;
struct vt_watch;
struct vt__watchers;

enum { VT__WATCHERS_EVERY_MS = 1000 };

/* `stall_ms` 0: the default, 30 s. Metrics are borrowed and may be NULL. */
VT_MUST_USE struct vt_err vt__watchers_new(int64_t stall_ms, struct vt_metrics *metrics,
                                           struct vt__watchers **ret_watchers);
void vt__watchers_free(struct vt__watchers *watchers); /* NULL is allowed */
/* Under feed.lock. */
void vt__watchers_add(struct vt__watchers *watchers, struct vt_watch *watch);
void vt__watchers_remove(struct vt__watchers *watchers, const struct vt_watch *watch);
void vt__watchers_count_behind(struct vt__watchers *watchers);
/* The chore: tells the gauges, and the streams of those who are stuck. */
VT_MUST_USE struct vt_err vt__watchers_chore(struct vt_profile *profile);

#endif
