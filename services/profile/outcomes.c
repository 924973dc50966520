/*
 * There is no index from tokens to events: whoever asks knows whose answer it was and when, and the
 * lists of a customer's log blocks lead to the few that can hold them.
 */
#include "services/profile/alias.h"
#include "services/profile/customer_log.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* A day earlier: the clock of the service that gave the answer is not ours. */
static uint32_t first_day(int64_t since_ms)
{
    return since_ms < 2 * (int64_t)DAY_MS ? 0 : (uint32_t)(since_ms / DAY_MS) - 1;
}

static struct vt_err add_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    (void)time_ms;
    return vt__customer_log_add(ctx, merged);
}

/* The customer may have become part of another since. */
static struct vt_err add_numbers(struct vt__customer_log *log, uint64_t recorded,
                                 struct vt_diag *diag)
{
    uint64_t number = recorded;
    VT_TRY(vt__resolve_customer(log->profile, recorded, diag, &number));
    VT_TRY(vt__customer_log_add(log, number));
    return vt__each_merged(log->profile, number, add_merged, log);
}

static struct vt_err check_waiting(const struct vt_profile *profile,
                                   const struct vt_request *request)
{
    VT_CHECK(!vt_request_cancelled(request), VT_CANCELLED, "the caller went away");
    VT_CHECK(vt_clock_monotonic_ns(profile->clock) < request->deadline_ns, VT_DEADLINE,
             "the customer's part of the event log could not be read in time");
    return vt_ok();
}

static struct vt_outcome outcome_of(const struct vt__log_row *row, uint64_t sequence)
{
    struct vt_outcome outcome = {.event = row->event,
                                 .sequence = sequence,
                                 .quantity = row->quantity,
                                 .revenue = row->revenue};
    memcpy(outcome.currency, row->currency, sizeof row->currency);
    return outcome;
}

static struct vt_err collect(struct vt__customer_log *log, struct vt_request *request,
                             struct vt_slice token, struct vt_outcome *outcomes,
                             struct vt_outcomes *found)
{
    struct vt__log_row row;
    uint64_t sequence = 0;
    bool more = true;
    for (;;) {
        VT_TRY(check_waiting(log->profile, request));
        VT_TRY(vt__customer_log_next(log, request->diag, &row, &sequence, &more));
        if (!more)
            return vt_ok();
        if (row.noise != VT__NOISE_NONE || !vt_slice_equal(row.token, token))
            continue;
        found->more = found->n == VT_OUTCOMES_MAX;
        if (found->more)
            return vt_ok();
        outcomes[found->n++] = outcome_of(&row, sequence);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct vt_outcome *left = a, *right = b;
    if (left->event.time_ms != right->event.time_ms)
        return left->event.time_ms < right->event.time_ms ? -1 : 1;
    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

struct vt_err vt_profile_outcomes(struct vt_profile *profile, struct vt_request *request,
                                  const struct vt_outcomes_query *query,
                                  struct vt_outcomes *ret_outcomes)
{
    struct vt__customer_log *log = vt_arena_array(request->arena, 1, sizeof *log);
    struct vt_outcome *outcomes = vt_arena_array(request->arena, VT_OUTCOMES_MAX, sizeof *outcomes);
    struct vt_outcomes found = {.outcomes = outcomes};
    VT_CHECK(log != NULL && outcomes != NULL, VT_EXHAUSTED,
             "the outcomes do not fit the call's memory");
    *log = (struct vt__customer_log){.profile = profile, .first_day = first_day(query->since_ms)};
    struct vt_err err = add_numbers(log, query->customer_number, request->diag);
    if (!vt_failed(err))
        err = collect(log, request, query->token, outcomes, &found);
    vt__customer_log_fini(log);
    VT_TRY(err);
    if (found.n > 0)
        qsort(outcomes, found.n, sizeof *outcomes, by_time);
    *ret_outcomes = found;
    return vt_ok();
}
