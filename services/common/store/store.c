/*
 * What a store of ours does all day: point reads, ranges, one writer's fsynced batches. Every call
 * enters the opening that is current (gate.c) and leaves it when its value, iterator or batch is
 * given back, so that the database can be closed and opened again under readers.
 */
#include "services/common/store/store_internal.h"

#include <stdlib.h>
#include <string.h>

struct vt_store_iter {
    struct vt__opening *opening;
    rocksdb_iterator_t *rows;
    rocksdb_readoptions_t *options;
    char *end; /* owned: RocksDB keeps a pointer to it */
    bool started;
};

static struct vt_err refuse_closed(void)
{
    return VT_ERR(VT_UNAVAILABLE, "the store is being opened again: try again in a second");
}

/* ---- reading ---- */

uint64_t vt_store_n_live(const struct vt_store *store)
{
    uint64_t n = 0;
    for (int i = 0; i < VT__OPENINGS; i++)
        n += atomic_load(&store->openings[i].n_users);
    return n;
}

struct vt_err vt_store_get(struct vt_store *store, uint32_t family, struct vt_slice key,
                           struct vt_diag *diag, struct vt_store_value *ret_value, bool *ret_found)
{
    VT_ASSERT(family < store->n_families);
    struct vt__opening *opening = vt__gate_enter(store);
    if (opening == NULL)
        return refuse_closed();
    char *text = NULL;
    size_t len = 0;
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned_cf(
        opening->db, store->read_options, opening->handles[family], key.data, key.len, &text);
    struct vt_err err = vt__store_take_error(store, opening, text, diag);
    if (vt_failed(err) || pin == NULL) {
        vt__gate_leave(opening);
        if (!vt_failed(err))
            *ret_found = false;
        return err;
    }
    const char *data = rocksdb_pinnableslice_value(pin, &len);
    *ret_value = (struct vt_store_value){vt_slice(data, len), pin, opening};
    *ret_found = true;
    return vt_ok();
}

void vt_store_value_release(struct vt_store_value *value)
{
    if (value->pin == NULL)
        return;
    rocksdb_pinnableslice_destroy(value->pin);
    vt__gate_leave(value->opening);
    *value = (struct vt_store_value){0};
}

static void seek(struct vt_store_iter *iter, uint32_t family, struct vt_slice first)
{
    struct vt__opening *opening = iter->opening;
    iter->rows = rocksdb_create_iterator_cf(opening->db, iter->options, opening->handles[family]);
    if (first.len != 0)
        rocksdb_iter_seek(iter->rows, first.data, first.len);
    else
        rocksdb_iter_seek_to_first(iter->rows);
}

struct vt_err vt_store_iter_open(struct vt_store *store, uint32_t family, struct vt_slice first,
                                 struct vt_slice end, struct vt_store_iter **ret_iter)
{
    VT_ASSERT(family < store->n_families);
    struct vt_store_iter *iter = calloc(1, sizeof *iter + end.len);
    VT_CHECK(iter != NULL, VT_EXHAUSTED, "out of memory");
    iter->opening = vt__gate_enter(store);
    if (iter->opening == NULL) {
        free(iter);
        return refuse_closed();
    }
    iter->end = (char *)(iter + 1);
    iter->options = rocksdb_readoptions_create();
    if (end.len != 0) {
        memcpy(iter->end, end.data, end.len);
        rocksdb_readoptions_set_iterate_upper_bound(iter->options, iter->end, end.len);
    }
    seek(iter, family, first);
    *ret_iter = iter;
    return vt_ok();
}

void vt_store_iter_close(struct vt_store_iter *iter)
{
    if (iter == NULL)
        return;
    rocksdb_iter_destroy(iter->rows);
    rocksdb_readoptions_destroy(iter->options);
    vt__gate_leave(iter->opening);
    free(iter);
}

struct vt_err vt_store_iter_next(struct vt_store_iter *iter, struct vt_diag *diag, bool *ret_more)
{
    if (iter->started)
        rocksdb_iter_next(iter->rows);
    iter->started = true;
    bool more = rocksdb_iter_valid(iter->rows) != 0;
    if (!more) {
        char *text = NULL;
        rocksdb_iter_get_error(iter->rows, &text);
        VT_TRY(vt__store_take_error(iter->opening->store, iter->opening, text, diag));
    }
    *ret_more = more;
    return vt_ok();
}

struct vt_slice vt_store_iter_key(const struct vt_store_iter *iter)
{
    size_t len = 0;
    const char *data = rocksdb_iter_key(iter->rows, &len);
    return vt_slice(data, len);
}

struct vt_slice vt_store_iter_value(const struct vt_store_iter *iter)
{
    size_t len = 0;
    const char *data = rocksdb_iter_value(iter->rows, &len);
    return vt_slice(data, len);
}

static uint64_t read_property(struct vt_store *store, uint32_t family, const char *name)
{
    uint64_t value = 0;
    struct vt__opening *opening = vt__gate_enter(store);
    if (opening == NULL)
        return 0;
    if (rocksdb_property_int_cf(opening->db, opening->handles[family], name, &value) != 0)
        value = 0;
    vt__gate_leave(opening);
    return value;
}

