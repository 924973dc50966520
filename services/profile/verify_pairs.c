/*
 * Rows that must agree with rows of another family. The walk has summed up both sides; where the
 * sums differ, each side's rows are looked up in the other, which costs a point read a row, to name
 * those that have no counterpart.
 */
#include "services/profile/event_block.h"
#include "services/profile/verify_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void vt__set_sum_add(struct vt__set_sum *sum, const void *bytes, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, len);
    sum->low += hash.low64;
    sum->high += hash.high64 + (sum->low < hash.low64 ? 1 : 0);
}

/* ---- log blocks and who is in them ---- */

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static uint32_t unique(uint64_t *numbers, uint32_t n)
{
    uint32_t kept = 0;
    qsort(numbers, n, sizeof numbers[0], compare_numbers);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || numbers[kept - 1] != numbers[i])
            numbers[kept++] = numbers[i];
    return kept;
}

struct vt_err vt__block_customers(struct vt_slice bytes,
                                  uint64_t ret_customers[VT__GROUP_EVENTS_MAX], uint32_t *ret_n)
{
    struct vt__block block = {0};
    struct vt__log_row row;
    bool more = false;
    uint32_t n = 0;
    struct vt_err err = vt__block_open(bytes, &block);
    while (!vt_failed(err) && !vt_failed(err = vt__block_next(&block, &row, &more)) && more)
        if (row.customer != 0)
            ret_customers[n++] = row.customer;
    vt__block_fini(&block);
    *ret_n = unique(ret_customers, n);
    return err;
}

void vt__pair_add_block(struct vt__verify *verify, struct vt__set_sum *sum, uint32_t day,
                        uint64_t first, const uint64_t *customers, uint32_t n)
{
    if (day < verify->oldest_day) /* retired: the list of its customer may be older than the log */
        return;
    for (uint32_t i = 0; i < n; i++) {
        if (!vt__is_somebody(verify, customers[i]))
            continue;
        const uint64_t said[3] = {customers[i], day, first};
        vt__set_sum_add(sum, said, sizeof said);
    }
}

struct vt_err vt__each_listed_block(struct vt_slice value, vt__block_fn each, void *ctx)
{
    struct vt__reader reader = vt__reader(value);
    uint64_t last = 0;
    VT_CHECK(vt__get_u8(&reader) == VT__RECORD_FORMAT, VT_CORRUPT, "a list of blocks is malformed");
    while (!reader.failed && reader.at != reader.end) {
        uint64_t first = vt__get_varint(&reader);
        if (!reader.failed && first != last)
            each(ctx, first);
        last = first;
    }
    VT_CHECK(!reader.failed, VT_CORRUPT, "a list of blocks is malformed");
    return vt_ok();
}

/* ---- looking up ---- */

/* A value of another family, copied into the row's arena; false: it is not there. */
static bool look_up(struct vt__verify *verify, enum vt__family family, struct vt__key key,
                    struct vt_slice *ret_value)
{
    struct vt_store_value value = {0};
    bool found = false;
    struct vt_err err =
        vt_store_get(verify->profile->store, family, vt__key_slice(&key), NULL, &value, &found);
    found = found && !vt_failed(err); /* damage is told by the walk of that family */
    if (found)
        *ret_value = vt_arena_copy(&verify->arena, value.bytes);
    if (verify->arena.exhausted)
        verify->failure = VT_ERR(VT_EXHAUSTED, "a row does not fit the memory of verify");
    vt_store_value_release(&value);
    return found;
}

static bool number_is(struct vt__verify *verify, enum vt__family family, struct vt__key key,
                      uint64_t expected)
{
    struct vt_slice value;
    uint64_t told = 0;
    return look_up(verify, family, key, &value) && !vt_failed(vt__number_decode(value, &told)) &&
           told == expected;
}

