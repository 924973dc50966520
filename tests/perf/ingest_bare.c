/*
 * The linker sends the service's calls of five functions of the store here (--wrap, see
 * CMakeLists.txt), which note and pass on: so neither the service nor the store knows of it. Rows
 * go one behind the other into one block of memory that grows by doubling. Only the writer thread
 * hands rows to the store, so only the switch and the count are atomic.
 */
#include "tests/perf/ingest_bare.h"

#include "services/common/store/store.h"
#include "services/profile/profile_internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum operation { PUT, MERGE, DELETE, DELETE_RANGE, COMMIT };

struct row {
    uint32_t operation, family, key_len, value_len;
};

static struct {
    unsigned char *bytes; /* owned */
    size_t len, capacity;
    struct ingest_recorded totals;
    atomic_bool runs;               /* release by the switch, acquire by the writer thread */
    atomic_uint_fast64_t n_commits; /* relaxed: a count */
} record;

static void append(const void *bytes, size_t len)
{
    if (len != 0)
        memcpy(record.bytes + record.len, bytes, len);
    record.len += len;
}

static void note(enum operation operation, uint32_t family, struct vt_slice key,
                 struct vt_slice value)
{
    if (!atomic_load_explicit(&record.runs, memory_order_acquire))
        return;
    struct row row = {operation, family, (uint32_t)key.len, (uint32_t)value.len};
    size_t needed = record.len + sizeof row + key.len + value.len;
    while (needed > record.capacity) {
        record.capacity = record.capacity != 0 ? record.capacity * 2 : 1 << 20;
        record.bytes = realloc(record.bytes, record.capacity);
        VT_ASSERT(record.bytes != NULL);
    }
    append(&row, sizeof row);
    append(key.data, key.len);
    append(value.data, value.len);
    record.totals.n_rows += operation != COMMIT;
    record.totals.n_commits += operation == COMMIT;
    record.totals.n_bytes += key.len + value.len;
}

/* ---- in place of the store's ---- */

#define WRAPPED(name_) __wrap_##name_
#define REAL(name_) __real_##name_

void REAL(vt_store_batch_put)(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                              struct vt_slice value);
void REAL(vt_store_batch_merge)(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                                struct vt_slice operand);
void REAL(vt_store_batch_delete)(struct vt_store_batch *batch, uint32_t family,
                                 struct vt_slice key);
void REAL(vt_store_batch_delete_range)(struct vt_store_batch *batch, uint32_t family,
                                       struct vt_slice first, struct vt_slice end);
struct vt_err REAL(vt_store_write)(struct vt_store *store, struct vt_store_batch *batch,
                                   struct vt_diag *diag);
void WRAPPED(vt_store_batch_put)(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                                 struct vt_slice value);
void WRAPPED(vt_store_batch_merge)(struct vt_store_batch *batch, uint32_t family,
                                   struct vt_slice key, struct vt_slice operand);
void WRAPPED(vt_store_batch_delete)(struct vt_store_batch *batch, uint32_t family,
                                    struct vt_slice key);
void WRAPPED(vt_store_batch_delete_range)(struct vt_store_batch *batch, uint32_t family,
                                          struct vt_slice first, struct vt_slice end);
struct vt_err WRAPPED(vt_store_write)(struct vt_store *store, struct vt_store_batch *batch,
                                      struct vt_diag *diag);

void WRAPPED(vt_store_batch_put)(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                                 struct vt_slice value)
{
    note(PUT, family, key, value);
    REAL(vt_store_batch_put)(batch, family, key, value);
}

void WRAPPED(vt_store_batch_merge)(struct vt_store_batch *batch, uint32_t family,
                                   struct vt_slice key, struct vt_slice operand)
{
    note(MERGE, family, key, operand);
    REAL(vt_store_batch_merge)(batch, family, key, operand);
}

