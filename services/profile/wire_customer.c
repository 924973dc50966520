/*
 * Customers and profiles as protobuf, both ways: the profile service answers GetProfile with what
 * the remote port of ranking decodes again, so the two stand in one file and a round trip gives the
 * same view.
 */
#include "services/profile/wire_customer.h"

#include "services/common/pb/pb.h"
#include "services/common/wire/check.h"
#include "services/common/wire/identity.h"
#include "services/common/wire/page.h"
#include "services/common/wire/parts.h"
#include "vitrine/v1/profile.pb-c.h"

enum { LIST_CUSTOMERS = 'C', LIST_PROFILES = 'P', CONSENT_MAX = 2 };

/* ---- one customer ---- */

static struct vt_field inside(struct vt_field place, const char *name)
{
    place.name = name;
    return place;
}

static struct vt_err decode_customer(const Vitrine__V1__Customer *message, struct vt_field place,
                                     struct vt_arena *arena, struct vt_diag *diag,
                                     struct vt_customer *ret_customer)
{
    VT_TRY(vt_check_count(message->n_attributes, 0, VT_CUSTOMER_ATTRIBUTES_MAX,
                          inside(place, "attributes"), diag));
    struct vt_attribute *attributes =
        vt_arena_array(arena, message->n_attributes, sizeof *attributes);
    if (attributes == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < message->n_attributes; i++) {
        attributes[i].key = vt_slice_str(message->attributes[i]->key);
        attributes[i].value = vt_slice_str(message->attributes[i]->value);
    }
    struct vt_customer customer = {
        .id = vt_slice_str(message->id),
        .consent = (int)message->consent,
        .attributes = attributes,
        .n_attributes = (uint32_t)message->n_attributes,
    };
    VT_TRY(vt_wire_time_decode(message->first_seen_time, inside(place, "first_seen_time"), diag,
                               &customer.first_seen_ms));
    VT_TRY(vt_wire_time_decode(message->last_seen_time, inside(place, "last_seen_time"), diag,
                               &customer.last_seen_ms));
    *ret_customer = customer;
    return vt_ok();
}

/* The limits of types.proto, for what a storefront sends. */
static struct vt_err check_customer(const struct vt_customer *customer, struct vt_field place,
                                    struct vt_diag *diag)
{
    VT_TRY(vt_check_id(customer->id, inside(place, "id"), diag));
    VT_TRY(vt_check_range(customer->consent, 0, CONSENT_MAX, inside(place, "consent"), diag));
    for (uint32_t i = 0; i < customer->n_attributes; i++) {
        VT_TRY(vt_check_id(customer->attributes[i].key, inside(place, "attributes key"), diag));
        VT_TRY(
            vt_check_text(customer->attributes[i].value, inside(place, "attributes value"), diag));
    }
    return vt_ok();
}

static struct vt_err fill_customer(const struct vt_customer *customer, struct vt_arena *arena,
                                   Vitrine__V1__Customer *message)
{
    message->id = vt_wire_text(arena, customer->id);
    message->consent = (Vitrine__V1__Consent)customer->consent;
    message->first_seen_time = vt_wire_time_encode(arena, customer->first_seen_ms);
    message->last_seen_time = vt_wire_time_encode(arena, customer->last_seen_ms);
    message->attributes = vt_wire_messages(
        arena, &vitrine__v1__customer__attributes_entry__descriptor, customer->n_attributes);
    if (message->attributes == NULL)
        return vt_wire_full();
    message->n_attributes = customer->n_attributes;
    for (uint32_t i = 0; i < customer->n_attributes; i++) {
        message->attributes[i]->key = vt_wire_text(arena, customer->attributes[i].key);
        message->attributes[i]->value = vt_wire_text(arena, customer->attributes[i].value);
    }
    return vt_ok();
}

/* ---- asking for profiles ---- */

static Vitrine__V1__ShownLimit *fill_shown_limit(const struct vt_shown_limit *limit,
                                                 Vitrine__V1__ShownLimit *message)
{
    if (limit->at_least == 0)
        return NULL;
    *message = (Vitrine__V1__ShownLimit)VITRINE__V1__SHOWN_LIMIT__INIT;
    message->at_least = limit->at_least;
    message->within_ms = limit->within_ms;
    return message;
}

