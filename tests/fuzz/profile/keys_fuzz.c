/*
 * Any bytes, as each kind of key of the live store. What a parser takes, the maker of that kind has
 * to make again, byte for byte: no two keys read as one. The cases keep their places: corpus files
 * begin with one.
 */
#include "services/profile/keys.h"
#include "tests/testlib/fuzz.h"

static bool name_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    enum vt__name_kind kind;
    struct vt_slice text;
    if (!vt__parse_name(bytes, &kind, &text))
        return false;
    vt_fuzz_read(&text, 1);
    *ret_key = vt__key_name(kind, text);
    return true;
}

static bool identity_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    struct vt__identity identity;
    if (!vt__parse_identity(bytes, &identity))
        return false;
    vt_fuzz_expect(identity.id.len >= 1 && identity.id.len <= VT_ID_BYTES_MAX);
    *ret_key = vt__key_identity(&identity);
    return true;
}

static bool customer_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint64_t customer;
    if (!vt__parse_customer(bytes, &customer))
        return false;
    *ret_key = vt__key_customer(customer);
    return true;
}

static bool history_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint64_t customer;
    bool shown;
    if (!vt__parse_history(bytes, &customer, &shown))
        return false;
    *ret_key = shown ? vt__key_shown(customer) : vt__key_customer(customer);
    return true;
}

static bool customer_id_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint64_t customer;
    struct vt__identity identity;
    if (!vt__parse_customer_id(bytes, &customer, &identity))
        return false;
    *ret_key = vt__key_customer_id(customer, &identity);
    return true;
}

static bool merged_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint64_t survivor, merged;
    if (!vt__parse_merged(bytes, &survivor, &merged))
        return false;
    vt_fuzz_expect(!vt__parse_customer(bytes, &survivor)); /* the family holds both kinds */
    *ret_key = vt__key_merged(survivor, merged);
    return true;
}

static bool block_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint32_t day;
    uint64_t first;
    if (!vt__parse_block(bytes, &day, &first))
        return false;
    *ret_key = vt__key_block(day, first);
    return true;
}

static bool item_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint32_t item;
    if (!vt__parse_item(bytes, &item))
        return false;
    *ret_key = vt__key_item(item);
    return true;
}

static bool change_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint64_t sequence;
    if (!vt__parse_change(bytes, &sequence))
        return false;
    *ret_key = vt__key_change(sequence);
    return true;
}

static bool counter_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    enum vt__metric metric;
    uint64_t dimension;
    uint32_t hour;
    if (!vt__parse_counter(bytes, &metric, &dimension, &hour))
        return false;
    *ret_key = vt__key_counter(metric, dimension, hour);
    return true;
}

static bool customer_day_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    uint64_t customer;
    uint32_t day;
    if (!vt__parse_customer_day(bytes, &customer, &day))
        return false;
    *ret_key = vt__key_customer_day(customer, day);
    return true;
}

static bool erased_again(struct vt_slice bytes, struct vt__key *ret_key)
{
    enum vt__erased_kind kind;
    uint64_t customer;
    if (!vt__parse_erased(bytes, &kind, &customer))
        return false;
    *ret_key = vt__key_erased(kind, customer);
    return true;
}

/* Each: false when the bytes are no such key, otherwise the key that its maker makes. */
static bool (*const again[])(struct vt_slice bytes, struct vt__key *ret_key) = {
    name_again, identity_again, customer_again, customer_id_again,  merged_again, block_again,
    item_again, change_again,   counter_again,  customer_day_again, erased_again, history_again,
};
enum { N_KINDS = sizeof again / sizeof again[0] };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt__key key;
    if (size == 0)
        return 0;
    struct vt_slice bytes = vt_slice(data + 1, size - 1);
    if (again[data[0] % N_KINDS](bytes, &key))
        vt_fuzz_expect(vt_slice_equal(vt__key_slice(&key), bytes));
    return 0;
}
