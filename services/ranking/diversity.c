/*
 * Greedy, and over a pool a few times as long as the list: what stands far below cannot win a place
 * by being different alone. The cosines are the defined score over norms (docs/numerics.md), so
 * every process and every CPU chooses the same. Nearness only grows as places are given, so a value
 * that has not met all of them is an upper bound, and one that does not win by its bound need not
 * be worked out (the lazy greedy step of Minoux, 1978): the list is that of the plain one, bit for
 * bit.
 */
#include "services/ranking/diversity.h"

#include "models/index/index.h"
#include "models/kernels/kernels.h"

#include <math.h>

enum { POOL_PER_PLACE = 2, POOL_EXTRA = 50 };

void vt__swap_scored(struct vt__scored *a, struct vt__scored *b)
{
    struct vt__scored kept = *a;
    *a = *b;
    *b = kept;
}

void vt__diversity_init(struct vt__diversity *diversity, unsigned level,
                        const struct vt_bundle *bundle)
{
    static const double lambdas[] = {0, 0, .1, .25, .45};
    double lambda = level < sizeof lambdas / sizeof *lambdas ? lambdas[level] : 0;
    *diversity = (struct vt__diversity){.bundle = bundle};
    if (!(lambda > 0) || bundle == NULL || vt_bundle_view(bundle)->index == NULL)
        return;
    diversity->view = vt_bundle_view(bundle);
    diversity->lambda = lambda;
}

double vt__diversity_value(const struct vt__diversity *diversity, const struct vt__scored *scored)
{
    return (1 - diversity->lambda) * scored->score + diversity->lambda * (1 - scored->nearest);
}

static const float *factors_of(const struct vt_bundle_view *view, uint32_t row)
{
    return view->item_factors + (size_t)row * view->factor_stride;
}

static double cosine(const struct vt_bundle_view *view, uint32_t row_a, uint32_t row_b)
{
    if (row_a == UINT32_MAX || row_b == UINT32_MAX)
        return 0;
    double norms =
        (double)vt_index_norm(view->index, row_a) * (double)vt_index_norm(view->index, row_b);
    double dot = vt_score_dot(factors_of(view, row_a), factors_of(view, row_b), view->dim);
    return norms > 0 ? dot / norms : 0;
}

static void meet(const struct vt_bundle_view *view, const struct vt__scored *before,
                 uint32_t n_before, struct vt__scored *scored)
{
    for (; scored->n_met < n_before; scored->n_met++)
        scored->nearest =
            fmax(scored->nearest, cosine(view, before[scored->n_met].row, scored->row));
}

static bool wins(double value, const struct vt__scored *scored, double best_value,
                 const struct vt__scored *best)
{
    return value > best_value ||
           (!(value < best_value) && scored->candidate->item < best->candidate->item);
}

uint32_t vt__diversity_best(const struct vt__diversity *diversity, struct vt__scored *scored,
                            uint32_t begin, uint32_t end)
{
    uint32_t best = UINT32_MAX;
    double best_value = 0;
    for (uint32_t i = begin; i < end; i++) {
        double value = vt__diversity_value(diversity, &scored[i]);
        if (best != UINT32_MAX && !wins(value, &scored[i], best_value, &scored[best]))
            continue;
        if (diversity->view != NULL) {
            meet(diversity->view, scored, begin, &scored[i]);
            value = vt__diversity_value(diversity, &scored[i]);
        }
        if (best == UINT32_MAX || wins(value, &scored[i], best_value, &scored[best])) {
            best = i;
            best_value = value;
        }
    }
    return best;
}

void vt__diversity_enter(const struct vt__diversity *diversity, struct vt__scored *scored,
                         uint32_t n)
{
    for (uint32_t i = 0; diversity->view != NULL && i < n; i++)
        scored[i].row = vt_bundle_row(diversity->bundle, scored[i].candidate->item);
}

uint32_t vt__diversity_pool(uint32_t n)
{
    return n * POOL_PER_PLACE + POOL_EXTRA;
}

static bool stands_before(const struct vt__scored *a, const struct vt__scored *b)
{
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score;
    return a->candidate->item < b->candidate->item;
}

static void sift_down(struct vt__scored *heap, uint32_t n, uint32_t at)
{
    for (uint32_t child = 2 * at + 1; child < n; at = child, child = 2 * at + 1) {
        if (child + 1 < n && stands_before(&heap[child + 1], &heap[child]))
            child++;
        if (!stands_before(&heap[child], &heap[at]))
            return;
        vt__swap_scored(&heap[child], &heap[at]);
    }
}

/* A heap whose best go to the end one by one, and then the whole turned round. */
uint32_t vt__select_best(struct vt__scored *scored, uint32_t n_scored, uint32_t n)
{
    uint32_t n_places = n < n_scored ? n : n_scored;
    for (uint32_t i = n_scored / 2; i-- > 0;)
        sift_down(scored, n_scored, i);
    for (uint32_t place = 0; place < n_places; place++) {
        vt__swap_scored(&scored[0], &scored[n_scored - place - 1]);
        sift_down(scored, n_scored - place - 1, 0);
    }
    for (uint32_t i = 0; i < n_scored / 2; i++)
        vt__swap_scored(&scored[i], &scored[n_scored - 1 - i]);
    return n_places;
}

uint32_t vt__diversify(struct vt__scored *scored, uint32_t n_scored, uint32_t n, unsigned level,
                       const struct vt_bundle *bundle)
{
    struct vt__diversity diversity;
    vt__diversity_init(&diversity, level, bundle);
    if (diversity.view == NULL)
        return vt__select_best(scored, n_scored, n);
    uint32_t n_pool = vt__select_best(scored, n_scored, vt__diversity_pool(n));
    uint32_t n_places = n < n_pool ? n : n_pool;
    vt__diversity_enter(&diversity, scored, n_pool);
    for (uint32_t place = 0; place < n_places; place++) {
        vt__swap_scored(&scored[place],
                        &scored[vt__diversity_best(&diversity, scored, place, n_pool)]);
        scored[place].score = vt__diversity_value(&diversity, &scored[place]);
    }
    return n_places;
}
