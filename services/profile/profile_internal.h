#ifndef VT_PROFILE_PROFILE_INTERNAL_H
#define VT_PROFILE_PROFILE_INTERNAL_H

#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/common/store/store.h"
#include "services/profile/audit.h"
#include "services/profile/codec.h"
#include "services/profile/id_map.h"
#include "services/profile/keys.h"
#include "services/profile/layout.h"
#include "services/profile/profile.h"
#include "services/profile/records.h"
#include "services/profile/recovery.h"
#include "services/profile/seen_filter.h"
#include "services/profile/space.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What the files of the profile domain share. Who may touch a field stands beside it. */

enum {
    VT__GROUP_EVENTS_MAX = 16384, /* events that share one fsync, and at most a log block */
    VT__QUEUE_EVENTS_DEFAULT = 65536,
    VT__RING_CHANGES = 65536, /* catalog changes kept for readers that come back */
    VT__CHANNELS_MAX = 1000,
    VT__LOOKS_MAX = 64, /* at a customer; each after the first needs another merge meanwhile */
    VT__COUNTS_EVERY_MS = 1000,       /* watchers hear of counts at most this often */
    VT__WRITER_ARENA_BYTES = 2 << 20, /* 16 customers as large as they may be (link.c) */
    VT__PATH_BYTES = 4096,
    VT__PAGE_BYTES = 1 << 20, /* of records, and no more entries go onto a page */
};

/* ---- one write on its way: made on the caller's thread, in the request's arena ---- */
struct vt__job {
    struct vt__job *next;
    /* Adds to the batch on the writer thread; NULL: events, which form groups. An error goes to
     * this caller alone; after the first row it also breaks the writer, so refuse before that. */
    struct vt_err (*apply)(struct vt_profile *profile, struct vt__job *job);
    uint32_t n; /* events or entries */
    struct vt_profile_write write;
    const void *input;
    uint32_t mask;
    bool may_wait; /* for room in the queue */
    void *result;
    struct vt_err err;
};

/* ---- what followers of the catalog are told (feed.c); all under `lock` ---- */
struct vt__ring_entry {
    uint64_t sequence;
    struct vt__change_record change;
};
struct vt__feed {
    pthread_mutex_t lock;
    struct vt__ring_entry *ring; /* owned, VT__RING_CHANGES long */
    uint64_t n_pushed;           /* ever; entry i is at i % VT__RING_CHANGES */
    uint64_t floor;              /* all changes after this sequence are in the ring */
    uint64_t sequence;           /* committed */
    int64_t *weights;            /* owned, by item: thousandths of event weight */
    uint32_t *stamps;            /* owned, by item: the tick that first tells of it */
    uint32_t n_weights;
    uint32_t tick; /* counts told so far */
    bool counts_waiting;
    int64_t counts_told_ns;
    struct vt_watch *watches;
};

struct vt__ageing;
struct vt__chores;
struct vt__group;
struct vt__noise;
struct vt__seen_filter;
struct vt__watchers;
struct vt__customer_cache;

struct vt_profile {
    /* Immutable after open. */
    const struct vt_clock *clock;
    struct vt_store *store;
    struct vt__layout layout;
    struct vt_store_merge merges[3];
    struct vt_store_expiry seen_expiry, customer_days_expiry;
    struct vt_store_family families[VT__FAMILY_COUNT];
    uint32_t history_max, queue_events_max;
    int64_t idempotency_window_ms;
    bool consent_default, read_only, writer_started;
    int acked_fd;
    struct vt_audit *audit; /* owned; NULL without a key */
    unsigned char audit_key[VT_AUDIT_KEY_BYTES];
    int64_t erase_within_ms;
    pthread_mutex_t erase_lock; /* one pass of erasures at a time */
    struct vt_counter *n_damaged;
    atomic_uint_least64_t damage_told; /* which and when, relaxed: a log line more is no harm */
    struct vt_counter *n_accepted, *n_duplicate, *n_rejected, *n_fsyncs;
    struct vt_counter *n_full_refused, *n_full_waited;
    struct vt_gauge *queue_gauge;
    struct vt_histogram *group_size, *fsync_seconds;

