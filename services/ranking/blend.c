/*
 * From scores per source to one order. Dividing by the list's largest magnitude keeps a score's
 * sign and its ratios, which matter for Rank (where the caller's worst items have negative scores),
 * and needs no statistics from elsewhere: the same list gives the same order in every process.
 * What a version's mix has summed up already (the model's score) is not added again. Terms are
 * summed by ascending source, the ranker's last, so that an explanation's parts make the same bits.
 */
#include "services/ranking/blend.h"

#include <math.h>

static bool has_score(const struct vt_candidate *candidate, unsigned source)
{
    return (candidate->sources >> source & 1) != 0;
}

/* The model's score has these in it already. */
#define INSIDE_MODEL                                                                               \
    (1U << VT_SOURCE_FACTOR | 1U << VT_SOURCE_KERNEL | 1U << VT_SOURCE_ITEM_NEIGHBOR |             \
     1U << VT_SOURCE_POPULAR)

/* The sources that another score of the candidate has in it. */
static uint32_t inside(const struct vt_candidate *candidate, uint32_t ranked_sources)
{
    return (has_score(candidate, VT_SOURCE_MODEL) ? INSIDE_MODEL : 0) |
           (has_score(candidate, VT_SOURCE_RANKER) ? ranked_sources : 0);
}

static void scale_candidate(const struct vt_candidate *candidate, struct vt__blend_scales *scales)
{
    for (uint32_t left = candidate->sources; left != 0; left &= left - 1) {
        unsigned source = (unsigned)__builtin_ctz(left);
        scales->largest[source] = fmax(scales->largest[source], fabs(candidate->scores[source]));
    }
    if (has_score(candidate, VT_SOURCE_RANKER)) {
        double score = candidate->scores[VT_SOURCE_RANKER];
        scales->ranker_lowest = fmin(scales->ranker_lowest, score);
        scales->ranker_highest = fmax(scales->ranker_highest, score);
    }
}

void vt__blend_scales(const struct vt_candidate *candidates, uint32_t n,
                      struct vt__blend_scales *ret_scales)
{
    *ret_scales = (struct vt__blend_scales){.ranker_lowest = INFINITY, .ranker_highest = -INFINITY};
    for (uint32_t i = 0; i < n; i++)
        scale_candidate(&candidates[i], ret_scales);
}

/* Trees give scores of any sign that mean something against each other only. */
static double ranker_part(double score, double weight, const struct vt__blend_scales *scales)
{
    double range = scales->ranker_highest - scales->ranker_lowest;
    return range > 0 ? weight * ((score - scales->ranker_lowest) / range) : 0;
}

static double part_of(double score, double weight, double largest)
{
    return weight > 0 && largest > 0 ? weight * (score / largest) : 0;
}

void vt__blend_parts(const struct vt_candidate *candidate, const float weights[VT_SOURCE_COUNT],
                     uint32_t ranked_sources, const struct vt__blend_scales *scales,
                     double ret_parts[VT_SOURCE_COUNT])
{
    uint32_t left = candidate->sources & ~inside(candidate, ranked_sources);
    for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
        ret_parts[source] = 0;
    for (; left != 0; left &= left - 1) {
        unsigned source = (unsigned)__builtin_ctz(left);
        double score = candidate->scores[source], weight = (double)weights[source];
        ret_parts[source] = source == VT_SOURCE_RANKER
                                ? ranker_part(score, weight, scales)
                                : part_of(score, weight, scales->largest[source]);
    }
}

double vt__blend_sum(const double parts[VT_SOURCE_COUNT])
{
    double sum = 0;
    for (unsigned source = 0; source < VT_SOURCE_COUNT; source++)
        sum += source != VT_SOURCE_RANKER ? parts[source] : 0;
    return sum + parts[VT_SOURCE_RANKER];
}

void vt__blend(const struct vt_candidate *candidates, uint32_t n,
               const float weights[VT_SOURCE_COUNT], uint32_t ranked_sources,
               struct vt__scored *ret_scored)
{
    struct vt__blend_scales scales;
    double largest = 0;
    vt__blend_scales(candidates, n, &scales);
    for (uint32_t i = 0; i < n; i++) {
        double parts[VT_SOURCE_COUNT];
        vt__blend_parts(&candidates[i], weights, ranked_sources, &scales, parts);
        ret_scored[i] = (struct vt__scored){.candidate = &candidates[i],
                                            .row = UINT32_MAX,
                                            .score = vt__blend_sum(parts),
                                            .factor = 1};
        largest = fmax(largest, fabs(ret_scored[i].score));
    }
    for (uint32_t i = 0; i < n && largest > 0; i++)
        ret_scored[i].score /= largest;
}
