/*
 * The only file that knows RocksDB. It narrows a few hundred options and forty calls to what a
 * store of ours needs: point reads, one writer's fsynced batches, ranges, a checkpoint. Reasons for
 * the options stand where they are set; those that decide what survives a crash are argued in
 * docs/adr/0010-store-options.md.
 *
 * Memory is bounded: one block cache that holds indexes and filters too, one budget for the
 * memtables of all families.
 */
#include "services/common/store/store.h"

#include "services/common/base/file.h"
#include "services/common/store/lock.h"

#include <errno.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TABLE_CACHE_FILES = 512,
    FILTER_BITS_PER_KEY = 10, /* about 1 % false positives, RocksDB's own advice */
    TABLE_FORMAT_VERSION = 5,
    BACKGROUND_JOBS = 2,
    BLOCK_BYTES = 8 * 1024,
    RECOVERY_TOLERATE_TORN_TAIL = 0, /* WALRecoveryMode 0 */
    INFO_LOG_WARN = 2,
    INFO_LOG_BYTES_MAX = 1 << 20,
    INFO_LOG_FILES = 2,
    COMPRESS_NONE = 0,
    COMPRESS_LZ4 = 4,
    COMPRESS_ZSTD = 7,
    PATH_BYTES = 4096,
};
#define CACHE_BYTES_DEFAULT (UINT64_C(64) << 20)
#define WRITE_BUFFER_BYTES_DEFAULT (UINT64_C(64) << 20)
#define WAL_BYTES_MAX (UINT64_C(256) << 20) /* bounds the log that an opening must read again */

struct vt_store {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_options_t *family_options[VT_STORE_FAMILIES_MAX];
    rocksdb_column_family_handle_t *handles[VT_STORE_FAMILIES_MAX];
    rocksdb_compactionfilter_t *filters[VT_STORE_FAMILIES_MAX]; /* options only borrow them */
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read_options;
    rocksdb_writeoptions_t *write_options;
    uint32_t n_families;
    int lock_fd;
    bool read_only;
    atomic_uint_least64_t n_live; /* relaxed: counted for the assertion at close */
};

struct vt_store_batch {
    struct vt_store *store;
    rocksdb_writebatch_t *writes;
};

struct vt_store_iter {
    struct vt_store *store;
    rocksdb_iterator_t *rows;
    rocksdb_readoptions_t *options;
    char *end; /* owned: RocksDB keeps a pointer to it */
    bool started;
};

/* ---- errors ---- */

static struct vt_err classify(const char *text)
{
    if (strstr(text, "No space left") != NULL)
        return VT_ERR_SYS(VT_EXHAUSTED, ENOSPC, "the disk of the store is full");
    if (strncmp(text, "Corruption", 10) == 0)
        return VT_ERR(VT_CORRUPT, "the store is damaged");
    return VT_ERR(VT_UNAVAILABLE, "the store cannot be read or written");
}

/* Takes `text` as RocksDB leaves it: NULL is success. */
static struct vt_err take_error(char *text, struct vt_diag *diag)
{
    if (text == NULL)
        return vt_ok();
    struct vt_err err = classify(text);
    vt_diag_set(diag, "store", "%s", text);
    rocksdb_free(text);
    return err;
}

/* ---- merge operators and compaction filters: RocksDB's shape around ours ---- */

static void keep_state(void *state)
{
    (void)state; /* borrowed from the family table */
}

static const char *merge_name(void *state)
{
    return ((const struct vt_store_merge *)state)->name;
}

static char *fold_values(const struct vt_store_merge *merge, const struct vt_slice *first,
                         const char *const *operands, const size_t *lengths, int n_operands,
                         unsigned char *ret_success, size_t *ret_len)
{
    size_t n = 0;
    char *result = NULL;
    *ret_success = 0;
    *ret_len = 0;
    struct vt_slice *values = calloc((size_t)n_operands + 1, sizeof *values);
    if (values == NULL)
        return NULL;
    if (first != NULL)
        values[n++] = *first;
    for (int i = 0; i < n_operands; i++)
        values[n++] = vt_slice(operands[i], lengths[i]);
    *ret_success = merge->fold(merge->state, values, n, &result, ret_len) ? 1 : 0;
    free(values);
    return result;
}

