#ifndef VT_RANKING_WIRE_H
#define VT_RANKING_WIRE_H

#include "services/common/base/arena.h"
#include "services/ranking/explain.h"
#include "services/ranking/fans.h"
#include "services/ranking/outcomes.h"
#include "services/ranking/ranking.h"

/* RecommendationService on the wire. Everything lives in the arena. */
enum {
    VT_RECOMMEND_CONTEXT_MAX = 100,
    VT_RECOMMEND_EXCLUDE_MAX = 1000,
    VT_SIMILAR_ITEMS_MAX = 100,
};

/* VT_INVALID over a limit of recommendation.proto. */
VT_MUST_USE struct vt_err vt_wire_recommend_decode(struct vt_slice body, struct vt_arena *arena,
                                                   struct vt_diag *diag,
                                                   struct vt_ranking_query *ret_query);
VT_MUST_USE struct vt_err vt_wire_rank_decode(struct vt_slice body, struct vt_arena *arena,
                                              struct vt_diag *diag,
                                              struct vt_ranking_query *ret_query);
VT_MUST_USE struct vt_err vt_wire_similar_decode(struct vt_slice body, struct vt_arena *arena,
                                                 struct vt_diag *diag,
                                                 struct vt_ranking_query *ret_query);

/* RecommendResponse, RankResponse and SimilarItemsResponse alike: they have the same fields under
 * the same numbers, so their bytes are the same. */
VT_MUST_USE struct vt_err vt_wire_answer_encode(const struct vt_ranking_answer *answer,
                                                struct vt_arena *arena, struct vt_slice *ret_body);

/* The same into a message, for those that have one inside theirs. */
struct Vitrine__V1__RecommendResponse;
VT_MUST_USE struct vt_err vt_wire_answer_fill(const struct vt_ranking_answer *answer,
                                              struct vt_arena *arena,
                                              struct Vitrine__V1__RecommendResponse *message);

/* ---- Explain ---- */
/* VT_INVALID without a token. */
VT_MUST_USE struct vt_err vt_wire_explain_decode(struct vt_slice body, struct vt_arena *arena,
                                                 struct vt_diag *diag, struct vt_slice *ret_token);
VT_MUST_USE struct vt_err vt_wire_explain_encode(const struct vt_replay *replay,
                                                 const struct vt_explanation *explanation,
                                                 const struct vt_answer_outcomes *outcomes,
                                                 struct vt_arena *arena, struct vt_slice *ret_body);

/* ---- RecommendAll ---- */
struct vt_wire_recommend_all {
    struct vt_ranking_query query; /* of nobody yet */
    uint64_t after;                /* customer number */
    uint32_t min_events;
};
VT_MUST_USE struct vt_err vt_wire_recommend_all_decode(struct vt_slice body, struct vt_arena *arena,
                                                       struct vt_diag *diag,
                                                       struct vt_wire_recommend_all *ret_request);
VT_MUST_USE struct vt_err vt_wire_recommend_all_encode(const struct vt_profile_view *view,
                                                       const struct vt_ranking_answer *answer,
                                                       struct vt_arena *arena,
                                                       struct vt_slice *ret_body);
/* The mark after everybody numbered up to `last`; without `more` it is the end. */
VT_MUST_USE struct vt_err vt_wire_recommend_all_mark_encode(uint64_t last, uint64_t n_customers,
                                                            bool more, struct vt_arena *arena,
                                                            struct vt_slice *ret_body);

/* ---- WhoWouldLike ---- */
struct vt_wire_who_would_like {
    const struct vt_slice *item_ids;
    uint32_t n_items, n;
    bool include_buyers;
};
/* An InterestedCustomer: a fan, and the SKU of its item. */
struct vt_wire_fan {
    const struct vt_fan *fan;
    struct vt_slice item_id;
};
VT_MUST_USE struct vt_err vt_wire_who_would_like_decode(struct vt_slice body,
                                                        struct vt_arena *arena,
                                                        struct vt_diag *diag,
                                                        struct vt_wire_who_would_like *ret_request);
/* Without fans: how many customers were looked at so far. */
VT_MUST_USE struct vt_err vt_wire_who_would_like_encode(uint64_t n_customers,
                                                        struct vt_slice version,
                                                        const struct vt_wire_fan *fans, uint32_t n,
                                                        struct vt_arena *arena,
                                                        struct vt_slice *ret_body);

#endif
