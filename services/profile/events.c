/*
 * The door for events. Judging happens on the caller's thread, so that a batch of nonsense costs
 * the writer nothing; what it finds good goes to the writer as one job (group.c).
 */
#include "services/profile/profile_internal.h"

static void reject(struct vt_profile *profile, struct vt_request *request,
                   const struct vt__fault *fault, struct vt_event_result *ret_result)
{
    ret_result->outcome = VT_EVENT_REJECTED;
    ret_result->field = fault->field;
    ret_result->reason = vt_arena_copy(request->arena, vt_slice_str(fault->text));
    vt_counter_add(profile->n_rejected, 1);
}

/* Returns how many are good. */
static uint32_t judge_all(struct vt_profile *profile, struct vt_request *request,
                          const struct vt_event *events, uint32_t n_events,
                          struct vt_event_result *results)
{
    int64_t now_ms = vt_clock_unix_ms(profile->clock);
    uint32_t n_good = 0;
    for (uint32_t i = 0; i < n_events; i++) {
        struct vt__fault fault = {0};
        results[i] = (struct vt_event_result){.outcome = VT_EVENT_ACCEPTED};
        if (vt__check_event(&events[i], now_ms, &fault))
            n_good++;
        else
            reject(profile, request, &fault, &results[i]);
    }
    return n_good;
}

static void write_events(struct vt_profile *profile, const struct vt_profile_write *write,
                         const struct vt_event *events, uint32_t n_events,
                         struct vt_event_result *results, bool may_wait)
{
    if (n_events == 0 || n_events > VT_EVENT_BATCH_MAX) {
        vt_diag_set(write->request->diag, "events", "%u events: send 1 to %d in a call", n_events,
                    VT_EVENT_BATCH_MAX);
        write->done(write->ctx, VT_ERR(VT_INVALID, "a call takes 1 to 1,000 events"));
        return;
    }
    uint32_t n_good = judge_all(profile, write->request, events, n_events, results);
    if (write->validate_only || n_good == 0) {
        write->done(write->ctx, vt_ok());
        return;
    }
    vt__writer_submit(profile, &(struct vt__job){.n = n_events,
                                                 .write = *write,
                                                 .input = events,
                                                 .result = results,
                                                 .may_wait = may_wait});
}

void vt_profile_write_events(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_event *events, uint32_t n_events,
                             struct vt_event_result *results)
{
    write_events(profile, write, events, n_events, results, false);
}

void vt_profile_queue_events(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_event *events, uint32_t n_events,
                             struct vt_event_result *results)
{
    write_events(profile, write, events, n_events, results, true);
}