void WRAPPED(vt_store_batch_delete)(struct vt_store_batch *batch, uint32_t family,
                                    struct vt_slice key)
{
    note(DELETE, family, key, vt_slice(NULL, 0));
    REAL(vt_store_batch_delete)(batch, family, key);
}

void WRAPPED(vt_store_batch_delete_range)(struct vt_store_batch *batch, uint32_t family,
                                          struct vt_slice first, struct vt_slice end)
{
    note(DELETE_RANGE, family, first, end);
    REAL(vt_store_batch_delete_range)(batch, family, first, end);
}

struct vt_err WRAPPED(vt_store_write)(struct vt_store *store, struct vt_store_batch *batch,
                                      struct vt_diag *diag)
{
    note(COMMIT, 0, vt_slice(NULL, 0), vt_slice(NULL, 0));
    atomic_fetch_add_explicit(&record.n_commits, 1, memory_order_relaxed);
    return REAL(vt_store_write)(store, batch, diag);
}

/* ---- the recording ---- */

void ingest_record_start(void)
{
    record.len = 0;
    record.totals = (struct ingest_recorded){0};
    atomic_store_explicit(&record.runs, true, memory_order_release);
}

void ingest_record_stop(void)
{
    atomic_store_explicit(&record.runs, false, memory_order_release);
}

void ingest_record_free(void)
{
    free(record.bytes);
    record.bytes = NULL;
    record.len = record.capacity = 0;
}

struct ingest_recorded ingest_recorded(void)
{
    return record.totals;
}

uint64_t ingest_n_commits(void)
{
    return atomic_load_explicit(&record.n_commits, memory_order_relaxed);
}

/* ---- the bare loop ---- */

static struct vt_err apply(struct vt_store *store, struct vt_store_batch *batch,
                           const struct row *row, const unsigned char *bytes)
{
    struct vt_slice key = vt_slice(bytes, row->key_len);
    struct vt_slice value = vt_slice(bytes + row->key_len, row->value_len);
    switch ((enum operation)row->operation) {
    case PUT:
        REAL(vt_store_batch_put)(batch, row->family, key, value);
        break;
    case MERGE:
        REAL(vt_store_batch_merge)(batch, row->family, key, value);
        break;
    case DELETE:
        REAL(vt_store_batch_delete)(batch, row->family, key);
        break;
    case DELETE_RANGE:
        REAL(vt_store_batch_delete_range)(batch, row->family, key, value);
        break;
    case COMMIT:
        VT_TRY(REAL(vt_store_write)(store, batch, NULL));
        vt_store_batch_clear(batch);
        break;
    }
    return vt_ok();
}

static struct vt_err replay(struct vt_store *store, struct vt_store_batch *batch)
{
    for (size_t at = 0; at < record.len;) {
        struct row row;
        memcpy(&row, record.bytes + at, sizeof row);
        VT_TRY(apply(store, batch, &row, record.bytes + at + sizeof row));
        at += sizeof row + row.key_len + row.value_len;
    }
    return vt_ok();
}

/* The store of a profile that nobody uses: families, merges and options are the service's own. */
struct vt_err ingest_bare_run(const char *folder, struct vt_diag *diag, struct bench_time *ret_time)
{
    const struct vt_profile_options options = {
        .data_dir = folder, .clock = vt_clock_system(), .create = true};
    struct vt_profile *profile = NULL;
    struct vt_store_batch *batch = NULL;
    VT_TRY(vt_profile_open(&options, diag, &profile));
    struct vt_err err = vt_store_batch_new(profile->store, &batch);
    if (!vt_failed(err)) {
        int64_t start_ns = bench_now_ns(), cpu_ns = bench_thread_cpu_ns();
        err = replay(profile->store, batch);
        ret_time->seconds = (double)(bench_now_ns() - start_ns) * 1e-9;
        ret_time->cpu_seconds = (double)(bench_thread_cpu_ns() - cpu_ns) * 1e-9;
    }
    vt_store_batch_free(batch);
    vt_profile_close(profile);
    return err;
}