static char *merge_full(void *state, const char *key, size_t key_len, const char *base,
                        size_t base_len, const char *const *operands, const size_t *lengths,
                        int n_operands, unsigned char *success, size_t *new_len)
{
    (void)key;
    (void)key_len;
    struct vt_slice first = vt_slice(base, base_len);
    return fold_values(state, base != NULL ? &first : NULL, operands, lengths, n_operands, success,
                       new_len);
}

static char *merge_partial(void *state, const char *key, size_t key_len,
                           const char *const *operands, const size_t *lengths, int n_operands,
                           unsigned char *success, size_t *new_len)
{
    (void)key;
    (void)key_len;
    return fold_values(state, NULL, operands, lengths, n_operands, success, new_len);
}

static void merge_free_value(void *state, const char *value, size_t len)
{
    (void)state;
    (void)len;
    free((void *)(uintptr_t)value); /* ours, from malloc; the interface adds the const */
}

static const char *expiry_name(void *state)
{
    return ((const struct vt_store_expiry *)state)->name;
}

static unsigned char expiry_filter(void *state, int level, const char *key, size_t key_len,
                                   const char *value, size_t value_len, char **new_value,
                                   size_t *new_len, unsigned char *value_changed)
{
    (void)level;
    (void)new_value;
    (void)new_len;
    *value_changed = 0;
    const struct vt_store_expiry *expiry = state;
    return expiry->expired(expiry->state, vt_slice(key, key_len), vt_slice(value, value_len));
}

/* ---- options ---- */

static void set_tables(struct vt_store *store, rocksdb_options_t *options)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, store->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(table, TABLE_FORMAT_VERSION);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(FILTER_BITS_PER_KEY));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

static rocksdb_options_t *family_options_new(struct vt_store *store,
                                             const struct vt_store_family *family,
                                             uint64_t write_buffer_bytes)
{
    rocksdb_options_t *options = rocksdb_options_create();
    set_tables(store, options);
    rocksdb_options_set_write_buffer_size(options, (size_t)(write_buffer_bytes / 4));
    rocksdb_options_set_compression(options, family->random_bytes ? COMPRESS_NONE : COMPRESS_LZ4);
    rocksdb_options_set_bottommost_compression(options, family->random_bytes ? COMPRESS_NONE
                                                                             : COMPRESS_ZSTD);
    rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0.05);
    if (family->merge != NULL)
        rocksdb_options_set_merge_operator(
            options,
            rocksdb_mergeoperator_create((void *)(uintptr_t)family->merge, keep_state, merge_full,
                                         merge_partial, merge_free_value, merge_name));
    return options;
}

static void set_expiry(struct vt_store *store, uint32_t family,
                       const struct vt_store_expiry *expiry)
{
    if (expiry == NULL)
        return;
    store->filters[family] = rocksdb_compactionfilter_create((void *)(uintptr_t)expiry, keep_state,
                                                             expiry_filter, expiry_name);
    rocksdb_options_set_compaction_filter(store->family_options[family], store->filters[family]);
}

/* The info log must not share a disk with the data: its writer aborts the process when full. */
static struct vt_err find_log_dir(const struct vt_store_options *options, struct vt_diag *diag,
                                  char ret_path[PATH_BYTES])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char path[PATH_BYTES];
    if (options->log_dir != NULL)
        snprintf(path, sizeof path, "%s", options->log_dir);
    else if (runtime != NULL && access(runtime, W_OK) == 0)
        snprintf(path, sizeof path, "%s/vitrine", runtime);
    else
        snprintf(path, sizeof path, "/tmp/vitrine-%ld", (long)getuid());
    struct stat info;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        int sys = errno;
        vt_diag_set(diag, path, "cannot make the folder of RocksDB's log: %s", strerror(sys));
        return VT_ERR_SYS(VT_UNAVAILABLE, sys, "no folder for the log of the store");
    }
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
        vt_diag_set(diag, path, "not a folder of this user: remove it, or set XDG_RUNTIME_DIR");
        return VT_ERR(VT_UNAVAILABLE, "no folder for the log of the store");
    }
    memcpy(ret_path, path, sizeof path);
    return vt_ok();
}