static struct vt_err read_shown_limit(const Vitrine__V1__ShownLimit *message, struct vt_field place,
                                      struct vt_diag *diag, struct vt_shown_limit *ret_limit)
{
    if (message == NULL || message->at_least == 0)
        return vt_ok();
    VT_TRY(vt_check_range(message->at_least, 1, VT_SHOWN_TIMES_MAX, place, diag));
    if (message->within_ms < 1 || message->within_ms > VT_SHOWN_WITHIN_MAX_MS)
        return vt_check_failed(place, diag, "within_ms is 1 to 365 days");
    *ret_limit = (struct vt_shown_limit){message->at_least, message->within_ms};
    return vt_ok();
}

struct vt_err vt_wire_get_profile_encode(const struct vt_wire_get_profile *request,
                                         struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__GetProfileRequest message = VITRINE__V1__GET_PROFILE_REQUEST__INIT;
    message.customer_id = vt_wire_text(arena, request->key.customer_id);
    message.visitor_id = vt_wire_text(arena, request->key.visitor_id);
    message.max_events = request->max_events;
    message.identity = vt_wire_identity_encode(arena, &request->key.identity);
    Vitrine__V1__ShownLimit shown;
    message.shown = fill_shown_limit(&request->key.shown, &shown);
    return vt_wire_encode(&message.base, arena, ret_body);
}

static struct vt_err read_get_profile(const Vitrine__V1__GetProfileRequest *message,
                                      struct vt_field place, struct vt_diag *diag,
                                      struct vt_wire_get_profile *ret_request)
{
    struct vt_profile_key key = {
        .customer_id = vt_slice_str(message->customer_id),
        .visitor_id = vt_slice_str(message->visitor_id),
    };
    VT_TRY(
        vt_wire_identity_decode(message->identity, inside(place, "identity"), diag, &key.identity));
    if (vt_identity_choose(key.customer_id, key.visitor_id, key.identity).id.len == 0)
        return vt_check_failed(inside(place, "customer_id"), diag,
                               "empty, and visitor_id and identity too: one of them must say who");
    VT_TRY(vt_check_optional_id(key.customer_id, inside(place, "customer_id"), diag));
    VT_TRY(vt_check_optional_id(key.visitor_id, inside(place, "visitor_id"), diag));
    VT_TRY(
        vt_check_range(message->max_events, 0, VT_HISTORY_MAX, inside(place, "max_events"), diag));
    VT_TRY(read_shown_limit(message->shown, inside(place, "shown"), diag, &key.shown));
    ret_request->key = key;
    ret_request->max_events =
        message->max_events == 0 ? VT_PROFILE_EVENTS_DEFAULT : message->max_events;
    return vt_ok();
}

struct vt_err vt_wire_get_profile_decode(struct vt_slice body, struct vt_arena *arena,
                                         struct vt_diag *diag,
                                         struct vt_wire_get_profile *ret_request)
{
    Vitrine__V1__GetProfileRequest *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__get_profile_request__descriptor, body, arena, diag, &message));
    return read_get_profile(message, VT_FIELD(NULL), diag, ret_request);
}

struct vt_err vt_wire_batch_get_profiles_decode(struct vt_slice body, struct vt_arena *arena,
                                                struct vt_diag *diag,
                                                const struct vt_wire_get_profile **ret_requests,
                                                uint32_t *ret_n)
{
    Vitrine__V1__BatchGetProfilesRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__batch_get_profiles_request__descriptor, body, arena, diag,
                        &message));
    VT_TRY(
        vt_check_count(message->n_requests, 1, VT_PROFILE_BATCH_MAX, VT_FIELD("requests"), diag));
    struct vt_wire_get_profile *requests =
        vt_arena_array(arena, message->n_requests, sizeof *requests);
    if (requests == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < message->n_requests; i++)
        VT_TRY(read_get_profile(message->requests[i], VT_FIELD_AT("requests", i, NULL), diag,
                                &requests[i]));
    *ret_requests = requests;
    *ret_n = (uint32_t)message->n_requests;
    return vt_ok();
}

/* ---- answering with profiles ---- */

