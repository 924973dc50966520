/*
 * Who somebody is and what is known about them: identity → number → record and history. Reads are
 * three point reads on the caller's thread. Upserts replace attributes and consent; a denial
 * deletes the history in the same batch.
 */
#include "services/profile/alias.h"
#include "services/profile/history.h"
#include "services/profile/profile_internal.h"
#include "services/profile/shown.h"
#include "services/profile/who.h"

#include <stdio.h>
#include <string.h>

static const uint32_t CUSTOMERS_BATCH_MAX = 1000;

bool vt__consents(const struct vt_profile *profile, int consent)
{
    return consent == 0 ? profile->consent_default : consent == 1;
}

struct vt_err vt__find_customer(struct vt_profile *profile, const struct vt__identity *identity,
                                struct vt_diag *diag, uint64_t *ret_number, bool *ret_found)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_identity(identity);
    VT_TRY(
        vt_store_get(profile->store, VT__IDENTITY, vt__key_slice(&key), diag, &value, ret_found));
    struct vt_err err = *ret_found ? vt__number_decode(value.bytes, ret_number) : vt_ok();
    vt_store_value_release(&value);
    return err;
}

struct vt_err vt__read_customer(struct vt_profile *profile, uint64_t number, struct vt_arena *arena,
                                struct vt_diag *diag, struct vt__customer_record *ret_record,
                                bool *ret_found)
{
    struct vt_store_value value = {0};
    struct vt__key key = vt__key_customer(number);
    VT_TRY(vt_store_get(profile->store, VT__PROFILE, vt__key_slice(&key), diag, &value, ret_found));
    struct vt_err err = *ret_found ? vt__customer_decode(value.bytes, arena, ret_record) : vt_ok();
    vt_store_value_release(&value);
    return err;
}

/* ---- reading ---- */

static struct vt_err unpack_history(struct vt_slice packed, uint32_t max_events,
                                    struct vt_arena *arena, struct vt_profile_view *view)
{
    size_t n = 0;
    VT_CHECK(vt__history_count(packed, &n), VT_CORRUPT, "a history of the store is malformed");
    n = n < max_events ? n : max_events;
    struct vt_history_event *events = vt_arena_array(arena, n + 1, sizeof *events);
    VT_CHECK(events != NULL, VT_EXHAUSTED, "the answer does not fit the call's memory");
    vt__history_unpack(packed, events, n);
    if (n != 0 && events[0].time_ms > view->customer.last_seen_ms)
        view->customer.last_seen_ms = events[0].time_ms;
    view->events = events;
    view->n_events = (uint32_t)n;
    return vt_ok();
}

/* *ret_moved: there is none, because the customer became part of another. */
static struct vt_err read_history(struct vt_profile *profile, uint32_t max_events,
                                  struct vt_request *request, struct vt_profile_view *view,
                                  bool *ret_moved)
{
    struct vt_store_value value = {0};
    bool found = false;
    struct vt__key key = vt__key_customer(view->customer_number);
    VT_TRY(vt_store_get(profile->store, VT__HISTORY, vt__key_slice(&key), request->diag, &value,
                        &found));
    struct vt_err err =
        found ? unpack_history(value.bytes, max_events, request->arena, view) : vt_ok();
    vt_store_value_release(&value);
    if (found || vt_failed(err))
        return err;
    uint64_t survivor = view->customer_number;
    VT_TRY(vt__resolve_customer(profile, view->customer_number, request->diag, &survivor));
    *ret_moved = survivor != view->customer_number;
    return vt_ok();
}

/* What is asked for of those who consent. */
struct wanted {
    uint32_t max_events;
    struct vt_shown_limit shown;
};

static struct vt_err read_past(struct vt_profile *profile, const struct wanted *wanted,
                               struct vt_request *request, struct vt_profile_view *view,
                               bool *ret_moved)
{
    if (wanted->max_events != 0)
        VT_TRY(read_history(profile, wanted->max_events, request, view, ret_moved));
    if (wanted->shown.at_least != 0 && !*ret_moved)
        VT_TRY(vt__read_shown(profile, &wanted->shown, request, view, ret_moved));
    return vt_ok();
}

/* *ret_found false: of a channel that nobody ever mentioned, so nobody has that id. */
static struct vt_err identity_of(struct vt_profile *profile, const struct vt_profile_key *key,
                                 struct vt_diag *diag, struct vt__identity *ret_identity,
                                 bool *ret_found)
{
    struct vt__fault fault = {0};
    if (!vt__check_who(key->customer_id, key->visitor_id, &key->identity, &fault)) {
        vt_diag_set(diag, fault.field, "%s", fault.text);
        return VT_ERR(VT_INVALID, "a profile is asked for by a valid id");
    }
    struct vt_identity named = vt_identity_choose(key->customer_id, key->visitor_id, key->identity);
    return vt__who_find(profile, &named, diag, ret_identity, ret_found);
}

