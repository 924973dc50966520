#ifndef VT_PROFILE_KEYS_H
#define VT_PROFILE_KEYS_H

#include "services/common/base/event.h"
#include "services/common/base/identity.h"
#include "services/common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* clang-format off: a table */
/*
 * Every key of the live store, and only here. Numbers are big-endian, so that keys sort as numbers.
 *
 * family           key                                               value (records.h)
 * state            'S'                                               how far numbering has come
 *                  'L'                                               layout (layout.h)
 * names            kind u8, text                                     number (channels)
 * identity         type u8, channel u16 (0: any), external id        customer number
 * profile          customer u64                                      consent, attributes, times
 * history          customer u64                                      newest events (history.h)
 *                  customer u64, 'S'                                 newest impressions, the same
 * customer_ids     customer u64, type u8, channel u16, external id   time of linking
 * customer_events  customer u64, day u32                             sequences of log blocks
 * alias            merged customer u64                               surviving customer
 *                  surviving customer u64, merged customer u64       time of merging
 * events           day u32, first sequence u64                       log block (event_block.h)
 * seen             XXH3-128 of the event id, 16 bytes                sequence, time of acceptance
 * item_ids         SKU                                               item number
 * items            item u32                                          state, SKU, entry
 * changes          sequence u64                                      kind, item
 * counters         metric u8, dimension u64, hour u32 (0: always)    sum
 * erased           'P' u8, customer u64                              time of the request: still in
 * the log 'Q' u8, customer u64                              time of completion
 *
 * `day` is the day of acceptance (Unix days), never falling, so that the log is in order of
 * sequence by key and its retention is one range delete.
 */
/* clang-format on */
enum vt__family {
    VT__STATE,
    VT__NAMES,
    VT__IDENTITY,
    VT__PROFILE,
    VT__HISTORY,
    VT__CUSTOMER_IDS,
    VT__CUSTOMER_EVENTS,
    VT__ALIAS,
    VT__EVENTS,
    VT__SEEN,
    VT__ITEM_IDS,
    VT__ITEMS,
    VT__CHANGES,
    VT__COUNTERS,
    VT__ERASED,
    VT__FAMILY_COUNT
};

enum vt__name_kind { VT__NAME_CHANNEL = 1 };
enum vt__metric {
    VT__METRIC_ITEM_WEIGHT = 1, /* dimension: item; thousandths of event weight, of all time */
    VT__METRIC_EVENTS = 2,      /* dimension: type << 16 | channel; events by hour */
};

enum vt__erased_kind { VT__ERASED_PENDING = 'P', VT__ERASED_DONE = 'Q', VT__WITHDRAWN = 'W' };

enum { VT__KEY_BYTES_MAX = 8 + 3 + VT_ID_BYTES_MAX };

/* A key in the caller's memory. */
struct vt__key {
    unsigned char bytes[VT__KEY_BYTES_MAX];
    uint16_t len;
};

/* Borrowed from `key`. */
static inline struct vt_slice vt__key_slice(const struct vt__key *key)
{
    return vt_slice(key->bytes, key->len);
}

/* The key's first 8 bytes, zeros behind its end, as a number that sorts as they do. */
uint64_t vt__key_rank(const struct vt__key *key);

/* How somebody is called outside. */
struct vt__identity {
    enum vt_identity_type type;
    uint16_t channel;   /* that the id belongs to; 0: all */
    struct vt_slice id; /* borrowed */
};

/* One maker per family. Texts are at most VT_ID_BYTES_MAX long: checked on their way in. */
struct vt__key vt__key_state(void);
struct vt__key vt__key_layout(void);
struct vt__key vt__key_name(enum vt__name_kind kind, struct vt_slice text);
struct vt__key vt__key_identity(const struct vt__identity *identity);
struct vt__key vt__key_customer(uint64_t customer); /* profile, history, alias */
struct vt__key vt__key_shown(uint64_t customer);    /* history */
struct vt__key vt__key_customer_id(uint64_t customer, const struct vt__identity *identity);
struct vt__key vt__key_merged(uint64_t survivor, uint64_t merged);
struct vt__key vt__key_customer_day(uint64_t customer, uint32_t day);
struct vt__key vt__key_block(uint32_t day, uint64_t first_sequence);
struct vt__key vt__key_seen(struct vt_slice event_id);
struct vt__key vt__key_item(uint32_t item);
struct vt__key vt__key_change(uint64_t sequence);
struct vt__key vt__key_counter(enum vt__metric metric, uint64_t dimension, uint32_t hour);
struct vt__key vt__key_erased(unsigned kind, uint64_t customer);

/* False when the bytes are no such key. Texts are borrowed from `key`. */
bool vt__parse_name(struct vt_slice key, enum vt__name_kind *ret_kind, struct vt_slice *ret_text);
bool vt__parse_identity(struct vt_slice key, struct vt__identity *ret_identity);
bool vt__parse_customer(struct vt_slice key, uint64_t *ret_customer);
/* Either key of the family history. */
bool vt__parse_history(struct vt_slice key, uint64_t *ret_customer, bool *ret_shown);
bool vt__parse_customer_id(struct vt_slice key, uint64_t *ret_customer,
                           struct vt__identity *ret_identity);
bool vt__parse_merged(struct vt_slice key, uint64_t *ret_survivor, uint64_t *ret_merged);
bool vt__parse_block(struct vt_slice key, uint32_t *ret_day, uint64_t *ret_first_sequence);
bool vt__parse_item(struct vt_slice key, uint32_t *ret_item);
bool vt__parse_change(struct vt_slice key, uint64_t *ret_sequence);
bool vt__parse_counter(struct vt_slice key, enum vt__metric *ret_metric, uint64_t *ret_dimension,
                       uint32_t *ret_hour);
bool vt__parse_customer_day(struct vt_slice key, uint64_t *ret_customer, uint32_t *ret_day);
bool vt__parse_erased(struct vt_slice key, enum vt__erased_kind *ret_kind, uint64_t *ret_customer);

#endif
