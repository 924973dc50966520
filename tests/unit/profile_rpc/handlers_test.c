/* The profile shell through the loopback, in front of a fake domain: each method, and each limit of
 * the contract at its value and one beyond. */
#include "services/common/pb/pb.h"
#include "services/common/rpc/loopback.h"
#include "services/profile/handlers.h"
#include "services/profile/wire_change.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_event.h"
#include "services/profile/wire_item.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/profile_rpc/fake_profile.h"
#include "vitrine/v1/admin.pb-c.h"
#include "vitrine/v1/catalog.pb-c.h"
#include "vitrine/v1/event.pb-c.h"
#include "vitrine/v1/profile.pb-c.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static unsigned char memory[16 << 20];
static struct vt_arena arena;
static struct vt_profile_rpc *rpc;
static struct vt_diag diag;

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    memset(&fake, 0, sizeof fake);
    fake.err = vt_ok();
    return vt_failed(vt_profile_rpc_new(NULL, NULL, &rpc));
}

static int end(void **state)
{
    (void)state;
    vt_profile_rpc_free(rpc);
    return 0;
}

static struct vt_rpc_loopback_options options_of(bool local)
{
    struct vt_rpc_loopback_options options = {
        .service = rpc, .local = local, .arena_bytes = 4 << 20};
    options.methods = vt_profile_rpc_methods(&options.n_methods);
    return options;
}

static struct vt_rpc_loopback_result call(const char *path, const ProtobufCMessage *message)
{
    struct vt_slice body;
    struct vt_rpc_loopback_options options = options_of(false);
    assert_ok(vt_pb_encode(message, &arena, &body));
    return vt_rpc_loopback_call(&options, path, body, &arena);
}

static void *reply_of(struct vt_rpc_loopback_result result, const ProtobufCMessageDescriptor *type)
{
    void *message = NULL;
    assert_ok(result.err);
    assert_ok(vt_pb_decode(type, result.body, &arena, &diag, &message));
    return message;
}