/* One look at an identity. The reads are apart, and a link or an erasure may be committed between
 * two of them: *ret_moved then, and the identity leads elsewhere by now. */
static struct vt_err look(struct vt_profile *profile, struct vt_request *request,
                          const struct vt__identity *identity, const struct wanted *wanted,
                          struct vt_profile_view *view, bool *ret_moved)
{
    struct vt__customer_record record = {0};
    bool found = false;
    *ret_moved = false;
    VT_TRY(
        vt__find_customer(profile, identity, request->diag, &view->customer_number, &view->found));
    if (!view->found)
        return vt_ok();
    VT_TRY(vt__read_customer(profile, view->customer_number, request->arena, request->diag, &record,
                             &found));
    *ret_moved = !found;
    if (!found)
        return vt_ok();
    view->customer = record.customer;
    view->consent = vt__consents(profile, record.customer.consent);
    return view->consent ? read_past(profile, wanted, request, view, ret_moved) : vt_ok();
}

struct vt_err vt_profile_get(struct vt_profile *profile, struct vt_request *request,
                             const struct vt_profile_key *key, uint32_t max_events,
                             struct vt_profile_view *ret_view)
{
    struct vt__identity identity;
    struct vt_profile_view view = {.consent = profile->consent_default};
    const struct wanted wanted = {max_events, key->shown};
    bool known = false, moved = false;
    VT_TRY(identity_of(profile, key, request->diag, &identity, &known));
    view.customer.id = identity.id;
    for (int i = 0; known && i < VT__LOOKS_MAX && (i == 0 || moved); i++) {
        view = (struct vt_profile_view){.consent = profile->consent_default,
                                        .customer.id = identity.id};
        VT_TRY(look(profile, request, &identity, &wanted, &view, &moved));
    }
    VT_CHECK(!moved, VT_CORRUPT, "a customer of the store has no record");
    *ret_view = view;
    return vt_ok();
}

static void port_get(void *self, struct vt_request *request, const struct vt_profile_key *key,
                     uint32_t max_events, int64_t deadline_ns, vt_profile_view_fn done, void *ctx)
{
    (void)deadline_ns; /* point reads: there is nothing to wait for */
    struct vt_profile_view view = {0};
    struct vt_err err = vt_profile_get(self, request, key, max_events, &view);
    done(ctx, err, vt_failed(err) ? NULL : &view);
}

static struct vt_err list_from(struct vt_store_iter *rows, struct vt_request *request, uint32_t max,
                               struct vt_customer *ret_customers, uint64_t *ret_numbers,
                               uint32_t *ret_n, bool *ret_more)
{
    uint32_t n = 0;
    size_t bytes = 0;
    bool more = false;
    for (;;) {
        VT_TRY(vt_store_iter_next(rows, request->diag, &more));
        if (!more || n == max || bytes >= VT__PAGE_BYTES)
            break;
        struct vt__customer_record record;
        struct vt_slice value = vt_store_iter_value(rows);
        VT_CHECK(vt__parse_customer(vt_store_iter_key(rows), &ret_numbers[n]), VT_CORRUPT,
                 "a customer's key is malformed");
        VT_TRY(vt__customer_decode(value, request->arena, &record));
        ret_customers[n++] = record.customer;
        bytes += value.len;
    }
    *ret_n = n;
    *ret_more = more;
    return vt_ok();
}

struct vt_err vt_profile_list_customers(struct vt_profile *profile, struct vt_request *request,
                                        uint64_t after, uint32_t max,
                                        struct vt_customer *ret_customers, uint64_t *ret_numbers,
                                        uint32_t *ret_n, bool *ret_more)
{
    struct vt_store_iter *rows = NULL;
    *ret_n = 0;
    *ret_more = false;
    if (after == UINT64_MAX)
        return vt_ok();
    struct vt__key first = vt__key_customer(after + 1);
    VT_TRY(vt_store_iter_open(profile->store, VT__PROFILE, vt__key_slice(&first), vt_slice(NULL, 0),
                              &rows));
    struct vt_err err = list_from(rows, request, max, ret_customers, ret_numbers, ret_n, ret_more);
    vt_store_iter_close(rows);
    return err;
}

/* What is linked or erased between the page and the history is left out: it has moved. */
static struct vt_err add_view(struct vt_profile *profile, struct vt_request *request,
                              const struct vt_profile_view *listed, const struct wanted *wanted,
                              struct vt_profile_page *page)
{
    struct vt_profile_view view = *listed;
    bool moved = false;
    if (view.consent)
        VT_TRY(read_past(profile, wanted, request, &view, &moved));
    if (!moved)
        page->views[page->n++] = view;
    return vt_ok();
}

