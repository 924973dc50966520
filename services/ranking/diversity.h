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
/* The value that places are given by: what is written above. */
double vt__diversity_value(const struct vt__diversity *diversity, const struct vt__scored *scored);
/* The place in begin … end - 1 of the highest value; begin < end. O(n). */
uint32_t vt__diversity_best(const struct vt__diversity *diversity, const struct vt__scored *scored,
                            uint32_t begin, uint32_t end);
/* Finds the rows of `others`, and how near each is to what stands before it already. */
void vt__diversity_enter(const struct vt__diversity *diversity, const struct vt__scored *before,
                         uint32_t n_before, struct vt__scored *others, uint32_t n_others);
/* Tells the others that `chosen` stands before them. O(n·d). */
void vt__diversity_chosen(const struct vt__diversity *diversity, const struct vt__scored *chosen,
                          struct vt__scored *others, uint32_t n_others);

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
