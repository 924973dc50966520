#ifndef VT_PROFILE_PROFILE_H
#define VT_PROFILE_PROFILE_H

#include "services/common/base/err.h"
#include "services/common/base/event.h"
#include "services/common/base/request.h"
#include "services/common/catalog/filter.h"
#include "services/common/catalog/item_table.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The profile domain: the one owner of the live store. Reads are point reads on the caller's
 * thread; writes go to the writer thread, which group-commits with fsync and then runs the
 * continuation (on the writer thread). See README.md for keys and values.
 */
struct vt_profile;
struct vt_clock;
struct vt_metrics;

struct vt_profile_options {
    const char *data_dir;             /* DIR; the store is DIR/live */
    const struct vt_clock *clock;     /* borrowed */
    struct vt_metrics *metrics;       /* borrowed, may be NULL */
    uint32_t history_max;             /* events kept per customer; 0: VT_HISTORY_MAX */
    uint32_t queue_events_max;        /* waiting for the writer; more is VT_EXHAUSTED; 0: default */
    int64_t idempotency_window_ms;    /* 0: default, 14 days */
    uint32_t visitor_events_per_hour; /* of browsing; more are noise (noise.h); 0: no bound */
    int64_t erase_within_ms;          /* when an erasure is complete, at the latest; 0: 24 h */
    const unsigned char *audit_key;   /* 32 bytes, copied; NULL: no audit log, so no export and
                                         no erasure */
    int64_t event_retention_ms;       /* of the log, by whole days of acceptance; 0: for ever */
    int64_t visitor_expiry_ms;        /* of those known by cookie or device only; 0: never */
    int64_t watch_stall_ms;           /* a stream of changes that is stuck for as long ends; 0:
                                         30 s */
    bool consent_default;             /* of customers who said nothing */
    uint64_t free_space_min_bytes;    /* below it writes are VT_EXHAUSTED; 0: default (space.c) */
    bool read_only;                   /* a checkpoint, for the trainer */
    bool create;                      /* make the folder when it is missing */
};

/* VT_UNAVAILABLE when another process holds the folder (`diag` names its pid). */
VT_MUST_USE struct vt_err vt_profile_open(const struct vt_profile_options *options,
                                          struct vt_diag *diag, struct vt_profile **ret_profile);
void vt_profile_close(struct vt_profile *profile); /* drains the writer; NULL is allowed */

/* ---- who ---- */
/* Which items somebody was shown at least so often lately. */
enum { VT_SHOWN_TIMES_MAX = 100, VT_SHOWN_ITEMS_MAX = 1000 /* as long as a history may be */ };
#define VT_SHOWN_WITHIN_MAX_MS (INT64_C(365) * 86400000)
struct vt_shown_limit {
    uint32_t at_least; /* up to VT_SHOWN_TIMES_MAX; 0: nobody asks */
    int64_t within_ms; /* of the store's clock back, up to VT_SHOWN_WITHIN_MAX_MS */
};

struct vt_profile_key { /* the first that is given counts; one must be */
    struct vt_slice customer_id, visitor_id;
    struct vt_identity identity;
    struct vt_shown_limit shown; /* and what else to tell of them */
};

struct vt_customer {
    struct vt_slice id;
    int consent; /* 0 unspecified, 1 granted, 2 denied */
    const struct vt_attribute *attributes;
    uint32_t n_attributes;
    int64_t first_seen_ms, last_seen_ms;
};

/* What ranking needs to know about somebody. Lives in the request's arena. */
struct vt_profile_view {
    bool found;
    uint64_t customer_number;
    bool consent; /* false: events are empty and must not be used */
    struct vt_customer customer;
    const struct vt_history_event *events; /* newest first; equal times by item number */
    uint32_t n_events;
    const struct vt_slice *segments;
    uint32_t n_segments;
    const uint32_t *shown; /* item numbers that reach the limit that was asked for, each once */
    uint32_t n_shown;
};

/* Up to four point reads, and one or two for what was shown. Somebody unknown is found = false, not
 * an error. VT_INVALID: the id that counts is not valid; VT_EXHAUSTED: the request's arena is full;
 * VT_CORRUPT. Any thread. */
VT_MUST_USE struct vt_err vt_profile_get(struct vt_profile *profile, struct vt_request *request,
                                         const struct vt_profile_key *key, uint32_t max_events,
                                         struct vt_profile_view *ret_view);

/* ---- the port through which ranking reaches this service, in one process or over gRPC ---- */
typedef void (*vt_profile_view_fn)(void *ctx, struct vt_err err,
                                   const struct vt_profile_view *view);
