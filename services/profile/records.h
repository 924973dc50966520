#ifndef VT_PROFILE_RECORDS_H
#define VT_PROFILE_RECORDS_H

#include "services/common/base/arena.h"
#include "services/common/base/err.h"
#include "services/profile/codec.h"
#include "services/profile/keys.h"
#include "services/profile/profile.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Values of the live store, except histories and log blocks. Each begins with a format byte;
 * records of entries are tagged fields, of which a reader skips those it does not know. Encoders
 * append to a buffer; decoders return VT_CORRUPT for anything else than what an encoder makes.
 */
enum { VT__RECORD_FORMAT = 1 };

/* Numbering: what the next of each kind is, and how far the store has come. */
struct vt__state {
    uint64_t sequence; /* of the last thing written */
    uint64_t next_customer;
    uint32_t next_item;
    uint16_t next_channel;
    uint32_t day; /* of the last log block */
};
void vt__state_encode(const struct vt__state *state, struct vt__buffer *buffer);
VT_MUST_USE struct vt_err vt__state_decode(struct vt_slice bytes, struct vt__state *ret_state);

/* A lone number: identity → customer, SKU → item, channel name → channel. */
void vt__number_encode(uint64_t number, struct vt__buffer *buffer);
VT_MUST_USE struct vt_err vt__number_decode(struct vt_slice bytes, uint64_t *ret_number);

struct vt__seen {
    uint64_t sequence;
    int64_t time_ms; /* of acceptance */
};
void vt__seen_encode(const struct vt__seen *seen, struct vt__buffer *buffer);
VT_MUST_USE struct vt_err vt__seen_decode(struct vt_slice bytes, struct vt__seen *ret_seen);

/* The time of an erasure's request or completion. */
void vt__erased_encode(int64_t time_ms, struct vt__buffer *buffer);
VT_MUST_USE struct vt_err vt__erased_decode(struct vt_slice bytes, int64_t *ret_time_ms);

struct vt__customer_record {
    struct vt_customer customer; /* id: of the identity that was told first */
    enum vt_identity_type type;  /* of that identity */
    /* Where consent last ended or began again: nobody learns from log rows up to here. 0: never. */
    uint64_t withdrawn_sequence;
};
void vt__customer_encode(const struct vt__customer_record *record, struct vt__buffer *buffer);
/* Texts are copied into the arena. */
VT_MUST_USE struct vt_err vt__customer_decode(struct vt_slice bytes, struct vt_arena *arena,
                                              struct vt__customer_record *ret_record);

enum vt__item_state { VT__ITEM_MENTIONED = 1, VT__ITEM_DESCRIBED = 2, VT__ITEM_DELETED = 3 };
/* Of a mentioned or deleted item only the SKU is kept. The number is in the key. */
void vt__item_encode(enum vt__item_state state, const struct vt_item *item,
                     struct vt__buffer *buffer);
/* Texts are copied into the arena. */
VT_MUST_USE struct vt_err vt__item_decode(struct vt_slice bytes, struct vt_arena *arena,
                                          enum vt__item_state *ret_state, struct vt_item *ret_item);

struct vt__change_record {
    enum vt_change_kind kind; /* UPSERT, DELETE or MENTION */
    uint32_t item;
};
void vt__change_encode(const struct vt__change_record *change, struct vt__buffer *buffer);
VT_MUST_USE struct vt_err vt__change_decode(struct vt_slice bytes,
                                            struct vt__change_record *ret_change);

/* A sum; operands add. vt_store_merge's fold. */
void vt__counter_encode(int64_t sum, struct vt__buffer *buffer);
VT_MUST_USE struct vt_err vt__counter_decode(struct vt_slice bytes, int64_t *ret_sum);
bool vt__counter_fold(const void *state, const struct vt_slice *values, size_t n_values,
                      char **ret_value, size_t *ret_len);

/* Sequences of log blocks; operands append. vt_store_merge's fold. */
void vt__block_list_encode(uint64_t first_sequence, struct vt__buffer *buffer);
/* The next sequence of a list; *offset is 0 at first. False behind the last, where *offset is the
 * list's length, and where the list is malformed. */
bool vt__block_list_next(struct vt_slice list, size_t *offset, uint64_t *ret_first_sequence);
bool vt__block_list_fold(const void *state, const struct vt_slice *values, size_t n_values,
                         char **ret_value, size_t *ret_len);

#endif