static struct vt_err fill_item_ids(const struct vt_profile_view *view, struct vt_item_table *items,
                                   struct vt_arena *arena, Vitrine__V1__GetProfileResponse *message)
{
    if (items == NULL)
        return vt_ok();
    uint32_t *numbers = vt_arena_array(arena, view->n_events, sizeof *numbers);
    struct vt_slice *ids = vt_arena_array(arena, view->n_events, sizeof *ids);
    if (numbers == NULL || ids == NULL)
        return vt_wire_full();
    for (uint32_t i = 0; i < view->n_events; i++)
        numbers[i] = view->events[i].item;
    unsigned ticket = vt_item_table_enter(items);
    vt_item_table_ids(items, numbers, view->n_events, ids);
    message->item_ids = vt_wire_texts(arena, ids, view->n_events);
    vt_item_table_leave(items, ticket);
    if (message->item_ids == NULL)
        return vt_wire_full();
    message->n_item_ids = view->n_events;
    return vt_ok();
}

static struct vt_err fill_shown(const struct vt_profile_view *view, struct vt_arena *arena,
                                Vitrine__V1__GetProfileResponse *message)
{
    if (view->n_shown == 0)
        return vt_ok();
    message->shown_items = vt_arena_array(arena, view->n_shown, sizeof *message->shown_items);
    if (message->shown_items == NULL)
        return vt_wire_full();
    for (uint32_t i = 0; i < view->n_shown; i++)
        message->shown_items[i] = view->shown[i];
    message->n_shown_items = view->n_shown;
    return vt_ok();
}

static struct vt_err fill_profile(const struct vt_profile_view *view, struct vt_item_table *items,
                                  struct vt_arena *arena, Vitrine__V1__GetProfileResponse *message)
{
    message->found = view->found;
    message->consent_given = view->consent;
    message->customer_number = view->customer_number;
    if (view->found) {
        message->customer = vt_wire_message(arena, &vitrine__v1__customer__descriptor);
        if (message->customer == NULL)
            return vt_wire_full();
        VT_TRY(fill_customer(&view->customer, arena, message->customer));
    }
    VT_TRY(vt_wire_history_encode(arena, view->events, view->n_events, &message->events));
    message->n_events = view->n_events;
    message->segments = vt_wire_texts(arena, view->segments, view->n_segments);
    if (message->segments == NULL)
        return vt_wire_full();
    message->n_segments = view->n_segments;
    VT_TRY(fill_shown(view, arena, message));
    return fill_item_ids(view, items, arena, message);
}

struct vt_err vt_wire_profile_encode(const struct vt_profile_view *view,
                                     struct vt_item_table *items, struct vt_arena *arena,
                                     struct vt_slice *ret_body)
{
    Vitrine__V1__GetProfileResponse response = VITRINE__V1__GET_PROFILE_RESPONSE__INIT;
    VT_TRY(fill_profile(view, items, arena, &response));
    return vt_wire_encode(&response.base, arena, ret_body);
}

struct vt_err vt_wire_profiles_encode(const struct vt_profile_view *views, uint32_t n,
                                      struct vt_item_table *items, struct vt_arena *arena,
                                      struct vt_slice *ret_body)
{
    Vitrine__V1__BatchGetProfilesResponse response = VITRINE__V1__BATCH_GET_PROFILES_RESPONSE__INIT;
    response.profiles = vt_wire_messages(arena, &vitrine__v1__get_profile_response__descriptor, n);
    if (response.profiles == NULL)
        return vt_wire_full();
    response.n_profiles = n;
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(fill_profile(&views[i], items, arena, response.profiles[i]));
    return vt_wire_encode(&response.base, arena, ret_body);
}

static struct vt_err read_profile(const Vitrine__V1__GetProfileResponse *message,
                                  struct vt_arena *arena, struct vt_diag *diag,
                                  struct vt_profile_view *ret_view)
{
    VT_TRY(vt_check_count(message->n_events, 0, VT_HISTORY_MAX, VT_FIELD("events"), diag));
    VT_TRY(vt_check_count(message->n_shown_items, 0, VT_SHOWN_ITEMS_MAX, VT_FIELD("shown_items"),
                          diag));
    struct vt_profile_view view = {
        .found = message->found,
        .customer_number = message->customer_number,
        .consent = message->consent_given,
        .n_events = (uint32_t)message->n_events,
        .n_segments = (uint32_t)message->n_segments,
        .shown = message->shown_items, /* in the arena, as the message is */
        .n_shown = (uint32_t)message->n_shown_items,
    };
    if (message->customer != NULL)
        VT_TRY(
            decode_customer(message->customer, VT_FIELD("customer"), arena, diag, &view.customer));
    VT_TRY(vt_wire_history_decode(arena, message->events, message->n_events, "events", diag,
                                  &view.events));
    VT_TRY(vt_wire_slices(arena, message->segments, message->n_segments, &view.segments));
    *ret_view = view;
    return vt_ok();
}

