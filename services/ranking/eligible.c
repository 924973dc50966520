/* Eligibility is judged here, on the item table, whatever a candidate service said: stock, dislikes
 * and what was seen may have changed since, and the two may run in different processes. */
#include "services/ranking/eligible.h"

#include "models/dataset/history.h"
#include "services/common/base/clock.h"

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
    for (uint32_t e = 0; !run->query.include_seen && e < run->profile.n_events; e++) {
        const struct vt_history_event *event = &run->profile.events[e];
        if (event->item == item && vt_candidate_is_seen(event->type))
            return true;
    }
    return false;
}

bool vt__is_eligible(const struct vt__run *run, uint32_t item)
{
    const struct vt_ranking_options *options = &run->service->options;
    return vt_item_table_recommendable(options->items, item, vt_clock_unix_ms(options->clock)) &&
           !vt__is_listed(run->exclude, run->n_exclude, item) &&
           !vt__is_listed(run->context, run->n_context, item) &&
           !vt__is_listed(run->disliked, run->n_disliked, item) && !is_seen(run, item);
}

static bool is_rankable(const struct vt__run *run, uint32_t item)
{
    if (run->query.mode == VT_RANKING_RANK)
        return !vt__is_listed(run->disliked, run->n_disliked, item);
    return vt__is_eligible(run, item);
}

uint32_t vt__keep_eligible(const struct vt__run *run, struct vt_candidate *candidates, uint32_t n)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (is_rankable(run, candidates[i].item))
            candidates[n_kept++] = candidates[i];
    return n_kept;
}
