#ifndef VT_RANKING_WIRE_H
#define VT_RANKING_WIRE_H

#include "services/common/base/arena.h"
#include "services/ranking/ranking.h"

/* RecommendationService on the wire. Everything lives in the arena. */
enum {
    VT_RECOMMEND_CONTEXT_MAX = 100,
    VT_RECOMMEND_EXCLUDE_MAX = 1000,
    VT_SIMILAR_ITEMS_MAX = 100,
};

/* VT_INVALID over a limit of recommendation.proto; VT_UNIMPLEMENTED for a filter. */
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

#endif