/* A run of customers, by ascending number. Lives in the request's arena. */
struct vt_profile_page {
    struct vt_profile_view *views;
    uint32_t n;
    bool more;     /* others follow … */
    uint64_t last; /* … above this number */
};
typedef void (*vt_profile_page_fn)(void *ctx, struct vt_err err,
                                   const struct vt_profile_page *page);
/* Customers numbered above `after`, at most `max`, with at most `max_events` of each. */
struct vt_profile_page_query {
    uint64_t after;
    uint32_t max, max_events;
    struct vt_shown_limit shown;
};
struct vt_outcomes_query {
    uint64_t customer_number;
    struct vt_slice token; /* attribution token, as the answer had it */
    int64_t since_ms;      /* when the answer was given, Unix */
};
/* Lives in the request's arena. */
struct vt_outcomes {
    const struct vt_outcome *outcomes; /* by time, then sequence */
    uint32_t n;
    bool more; /* there are others */
};
struct vt_profile_port {
    void *self;
    /* Ends by calling `done` exactly once, inline or later on the request's serving thread, at
     * `deadline_ns` at the latest. */
    void (*get)(void *self, struct vt_request *request, const struct vt_profile_key *key,
                uint32_t max_events, int64_t deadline_ns, vt_profile_view_fn done, void *ctx);
    /* As `get`. Where `lists_inline` it reads the store on the caller's thread, which must be one
     * that may block, and else it must be the request's serving thread. */
    void (*list)(void *self, struct vt_request *request, const struct vt_profile_page_query *query,
                 int64_t deadline_ns, vt_profile_page_fn done, void *ctx);
    bool lists_inline;
    /* Blocks, until the request's deadline at the latest. */
    struct vt_err (*outcomes)(void *self, struct vt_request *request,
                              const struct vt_outcomes_query *query,
                              struct vt_outcomes *ret_outcomes);
};
/* The port of this process's own store: both are called inline. */
struct vt_profile_port vt_profile_local_port(struct vt_profile *profile);

/* ---- writes ---- */
typedef void (*vt_profile_written_fn)(void *ctx, struct vt_err err);

/* Who waits for a write, and for what. The struct is copied; the request, and the input and the
 * result handed over beside it, stay valid until `done`. */
struct vt_profile_write {
    struct vt_request *request; /* a refusal is told in its diag */
    bool validate_only;         /* judge everything, write nothing */
    /* Runs once: on the writer thread after the fsync, or inline when nothing is queued:
     * validate_only, VT_INVALID input, VT_EXHAUSTED over the queue's limit. VT_UNAVAILABLE: an
     * earlier write failed, and the store must be opened again. */
    vt_profile_written_fn done;
    void *ctx;
};

enum vt_event_outcome { VT_EVENT_ACCEPTED = 1, VT_EVENT_DUPLICATE = 2, VT_EVENT_REJECTED = 3 };
struct vt_event_result {
    enum vt_event_outcome outcome;
    const char *field;      /* literal; of a rejected event */
    struct vt_slice reason; /* in the request's arena */
    uint64_t sequence;
};

/* Judges every event, then queues the good ones. `results` is n_events long and filled when `done`
 * runs. VT_INVALID only for a batch of 0 or above VT_EVENT_BATCH_MAX. Any thread. */
void vt_profile_write_events(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_event *events, uint32_t n_events,
                             struct vt_event_result *results);
/* As above for a stream that is held back by other means: over the queue's limit the write waits
 * for room, in the order of arrival, where the above would be VT_EXHAUSTED. The caller bounds how
 * many of its writes wait. A quarter of the queue is not for them, so that they cannot keep single
 * writes out. */
void vt_profile_queue_events(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_event *events, uint32_t n_events,
                             struct vt_event_result *results);

struct vt_upsert_result {
    uint32_t inserted, updated, unchanged;
    uint64_t sequence; /* of the last change (items) */
};
/* All or nothing: VT_INVALID names the first entry that is wrong. Replaces consent and attributes;
 * a denial deletes the history. Of entries with one id the last counts. Any thread. */
void vt_profile_upsert_customers(struct vt_profile *profile, const struct vt_profile_write *write,
                                 const struct vt_customer *customers, uint32_t n_customers,
                                 struct vt_upsert_result *result);

