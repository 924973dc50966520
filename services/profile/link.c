/*
 * LinkIdentities: several ids are one person. A job of the writer, alone in its commit, so that it
 * sees everything written before and everything after sees all of it: one batch, one fsync.
 *
 * The plan is made first: whose the ids are, which customer survives (a member before a visitor,
 * then the older number), what may not be joined. Only then rows are written. A plan that changes
 * nothing writes nothing and takes no sequence, so linking twice is nothing.
 */
#include "services/profile/link.h"

#include "services/profile/merge.h"
#include "services/profile/who.h"

#include <stdio.h>

/* What will be done. */
struct plan {
    struct vt__named_list named;
    struct vt__joined customers[VT_LINK_IDENTITIES_MAX]; /* the survivor first */
    uint32_t n_customers;                                /* 0: all ids are unknown */
    uint32_t n_unknown;                                  /* of `named` */
};

/* ---- whose are they? ---- */

static bool same_identity(const struct vt_identity *a, const struct vt_identity *b)
{
    return a->type == b->type && vt_slice_equal(a->id, b->id) &&
           vt_slice_equal(a->channel, b->channel);
}

static bool is_named(const struct vt__named_list *named, const struct vt_identity *identity)
{
    for (uint32_t i = 0; i < named->n; i++)
        if (same_identity(&named->items[i].given, identity))
            return true;
    return false;
}

struct vt_err vt__named_find(struct vt_profile *profile, const struct vt_link *link,
                             struct vt__named_list *ret_named)
{
    ret_named->n = 0;
    for (uint32_t i = 0; i < link->n_identities; i++) {
        if (is_named(ret_named, &link->identities[i]))
            continue;
        struct vt__named named = {.given = link->identities[i]};
        bool found = false;
        VT_TRY(vt__who_find(profile, &named.given, NULL, &named.identity, &found));
        if (found)
            VT_TRY(vt__find_customer(profile, &named.identity, NULL, &named.customer, &found));
        ret_named->items[ret_named->n++] = named;
    }
    return vt_ok();
}

static bool is_joined(const struct plan *plan, uint64_t customer)
{
    for (uint32_t i = 0; i < plan->n_customers; i++)
        if (plan->customers[i].number == customer)
            return true;
    return false;
}

static struct vt_err read_customers(struct vt_profile *profile, struct plan *plan)
{
    for (uint32_t i = 0; i < plan->named.n; i++) {
        uint64_t customer = plan->named.items[i].customer;
        if (customer == 0)
            plan->n_unknown++;
        if (customer == 0 || is_joined(plan, customer))
            continue;
        VT_TRY(vt__joined_read(profile, customer, &plan->customers[plan->n_customers]));
        plan->n_customers++;
    }
    return vt_ok();
}

static bool is_member(const struct vt__joined *customer)
{
    return customer->record.type == VT_IDENTITY_MEMBER;
}

/* Members before others, then by age: numbers are given in the order of first mention. */
static bool stands_before(const struct vt__joined *a, const struct vt__joined *b)
{
    return is_member(a) != is_member(b) ? is_member(a) : a->number < b->number;
}

static void sort_customers(struct plan *plan)
{
    for (uint32_t i = 1; i < plan->n_customers; i++) {
        struct vt__joined customer = plan->customers[i];
        uint32_t at = i;
        for (; at > 0 && stands_before(&customer, &plan->customers[at - 1]); at--)
            plan->customers[at] = plan->customers[at - 1];
        plan->customers[at] = customer;
    }
}

/* ---- may they be joined? ---- */

static uint32_t count_members(const struct plan *plan)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n_customers; i++)
        n += is_member(&plan->customers[i]);
    for (uint32_t i = 0; i < plan->named.n; i++)
        n += plan->named.items[i].customer == 0 &&
             plan->named.items[i].given.type == VT_IDENTITY_MEMBER;
    return n;
}

