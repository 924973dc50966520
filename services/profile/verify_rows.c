/*
 * What must hold for a row of each family, as verify walks by. A family that is not in the table at
 * the end is only read: its blocks are checked, its rows are not judged.
 */
#include "services/profile/event_block.h"
#include "services/profile/history.h"
#include "services/profile/verify_internal.h"

#include <inttypes.h>
#include <string.h>

static bool decoded(struct vt__verify *verify, struct vt_err err, const char *whose, uint64_t n)
{
    if (err.code == VT_EXHAUSTED)
        verify->failure = err;
    else if (vt_failed(err))
        vt__verify_tell(verify, vt__todo_restore, "%s %" PRIu64 ": the value is malformed", whose,
                        n);
    return !vt_failed(err);
}

static void tell_key(struct vt__verify *verify)
{
    vt__verify_tell(verify, vt__todo_restore, "row %" PRIu64 ": the key is malformed",
                    verify->check->rows);
}

static void want_item(struct vt__verify *verify, uint64_t item, const char *whose, uint64_t n)
{
    if (!vt__bits_has(&verify->items, item))
        vt__verify_tell(verify, vt__todo_report,
                        "%s %" PRIu64 " names item %" PRIu64 ", which does not exist", whose, n,
                        item);
}

static void want_customer(struct vt__verify *verify, uint64_t customer, const char *whose)
{
    if (!vt__bits_has(&verify->customers, customer))
        vt__verify_tell(verify, vt__todo_report, "%s customer %" PRIu64 ", who has no record",
                        whose, customer);
}

static void want_channel(struct vt__verify *verify, uint64_t channel, const char *whose, uint64_t n)
{
    if (channel != 0 && !vt__bits_has(&verify->channels, channel))
        vt__verify_tell(verify, vt__todo_report,
                        "%s %" PRIu64 " names channel %" PRIu64 ", which has no name", whose, n,
                        channel);
}

/* ---- what is referred to ---- */

static void name_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    enum vt__name_kind kind;
    struct vt_slice text;
    uint64_t channel = 0;
    if (!vt__parse_name(key, &kind, &text)) {
        tell_key(verify);
        return;
    }
    if (!decoded(verify, vt__number_decode(value, &channel), "name in row", verify->check->rows))
        return;
    if (channel == 0 || channel >= verify->channels.end || vt__bits_has(&verify->channels, channel))
        vt__verify_tell(verify, vt__todo_report,
                        "channel %" PRIu64 " is named twice or was never given", channel);
    vt__bits_set(&verify->channels, channel);
}

static void item_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    enum vt__item_state state;
    struct vt_item item;
    uint32_t n = 0;
    if (!vt__parse_item(key, &n)) {
        tell_key(verify);
        return;
    }
    if (n == 0 || n >= verify->items.end)
        vt__verify_tell(verify, vt__todo_report, "item %u has a number that was never given", n);
    vt__bits_set(&verify->items, n);
    if (!decoded(verify, vt__item_decode(value, &verify->arena, &state, &item), "item", n))
        return;
    struct vt__set_sum *sum = &verify->left[VT__PAIR_ITEMS];
    struct vt_slice said =
        vt_arena_printf(&verify->arena, "%u %.*s", n, (int)item.id.len, item.id.data);
    vt__set_sum_add(sum, said.data, said.len);
}

static void alias_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    uint64_t pair[2] = {0}; /* merged, survivor */
    uint64_t told = 0;
    bool forward = vt__parse_customer(key, &pair[0]);
    if (!forward && !vt__parse_merged(key, &pair[1], &pair[0])) {
        tell_key(verify);
        return;
    }
    if (!decoded(verify, vt__number_decode(value, &told), "alias of customer", pair[0]))
        return;
    if (forward)
        pair[1] = told;
    if (pair[0] == 0 || pair[0] >= verify->merged.end)
        vt__verify_tell(verify, vt__todo_report, "merged customer %" PRIu64 " was never given",
                        pair[0]);
    vt__bits_set(&verify->merged, pair[0]);
    vt__set_sum_add(forward ? &verify->left[VT__PAIR_ALIASES] : &verify->right[VT__PAIR_ALIASES],
                    pair, sizeof pair);
}

static void profile_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    struct vt__customer_record record;
    uint64_t customer = 0;
    if (!vt__parse_customer(key, &customer)) {
        tell_key(verify);
        return;
    }
    if (customer == 0 || customer >= verify->customers.end)
        vt__verify_tell(verify, vt__todo_report,
                        "customer %" PRIu64 " has a number that was never given", customer);
    if (vt__bits_has(&verify->merged, customer))
        vt__verify_tell(verify, vt__todo_report, "customer %" PRIu64 " has a record and was merged",
                        customer);
    vt__bits_set(&verify->customers, customer);
    struct vt_err err = vt__customer_decode(value, &verify->arena, &record);
    if (decoded(verify, err, "customer", customer) && record.customer.consent == 2)
        vt__bits_set(&verify->denied, customer);
}

