#ifndef VT_INGEST_SCORECARD_H
#define VT_INGEST_SCORECARD_H

#include "services/ingest/ingest.h"

/* Counts the judged records into the result: rows by fate, rules with examples, the five scores,
 * and what the charts show. `result->rules` and `rows` hold the rejected rows already. */
void vt_scorecard_fill(const struct vt_record_set *set, struct vt_ingest_result *result);
/* Adds one more, keeping the first few as examples. */
void vt_tally_add(struct vt_tally *tally, uint32_t file, uint64_t line, struct vt_slice text);

#endif
