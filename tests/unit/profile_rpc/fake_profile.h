#ifndef TESTS_UNIT_PROFILE_RPC_FAKE_PROFILE_H
#define TESTS_UNIT_PROFILE_RPC_FAKE_PROFILE_H

/*
 * A profile domain that notes what it was asked and answers what the test says, so that the shell
 * can be tested alone. Included by one test program each; defines the functions of profile.h.
 */
#include "services/profile/erase.h"
#include "services/profile/export.h"
#include "services/profile/profile.h"

#include <pthread.h>
#include <stdio.h>

static struct {
    uint32_t n_events, n_items, n_customers, n_ids, mask, max_events, list_max;
    uint64_t list_after;
    bool validate_only;
    struct vt_shown_limit shown; /* as asked of vt_profile_get */
    struct vt_event first_event;
    struct vt_item first_item;
    struct vt_link link;
    struct vt_link_result link_result;
    struct vt_identity erased;
    struct vt_erasure erasure;
    struct vt_erasure_result erase_result;
    char actor[64];
    struct vt_err err;
    unsigned n_calls;
    struct vt_profile_view view;
    /* Watch: how many changes each vt_watch_next gives; ends with a 0 that is woken from. */
    uint32_t changes[4];
    unsigned n_next;
    unsigned n_open_watches;
    struct vt_watch *watch; /* the one open */
    pthread_t waker;
    bool waker_runs;
} fake;

struct vt_watch {
    void (*wake)(void *ctx);
    bool (*stalled)(void *ctx);
    void *ctx;
};

struct vt_err vt_profile_erase(struct vt_profile *profile, struct vt_request *request,
                               const struct vt_identity *who, const struct vt_erasure *erasure,
                               struct vt_erasure_result *ret_result)
{
    (void)profile;
    (void)request;
    fake.n_calls++;
    fake.erased = *who;
    fake.erasure = *erasure;
    snprintf(fake.actor, sizeof fake.actor, "%s", erasure->actor);
    *ret_result = fake.erase_result;
    return fake.err;
}

/* Exports are tested on a real store: export_stream_test.c. */
struct vt_err vt_export_open(struct vt_profile *profile, const struct vt_identity *who,
                             const char *actor, struct vt_diag *diag, struct vt_export **ret_export)
{
    (void)profile, (void)who, (void)actor, (void)diag, (void)ret_export;
    fake.n_calls++;
    return VT_ERR(VT_NOT_FOUND, "the fake knows nobody");
}

struct vt_err vt_export_next(struct vt_export *export, struct vt_diag *diag,
                             struct vt_slice *ret_line, bool *ret_more)
{
    (void)export, (void)diag, (void)ret_line, (void)ret_more;
    return VT_ERR(VT_INTERNAL, "nothing was opened");
}

void vt_export_close(struct vt_export *export)
{
    (void)export;
}

struct vt_err vt_profile_get(struct vt_profile *profile, struct vt_request *request,
                             const struct vt_profile_key *key, uint32_t max_events,
                             struct vt_profile_view *ret_view)
{
    (void)profile;
    (void)request;
    fake.n_calls++;
    fake.shown = key->shown;
    fake.max_events = max_events;
    *ret_view = fake.view;
    return fake.err;
}

void vt_profile_write_events(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_event *events, uint32_t n_events,
                             struct vt_event_result *results)
{
    (void)profile;
    fake.n_calls++;
    fake.n_events = n_events;
    fake.first_event = events[0];
    fake.validate_only = write->validate_only;
    for (uint32_t i = 0; i < n_events; i++)
        results[i] = (struct vt_event_result){.outcome = VT_EVENT_ACCEPTED, .sequence = 100 + i};
    write->done(write->ctx, fake.err);
}

void vt_profile_queue_events(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_event *events, uint32_t n_events,
                             struct vt_event_result *results)
{
    vt_profile_write_events(profile, write, events, n_events, results);
}

void vt_profile_link_identities(struct vt_profile *profile, const struct vt_profile_write *write,
                                const struct vt_link *link, struct vt_link_result *result)
{
    (void)profile;
    fake.n_calls++;
    fake.link = *link;
    fake.validate_only = write->validate_only;
    *result = fake.link_result;
    write->done(write->ctx, fake.err);
}

void vt_profile_upsert_customers(struct vt_profile *profile, const struct vt_profile_write *write,
                                 const struct vt_customer *customers, uint32_t n_customers,
                                 struct vt_upsert_result *result)
{
    (void)profile;
    (void)customers;
    fake.n_calls++;
    fake.n_customers = n_customers;
    fake.validate_only = write->validate_only;
    result->inserted = n_customers;
    write->done(write->ctx, fake.err);
}

void vt_profile_upsert_items(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_item *items, uint32_t n_items, uint32_t mask,
                             struct vt_upsert_result *result)
{
    (void)profile;
    fake.n_calls++;
    fake.n_items = n_items;
    fake.mask = mask;
    fake.first_item = items[0];
    fake.validate_only = write->validate_only;
    result->updated = n_items;
    result->sequence = 9;
    write->done(write->ctx, fake.err);
}

