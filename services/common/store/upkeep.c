/*
 * Flushing, compacting and opening again. Opening again is the only way out after RocksDB met a
 * full disk (its C API cannot resume), and the only way to be rid of the old MANIFEST, which names
 * erased keys as file boundaries.
 *
 * Readers must not notice: before the database is closed a second opening for reading takes over
 * (the gate in gate.c moves them), and gives back when the new one stands. The bridge sees exactly
 * what was durable, since no batch is under way.
 */
#include "services/common/store/upkeep.h"

#include "services/common/store/store_internal.h"

#include <errno.h>
#include <sys/statvfs.h>

enum {
    COMPACT_BOTTOMMOST_FORCE = 2, /* BottommostLevelCompaction::kForce */
    READERS_WAIT_MAX_S = 10,      /* for those in the main opening, before it is closed */
    BRIDGE_WAIT_MAX_S = 1,        /* for those in the bridge: writes wait meanwhile */
};

/* Enters the opening that writes. */
static struct vt_err enter_main(struct vt_store *store, struct vt__opening **ret_opening)
{
    struct vt__opening *opening = vt__gate_enter(store);
    if (opening != NULL && opening->id == VT__OPENING_MAIN && !store->read_only) {
        *ret_opening = opening;
        return vt_ok();
    }
    if (opening != NULL)
        vt__gate_leave(opening);
    VT_CHECK(!store->read_only, VT_PRECONDITION, "this store is open for reading only");
    return VT_ERR(VT_UNAVAILABLE, "the store is being opened again: try again in a second");
}

/* ---- flush, compact ---- */

static struct vt_err flush_families(struct vt__opening *opening, struct vt_diag *diag)
{
    struct vt_store *store = opening->store;
    struct vt_err err = vt_ok();
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    for (uint32_t i = 0; i < store->n_families && !vt_failed(err); i++) {
        char *text = NULL;
        rocksdb_flush_cf(opening->db, options, opening->handles[i], &text);
        err = vt__store_take_error(store, opening, text, diag);
    }
    rocksdb_flushoptions_destroy(options);
    return err;
}

struct vt_err vt_store_flush(struct vt_store *store, struct vt_diag *diag)
{
    struct vt__opening *opening = NULL;
    VT_TRY(enter_main(store, &opening));
    struct vt_err err = flush_families(opening, diag);
    vt__gate_leave(opening);
    return err;
}

/* rocksdb_compact_range returns nothing: a failure shows only in this count. */
static uint64_t background_errors(struct vt__opening *opening)
{
    uint64_t n = 0;
    if (rocksdb_property_int(opening->db, "rocksdb.background-errors", &n) != 0)
        n = 0;
    return n;
}

static void compact_range(struct vt__opening *opening, uint32_t family, struct vt_slice first,
                          struct vt_slice end)
{
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0);
    rocksdb_compactoptions_set_bottommost_level_compaction(options, COMPACT_BOTTOMMOST_FORCE);
    rocksdb_compact_range_cf_opt(opening->db, opening->handles[family], options,
                                 first.len != 0 ? (const char *)first.data : NULL, first.len,
                                 end.len != 0 ? (const char *)end.data : NULL, end.len);
    rocksdb_compactoptions_destroy(options);
}

struct vt_err vt_store_compact(struct vt_store *store, uint32_t family, struct vt_slice first,
                               struct vt_slice end, struct vt_diag *diag)
{
    VT_ASSERT(family < store->n_families);
    struct vt__opening *opening = NULL;
    VT_TRY(enter_main(store, &opening));
    uint64_t errors_before = background_errors(opening);
    compact_range(opening, family, first, end);
    bool failed = background_errors(opening) != errors_before;
    vt__gate_leave(opening);
    if (!failed)
        return vt_ok();
    vt_diag_set(diag, store->families[family].name,
                "RocksDB failed in rewriting it and does not say why: look for a full disk");
    return VT_ERR(VT_UNAVAILABLE, "the store could not be compacted");
}

/* ---- opening again ---- */

/* Opens the bridge beside the main opening, which keeps its files meanwhile. */
static struct vt_err open_bridge(struct vt_store *store)
{
    struct vt__opening *main = &store->openings[VT__OPENING_MAIN];
    char *text = NULL;
    rocksdb_disable_file_deletions(main->db, &text);
    VT_TRY(vt__store_take_error(store, main, text, NULL));
    struct vt_err err = vt__opening_open(&store->openings[VT__OPENING_BRIDGE], NULL);
    rocksdb_enable_file_deletions(main->db, 0, &text);
    vt_err_ignore(vt__store_take_error(store, main, text, NULL),
                  "the next opening removes what is left over");
    return err;
}

/* Closes the bridge once its last reader has left; else it stays until the next time. */
static struct vt_err close_bridge(struct vt_store *store)
{
    struct vt__opening *bridge = &store->openings[VT__OPENING_BRIDGE];
    VT_TRY(vt__gate_wait_empty(bridge, BRIDGE_WAIT_MAX_S));
    vt__opening_close(bridge);
    return vt_ok();
}

/* Moves readers to the bridge and closes the main opening. On failure all is as before. */
static struct vt_err close_main(struct vt_store *store)
{
    struct vt__opening *main = &store->openings[VT__OPENING_MAIN];
    VT_TRY(close_bridge(store)); /* one left over */
    vt_err_ignore(flush_families(main, NULL), "the log still holds it; only the bridge is slower");
    bool bridged = !vt_failed(open_bridge(store));
    vt__gate_switch(store, bridged ? VT__OPENING_BRIDGE : VT__OPENING_NONE);
    struct vt_err err = vt__gate_wait_empty(main, READERS_WAIT_MAX_S);
    if (vt_failed(err)) {
        vt__gate_switch(store, VT__OPENING_MAIN);
        vt_err_ignore(close_bridge(store), "the next reopening closes it");
        return err;
    }
    vt__opening_close(main);
    return vt_ok();
}

static struct vt_err reopen_paused(struct vt_store *store, struct vt_diag *diag)
{
    struct vt__opening *main = &store->openings[VT__OPENING_MAIN];
    if (main->db != NULL)
        VT_TRY(close_main(store));
    VT_TRY(vt__opening_open(main, diag));
    vt__gate_switch(store, VT__OPENING_MAIN);
    vt_err_ignore(close_bridge(store), "a reader is still in it: the next reopening closes it");
    return vt_ok();
}

struct vt_err vt_store_reopen(struct vt_store *store, struct vt_diag *diag)
{
    VT_CHECK(!store->read_only, VT_PRECONDITION, "this store is open for reading only");
    VT_TRY(vt__gate_pause_batches(store));
    struct vt_err err = reopen_paused(store, diag);
    vt__gate_resume_batches(store);
    return err;
}

/* ---- the disk below ---- */

struct vt_err vt_store_free_bytes(const struct vt_store *store, uint64_t *ret_free_bytes,
                                  uint64_t *ret_total_bytes)
{
    struct statvfs info;
    if (statvfs(store->path, &info) != 0)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "cannot ask for the free space of the store");
    *ret_free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    *ret_total_bytes = (uint64_t)info.f_blocks * info.f_frsize;
    return vt_ok();
}