static struct vt__key raw_key(struct vt_slice bytes)
{
    struct vt__key key = {.len = 0};
    if (bytes.len <= sizeof key.bytes) {
        memcpy(key.bytes, bytes.data, bytes.len);
        key.len = (uint16_t)bytes.len;
    }
    return key;
}

static void item_has_sku(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    enum vt__item_state state;
    struct vt_item item;
    uint32_t n = 0;
    if (vt__parse_item(key, &n) &&
        !vt_failed(vt__item_decode(value, &verify->arena, &state, &item)) &&
        !number_is(verify, VT__ITEM_IDS, raw_key(item.id), n))
        vt__verify_tell(verify, vt__todo_report, "the SKU of item %u does not lead back to it", n);
}

static void sku_has_item(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    enum vt__item_state state;
    struct vt_item item = {0};
    struct vt_slice record;
    uint64_t n = 0;
    if (vt_failed(vt__number_decode(value, &n)))
        return; /* told by the walk */
    bool same = look_up(verify, VT__ITEMS, vt__key_item((uint32_t)n), &record) &&
                !vt_failed(vt__item_decode(record, &verify->arena, &state, &item)) &&
                vt_slice_equal(item.id, key);
    if (!same)
        vt__verify_tell(verify, vt__todo_report,
                        "a SKU leads to item %" PRIu64 ", which has another", n);
}

static void identity_is_listed(struct vt__verify *verify, struct vt_slice key,
                               struct vt_slice value)
{
    struct vt__identity identity;
    struct vt_slice listed;
    uint64_t customer = 0;
    if (vt__parse_identity(key, &identity) && !vt_failed(vt__number_decode(value, &customer)) &&
        !look_up(verify, VT__CUSTOMER_IDS, vt__key_customer_id(customer, &identity), &listed))
        vt__verify_tell(verify, vt__todo_report,
                        "an identity leads to customer %" PRIu64 ", and is not listed there",
                        customer);
}

static void listed_is_identity(struct vt__verify *verify, struct vt_slice key,
                               struct vt_slice value)
{
    struct vt__identity identity;
    uint64_t customer = 0;
    (void)value;
    if (vt__parse_customer_id(key, &customer, &identity) &&
        !number_is(verify, VT__IDENTITY, vt__key_identity(&identity), customer))
        vt__verify_tell(verify, vt__todo_report,
                        "an id is listed of customer %" PRIu64 ", and does not lead there",
                        customer);
}

static void alias_has_counterpart(struct vt__verify *verify, struct vt_slice key,
                                  struct vt_slice value)
{
    struct vt_slice back;
    uint64_t merged = 0, survivor = 0;
    if (vt__parse_customer(key, &merged)) {
        if (!vt_failed(vt__number_decode(value, &survivor)) &&
            !look_up(verify, VT__ALIAS, vt__key_merged(survivor, merged), &back))
            vt__verify_tell(verify, vt__todo_report,
                            "customer %" PRIu64 " became part of %" PRIu64
                            ", which does not know it",
                            merged, survivor);
    } else if (vt__parse_merged(key, &survivor, &merged) &&
               !number_is(verify, VT__ALIAS, vt__key_customer(merged), survivor)) {
        vt__verify_tell(verify, vt__todo_report,
                        "customer %" PRIu64 " lists %" PRIu64
                        " as part of it, which does not lead there",
                        survivor, merged);
    }
}

struct search {
    uint64_t wanted;
    bool found;
};

static void compare_block(void *ctx, uint64_t first)
{
    struct search *search = ctx;
    search->found = search->found || search->wanted == first;
}