struct vt_err vt_wire_profile_decode(struct vt_slice body, struct vt_arena *arena,
                                     struct vt_diag *diag, struct vt_profile_view *ret_view)
{
    Vitrine__V1__GetProfileResponse *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__get_profile_response__descriptor, body, arena, diag, &message));
    return read_profile(message, arena, diag, ret_view);
}

/* ---- ListProfiles ---- */

struct vt_err vt_wire_list_profiles_encode(const struct vt_profile_page_query *query,
                                           struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__ListProfilesRequest message = VITRINE__V1__LIST_PROFILES_REQUEST__INIT;
    message.page_size = query->max;
    message.max_events = query->max_events;
    message.page_token = vt_wire_text(arena, vt_page_token_u64(arena, LIST_PROFILES, query->after));
    Vitrine__V1__ShownLimit shown;
    message.shown = fill_shown_limit(&query->shown, &shown);
    return vt_wire_encode(&message.base, arena, ret_body);
}

struct vt_err vt_wire_list_profiles_decode(struct vt_slice body, struct vt_arena *arena,
                                           struct vt_diag *diag,
                                           struct vt_profile_page_query *ret_query)
{
    Vitrine__V1__ListProfilesRequest *message = NULL;
    VT_TRY(
        vt_pb_decode(&vitrine__v1__list_profiles_request__descriptor, body, arena, diag, &message));
    VT_TRY(
        vt_check_range(message->page_size, 0, VT_PROFILE_BATCH_MAX, VT_FIELD("page_size"), diag));
    VT_TRY(vt_check_range(message->max_events, 0, VT_HISTORY_MAX, VT_FIELD("max_events"), diag));
    struct vt_profile_page_query query = {
        .max = message->page_size == 0 ? VT_PROFILE_PAGE_DEFAULT : message->page_size,
        .max_events = message->max_events == 0 ? VT_PROFILE_EVENTS_DEFAULT : message->max_events,
    };
    VT_TRY(read_shown_limit(message->shown, VT_FIELD("shown"), diag, &query.shown));
    VT_TRY(vt_page_place_u64(LIST_PROFILES, vt_slice_str(message->page_token), UINT64_MAX, diag,
                             &query.after));
    *ret_query = query;
    return vt_ok();
}

struct vt_err vt_wire_profile_page_encode(const struct vt_profile_page *page,
                                          struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__ListProfilesResponse response = VITRINE__V1__LIST_PROFILES_RESPONSE__INIT;
    response.profiles =
        vt_wire_messages(arena, &vitrine__v1__get_profile_response__descriptor, page->n);
    if (response.profiles == NULL)
        return vt_wire_full();
    response.n_profiles = page->n;
    for (uint32_t i = 0; i < page->n; i++)
        VT_TRY(fill_profile(&page->views[i], NULL, arena, response.profiles[i]));
    if (page->more)
        response.next_page_token =
            vt_wire_text(arena, vt_page_token_u64(arena, LIST_PROFILES, page->last));
    return vt_wire_encode(&response.base, arena, ret_body);
}

struct vt_err vt_wire_profile_page_decode(struct vt_slice body, struct vt_arena *arena,
                                          struct vt_diag *diag, struct vt_profile_page *ret_page)
{
    Vitrine__V1__ListProfilesResponse *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__list_profiles_response__descriptor, body, arena, diag,
                        &message));
    VT_TRY(
        vt_check_count(message->n_profiles, 0, VT_PROFILE_BATCH_MAX, VT_FIELD("profiles"), diag));
    struct vt_slice token = vt_slice_str(message->next_page_token);
    struct vt_profile_page page = {
        .views = vt_arena_array(arena, message->n_profiles + 1, sizeof *page.views),
        .n = (uint32_t)message->n_profiles,
        .more = token.len != 0,
    };
    if (page.views == NULL)
        return vt_wire_full();
    VT_TRY(vt_page_place_u64(LIST_PROFILES, token, UINT64_MAX, diag, &page.last));
    for (uint32_t i = 0; i < page.n; i++)
        VT_TRY(read_profile(message->profiles[i], arena, diag, &page.views[i]));
    *ret_page = page;
    return vt_ok();
}

/* ---- UpsertCustomers ---- */

