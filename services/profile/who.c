/*
 * Whose event is it? Six types of ids of any channel lead to one customer. Which of an event's ids
 * counts is decided in base/identity.h, for events and requests alike; nothing is joined here, for
 * two ids in one event are no proof that a shared till or tablet serves one person: joining is said
 * by LinkIdentities (docs/adr/0070).
 *
 * Channels of identities are numbered like those of events; 0 stands for an id that is valid in
 * all. Events ask a cache of the writer's first, so a busy customer costs no lookup in the store.
 */
#include "services/profile/who.h"

struct vt_err vt__who_find(struct vt_profile *profile, const struct vt_identity *named,
                           struct vt_diag *diag, struct vt__identity *ret_identity, bool *ret_found)
{
    struct vt_store_value value = {0};
    struct vt__identity identity = {named->type, 0, named->id};
    uint64_t number = 0;
    bool found = true;
    struct vt_err err = vt_ok();
    if (named->channel.len != 0) {
        struct vt__key key = vt__key_name(VT__NAME_CHANNEL, named->channel);
        VT_TRY(vt_store_get(profile->store, VT__NAMES, vt__key_slice(&key), diag, &value, &found));
        err = found ? vt__number_decode(value.bytes, &number) : vt_ok();
        vt_store_value_release(&value);
    }
    if (vt_failed(err))
        return err;
    identity.channel = (uint16_t)number;
    *ret_identity = identity;
    *ret_found = found;
    return vt_ok();
}

static struct vt_err tell_identity(const struct vt_store_iter *rows, vt__each_identity_fn each,
                                   void *ctx)
{
    struct vt__identity identity;
    uint64_t customer = 0, time_ms = 0;
    VT_CHECK(vt__parse_customer_id(vt_store_iter_key(rows), &customer, &identity), VT_CORRUPT,
             "the key of a customer's id is malformed");
    VT_TRY(vt__number_decode(vt_store_iter_value(rows), &time_ms));
    return each(ctx, &identity, (int64_t)time_ms);
}

struct vt_err vt__each_identity(struct vt_profile *profile, uint64_t customer,
                                vt__each_identity_fn each, void *ctx)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_customer(customer), end = vt__key_customer(customer + 1);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, VT__CUSTOMER_IDS, vt__key_slice(&first),
                              vt__key_slice(&end), &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more) {
        err = tell_identity(rows, each, ctx);
        if (vt_failed(err))
            break;
    }
    vt_store_iter_close(rows);
    return err;
}

/* ---- the writer thread ---- */

struct vt_err vt__number_channel(struct vt_profile *profile, struct vt_slice name,
                                 uint16_t *ret_number)
{
    uint32_t number = vt__id_map_find(&profile->channels, name);
    if (number == 0 && profile->state.next_channel <= VT__CHANNELS_MAX) {
        number = profile->state.next_channel;
        VT_TRY(vt__id_map_add(&profile->channels, name, number));
        profile->state.next_channel++;
        vt__number_encode(number, &profile->value);
        vt__put(profile, VT__NAMES, vt__key_name(VT__NAME_CHANNEL, name));
    }
    *ret_number = (uint16_t)number;
    return vt_ok();
}

struct vt_err vt__who_of_event(struct vt_profile *profile, const struct vt_event *event,
                               struct vt__identity *ret_identity)
{
    struct vt_identity named =
        vt_identity_choose(event->customer_id, event->visitor_id, event->identity);
    uint16_t channel = 0;
    if (named.channel.len != 0) {
        VT_TRY(vt__number_channel(profile, named.channel, &channel));
        if (channel == 0) /* as an id of all channels it would be somebody else's */
            named = (struct vt_identity){.type = VT_IDENTITY_UNSPECIFIED};
    }
    *ret_identity = (struct vt__identity){named.type, channel, named.id};
    return vt_ok();
}

static struct vt_err forget_identity(void *ctx, const struct vt__identity *identity,
                                     int64_t time_ms)
{
    (void)time_ms;
    struct vt_profile *profile = ctx;
    struct vt__key key = vt__key_identity(identity);
    vt__customer_cache_drop(profile->customers, &key);
    return vt_ok();
}

struct vt_err vt__forget_customer(struct vt_profile *profile, uint64_t customer)
{
    return vt__each_identity(profile, customer, forget_identity, profile);
}

static void create_customer(struct vt_profile *profile, const struct vt__identity *identity,
                            int64_t time_ms, struct vt__known_customer *ret_known)
{
    *ret_known = (struct vt__known_customer){0, false};
    if (!profile->consent_default)
        return; /* nothing is kept of somebody who agreed to nothing, not even a number */
    uint64_t number = profile->state.next_customer++;
    struct vt__customer_record record = {
        .type = identity->type,
        .customer = {.id = identity->id, .first_seen_ms = time_ms, .last_seen_ms = time_ms}};
    vt__put_new_customer(profile, number, identity, &record);
    *ret_known = (struct vt__known_customer){number, true};
}

static struct vt_err look_up_customer(struct vt_profile *profile,
                                      const struct vt__identity *identity, int64_t time_ms,
                                      struct vt__known_customer *ret_known)
{
    struct vt__customer_record record = {0};
    uint64_t number = 0;
    bool found = false;
    VT_TRY(vt__find_customer(profile, identity, NULL, &number, &found));
    if (!found) {
        create_customer(profile, identity, time_ms, ret_known);
        return vt_ok();
    }
    vt_arena_reset(&profile->arena);
    VT_TRY(vt__read_customer(profile, number, &profile->arena, NULL, &record, &found));
    bool consent = vt__consents(profile, found ? record.customer.consent : 0);
    *ret_known = (struct vt__known_customer){number, consent};
    return vt_ok();
}

struct vt_err vt__who_is(struct vt_profile *profile, const struct vt__identity *identity,
                         const struct vt__key *key, int64_t time_ms,
                         struct vt__known_customer *ret_known)
{
    if (identity->type == VT_IDENTITY_UNSPECIFIED) {
        *ret_known = (struct vt__known_customer){0, false};
        return vt_ok();
    }
    if (vt__customer_cache_find(profile->customers, key, ret_known))
        return vt_ok();
    struct vt__known_customer known;
    VT_TRY(look_up_customer(profile, identity, time_ms, &known));
    if (known.number != 0)
        vt__customer_cache_put(profile->customers, key, known);
    *ret_known = known;
    return vt_ok();
}