    /* The queue, under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t writer;
    struct vt__job_list {
        struct vt__job *first, *last;
    } queue, waiting; /* `waiting` is for room in `queue`, in order */
    uint32_t queued;  /* events and entries in `queue` */
    bool stopping;

    /* Set and cleared by the writer (relaxed): its memory and the disk may differ. See recovery.h
     */
    atomic_bool broken;
    struct vt__recovery recovery; /* the writer thread's */
    struct vt__space space;       /* any thread */

    /* The writer thread alone. */
    struct vt__state state;
    struct vt_store_batch *batch;
    struct vt__id_map items;
    struct vt__id_map channels;
    struct vt__group *group;
    struct vt__seen_filter *seen;
    struct vt__customer_cache *customers;
    struct vt__noise *noise;
    struct vt_arena arena;
    struct vt__buffer value;
    struct vt__ring_entry *pending; /* changes of this commit; owned */
    uint32_t n_pending, pending_capacity;
    uint32_t changes_since_trim;

    struct vt__feed feed;
    struct vt__ageing *ageing;     /* the chores' thread, but for what says otherwise */
    struct vt__watchers *watchers; /* under feed.lock */
    struct vt__chores *chores;     /* runs between open and close; NULL in a store for reading */
};

/* writer.c. Between start and stop the thread runs; stop works off what is queued. */
VT_MUST_USE struct vt_err vt__writer_start(struct vt_profile *profile);
void vt__writer_stop(struct vt_profile *profile);
/* Queues a job that fills input, result …; refuses with `done` at once when the queue is full or
 * the disk nearly is. */
void vt__writer_submit(struct vt_profile *profile, const struct vt__job *job);
/* Queues a job of our own and blocks until it is committed or failed. Chores and worker threads;
 * never a serving thread, never the writer. */
VT_MUST_USE struct vt_err vt__writer_run(struct vt_profile *profile,
                                         struct vt_err (*apply)(struct vt_profile *profile,
                                                                struct vt__job *job),
                                         const void *input, void *result);
/* Put or merge profile->value under the key into the batch, and empty it. Writer thread. */
void vt__put(struct vt_profile *profile, enum vt__family family, struct vt__key key);
void vt__merge(struct vt_profile *profile, enum vt__family family, struct vt__key key);
/* Notes a change of this commit under the next sequence: row for the changes log and the ring. */
VT_MUST_USE struct vt_err vt__add_change(struct vt_profile *profile, enum vt_change_kind kind,
                                         uint32_t item);
/* Number of a SKU; a new one is added to the batch and the map, with *ret_is_new. */
VT_MUST_USE struct vt_err vt__number_item(struct vt_profile *profile, struct vt_slice id,
                                          uint32_t *ret_number, bool *ret_is_new);

/* group.c: the events of a commit. Writer thread. _add judges against what was seen and puts what
 * they mention; _finish puts rows, histories and counts; an error of either is the whole group's.
 */
VT_MUST_USE struct vt_err vt__group_new(struct vt__group **ret_group);
void vt__group_free(struct vt__group *group);
VT_MUST_USE struct vt_err vt__group_add(struct vt_profile *profile, struct vt__job *job);
VT_MUST_USE struct vt_err vt__group_finish(struct vt_profile *profile);
void vt__group_clear(struct vt__group *group);

/* customer_cache.c: writer thread; of fixed size */
struct vt__known_customer {
    uint64_t number;
    bool consent;
};
VT_MUST_USE struct vt_err vt__customer_cache_new(struct vt__customer_cache **ret_cache);
void vt__customer_cache_free(struct vt__customer_cache *cache);
bool vt__customer_cache_find(const struct vt__customer_cache *cache, const struct vt__key *identity,
                             struct vt__known_customer *ret_customer);
