#ifndef VT_RANKING_ANSWER_H
#define VT_RANKING_ANSWER_H

#include "services/ranking/run.h"

/* Makes the answer from the candidates, in the request's arena: eligible ones by the blend and
 * diversity, then what fills it up. Copies what it takes from the item
 * table, which it enters. VT_EXHAUSTED when the request's memory is full. */
VT_MUST_USE struct vt_err vt__answer_make(const struct vt__run *run,
                                          const struct vt_candidate_list *found,
                                          struct vt_ranking_answer *ret_answer);
/* Counts the sources and rules that an answer is made of. */
void vt__answer_count(const struct vt_ranking_service *service,
                      const struct vt_ranking_answer *answer);
/* The run's bundle, if it is the one that candidates of this version were made with; else NULL. */
const struct vt_bundle *vt__bundle_of(const struct vt__run *run, struct vt_slice version);

#endif
