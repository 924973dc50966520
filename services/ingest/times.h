#ifndef VT_INGEST_TIMES_H
#define VT_INGEST_TIMES_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Times of files to Unix milliseconds. Understands RFC 3339 with or without zone, dates alone,
 * month/day/year and day.month.year with or without a time of day, Unix seconds and (from 1e11 on)
 * milliseconds. One thread per zone.
 */
struct vt_zone;

/* A zone of the IANA table, "Europe/London"; VT_INVALID when ICU does not know it. */
VT_MUST_USE struct vt_err vt_zone_new(const char *name, struct vt_diag *diag,
                                      struct vt_zone **ret_zone);
/* NULL is allowed. */
void vt_zone_free(struct vt_zone *zone);

/* False when it is no time. *ret_assumed: the text named no zone, so `zone` was used. A local time
 * that the zone skips in spring counts on from before the change; of one that it has twice in
 * autumn the later one is meant. */
bool vt_time_parse(struct vt_zone *zone, struct vt_slice text, int64_t *ret_ms, bool *ret_assumed);
/* From a number: seconds, or milliseconds from 1e11 on. False when out of any range. */
bool vt_time_from_number(double number, int64_t *ret_ms);

/* Years * 12 + month - 1 of the UTC day. */
int vt_time_month(int64_t time_ms);

#endif
