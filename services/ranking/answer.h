#ifndef VT_RANKING_ANSWER_H
#define VT_RANKING_ANSWER_H

#include "services/ranking/run.h"

/* Makes the answer from the candidates, in the request's arena: eligible ones by the blend and
 * diversity, then what fills it up, and the attribution token. Copies what it takes from the item
 * table, which it enters. VT_EXHAUSTED when the request's memory is full. */
VT_MUST_USE struct vt_err vt__answer_make(const struct vt__run *run,
                                          const struct vt_candidate_list *found,
                                          struct vt_ranking_answer *ret_answer);

#endif