struct vt_err vt_profile_list(struct vt_profile *profile, struct vt_request *request,
                              const struct vt_profile_page_query *query,
                              struct vt_profile_page *ret_page)
{
    struct vt_arena *arena = request->arena;
    const struct wanted wanted = {query->max_events, query->shown};
    struct vt_customer *customers = vt_arena_array(arena, query->max, sizeof *customers);
    uint64_t *numbers = vt_arena_array(arena, query->max, sizeof *numbers);
    struct vt_profile_page page = {
        .views = vt_arena_array(arena, query->max, sizeof *page.views),
    };
    VT_CHECK(customers != NULL && numbers != NULL && page.views != NULL, VT_EXHAUSTED,
             "the page does not fit the call's memory");
    uint32_t n = 0;
    VT_TRY(vt_profile_list_customers(profile, request, query->after, query->max, customers, numbers,
                                     &n, &page.more));
    page.last = n > 0 ? numbers[n - 1] : query->after;
    for (uint32_t i = 0; i < n; i++) {
        const struct vt_profile_view listed = {
            .found = true,
            .customer_number = numbers[i],
            .customer = customers[i],
            .consent = vt__consents(profile, customers[i].consent),
        };
        VT_TRY(add_view(profile, request, &listed, &wanted, &page));
    }
    *ret_page = page;
    return vt_ok();
}

static void port_list(void *self, struct vt_request *request,
                      const struct vt_profile_page_query *query, int64_t deadline_ns,
                      vt_profile_page_fn done, void *ctx)
{
    (void)deadline_ns; /* the disk answers when it does */
    struct vt_profile_page page = {0};
    struct vt_err err = vt_profile_list(self, request, query, &page);
    done(ctx, err, vt_failed(err) ? NULL : &page);
}

static struct vt_err port_outcomes(void *self, struct vt_request *request,
                                   const struct vt_outcomes_query *query,
                                   struct vt_outcomes *ret_outcomes)
{
    return vt_profile_outcomes(self, request, query, ret_outcomes);
}

struct vt_profile_port vt_profile_local_port(struct vt_profile *profile)
{
    return (struct vt_profile_port){.self = profile,
                                    .get = port_get,
                                    .list = port_list,
                                    .lists_inline = true,
                                    .outcomes = port_outcomes};
}

/* ---- writing ---- */

void vt__put_customer(struct vt_profile *profile, uint64_t number,
                      const struct vt__customer_record *record)
{
    vt__customer_encode(record, &profile->value);
    vt__put(profile, VT__PROFILE, vt__key_customer(number));
}

void vt__put_identity(struct vt_profile *profile, uint64_t number,
                      const struct vt__identity *identity, int64_t time_ms)
{
    vt__number_encode(number, &profile->value);
    vt__put(profile, VT__IDENTITY, vt__key_identity(identity));
    vt__number_encode((uint64_t)time_ms, &profile->value);
    vt__put(profile, VT__CUSTOMER_IDS, vt__key_customer_id(number, identity));
}

void vt__delete_history(struct vt_profile *profile, uint64_t number)
{
    struct vt__key history = vt__key_customer(number), shown = vt__key_shown(number);
    vt_store_batch_delete(profile->batch, VT__HISTORY, vt__key_slice(&history));
    vt_store_batch_delete(profile->batch, VT__HISTORY, vt__key_slice(&shown));
}

void vt__put_new_customer(struct vt_profile *profile, uint64_t number,
                          const struct vt__identity *identity,
                          const struct vt__customer_record *record)
{
    vt__put_identity(profile, number, identity, record->customer.first_seen_ms);
    vt__put_customer(profile, number, record);
}

static bool same_customer(const struct vt_customer *a, const struct vt_customer *b)
{
    bool same = a->consent == b->consent && a->n_attributes == b->n_attributes;
    for (uint32_t i = 0; i < a->n_attributes && same; i++)
        same = vt_slice_equal(a->attributes[i].key, b->attributes[i].key) &&
               vt_slice_equal(a->attributes[i].value, b->attributes[i].value);
    return same;
}

static void insert_customer(struct vt_profile *profile, const struct vt__identity *identity,
                            const struct vt_customer *customer)
{
    int64_t now_ms = vt_clock_unix_ms(profile->clock);
    struct vt__customer_record record = {.customer = *customer, .type = VT_IDENTITY_MEMBER};
    record.customer.first_seen_ms = now_ms;
    record.customer.last_seen_ms = now_ms;
    vt__put_new_customer(profile, profile->state.next_customer++, identity, &record);
}

