#ifndef VT_STORE_STORE_H
#define VT_STORE_STORE_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A database of sorted byte strings in families, on RocksDB with the options that docs/adr/0010
 * argues for. One process at a time holds one for writing; reads run on any thread; one thread
 * writes. Keys and values are the caller's business.
 *
 * Errors of every call here: VT_CORRUPT for damaged bytes, VT_EXHAUSTED when the disk is full,
 * VT_UNAVAILABLE for other failures of the file system and for the moments in which the store is
 * opened again (upkeep.h); RocksDB's own words are in `diag`, and of a damaged table its file,
 * family and key range.
 */
struct vt_store;
struct vt_store_batch;
struct vt_store_iter;
struct vt__opening;

enum { VT_STORE_FAMILIES_MAX = 32 };

/*
 * How values of a family merge. A value and an operand have the same form, and folding is
 * associative: fold(fold(a, b), c) = fold(a, fold(b, c)). Called on any thread, background ones
 * too. Returns false when a value is malformed: RocksDB then reports corruption.
 */
struct vt_store_merge {
    const char *name; /* on disk: never rename */
    const void *state;
    /* Oldest first; n_values is at least 1. Returns owned memory of malloc. */
    bool (*fold)(const void *state, const struct vt_slice *values, size_t n_values,
                 char **ret_value, size_t *ret_len);
};

/* Rows that may vanish at a compaction; until then readers must judge for themselves. */
struct vt_store_expiry {
    const char *name;
    const void *state;
    bool (*expired)(const void *state, struct vt_slice key, struct vt_slice value); /* any thread */
};

struct vt_store_family {
    const char *name;
    bool random_bytes;                    /* hashes: not worth compressing */
    const struct vt_store_merge *merge;   /* borrowed until close; NULL: none */
    const struct vt_store_expiry *expiry; /* borrowed until close; NULL: none */
    bool personal_keys;                   /* people's ids: never shown in a report of damage */
};

/* Where damaged bytes were met. Texts are never NULL, empty when unknown; borrowed for the call. */
struct vt_store_damage {
    const char *text;                 /* RocksDB's words, with path and offset */
    const char *file;                 /* in the store's folder */
    const char *family;               /* of a table */
    const char *first_key, *last_key; /* of that table, in hexadecimal */
};

/* What is read of a log that is damaged; a torn end is no damage. */
enum vt_store_log {
    VT_STORE_LOG_WHOLE,         /* nothing: VT_CORRUPT */
    VT_STORE_LOG_UNTIL_DAMAGE,  /* the writes before it; for writing, the rest is gone afterwards */
    VT_STORE_LOG_AROUND_DAMAGE, /* also those behind it; for looking only */
};

struct vt_store_options {
    const char *path; /* the folder; PATH.lock beside it names the holder's pid */
    const struct vt_store_family *families; /* borrowed until close; the index is the family id */
    uint32_t n_families;
    bool create;           /* make the folder when it is missing; else VT_NOT_FOUND */
    bool read_only;        /* a checkpoint: takes no lock, refuses writes */
    const char *log_dir;   /* where RocksDB's own log goes while the store is open; NULL: under
                              the first of $XDG_RUNTIME_DIR/vitrine, /tmp/vitrine-UID and
                              /dev/shm/vitrine-UID that is not on the disk of the data (when
                              full, it would break the logger), or nowhere */
    enum vt_store_log log; /* at this opening; vt_store_reopen reads it whole */
    uint64_t cache_bytes;  /* blocks, indexes and filters; 0: 64 MiB */
    uint64_t write_buffer_bytes; /* all memtables together; 0: 64 MiB */
    /* Told of damage whenever a call on an open store meets some, on that call's thread; NULL:
     * nobody. */
    void (*on_damage)(void *ctx, const struct vt_store_damage *damage);
    void *damage_ctx;
};

/* Where RocksDB's own log goes for a store at `path`, as said above; makes that folder. False:
 * nowhere. */
enum { VT_STORE_PATH_BYTES = 4096 };
bool vt_store_find_log_dir(const char *path, char ret_path[VT_STORE_PATH_BYTES]);

/* VT_UNAVAILABLE when another process holds it: `diag` names the pid. VT_PRECONDITION when it has a
 * family that `families` lacks: a later version wrote it. Blocking: recovers the log. */
