#ifndef VT_INGEST_CLEAN_H
#define VT_INGEST_CLEAN_H

#include "services/ingest/ingest.h"

/*
 * The rules that need the whole of the files, in the order they run. Each flags records and mends
 * what it says it mends; none removes a record. Only memory can fail.
 */
/* exact_duplicate, near_duplicate, reused_event_id; gives events without id their own. */
VT_MUST_USE struct vt_err vt_clean_duplicates(struct vt_record_set *set, bool keep_duplicates);
/* currency_converted, currency_mixed; fills in the main currency. */
VT_MUST_USE struct vt_err vt_clean_currencies(struct vt_record_set *set,
                                              const struct vt_ingest_options *options,
                                              char ret_currency[4]);
/* cancellation, cancelled_purchase, partly_cancelled, return_unmatched, repeated_event. */
VT_MUST_USE struct vt_err vt_clean_histories(struct vt_record_set *set, bool keep_returns);
/* quantity_outlier, price_outlier, revenue_outlier. */
VT_MUST_USE struct vt_err vt_clean_outliers(struct vt_record_set *set);
/* stale_event. */
void vt_clean_times(struct vt_record_set *set);
/* title_differs, catalog_near_duplicate; adds the items and customers that only event rows tell. */
VT_MUST_USE struct vt_err vt_clean_catalog(struct vt_record_set *set);
/* Quality, the rule that decides, and the fate of every record. Last. */
void vt_clean_judge(struct vt_record_set *set, uint8_t min_quality);

/* True while no rule that ends a record's way has caught it. */
bool vt_clean_alive(const struct vt_record *record);

#endif
