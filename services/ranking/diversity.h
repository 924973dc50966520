#ifndef VT_RANKING_DIVERSITY_H
#define VT_RANKING_DIVERSITY_H

#include "services/ranking/blend.h"

/*
 * Maximal marginal relevance (Carbonell and Goldstein, 1998): each place goes to the highest
 * (1 − λ)·score + λ·(1 − nearest), nearest being the highest cosine of its factors to those of what
 * stands before it; ties to the lower item number. λ is 0, .1, .25 and .45 for the levels 1 none to
 * 4 high. One thread.
 */
struct vt__diversity {
    const struct vt_bundle *bundle;
    const struct vt_bundle_view *view; /* NULL: no diversity */
    double lambda;
};

/* `bundle` gives the item factors; NULL, or one without: no diversity. Borrowed. */
void vt__diversity_init(struct vt__diversity *diversity, unsigned level,
                        const struct vt_bundle *bundle);
/* Its value, given the places it has met: what is written above. */
double vt__diversity_value(const struct vt__diversity *diversity, const struct vt__scored *scored);
/* Where in scored[begin … end - 1], begin < end, the highest value is, when scored[0 … begin - 1]
 * stand before them. What an item has not met yet can only make its value less, so an item meets
 * what stands before it when it would win otherwise, and most never do. The winner has met all.
 * O(n + d · meetings), at most O(n · begin · d) over all places. */
uint32_t vt__diversity_best(const struct vt__diversity *diversity, struct vt__scored *scored,
                            uint32_t begin, uint32_t end);
/* Finds the rows of what may be chosen, or has been. */
void vt__diversity_enter(const struct vt__diversity *diversity, struct vt__scored *scored,
                         uint32_t n);

/* How many of the best may take part for n places: diversity reaches no further down. */
uint32_t vt__diversity_pool(uint32_t n);
/* Moves the best n by score alone to the front, best first, ties by item number; returns how many
 * there are. O(n_scored + n·log n_scored). */
uint32_t vt__select_best(struct vt__scored *scored, uint32_t n_scored, uint32_t n);
/* Moves the best `n` to the front; a place's value becomes its score, so scores never rise down the
 * list. Greedy, O(n·pool·d). Returns how many places were filled. */
uint32_t vt__diversify(struct vt__scored *scored, uint32_t n_scored, uint32_t n, unsigned level,
                       const struct vt_bundle *bundle);
void vt__swap_scored(struct vt__scored *a, struct vt__scored *b);

#endif
