#ifndef VT_INGEST_READER_CSV_H
#define VT_INGEST_READER_CSV_H

#include "services/ingest/reader.h"

/* For formats that are a CSV of known columns. `maps` are "field=Column" beside those that the
 * caller told; columns the maps name must be there. */
VT_MUST_USE struct vt_err vt__csv_open(const struct vt_reader_options *options,
                                       const char *const *maps, struct vt_diag *diag,
                                       void **ret_reader);
struct vt_err vt__csv_line(void *reader, struct vt_slice text, uint64_t number,
                           struct vt_diag *diag);
struct vt_err vt__csv_end(void *reader, struct vt_diag *diag);
void vt__csv_close(void *reader);

#endif
