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

static struct vt_err forget_merged(void *ctx, uint64_t merged, int64_t time_ms)
{
    (void)time_ms;
    const struct forgetting *forgetting = ctx;
    delete_row(forgetting->profile, VT__ALIAS, vt__key_customer(merged));
    delete_row(forgetting->profile, VT__ALIAS, vt__key_merged(forgetting->customer, merged));
    return vt_ok();
}

struct vt_err vt__forget_rows(struct vt_profile *profile, uint64_t customer)
{
    struct forgetting forgetting = {profile, customer};
    VT_TRY(vt__each_identity(profile, customer, forget_identity, &forgetting));
    VT_TRY(vt__each_merged(profile, customer, forget_merged, &forgetting));
    delete_row(profile, VT__PROFILE, vt__key_customer(customer));
    vt__delete_history(profile, customer);
    return vt_ok();
}
