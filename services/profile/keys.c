/*
 * Keys are built in the caller's memory: a write batch of a thousand events makes several thousand
 * of them, none of which may cost an allocation. External ids are checked for length at the door
 * (events.c, customers.c, items.c), so a key always fits.
 */
#include "services/profile/keys.h"

#include "services/common/base/err.h"
#include "services/profile/codec.h"

#include <string.h>
#include <xxhash.h>

enum { SHOWN = 'S' }; /* behind a customer: of the impressions beside the history */

static void add(struct vt__key *key, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        key->bytes[key->len++] = (unsigned char)(value >> (8 * (n_bytes - 1 - i)));
}

static void add_text(struct vt__key *key, struct vt_slice text)
{
    VT_ASSERT(text.len <= sizeof key->bytes - key->len);
    if (text.len != 0)
        memcpy(key->bytes + key->len, text.data, text.len);
    key->len = (uint16_t)(key->len + text.len);
}

uint64_t vt__key_rank(const struct vt__key *key)
{
    uint64_t rank = 0;
    for (unsigned i = 0; i < 8; i++)
        rank = rank << 8 | (i < key->len ? key->bytes[i] : 0);
    return rank;
}

struct vt__key vt__key_state(void)
{
    return (struct vt__key){.bytes = {'S'}, .len = 1};
}

struct vt__key vt__key_layout(void)
{
    return (struct vt__key){.bytes = {'L'}, .len = 1};
}

struct vt__key vt__key_name(enum vt__name_kind kind, struct vt_slice text)
{
    struct vt__key key = {.len = 0};
    add(&key, kind, 1);
    add_text(&key, text);
    return key;
}

static void add_identity(struct vt__key *key, const struct vt__identity *identity)
{
    add(key, identity->type, 1);
    add(key, identity->channel, 2);
    add_text(key, identity->id);
}

struct vt__key vt__key_identity(const struct vt__identity *identity)
{
    struct vt__key key = {.len = 0};
    add_identity(&key, identity);
    return key;
}

struct vt__key vt__key_customer(uint64_t customer)
{
    struct vt__key key = {.len = 0};
    add(&key, customer, 8);
    return key;
}

struct vt__key vt__key_shown(uint64_t customer)
{
    struct vt__key key = vt__key_customer(customer);
    add(&key, SHOWN, 1);
    return key;
}

struct vt__key vt__key_customer_id(uint64_t customer, const struct vt__identity *identity)
{
    struct vt__key key = vt__key_customer(customer);
    add_identity(&key, identity);
    return key;
}

struct vt__key vt__key_merged(uint64_t survivor, uint64_t merged)
{
    struct vt__key key = vt__key_customer(survivor);
    add(&key, merged, 8);
    return key;
}

struct vt__key vt__key_customer_day(uint64_t customer, uint32_t day)
{
    struct vt__key key = vt__key_customer(customer);
    add(&key, day, 4);
    return key;
}

struct vt__key vt__key_block(uint32_t day, uint64_t first_sequence)
{
    struct vt__key key = {.len = 0};
    add(&key, day, 4);
    add(&key, first_sequence, 8);
    return key;
}

struct vt__key vt__key_seen(struct vt_slice event_id)
{
    XXH128_hash_t hash = XXH3_128bits(event_id.data, event_id.len);
    struct vt__key key = {.len = 0};
    add(&key, hash.high64, 8);
    add(&key, hash.low64, 8);
    return key;
}

struct vt__key vt__key_item(uint32_t item)
{
    struct vt__key key = {.len = 0};
    add(&key, item, 4);
    return key;
}

struct vt__key vt__key_change(uint64_t sequence)
{
    return vt__key_customer(sequence);
}

struct vt__key vt__key_counter(enum vt__metric metric, uint64_t dimension, uint32_t hour)
{
    struct vt__key key = {.len = 0};
    add(&key, metric, 1);
    add(&key, dimension, 8);
    add(&key, hour, 4);
    return key;
}

struct vt__key vt__key_erased(unsigned kind, uint64_t customer)
{
    struct vt__key key = {.len = 0};
    add(&key, kind, 1);
    add(&key, customer, 8);
    return key;
}

/* ---- parsing ---- */

bool vt__parse_name(struct vt_slice key, enum vt__name_kind *ret_kind, struct vt_slice *ret_text)
{
    struct vt__reader reader = vt__reader(key);
    unsigned kind = vt__get_u8(&reader);
    if (reader.failed || kind != VT__NAME_CHANNEL || key.len - 1 > VT_ID_BYTES_MAX)
        return false;
    *ret_kind = (enum vt__name_kind)kind;
    *ret_text = vt_slice(key.data + 1, key.len - 1);
    return true;
}

