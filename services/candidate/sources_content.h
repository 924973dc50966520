#ifndef VT_CANDIDATE_SOURCES_CONTENT_H
#define VT_CANDIDATE_SOURCES_CONTENT_H

#include "services/candidate/newcomers.h"
#include "services/candidate/sources.h"

/* Newcomers by taste: the folded-in vector times the factor that an item's texts speak for. */

/* Adds the best, up to the budget, to scratch->found; none without a vector or a table. */
VT_MUST_USE struct vt_err vt__content_find(struct vt__gathering *gathering);
/* For a candidate without a row: the content score, and the same where rows have the model's or the
 * factor score, so that newcomers and rows stand in one order. */
void vt__content_score(const struct vt__gathering *gathering, struct vt_candidate *candidate);

#endif