static void set_database(struct vt_store *store, const struct vt_store_options *options,
                         const char *log_dir, uint64_t write_buffer_bytes)
{
    rocksdb_options_t *db = store->options;
    rocksdb_options_set_create_if_missing(db, options->create ? 1 : 0);
    rocksdb_options_set_create_missing_column_families(db, 1);
    rocksdb_options_set_paranoid_checks(db, 1);
    /* Mode 2, the default, silently drops what was acknowledged after a damaged record. */
    rocksdb_options_set_wal_recovery_mode(db, RECOVERY_TOLERATE_TORN_TAIL);
    rocksdb_options_set_max_total_wal_size(db, WAL_BYTES_MAX);
    rocksdb_options_set_db_write_buffer_size(db, (size_t)write_buffer_bytes);
    rocksdb_options_set_max_open_files(db, TABLE_CACHE_FILES);
    rocksdb_options_set_max_background_jobs(db, BACKGROUND_JOBS);
    rocksdb_options_set_bytes_per_sync(db, 1 << 20);
    rocksdb_options_set_skip_stats_update_on_db_open(db, 1);
    rocksdb_options_set_stats_dump_period_sec(db, 0);
    rocksdb_options_set_db_log_dir(db, log_dir);
    rocksdb_options_set_info_log_level(db, INFO_LOG_WARN);
    rocksdb_options_set_max_log_file_size(db, INFO_LOG_BYTES_MAX);
    rocksdb_options_set_keep_log_file_num(db, INFO_LOG_FILES);
}

static struct vt_err make_options(struct vt_store *store, const struct vt_store_options *options,
                                  struct vt_diag *diag)
{
    char log_dir[PATH_BYTES];
    VT_TRY(find_log_dir(options, diag, log_dir));
    uint64_t buffer =
        options->write_buffer_bytes != 0 ? options->write_buffer_bytes : WRITE_BUFFER_BYTES_DEFAULT;
    store->cache = rocksdb_cache_create_lru(
        (size_t)(options->cache_bytes != 0 ? options->cache_bytes : CACHE_BYTES_DEFAULT));
    store->options = rocksdb_options_create();
    set_database(store, options, log_dir, buffer);
    store->read_options = rocksdb_readoptions_create();
    store->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(store->write_options, 1);
    for (uint32_t i = 0; i < options->n_families; i++) {
        store->family_options[i] = family_options_new(store, &options->families[i], buffer);
        set_expiry(store, i, options->families[i].expiry);
    }
    return vt_ok();
}

/* ---- opening ---- */

static bool is_known(const struct vt_store_options *options, const char *name)
{
    if (strcmp(name, "default") == 0)
        return true;
    for (uint32_t i = 0; i < options->n_families; i++)
        if (strcmp(options->families[i].name, name) == 0)
            return true;
    return false;
}

static struct vt_err refuse_unknown_families(struct vt_store *store,
                                             const struct vt_store_options *options,
                                             struct vt_diag *diag)
{
    char *text = NULL;
    size_t n = 0;
    char **names = rocksdb_list_column_families(store->options, options->path, &n, &text);
    VT_TRY(take_error(text, diag));
    struct vt_err err = vt_ok();
    for (size_t i = 0; i < n && !vt_failed(err); i++) {
        if (is_known(options, names[i]))
            continue;
        vt_diag_set(diag, options->path,
                    "has a family \"%s\" that this version does not know: a later version wrote it",
                    names[i]);
        err = VT_ERR(VT_PRECONDITION, "the store was written by a later version");
    }
    rocksdb_list_column_families_destroy(names, n);
    return err;
}

static bool holds_database(const char *path)
{
    char current[PATH_BYTES];
    snprintf(current, sizeof current, "%s/CURRENT", path);
    return access(current, F_OK) == 0;
}

static struct vt_err check_folder(const struct vt_store_options *options, struct vt_diag *diag)
{
    if (options->create && !options->read_only)
        VT_TRY(vt_folder_create(options->path, diag));
    if (access(options->path, F_OK) != 0 || (!options->create && !holds_database(options->path))) {
        vt_diag_set(diag, options->path, "no store here: check the folder, or import data first");
        return VT_ERR(VT_NOT_FOUND, "the store does not exist");
    }
    if (!options->read_only && access(options->path, W_OK) != 0) {
        int sys = errno;
        vt_diag_set(diag, options->path, "cannot be written: %s", strerror(sys));
        return VT_ERR_SYS(VT_UNAVAILABLE, sys, "the data folder is not writable");
    }
    return vt_ok();
}

