#ifndef VT_RANKING_OUTCOMES_H
#define VT_RANKING_OUTCOMES_H

#include "services/ranking/replay.h"

/* What came of an answer, beside the answer. In the request's arena. */
struct vt_answer_outcome {
    struct vt_outcome outcome;
    struct vt_slice item_id; /* empty: of no item */
    uint32_t place;          /* in the answer, 1 is the first; 0: it is not in it */
};
struct vt_answer_outcomes {
    const struct vt_answer_outcome *outcomes; /* by time */
    uint32_t n;
    struct vt_slice incomplete; /* why there may be others; empty: these are all so far */
};

/* Asks the profile service, for at most a second and half of what is left of the deadline: when it
 * does not tell, `incomplete` says so. VT_EXHAUSTED: the arena is full. Blocks; any thread. */
VT_MUST_USE struct vt_err vt_answer_outcomes(struct vt_ranking_service *service,
                                             struct vt_request *request, struct vt_slice token,
                                             const struct vt_replay *replay,
                                             struct vt_answer_outcomes *ret_outcomes);

#endif
