/* The events are the profile service's, and their items may be any: here they get names and places.
 */
#include "services/ranking/outcomes.h"

#include "services/common/base/clock.h"
#include "services/ranking/run.h"

#define ASK_NS INT64_C(1000000000)

static struct vt_err ask(struct vt_ranking_service *service, struct vt_request *request,
                         const struct vt_outcomes_query *query, struct vt_diag *diag,
                         struct vt_outcomes *ret_outcomes)
{
    const struct vt_profile_port *port = &service->options.profile;
    const int64_t now_ns = vt_clock_monotonic_ns(service->options.clock);
    const int64_t left_ns = request->deadline_ns - now_ns;
    struct vt_request asking = *request;
    asking.diag = diag; /* of the request only what is wrong with the request */
    asking.deadline_ns = now_ns + (left_ns / 2 < ASK_NS ? left_ns / 2 : ASK_NS);
    return port->outcomes(port->self, &asking, query, ret_outcomes);
}

static struct vt_slice why_incomplete(const struct vt_replay *replay, struct vt_err err,
                                      const struct vt_diag *diag, bool more, struct vt_arena *arena)
{
    if (replay->decision.customer_number == 0)
        return vt_slice_str("nobody: whose the answer was is not known, so neither what they did");
    if (vt_failed(err))
        return vt_arena_printf(arena, "not told: %s",
                               diag->text[0] != '\0' ? diag->text : err.what);
    return more ? vt_slice_str("more: as many are told as an explanation has room for")
                : vt_slice(NULL, 0);
}

static uint32_t place_of(const struct vt_ranking_answer *answer, uint32_t item)
{
    for (uint32_t i = 0; i < answer->n && item != 0; i++)
        if (answer->items[i].number == item)
            return i + 1;
    return 0;
}

static void name_items(struct vt_item_table *items, struct vt_arena *arena,
                       struct vt_answer_outcome *outcomes, uint32_t n)
{
    unsigned ticket = vt_item_table_enter(items);
    for (uint32_t i = 0; i < n; i++)
        outcomes[i].item_id =
            vt_arena_copy(arena, vt_item_table_id(items, outcomes[i].outcome.event.item));
    vt_item_table_leave(items, ticket);
}

struct vt_err vt_answer_outcomes(struct vt_ranking_service *service, struct vt_request *request,
                                 struct vt_slice token, const struct vt_replay *replay,
                                 struct vt_answer_outcomes *ret_outcomes)
{
    const struct vt_outcomes_query query = {.customer_number = replay->decision.customer_number,
                                            .token = token,
                                            .since_ms = replay->decision.time_ms};
    struct vt_outcomes told = {.n = 0};
    struct vt_diag diag = {0};
    struct vt_err err = vt_ok();
    if (query.customer_number != 0)
        err = ask(service, request, &query, &diag, &told);
    if (vt_failed(err))
        told = (struct vt_outcomes){.n = 0};
    struct vt_answer_outcome *outcomes =
        vt_arena_array(request->arena, (size_t)told.n + 1, sizeof *outcomes);
    VT_CHECK(outcomes != NULL, VT_EXHAUSTED, "the request's memory is full");
    for (uint32_t i = 0; i < told.n; i++)
        outcomes[i] = (struct vt_answer_outcome){
            .outcome = told.outcomes[i],
            .place = place_of(&replay->answer, told.outcomes[i].event.item)};
    name_items(service->options.items, request->arena, outcomes, told.n);
    *ret_outcomes = (struct vt_answer_outcomes){
        outcomes, told.n, why_incomplete(replay, err, &diag, told.more, request->arena)};
    return vt_ok();
}