VT_MUST_USE struct vt_err vt_store_open(const struct vt_store_options *options,
                                        struct vt_diag *diag, struct vt_store **ret_store);
/* All iterators and values must be given back before (asserted). NULL is allowed. */
void vt_store_close(struct vt_store *store);

/* A value borrowed from the block cache. Zero it first; release it once; releasing zero is fine. */
struct vt_store_value {
    struct vt_slice bytes;
    void *pin;
    struct vt__opening *opening;
};
/* Point read; *ret_found false: there is no such key. The caller releases *ret_value. Any thread;
 * reads the disk when the block is not cached. */
VT_MUST_USE struct vt_err vt_store_get(struct vt_store *store, uint32_t family, struct vt_slice key,
                                       struct vt_diag *diag, struct vt_store_value *ret_value,
                                       bool *ret_found);
/* Gives the bytes back; the value is zero afterwards. */
void vt_store_value_release(struct vt_store_value *value);

/* Changes that become visible and durable together. One thread. Bytes are copied. A merge adds an
 * operand to what the family's fold makes of the key; later changes of a batch win over earlier.
 * From its first row until it is cleared or freed a batch keeps vt_store_reopen waiting; the first
 * row waits while one is under way. */
VT_MUST_USE struct vt_err vt_store_batch_new(struct vt_store *store,
                                             struct vt_store_batch **ret_batch);
void vt_store_batch_free(struct vt_store_batch *batch); /* NULL is allowed */
void vt_store_batch_clear(struct vt_store_batch *batch);
/* Begins it before its first row. Whoever reads and fills at once must: an iterator of a thread
 * that waits for a reopening, which waits for the iterator, would hold up both. Blocks as the first
 * row does. */
void vt_store_batch_begin(struct vt_store_batch *batch);
bool vt_store_batch_is_empty(const struct vt_store_batch *batch); /* begun or not, it has no row */
void vt_store_batch_put(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                        struct vt_slice value);
void vt_store_batch_merge(struct vt_store_batch *batch, uint32_t family, struct vt_slice key,
                          struct vt_slice operand);
void vt_store_batch_delete(struct vt_store_batch *batch, uint32_t family, struct vt_slice key);
/* Everything from `first` to before `end`. */
void vt_store_batch_delete_range(struct vt_store_batch *batch, uint32_t family,
                                 struct vt_slice first, struct vt_slice end);
/* Writes and fsyncs: on return the batch is on disk. Blocking, about one fsync. */
VT_MUST_USE struct vt_err vt_store_write(struct vt_store *store, struct vt_store_batch *batch,
                                         struct vt_diag *diag);

/* Rows of a family from `first` (empty: the start) to before `end` (empty: the last), as of now.
 * One thread. */
VT_MUST_USE struct vt_err vt_store_iter_open(struct vt_store *store, uint32_t family,
                                             struct vt_slice first, struct vt_slice end,
                                             struct vt_store_iter **ret_iter);
void vt_store_iter_close(struct vt_store_iter *iter); /* NULL is allowed */
/* Steps to the next row. At the end *ret_more is false, but only when nothing was damaged: the
 * status is checked here, so that no caller can forget to. */
VT_MUST_USE struct vt_err vt_store_iter_next(struct vt_store_iter *iter, struct vt_diag *diag,
                                             bool *ret_more);
/* Borrowed until the next step. */
struct vt_slice vt_store_iter_key(const struct vt_store_iter *iter);
struct vt_slice vt_store_iter_value(const struct vt_store_iter *iter);

/* RocksDB's guess of the family's rows; 0 while the store is closed. Any thread; O(1). */
uint64_t vt_store_estimate_rows(struct vt_store *store, uint32_t family);
/* What the family's tables take on disk, in bytes. Any thread. */
uint64_t vt_store_family_bytes(struct vt_store *store, uint32_t family);
/* RocksDB's number of the newest row. Any thread; O(1). */
uint64_t vt_store_last_write(struct vt_store *store);
/* A consistent copy beside by hard links; `path` must not exist. Blocking. */
VT_MUST_USE struct vt_err vt_store_checkpoint(struct vt_store *store, const char *path,
                                              struct vt_diag *diag);
/* Iterators and values not yet given back; 0 at rest. */
uint64_t vt_store_n_live(const struct vt_store *store);

#endif