struct vt_err vt_wire_upsert_customers_decode(struct vt_slice body, struct vt_arena *arena,
                                              struct vt_diag *diag,
                                              struct vt_wire_upsert_customers *ret_request)
{
    Vitrine__V1__UpsertCustomersRequest *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__upsert_customers_request__descriptor, body, arena, diag,
                        &message));
    VT_TRY(vt_check_count(message->n_customers, 1, VT_CUSTOMER_BATCH_MAX, VT_FIELD("customers"),
                          diag));
    struct vt_customer *customers = vt_arena_array(arena, message->n_customers, sizeof *customers);
    if (customers == NULL)
        return vt_wire_full();
    for (size_t i = 0; i < message->n_customers; i++) {
        struct vt_field place = VT_FIELD_AT("customers", i, NULL);
        VT_TRY(decode_customer(message->customers[i], place, arena, diag, &customers[i]));
        VT_TRY(check_customer(&customers[i], place, diag));
    }
    *ret_request = (struct vt_wire_upsert_customers){
        .customers = customers,
        .n_customers = (uint32_t)message->n_customers,
        .validate_only = message->validate_only,
    };
    return vt_ok();
}

struct vt_err vt_wire_upsert_customers_encode(const struct vt_upsert_result *result,
                                              struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__UpsertCustomersResponse response = VITRINE__V1__UPSERT_CUSTOMERS_RESPONSE__INIT;
    response.inserted = result->inserted;
    response.updated = result->updated;
    response.unchanged = result->unchanged;
    return vt_wire_encode(&response.base, arena, ret_body);
}

struct vt_err vt_wire_upsert_customers_request_encode(const struct vt_customer *customers,
                                                      uint32_t n, struct vt_arena *arena,
                                                      struct vt_slice *ret_body)
{
    Vitrine__V1__UpsertCustomersRequest request = VITRINE__V1__UPSERT_CUSTOMERS_REQUEST__INIT;
    request.customers = vt_wire_messages(arena, &vitrine__v1__customer__descriptor, n);
    if (request.customers == NULL)
        return vt_wire_full();
    request.n_customers = n;
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(fill_customer(&customers[i], arena, request.customers[i]));
    return vt_wire_encode(&request.base, arena, ret_body);
}

struct vt_err vt_wire_upsert_customers_response_decode(struct vt_slice body, struct vt_arena *arena,
                                                       struct vt_diag *diag,
                                                       struct vt_upsert_result *ret_result)
{
    Vitrine__V1__UpsertCustomersResponse *message = NULL;
    VT_TRY(vt_pb_decode(&vitrine__v1__upsert_customers_response__descriptor, body, arena, diag,
                        &message));
    *ret_result = (struct vt_upsert_result){
        .inserted = message->inserted,
        .updated = message->updated,
        .unchanged = message->unchanged,
    };
    return vt_ok();
}

/* ---- ListCustomers ---- */

struct vt_err vt_wire_list_customers_decode(struct vt_slice body, struct vt_arena *arena,
                                            struct vt_diag *diag,
                                            struct vt_wire_list_customers *ret_request)
{
    Vitrine__V1__ListCustomersRequest *message = NULL;
    struct vt_wire_list_customers request = {0};
    VT_TRY(vt_pb_decode(&vitrine__v1__list_customers_request__descriptor, body, arena, diag,
                        &message));
    VT_TRY(vt_page_size(message->page_size, diag, &request.page_size));
    VT_TRY(vt_page_place_u64(LIST_CUSTOMERS, vt_slice_str(message->page_token), UINT64_MAX, diag,
                             &request.after));
    *ret_request = request;
    return vt_ok();
}

struct vt_err vt_wire_list_customers_encode(const struct vt_customer *customers,
                                            uint32_t n_customers, bool more, uint64_t last_number,
                                            struct vt_arena *arena, struct vt_slice *ret_body)
{
    Vitrine__V1__ListCustomersResponse response = VITRINE__V1__LIST_CUSTOMERS_RESPONSE__INIT;
    response.customers = vt_wire_messages(arena, &vitrine__v1__customer__descriptor, n_customers);
    if (response.customers == NULL)
        return vt_wire_full();
    response.n_customers = n_customers;
    for (uint32_t i = 0; i < n_customers; i++)
        VT_TRY(fill_customer(&customers[i], arena, response.customers[i]));
    if (more)
        response.next_page_token =
            vt_wire_text(arena, vt_page_token_u64(arena, LIST_CUSTOMERS, last_number));
    return vt_wire_encode(&response.base, arena, ret_body);
}