static struct vt_err open_database(struct vt_store *store, const struct vt_store_options *options,
                                   struct vt_diag *diag)
{
    const char *names[VT_STORE_FAMILIES_MAX + 1] = {"default"};
    const rocksdb_options_t *each[VT_STORE_FAMILIES_MAX + 1] = {store->options};
    rocksdb_column_family_handle_t *handles[VT_STORE_FAMILIES_MAX + 1] = {0};
    int n = (int)options->n_families + 1;
    for (uint32_t i = 0; i < options->n_families; i++) {
        names[i + 1] = options->families[i].name;
        each[i + 1] = store->family_options[i];
    }
    char *text = NULL;
    if (options->read_only)
        store->db = rocksdb_open_for_read_only_column_families(store->options, options->path, n,
                                                               names, each, handles, 0, &text);
    else
        store->db = rocksdb_open_column_families(store->options, options->path, n, names, each,
                                                 handles, &text);
    VT_TRY(take_error(text, diag));
    rocksdb_column_family_handle_destroy(handles[0]);
    for (uint32_t i = 0; i < options->n_families; i++)
        store->handles[i] = handles[i + 1];
    store->n_families = options->n_families;
    store->read_only = options->read_only;
    return vt_ok();
}

static struct vt_err open_into(struct vt_store *store, const struct vt_store_options *options,
                               struct vt_diag *diag)
{
    char lock_path[PATH_BYTES];
    VT_TRY(check_folder(options, diag));
    snprintf(lock_path, sizeof lock_path, "%s.lock", options->path);
    if (!options->read_only)
        VT_TRY(vt__store_lock(lock_path, diag, &store->lock_fd));
    VT_TRY(make_options(store, options, diag));
    if (holds_database(options->path))
        VT_TRY(refuse_unknown_families(store, options, diag));
    return open_database(store, options, diag);
}

struct vt_err vt_store_open(const struct vt_store_options *options, struct vt_diag *diag,
                            struct vt_store **ret_store)
{
    VT_ASSERT(options->n_families <= VT_STORE_FAMILIES_MAX);
    struct vt_store *store = calloc(1, sizeof *store);
    VT_CHECK(store != NULL, VT_EXHAUSTED, "out of memory");
    store->lock_fd = -1;
    struct vt_err err = open_into(store, options, diag);
    if (vt_failed(err)) {
        vt_store_close(store);
        return err;
    }
    *ret_store = store;
    return vt_ok();
}

static void destroy_options(struct vt_store *store)
{
    for (uint32_t i = 0; i < VT_STORE_FAMILIES_MAX; i++) {
        if (store->family_options[i] != NULL)
            rocksdb_options_destroy(store->family_options[i]);
        if (store->filters[i] != NULL)
            rocksdb_compactionfilter_destroy(store->filters[i]);
    }
    if (store->options != NULL)
        rocksdb_options_destroy(store->options);
    if (store->read_options != NULL)
        rocksdb_readoptions_destroy(store->read_options);
    if (store->write_options != NULL)
        rocksdb_writeoptions_destroy(store->write_options);
    if (store->cache != NULL)
        rocksdb_cache_destroy(store->cache);
}

/* Tables instead of a log to replay: the next opening, read-only ones too, is quick. Everything is
 * on disk already, so a failure here loses nothing. */
static void flush_for_next_opening(struct vt_store *store)
{
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    for (uint32_t i = 0; i < store->n_families; i++) {
        char *text = NULL;
        rocksdb_flush_cf(store->db, options, store->handles[i], &text);
        vt_err_ignore(take_error(text, NULL), "the log still holds what was not flushed");
    }
    rocksdb_flushoptions_destroy(options);
}

void vt_store_close(struct vt_store *store)
{
    if (store == NULL)
        return;
    VT_ASSERT(vt_store_n_live(store) == 0);
    if (store->db != NULL && !store->read_only)
        flush_for_next_opening(store);
    for (uint32_t i = 0; i < store->n_families; i++)
        rocksdb_column_family_handle_destroy(store->handles[i]);
    if (store->db != NULL)
        rocksdb_close(store->db);
    destroy_options(store);
    vt__store_unlock(store->lock_fd);
    free(store);
}

/* ---- reading ---- */

static void count_live(struct vt_store *store, int delta)
{
    atomic_fetch_add_explicit(&store->n_live, (uint64_t)(int64_t)delta, memory_order_relaxed);
}

uint64_t vt_store_n_live(const struct vt_store *store)
{
    return atomic_load_explicit(&store->n_live, memory_order_relaxed);
}

