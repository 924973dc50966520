/*
 * Unlinking: an id stops leading to a customer. Only the future changes: the next event with that
 * id makes a new customer, or goes to the one that the id is linked to until then. History, record
 * and log stay with the customer, for nobody can tell any more which event of a merged history came
 * in by which id.
 *
 * A customer keeps at least one id, and a member keeps one of a member: what cannot be named can be
 * neither exported nor erased.
 */
#include "services/profile/link.h"
#include "services/profile/who.h"

/* What one customer will be without the named ids. */
struct rest {
    struct vt_profile *profile;
    const struct vt__named_list *named;
    uint32_t n, n_members;
    bool renamed; /* the id that names the record goes */
    struct vt__customer_record record;
    struct vt__identity name; /* the best of what stays; its id in profile->arena */
};

static bool same_identity(const struct vt__identity *a, const struct vt__identity *b)
{
    return a->type == b->type && a->channel == b->channel && vt_slice_equal(a->id, b->id);
}

static bool is_named(const struct vt__named_list *named, const struct vt__identity *identity)
{
    for (uint32_t i = 0; i < named->n; i++)
        if (named->items[i].customer != 0 && same_identity(&named->items[i].identity, identity))
            return true;
    return false;
}

/* Types are numbered with members first, and so are the rows: the first that stays is the name. */
static struct vt_err look_at(void *ctx, const struct vt__identity *identity, int64_t time_ms)
{
    (void)time_ms;
    struct rest *rest = ctx;
    if (is_named(rest->named, identity)) {
        rest->renamed = rest->renamed || (identity->type == rest->record.type &&
                                          vt_slice_equal(identity->id, rest->record.customer.id));
        return vt_ok();
    }
    if (rest->n++ == 0) {
        rest->name = *identity;
        rest->name.id = vt_arena_copy(&rest->profile->arena, identity->id);
        VT_CHECK(rest->name.id.data != NULL, VT_EXHAUSTED, "the writer's memory is full");
    }
    rest->n_members += identity->type == VT_IDENTITY_MEMBER;
    return vt_ok();
}

static struct vt_err read_rest(struct vt_profile *profile, uint64_t customer,
                               const struct vt__named_list *named, struct rest *ret_rest)
{
    struct rest rest = {.profile = profile, .named = named};
    bool found = false;
    VT_TRY(vt__read_customer(profile, customer, &profile->arena, NULL, &rest.record, &found));
    VT_CHECK(found, VT_CORRUPT, "a customer of the store has no record");
    VT_TRY(vt__each_identity(profile, customer, look_at, &rest));
    *ret_rest = rest;
    return vt_ok();
}

static struct vt_err check_rest(const struct rest *rest, struct vt_diag *diag)
{
    bool nameless = rest->record.type == VT_IDENTITY_MEMBER ? rest->n_members == 0 : rest->n == 0;
    if (!nameless)
        return vt_ok();
    vt_diag_set(diag, "identities",
                "the customer would keep its history without %s to name it: unlink the other ids, "
                "or forget the customer with EraseCustomer",
                rest->record.type == VT_IDENTITY_MEMBER ? "a member id" : "an id");
    return VT_ERR(VT_PRECONDITION, "a customer keeps an id");
}

/* True when an id before named.items[i] belongs to the same customer. */
static bool is_repeated(const struct vt__named_list *named, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++)
        if (named->items[j].customer == named->items[i].customer)
            return true;
    return false;
}

struct plan {
    struct vt__named_list named;
    struct rest rests[VT_LINK_IDENTITIES_MAX]; /* at the place of the customer's first id */
    uint32_t n_linked, n_customers;
    uint64_t customer; /* the last of them */
};

static struct vt_err make_plan(struct vt_profile *profile, const struct vt__job *job,
                               struct plan *plan)
{
    vt_arena_reset(&profile->arena);
    VT_TRY(vt__named_find(profile, job->input, &plan->named));
    for (uint32_t i = 0; i < plan->named.n; i++) {
        uint64_t customer = plan->named.items[i].customer;
        if (customer == 0)
            continue;
        plan->n_linked++;
        if (is_repeated(&plan->named, i))
            continue;
        plan->n_customers++;
        plan->customer = customer;
        VT_TRY(read_rest(profile, customer, &plan->named, &plan->rests[i]));
        VT_TRY(check_rest(&plan->rests[i], job->write.request->diag));
    }
    return vt_ok();
}

static void carry_out(struct vt_profile *profile, struct plan *plan)
{
    for (uint32_t i = 0; i < plan->named.n; i++) {
        const struct vt__named *named = &plan->named.items[i];
        struct rest *rest = &plan->rests[i];
        if (named->customer == 0)
            continue;
        struct vt__key key = vt__key_identity(&named->identity);
        struct vt__key row = vt__key_customer_id(named->customer, &named->identity);
        vt_store_batch_delete(profile->batch, VT__IDENTITY, vt__key_slice(&key));
        vt_store_batch_delete(profile->batch, VT__CUSTOMER_IDS, vt__key_slice(&row));
        vt__customer_cache_drop(profile->customers, &key);
        if (!rest->renamed)
            continue;
        rest->record.type = rest->name.type;
        rest->record.customer.id = rest->name.id;
        vt__put_customer(profile, named->customer, &rest->record);
    }
    profile->state.sequence++; /* the commit has something to make durable */
}

struct vt_err vt__apply_unlink(struct vt_profile *profile, struct vt__job *job)
{
    struct plan plan = {.n_linked = 0};
    VT_TRY(make_plan(profile, job, &plan));
    if (plan.n_linked != 0 && !job->write.validate_only)
        carry_out(profile, &plan);
    *(struct vt_link_result *)job->result = (struct vt_link_result){
        .customer_number = plan.n_customers == 1 ? plan.customer : 0,
        .changed = plan.n_linked != 0,
        .n_unlinked = plan.n_linked,
    };
    return vt_ok();
}
