/*
 * A run is put together from the record instead of from ports, its sight is told by the notes, and
 * vt__answer_make does the rest: there is no second way of making an answer. What comes out is held
 * against what was given then, so a replay that is not exact says so instead of explaining
 * something else.
 */
#include "services/ranking/replay.h"

#include "services/ranking/answer.h"
#include "services/ranking/decision_log.h"
#include "services/ranking/eligible.h"

#include <string.h>

static struct vt_err find_record(struct vt_ranking_service *service, struct vt_request *request,
                                 struct vt_slice token, struct vt_replay *replay)
{
    const struct vt_ranking_options *options = &service->options;
    struct vt_slice record;
    VT_TRY(vt_token_decode(options->token_key, token, request->arena, &replay->token));
    VT_CHECK(options->decisions != NULL, VT_PRECONDITION,
             "no log: this service records no answers (--decision-space 0)");
    VT_TRY(vt_decision_log_find(options->decisions, &replay->token, request->arena, &record));
    return vt_decision_unpack(record, request->arena, &replay->decision);
}

static struct vt_err find_version(struct vt_ranking_service *service, struct vt_diag *diag,
                                  struct vt_replay *replay)
{
    const struct vt_decision *decision = &replay->decision;
    if (!decision->with_bundle)
        return vt_ok();
    replay->bundle = vt_bundle_set_find(service->options.bundles, decision->version);
    if (replay->bundle != NULL)
        return vt_ok();
    vt_diag_set(diag, NULL,
                "bundle gone: the answer was made with version %.*s, which is not "
                "loaded any more",
                (int)decision->version.len, decision->version.data);
    return VT_ERR(VT_PRECONDITION, "the answer's version is not loaded any more");
}

static struct vt_err find_placements(struct vt_ranking_service *service, struct vt_replay *replay)
{
    const struct vt_decision *decision = &replay->decision;
    /* What is published begins the struct (placement.h). */
    replay->placements = (struct vt_placements *)vt_publication_take(&service->placements);
    VT_CHECK(replay->placements->hash == decision->configuration, VT_PRECONDITION,
             "configuration differs: the placements or the weights of the sources have been "
             "changed since this answer was made");
    replay->placement = vt_placements_find(replay->placements, decision->placement);
    return vt_ok();
}

/* Lists of the record are const, those of a run are not; nobody writes to these. */
static uint32_t *numbers_of(const uint32_t *numbers)
{
    return (uint32_t *)(uintptr_t)numbers;
}

static struct vt_err make_run(struct vt_ranking_service *service, struct vt_request *request,
                              struct vt_sight *sight, struct vt_replay *replay,
                              struct vt__run *ret_run)
{
    const struct vt_decision *decision = &replay->decision;
    struct vt__run run = {
        .service = service,
        .request = request,
        .query = {.mode = decision->mode,
                  .placement = decision->placement,
                  .rank_ids = decision->rank_ids,
                  .n_rank_ids = decision->n_rank_ids,
                  .filter = decision->filter,
                  .language = decision->language,
                  .n = decision->n,
                  .diversity = decision->diversity,
                  .explain = true,
                  .return_details = true},
        .pin = replay->bundle,
        .placements = replay->placements,
        .placement = replay->placement,
        .now_ms = decision->time_ms,
        .sight = sight,
        .profile = {.found = decision->found,
                    .customer_number = decision->customer_number,
                    .consent = decision->consent,
                    .events = decision->history,
                    .n_events = decision->n_history,
                    .shown = decision->shown,
                    .n_shown = decision->n_shown},
        .context = numbers_of(decision->context),
        .exclude = numbers_of(decision->exclude),
        .campaign = numbers_of(decision->campaign),
        .n_context = decision->n_context,
        .n_exclude = decision->n_exclude,
        .n_campaign = decision->n_campaign,
        .include_viewed = decision->include_viewed,
        .include_bought = decision->include_bought,
        .asked_profile = decision->asked_profile,
        .trace = &replay->trace,
    };
    if (decision->degraded_reason.len > 0)
        run.degraded_reason = vt_arena_copy(request->arena, decision->degraded_reason).data;
    if (decision->filter.len > 0)
        VT_TRY(
            vt_filter_compile(decision->filter, request->arena, request->diag, &run.filter.filter));
    VT_TRY(vt__read_history(&run));
    *ret_run = run;
    return vt_ok();
}

/* The answer's own copy of the candidates: eligible ones move to the front, a ranker adds to them.
 */
static struct vt_err copy_candidates(struct vt_arena *arena, struct vt_replay *replay,
                                     struct vt_candidate_list *ret_found)
{
    const struct vt_decision *decision = &replay->decision;
    size_t n = decision->n_candidates;
    struct vt_candidate *candidates = vt_arena_array(arena, n + 1, sizeof *candidates);
    replay->trace.barred = vt_arena_array(arena, n + 1, sizeof *replay->trace.barred);
    VT_CHECK(candidates != NULL && replay->trace.barred != NULL, VT_EXHAUSTED,
             "the request's memory is full");
    memcpy(candidates, decision->candidates, n * sizeof *candidates);
    *ret_found = (struct vt_candidate_list){
        .candidates = candidates, .n = (uint32_t)n, .version = decision->version};
    return vt_ok();
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool is_same(const struct vt_decision *decision, const struct vt_ranking_answer *answer)
{
    if (decision->n_places != answer->n)
        return false;
    for (uint32_t i = 0; i < answer->n; i++)
        if (decision->places[i].item != answer->items[i].number ||
            bits_of(decision->places[i].score) != bits_of(answer->items[i].score))
            return false;
    return true;
}

static struct vt_err run_again(struct vt_ranking_service *service, struct vt_request *request,
                               struct vt_replay *replay)
{
    struct vt_unpack notes;
    struct vt_sight sight = {.items = service->options.items, .told = &notes};
    struct vt_candidate_list found;
    struct vt__run run;
    vt_unpack_init(&notes, replay->decision.notes);
    VT_TRY(find_version(service, request->diag, replay));
    VT_TRY(find_placements(service, replay));
    VT_TRY(copy_candidates(request->arena, replay, &found));
    VT_TRY(make_run(service, request, &sight, replay, &run));
    VT_TRY(vt__answer_make(&run, &found, &replay->answer));
    replay->exact =
        !notes.failed && vt_unpack_left(&notes) == 0 && is_same(&replay->decision, &replay->answer);
    return vt_ok();
}

struct vt_err vt_replay_make(struct vt_ranking_service *service, struct vt_request *request,
                             struct vt_slice token, struct vt_replay *ret_replay)
{
    struct vt_replay replay = {.exact = false};
    VT_TRY(find_record(service, request, token, &replay));
    /* In its place from the beginning: the run points to its trace. */
    *ret_replay = replay;
    struct vt_err err = run_again(service, request, ret_replay);
    if (vt_failed(err))
        vt_replay_release(ret_replay);
    return err;
}

void vt_replay_release(struct vt_replay *replay)
{
    vt_bundle_release(replay->bundle);
    replay->bundle = NULL;
    if (replay->placements != NULL)
        vt_published_release(&replay->placements->published);
    replay->placements = NULL;
}
