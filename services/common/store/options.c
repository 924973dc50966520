/*
 * The options of a database of ours: what a few hundred of RocksDB's are narrowed to. Reasons stand
 * where one is set; those that decide what survives a crash are argued in
 * docs/adr/0010-store-options.md.
 *
 * Memory is bounded: one block cache that holds indexes and filters too, one budget for the
 * memtables of all families.
 */
#include "services/common/store/store_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    TABLE_CACHE_FILES = 512,
    FILTER_BITS_PER_KEY = 10, /* about 1 % false positives, RocksDB's own advice */
    TABLE_FORMAT_VERSION = 5,
    BACKGROUND_JOBS = 2,
    BLOCK_BYTES = 8 * 1024,
    /* WALRecoveryMode */
    RECOVERY_TOLERATE_TORN_TAIL = 0,
    RECOVERY_POINT_IN_TIME = 2,
    RECOVERY_SKIP_DAMAGED = 3,
    INFO_LOG_WARN = 2,
    INFO_LOG_BYTES_MAX = 1 << 20,
    INFO_LOG_FILES = 2,
    COMPRESS_NONE = 0,
    COMPRESS_LZ4 = 4,
    COMPRESS_ZSTD = 7,
};
#define CACHE_BYTES_DEFAULT (UINT64_C(64) << 20)
#define WRITE_BUFFER_BYTES_DEFAULT (UINT64_C(64) << 20)
#define WAL_BYTES_MAX (UINT64_C(256) << 20) /* bounds the log that an opening must read again */

/* ---- merge operators and compaction filters: RocksDB's shape around ours ---- */

enum { VALUES_ON_STACK = 64 }; /* of a merge; more are rare, and a read does not allocate for few */

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
    struct vt_slice few[VALUES_ON_STACK];
    struct vt_slice *values =
        n_operands < VALUES_ON_STACK ? few : calloc((size_t)n_operands + 1, sizeof *values);
    if (values == NULL)
        return NULL;
    if (first != NULL)
        values[n++] = *first;
    for (int i = 0; i < n_operands; i++)
        values[n++] = vt_slice(operands[i], lengths[i]);
    *ret_success = merge->fold(merge->state, values, n, &result, ret_len) ? 1 : 0;
    if (values != few)
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

/* Mode 2, the default, silently drops what was acknowledged after a damaged record. */
void vt__store_set_log(struct vt_store *store, enum vt_store_log log)
{
    static const int modes[] = {
        [VT_STORE_LOG_WHOLE] = RECOVERY_TOLERATE_TORN_TAIL,
        [VT_STORE_LOG_UNTIL_DAMAGE] = RECOVERY_POINT_IN_TIME,
        [VT_STORE_LOG_AROUND_DAMAGE] = RECOVERY_SKIP_DAMAGED,
    };
    rocksdb_options_set_wal_recovery_mode(store->options, modes[log]);
    if (store->bridge_options != NULL)
        rocksdb_options_set_wal_recovery_mode(store->bridge_options, modes[log]);
}

static void set_database(struct vt_store *store, const struct vt_store_options *options,
                         uint64_t write_buffer_bytes)
{
    rocksdb_options_t *db = store->options;
    rocksdb_options_set_create_if_missing(db, options->create ? 1 : 0);
    rocksdb_options_set_create_missing_column_families(db, 1);
    rocksdb_options_set_paranoid_checks(db, 1);
    vt__store_set_log(store, options->log);
    rocksdb_options_set_max_total_wal_size(db, WAL_BYTES_MAX);
    rocksdb_options_set_db_write_buffer_size(db, (size_t)write_buffer_bytes);
    rocksdb_options_set_max_open_files(db, TABLE_CACHE_FILES);
    rocksdb_options_set_max_background_jobs(db, BACKGROUND_JOBS);
    rocksdb_options_set_bytes_per_sync(db, 1 << 20);
    rocksdb_options_set_skip_stats_update_on_db_open(db, 1);
    rocksdb_options_set_stats_dump_period_sec(db, 0);
    rocksdb_options_set_db_log_dir(db, store->info_log_dir);
    rocksdb_options_set_info_log_level(db, INFO_LOG_WARN);
    rocksdb_options_set_max_log_file_size(db, INFO_LOG_BYTES_MAX);
    rocksdb_options_set_keep_log_file_num(db, INFO_LOG_FILES);
}

void vt__store_make_options(struct vt_store *store, const struct vt_store_options *options)
{
    vt__info_log_place(options, store->info_log_dir);
    store->own_info_log = options->log_dir == NULL;
    uint64_t buffer =
        options->write_buffer_bytes != 0 ? options->write_buffer_bytes : WRITE_BUFFER_BYTES_DEFAULT;
    store->cache = rocksdb_cache_create_lru(
        (size_t)(options->cache_bytes != 0 ? options->cache_bytes : CACHE_BYTES_DEFAULT));
    store->options = rocksdb_options_create();
    set_database(store, options, buffer);
    store->bridge_options = rocksdb_options_create_copy(store->options);
    /* All tables are opened at once: they stay readable when the main opening removes them. */
    rocksdb_options_set_max_open_files(store->bridge_options, -1);
    store->read_options = rocksdb_readoptions_create();
    store->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(store->write_options, 1);
    for (uint32_t i = 0; i < options->n_families; i++) {
        store->family_options[i] = family_options_new(store, &options->families[i], buffer);
        set_expiry(store, i, options->families[i].expiry);
    }
}

void vt__store_free_options(struct vt_store *store)
{
    for (uint32_t i = 0; i < VT_STORE_FAMILIES_MAX; i++) {
        if (store->family_options[i] != NULL)
            rocksdb_options_destroy(store->family_options[i]);
        if (store->filters[i] != NULL)
            rocksdb_compactionfilter_destroy(store->filters[i]);
    }
    if (store->options != NULL)
        rocksdb_options_destroy(store->options);
    if (store->bridge_options != NULL)
        rocksdb_options_destroy(store->bridge_options);
    if (store->read_options != NULL)
        rocksdb_readoptions_destroy(store->read_options);
    if (store->write_options != NULL)
        rocksdb_writeoptions_destroy(store->write_options);
    if (store->cache != NULL)
        rocksdb_cache_destroy(store->cache);
}
