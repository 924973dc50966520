#ifndef VT_RANKING_REPLAY_H
#define VT_RANKING_REPLAY_H

#include "services/ranking/decision.h"
#include "services/ranking/placement.h"
#include "services/ranking/trace.h"

/* An answer made again. In the request's arena. */
struct vt_replay {
    struct vt_token token;
    struct vt_decision decision;
    struct vt_ranking_answer answer; /* texts (titles, prices) are those of now */
    const struct vt_placement *placement;
    struct vt__trace trace;
    bool exact; /* the same items with the same bits of scores, at the same places */

    /* Held until vt_replay_release: */
    struct vt_placements *placements;
    struct vt_bundle *bundle;
};

/* Finds the record of the answer with this token, and makes the answer again from it: the code of
 * vt_ranking_run, on the version and the placements that it had then. VT_INVALID: no token of this
 * cell; VT_NOT_FOUND: as vt_decision_log_find; VT_PRECONDITION: no log, or the bundle is gone, or
 * the placements are others; VT_CORRUPT. Blocks; any thread. Release it after success. */
VT_MUST_USE struct vt_err vt_replay_make(struct vt_ranking_service *service,
                                         struct vt_request *request, struct vt_slice token,
                                         struct vt_replay *ret_replay);
void vt_replay_release(struct vt_replay *replay);

#endif
