/*
 * From scores per source to one order. Dividing by the list's largest magnitude keeps a score's
 * sign and its ratios, which matter for Rank (where the caller's worst items have negative scores),
 * and needs no statistics from elsewhere: the same list gives the same order in every process.
 * What a version's mix has summed up already (the model's score) is not added again.
 */
#include "services/ranking/blend.h"

#include <math.h>

static bool has_score(const struct vt_candidate *candidate, unsigned source)
{
    return (candidate->sources >> source & 1) != 0;
}

static double largest_magnitude(const struct vt_candidate *candidates, uint32_t n, unsigned source)
{
    double largest = 0;
    for (uint32_t i = 0; i < n; i++)
        if (has_score(&candidates[i], source))
            largest = fmax(largest, fabs(candidates[i].scores[source]));
    return largest;
}

/* The model's score has these in it already. */
#define INSIDE_MODEL                                                                               \
    (1U << VT_SOURCE_FACTOR | 1U << VT_SOURCE_KERNEL | 1U << VT_SOURCE_ITEM_NEIGHBOR |             \
     1U << VT_SOURCE_POPULAR)

/* Whether a score of the candidate that sums others up has this one in it. */
static bool is_inside(const struct vt_candidate *candidate, unsigned source,
                      uint32_t ranked_sources)
{
    uint32_t inside = (has_score(candidate, VT_SOURCE_MODEL) ? INSIDE_MODEL : 0) |
                      (has_score(candidate, VT_SOURCE_RANKER) ? ranked_sources : 0);
    return (inside >> source & 1) != 0;
}

/* Trees give scores of any sign that mean something against each other only. */
static void add_ranker(const struct vt_candidate *candidates, uint32_t n, double weight,
                       struct vt__scored *scored)
{
    double lowest = INFINITY, highest = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        if (has_score(&candidates[i], VT_SOURCE_RANKER)) {
            lowest = fmin(lowest, candidates[i].scores[VT_SOURCE_RANKER]);
            highest = fmax(highest, candidates[i].scores[VT_SOURCE_RANKER]);
        }
    for (uint32_t i = 0; i < n && highest > lowest; i++)
        if (has_score(&candidates[i], VT_SOURCE_RANKER))
            scored[i].score +=
                weight * ((candidates[i].scores[VT_SOURCE_RANKER] - lowest) / (highest - lowest));
}

static void add_source(const struct vt_candidate *candidates, uint32_t n, unsigned source,
                       double weight, uint32_t ranked_sources, struct vt__scored *scored)
{
    double largest = largest_magnitude(candidates, n, source);
    if (!(largest > 0))
        return;
    for (uint32_t i = 0; i < n; i++)
        if (has_score(&candidates[i], source) && !is_inside(&candidates[i], source, ranked_sources))
            scored[i].score += weight * (candidates[i].scores[source] / largest);
}

void vt__blend(const struct vt_candidate *candidates, uint32_t n,
               const float weights[VT_SOURCE_COUNT], uint32_t ranked_sources,
               struct vt__scored *ret_scored)
{
    double largest = 0;
    for (uint32_t i = 0; i < n; i++)
        ret_scored[i] =
            (struct vt__scored){.candidate = &candidates[i], .row = UINT32_MAX, .factor = 1};
    for (unsigned source = VT_SOURCE_FACTOR; source < VT_SOURCE_COUNT; source++)
        if (weights[source] > 0 && source != VT_SOURCE_RANKER)
            add_source(candidates, n, source, (double)weights[source], ranked_sources, ret_scored);
    add_ranker(candidates, n, (double)weights[VT_SOURCE_RANKER], ret_scored);
    for (uint32_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(ret_scored[i].score));
    for (uint32_t i = 0; i < n && largest > 0; i++)
        ret_scored[i].score /= largest;
}
