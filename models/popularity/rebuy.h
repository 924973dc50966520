#ifndef VT_POPULARITY_REBUY_H
#define VT_POPULARITY_REBUY_H

#include "models/dataset/dataset.h"

/*
 * How products are bought again: of each item the rhythm in which its customers come back for it,
 * and how many of them do. Purchases and orders of one customer on one day count as one; the days
 * between two in a row are a gap.
 *   median     of the item's gaps, in days
 *   deviation  of ln gap around ln median, as if `prior_gaps` more gaps had the deviation of all
 *              items, and at least `deviation_min`
 *   share      of its buyers, those who bought on two days or more, as if `prior_buyers` more had
 *              the share of all items
 * An item with fewer than `gaps_min` gaps has no rhythm. Durable goods have none, and so are never
 * proposed again.
 */
struct vt_rebuy_options {
    uint32_t gaps_min;
    double prior_gaps, prior_buyers, deviation_min;
};
/* 5 gaps; priors of 5 gaps and 20 buyers; .3. */
void vt_rebuy_options_default(struct vt_rebuy_options *ret_options);

enum { VT_REBUY_MEDIAN, VT_REBUY_DEVIATION, VT_REBUY_SHARE, VT_REBUY_COLUMNS };
struct vt_rebuy {
    float *values;      /* n_items × VT_REBUY_COLUMNS; a median of 0: no rhythm. Owned */
    uint32_t n_rhythms; /* items that have one */
};
void vt_rebuy_free(struct vt_rebuy *rebuy); /* NULL or zeroed is allowed */

/* Items of the dataset, ascending by number; times in Unix milliseconds. VT_EXHAUSTED. Same input,
 * same bytes. O(n log n), 16 bytes a purchase. */
VT_MUST_USE struct vt_err vt_rebuy_find(const struct vt_interaction *interactions, uint64_t n,
                                        const struct vt_dataset *dataset,
                                        const struct vt_rebuy_options *options,
                                        struct vt_rebuy *ret_rebuy);

#endif
