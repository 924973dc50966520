#ifndef VT_CANDIDATE_CANDIDATE_H
#define VT_CANDIDATE_CANDIDATE_H

#include "models/bundle/bundle_set.h"
#include "services/common/base/err.h"
#include "services/common/base/event.h"
#include "services/common/base/request.h"
#include "services/common/catalog/filter_cache.h"
#include "services/common/catalog/item_table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The candidate domain: turns a history into candidates with a score per source. Reads the bundle
 * set and the item table, owns nothing that changes; any number of threads.
 */
struct vt_candidate_service;
struct vt_clock;
struct vt_metrics;

/* Equal vitrine.v1.CandidateSource. */
enum vt_source {
    VT_SOURCE_NONE = 0,
    VT_SOURCE_FACTOR = 1,
    VT_SOURCE_ITEM_NEIGHBOR = 2,
    VT_SOURCE_POPULAR = 3,
    VT_SOURCE_CONTENT = 4,
    VT_SOURCE_BOUGHT_TOGETHER = 5,
    VT_SOURCE_TRENDING = 6,
    VT_SOURCE_NEW_ARRIVAL = 7,
    VT_SOURCE_CAMPAIGN = 8,
    VT_SOURCE_KERNEL = 9,
    VT_SOURCE_MODEL = 10,  /* factor, kernel, neighbours and popularity by the version's own mix */
    VT_SOURCE_RANKER = 11, /* the version's trees; set by ranking */
    VT_SOURCE_RECENTLY_VIEWED = 12,
    VT_SOURCE_BUY_AGAIN = 13,
    VT_SOURCE_GROUP = 14, /* wanted where the customer is: enum vt_candidate_group */
    VT_SOURCE_COUNT = 15,
};

/* The lists that VT_SOURCE_GROUP may ask, as places of bits. The first three are of the context's
 * categories, of the channel of the newest event, and of customers who know as many items. */
enum vt_candidate_group {
    VT_CANDIDATE_GROUP_CATEGORY,
    VT_CANDIDATE_GROUP_CHANNEL,
    VT_CANDIDATE_GROUP_SEGMENT,
    VT_CANDIDATE_GROUP_DAY,
    VT_CANDIDATE_GROUP_WEEK,
    VT_CANDIDATE_GROUP_MONTH,
    VT_CANDIDATE_GROUP_COUNT
};

enum {
    VT_CANDIDATES_MAX = 2000,
    VT_CONTEXT_MAX = 100,
    VT_EXCLUDE_MAX = 2000,
    VT_CAMPAIGN_MAX = 500,
};

struct vt_candidate_query {
    const struct vt_history_event *history; /* newest first */
    uint32_t n_history;
    const uint32_t *context; /* item numbers */
    uint32_t n_context;
    const uint32_t *exclude;
    uint32_t n_exclude;
    uint32_t n;                 /* 1 to VT_CANDIDATES_MAX */
    struct vt_slice version;    /* the pin; empty: current */
    const uint32_t *score_only; /* score just these, instead of searching */
    uint32_t n_score_only;
    struct vt_slice filter; /* catalog/filter.h; empty: none */
    bool similar;
    bool include_seen;                   /* both of the next two */
    bool include_viewed, include_bought; /* what the history has is no reason to leave it out */
    const uint32_t *budgets;  /* VT_SOURCE_COUNT of them: how many candidates each source may find;
                                 NULL: vt_candidate_budgets_default */
    uint32_t groups;          /* bits of enum vt_candidate_group; 0: the category, and without a
                                 taste channel and segment, all with the score of popularity */
    const uint32_t *campaign; /* item numbers of the campaigns that run here */
    uint32_t n_campaign;
};

struct vt_candidate {
    uint32_t item;
    uint32_t because; /* item number, 0 none */
    uint32_t sources; /* bit (1 << source) for each score that is set */
    double scores[VT_SOURCE_COUNT];
};

/* Lives in the request's arena. */
struct vt_candidate_list {
    struct vt_candidate *candidates;
    uint32_t n;
    struct vt_slice version;     /* empty: no bundle */
    const char *degraded_reason; /* valid as long as the arena; NULL: not degraded */
};

/* True for events after which an item counts as seen; being shown or searched for does not. */
bool vt_candidate_is_seen(unsigned event_type);
/* True for those of them after which the item is in the cart, ordered or bought. */
bool vt_candidate_is_bought(unsigned event_type);
/* Whether the event keeps its item out of what is recommended. */
bool vt_candidate_keeps_out(unsigned event_type, bool include_viewed, bool include_bought);
/* What each source finds where nobody says otherwise: recently viewed, buy again and groups by
 * their own score are off. */
void vt_candidate_budgets_default(uint32_t ret_budgets[VT_SOURCE_COUNT]);
/* The largest budget of a source; 0 where it finds nothing itself. */
uint32_t vt_candidate_budget_max(unsigned source);

/* Bundles, items, clock and metrics are borrowed; `metrics` may be NULL. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_candidate_service_new(struct vt_bundle_set *bundles,
                                                   struct vt_item_table *items,
                                                   const struct vt_clock *clock,
                                                   struct vt_metrics *metrics,
                                                   struct vt_candidate_service **ret_service);
/* Filters over these items, borrowed, from the first request on; without it each is compiled anew.
 */
void vt_candidate_service_use_filters(struct vt_candidate_service *service,
                                      struct vt_filter_cache *filters);
/* No request may run any more. NULL is allowed. */
void vt_candidate_service_free(struct vt_candidate_service *service);

/* VT_INVALID over a limit or for a filter that cannot be read; VT_PRECONDITION when the pinned
 * version is not held (`diag` names the current one). */
VT_MUST_USE struct vt_err vt_candidate_get(struct vt_candidate_service *service,
                                           struct vt_request *request,
                                           const struct vt_candidate_query *query,
                                           struct vt_candidate_list *ret_list);

typedef void (*vt_candidate_list_fn)(void *ctx, struct vt_err err,
                                     const struct vt_candidate_list *list);
/* The port through which ranking reaches this service: as vt_profile_port. */
struct vt_candidate_port {
    void *self;
    void (*get)(void *self, struct vt_request *request, const struct vt_candidate_query *query,
                int64_t deadline_ns, vt_candidate_list_fn done, void *ctx);
};
/* Finishes inline, on the caller's thread. Borrows the service. */
struct vt_candidate_port vt_candidate_local_port(struct vt_candidate_service *service);

#endif