enum { VT_LINK_IDENTITIES_MAX = 16 };
struct vt_link {
    const struct vt_identity *identities;
    uint32_t n_identities; /* 2 to VT_LINK_IDENTITIES_MAX; to unlink also 1 */
    bool merge_members;    /* needed where two members would become one */
    bool unlink;           /* part instead of joining */
};
struct vt_link_result {
    uint64_t customer_number; /* of linking: theirs from now on; of unlinking: that they had, 0 when
                                 they had none or several */
    bool changed;             /* with validate_only: would change */
    uint32_t n_added;         /* ids that nobody had before */
    uint32_t n_merged;        /* customers that became part of another */
    uint32_t n_unlinked;      /* ids that nobody has any more */
};
/* Joins the identities into one customer, a member's where there is one, otherwise the oldest: all
 * or nothing, in one commit; unknown ones are created. Or unlinks them, for the future only. What
 * is so already changes nothing. VT_INVALID names the identity; VT_PRECONDITION: two members
 * without the flag, or unlinking the last id of a customer or the last member id of a member;
 * VT_EXHAUSTED: more than 1,000 ids, 1,000 merged customers, or 1,000 channels. Any thread. */
void vt_profile_link_identities(struct vt_profile *profile, const struct vt_profile_write *write,
                                const struct vt_link *link, struct vt_link_result *result);

/* Which fields of vt_item an update names. */
enum vt_item_field {
    VT_ITEM_TITLE = 1 << 0,
    VT_ITEM_CATEGORIES = 1 << 1,
    VT_ITEM_BRAND = 1 << 2,
    VT_ITEM_PRICE = 1 << 3,
    VT_ITEM_CURRENCY = 1 << 4,
    VT_ITEM_STOCK = 1 << 5,
    VT_ITEM_AVAILABLE_FROM = 1 << 6,
    VT_ITEM_AVAILABLE_UNTIL = 1 << 7,
    VT_ITEM_ATTRIBUTES = 1 << 8,
    VT_ITEM_IMAGE_URI = 1 << 9,
    VT_ITEM_URI = 1 << 10,
    VT_ITEM_COST = 1 << 11,
};
/* All or nothing, as above. `mask` (bits of enum vt_item_field) 0 replaces whole entries and makes
 * new ones; otherwise the item must exist: VT_NOT_FOUND. Any thread. */
void vt_profile_upsert_items(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_item *items, uint32_t n_items, uint32_t mask,
                             struct vt_upsert_result *result);

struct vt_delete_result {
    uint32_t deleted;
    uint64_t sequence;
    bool *missing; /* caller's, n_ids long */
};
/* Deleted items keep their numbers; unknown ones are marked in result->missing. Any thread. */
void vt_profile_delete_items(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_slice *ids, uint32_t n_ids,
                             struct vt_delete_result *result);

/* ---- catalog reads ---- */
/* By id, or by number when the id is empty. Texts live in the request's arena. Any thread. */
VT_MUST_USE struct vt_err vt_profile_get_item(struct vt_profile *profile,
                                              struct vt_request *request, struct vt_slice id,
                                              uint32_t number, struct vt_item *ret_item,
                                              bool *ret_found);
struct vt_item_page_query {
    uint32_t after, max;            /* at most `max` entries with numbers above */
    const struct vt_filter *filter; /* only those that pass; NULL: all */
};
struct vt_item_page {
    struct vt_item *items; /* the caller's, `max` long; ascending by number */
    uint32_t n;
    uint32_t last; /* all up to here were looked at … */
    bool more;     /* … and there are others, though perhaps none that passes */
};
/* Texts live in the request's arena. Fewer come where they are large, so that an answer stays below
 * what clients take (4 MiB), and where few pass: a page looks at 50,000 entries at most. Iterates:
 * on a thread that may block. */
VT_MUST_USE struct vt_err vt_profile_list_items(struct vt_profile *profile,
                                                struct vt_request *request,
                                                const struct vt_item_page_query *query,
                                                struct vt_item_page *page);
VT_MUST_USE struct vt_err vt_profile_list_customers(struct vt_profile *profile,
                                                    struct vt_request *request, uint64_t after,
                                                    uint32_t max, struct vt_customer *ret_customers,
                                                    uint64_t *ret_numbers, uint32_t *ret_n,
                                                    bool *ret_more);

/* The same with consent and histories, as vt_profile_get tells them: at most `query->max` views. */
VT_MUST_USE struct vt_err vt_profile_list(struct vt_profile *profile, struct vt_request *request,
                                          const struct vt_profile_page_query *query,
                                          struct vt_profile_page *ret_page);

/* What came of an answer, of the customer and of those merged into it: events that carry the token,
 * without noise, at most VT_OUTCOMES_MAX. Reads the log blocks of their days since the answer.
 * VT_DEADLINE, VT_CANCELLED: not all were read in time. Blocking. */
enum { VT_OUTCOMES_MAX = 1000 };
VT_MUST_USE struct vt_err vt_profile_outcomes(struct vt_profile *profile,
                                              struct vt_request *request,
                                              const struct vt_outcomes_query *query,
                                              struct vt_outcomes *ret_outcomes);

