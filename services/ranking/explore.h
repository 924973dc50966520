#ifndef VT_RANKING_EXPLORE_H
#define VT_RANKING_EXPLORE_H

#include "services/ranking/blend.h"
#include "services/ranking/placement.h"
#include "services/ranking/sight.h"

/*
 * A share of a list's places for items that nobody knows yet. Which one gets such a place is
 * Thompson's sampling (1933; Chapelle and Li, 2011): each new item draws from the Beta distribution
 * of its rate, Beta(prior wins + events so far, prior misses), and the highest draw wins. Events
 * are the item's own, weighted, of all customers: impressions are in the event log alone, so misses
 * are the prior's. All randomness comes from a seed that is a hash of the request and the hour, so
 * a reload of a page shows the same page.
 */
enum { VT_EXPLORE_ARMS_MAX = 16 };

struct vt__random {
    uint64_t state;
};
/* The next 64 bits (SplitMix64; Steele, Lea and Flood, 2014). */
uint64_t vt__random_next(struct vt__random *random);
/* In (0, 1). */
double vt__random_uniform(struct vt__random *random);
/* From Beta(a, b), a and b at least 1 (two gammas; Marsaglia and Tsang, 2000). */
double vt__random_beta(struct vt__random *random, double a, double b);

struct vt__arm {
    const struct vt_candidate *candidate;
    double wins, misses; /* of its Beta, at least 1 */
};
struct vt__exploration {
    struct vt__random random;
    struct vt__arm arms[VT_EXPLORE_ARMS_MAX];
    uint32_t n_arms;
    uint32_t n_places; /* how many places of the list are for new items */
    double chance;     /* that the list has its last such place; 1: certain */
};

/* Finds the arms among the candidates, the best scores first: items first described within
 * new_for_ms whose events weigh less than until_events. `n` is the list's length. O(n_scored). */
void vt__exploration_init(struct vt__exploration *exploration, const struct vt_exploration *options,
                          struct vt_sight *sight, int64_t now_ms, uint64_t seed,
                          const struct vt__scored *scored, uint32_t n_scored, uint32_t n);
/* Whether the place (0 is the first) is one of them: they are spread evenly over the list. */
bool vt__exploration_is_place(const struct vt__exploration *exploration, uint32_t place,
                              uint32_t n);
/* Draws for the arms that are left and takes the winner out of them; UINT32_MAX: none is left.
 * Returns its item. ret_propensity: the probability of that choice, by quadrature, when `wanted`;
 * else 0. */
uint32_t vt__exploration_draw(struct vt__exploration *exploration, bool wanted,
                              double *ret_propensity);
/* The item is out: it stands in the list already. */
void vt__exploration_remove(struct vt__exploration *exploration, uint32_t item);

/* The probability that each arm's draw is the highest: ∫ f_i(x) Π_{j≠i} F_j(x) dx on a fixed grid,
 * brought to a sum of 1. `ret` is n long, of at most VT_EXPLORE_ARMS_MAX. O(n² · grid). */
void vt__thompson_propensities(const struct vt__arm *arms, uint32_t n, double *ret);

#endif