uint64_t vt_store_estimate_rows(struct vt_store *store, uint32_t family)
{
    return read_property(store, family, "rocksdb.estimate-num-keys");
}

uint64_t vt_store_family_bytes(struct vt_store *store, uint32_t family)
{
    return read_property(store, family, "rocksdb.live-sst-files-size");
}

uint64_t vt_store_last_write(struct vt_store *store)
{
    struct vt__opening *opening = vt__gate_enter(store);
    if (opening == NULL)
        return 0;
    uint64_t number = rocksdb_get_latest_sequence_number(opening->db);
    vt__gate_leave(opening);
    return number;
}

/* ---- writing ---- */

struct vt_err vt_store_batch_new(struct vt_store *store, struct vt_store_batch **ret_batch)
{
    struct vt_store_batch *batch = calloc(1, sizeof *batch);
    VT_CHECK(batch != NULL, VT_EXHAUSTED, "out of memory");
    batch->store = store;
    batch->writes = rocksdb_writebatch_create();
    *ret_batch = batch;
    return vt_ok();
}

void vt_store_batch_free(struct vt_store_batch *batch)
{
    if (batch == NULL)
        return;
    vt_store_batch_clear(batch);
    rocksdb_writebatch_destroy(batch->writes);
    free(batch);
}

void vt_store_batch_clear(struct vt_store_batch *batch)
{
    rocksdb_writebatch_clear(batch->writes);
    batch->has_rows = false;
    if (!batch->begun)
        return;
    batch->begun = false;
    vt__gate_end_batch(batch->store);
}

void vt_store_batch_begin(struct vt_store_batch *batch)
{
    if (!batch->begun)
        batch->opening = vt__gate_begin_batch(batch->store);
    batch->begun = true;
}

bool vt_store_batch_is_empty(const struct vt_store_batch *batch)
{
    return !batch->has_rows;
}

/* The family's handle for a row; from the first row on the batch keeps a reopening waiting. NULL:
 * nothing is open, the row is lost, and vt_store_write will say so. */
static rocksdb_column_family_handle_t *row_handle(struct vt_store_batch *batch, uint32_t family)
{
    VT_ASSERT(family < batch->store->n_families);
    vt_store_batch_begin(batch);
    batch->has_rows = true;
    return batch->opening != NULL ? batch->opening->handles[family] : NULL;
}

void vt_store_batch_put(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                        struct vt_slice value)
{
    rocksdb_column_family_handle_t *handle = row_handle(batch, family);
    if (handle != NULL)
        rocksdb_writebatch_put_cf(batch->writes, handle, key.data, key.len, value.data, value.len);
}

void vt_store_batch_merge(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                          struct vt_slice operand)
{
    rocksdb_column_family_handle_t *handle = row_handle(batch, family);
    if (handle != NULL)
        rocksdb_writebatch_merge_cf(batch->writes, handle, key.data, key.len, operand.data,
                                    operand.len);
}

void vt_store_batch_delete(struct vt_store_batch *batch, uint32_t family, struct vt_slice key)
{
    rocksdb_column_family_handle_t *handle = row_handle(batch, family);
    if (handle != NULL)
        rocksdb_writebatch_delete_cf(batch->writes, handle, key.data, key.len);
}

void vt_store_batch_delete_range(struct vt_store_batch *batch, uint32_t family,
                                 struct vt_slice first, struct vt_slice end)
{
    rocksdb_column_family_handle_t *handle = row_handle(batch, family);
    if (handle != NULL)
        rocksdb_writebatch_delete_range_cf(batch->writes, handle, first.data, first.len, end.data,
                                           end.len);
}

struct vt_err vt_store_write(struct vt_store *store, struct vt_store_batch *batch,
                             struct vt_diag *diag)
{
    struct vt__opening *opening = vt__gate_enter(store);
    if (opening == NULL)
        return refuse_closed();
    char *text = NULL;
    struct vt_err err = refuse_closed();
    bool whole = !batch->begun || batch->opening != NULL;
    if (opening->id == VT__OPENING_MAIN && whole) {
        /* Of this thread: RocksDB counts each comparison of keys in a variable of the thread, whose
         * address costs a call; nobody reads the count (docs/performance.md). */
        rocksdb_set_perf_level(rocksdb_disable);
        rocksdb_write(opening->db, store->write_options, batch->writes, &text);
        err = vt__store_take_error(store, opening, text, diag);
    }
    vt__gate_leave(opening);
    return err;
}

struct vt_err vt_store_checkpoint(struct vt_store *store, const char *path, struct vt_diag *diag)
{
    struct vt__opening *opening = vt__gate_enter(store);
    if (opening == NULL)
        return refuse_closed();
    char *text = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(opening->db, &text);
    if (text == NULL) {
        rocksdb_checkpoint_create(checkpoint, path, 0, &text);
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    struct vt_err err = vt__store_take_error(store, opening, text, diag);
    vt__gate_leave(opening);
    return err;
}
