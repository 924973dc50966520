#ifndef VT_CANDIDATE_MODEL_SCORE_H
#define VT_CANDIDATE_MODEL_SCORE_H

#include "services/candidate/sources.h"

/*
 * The served model of a version that has a mix (models/bundle/bundle.h):
 *   score(row) = Σ over members of weight · (s(row) − mean) / deviation,
 * mean and deviation over all rows, for this taste. The same form that evaluation measures.
 */

/* Adds up the kernel's rows of the taste, disliked ones with their negative weight. Nothing without
 * a kernel or where the mix does not ask for it. */
void vt__model_sum_kernel(struct vt__gathering *gathering);
/* Brings the members to scale; after fold-in and the sums. Sets gathering->has_model: false without
 * a mix, without a taste, or when no member tells one row from another. */
void vt__model_prepare(struct vt__gathering *gathering);
/* Of a found item with a row, worked out once. With has_model only. */
double vt__model_score(const struct vt__gathering *gathering, struct vt__found *found);

/* The same of an item without a row: a factor score from its texts, its live count for popularity,
 * and 0 from members that only know what was touched. */
double vt__model_score_newcomer(const struct vt__gathering *gathering, double factor_score,
                                float count);

/* Rows with the highest kernel scores that pass the filter, into scratch->found. */
void vt__model_find_kernel(struct vt__gathering *gathering);
/* Orders what was found so far by the model's score, instead of by the places in its members. */
void vt__model_rank_found(struct vt__gathering *gathering);

/* Whether the mix gives the item neighbours a weight, or there is no mix to say so, or the
 * version's ranker looks at them. */
bool vt__model_wants_neighbors(const struct vt_bundle_view *view);

#endif
