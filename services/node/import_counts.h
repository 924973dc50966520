#ifndef VT_NODE_IMPORT_COUNTS_H
#define VT_NODE_IMPORT_COUNTS_H

#include "services/ingest/ingest.h"
#include "services/profile/profile.h"

/* What both ways of an import into the store share: the rows in the store's types, and what its
 * results count as. One thread. */
struct vt_customer vt_import_customer(const struct vt_customer_row *row); /* borrows the row */

/* The results of the events of a batch from place `first` on; tells `refused` of the rejected. */
void vt_import_count_events(struct vt_sink_counts *counts, const struct vt_event_result *results,
                            uint32_t first, uint32_t n, const struct vt_ingest_refused *refused);
void vt_import_count_items(struct vt_sink_counts *counts, const struct vt_upsert_result *result);
void vt_import_count_customers(struct vt_sink_counts *counts,
                               const struct vt_upsert_result *result);

#endif