static struct vt_err update_customer(struct vt_profile *profile, uint64_t number,
                                     struct vt__customer_record *record,
                                     const struct vt_customer *customer)
{
    if (record->customer.consent != customer->consent)
        VT_TRY(vt__forget_customer(profile, number));
    /* Consent that comes back is for what comes then. */
    if (!vt__consents(profile, record->customer.consent) ||
        !vt__consents(profile, customer->consent))
        record->withdrawn_sequence = profile->state.sequence;
    record->customer.consent = customer->consent;
    record->customer.attributes = customer->attributes;
    record->customer.n_attributes = customer->n_attributes;
    vt__put_customer(profile, number, record);
    if (!vt__consents(profile, customer->consent)) {
        vt__delete_history(profile, number);
        vt__erased_encode(vt_clock_unix_ms(profile->clock), &profile->value);
        vt__put(profile, VT__ERASED, vt__key_erased(VT__WITHDRAWN, number));
    }
    return vt_ok();
}

static struct vt_err upsert_one(struct vt_profile *profile, const struct vt_customer *customer,
                                struct vt_upsert_result *result)
{
    struct vt__identity identity = {VT_IDENTITY_MEMBER, 0, customer->id};
    struct vt__customer_record record = {0};
    uint64_t number = 0;
    bool found = false;
    VT_TRY(vt__find_customer(profile, &identity, NULL, &number, &found));
    if (!found) {
        insert_customer(profile, &identity, customer);
        result->inserted++;
        return vt_ok();
    }
    vt_arena_reset(&profile->arena);
    VT_TRY(vt__read_customer(profile, number, &profile->arena, NULL, &record, &found));
    VT_CHECK(found, VT_CORRUPT, "a customer of the store has no record");
    if (same_customer(&record.customer, customer)) {
        result->unchanged++;
        return vt_ok();
    }
    VT_TRY(update_customer(profile, number, &record, customer));
    result->updated++;
    return vt_ok();
}

/* True when a later entry of the call has the same id: the later one wins. */
static bool is_repeated(const struct vt_customer *customers, uint32_t n, uint32_t i)
{
    for (uint32_t j = i + 1; j < n; j++)
        if (vt_slice_equal(customers[i].id, customers[j].id))
            return true;
    return false;
}

static struct vt_err apply_upsert(struct vt_profile *profile, struct vt__job *job)
{
    const struct vt_customer *customers = job->input;
    struct vt_upsert_result result = {0};
    for (uint32_t i = 0; i < job->n; i++) {
        if (is_repeated(customers, job->n, i))
            result.unchanged++;
        else
            VT_TRY(upsert_one(profile, &customers[i], &result));
    }
    if (result.inserted + result.updated != 0)
        profile->state.sequence++; /* the commit has something to make durable */
    result.sequence = profile->state.sequence;
    *(struct vt_upsert_result *)job->result = result;
    return vt_ok();
}

static bool check_customer(const struct vt_customer *customer, struct vt__fault *fault)
{
    if (customer->consent < 0 || customer->consent > 2)
        return vt__fault_set(fault, "consent", "%d: 0 unspecified, 1 granted, 2 denied",
                             customer->consent);
    return vt__check_id(customer->id, "id", fault) &&
           vt__check_attributes(customer->attributes, customer->n_attributes, fault);
}

static struct vt_err check_customers(const struct vt_customer *customers, uint32_t n,
                                     struct vt_diag *diag)
{
    struct vt__fault fault = {0};
    char field[VT_DIAG_FIELD_BYTES];
    if (n == 0 || n > CUSTOMERS_BATCH_MAX) {
        vt_diag_set(diag, "customers", "%u customers: send 1 to %u in a call", n,
                    CUSTOMERS_BATCH_MAX);
        return VT_ERR(VT_INVALID, "a call takes 1 to 1,000 customers");
    }
    for (uint32_t i = 0; i < n; i++) {
        if (check_customer(&customers[i], &fault))
            continue;
        snprintf(field, sizeof field, "customers[%u].%s", i, fault.field);
        vt_diag_set(diag, field, "%s", fault.text);
        return VT_ERR(VT_INVALID, "a customer is not valid");
    }
    return vt_ok();
}

void vt_profile_upsert_customers(struct vt_profile *profile, const struct vt_profile_write *write,
                                 const struct vt_customer *customers, uint32_t n_customers,
                                 struct vt_upsert_result *result)
{
    *result = (struct vt_upsert_result){0};
    struct vt_err err = check_customers(customers, n_customers, write->request->diag);
    if (vt_failed(err) || write->validate_only) {
        write->done(write->ctx, err);
        return;
    }
    vt__writer_submit(profile, &(struct vt__job){.apply = apply_upsert,
                                                 .n = n_customers,
                                                 .write = *write,
                                                 .input = customers,
                                                 .result = result});
}
