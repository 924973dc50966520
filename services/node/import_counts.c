/* Plain sums: the two sinks must count alike, so they count here. */
#include "services/node/import_counts.h"

struct vt_customer vt_import_customer(const struct vt_customer_row *row)
{
    return (struct vt_customer){.id = row->id,
                                .consent = row->consent,
                                .attributes = row->attributes,
                                .n_attributes = row->n_attributes};
}

void vt_import_count_events(struct vt_sink_counts *counts, const struct vt_event_result *results,
                            uint32_t first, uint32_t n, const struct vt_ingest_refused *refused)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct vt_event_result *result = &results[i];
        counts->events_written += result->outcome == VT_EVENT_ACCEPTED;
        counts->events_known += result->outcome == VT_EVENT_DUPLICATE;
        if (result->outcome != VT_EVENT_REJECTED)
            continue;
        counts->events_refused++;
        refused->tell(refused->ctx, first + i, result->field != NULL ? result->field : "",
                      result->reason);
    }
}

void vt_import_count_items(struct vt_sink_counts *counts, const struct vt_upsert_result *result)
{
    counts->items_inserted += result->inserted;
    counts->items_updated += result->updated;
    counts->items_unchanged += result->unchanged;
}

void vt_import_count_customers(struct vt_sink_counts *counts, const struct vt_upsert_result *result)
{
    counts->customers_inserted += result->inserted;
    counts->customers_updated += result->updated;
    counts->customers_unchanged += result->unchanged;
}
