#ifndef VT_PROFILE_EXPORT_LINES_H
#define VT_PROFILE_EXPORT_LINES_H

#include "services/profile/audit.h"
#include "services/profile/event_block.h"
#include "services/profile/records.h"

/*
 * The lines of an export: one JSON object each, appended with its newline. Fields that are empty
 * are left out. The names are a contract: docs/data-formats.md. VT_EXHAUSTED: no memory;
 * VT_CORRUPT: a text of the store is not UTF-8. Any thread.
 */
struct vt__line_head {
    int64_t time_ms;
    const char *store_id, *receipt;
    uint64_t customer;
};
VT_MUST_USE struct vt_err vt__line_of_head(const struct vt__line_head *head,
                                           struct vt__buffer *lines);
VT_MUST_USE struct vt_err vt__line_of_customer(uint64_t number,
                                               const struct vt__customer_record *record,
                                               struct vt__buffer *lines);
VT_MUST_USE struct vt_err vt__line_of_identity(const struct vt_identity *identity,
                                               int64_t linked_ms, struct vt__buffer *lines);
VT_MUST_USE struct vt_err vt__line_of_merged(uint64_t number, int64_t merged_ms,
                                             struct vt__buffer *lines);
/* What the numbers of an event mean. */
struct vt__line_names {
    struct vt_slice item_id, channel;
};
/* `record`: "history" or "shown". */
VT_MUST_USE struct vt_err vt__line_of_history(const char *record,
                                              const struct vt_history_event *event,
                                              const struct vt__line_names *names,
                                              struct vt__buffer *lines);
VT_MUST_USE struct vt_err vt__line_of_event(uint64_t sequence, const struct vt__log_row *row,
                                            const struct vt__line_names *names,
                                            struct vt__buffer *lines);
VT_MUST_USE struct vt_err vt__line_of_audit(const struct vt_audit_entry *entry,
                                            struct vt__buffer *lines);
/* `n_lines`: how many came before. */
VT_MUST_USE struct vt_err vt__line_of_end(uint64_t n_lines, struct vt__buffer *lines);

#endif
