#ifndef VT_RANKING_PLACES_H
#define VT_RANKING_PLACES_H

#include "services/ranking/caps.h"
#include "services/ranking/diversity.h"
#include "services/ranking/explore.h"
#include "services/ranking/run.h"

/*
 * Gives the places of a list, first to last, by the placement's rules. For each place, the first of
 * these that has an item for it:
 *   1. the pin of the place
 *   2. on a campaign's slot: the best item of the campaigns
 *   3. on a place for exploration: the new item that wins the draw
 *   4. the best by score and diversity
 *   5. what is popular, then any item by number (Recommend, and degraded answers)
 * Boosts and buries have been multiplied into the scores before. Caps (variants among them) hold
 * for 2 to 5, and count pins; a full group is never broken to fill a list. All must be eligible; a
 * pin may have been seen. One call, in its arena.
 */
struct vt__places {
    const struct vt__run *run;
    const struct vt_placement *placement;
    struct vt_sight *sight; /* the run's */
    struct vt__diversity diversity;
    struct vt__caps caps;
    struct vt__exploration exploration;
    /* [0, n) have a place; [n, pool) may be chosen; [pool, n_scored) wait to enter the pool. */
    struct vt__scored *scored;
    uint32_t n, pool, n_scored, capacity;
    struct vt__scored pinned[VT_PINS_MAX]; /* by pin; candidate NULL: it cannot stand here */
    uint32_t popular, number;              /* how far filling up is */
    bool fill;
    struct vt_rule_drop *drops; /* what a cap kept out */
    uint32_t n_drops;
};

/* What vt__places_init is given. */
struct vt__places_options {
    struct vt__scored *scored; /* room for n_scored + VT__PLACES_EXTRA(capacity); is reordered */
    uint32_t n_scored, capacity;
    unsigned level;                 /* of diversity */
    const struct vt_bundle *bundle; /* NULL: no diversity */
    bool fill;                      /* go on with popular items, and any */
};
#define VT__PLACES_EXTRA(capacity_) ((capacity_) + VT_PINS_MAX + 1)
/* Multiplies the boosts in, takes out the pins, fills the pool. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__places_init(struct vt__places *places, const struct vt__run *run,
                                          const struct vt__places_options *options);
/* The item of the next place; NULL: nothing more fits, or the list is full. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__places_next(struct vt__places *places,
                                          const struct vt__scored **ret_scored);

/* Multiplies the placement's boosts into the scores. O(n · boosts). */
void vt__apply_boosts(const struct vt__run *run, struct vt__scored *scored, uint32_t n);
/* The numbers of the items of the campaigns that run at this time, each once; room for
 * VT_PLACEMENT_CAMPAIGN_ITEMS_MAX. Enter the table before. */
uint32_t vt__running_campaigns(const struct vt_placement *placement, struct vt_item_table *items,
                               int64_t now_ms, uint32_t *ret_numbers);

#endif