static struct vt_err check_members(const struct plan *plan, const struct vt_link *link,
                                   struct vt_diag *diag)
{
    uint32_t n = count_members(plan);
    if (n < 2 || link->merge_members)
        return vt_ok();
    vt_diag_set(diag, "merge_members",
                "the ids belong to %u members: set it to make them one customer. Unlinking would "
                "not part what is merged",
                n);
    return VT_ERR(VT_PRECONDITION, "members are joined only on request");
}

static struct vt_err check_size(const struct plan *plan, struct vt_diag *diag)
{
    uint32_t n_identities = plan->n_unknown;
    uint32_t n_merged = plan->n_customers != 0 ? plan->n_customers - 1 : 0;
    for (uint32_t i = 0; i < plan->n_customers; i++) {
        n_identities += plan->customers[i].n_identities;
        n_merged += plan->customers[i].n_merged;
    }
    if (n_identities <= VT__CUSTOMER_IDENTITIES_MAX && n_merged <= VT__CUSTOMER_MERGED_MAX)
        return vt_ok();
    vt_diag_set(diag, "identities",
                "together they would be %u ids and %u merged customers, at most %d and %d: unlink "
                "ids that are not used any more",
                n_identities, n_merged, VT__CUSTOMER_IDENTITIES_MAX, VT__CUSTOMER_MERGED_MAX);
    return VT_ERR(VT_EXHAUSTED, "a customer has a bounded number of ids");
}

/* Is the channel of named.items[i] new to the store, and not named before it? */
static bool is_new_channel(const struct vt_profile *profile, const struct vt__named_list *named,
                           uint32_t i)
{
    struct vt_slice channel = named->items[i].given.channel;
    if (channel.len == 0 || vt__id_map_find(&profile->channels, channel) != 0)
        return false;
    for (uint32_t j = 0; j < i; j++)
        if (vt_slice_equal(named->items[j].given.channel, channel))
            return false;
    return true;
}

static struct vt_err check_channels(const struct vt_profile *profile,
                                    const struct vt__named_list *named, struct vt_diag *diag)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < named->n; i++)
        n += is_new_channel(profile, named, i);
    if (profile->state.next_channel + n <= VT__CHANNELS_MAX + 1)
        return vt_ok();
    vt_diag_set(diag, "identities", "a channel of theirs is new, and there are %d already",
                VT__CHANNELS_MAX);
    return VT_ERR(VT_EXHAUSTED, "a store has a bounded number of channels");
}

static struct vt_err make_plan(struct vt_profile *profile, const struct vt__job *job,
                               struct plan *plan)
{
    const struct vt_link *link = job->input;
    struct vt_diag *diag = job->write.request->diag;
    vt_arena_reset(&profile->arena);
    VT_TRY(vt__named_find(profile, link, &plan->named));
    VT_TRY(read_customers(profile, plan));
    sort_customers(plan);
    VT_TRY(check_members(plan, link, diag));
    VT_TRY(check_size(plan, diag));
    return check_channels(profile, &plan->named, diag);
}

static bool changes_something(const struct plan *plan)
{
    return plan->n_unknown != 0 || plan->n_customers > 1;
}

/* ---- doing it ---- */

/* The id that names the customer: of a member where there is one, otherwise what was first. */
static const struct vt__named *choose_name(const struct vt__named_list *named)
{
    for (uint32_t i = 0; i < named->n; i++)
        if (named->items[i].given.type == VT_IDENTITY_MEMBER)
            return &named->items[i];
    return &named->items[0];
}

static struct vt_err join_records(struct vt_profile *profile, const struct plan *plan,
                                  struct vt__customer_record *ret_record)
{
    const struct vt__named *name = choose_name(&plan->named);
    int64_t now_ms = vt_clock_unix_ms(profile->clock);
    struct vt__customer_record record = {
        .type = name->given.type,
        .customer = {.id = name->given.id, .first_seen_ms = now_ms, .last_seen_ms = now_ms}};
    if (plan->n_customers != 0)
        VT_TRY(vt__join_records(plan->customers, plan->n_customers, &profile->arena, &record));
    if (record.type != VT_IDENTITY_MEMBER && name->given.type == VT_IDENTITY_MEMBER) {
        record.type = VT_IDENTITY_MEMBER;
        record.customer.id = name->given.id;
    }
    *ret_record = record;
    return vt_ok();
}