/* ---- the log ---- */

static void log_row(struct vt__verify *verify, const struct vt__log_row *row, uint64_t sequence)
{
    vt__bits_set(&verify->sequences, sequence);
    if (row->event.type == 0 && (row->customer != 0 || row->event.item != 0))
        vt__verify_tell(verify, vt__todo_report,
                        "event %" PRIu64 " is erased and still says something", sequence);
    if (row->customer >= verify->customers.end)
        vt__verify_tell(verify, vt__todo_report,
                        "event %" PRIu64 " is of customer %" PRIu64 ", never given", sequence,
                        row->customer);
    if (row->event.item != 0)
        want_item(verify, row->event.item, "event", sequence);
    want_channel(verify, row->event.channel, "event", sequence);
}

static struct vt_err log_rows(struct vt__verify *verify, struct vt_slice value, uint64_t first,
                              uint32_t *ret_n)
{
    struct vt__block block = {0};
    struct vt__log_row row;
    bool more = false;
    struct vt_err err = vt__block_open(value, &block);
    for (uint64_t i = 0; !vt_failed(err); i++) {
        err = vt__block_next(&block, &row, &more);
        if (vt_failed(err) || !more)
            break;
        log_row(verify, &row, first + i);
    }
    *ret_n = block.n_rows;
    vt__block_fini(&block);
    return err;
}

static void order_of_block(struct vt__verify *verify, uint64_t first, uint32_t n)
{
    uint64_t last = first + n - 1;
    if (first <= verify->last_sequence)
        vt__verify_tell(verify, vt__todo_report,
                        "the block of sequence %" PRIu64
                        " begins within the one before, up to %" PRIu64,
                        first, verify->last_sequence);
    if (last > verify->profile->state.sequence)
        vt__verify_tell(verify, vt__todo_report,
                        "the block of sequence %" PRIu64 " ends at %" PRIu64
                        ", behind the store's %" PRIu64,
                        first, last, verify->profile->state.sequence);
    verify->last_sequence = last;
}

static void block_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    uint64_t first = 0, *customers = NULL;
    uint32_t day = 0, n = 0;
    if (!vt__parse_block(key, &day, &first)) {
        tell_key(verify);
        return;
    }
    if (!decoded(verify, log_rows(verify, value, first, &n), "log block", first))
        return;
    order_of_block(verify, first, n);
    customers = vt_arena_array(&verify->arena, VT__GROUP_EVENTS_MAX, sizeof *customers);
    VT_ASSERT(customers != NULL); /* the arena is of one row, and larger */
    if (decoded(verify, vt__block_customers(value, customers, &n), "log block", first))
        vt__pair_add_block(verify, &verify->left[VT__PAIR_BLOCKS], day, first, customers, n);
}

/* ---- what refers ---- */

static void identity_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    struct vt__identity identity;
    uint64_t customer = 0;
    if (!vt__parse_identity(key, &identity)) {
        tell_key(verify);
        return;
    }
    if (!decoded(verify, vt__number_decode(value, &customer), "identity in row",
                 verify->check->rows))
        return;
    want_customer(verify, customer, "an identity leads to");
    want_channel(verify, identity.channel, "an identity of customer", customer);
    struct vt__key said = vt__key_customer_id(customer, &identity);
    vt__set_sum_add(&verify->left[VT__PAIR_IDS], said.bytes, said.len);
}

static void customer_id_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    struct vt__identity identity;
    uint64_t customer = 0, time_ms = 0;
    if (!vt__parse_customer_id(key, &customer, &identity)) {
        tell_key(verify);
        return;
    }
    if (!decoded(verify, vt__number_decode(value, &time_ms), "an id of customer", customer))
        return;
    want_customer(verify, customer, "an id is listed of");
    vt__set_sum_add(&verify->right[VT__PAIR_IDS], key.data, key.len);
}

static void item_id_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    uint64_t item = 0;
    if (!decoded(verify, vt__number_decode(value, &item), "SKU in row", verify->check->rows))
        return;
    want_item(verify, item, "SKU in row", verify->check->rows);
    struct vt_slice said =
        vt_arena_printf(&verify->arena, "%" PRIu64 " %.*s", item, (int)key.len, key.data);
    vt__set_sum_add(&verify->right[VT__PAIR_ITEMS], said.data, said.len);
}

