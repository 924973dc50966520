#ifndef VT_INGEST_BUILD_H
#define VT_INGEST_BUILD_H

#include "services/ingest/fields.h"
#include "services/ingest/record.h"

struct vt_zone;

/* What rows of one file leave unsaid. Borrowed texts. */
struct vt_build_options {
    struct vt_zone *zone;     /* of times without one */
    struct vt_slice currency; /* of amounts without one */
    enum vt_event_type type;  /* of events without one; UNSPECIFIED: it is missing */
    int64_t now_ms;           /* for times in the future */
    bool guests;              /* an order without customer stands for a visitor */
    int64_t time_shift_ms;    /* added to every time of an event */
    bool time_from_order;     /* the format has no times */
    uint32_t file;
};

/* Makes a record of a row: converts and normalises each value by its field's form, applies the
 * rules that need no other record, and flags what they catch. Only memory can fail. */
VT_MUST_USE struct vt_err vt_build_record(struct vt_record_set *set,
                                          const struct vt_build_options *options,
                                          const struct vt_row *row);
/* True for the codes that ISO 4217 lists. */
bool vt_currency_known(struct vt_slice code);

#endif