static void block_is_listed(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    uint64_t first = 0;
    uint32_t day = 0, n = 0;
    uint64_t *customers = vt_arena_array(&verify->arena, VT__GROUP_EVENTS_MAX, sizeof customers[0]);
    if (customers == NULL || !vt__parse_block(key, &day, &first) ||
        vt_failed(vt__block_customers(value, customers, &n)))
        return; /* told by the walk */
    for (uint32_t i = 0; i < n; i++) {
        struct vt_slice list;
        struct search search = {.wanted = first};
        size_t used = verify->arena.used;
        if (look_up(verify, VT__CUSTOMER_EVENTS, vt__key_customer_day(customers[i], day), &list))
            vt_err_ignore(vt__each_listed_block(list, compare_block, &search), "told by the walk");
        verify->arena.used = used;
        if (!search.found && vt__is_somebody(verify, customers[i]))
            vt__verify_tell(verify, vt__todo_report,
                            "customer %" PRIu64 " is in the block of sequence %" PRIu64
                            ", which is not listed",
                            customers[i], first);
    }
}

struct listed {
    struct vt__verify *verify;
    uint64_t customer;
    uint32_t day;
};

static void check_listed(void *ctx, uint64_t first)
{
    const struct listed *listed = ctx;
    struct vt__verify *verify = listed->verify;
    struct vt_store_value value = {0};
    bool found = false;
    uint32_t n = 0;
    uint64_t *customers = vt_arena_array(&verify->arena, VT__GROUP_EVENTS_MAX, sizeof customers[0]);
    struct vt__key key = vt__key_block(listed->day, first);
    if (customers == NULL || listed->day < verify->oldest_day)
        return;
    struct vt_err err =
        vt_store_get(verify->profile->store, VT__EVENTS, vt__key_slice(&key), NULL, &value, &found);
    if (!vt_failed(err) && found)
        err = vt__block_customers(value.bytes, customers, &n);
    vt_store_value_release(&value);
    vt_arena_reset(&verify->arena);
    if (!vt_failed(err) && (n == 0 || bsearch(&listed->customer, customers, n, sizeof customers[0],
                                              compare_numbers) == NULL))
        vt__verify_tell(verify, vt__todo_report,
                        "the block of sequence %" PRIu64 " is listed of customer %" PRIu64
                        ", who is not in it",
                        first, listed->customer);
}

static void listed_is_in_block(struct vt__verify *verify, struct vt_slice key,
                               struct vt_slice value)
{
    struct listed listed = {.verify = verify};
    struct vt__reader reader = vt__reader(key);
    listed.customer = vt__get_u64(&reader);
    listed.day = vt__get_u32(&reader);
    if (vt__reader_done(&reader))
        vt_err_ignore(vt__each_listed_block(value, check_listed, &listed), "told by the walk");
}

/* ---- the pairs ---- */

static const struct {
    const char *name;
    struct {
        enum vt__family family;
        vt__verify_row_fn row;
    } sides[2];
} pairs[VT__PAIR_COUNT] = {
    [VT__PAIR_ITEMS] = {"items = item_ids",
                        {{VT__ITEMS, item_has_sku}, {VT__ITEM_IDS, sku_has_item}}},
    [VT__PAIR_IDS] = {"identity = customer_ids",
                      {{VT__IDENTITY, identity_is_listed}, {VT__CUSTOMER_IDS, listed_is_identity}}},
    [VT__PAIR_ALIASES] = {"alias = its way back", {{VT__ALIAS, alias_has_counterpart}, {0}}},
    [VT__PAIR_BLOCKS] = {"events = customer_events",
                         {{VT__EVENTS, block_is_listed},
                          {VT__CUSTOMER_EVENTS, listed_is_in_block}}},
};

void vt__verify_pairs(struct vt__verify *verify)
{
    for (unsigned i = 0; i < VT__PAIR_COUNT; i++) {
        const struct vt__set_sum *left = &verify->left[i], *right = &verify->right[i];
        bool equal = left->low == right->low && left->high == right->high;
        for (unsigned side = 0; side < 2 && !equal; side++)
            if (pairs[i].sides[side].row != NULL)
                vt__verify_walk(verify, pairs[i].name, pairs[i].sides[side].family,
                                pairs[i].sides[side].row);
    }
}