struct vt_err vt_store_get(struct vt_store *store, uint32_t family, struct vt_slice key,
                           struct vt_diag *diag, struct vt_store_value *ret_value, bool *ret_found)
{
    VT_ASSERT(family < store->n_families);
    char *text = NULL;
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned_cf(
        store->db, store->read_options, store->handles[family], key.data, key.len, &text);
    VT_TRY(take_error(text, diag));
    *ret_found = pin != NULL;
    if (pin == NULL)
        return vt_ok();
    size_t len = 0;
    const char *data = rocksdb_pinnableslice_value(pin, &len);
    *ret_value = (struct vt_store_value){vt_slice(data, len), pin, store};
    count_live(store, 1);
    return vt_ok();
}

void vt_store_value_release(struct vt_store_value *value)
{
    if (value->pin == NULL)
        return;
    rocksdb_pinnableslice_destroy(value->pin);
    count_live(value->store, -1);
    *value = (struct vt_store_value){0};
}

struct vt_err vt_store_iter_open(struct vt_store *store, uint32_t family, struct vt_slice first,
                                 struct vt_slice end, struct vt_store_iter **ret_iter)
{
    VT_ASSERT(family < store->n_families);
    struct vt_store_iter *iter = calloc(1, sizeof *iter + end.len);
    VT_CHECK(iter != NULL, VT_EXHAUSTED, "out of memory");
    iter->store = store;
    iter->end = (char *)(iter + 1);
    iter->options = rocksdb_readoptions_create();
    if (end.len != 0) {
        memcpy(iter->end, end.data, end.len);
        rocksdb_readoptions_set_iterate_upper_bound(iter->options, iter->end, end.len);
    }
    iter->rows = rocksdb_create_iterator_cf(store->db, iter->options, store->handles[family]);
    if (first.len != 0)
        rocksdb_iter_seek(iter->rows, first.data, first.len);
    else
        rocksdb_iter_seek_to_first(iter->rows);
    count_live(store, 1);
    *ret_iter = iter;
    return vt_ok();
}

void vt_store_iter_close(struct vt_store_iter *iter)
{
    if (iter == NULL)
        return;
    rocksdb_iter_destroy(iter->rows);
    rocksdb_readoptions_destroy(iter->options);
    count_live(iter->store, -1);
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
        VT_TRY(take_error(text, diag));
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

uint64_t vt_store_estimate_rows(const struct vt_store *store, uint32_t family)
{
    uint64_t n = 0;
    if (rocksdb_property_int_cf(store->db, store->handles[family], "rocksdb.estimate-num-keys",
                                &n) != 0)
        return 0;
    return n;
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
    rocksdb_writebatch_destroy(batch->writes);
    free(batch);
}

void vt_store_batch_clear(struct vt_store_batch *batch)
{
    rocksdb_writebatch_clear(batch->writes);
}

bool vt_store_batch_is_empty(struct vt_store_batch *batch)
{
    return rocksdb_writebatch_count(batch->writes) == 0;
}

void vt_store_batch_put(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                        struct vt_slice value)
{
    rocksdb_writebatch_put_cf(batch->writes, batch->store->handles[family], key.data, key.len,
                              value.data, value.len);
}

void vt_store_batch_merge(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                          struct vt_slice operand)
{
    rocksdb_writebatch_merge_cf(batch->writes, batch->store->handles[family], key.data, key.len,
                                operand.data, operand.len);
}

void vt_store_batch_delete(struct vt_store_batch *batch, uint32_t family, struct vt_slice key)
{
    rocksdb_writebatch_delete_cf(batch->writes, batch->store->handles[family], key.data, key.len);
}

void vt_store_batch_delete_range(struct vt_store_batch *batch, uint32_t family,
                                 struct vt_slice first, struct vt_slice end)
{
    rocksdb_writebatch_delete_range_cf(batch->writes, batch->store->handles[family], first.data,
                                       first.len, end.data, end.len);
}

struct vt_err vt_store_write(struct vt_store *store, struct vt_store_batch *batch,
                             struct vt_diag *diag)
{
    char *text = NULL;
    rocksdb_write(store->db, store->write_options, batch->writes, &text);
    return take_error(text, diag);
}

struct vt_err vt_store_checkpoint(struct vt_store *store, const char *path, struct vt_diag *diag)
{
    char *text = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(store->db, &text);
    VT_TRY(take_error(text, diag));
    rocksdb_checkpoint_create(checkpoint, path, 0, &text);
    rocksdb_checkpoint_object_destroy(checkpoint);
    return take_error(text, diag);
}
