#ifndef VT_CANDIDATE_SOURCES_KNOWN_H
#define VT_CANDIDATE_SOURCES_KNOWN_H

#include "services/candidate/sources.h"

/*
 * Sources that name items and look for nothing:
 *   recently viewed  items of the history that were looked at and not bought since, newest first;
 *                    1 / (1 + place)
 *   buy again        items bought before and due: the share of customers who come back for the item
 *                    × how near the time since the last purchase is to the item's own rhythm
 *                    (rebuy in the bundle; the customer's own, where there are two gaps or more)
 *   campaign         the items that the query names; 1 each, so that the other sources order them
 * What was seen is not kept out of the first two. They work on the history and the item table, and
 * so for items that the version does not know, too.
 */
void vt__known_find(struct vt__gathering *gathering);
/* Sets the scores that these sources gave the item. */
void vt__known_score(const struct vt__found *found, struct vt_candidate *candidate);

/* How due an item is, 0 … 1: exp(−½ z²), z = ln(days / median) / deviation. Days above 0. */
double vt__rebuy_timing(double days, double median, double deviation);

#endif
