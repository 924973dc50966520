#ifndef VT_RANKING_RECORD_H
#define VT_RANKING_RECORD_H

#include "services/ranking/decision_log.h"
#include "services/ranking/run.h"

/* What ties an answer to its token, and the token to a record of how the answer came about. Around
 * vt__answer_make, on the same thread: */
struct vt__record {
    bool attributed;
    struct vt_token token;
    struct vt_decision_slot *slot; /* NULL: nothing is recorded */
    struct vt_pack pack;
};
/* Before: makes the token, and packs what the answer is made from. */
void vt__record_begin(const struct vt__run *run, const struct vt_candidate_list *found,
                      struct vt__record *record);
/* After: hands the record to the log, and the token to the answer; `answer` NULL: there is none.
 * VT_EXHAUSTED when the request's memory is full. */
VT_MUST_USE struct vt_err vt__record_end(const struct vt__run *run, struct vt__record *record,
                                         struct vt_ranking_answer *answer);

#endif
