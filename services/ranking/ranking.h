#ifndef VT_RANKING_RANKING_H
#define VT_RANKING_RANKING_H

#include "models/bundle/bundle_set.h"
#include "services/candidate/candidate.h"
#include "services/common/base/err.h"
#include "services/common/base/request.h"
#include "services/common/catalog/filter_cache.h"
#include "services/common/catalog/item_table.h"
#include "services/profile/profile.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The ranking domain: one state machine per call, profile → candidates → blend → re-rank, reaching
 * the other services through ports, so that one process and three run the same code. When a port
 * fails or its share of the deadline is gone, the next best answer is given and marked degraded.
 */
struct vt_ranking_service;
struct vt_clock;
struct vt_metrics;
struct vt_decision_log;

struct vt_ranking_options {
    struct vt_profile_port profile;
    struct vt_candidate_port candidate;
    struct vt_bundle_set *bundles;   /* borrowed */
    struct vt_item_table *items;     /* borrowed */
    struct vt_filter_cache *filters; /* over these items; borrowed, NULL: none */
    const struct vt_clock *clock;    /* borrowed */
    struct vt_metrics *metrics;      /* borrowed, may be NULL */
    /* What placements begin as: the blend's weights, and the level of diversity (1 none … 4 high).
     * Sources that only placements can turn on have their own. */
    float source_weights[VT_SOURCE_COUNT];
    unsigned diversity;
    unsigned char token_key[32];       /* keys the attribution token's MAC */
    struct vt_decision_log *decisions; /* where answers are recorded; borrowed, NULL: nowhere */
};
VT_MUST_USE struct vt_err vt_ranking_service_new(const struct vt_ranking_options *options,
                                                 struct vt_ranking_service **ret_service);
/* Reads the placements of `path` (placement.h) and serves by them from the next request on; those
 * that run finish by the ones they began with. NULL: none. On failure the old ones stay; errors are
 * those of vt_placements_load, and VT_EXHAUSTED when too many old ones are still in use. Blocking;
 * any thread. */
VT_MUST_USE struct vt_err vt_ranking_load_placements(struct vt_ranking_service *service,
                                                     const char *path, struct vt_diag *diag);
/* No call may run any more. The token key is wiped. NULL is allowed. */
void vt_ranking_service_free(struct vt_ranking_service *service);

enum { VT_RECOMMEND_N_MAX = 200, VT_RANK_ITEMS_MAX = 1000 };

/* What Recommend, Rank and SimilarItems have in common. */
enum vt_ranking_mode { VT_RANKING_RECOMMEND, VT_RANKING_RANK, VT_RANKING_SIMILAR };
struct vt_ranking_query {
    enum vt_ranking_mode mode;
    struct vt_slice placement;
    struct vt_profile_key who;             /* all empty: nobody */
    const struct vt_profile_view *profile; /* of who, where the caller has it; NULL: it is asked */
    const struct vt_slice *context_ids;    /* SIMILAR: the items to be like */
    uint32_t n_context_ids;
    const struct vt_slice *exclude_ids;
    uint32_t n_exclude_ids;
    const struct vt_slice *rank_ids; /* RANK */
    uint32_t n_rank_ids;
    struct vt_slice filter;   /* catalog/filter.h; empty: none */
    struct vt_slice language; /* of reasons, BCP 47; empty: English */
    uint32_t n;
    unsigned diversity; /* 0: the configured default */
    bool explain, return_details, include_seen;
};

/* Rules of a placement (placement.h) that gave an item its place, as places of bits. */
enum vt_rule {
    VT_RULE_PIN,
    VT_RULE_SLOT,    /* a campaign's */
    VT_RULE_EXPLORE, /* a new item on trial */
    VT_RULE_BOOST,
    VT_RULE_BURY,
    VT_RULE_CAP,   /* kept an item out: of vt_ranking_answer.drops, never of an item */
    VT_RULE_SHOWN, /* kept an item out for one customer: likewise never of an item */
    VT_RULE_COUNT
};
/* An item that a cap kept out. */
struct vt_rule_drop {
    uint32_t item; /* number */
    uint32_t cap;  /* place among the placement's caps */
};

struct vt_ranked_item {
    struct vt_slice id;
    uint32_t number;
    double score;
    uint32_t rules;    /* bits of enum vt_rule */
    uint32_t boosts;   /* bits: which boosts of the placement matched */
    double factor;     /* their product, which is in the score; 1: none */
    double propensity; /* explored, and explain or details were asked for: how likely it was */
    struct vt_slice reason;
    uint32_t sources; /* bits */
    double source_scores[VT_SOURCE_COUNT];
    struct vt_slice title, currency_code; /* with return_details */
    double price;
    const struct vt_slice *categories;
    uint32_t n_categories;
};

/* Lives in the request's arena. */
struct vt_ranking_answer {
    const struct vt_ranked_item *items;
    uint32_t n;
    struct vt_slice model_version, attribution_token, experiment_variant;
    const char *degraded_reason; /* valid as long as the arena; NULL: not degraded */
    struct vt_slice placement;   /* whose rules held: "default" where the request's has none */
    const struct vt_rule_drop *drops;
    uint32_t n_drops;
    uint32_t n_shown; /* items that this customer has been shown often enough */
};
typedef void (*vt_ranking_answer_fn)(void *ctx, struct vt_err err,
                                     const struct vt_ranking_answer *answer);

/* Calls `done` exactly once, inline or later on the request's serving thread. */
void vt_ranking_run(struct vt_ranking_service *service, struct vt_request *request,
                    const struct vt_ranking_query *query, vt_ranking_answer_fn done, void *ctx);

/* What the placement as it is now wants to know of each customer, for callers that bring the
 * profiles. Any thread. */
struct vt_shown_limit vt_ranking_shown_limit(struct vt_ranking_service *service,
                                             struct vt_slice placement);

#endif
