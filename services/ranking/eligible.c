/* Eligibility is judged here, on the item table, whatever a candidate service said: stock, dislikes
 * and what was seen may have changed since, and the two may run in different processes. */
#include "services/ranking/eligible.h"

#include "models/dataset/history.h"

/* A place among the marks, by Fibonacci hashing. */
static unsigned mark_of(uint32_t item)
{
    return (item * UINT32_C(0x9e3779b1)) >> (32 - VT__SEEN_MARK_BITS);
}

static bool is_seen_by(const struct vt__run *run, const struct vt_history_event *event)
{
    return vt_candidate_keeps_out(event->type, run->include_viewed, run->include_bought);
}

static void mark_seen(struct vt__run *run)
{
    for (uint32_t e = 0; e < run->profile.n_events; e++) {
        const struct vt_history_event *event = &run->profile.events[e];
        unsigned mark = mark_of(event->item);
        if (is_seen_by(run, event))
            run->seen_marks[mark / 64] |= UINT64_C(1) << mark % 64;
    }
    for (uint32_t i = 0; i < run->profile.n_shown; i++) {
        unsigned mark = mark_of(run->profile.shown[i]);
        run->seen_marks[mark / 64] |= UINT64_C(1) << mark % 64;
    }
}

struct vt_err vt__read_history(struct vt__run *run)
{
    const struct vt_profile_view *profile = &run->profile;
    mark_seen(run);
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

/* Hundreds of candidates are asked about and few of them were seen: an item without a mark is not
 * looked for. */
static bool is_marked(const struct vt__run *run, uint32_t item)
{
    unsigned mark = mark_of(item);
    return (run->seen_marks[mark / 64] >> mark % 64 & 1) != 0;
}

static bool is_seen(const struct vt__run *run, uint32_t item)
{
    for (uint32_t e = 0; e < run->profile.n_events; e++)
        if (run->profile.events[e].item == item && is_seen_by(run, &run->profile.events[e]))
            return true;
    return false;
}

bool vt__passes_filter(const struct vt__run *run, uint32_t item)
{
    return run->filter.filter == NULL ||
           vt_sight_passes(run->sight, run->filter.filter, item, run->now_ms);
}

/* Whatever was seen of it. */
static enum vt_bar pinning_bar(const struct vt__run *run, uint32_t item)
{
    if (!vt_sight_recommendable(run->sight, item, run->now_ms))
        return VT_BAR_UNAVAILABLE;
    if (!vt__passes_filter(run, item))
        return VT_BAR_FILTER;
    if (vt__is_listed(run->exclude, run->n_exclude, item))
        return VT_BAR_EXCLUDED;
    if (vt__is_listed(run->context, run->n_context, item))
        return VT_BAR_CONTEXT;
    return vt__is_listed(run->disliked, run->n_disliked, item) ? VT_BAR_DISLIKED : VT_BAR_NONE;
}

/* `known`: of what was found because it was seen. */
static enum vt_bar bar(const struct vt__run *run, uint32_t item, bool known)
{
    enum vt_bar first = pinning_bar(run, item);
    if (first != VT_BAR_NONE || !is_marked(run, item))
        return first;
    if (!known && is_seen(run, item))
        return VT_BAR_SEEN;
    return vt__is_listed(run->profile.shown, run->profile.n_shown, item) ? VT_BAR_SHOWN
                                                                         : VT_BAR_NONE;
}

bool vt__is_pinnable(const struct vt__run *run, uint32_t item)
{
    return pinning_bar(run, item) == VT_BAR_NONE;
}

bool vt__is_eligible(const struct vt__run *run, uint32_t item)
{
    return bar(run, item, false) == VT_BAR_NONE;
}

/* What was found because it was seen. */
static bool is_known(const struct vt_candidate *candidate)
{
    return (candidate->sources & (1U << VT_SOURCE_RECENTLY_VIEWED | 1U << VT_SOURCE_BUY_AGAIN)) !=
           0;
}

static enum vt_bar candidate_bar(const struct vt__run *run, const struct vt_candidate *candidate)
{
    if (run->query.mode != VT_RANKING_RANK)
        return bar(run, candidate->item, is_known(candidate));
    if (!vt__passes_filter(run, candidate->item))
        return VT_BAR_FILTER;
    return vt__is_listed(run->disliked, run->n_disliked, candidate->item) ? VT_BAR_DISLIKED
                                                                          : VT_BAR_NONE;
}

uint32_t vt__keep_eligible(const struct vt__run *run, struct vt_candidate *candidates, uint32_t n)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        enum vt_bar found = candidate_bar(run, &candidates[i]);
        if (found == VT_BAR_NONE)
            candidates[n_kept++] = candidates[i];
        else if (run->trace != NULL)
            run->trace->barred[run->trace->n_barred++] = (struct vt__barred){candidates[i], found};
    }
    return n_kept;
}