static char *text_of(size_t len)
{
    char *text = vt_arena_alloc(&arena, len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static char **texts_of(size_t n, size_t len)
{
    char **texts = vt_arena_array(&arena, n, sizeof *texts);
    for (size_t i = 0; i < n; i++)
        texts[i] = text_of(len);
    return texts;
}

static void *messages_of(const ProtobufCMessageDescriptor *type, size_t n)
{
    void **list = vt_arena_array(&arena, n, sizeof *list);
    for (size_t i = 0; i < n; i++) {
        list[i] = vt_arena_alloc(&arena, type->sizeof_message);
        protobuf_c_message_init(type, list[i]);
    }
    return list;
}

/* ---- EventService ---- */

#define WRITE_EVENTS "/vitrine.v1.EventService/WriteEvents"

static Google__Protobuf__Timestamp noon = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

static Vitrine__V1__WriteEventsRequest events_of(size_t n)
{
    Vitrine__V1__WriteEventsRequest message = VITRINE__V1__WRITE_EVENTS_REQUEST__INIT;
    noon.seconds = 1700000000;
    noon.nanos = 5000000;
    message.n_events = n;
    message.events = messages_of(&vitrine__v1__event__descriptor, n);
    for (size_t i = 0; i < n; i++) {
        message.events[i]->event_id = text_of(8);
        message.events[i]->type = VITRINE__V1__EVENT_TYPE__EVENT_TYPE_VIEW;
        message.events[i]->customer_id = text_of(4);
        message.events[i]->item_id = text_of(3);
        message.events[i]->time = &noon;
    }
    return message;
}

static void write_events_takes_1_to_1000(void **state)
{
    (void)state;
    const struct {
        size_t n;
        enum vt_code code;
    } rows[] = {{0, VT_INVALID}, {1, VT_OK}, {1000, VT_OK}, {1001, VT_INVALID}};
    for (size_t i = 0; i < 4; i++) {
        Vitrine__V1__WriteEventsRequest message = events_of(rows[i].n);
        assert_code(call(WRITE_EVENTS, &message.base).err, rows[i].code);
    }
    assert_int_equal(fake.n_events, 1000);
    assert_int_equal(fake.first_event.time_ms, INT64_C(1700000000005));
}

static void write_events_rejects_one_bad_event_and_writes_the_others(void **state)
{
    (void)state;
    Vitrine__V1__WriteEventsRequest message = events_of(5);
    Google__Protobuf__Timestamp broken = noon;
    broken.nanos = 1000000000;
    message.events[0]->time = NULL;
    message.events[2]->time = &broken;
    message.events[3]->type = (Vitrine__V1__EventType)99;
    Vitrine__V1__WriteEventsResponse *got = reply_of(
        call(WRITE_EVENTS, &message.base), &vitrine__v1__write_events_response__descriptor);
    assert_int_equal(fake.n_events, 2);
    assert_int_equal(got->n_results, 5);
    assert_int_equal(got->accepted, 2);
    assert_int_equal(got->rejected, 3);
    const char *fields[5] = {"time", "", "time", "type", ""};
    for (int i = 0; i < 5; i++)
        assert_string_equal(got->results[i]->field, fields[i]);
    assert_string_equal(got->results[2]->reason, "nanos 1000000000, must be 0 to 999999999");
    assert_int_equal(got->results[1]->sequence, 100);
    assert_int_equal(got->results[4]->sequence, 101);
}

static void write_events_with_only_bad_events_does_not_bother_the_store(void **state)
{
    (void)state;
    Vitrine__V1__WriteEventsRequest message = events_of(1);
    message.events[0]->time = NULL;
    Vitrine__V1__WriteEventsResponse *got = reply_of(
        call(WRITE_EVENTS, &message.base), &vitrine__v1__write_events_response__descriptor);
    assert_int_equal(got->rejected, 1);
    assert_int_equal(fake.n_calls, 0);
}

static void write_events_over_the_queues_limit_is_exhausted(void **state)
{
    (void)state;
    Vitrine__V1__WriteEventsRequest message = events_of(1);
    fake.err = VT_ERR(VT_EXHAUSTED, "the write queue is full");
    assert_code(call(WRITE_EVENTS, &message.base).err, VT_EXHAUSTED);
}

/* ---- the caller's side of the writes, as the importer uses it ---- */

static struct vt_slice answer_to(const char *path, struct vt_slice body)
{
    struct vt_rpc_loopback_options options = options_of(true);
    struct vt_rpc_loopback_result result = vt_rpc_loopback_call(&options, path, body, &arena);
    assert_ok(result.err);
    return result.body;
}

static struct vt_event whole_event(void)
{
    return (struct vt_event){
        .event_id = vt_slice_str("e1"),
        .type = VT_EVENT_PURCHASE,
        .customer_id = vt_slice_str("c1"),
        .visitor_id = vt_slice_str("v1"),
        .item_id = vt_slice_str("i1"),
        .channel = vt_slice_str("web"),
        .currency_code = vt_slice_str("EUR"),
        .query = vt_slice_str("teapot"),
        .attribution_token = vt_slice_str("token"),
        .time_ms = INT64_C(1700000000005),
        .quantity = 2,
        .revenue = 19.5,
        .cost = 7.25,
        .value = 1,
    };
}

static void sent_events_arrive_equal_and_results_come_back_in_order(void **state)
{
    (void)state;
    struct vt_event events[3] = {whole_event(), whole_event(), whole_event()};
    struct vt_event_result results[3];
    struct vt_slice body;
    events[1].time_ms = 0; /* rejected at the door, so that places shift */
    assert_ok(vt_wire_write_events_request_encode(events, 3, &arena, &body));
    struct vt_slice answer = answer_to(WRITE_EVENTS, body);
    assert_ok(vt_wire_write_events_response_decode(answer, 3, &arena, &diag, results));
    struct vt_wire_write_events arrived;
    assert_ok(vt_wire_write_events_decode(body, &arena, &diag, &arrived));
    assert_int_equal(arrived.n_events, 2);
    const struct vt_event *got = &arrived.events[0];
    assert_true(vt_slice_equal(got->event_id, events[0].event_id));
    assert_int_equal(got->type, VT_EVENT_PURCHASE);
    assert_true(vt_slice_equal(got->customer_id, events[0].customer_id));
    assert_true(vt_slice_equal(got->visitor_id, events[0].visitor_id));
    assert_true(vt_slice_equal(got->item_id, events[0].item_id));
    assert_true(vt_slice_equal(got->channel, events[0].channel));
    assert_true(vt_slice_equal(got->currency_code, events[0].currency_code));
    assert_true(vt_slice_equal(got->query, events[0].query));
    assert_true(vt_slice_equal(got->attribution_token, events[0].attribution_token));
    assert_int_equal(got->time_ms, events[0].time_ms);
    assert_true(got->quantity == 2 && got->revenue == 19.5 && got->cost == 7.25 && got->value == 1);
    assert_int_equal(results[0].outcome, VT_EVENT_ACCEPTED);
    assert_int_equal(results[1].outcome, VT_EVENT_REJECTED);
    assert_string_equal(results[1].field, "time");
    assert_true(results[1].reason.len > 0);
    assert_int_equal(results[2].sequence, 101);
}

static void results_that_do_not_fit_the_events_are_refused(void **state)
{
    (void)state;
    struct vt_event events[2] = {whole_event(), whole_event()};
    struct vt_event_result results[3] = {0};
    struct vt_slice body;
    assert_ok(vt_wire_write_events_request_encode(events, 2, &arena, &body));
    struct vt_slice answer = answer_to(WRITE_EVENTS, body);
    assert_code(vt_wire_write_events_response_decode(answer, 1, &arena, &diag, results),
                VT_INVALID);
    assert_code(vt_wire_write_events_response_decode(answer, 3, &arena, &diag, results),
                VT_INVALID);
    Vitrine__V1__EventResult odd = VITRINE__V1__EVENT_RESULT__INIT, *odds[] = {&odd};
    Vitrine__V1__WriteEventsResponse message = VITRINE__V1__WRITE_EVENTS_RESPONSE__INIT;
    odd.outcome = (Vitrine__V1__EventOutcome)4;
    message.n_results = 1;
    message.results = odds;
    assert_ok(vt_pb_encode(&message.base, &arena, &answer));
    assert_code(vt_wire_write_events_response_decode(answer, 1, &arena, &diag, results),
                VT_INVALID);
    assert_string_equal(diag.field, "results[0].outcome");
    assert_int_equal(results[0].outcome, 0); /* untouched */
}

static void sent_items_and_customers_arrive_and_are_counted(void **state)
{
    (void)state;
    const struct vt_attribute attribute = {vt_slice_str("size"), vt_slice_str("L")};
    const struct vt_item items[2] = {{.id = vt_slice_str("i1"),
                                      .title = vt_slice_str("Mug"),
                                      .price = 3.5,
                                      .stock = -1,
                                      .categories = {vt_slice_str("Kitchen")},
                                      .n_categories = 1,
                                      .attributes = &attribute,
                                      .n_attributes = 1},
                                     {.id = vt_slice_str("i2")}};
    const struct vt_customer customer = {
        .id = vt_slice_str("c1"), .consent = 2, .attributes = &attribute, .n_attributes = 1};
    struct vt_upsert_result result;
    struct vt_slice body;
    assert_ok(vt_wire_upsert_items_request_encode(items, 2, &arena, &body));
    struct vt_wire_upsert_items arrived;
    assert_ok(vt_wire_upsert_items_decode(body, &arena, &diag, &arrived));
    assert_true(vt_slice_equal(arrived.items[0].title, items[0].title));
    assert_true(vt_slice_equal(arrived.items[0].categories[0], items[0].categories[0]));
    assert_true(vt_slice_equal(arrived.items[0].attributes[0].value, attribute.value));
    assert_true(arrived.items[0].price == 3.5 && arrived.items[0].stock == -1);
    body = answer_to("/vitrine.v1.CatalogService/UpsertItems", body);
    assert_ok(vt_wire_upsert_items_response_decode(body, &arena, &diag, &result));
    assert_int_equal(result.updated, 2);
    assert_int_equal(result.sequence, 9);
    assert_int_equal(fake.mask, 0);
    assert_ok(vt_wire_upsert_customers_request_encode(&customer, 1, &arena, &body));
    struct vt_wire_upsert_customers arrived_customers;
    assert_ok(vt_wire_upsert_customers_decode(body, &arena, &diag, &arrived_customers));
    assert_int_equal(arrived_customers.customers[0].consent, 2);
    assert_true(vt_slice_equal(arrived_customers.customers[0].attributes[0].key, attribute.key));
    body = answer_to("/vitrine.v1.ProfileService/UpsertCustomers", body);
    assert_ok(vt_wire_upsert_customers_response_decode(body, &arena, &diag, &result));
    assert_int_equal(result.inserted, 1);
    assert_int_equal(fake.n_customers, 1);
}

static void a_request_larger_than_the_arena_is_exhausted(void **state)
{
    (void)state;
    static unsigned char little[256];
    struct vt_arena small;
    struct vt_slice body;
    const struct vt_event event = whole_event();
    const struct vt_item item = {.id = vt_slice_str("i1")};
    const struct vt_customer customer = {.id = vt_slice_str("c1")};
    vt_arena_init(&small, little, sizeof little);
    assert_code(vt_wire_write_events_request_encode(&event, 1, &small, &body), VT_EXHAUSTED);
    vt_arena_init(&small, little, 64);
    assert_code(vt_wire_upsert_items_request_encode(&item, 1, &small, &body), VT_EXHAUSTED);
    vt_arena_init(&small, little, 32);
    assert_code(vt_wire_upsert_customers_request_encode(&customer, 1, &small, &body), VT_EXHAUSTED);
}

/* ---- ProfileService ---- */

static void get_profile_wants_somebody_and_bounded_events(void **state)
{
    (void)state;
    const struct {
        size_t customer_len, visitor_len;
        uint32_t max_events;
        const char *message; /* NULL: fine */
    } rows[] = {
        {0, 0, 0, "customer_id: empty, and visitor_id and identity too: one of them must say who"},
        {128, 0, 0, NULL},
        {0, 128, 0, NULL},
        {129, 0, 0, "customer_id: 129 bytes, at most 128"},
        {1, 129, 0, "visitor_id: 129 bytes, at most 128"},
        {1, 0, 201, "max_events: 201, must be 0 to 200"},
        {1, 0, 200, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Vitrine__V1__GetProfileRequest message = VITRINE__V1__GET_PROFILE_REQUEST__INIT;
        message.customer_id = text_of(rows[i].customer_len);
        message.visitor_id = text_of(rows[i].visitor_len);
        message.max_events = rows[i].max_events;
        struct vt_rpc_loopback_result result =
            call("/vitrine.v1.ProfileService/GetProfile", &message.base);
        if (rows[i].message == NULL)
            assert_ok(result.err);
        else
            assert_string_equal(result.message, rows[i].message);
    }
    assert_int_equal(fake.max_events, 200);
}

static void profile_comes_through_the_wire_equal(void **state)
{
    (void)state;
    const struct vt_history_event events[] = {
        {.item = 3, .type = 15, .channel = 2, .value = 2.5F, .time_ms = INT64_C(1700000000001)},
        {.item = UINT32_MAX, .type = 1, .value = 1, .time_ms = INT64_C(946684800000)},
    };
    const struct vt_attribute attributes[] = {{vt_slice_str("tier"), vt_slice_str("gold")}};
    const struct vt_slice segments[] = {vt_slice_str("loyal")};
    struct vt_profile_view view = {
        .found = true,
        .customer_number = UINT64_MAX,
        .consent = true,
        .customer = {.id = vt_slice_str("anna"),
                     .attributes = attributes,
                     .n_attributes = 1,
                     .first_seen_ms = 5,
                     .last_seen_ms = INT64_C(1700000000001)},
        .events = events,
        .n_events = 2,
        .segments = segments,
        .n_segments = 1,
    };
    struct vt_profile_view got;
    struct vt_slice body;
    assert_ok(vt_wire_profile_encode(&view, NULL, &arena, &body));
    assert_ok(vt_wire_profile_decode(body, &arena, &diag, &got));
    assert_true(got.found && got.consent);
    assert_int_equal(got.customer_number, view.customer_number);
    assert_int_equal(got.customer.consent, 0); /* said nothing: the default decided */
    assert_true(vt_slice_equal(got.customer.id, view.customer.id));
    assert_int_equal(got.customer.first_seen_ms, 5);
    assert_int_equal(got.customer.last_seen_ms, view.customer.last_seen_ms);
    assert_int_equal(got.customer.n_attributes, 1);
    assert_true(vt_slice_equal(got.customer.attributes[0].value, attributes[0].value));
    assert_int_equal(got.n_events, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(got.events[i].item, events[i].item);
        assert_int_equal(got.events[i].type, events[i].type);
        assert_int_equal(got.events[i].channel, events[i].channel);
        assert_memory_equal(&got.events[i].value, &events[i].value, sizeof(float));
        assert_int_equal(got.events[i].time_ms, events[i].time_ms);
    }
    assert_int_equal(got.n_segments, 1);
    assert_true(vt_slice_equal(got.segments[0], segments[0]));
}

static void batch_get_profiles_takes_1_to_100(void **state)
{
    (void)state;
    const struct {
        size_t n;
        enum vt_code code;
    } rows[] = {{0, VT_INVALID}, {100, VT_OK}, {101, VT_INVALID}};
    for (size_t i = 0; i < 3; i++) {
        Vitrine__V1__BatchGetProfilesRequest message =
            VITRINE__V1__BATCH_GET_PROFILES_REQUEST__INIT;
        message.n_requests = rows[i].n;
        message.requests = messages_of(&vitrine__v1__get_profile_request__descriptor, rows[i].n);
        for (size_t j = 0; j < rows[i].n; j++)
            message.requests[j]->customer_id = text_of(1);
        assert_code(call("/vitrine.v1.ProfileService/BatchGetProfiles", &message.base).err,
                    rows[i].code);
    }
    assert_int_equal(fake.n_calls, 100);
}

static void upsert_customers_checks_each_customer(void **state)
{
    (void)state;
    Vitrine__V1__UpsertCustomersRequest message = VITRINE__V1__UPSERT_CUSTOMERS_REQUEST__INIT;
    message.validate_only = 1;
    message.n_customers = 2;
    message.customers = messages_of(&vitrine__v1__customer__descriptor, 2);
    message.customers[0]->id = text_of(128);
    message.customers[1]->id = text_of(1);
    assert_ok(call("/vitrine.v1.ProfileService/UpsertCustomers", &message.base).err);
    assert_true(fake.validate_only);
    message.customers[1]->consent = (Vitrine__V1__Consent)3;
    assert_string_equal(call("/vitrine.v1.ProfileService/UpsertCustomers", &message.base).message,
                        "customers[1].consent: 3, must be 0 to 2");
    message.customers[1]->id = text_of(0);
    assert_string_equal(call("/vitrine.v1.ProfileService/UpsertCustomers", &message.base).message,
                        "customers[1].id: empty, must be 1 to 128 bytes");
}

/* ---- CatalogService ---- */

#define UPSERT_ITEMS "/vitrine.v1.CatalogService/UpsertItems"

static Vitrine__V1__UpsertItemsRequest items_of(size_t n)
{
    Vitrine__V1__UpsertItemsRequest message = VITRINE__V1__UPSERT_ITEMS_REQUEST__INIT;
    message.n_items = n;
    message.items = messages_of(&vitrine__v1__item__descriptor, n);
    for (size_t i = 0; i < n; i++)
        message.items[i]->id = text_of(5);
    return message;
}

static void long_title(Vitrine__V1__Item *item)
{
    item->title = text_of(1025);
}
static void negative_price(Vitrine__V1__Item *item)
{
    item->price = -0.01;
}
static void nan_price(Vitrine__V1__Item *item)
{
    item->price = NAN;
}
static void infinite_cost(Vitrine__V1__Item *item)
{
    item->cost = INFINITY;
}
static void bad_currency(Vitrine__V1__Item *item)
{
    item->currency_code = (char *)"eur";
}
static void nine_categories(Vitrine__V1__Item *item)
{
    item->n_categories = 9;
    item->categories = texts_of(9, 1);
}
static void many_attributes(Vitrine__V1__Item *item)
{
    item->n_attributes = 65;
    item->attributes = messages_of(&vitrine__v1__item__attributes_entry__descriptor, 65);
}
static void stock_below(Vitrine__V1__Item *item)
{
    item->stock = -2;
}
static void ends_before_it_begins(Vitrine__V1__Item *item)
{
    item->available_from = item->available_until = &noon;
}

static void upsert_items_refuses_what_is_no_product_and_says_where(void **state)
{
    (void)state;
    const struct {
        void (*spoil)(Vitrine__V1__Item *item);
        const char *message;
    } rows[] = {
        {long_title, "items[1].title: 1025 bytes, at most 1024"},
        {negative_price, "items[1].price: -0.01, must be at least 0"},
        {nan_price, "items[1].price: nan, must be a finite number"},
        {infinite_cost, "items[1].cost: inf, must be a finite number"},
        {bad_currency,
         "items[1].currency_code: 'eur', must be empty or three capital letters such as EUR"},
        {nine_categories, "items[1].categories: 9 given, at most 8"},
        {many_attributes, "items[1].attributes: 65 given, at most 64"},
        {stock_below, "items[1].stock: -2, must be at least 0, or -1 for always available"},
        {ends_before_it_begins, "items[1].available_until: must be later than available_from"},
    };
    noon.seconds = 1700000000;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Vitrine__V1__UpsertItemsRequest message = items_of(2);
        rows[i].spoil(message.items[1]);
        struct vt_rpc_loopback_result result = call(UPSERT_ITEMS, &message.base);
        assert_code(result.err, VT_INVALID);
        assert_string_equal(result.message, rows[i].message);
    }
    assert_int_equal(fake.n_calls, 0);
}

static void upsert_items_takes_1_to_1000_with_fields_at_their_limits(void **state)
{
    (void)state;
    Vitrine__V1__UpsertItemsRequest none = items_of(0), most = items_of(1000),
                                    over = items_of(1001);
    most.items[0]->title = text_of(1024);
    most.items[0]->n_categories = 8;
    most.items[0]->categories = texts_of(8, 1024);
    most.items[0]->stock = -1;
    assert_code(call(UPSERT_ITEMS, &none.base).err, VT_INVALID);
    assert_ok(call(UPSERT_ITEMS, &most.base).err);
    assert_int_equal(fake.n_items, 1000);
    assert_int_equal(fake.first_item.n_categories, 8);
    assert_int_equal(fake.first_item.stock, -1);
    assert_code(call(UPSERT_ITEMS, &over.base).err, VT_INVALID);
}

static void update_mask_names_fields_and_suggests_the_nearest(void **state)
{
    (void)state;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    char *good[] = {(char *)"price", (char *)"stock"}, *wrong[] = {(char *)"prise"};
    Vitrine__V1__UpsertItemsRequest message = items_of(1);
    message.update_mask = &mask;
    mask.n_paths = 2;
    mask.paths = good;
    assert_ok(call(UPSERT_ITEMS, &message.base).err);
    assert_int_equal(fake.mask, VT_ITEM_PRICE | VT_ITEM_STOCK);
    mask.n_paths = 1;
    mask.paths = wrong;
    struct vt_rpc_loopback_result result = call(UPSERT_ITEMS, &message.base);
    assert_code(result.err, VT_INVALID);
    assert_non_null(strstr(result.message, "did you mean 'price'?"));
}

static void get_items_tells_found_from_missing(void **state)
{
    (void)state;
    Vitrine__V1__GetItemsRequest message = VITRINE__V1__GET_ITEMS_REQUEST__INIT;
    char *ids[] = {(char *)"cup", (char *)"mug"};
    uint32_t numbers[] = {3, 4};
    assert_code(call("/vitrine.v1.CatalogService/GetItems", &message.base).err, VT_INVALID);
    message.n_ids = message.n_numbers = 2;
    message.ids = ids;
    message.numbers = numbers;
    Vitrine__V1__GetItemsResponse *got =
        reply_of(call("/vitrine.v1.CatalogService/GetItems", &message.base),
                 &vitrine__v1__get_items_response__descriptor);
    assert_int_equal(got->n_items, 2);
    assert_string_equal(got->items[0]->id, "mug");
    assert_int_equal(got->items[1]->number, 4);
    assert_int_equal(got->n_missing_ids, 1);
    assert_string_equal(got->missing_ids[0], "cup");
    assert_int_equal(got->n_missing_numbers, 1);
    assert_int_equal(got->missing_numbers[0], 3);
}

static void list_items_pages_through_all_and_ends(void **state)
{
    (void)state;
    Vitrine__V1__ListItemsRequest message = VITRINE__V1__LIST_ITEMS_REQUEST__INIT;
    size_t seen = 0, pages = 0;
    message.page_size = 2;
    do {
        Vitrine__V1__ListItemsResponse *got =
            reply_of(call("/vitrine.v1.CatalogService/ListItems", &message.base),
                     &vitrine__v1__list_items_response__descriptor);
        seen += got->n_items;
        pages++;
        message.page_token = got->next_page_token;
    } while (message.page_token[0] != '\0' && pages < 10);
    assert_int_equal(seen, 5);
    assert_int_equal(pages, 3);
    message.page_token = (char *)"not-mine";
    assert_code(call("/vitrine.v1.CatalogService/ListItems", &message.base).err, VT_INVALID);
    message.page_token = (char *)"";
    message.page_size = 1001;
    assert_code(call("/vitrine.v1.CatalogService/ListItems", &message.base).err, VT_INVALID);
    message.page_size = 5;
    message.filter = (char *)"price >";
    assert_code(call("/vitrine.v1.CatalogService/ListItems", &message.base).err, VT_INVALID);
}

static void list_items_takes_a_filter(void **state)
{
    (void)state;
    Vitrine__V1__ListItemsRequest message = VITRINE__V1__LIST_ITEMS_REQUEST__INIT;
    message.filter = (char *)"price > 3";
    message.page_size = 1;
    Vitrine__V1__ListItemsResponse *got =
        reply_of(call("/vitrine.v1.CatalogService/ListItems", &message.base),
                 &vitrine__v1__list_items_response__descriptor);
    assert_int_equal(got->n_items, 1);
    assert_int_equal(got->items[0]->number, 4);
    message.page_token = got->next_page_token;
    assert_string_not_equal(message.page_token, "");
    got = reply_of(call("/vitrine.v1.CatalogService/ListItems", &message.base),
                   &vitrine__v1__list_items_response__descriptor);
    assert_int_equal(got->n_items, 1);
    assert_int_equal(got->items[0]->number, 5);
    assert_string_equal(got->next_page_token, "");
}

static void list_customers_pages_through_all_and_ends(void **state)
{
    (void)state;
    Vitrine__V1__ListCustomersRequest message = VITRINE__V1__LIST_CUSTOMERS_REQUEST__INIT;
    size_t seen = 0, pages = 0;
    message.page_size = 5; /* exactly all: no empty page behind */
    do {
        Vitrine__V1__ListCustomersResponse *got =
            reply_of(call("/vitrine.v1.ProfileService/ListCustomers", &message.base),
                     &vitrine__v1__list_customers_response__descriptor);
        seen += got->n_customers;
        pages++;
        message.page_token = got->next_page_token;
    } while (message.page_token[0] != '\0' && pages < 10);
    assert_int_equal(seen, 5);
    assert_int_equal(pages, 1);
}

static struct vt_profile_page page_after(uint64_t after)
{
    const struct vt_profile_page_query query = {.after = after, .max = 2, .max_events = 3};
    struct vt_slice body = {0};
    struct vt_profile_page page;
    assert_ok(vt_wire_list_profiles_encode(&query, &arena, &body));
    struct vt_rpc_loopback_options options = options_of(false);
    struct vt_rpc_loopback_result result =
        vt_rpc_loopback_call(&options, "/vitrine.v1.ProfileService/ListProfiles", body, &arena);
    assert_ok(result.err);
    assert_ok(vt_wire_profile_page_decode(result.body, &arena, &diag, &page));
    return page;
}

static void list_profiles_pages_through_all_as_another_service_reads_them(void **state)
{
    (void)state;
    uint64_t after = 0, n_seen = 0, n_pages = 0;
    struct vt_profile_page page;
    do {
        page = page_after(after);
        for (uint32_t i = 0; i < page.n; i++) {
            assert_int_equal(page.views[i].customer_number, ++n_seen);
            assert_int_equal(page.views[i].consent, n_seen != 2);
            assert_int_equal(page.views[i].n_events, n_seen != 2);
        }
        after = page.last;
        n_pages++;
    } while (page.more && n_pages < 10);
    assert_int_equal(n_seen, 5);
    assert_int_equal(n_pages, 3);
}

static void list_profiles_takes_pages_of_100_and_200_events(void **state)
{
    (void)state;
    const struct {
        uint32_t page_size, max_events;
        enum vt_code code;
    } rows[] = {{100, 200, VT_OK}, {101, 1, VT_INVALID}, {1, 201, VT_INVALID}};
    for (size_t i = 0; i < 3; i++) {
        Vitrine__V1__ListProfilesRequest message = VITRINE__V1__LIST_PROFILES_REQUEST__INIT;
        message.page_size = rows[i].page_size;
        message.max_events = rows[i].max_events;
        assert_code(call("/vitrine.v1.ProfileService/ListProfiles", &message.base).err,
                    rows[i].code);
    }
}

static void what_was_shown_is_asked_for_within_bounds(void **state)
{
    (void)state;
    const struct {
        uint32_t at_least;
        int64_t within_ms;
        enum vt_code code;
    } rows[] = {{100, VT_SHOWN_WITHIN_MAX_MS, VT_OK},
                {1, 1, VT_OK},
                {101, 1, VT_INVALID},
                {1, 0, VT_INVALID},
                {1, VT_SHOWN_WITHIN_MAX_MS + 1, VT_INVALID},
                {1, -1, VT_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Vitrine__V1__ShownLimit shown = VITRINE__V1__SHOWN_LIMIT__INIT;
        Vitrine__V1__GetProfileRequest one = VITRINE__V1__GET_PROFILE_REQUEST__INIT;
        Vitrine__V1__ListProfilesRequest list = VITRINE__V1__LIST_PROFILES_REQUEST__INIT;
        shown.at_least = rows[i].at_least;
        shown.within_ms = rows[i].within_ms;
        one.customer_id = (char *)(uintptr_t) "ann";
        one.shown = list.shown = &shown;
        assert_code(call("/vitrine.v1.ProfileService/GetProfile", &one.base).err, rows[i].code);
        assert_code(call("/vitrine.v1.ProfileService/ListProfiles", &list.base).err, rows[i].code);
    }
}

static void what_was_shown_comes_as_another_service_reads_it(void **state)
{
    (void)state;
    static const uint32_t items[] = {7, 4000000000, 3};
    const struct vt_wire_get_profile asked = {
        .key = {.customer_id = vt_slice_str("ann"), .shown = {3, 86400000}}, .max_events = 1};
    struct vt_slice body = {0};
    struct vt_profile_view view;
    fake.view = (struct vt_profile_view){.found = true, .consent = true, .shown = items};
    fake.view.customer.id = vt_slice_str("ann");
    fake.view.n_shown = 3;
    assert_ok(vt_wire_get_profile_encode(&asked, &arena, &body));
    struct vt_rpc_loopback_options options = options_of(false);
    struct vt_rpc_loopback_result result =
        vt_rpc_loopback_call(&options, "/vitrine.v1.ProfileService/GetProfile", body, &arena);
    assert_ok(result.err);
    assert_int_equal(fake.shown.at_least, 3);
    assert_int_equal(fake.shown.within_ms, 86400000);
    assert_ok(vt_wire_profile_decode(result.body, &arena, &diag, &view));
    assert_int_equal(view.n_shown, 3);
    assert_memory_equal(view.shown, items, sizeof items);
}

static void delete_items_names_the_missing(void **state)
{
    (void)state;
    Vitrine__V1__DeleteItemsRequest message = VITRINE__V1__DELETE_ITEMS_REQUEST__INIT;
    assert_code(call("/vitrine.v1.CatalogService/DeleteItems", &message.base).err, VT_INVALID);
    message.n_ids = 1001;
    message.ids = texts_of(1001, 2);
    assert_code(call("/vitrine.v1.CatalogService/DeleteItems", &message.base).err, VT_INVALID);
    message.n_ids = 1000;
    Vitrine__V1__DeleteItemsResponse *got =
        reply_of(call("/vitrine.v1.CatalogService/DeleteItems", &message.base),
                 &vitrine__v1__delete_items_response__descriptor);
    assert_int_equal(got->deleted, 999);
    assert_int_equal(got->n_missing_ids, 1);
}

/* ---- Watch ---- */

struct watcher {
    unsigned n_messages, n_wanted;
    uint32_t n_changes[8];
};

static bool on_message(void *ctx, struct vt_slice body)
{
    struct watcher *watcher = ctx;
    const struct vt_change *changes = NULL;
    assert_ok(vt_wire_changes_decode(body, &arena, &diag, &changes,
                                     &watcher->n_changes[watcher->n_messages]));
    return ++watcher->n_messages < watcher->n_wanted;
}

static struct vt_rpc_loopback_result watch(struct watcher *watcher)
{
    struct vt_rpc_loopback_options options = options_of(false);
    options.on_message = on_message;
    options.message_ctx = watcher;
    return vt_rpc_loopback_call(&options, "/vitrine.v1.CatalogService/Watch", vt_slice(NULL, 0),
                                &arena);
}

static void watch_sends_messages_of_500_changes_and_waits_to_be_woken(void **state)
{
    (void)state;
    struct watcher watcher = {.n_wanted = 3};
    const uint32_t changes[4] = {501, 2, 0, 7}; /* the third ask finds nothing: a wake follows */
    memcpy(fake.changes, changes, sizeof changes);
    struct vt_rpc_loopback_result result = watch(&watcher);
    assert_code(result.err, VT_CANCELLED);
    assert_int_equal(watcher.n_changes[0], VT_WATCH_CHANGES_MAX);
    assert_int_equal(watcher.n_changes[1], 2);
    assert_int_equal(watcher.n_changes[2], 7);
    vt_profile_rpc_free(rpc); /* joins the worker that closes the watch after its answer */
    rpc = NULL;
    assert_int_equal(fake.n_open_watches, 0);
}

static void watch_that_cannot_be_opened_fails_the_call(void **state)
{
    (void)state;
    struct watcher watcher = {.n_wanted = 1};
    fake.err = VT_ERR(VT_EXHAUSTED, "too many watchers");
    assert_code(watch(&watcher).err, VT_EXHAUSTED);
    assert_int_equal(fake.n_open_watches, 0);
}

/* Told while the message is under way; before that it is not the reader's doing. */
static bool stall(void *ctx, struct vt_slice body)
{
    (void)ctx;
    (void)body;
    while (!fake.watch->stalled(fake.watch->ctx))
        sched_yield();
    return true;
}

static void watch_of_a_reader_that_takes_nothing_ends_with_what_to_do(void **state)
{
    (void)state;
    struct vt_rpc_loopback_options options = options_of(false);
    options.on_message = stall;
    fake.changes[0] = 1;
    struct vt_rpc_loopback_result result = vt_rpc_loopback_call(
        &options, "/vitrine.v1.CatalogService/Watch", vt_slice(NULL, 0), &arena);
    assert_code(result.err, VT_EXHAUSTED);
    assert_non_null(strstr(result.message, "call Watch again"));
    vt_profile_rpc_free(rpc);
    rpc = NULL;
    assert_int_equal(fake.n_open_watches, 0);
}

/* ---- AdminService, and what is not there yet ---- */

static struct vt_rpc_loopback_result checkpoint(const char *directory, bool local)
{
    Vitrine__V1__CheckpointRequest message = VITRINE__V1__CHECKPOINT_REQUEST__INIT;
    struct vt_rpc_loopback_options options = options_of(local);
    struct vt_slice body;
    message.directory = (char *)directory;
    assert_ok(vt_pb_encode(&message.base, &arena, &body));
    return vt_rpc_loopback_call(&options, "/vitrine.v1.AdminService/Checkpoint", body, &arena);
}

static void checkpoint_answers_on_the_admin_socket_only(void **state)
{
    (void)state;
    assert_code(checkpoint("/tmp/copy", false).err, VT_DENIED);
    assert_int_equal(fake.n_calls, 0);
    Vitrine__V1__CheckpointResponse *got =
        reply_of(checkpoint("/tmp/copy", true), &vitrine__v1__checkpoint_response__descriptor);
    assert_int_equal(got->sequence, 77);
    assert_code(checkpoint("copy", true).err, VT_INVALID);
    assert_code(checkpoint("", true).err, VT_INVALID);
}

/* ---- EraseCustomer ---- */

static const char ERASE[] = "/vitrine.v1.ProfileService/EraseCustomer";

static void erase_customer_names_somebody_and_tells_what_was_done(void **state)
{
    (void)state;
    Vitrine__V1__EraseCustomerRequest request = VITRINE__V1__ERASE_CUSTOMER_REQUEST__INIT;
    struct vt_rpc_loopback_result refused = call(ERASE, &request.base);
    assert_code(refused.err, VT_INVALID);
    assert_non_null(strstr(refused.message, "customer_id: empty"));
    assert_int_equal(fake.n_calls, 0);
    fake.erase_result = (struct vt_erasure_result){.receipt = "17-00ff",
                                                   .customer_number = 42,
                                                   .n_customers = 3,
                                                   .done = true,
                                                   .complete_by_ms = 1750000000000};
    request.customer_id = "ann";
    request.now = true;
    Vitrine__V1__EraseCustomerResponse *got =
        reply_of(call(ERASE, &request.base), &vitrine__v1__erase_customer_response__descriptor);
    assert_string_equal(got->receipt_id, "17-00ff");
    assert_int_equal(got->customer_number, 42);
    assert_int_equal(got->customers, 3);
    assert_true(got->done);
    assert_int_equal(got->complete_by_time->seconds, 1750000000);
    assert_int_equal(fake.erased.type, VT_IDENTITY_MEMBER);
    assert_true(fake.erasure.now);
    assert_false(fake.erasure.validate_only);
}

static void erase_customer_takes_any_identity(void **state)
{
    (void)state;
    Vitrine__V1__Identity identity = VITRINE__V1__IDENTITY__INIT;
    Vitrine__V1__EraseCustomerRequest request = VITRINE__V1__ERASE_CUSTOMER_REQUEST__INIT;
    identity.type = VITRINE__V1__IDENTITY_TYPE__IDENTITY_TYPE_LOYALTY_CARD;
    identity.id = text_of(VT_ID_BYTES_MAX);
    request.identity = &identity;
    request.validate_only = true;
    assert_ok(call(ERASE, &request.base).err);
    assert_int_equal(fake.erased.type, VT_IDENTITY_LOYALTY_CARD);
    assert_int_equal(fake.erased.id.len, VT_ID_BYTES_MAX);
    assert_true(fake.erasure.validate_only);
    identity.id = text_of(VT_ID_BYTES_MAX + 1);
    assert_code(call(ERASE, &request.base).err, VT_INVALID);
}

static void erase_customer_says_who_asked(void **state)
{
    (void)state;
    Vitrine__V1__EraseCustomerRequest request = VITRINE__V1__ERASE_CUSTOMER_REQUEST__INIT;
    struct vt_rpc_loopback_options options = options_of(true);
    struct vt_slice body;
    request.customer_id = "ann";
    assert_ok(vt_pb_encode(&request.base, &arena, &body));
    assert_ok(vt_rpc_loopback_call(&options, ERASE, body, &arena).err);
    assert_string_equal(fake.actor, "admin socket");
    options = options_of(false);
    options.certified = true;
    options.roles = VT_CALLER_STOREFRONT;
    assert_code(vt_rpc_loopback_call(&options, ERASE, body, &arena).err, VT_DENIED);
    assert_int_equal(fake.n_calls, 1);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(write_events_takes_1_to_1000),
        TEST(write_events_rejects_one_bad_event_and_writes_the_others),
        TEST(write_events_with_only_bad_events_does_not_bother_the_store),
        TEST(write_events_over_the_queues_limit_is_exhausted),
        TEST(sent_events_arrive_equal_and_results_come_back_in_order),
        TEST(results_that_do_not_fit_the_events_are_refused),
        TEST(sent_items_and_customers_arrive_and_are_counted),
        TEST(a_request_larger_than_the_arena_is_exhausted),
        TEST(get_profile_wants_somebody_and_bounded_events),
        TEST(profile_comes_through_the_wire_equal),
        TEST(batch_get_profiles_takes_1_to_100),
        TEST(what_was_shown_is_asked_for_within_bounds),
        TEST(what_was_shown_comes_as_another_service_reads_it),
        TEST(upsert_customers_checks_each_customer),
        TEST(upsert_items_refuses_what_is_no_product_and_says_where),
        TEST(upsert_items_takes_1_to_1000_with_fields_at_their_limits),
        TEST(update_mask_names_fields_and_suggests_the_nearest),
        TEST(get_items_tells_found_from_missing),
        TEST(list_items_pages_through_all_and_ends),
        TEST(list_items_takes_a_filter),
        TEST(list_customers_pages_through_all_and_ends),
        TEST(list_profiles_pages_through_all_as_another_service_reads_them),
        TEST(list_profiles_takes_pages_of_100_and_200_events),
        TEST(delete_items_names_the_missing),
        TEST(watch_sends_messages_of_500_changes_and_waits_to_be_woken),
        TEST(watch_of_a_reader_that_takes_nothing_ends_with_what_to_do),
        TEST(watch_that_cannot_be_opened_fails_the_call),
        TEST(checkpoint_answers_on_the_admin_socket_only),
        TEST(erase_customer_names_somebody_and_tells_what_was_done),
        TEST(erase_customer_takes_any_identity),
        TEST(erase_customer_says_who_asked),
    };
    return cmocka_run_group_tests_name("profile_rpc/handlers", tests, NULL, NULL);
}