/* ---- following the catalog (Watch, and the item table of this process) ---- */
enum vt_change_kind {
    VT_CHANGE_UPSERT,
    VT_CHANGE_DELETE,
    VT_CHANGE_MENTION,
    VT_CHANGE_COUNTS,
    VT_CHANGE_SNAPSHOT_BEGIN,
    VT_CHANGE_SNAPSHOT_DONE,
};
struct vt_change {
    uint64_t sequence;
    enum vt_change_kind kind;
    struct vt_item item;     /* UPSERT; number of DELETE; number and id of MENTION */
    const uint32_t *numbers; /* COUNTS */
    const float *counts;
    uint32_t n_counts;
};
/* A reader's place in the stream of changes. One thread at a time. */
struct vt_watch;
/* `wake` runs on the writer thread when new changes are there after vt_watch_next had none. */
VT_MUST_USE struct vt_err vt_watch_open(struct vt_profile *profile, uint64_t since_sequence,
                                        void (*wake)(void *ctx), void *ctx,
                                        struct vt_watch **ret_watch);
/* For readers that others hold up: `stalled` runs on a background thread, each second, while the
 * reader was told changes and has not asked for more for vt_profile_options.watch_stall_ms. It only
 * hands over, as `wake`, whose ctx it gets, and returns true when the reader is to end by it. Set
 * it before the first vt_watch_next. Without it a reader may take its time. */
void vt_watch_on_stall(struct vt_watch *watch, bool (*stalled)(void *ctx));
/* Up to `max` changes, texts in the arena; *ret_n 0 means: none now, wake will come. VT_EXHAUSTED:
 * the reader is further behind than the changes that are kept; a watch opened after the last
 * sequence it has begins with a snapshot. */
VT_MUST_USE struct vt_err vt_watch_next(struct vt_watch *watch, struct vt_arena *arena,
                                        uint32_t max, struct vt_change *ret_changes,
                                        uint32_t *ret_n);
void vt_watch_close(struct vt_watch *watch);
/* Applies changes to a table: the one function that in-process and remote followers share. */
VT_MUST_USE struct vt_err vt_change_apply(const struct vt_change *change,
                                          struct vt_item_table *table);

/* Customers that were erased since, or said no to being remembered: in any order, some perhaps
 * twice, at most `max`; `ret_more`: there are others. Iterates: on a thread that may block. */
enum { VT_FORGOTTEN_MAX = 20000 };
VT_MUST_USE struct vt_err vt_profile_list_forgotten(struct vt_profile *profile, int64_t since_ms,
                                                    uint32_t max, uint64_t *ret_numbers,
                                                    uint32_t *ret_n, bool *ret_more);

/* ---- for training and keeping ---- */
struct vt_logged_event {
    uint64_t sequence;
    uint64_t customer_number;
    struct vt_history_event event;
};
/* Every event of the log that may be learned from, in order of sequence, under the number that its
 * customer has today: neither noise nor what was erased, nor events of nobody, nor of customers who
 * have withdrawn consent since. Stops at the first error of `each`. Blocking. */
VT_MUST_USE struct vt_err
vt_profile_each_event(struct vt_profile *profile,
                      struct vt_err (*each)(void *ctx, const struct vt_logged_event *event),
                      void *ctx);
/* Which store this is, as 32 hex digits and a NUL; backups and what is restored from them keep it.
 * Zeros in a store for reading that an earlier version wrote. Any thread. */
enum { VT_STORE_ID_HEX_BYTES = 33 };
void vt_profile_store_id(const struct vt_profile *profile, char ret_hex[VT_STORE_ID_HEX_BYTES]);
/* The sequence of the last thing written, of all that readers see. Any thread. */
uint64_t vt_profile_sequence(struct vt_profile *profile);
/* The mark of what was acknowledged in a data folder, whoever holds it; 0: there is none.
 * VT_CORRUPT when it is damaged. */
VT_MUST_USE struct vt_err vt_profile_acknowledged(const char *data_dir, struct vt_diag *diag,
                                                  uint64_t *ret_sequence);
/* Marks a data folder that nobody has opened as acknowledged up to `sequence`: what is restored
 * must hold at least that. */
VT_MUST_USE struct vt_err vt_profile_set_acknowledged(const char *data_dir, uint64_t sequence,
                                                      struct vt_diag *diag);
/* A consistent copy beside, by hard links; `directory` must not exist. Blocking. */
VT_MUST_USE struct vt_err vt_profile_checkpoint(struct vt_profile *profile, const char *directory,
                                                struct vt_diag *diag, uint64_t *ret_sequence);

#endif
