#ifndef TESTS_PERF_INGEST_LATENCY_H
#define TESTS_PERF_INGEST_LATENCY_H

#include "services/profile/profile.h"
#include "tests/perf/ingest_cell.h"
#include "tests/perf/samples.h"

/* What a single write costs. Microseconds. */

/* `n` calls of WriteEvents with one event each, `n_writers` of them under way at a time; adds their
 * latencies. *ret_n_commits: fsyncs meanwhile. Takes events[0 … n). */
VT_MUST_USE struct vt_err ingest_write_singly(struct ingest_cell *cell,
                                              const struct vt_event *events, uint32_t n,
                                              uint32_t n_writers, struct samples *us,
                                              uint64_t *ret_n_commits);
/* The baseline: `n` times `size_bytes` appended to a file in `folder`, each followed by fdatasync.
 */
VT_MUST_USE struct vt_err ingest_fdatasync(const char *folder, uint32_t size_bytes, uint32_t n,
                                           struct samples *us);
/* Makes products, then `n` times: a purchase by somebody new, its acknowledgement, GetProfile,
 * Recommend. Adds the time from sending the write to having both answers. *ret_seen: the history
 * began with the purchase and the list was without the product, every time. */
VT_MUST_USE struct vt_err ingest_read_own_writes(struct ingest_cell *cell, uint32_t n,
                                                 struct vt_diag *diag, struct samples *us,
                                                 bool *ret_seen);

#endif
