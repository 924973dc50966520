/*
 * Two customers turn out to be one person. Rows that say what holds today move to the survivor:
 * identities, the record, the history by its merge operator. Rows that say what was recorded when
 * stay where they are (log, seen, customer_events); the alias rows lead from their numbers to the
 * survivor, always in one step. Counters count events, not persons: nothing changes in them.
 */
#include "services/profile/merge.h"

#include "services/profile/alias.h"
#include "services/profile/who.h"

/* ---- reading ---- */

static struct vt_err count_identity(void *ctx, const struct vt__identity *identity, int64_t time_ms)
{
    (void)identity;
    (void)time_ms;
    ++*(uint32_t *)ctx;
    return vt_ok();
}

static struct vt_err count_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    (void)merged;
    (void)time_ms;
    ++*(uint32_t *)ctx;
    return vt_ok();
}

struct vt_err vt__joined_read(struct vt_profile *profile, uint64_t number,
                              struct vt__joined *ret_joined)
{
    struct vt__joined joined = {.number = number};
    struct vt__key key = vt__key_customer(number);
    bool found = false;
    VT_TRY(vt__read_customer(profile, number, &profile->arena, NULL, &joined.record, &found));
    VT_CHECK(found, VT_CORRUPT, "a customer of the store has no record");
    VT_TRY(vt__each_identity(profile, number, count_identity, &joined.n_identities));
    VT_TRY(vt__each_merged(profile, number, count_merged, &joined.n_merged));
    VT_TRY(vt_store_get(profile->store, VT__HISTORY, vt__key_slice(&key), NULL, &joined.history,
                        &found));
    key = vt__key_shown(number);
    struct vt_err err =
        vt_store_get(profile->store, VT__HISTORY, vt__key_slice(&key), NULL, &joined.shown, &found);
    if (vt_failed(err))
        vt_store_value_release(&joined.history);
    else
        *ret_joined = joined;
    return err;
}

void vt__joined_release(struct vt__joined *joined)
{
    vt_store_value_release(&joined->history);
    vt_store_value_release(&joined->shown);
}

/* ---- records ---- */

/* Of several answers the stricter: they are numbered unspecified, granted, denied. */
static int join_consents(const struct vt__joined *customers, uint32_t n)
{
    int consent = 0;
    for (uint32_t i = 0; i < n; i++)
        if (customers[i].record.customer.consent > consent)
            consent = customers[i].record.customer.consent;
    return consent;
}

static bool has_attribute(const struct vt_attribute *attributes, uint32_t n, struct vt_slice key)
{
    for (uint32_t i = 0; i < n; i++)
        if (vt_slice_equal(attributes[i].key, key))
            return true;
    return false;
}

static struct vt_err join_attributes(const struct vt__joined *customers, uint32_t n,
                                     struct vt_arena *arena, struct vt_customer *customer)
{
    struct vt_attribute *joined = vt_arena_array(arena, VT_ITEM_ATTRIBUTES_MAX, sizeof *joined);
    uint32_t n_joined = 0;
    VT_CHECK(joined != NULL, VT_EXHAUSTED, "the joined attributes do not fit the writer's memory");
    for (uint32_t i = 0; i < n; i++) {
        const struct vt_customer *other = &customers[i].record.customer;
        for (uint32_t j = 0; j < other->n_attributes && n_joined < VT_ITEM_ATTRIBUTES_MAX; j++)
            if (!has_attribute(joined, n_joined, other->attributes[j].key))
                joined[n_joined++] = other->attributes[j];
    }
    customer->attributes = joined;
    customer->n_attributes = n_joined;
    return vt_ok();
}

struct vt_err vt__join_records(const struct vt__joined *customers, uint32_t n,
                               struct vt_arena *arena, struct vt__customer_record *ret_record)
{
    struct vt__customer_record record = customers[0].record;
    VT_TRY(join_attributes(customers, n, arena, &record.customer));
    record.customer.consent = join_consents(customers, n);
    for (uint32_t i = 1; i < n; i++) {
        const struct vt_customer *other = &customers[i].record.customer;
        if (customers[i].record.withdrawn_sequence > record.withdrawn_sequence)
            record.withdrawn_sequence = customers[i].record.withdrawn_sequence;
        if (other->first_seen_ms < record.customer.first_seen_ms)
            record.customer.first_seen_ms = other->first_seen_ms;
        if (other->last_seen_ms > record.customer.last_seen_ms)
            record.customer.last_seen_ms = other->last_seen_ms;
    }
    *ret_record = record;
    return vt_ok();
}

/* ---- writing ---- */

struct move {
    struct vt_profile *profile;
    uint64_t from, to;
};

static struct vt_err move_identity(void *ctx, const struct vt__identity *identity, int64_t time_ms)
{
    (void)time_ms; /* of the older linking */
    const struct move *move = ctx;
    struct vt_profile *profile = move->profile;
    struct vt__key old = vt__key_customer_id(move->from, identity);
    struct vt__key key = vt__key_identity(identity);
    vt_store_batch_delete(profile->batch, VT__CUSTOMER_IDS, vt__key_slice(&old));
    vt__put_identity(profile, move->to, identity, vt_clock_unix_ms(profile->clock));
    vt__customer_cache_drop(profile->customers, &key);
    return vt_ok();
}

static void put_alias(struct vt_profile *profile, uint64_t merged, uint64_t survivor,
                      int64_t time_ms)
{
    vt__number_encode(survivor, &profile->value);
    vt__put(profile, VT__ALIAS, vt__key_customer(merged));
    vt__number_encode((uint64_t)time_ms, &profile->value);
    vt__put(profile, VT__ALIAS, vt__key_merged(survivor, merged));
}

static struct vt_err move_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    const struct move *move = ctx;
    struct vt__key old = vt__key_merged(move->from, merged);
    vt_store_batch_delete(move->profile->batch, VT__ALIAS, vt__key_slice(&old));
    put_alias(move->profile, merged, move->to, time_ms);
    return vt_ok();
}

static void move_packed(struct vt_profile *profile, struct vt_slice packed, struct vt__key to)
{
    if (packed.len == 0)
        return;
    vt__put_bytes(&profile->value, packed.data, packed.len);
    vt__merge(profile, VT__HISTORY, to);
}

struct vt_err vt__merge_customer(struct vt_profile *profile, const struct vt__joined *merged,
                                 uint64_t survivor, bool keep_history)
{
    struct move move = {profile, merged->number, survivor};
    struct vt__key key = vt__key_customer(merged->number);
    VT_TRY(vt__each_identity(profile, merged->number, move_identity, &move));
    VT_TRY(vt__each_merged(profile, merged->number, move_merged, &move));
    put_alias(profile, merged->number, survivor, vt_clock_unix_ms(profile->clock));
    if (keep_history) {
        move_packed(profile, merged->history.bytes, vt__key_customer(survivor));
        move_packed(profile, merged->shown.bytes, vt__key_shown(survivor));
    }
    vt_store_batch_delete(profile->batch, VT__PROFILE, vt__key_slice(&key));
    vt__delete_history(profile, merged->number);
    return vt_ok();
}
