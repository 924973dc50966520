/*
 * The rows of one customer, deleted one by one: ranges would be shorter to write, but every range
 * that was ever deleted is looked at by each read until its tables are rewritten, and visitors
 * expire by the thousand.
 */
#include "services/profile/forget.h"

#include "services/profile/alias.h"
#include "services/profile/who.h"

struct forgetting {
    struct vt_profile *profile;
    uint64_t customer;
};

static void delete_row(struct vt_profile *profile, enum vt__family family, struct vt__key key)
{
    vt_store_batch_delete(profile->batch, family, vt__key_slice(&key));
}

static struct vt_err forget_identity(void *ctx, const struct vt__identity *identity,
                                     int64_t time_ms)
{
    (void)time_ms;
    const struct forgetting *forgetting = ctx;
    struct vt__key key = vt__key_identity(identity);
    delete_row(forgetting->profile, VT__IDENTITY, key);
    delete_row(forgetting->profile, VT__CUSTOMER_IDS,
               vt__key_customer_id(forgetting->customer, identity));
    vt__customer_cache_drop(forgetting->profile->customers, &key);
    return vt_ok();
}

/* The days on which there are rows under this number. */
static struct vt_err forget_days(struct vt_profile *profile, uint64_t customer)
{
    struct vt_store_iter *rows = NULL;
    struct vt__key first = vt__key_customer(customer), end = vt__key_customer(customer + 1);
    bool more = false;
    VT_TRY(vt_store_iter_open(profile->store, VT__CUSTOMER_EVENTS, vt__key_slice(&first),
                              vt__key_slice(&end), &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, NULL, &more)) && more)
        vt_store_batch_delete(profile->batch, VT__CUSTOMER_EVENTS, vt_store_iter_key(rows));
    vt_store_iter_close(rows);
    return err;
}

static struct vt_err forget_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    (void)time_ms;
    const struct forgetting *forgetting = ctx;
    delete_row(forgetting->profile, VT__ALIAS, vt__key_customer(merged));
    delete_row(forgetting->profile, VT__ALIAS, vt__key_merged(forgetting->customer, merged));
    return forget_days(forgetting->profile, merged);
}

struct vt_err vt__forget_rows(struct vt_profile *profile, uint64_t customer)
{
    struct forgetting forgetting = {profile, customer};
    VT_TRY(vt__each_identity(profile, customer, forget_identity, &forgetting));
    VT_TRY(vt__each_merged(profile, customer, forget_merged, &forgetting));
    VT_TRY(forget_days(profile, customer));
    delete_row(profile, VT__PROFILE, vt__key_customer(customer));
    delete_row(profile, VT__HISTORY, vt__key_customer(customer));
    return vt_ok();
}
