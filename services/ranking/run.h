#ifndef VT_RANKING_RUN_H
#define VT_RANKING_RUN_H

#include "models/bundle/bundle_set.h"
#include "services/common/base/publication.h"
#include "services/ranking/placement.h"
#include "services/ranking/ranking.h"
#include "services/ranking/sight.h"
#include "services/ranking/token.h"
#include "services/ranking/trace.h"

#include <stdatomic.h>

/* What the parts of the domain share: the service, and one call on its way through it. Both are
 * ranking.c's; eligible.c and answer.c read them. */

enum vt__degradation {
    VT__DEGRADED_PROFILE,
    VT__DEGRADED_CANDIDATE,
    VT__DEGRADED_MODEL,
    VT__DEGRADED_COUNT
};
enum vt__step { VT__STEP_PROFILE, VT__STEP_CANDIDATE, VT__STEP_RANK, VT__STEP_COUNT };

struct vt_ranking_service {
    struct vt_ranking_options options;
    struct vt_histogram *steps[VT__STEP_COUNT];
    struct vt_counter *degraded[VT__DEGRADED_COUNT];
    struct vt_counter *by_source[VT_SOURCE_COUNT], *by_rule[VT_RULE_COUNT];
    struct vt_publication placements;              /* struct vt_placements */
    unsigned char nonce[VT_TOKEN_NONCE_BYTES / 2]; /* random, of this process */
    _Atomic uint64_t n_tokens; /* the nonce's other half; relaxed: only has to differ */
};

/* Marks of items seen or shown: 1,024 for some dozens of them. */
enum { VT__SEEN_MARK_BITS = 10 };

/* One call, in its own arena. */
struct vt__run {
    struct vt_ranking_service *service;
    struct vt_request *request;
    struct vt_ranking_query query;
    vt_ranking_answer_fn done;
    void *ctx;
    struct vt_bundle *pin;                /* acquired; NULL: no model here */
    struct vt_placements *placements;     /* acquired */
    const struct vt_placement *placement; /* of these */
    int64_t now_ms;                       /* when the call came: one time for all of it */
    struct vt_filter_lease filter;        /* acquired */
    struct vt_sight *sight;               /* in the arena: how the list's makers see the catalog */
    struct vt_profile_view profile;
    uint32_t *context, *exclude, *rank; /* item numbers; unknown SKUs are left out */
    uint32_t n_context, n_exclude, n_rank;
    uint32_t *campaign; /* items of the campaigns that run here */
    uint32_t n_campaign;
    bool include_viewed, include_bought;
    uint64_t seen_marks[(1 << VT__SEEN_MARK_BITS) /
                        64]; /* eligible.c; not set: neither seen nor shown */
    uint32_t *disliked;      /* item numbers, of the history */
    uint32_t n_disliked;
    struct vt_candidate_query ask;
    bool asked_without_pin, asked_profile;
    const char *degraded_reason;
    struct vt__trace *trace; /* of a replay; else NULL */
    int64_t mark_ns;
};

#endif