static void history_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    struct vt_history_event events[VT__HISTORY_LIMIT];
    uint64_t customer = 0;
    size_t n = 0;
    bool shown = false;
    if (!vt__parse_history(key, &customer, &shown)) {
        tell_key(verify);
        return;
    }
    if (!vt__history_count(value, &n) || n > VT__HISTORY_LIMIT) {
        vt__verify_tell(verify, vt__todo_restore,
                        "the history of customer %" PRIu64 " is malformed", customer);
        return;
    }
    want_customer(verify, customer, "a history is of");
    if (vt__bits_has(&verify->denied, customer))
        vt__verify_tell(verify, vt__todo_report,
                        "customer %" PRIu64 " denied consent and still has a history", customer);
    vt__history_unpack(value, events, n);
    for (size_t i = 0; i < n; i++) {
        want_item(verify, events[i].item, "the history of customer", customer);
        if (i != 0 && vt__history_compare(&events[i - 1], &events[i]) >= 0)
            vt__verify_tell(verify, vt__todo_report,
                            "the history of customer %" PRIu64 " is not in order", customer);
        if (shown != (events[i].type == VT_EVENT_IMPRESSION))
            vt__verify_tell(verify, vt__todo_report,
                            "what was shown to customer %" PRIu64 " is mixed with its history",
                            customer);
    }
}

struct listed {
    struct vt__verify *verify;
    uint64_t customer;
    uint32_t day;
};

static void add_listed(void *ctx, uint64_t first)
{
    const struct listed *listed = ctx;
    vt__pair_add_block(listed->verify, &listed->verify->right[VT__PAIR_BLOCKS], listed->day, first,
                       &listed->customer, 1);
}

static void customer_events_row(struct vt__verify *verify, struct vt_slice key,
                                struct vt_slice value)
{
    struct listed listed = {.verify = verify};
    struct vt__reader reader = vt__reader(key);
    listed.customer = vt__get_u64(&reader);
    listed.day = vt__get_u32(&reader);
    if (!vt__reader_done(&reader)) {
        tell_key(verify);
        return;
    }
    if (listed.customer == 0 || listed.customer >= verify->customers.end)
        vt__verify_tell(verify, vt__todo_report,
                        "events are listed of customer %" PRIu64 ", never given", listed.customer);
    decoded(verify, vt__each_listed_block(value, add_listed, &listed), "the events of customer",
            listed.customer);
}

static void seen_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    struct vt__seen seen;
    if (key.len != 16) {
        tell_key(verify);
        return;
    }
    if (!decoded(verify, vt__seen_decode(value, &seen), "accepted id in row", verify->check->rows))
        return;
    if (seen.sequence == 0 || seen.sequence > verify->profile->state.sequence)
        vt__verify_tell(verify, vt__todo_report,
                        "an id was accepted as event %" PRIu64 ", never written", seen.sequence);
    else if (seen.sequence >= verify->sequences.first &&
             !vt__bits_has(&verify->sequences, seen.sequence))
        vt__verify_tell(verify, vt__todo_report,
                        "event %" PRIu64 " was accepted and is not in the log", seen.sequence);
}

static void change_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    struct vt__change_record change;
    uint64_t sequence = 0;
    if (!vt__parse_change(key, &sequence)) {
        tell_key(verify);
        return;
    }
    if (sequence == 0 || sequence > verify->profile->state.sequence)
        vt__verify_tell(verify, vt__todo_report,
                        "change %" PRIu64 " is behind the store's last sequence", sequence);
    if (decoded(verify, vt__change_decode(value, &change), "change", sequence))
        want_item(verify, change.item, "change", sequence);
}

static void counter_row(struct vt__verify *verify, struct vt_slice key, struct vt_slice value)
{
    enum vt__metric metric;
    uint64_t dimension = 0;
    uint32_t hour = 0;
    int64_t sum = 0;
    if (!vt__parse_counter(key, &metric, &dimension, &hour)) {
        tell_key(verify);
        return;
    }
    if (decoded(verify, vt__counter_decode(value, &sum), "counter of", dimension) &&
        metric == VT__METRIC_ITEM_WEIGHT)
        want_item(verify, dimension, "counter in row", verify->check->rows);
}

static const vt__verify_row_fn row_checks[VT__FAMILY_COUNT] = {
    [VT__NAMES] = name_row,
    [VT__IDENTITY] = identity_row,
    [VT__PROFILE] = profile_row,
    [VT__HISTORY] = history_row,
    [VT__CUSTOMER_IDS] = customer_id_row,
    [VT__CUSTOMER_EVENTS] = customer_events_row,
    [VT__ALIAS] = alias_row,
    [VT__EVENTS] = block_row,
    [VT__SEEN] = seen_row,
    [VT__ITEM_IDS] = item_id_row,
    [VT__ITEMS] = item_row,
    [VT__CHANGES] = change_row,
    [VT__COUNTERS] = counter_row,
};

vt__verify_row_fn vt__verify_row_of(enum vt__family family)
{
    return row_checks[family];
}
