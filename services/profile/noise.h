#ifndef VT_PROFILE_NOISE_H
#define VT_PROFILE_NOISE_H

#include "services/common/base/event.h"
#include "services/profile/event_block.h"
#include "services/profile/keys.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Which events are noise, and when an event happened. Noise is accepted and stands in the log with
 * its mark; it enters no history, no counter and no training.
 */
struct vt__noise;
struct vt_metrics;

/* `events_per_hour`: how many events of browsing one visitor may send for one hour before the rest
 * of that hour is noise; 0: no bound. `metrics` may be NULL. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__noise_new(uint32_t events_per_hour, struct vt_metrics *metrics,
                                        struct vt__noise **ret_noise);
void vt__noise_free(struct vt__noise *noise); /* NULL is allowed */

/* The time under which an event is kept: its own, unless its sender's clock is further ahead of
 * ours than VT_EVENT_AHEAD_MS; then `now_ms`, and it is counted. Writer thread. */
int64_t vt__noise_event_time(struct vt__noise *noise, int64_t time_ms, int64_t now_ms);

/* Judges an event that is new, and counts it against its visitor's bound in the hour of `time_ms`,
 * the time under which it is kept. `identity`: who sent it; NULL: nobody looked (bots). Events that
 * are nobody's share no bound. Writer thread; constant cost, no allocation. */
enum vt__noise_mark vt__noise_judge(struct vt__noise *noise, const struct vt_event *event,
                                    int64_t time_ms, const struct vt__key *identity,
                                    int64_t now_ms);

#endif
