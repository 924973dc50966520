/* vitrine profile: GetProfile, and the titles of its items from the catalog of the same target. */
#include "services/client/client.h"
#include "services/client/identity.h"
#include "services/client/print.h"
#include "services/client/session.h"
#include "services/common/base/table.h"
#include "vitrine/v1/catalog.pb-c.h"
#include "vitrine/v1/profile.pb-c.h"

#include <stdio.h>
#include <string.h>

/* Titles are a courtesy: a target without a catalog (a ranking service alone) prints none. */
static const Vitrine__V1__GetItemsResponse *
fetch_items(struct vt_session *session, const Vitrine__V1__GetProfileResponse *profile)
{
    static const Vitrine__V1__GetItemsResponse none = VITRINE__V1__GET_ITEMS_RESPONSE__INIT;
    Vitrine__V1__GetItemsRequest request = VITRINE__V1__GET_ITEMS_REQUEST__INIT;
    uint32_t numbers[VT_HISTORY_MAX];
    for (size_t i = 0; i < profile->n_events && i < VT_HISTORY_MAX; i++)
        numbers[request.n_numbers++] = profile->events[i]->item_number;
    request.numbers = numbers;
    if (request.n_numbers == 0)
        return &none;
    Vitrine__V1__GetItemsResponse *items;
    struct vt_err err =
        vt__session_call(session, "/vitrine.v1.CatalogService/GetItems", NULL, &request.base,
                         &vitrine__v1__get_items_response__descriptor, &items);
    return vt_failed(err) ? &none : items;
}

static const char *title_of(const Vitrine__V1__GetItemsResponse *items, uint32_t number)
{
    for (size_t i = 0; i < items->n_items; i++)
        if (items->items[i]->number == number)
            return items->items[i]->title;
    return "";
}

static void put_event(struct vt_table *table, const Vitrine__V1__HistoryEvent *event,
                      const char *sku, const char *title)
{
    const char *type = vt_event_type_name((unsigned)event->type);
    vt__put_time(table, (time_t)(event->time_ms / 1000));
    vt_table_cell(table, vt_slice_str(type != NULL ? type : "?"));
    vt_table_cellf(table, "%g", (double)event->value);
    vt_table_cell(table, vt_slice_str(sku));
    vt_table_cell(table, vt_slice_str(title));
}

static void print_events(struct vt_session *session, const Vitrine__V1__GetProfileResponse *profile)
{
    static const char *const heads[] = {"when (UTC)", "event", ">value", "item", "title"};
    const Vitrine__V1__GetItemsResponse *items = fetch_items(session, profile);
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < profile->n_events; i++) {
        const Vitrine__V1__HistoryEvent *event = profile->events[i];
        const char *sku = i < profile->n_item_ids ? profile->item_ids[i] : "";
        put_event(table, event, sku, title_of(items, event->item_number));
    }
    vt_table_print(table, stdout);
    vt_table_free(table);
}

static int print_profile(struct vt_session *session, const Vitrine__V1__GetProfileResponse *profile)
{
    if (session->client->json)
        return vt__print_json(&profile->base);
    if (!profile->found) {
        puts("nothing is known about this customer yet");
        return 0;
    }
    static const char *const consents[] = {"not said", "granted", "denied"};
    const Vitrine__V1__Customer *customer = profile->customer;
    unsigned consent = customer != NULL ? (unsigned)customer->consent : 0;
    printf("customer %s   consent %s   %zu events shown\n", customer != NULL ? customer->id : "",
           consent < 3 ? consents[consent] : "?", profile->n_events);
    for (size_t i = 0; customer != NULL && i < customer->n_attributes; i++)
        printf("  %s: %s\n", customer->attributes[i]->key, customer->attributes[i]->value);
    putchar('\n');
    print_events(session, profile);
    return 0;
}

int vt_client_profile(const struct vt_client *client, const struct vt_client_ask *ask,
                      uint32_t max_events)
{
    Vitrine__V1__GetProfileRequest request = VITRINE__V1__GET_PROFILE_REQUEST__INIT;
    request.customer_id = (char *)(ask->customer != NULL ? ask->customer : "");
    request.visitor_id = (char *)(ask->visitor != NULL ? ask->visitor : "");
    struct vt__identity_message identity;
    request.identity = vt__identity_fill(&identity, &ask->identity);
    request.max_events = max_events;
    struct vt_session session;
    struct vt_err err = vt__session_open(client, &session);
    if (vt_failed(err))
        return vt__session_exit_status(err);
    Vitrine__V1__GetProfileResponse *profile;
    err = vt__session_call(&session, "/vitrine.v1.ProfileService/GetProfile",
                           vt__identity_key(ask->customer, ask->visitor, request.identity),
                           &request.base, &vitrine__v1__get_profile_response__descriptor, &profile);
    int status = vt_failed(err) ? vt__session_exit_status(err) : print_profile(&session, profile);
    vt__session_close(&session);
    return status;
}
