/*
 * From scores per source to one order. Dividing by the list's largest magnitude keeps a score's
 * sign and its ratios, which matter for Rank (where the caller's worst items have negative scores),
 * and needs no statistics from elsewhere: the same list gives the same order in every process.
 * What a version's mix has summed up already (the model's score) is not added again.
 * Selection is a plain scan for the best: the list is a few hundred long, and a scan neither
 * allocates nor leaves ties to a sort's mood.
 */
#include "services/ranking/blend.h"

#include "models/index/index.h"
#include "models/kernels/kernels.h"

#include <math.h>

enum { POOL_PER_PLACE = 2, POOL_EXTRA = 50 }; /* how far down the list diversity may reach */

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
        ret_scored[i] = (struct vt__scored){.candidate = &candidates[i], .row = UINT32_MAX};
    for (unsigned source = VT_SOURCE_FACTOR; source < VT_SOURCE_COUNT; source++)
        if (weights[source] > 0 && source != VT_SOURCE_RANKER)
            add_source(candidates, n, source, (double)weights[source], ranked_sources, ret_scored);
    add_ranker(candidates, n, (double)weights[VT_SOURCE_RANKER], ret_scored);
    for (uint32_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(ret_scored[i].score));
    for (uint32_t i = 0; i < n && largest > 0; i++)
        ret_scored[i].score /= largest;
}

static void swap_scored(struct vt__scored *a, struct vt__scored *b)
{
    struct vt__scored kept = *a;
    *a = *b;
    *b = kept;
}

static double value_of(const struct vt__scored *scored, double lambda)
{
    return (1 - lambda) * scored->score + lambda * (1 - scored->nearest);
}

static uint32_t best_from(const struct vt__scored *scored, uint32_t begin, uint32_t end,
                          double lambda)
{
    uint32_t best = begin;
    for (uint32_t i = begin + 1; i < end; i++) {
        double difference = value_of(&scored[i], lambda) - value_of(&scored[best], lambda);
        if (difference > 0 ||
            (!(difference < 0) && scored[i].candidate->item < scored[best].candidate->item))
            best = i;
    }
    return best;
}

static uint32_t select_best(struct vt__scored *scored, uint32_t n_scored, uint32_t n)
{
    uint32_t n_places = n < n_scored ? n : n_scored;
    for (uint32_t place = 0; place < n_places; place++)
        swap_scored(&scored[place], &scored[best_from(scored, place, n_scored, 0)]);
    return n_places;
}

static double cosine(const struct vt_bundle_view *view, uint32_t row_a, uint32_t row_b)
{
    if (row_a == UINT32_MAX || row_b == UINT32_MAX)
        return 0;
    double norms =
        (double)vt_index_norm(view->index, row_a) * (double)vt_index_norm(view->index, row_b);
    double dot = vt_score_dot(view->item_factors + (size_t)row_a * view->factor_stride,
                              view->item_factors + (size_t)row_b * view->factor_stride, view->dim);
    return norms > 0 ? dot / norms : 0;
}

static void come_nearer(const struct vt_bundle_view *view, const struct vt__scored *chosen,
                        struct vt__scored *others, uint32_t n_others)
{
    for (uint32_t i = 0; i < n_others; i++)
        others[i].nearest = fmax(others[i].nearest, cosine(view, chosen->row, others[i].row));
}

uint32_t vt__diversify(struct vt__scored *scored, uint32_t n_scored, uint32_t n, unsigned level,
                       const struct vt_bundle *bundle)
{
    static const double lambdas[] = {0, 0, .1, .25, .45};
    double lambda = level < sizeof lambdas / sizeof *lambdas ? lambdas[level] : 0;
    const struct vt_bundle_view *view = bundle != NULL ? vt_bundle_view(bundle) : NULL;
    if (!(lambda > 0) || view == NULL || view->index == NULL)
        return select_best(scored, n_scored, n);
    uint32_t n_pool = select_best(scored, n_scored, n * POOL_PER_PLACE + POOL_EXTRA);
    uint32_t n_places = n < n_pool ? n : n_pool;
    for (uint32_t i = 0; i < n_pool; i++)
        scored[i].row = vt_bundle_row(bundle, scored[i].candidate->item);
    for (uint32_t place = 0; place < n_places; place++) {
        swap_scored(&scored[place], &scored[best_from(scored, place, n_pool, lambda)]);
        scored[place].score = value_of(&scored[place], lambda);
        come_nearer(view, &scored[place], scored + place + 1, n_pool - place - 1);
    }
    return n_places;
}
