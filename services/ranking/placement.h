#ifndef VT_RANKING_PLACEMENT_H
#define VT_RANKING_PLACEMENT_H

#include "services/candidate/candidate.h"
#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/publication.h"
#include "services/profile/profile.h"
#include "services/ranking/match.h"

/*
 * What the storefront's people decide: for each place where a list stands, its mix of sources, its
 * rules and its diversity. Read whole from one YAML file (docs/operations.md, "Placements"), judged
 * whole, published by one counted pointer. Immutable from then on, but for the numbers of SKUs,
 * which are looked up once they are known.
 */
enum {
    VT_PLACEMENTS_MAX = 64,
    VT_CAMPAIGNS_MAX = 64,
    VT_CAMPAIGN_ITEMS_MAX = 500,
    VT_PLACEMENT_CAMPAIGNS_MAX = 8,
    VT_PLACEMENT_CAMPAIGN_ITEMS_MAX = 500, /* of all its campaigns */
    VT_PINS_MAX = 20,
    VT_SLOTS_MAX = 20,
    VT_BOOSTS_MAX = 32,
    VT_CAPS_MAX = 8,
    VT_PRICE_TIERS_MAX = 16,
};

/* A SKU stands at a place, 1 is the first. */
struct vt_pin {
    struct vt_sku sku;
    uint32_t place;
};

/* The score of what matches is multiplied (one below 0: divided) by `factor`: above 1 a boost,
 * below 1 a bury. */
struct vt_boost {
    struct vt_match match;
    double factor;
};

/* Of the items that match, at most `at_most` in a list: in each group of `per`. */
enum vt_cap_group {
    VT_CAP_ALL,       /* all that match are one group */
    VT_CAP_BRAND,     /* each brand */
    VT_CAP_CATEGORY,  /* each narrowest category */
    VT_CAP_ATTRIBUTE, /* each value of the attribute */
    VT_CAP_PRICE,     /* each price tier */
};
struct vt_cap {
    struct vt_match match;
    enum vt_cap_group per;
    struct vt_slice attribute;
    double tiers[VT_PRICE_TIERS_MAX]; /* ascending upper ends; above the last is one more */
    uint32_t n_tiers;
    uint32_t at_most;
    bool variants; /* was written as `variants` */
};

/* A set of items that is to be seen from one day to before another. */
struct vt_campaign {
    struct vt_slice name;
    struct vt_sku *items;
    uint32_t n_items;
    int64_t from_ms, until_ms; /* 0: open */
};

/* Places for items that are too new to be known: explore.h. */
struct vt_exploration {
    double quota; /* share of a list's places; 0: none */
    int64_t new_for_ms;
    double until_events; /* of event weight: then it is known */
    double prior_wins, prior_misses;
    uint64_t seed;
};

struct vt_placement {
    struct vt_slice name;
    float weights[VT_SOURCE_COUNT];    /* of the blend */
    uint32_t budgets[VT_SOURCE_COUNT]; /* how many candidates each may find */
    unsigned diversity;                /* of requests that name none: 1 none … 4 high */
    uint32_t groups; /* what the source `group` lists: bits of enum vt_candidate_group */
    bool show_viewed, show_bought;
    struct vt_shown_limit shown; /* what was shown so often stays out; at_least 0: no cap */
    struct vt_pin *pins;
    struct vt_boost *boosts;
    struct vt_cap *caps;
    const struct vt_campaign *campaigns[VT_PLACEMENT_CAMPAIGNS_MAX];
    uint32_t slots[VT_SLOTS_MAX]; /* places of campaign items, ascending, 1 is the first */
    uint32_t n_pins, n_boosts, n_caps, n_campaigns, n_slots;
    struct vt_exploration exploration;
};

struct vt_placements {
    struct vt_published published; /* first */
    uint64_t hash;                 /* of all that it was read from: the file and the base */
    struct vt_arena arena;
    struct vt_campaign campaigns[VT_CAMPAIGNS_MAX];
    struct vt_placement placements[VT_PLACEMENTS_MAX]; /* [0] is the default */
    uint32_t n_campaigns, n_placements;
};

/* The weight and budget that a source has where nobody says otherwise; the budgets are those of a
 * request without placements. */
void vt_placement_default(struct vt_placement *ret_placement);
/* Whether only placements can turn the source on, so that no option has its weight. */
bool vt_placement_only(unsigned source);
/* "recently-viewed", "bought-together" …: as in the file and in metrics; NULL: no such source. */
const char *vt_source_name(unsigned source);

/* Reads `path` (NULL: nothing is configured) over `base`, which every placement begins as.
 * VT_INVALID with path, line, key and what would be right in `diag`. The caller's reference; give
 * it to vt_publication_put or vt_published_release. Blocking. */
VT_MUST_USE struct vt_err vt_placements_load(const char *path, const struct vt_placement *base,
                                             struct vt_diag *diag,
                                             struct vt_placements **ret_placements);
/* By name; an unknown or empty one gets the default. O(placements). */
const struct vt_placement *vt_placements_find(const struct vt_placements *placements,
                                              struct vt_slice name);

#endif
