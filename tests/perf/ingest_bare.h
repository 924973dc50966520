#ifndef TESTS_PERF_INGEST_BARE_H
#define TESTS_PERF_INGEST_BARE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "tests/perf/samples.h"

#include <stdint.h>

/*
 * The baseline: RocksDB and nothing else. While a recording runs, every row that the service of
 * this process hands to its store is noted, and where its commits end. The bare loop then puts
 * exactly those rows (same families, keys, values, order and groups) into an empty store with the
 * same options, on one thread, with one synced write a group: no lookup, no encoding, no queue, no
 * gRPC. It also counts what is written, for the service's own figures.
 */
void ingest_record_start(void);
void ingest_record_stop(void);
void ingest_record_free(void);
/* Of the recording: commits, rows and their bytes (keys and values). */
struct ingest_recorded {
    uint64_t n_commits, n_rows, n_bytes;
};
struct ingest_recorded ingest_recorded(void);
/* Commits of this process since its start. Any thread. */
uint64_t ingest_n_commits(void);

/* Writes what was recorded into a new store at `folder`. The processor time is that of the loop's
 * thread, without RocksDB's own. */
VT_MUST_USE struct vt_err ingest_bare_run(const char *folder, struct vt_diag *diag,
                                          struct bench_time *ret_time);

#endif
