#ifndef VT_BASE_EVENT_H
#define VT_BASE_EVENT_H

#include "services/common/base/identity.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers equal vitrine.v1.EventType and are part of the format on disk: never renumber. */
enum vt_event_type {
    VT_EVENT_UNSPECIFIED = 0,
    VT_EVENT_IMPRESSION = 1,
    VT_EVENT_CLICK = 2,
    VT_EVENT_VIEW = 3,
    VT_EVENT_SEARCH = 4,
    VT_EVENT_FAVOURITE = 5,
    VT_EVENT_LIKE = 6,
    VT_EVENT_DISLIKE = 7,
    VT_EVENT_RATING = 8,
    VT_EVENT_COMMENT = 9,
    VT_EVENT_SHARE = 10,
    VT_EVENT_CART = 11,
    VT_EVENT_CART_REMOVE = 12,
    VT_EVENT_RESERVATION = 13,
    VT_EVENT_ORDER = 14,
    VT_EVENT_PURCHASE = 15,
    VT_EVENT_RETURN = 16,
    VT_EVENT_CUSTOM = 17,
    VT_EVENT_TYPE_COUNT
};

/* Limits of the contract, checked by wire, domain and importer alike. */
enum {
    VT_ID_BYTES_MAX = 128,
    VT_TEXT_BYTES_MAX = 1024,
    VT_HISTORY_MAX = 200, /* events kept per customer unless configured */
    VT_EVENT_BATCH_MAX = 1000,
    VT_EVENT_FUTURE_MS = 24 * 60 * 60 * 1000, /* how far ahead of our clock an event may be */
    VT_EVENT_AHEAD_MS = 5 * 60 * 1000,        /* further ahead, it is kept at our own time */
};
#define VT_AMOUNT_MAX 1e12 /* price, revenue, quantity …: sums stay finite, floats hold it */
#define VT_EVENT_TIME_MIN_MS INT64_C(946684800000) /* 2000-01-01 */

/* "purchase", "cart_remove" …; NULL outside the enum. The names of files and flags. */
const char *vt_event_type_name(unsigned type);
/* VT_EVENT_UNSPECIFIED when no type has that name. */
enum vt_event_type vt_event_type_parse(struct vt_slice name);
/* How much an event of the type says by default, for training and fold-in; negative: show less. */
float vt_event_type_default_weight(unsigned type);

/* A rating of at most so many stars is a dislike: low on a scale of 5 as on one of 10. */
#define VT_RATING_LOW 2.0f
/* What somebody who did this thinks of the item: below 0 for a dislike and a low rating, above 0
 * for a like, a favourite and a higher rating, 0 for what is behaviour and no opinion. Of a
 * person's opinions of an item the newest stands; behaviour does not change it. */
int vt_event_opinion(unsigned type, float value);

/* An event of a history: what models need of it. */
struct vt_history_event {
    uint32_t item;    /* item number */
    uint16_t type;    /* enum vt_event_type */
    uint16_t channel; /* channel number of the store, 0 unknown */
    float value;      /* quantity of purchases and returns, stars of ratings, otherwise what the
                         storefront sent; 1 where it sent none */
    int64_t time_ms;  /* Unix */
};

/* What came of an answer: an event that carried its attribution token. */
struct vt_outcome {
    struct vt_history_event event; /* item 0: of none (a search) */
    uint64_t sequence;             /* of the event log */
    double quantity, revenue;
    char currency[4]; /* NUL-terminated; empty when not told */
};

/* An event as outside systems tell it. Texts are borrowed. */
struct vt_event {
    struct vt_slice event_id;
    enum vt_event_type type;
    struct vt_slice customer_id, visitor_id, item_id, channel, currency_code, query;
    struct vt_slice attribution_token;
    struct vt_identity identity; /* who, where neither customer_id nor visitor_id is given */
    int64_t time_ms;
    double quantity, revenue, cost, value;
    bool bot; /* the sender says that a program did it */
};

#endif