void vt__customer_cache_put(struct vt__customer_cache *cache, const struct vt__key *identity,
                            struct vt__known_customer customer);
void vt__customer_cache_drop(struct vt__customer_cache *cache, const struct vt__key *identity);

/* customers.c */
/* 0 unspecified, 1 granted, 2 denied → may we keep a history? */
bool vt__consents(const struct vt_profile *profile, int consent);
/* Point reads of committed rows. Any thread; the record's texts live in the arena. */
VT_MUST_USE struct vt_err vt__find_customer(struct vt_profile *profile,
                                            const struct vt__identity *identity,
                                            struct vt_diag *diag, uint64_t *ret_number,
                                            bool *ret_found);
VT_MUST_USE struct vt_err vt__read_customer(struct vt_profile *profile, uint64_t number,
                                            struct vt_arena *arena, struct vt_diag *diag,
                                            struct vt__customer_record *ret_record,
                                            bool *ret_found);
/* Rows for the batch: a record; an identity, there and back; both, of a new customer. */
void vt__put_customer(struct vt_profile *profile, uint64_t number,
                      const struct vt__customer_record *record);
void vt__put_identity(struct vt_profile *profile, uint64_t number,
                      const struct vt__identity *identity, int64_t time_ms);
/* Both rows: events, and what was shown. */
void vt__delete_history(struct vt_profile *profile, uint64_t number);
void vt__put_new_customer(struct vt_profile *profile, uint64_t number,
                          const struct vt__identity *identity,
                          const struct vt__customer_record *record);

/* check.c: is it valid? Each returns false and fills the fault, once. Field names are literals. */
struct vt__fault {
    const char *field; /* NULL: no fault */
    char text[192];
};
bool vt__check_id(struct vt_slice id, const char *field, struct vt__fault *fault);
bool vt__check_text(struct vt_slice text, size_t max_bytes, const char *field,
                    struct vt__fault *fault);
bool vt__check_currency(struct vt_slice code, struct vt__fault *fault);
bool vt__check_not_negative(double value, const char *field, struct vt__fault *fault);
bool vt__check_attributes(const struct vt_attribute *attributes, uint32_t n,
                          struct vt__fault *fault);
/* Field names are those of Event and of the profile requests. */
bool vt__check_who(struct vt_slice customer_id, struct vt_slice visitor_id,
                   const struct vt_identity *identity, struct vt__fault *fault);
bool vt__check_event(const struct vt_event *event, int64_t now_ms, struct vt__fault *fault);
__attribute__((format(printf, 3, 4))) bool vt__fault_set(struct vt__fault *fault, const char *field,
                                                         const char *format, ...);

/* feed.c */
VT_MUST_USE struct vt_err vt__feed_open(struct vt_profile *profile, struct vt_diag *diag);
/* Reads it back after the store was opened again, and tells followers what differs from what they
 * heard. Writer thread. On failure nothing has changed. */
VT_MUST_USE struct vt_err vt__feed_reload(struct vt_profile *profile, struct vt_diag *diag);
void vt__feed_fini(struct vt__feed *feed);
VT_MUST_USE struct vt_err vt__feed_reserve(struct vt__feed *feed, uint32_t item);
void vt__feed_add_weight(struct vt__feed *feed, uint32_t item, int64_t delta); /* under lock */
/* After a commit, on the writer thread: tells followers. */
void vt__feed_publish(struct vt_profile *profile);
/* Nanoseconds until waiting counts are due; -1 when none wait. */
int64_t vt__feed_due_ns(struct vt_profile *profile);
void vt__feed_tell_counts(struct vt_profile *profile);
/* Under feed.lock: the changes told after `sequence`; VT__RING_CHANGES also when they are more.
 * The ring's last n entries are those. */
uint32_t vt__feed_count_after(const struct vt__feed *feed, uint64_t sequence);

#endif
