#ifndef VT_CANDIDATE_WIRE_H
#define VT_CANDIDATE_WIRE_H

#include "services/candidate/candidate.h"
#include "services/common/base/arena.h"

/* CandidateService on the wire, for both its ends: a round trip gives the same query and the same
 * list. Everything lives in the arena. */
enum { VT_SCORE_ITEMS_MAX = 1000 };

VT_MUST_USE struct vt_err vt_wire_candidate_query_encode(const struct vt_candidate_query *query,
                                                         struct vt_arena *arena,
                                                         struct vt_slice *ret_body);
/* VT_INVALID over a limit of candidate.proto. */
VT_MUST_USE struct vt_err vt_wire_candidate_query_decode(struct vt_slice body,
                                                         struct vt_arena *arena,
                                                         struct vt_diag *diag,
                                                         struct vt_candidate_query *ret_query);
VT_MUST_USE struct vt_err vt_wire_candidate_list_encode(const struct vt_candidate_list *list,
                                                        struct vt_arena *arena,
                                                        struct vt_slice *ret_body);
VT_MUST_USE struct vt_err vt_wire_candidate_list_decode(struct vt_slice body,
                                                        struct vt_arena *arena,
                                                        struct vt_diag *diag,
                                                        struct vt_candidate_list *ret_list);

#endif