void vt_profile_delete_items(struct vt_profile *profile, const struct vt_profile_write *write,
                             const struct vt_slice *ids, uint32_t n_ids,
                             struct vt_delete_result *result)
{
    (void)profile;
    (void)ids;
    fake.n_calls++;
    fake.n_ids = n_ids;
    fake.validate_only = write->validate_only;
    result->missing[n_ids - 1] = true;
    result->deleted = n_ids - 1;
    write->done(write->ctx, fake.err);
}

/* Knows the SKU "mug" and every even number. */
struct vt_err vt_profile_get_item(struct vt_profile *profile, struct vt_request *request,
                                  struct vt_slice id, uint32_t number, struct vt_item *ret_item,
                                  bool *ret_found)
{
    (void)profile;
    (void)request;
    fake.n_calls++;
    *ret_found = id.len != 0 ? vt_slice_equal(id, vt_slice_str("mug")) : number % 2 == 0;
    if (*ret_found)
        *ret_item = (struct vt_item){.number = number, .id = id};
    return fake.err;
}

/* Five items, numbered 1 to 5. */
struct vt_err vt_profile_list_items(struct vt_profile *profile, struct vt_request *request,
                                    const struct vt_item_page_query *query,
                                    struct vt_item_page *page)
{
    (void)profile;
    (void)request;
    fake.list_after = query->after;
    fake.list_max = query->max;
    for (uint32_t number = query->after + 1; number <= 5 && page->n < query->max; number++) {
        const struct vt_item item = {.number = number, .id = vt_slice_str("item"), .price = number};
        if (query->filter == NULL || vt_filter_matches_item(query->filter, &item, 0))
            page->items[page->n++] = item;
        page->last = number;
    }
    page->more = page->last < 5;
    return fake.err;
}

/* Five customers, numbered 1 to 5. */
struct vt_err vt_profile_list_customers(struct vt_profile *profile, struct vt_request *request,
                                        uint64_t after, uint32_t max,
                                        struct vt_customer *ret_customers, uint64_t *ret_numbers,
                                        uint32_t *ret_n, bool *ret_more)
{
    (void)profile;
    (void)request;
    uint32_t n = 0;
    for (uint64_t number = after + 1; number <= 5 && n < max; number++) {
        ret_numbers[n] = number;
        ret_customers[n++] = (struct vt_customer){.id = vt_slice_str("anna")};
    }
    *ret_n = n;
    *ret_more = after + n < 5;
    return fake.err;
}

struct vt_err vt_profile_list(struct vt_profile *profile, struct vt_request *request,
                              const struct vt_profile_page_query *query,
                              struct vt_profile_page *ret_page)
{
    (void)profile;
    static const struct vt_history_event events[] = {
        {.item = 7, .type = VT_EVENT_VIEW, .time_ms = 9}};
    struct vt_profile_page page = {
        .views = vt_arena_array(request->arena, query->max, sizeof *page.views),
        .more = query->after + query->max < 5,
    };
    for (uint64_t number = query->after + 1; number <= 5 && page.n < query->max; number++)
        page.views[page.n++] = (struct vt_profile_view){.found = true,
                                                        .consent = number != 2,
                                                        .customer_number = page.last = number,
                                                        .customer.id = vt_slice_str("anna"),
                                                        .events = events,
                                                        .n_events = number != 2};
    *ret_page = page;
    return fake.err;
}

struct vt_err vt_watch_open(struct vt_profile *profile, uint64_t since_sequence,
                            void (*wake)(void *ctx), void *ctx, struct vt_watch **ret_watch)
{
    static struct vt_watch watch;
    (void)profile;
    (void)since_sequence;
    if (vt_failed(fake.err))
        return fake.err;
    watch = (struct vt_watch){.wake = wake, .ctx = ctx};
    fake.n_open_watches++;
    *ret_watch = &watch;
    return vt_ok();
}

static void *wake_it(void *ctx)
{
    struct vt_watch *watch = ctx;
    watch->wake(watch->ctx);
    return NULL;
}

struct vt_err vt_watch_next(struct vt_watch *watch, struct vt_arena *arena, uint32_t max,
                            struct vt_change *ret_changes, uint32_t *ret_n)
{
    (void)arena;
    uint32_t n = fake.changes[fake.n_next++];
    if (n > max)
        n = max;
    for (uint32_t i = 0; i < n; i++)
        ret_changes[i] = (struct vt_change){
            .sequence = i + 1, .kind = VT_CHANGE_DELETE, .item = {.number = i + 1}};
    *ret_n = n;
    if (n == 0 && !fake.waker_runs) {
        fake.waker_runs = true;
        pthread_create(&fake.waker, NULL, wake_it, watch);
    }
    return vt_ok();
}

void vt_watch_on_stall(struct vt_watch *watch, bool (*stalled)(void *ctx))
{
    watch->stalled = stalled;
    fake.watch = watch;
}

void vt_watch_close(struct vt_watch *watch)
{
    if (watch == NULL)
        return;
    if (fake.waker_runs)
        pthread_join(fake.waker, NULL); /* no wake after this, as the header says */
    fake.n_open_watches--;
}

struct vt_err vt_profile_checkpoint(struct vt_profile *profile, const char *directory,
                                    struct vt_diag *diag, uint64_t *ret_sequence)
{
    (void)profile;
    (void)directory;
    (void)diag;
    fake.n_calls++;
    *ret_sequence = 77;
    return fake.err;
}

#endif
