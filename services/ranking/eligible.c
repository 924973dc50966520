/* Eligibility is judged here, on the item table, whatever a candidate service said: stock, dislikes
 * and what was seen may have changed since, and the two may run in different processes. */
#include "services/ranking/eligible.h"

#include "models/dataset/history.h"

struct vt_err vt__find_dislikes(struct vt__run *run)
{
    const struct vt_profile_view *profile = &run->profile;
    run->disliked =
        vt_arena_array(run->request->arena, (size_t)profile->n_events + 1, sizeof *run->disliked);
    VT_CHECK(run->disliked != NULL, VT_EXHAUSTED, "the request's memory is full");
    run->n_disliked = vt_history_dislikes(profile->events, profile->n_events, run->disliked);
    return vt_ok();
}

bool vt__is_listed(const uint32_t *items, uint32_t n, uint32_t item)
{
    for (uint32_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

static bool is_seen(const struct vt__run *run, uint32_t item)
{
    if (run->include_viewed && run->include_bought)
        return false;
    for (uint32_t e = 0; e < run->profile.n_events; e++) {
        const struct vt_history_event *event = &run->profile.events[e];
        if (event->item == item &&
            vt_candidate_keeps_out(event->type, run->include_viewed, run->include_bought))
            return true;
    }
    return false;
}

bool vt__passes_filter(const struct vt__run *run, uint32_t item)
{
    return run->filter.filter == NULL ||
           vt_sight_passes(run->sight, run->filter.filter, item, run->now_ms);
}

bool vt__is_pinnable(const struct vt__run *run, uint32_t item)
{
    return vt_sight_recommendable(run->sight, item, run->now_ms) && vt__passes_filter(run, item) &&
           !vt__is_listed(run->exclude, run->n_exclude, item) &&
           !vt__is_listed(run->context, run->n_context, item) &&
           !vt__is_listed(run->disliked, run->n_disliked, item);
}

bool vt__is_eligible(const struct vt__run *run, uint32_t item)
{
    return vt__is_pinnable(run, item) && !is_seen(run, item);
}

/* What was found because it was seen. */
static bool is_known(const struct vt_candidate *candidate)
{
    return (candidate->sources & (1U << VT_SOURCE_RECENTLY_VIEWED | 1U << VT_SOURCE_BUY_AGAIN)) !=
           0;
}

static bool is_rankable(const struct vt__run *run, const struct vt_candidate *candidate)
{
    if (run->query.mode == VT_RANKING_RANK)
        return vt__passes_filter(run, candidate->item) &&
               !vt__is_listed(run->disliked, run->n_disliked, candidate->item);
    return is_known(candidate) ? vt__is_pinnable(run, candidate->item)
                               : vt__is_eligible(run, candidate->item);
}

uint32_t vt__keep_eligible(const struct vt__run *run, struct vt_candidate *candidates, uint32_t n)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (is_rankable(run, &candidates[i]))
            candidates[n_kept++] = candidates[i];
    return n_kept;
}