static struct vt_err put_unknown(struct vt_profile *profile, const struct plan *plan,
                                 uint64_t survivor)
{
    for (uint32_t i = 0; i < plan->named.n; i++) {
        const struct vt__named *named = &plan->named.items[i];
        struct vt__identity identity = named->identity;
        if (named->customer != 0)
            continue;
        if (named->given.channel.len != 0)
            VT_TRY(vt__number_channel(profile, named->given.channel, &identity.channel));
        vt__put_identity(profile, survivor, &identity, vt_clock_unix_ms(profile->clock));
    }
    return vt_ok();
}

static struct vt_err carry_out(struct vt_profile *profile, const struct plan *plan,
                               uint64_t *ret_survivor)
{
    struct vt__customer_record record;
    VT_TRY(join_records(profile, plan, &record));
    uint64_t survivor =
        plan->n_customers != 0 ? plan->customers[0].number : profile->state.next_customer++;
    bool consent = vt__consents(profile, record.customer.consent);
    for (uint32_t i = 1; i < plan->n_customers; i++)
        VT_TRY(vt__merge_customer(profile, &plan->customers[i], survivor, consent));
    VT_TRY(put_unknown(profile, plan, survivor));
    VT_TRY(vt__forget_customer(profile, survivor)); /* their consent may be another one now */
    vt__put_customer(profile, survivor, &record);
    if (!consent)
        vt__delete_history(profile, survivor);
    profile->state.sequence++; /* the commit has something to make durable */
    *ret_survivor = survivor;
    return vt_ok();
}

struct vt_err vt__apply_link(struct vt_profile *profile, struct vt__job *job)
{
    struct vt_link_result result = {0};
    struct plan plan = {.n_customers = 0};
    struct vt_err err = make_plan(profile, job, &plan);
    if (!vt_failed(err)) {
        result.customer_number = plan.n_customers != 0 ? plan.customers[0].number : 0;
        result.changed = changes_something(&plan);
        result.n_added = plan.n_unknown;
        result.n_merged = plan.n_customers > 1 ? plan.n_customers - 1 : 0;
        if (result.changed && !job->write.validate_only)
            err = carry_out(profile, &plan, &result.customer_number);
    }
    for (uint32_t i = 0; i < plan.n_customers; i++)
        vt__joined_release(&plan.customers[i]);
    if (!vt_failed(err))
        *(struct vt_link_result *)job->result = result;
    return err;
}

/* ---- the door ---- */

static struct vt_err check_link(const struct vt_link *link, struct vt_diag *diag)
{
    uint32_t least = link->unlink ? 1 : 2;
    char field[VT_DIAG_FIELD_BYTES];
    struct vt_diag fault = {0};
    if (link->n_identities < least || link->n_identities > VT_LINK_IDENTITIES_MAX) {
        vt_diag_set(diag, "identities", "%u ids: send %u to %d in a call", link->n_identities,
                    least, VT_LINK_IDENTITIES_MAX);
        return VT_ERR(VT_INVALID, "a call takes 2 to 16 identities, 1 to 16 to unlink");
    }
    for (uint32_t i = 0; i < link->n_identities; i++) {
        if (vt_identity_valid(&link->identities[i], &fault))
            continue;
        snprintf(field, sizeof field, "identities[%u].%s", i, fault.field);
        vt_diag_set(diag, field, "%s", fault.text);
        return VT_ERR(VT_INVALID, "an identity is not valid");
    }
    return vt_ok();
}

void vt_profile_link_identities(struct vt_profile *profile, const struct vt_profile_write *write,
                                const struct vt_link *link, struct vt_link_result *result)
{
    *result = (struct vt_link_result){0};
    struct vt_err err = check_link(link, write->request->diag);
    if (vt_failed(err)) {
        write->done(write->ctx, err);
        return;
    }
    vt__writer_submit(profile,
                      &(struct vt__job){.apply = link->unlink ? vt__apply_unlink : vt__apply_link,
                                        .n = link->n_identities,
                                        .write = *write,
                                        .input = link,
                                        .result = result});
}
