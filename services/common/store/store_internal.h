#ifndef VT_STORE_STORE_INTERNAL_H
#define VT_STORE_STORE_INTERNAL_H

#include "services/common/store/store.h"

#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>

/* What the files of the store share. */

enum { VT__STORE_PATH_BYTES = 4096 };

/* Two openings of one database: the one that writes, and one for reading only that bridges the
 * moments in which the other is closed and opened again. */
enum vt__opening_id { VT__OPENING_MAIN, VT__OPENING_BRIDGE, VT__OPENINGS, VT__OPENING_NONE };

struct vt__opening {
    struct vt_store *store;
    enum vt__opening_id id;
    rocksdb_t *db; /* NULL: closed. Set and cleared while nobody is in */
    rocksdb_column_family_handle_t *handles[VT_STORE_FAMILIES_MAX];
    atomic_uint_least64_t n_users; /* seq_cst, with store->current: see gate.c */
};

struct vt_store {
    /* Immutable after open. */
    char path[VT__STORE_PATH_BYTES], info_log_dir[VT__STORE_PATH_BYTES];
    const struct vt_store_family *families;
    uint32_t n_families;
    int lock_fd;
    bool read_only, own_info_log;
    rocksdb_options_t *options, *bridge_options;
    rocksdb_options_t *family_options[VT_STORE_FAMILIES_MAX];
    rocksdb_compactionfilter_t *filters[VT_STORE_FAMILIES_MAX]; /* options only borrow them */
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read_options;
    rocksdb_writeoptions_t *write_options;
    void (*on_damage)(void *ctx, const struct vt_store_damage *damage);
    void *damage_ctx;

    struct vt__opening openings[VT__OPENINGS];
    atomic_int current; /* enum vt__opening_id: where readers enter */

    pthread_mutex_t lock;   /* of the three below */
    pthread_cond_t changed; /* one of them did, or the last user of an opening left */
    uint32_t n_filling;     /* batches with something in them */
    bool reopening;         /* batches begin after it */
};

struct vt_store_batch {
    struct vt_store *store;
    rocksdb_writebatch_t *writes;
    bool begun;                  /* counted in n_filling */
    bool has_rows;               /* told, even if they were lost for want of an opening */
    struct vt__opening *opening; /* of a begun one: whose handles it uses; NULL: none was open */
};

/* gate.c */
void vt__gate_init(struct vt_store *store);
void vt__gate_fini(struct vt_store *store);
/* Enters the opening that is current: it stays open until _leave. NULL: none is open. Any
 * thread; wait-free but for a reopening in between. */
struct vt__opening *vt__gate_enter(struct vt_store *store);
void vt__gate_leave(struct vt__opening *opening);
/* Counts a batch as begun or done. _begin waits while a reopening is under way; the opening it
 * returns (NULL: none) stays open until _end. */
struct vt__opening *vt__gate_begin_batch(struct vt_store *store);
void vt__gate_end_batch(struct vt_store *store);
/* Waits until no batch is begun, and keeps new ones waiting until _resume. VT_UNAVAILABLE: it took
 * too long. */
VT_MUST_USE struct vt_err vt__gate_pause_batches(struct vt_store *store);
void vt__gate_resume_batches(struct vt_store *store);
/* Where readers enter from now on. */
void vt__gate_switch(struct vt_store *store, enum vt__opening_id id);
/* Waits until nobody is in; the opening must not be current. VT_UNAVAILABLE: it took too long. */
VT_MUST_USE struct vt_err vt__gate_wait_empty(struct vt__opening *opening, int64_t max_s);

/* options.c */
void vt__store_make_options(struct vt_store *store, const struct vt_store_options *options);
void vt__store_set_log(struct vt_store *store, enum vt_store_log log); /* for the next opening */
void vt__store_free_options(struct vt_store *store);

/* info_log.c */
void vt__info_log_place(const struct vt_store_options *options,
                        char ret_path[VT__STORE_PATH_BYTES]);
/* Removes the logs there, and the folder when nothing else is in it. */
void vt__info_log_remove(const char *path);

/* open.c */
VT_MUST_USE struct vt_err vt__opening_open(struct vt__opening *opening, struct vt_diag *diag);
void vt__opening_close(struct vt__opening *opening); /* flushes the main one first */

/* damage.c: takes RocksDB's text (NULL is success) as an error, and reports damage. `opening` may
 * be NULL while there is none. */
VT_MUST_USE struct vt_err vt__store_take_error(const struct vt_store *store,
                                               const struct vt__opening *opening, char *text,
                                               struct vt_diag *diag);

#endif