static bool read_identity(struct vt__reader *reader, struct vt__identity *ret_identity)
{
    unsigned type = vt__get_u8(reader);
    uint16_t channel = vt__get_u16(reader);
    size_t len = (size_t)(reader->end - reader->at);
    if (reader->failed || type <= VT_IDENTITY_UNSPECIFIED || type >= VT_IDENTITY_TYPE_COUNT ||
        len == 0 || len > VT_ID_BYTES_MAX)
        return false;
    *ret_identity =
        (struct vt__identity){(enum vt_identity_type)type, channel, vt__get_bytes(reader, len)};
    return true;
}

bool vt__parse_identity(struct vt_slice key, struct vt__identity *ret_identity)
{
    struct vt__reader reader = vt__reader(key);
    return read_identity(&reader, ret_identity);
}

bool vt__parse_customer_id(struct vt_slice key, uint64_t *ret_customer,
                           struct vt__identity *ret_identity)
{
    struct vt__reader reader = vt__reader(key);
    uint64_t customer = vt__get_u64(&reader);
    if (!read_identity(&reader, ret_identity))
        return false;
    *ret_customer = customer;
    return true;
}

bool vt__parse_merged(struct vt_slice key, uint64_t *ret_survivor, uint64_t *ret_merged)
{
    struct vt__reader reader = vt__reader(key);
    uint64_t survivor = vt__get_u64(&reader), merged = vt__get_u64(&reader);
    if (!vt__reader_done(&reader))
        return false;
    *ret_survivor = survivor;
    *ret_merged = merged;
    return true;
}

bool vt__parse_customer(struct vt_slice key, uint64_t *ret_customer)
{
    struct vt__reader reader = vt__reader(key);
    uint64_t customer = vt__get_u64(&reader);
    if (!vt__reader_done(&reader))
        return false;
    *ret_customer = customer;
    return true;
}

bool vt__parse_history(struct vt_slice key, uint64_t *ret_customer, bool *ret_shown)
{
    struct vt__reader reader = vt__reader(key);
    uint64_t customer = vt__get_u64(&reader);
    bool shown = key.len == 9;
    if ((shown && vt__get_u8(&reader) != SHOWN) || !vt__reader_done(&reader))
        return false;
    *ret_customer = customer;
    *ret_shown = shown;
    return true;
}

bool vt__parse_block(struct vt_slice key, uint32_t *ret_day, uint64_t *ret_first_sequence)
{
    struct vt__reader reader = vt__reader(key);
    uint32_t day = vt__get_u32(&reader);
    uint64_t first = vt__get_u64(&reader);
    if (!vt__reader_done(&reader))
        return false;
    *ret_day = day;
    *ret_first_sequence = first;
    return true;
}

bool vt__parse_item(struct vt_slice key, uint32_t *ret_item)
{
    struct vt__reader reader = vt__reader(key);
    uint32_t item = vt__get_u32(&reader);
    if (!vt__reader_done(&reader))
        return false;
    *ret_item = item;
    return true;
}

bool vt__parse_change(struct vt_slice key, uint64_t *ret_sequence)
{
    return vt__parse_customer(key, ret_sequence);
}

bool vt__parse_counter(struct vt_slice key, enum vt__metric *ret_metric, uint64_t *ret_dimension,
                       uint32_t *ret_hour)
{
    struct vt__reader reader = vt__reader(key);
    unsigned metric = vt__get_u8(&reader);
    uint64_t dimension = vt__get_u64(&reader);
    uint32_t hour = vt__get_u32(&reader);
    if (!vt__reader_done(&reader))
        return false;
    *ret_metric = (enum vt__metric)metric;
    *ret_dimension = dimension;
    *ret_hour = hour;
    return true;
}

bool vt__parse_customer_day(struct vt_slice key, uint64_t *ret_customer, uint32_t *ret_day)
{
    struct vt__reader reader = vt__reader(key);
    uint64_t customer = vt__get_u64(&reader);
    uint32_t day = vt__get_u32(&reader);
    if (!vt__reader_done(&reader))
        return false;
    *ret_customer = customer;
    *ret_day = day;
    return true;
}

bool vt__parse_erased(struct vt_slice key, enum vt__erased_kind *ret_kind, uint64_t *ret_customer)
{
    struct vt__reader reader = vt__reader(key);
    unsigned kind = vt__get_u8(&reader);
    uint64_t customer = vt__get_u64(&reader);
    if (!vt__reader_done(&reader) ||
        (kind != VT__ERASED_PENDING && kind != VT__ERASED_DONE && kind != VT__WITHDRAWN))
        return false;
    *ret_kind = (enum vt__erased_kind)kind;
    *ret_customer = customer;
    return true;
}
