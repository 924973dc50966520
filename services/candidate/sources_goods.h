#ifndef VT_CANDIDATE_SOURCES_GOODS_H
#define VT_CANDIDATE_SOURCES_GOODS_H

#include "services/candidate/sources.h"

/*
 * Sources that know goods and not tastes: what is bought together with the basket, what is gaining,
 * and what is wanted in the category, the channel or the kind of customer at hand.
 *   bought together  the best of P(candidate | item) over the context and the newest items that
 *                    were put into the cart or bought
 *   trending         the trend's strength (models/popularity/trends.h)
 *   groups           the most wanted of a category, a channel, a kind of customer, or the last
 * days. Where the query names groups: popularity in the group over the best's, the highest of all
 * groups; else they give candidates with popularity's own score Each says nothing where the version
 * has no part for it.
 */

/* Puts what is bought together into the cells; needed before any of it can be found or scored. */
void vt__goods_sum(struct vt__gathering *gathering);
/* Adds the best of each to scratch->found, up to its budget; a group's budget is for each of up to
 * VT__GROUPS_MAX groups. */
void vt__goods_find(struct vt__gathering *gathering);
/* Sets the scores that these sources give the row. */
void vt__goods_score(const struct vt__gathering *gathering, uint32_t row,
                     struct vt_candidate *candidate);

#endif
