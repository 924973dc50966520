/* What the decoder refuses, with the path it names, and that good messages pass unchanged. */
#include "services/common/pb/pb.h"
#include "services/common/pb/wire_walk.h"
#include "tests/testlib/testlib.h"
#include "vitrine/v1/catalog.pb-c.h"
#include "vitrine/v1/event.pb-c.h"
#include "vitrine/v1/profile.pb-c.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 1 << 20 };

struct fixture {
    struct vt_arena arena;
    struct vt_diag diag;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    vt_arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

static struct vt_err decode(struct fixture *fixture, const ProtobufCMessageDescriptor *type,
                            const void *bytes, size_t len)
{
    ProtobufCMessage *ignored;
    return vt_pb_decode(type, vt_slice(bytes, len), &fixture->arena, &fixture->diag, &ignored);
}

#define DECODE(type_, bytes_)                                                                      \
    decode(fixture, &vitrine__v1__##type_##__descriptor, bytes_, sizeof(bytes_) - 1)

static void good_message_comes_back_as_it_was_sent(void **state)
{
    struct fixture *fixture = *state;
    Vitrine__V1__RecommendRequest sent = VITRINE__V1__RECOMMEND_REQUEST__INIT, *got;
    char *context[] = {(char[]){"a"}, (char[]){"b"}};
    struct vt_slice bytes;
    sent.customer_id = (char[]){"Grüße"};
    sent.n = 12;
    sent.n_context_item_ids = 2;
    sent.context_item_ids = context;
    assert_ok(vt_pb_encode(&sent.base, &fixture->arena, &bytes));
    assert_ok(vt_pb_decode(&vitrine__v1__recommend_request__descriptor, bytes, &fixture->arena,
                           &fixture->diag, &got));
    assert_string_equal(got->customer_id, sent.customer_id);
    assert_int_equal(got->n, 12);
    assert_string_equal(got->context_item_ids[1], "b");
}

static void no_bytes_are_the_empty_message(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(DECODE(recommend_request, ""));
}

static void nul_in_text_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_code(DECODE(recommend_request, "\x12\x03"
                                          "a\0b"),
                VT_INVALID);
    assert_string_equal(fixture->diag.field, "customer_id");
    assert_int_equal(fixture->diag.offset, 3);
}

static void path_names_the_element_of_a_nested_list(void **state)
{
    struct fixture *fixture = *state;
    Vitrine__V1__WriteEventsRequest request = VITRINE__V1__WRITE_EVENTS_REQUEST__INIT;
    Vitrine__V1__Event events[4], *pointers[4];
    struct vt_slice bytes;
    for (int i = 0; i < 4; i++) {
        vitrine__v1__event__init(&events[i]);
        pointers[i] = &events[i];
    }
    events[3].item_id = (char[]){"\xFF"};
    request.n_events = 4;
    request.events = pointers;
    assert_ok(vt_pb_encode(&request.base, &fixture->arena, &bytes));
    assert_code(
        decode(fixture, &vitrine__v1__write_events_request__descriptor, bytes.data, bytes.len),
        VT_INVALID);
    assert_string_equal(fixture->diag.field, "events[3].item_id");
}

static void path_names_the_element_of_a_list_of_texts(void **state)
{
    struct fixture *fixture = *state;
    assert_code(DECODE(recommend_request, "\x22\x01"
                                          "a\x22\x01\xC0"),
                VT_INVALID);
    assert_string_equal(fixture->diag.field, "context_item_ids[1]");
}

/* Item.attributes is map<string, string> = 10; UpsertItemsRequest.items is 1. */
static void map_keys_and_values_are_text_too(void **state)
{
    struct fixture *fixture = *state;
    assert_code(DECODE(item, "\x52\x03\x0A\x01\xFF"), VT_INVALID);
    assert_string_equal(fixture->diag.field, "attributes[0].key");
    assert_code(DECODE(item, "\x52\x06\x0A\x01k\x12\x01\0"), VT_INVALID);
    assert_string_equal(fixture->diag.field, "attributes[0].value");
}

static void truncation_is_refused_at_every_byte(void **state)
{
    struct fixture *fixture = *state;
    static const char whole[] = "\x0A\x04home\x12\x02"
                                "c1\x28\x0A";
    static const size_t ends[] = {0, 6, 10, 12}; /* field boundaries */
    for (size_t len = 0, next = 0; len <= sizeof whole - 1; len++) {
        struct vt_err err =
            decode(fixture, &vitrine__v1__recommend_request__descriptor, whole, len);
        assert_int_equal(err.code, len == ends[next] ? VT_OK : VT_INVALID);
        next += len == ends[next] ? 1 : 0;
    }
}

static void wrong_wire_type_is_refused_with_its_field(void **state)
{
    struct fixture *fixture = *state;
    assert_code(DECODE(recommend_request, "\x2A\x01\x05"), VT_INVALID); /* n as bytes */
    assert_string_equal(fixture->diag.field, "n");
}

static void groups_and_bad_field_numbers_are_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_code(DECODE(recommend_request, "\xFB\x07"), VT_INVALID);
    assert_code(DECODE(recommend_request, "\x00\x01"), VT_INVALID);
    assert_code(DECODE(recommend_request, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"),
                VT_INVALID);
}

static void unknown_fields_pass_up_to_their_limit(void **state)
{
    struct fixture *fixture = *state;
    enum { FIELD_BYTES = 3 }; /* field 100, a varint of one byte */
    char bytes[(VT_PB_UNKNOWN_FIELDS_MAX + 1) * FIELD_BYTES];
    for (size_t at = 0; at < sizeof bytes; at += FIELD_BYTES)
        memcpy(bytes + at, "\xA0\x06\x01", FIELD_BYTES);
    const ProtobufCMessageDescriptor *type = &vitrine__v1__recommend_request__descriptor;
    assert_ok(decode(fixture, type, bytes, sizeof bytes - FIELD_BYTES));
    assert_code(decode(fixture, type, bytes, sizeof bytes), VT_EXHAUSTED);
}

static void unknown_bytes_pass_up_to_their_limit(void **state)
{
    struct fixture *fixture = *state;
    enum { HEAD_BYTES = 5, BODY = VT_PB_UNKNOWN_BYTES_MAX - HEAD_BYTES };
    static char bytes[VT_PB_UNKNOWN_BYTES_MAX + 1];
    const ProtobufCMessageDescriptor *type = &vitrine__v1__recommend_request__descriptor;
    const unsigned char head[] = {0xA2, 0x06, (BODY & 0x7F) | 0x80, (BODY >> 7 & 0x7F) | 0x80,
                                  BODY >> 14};
    memcpy(bytes, head, sizeof head);
    assert_ok(decode(fixture, type, bytes, VT_PB_UNKNOWN_BYTES_MAX));
    bytes[2]++;
    assert_code(decode(fixture, type, bytes, VT_PB_UNKNOWN_BYTES_MAX + 1), VT_EXHAUSTED);
}

static void too_many_elements_are_refused_before_any_is_made(void **state)
{
    struct fixture *fixture = *state;
    size_t len = (VT_PB_ELEMENTS_MAX + 1) * 2;
    char *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t at = 0; at < len; at += 2)
        memcpy(bytes + at, "\x22\x00", 2); /* context_item_ids: "" */
    size_t used = fixture->arena.used;
    assert_code(decode(fixture, &vitrine__v1__recommend_request__descriptor, bytes, len),
                VT_EXHAUSTED);
    assert_int_equal(fixture->arena.used, used);
    assert_ok(
        vt__pb_walk(&vitrine__v1__recommend_request__descriptor, vt_slice(bytes, len - 2), NULL));
    free(bytes);
}

static void message_over_the_arena_is_exhausted_not_invalid(void **state)
{
    struct fixture *fixture = *state;
    unsigned char memory[64];
    struct vt_arena tiny;
    ProtobufCMessage *ignored;
    vt_arena_init(&tiny, memory, sizeof memory);
    assert_code(vt_pb_decode(&vitrine__v1__recommend_request__descriptor,
                             vt_slice_str("\x0A\x04home"), &tiny, &fixture->diag, &ignored),
                VT_EXHAUSTED);
}

static void answer_over_the_arena_is_exhausted(void **state)
{
    (void)state;
    unsigned char memory[16];
    char text[64] = "";
    struct vt_arena tiny;
    struct vt_slice bytes;
    Vitrine__V1__RecommendRequest request = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    memset(text, 'x', sizeof text - 1);
    request.customer_id = text;
    vt_arena_init(&tiny, memory, sizeof memory);
    assert_code(vt_pb_encode(&request.base, &tiny, &bytes), VT_EXHAUSTED);
}

#define CASE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(good_message_comes_back_as_it_was_sent),
        CASE(no_bytes_are_the_empty_message),
        CASE(nul_in_text_is_refused),
        CASE(path_names_the_element_of_a_nested_list),
        CASE(path_names_the_element_of_a_list_of_texts),
        CASE(map_keys_and_values_are_text_too),
        CASE(truncation_is_refused_at_every_byte),
        CASE(wrong_wire_type_is_refused_with_its_field),
        CASE(groups_and_bad_field_numbers_are_refused),
        CASE(unknown_fields_pass_up_to_their_limit),
        CASE(unknown_bytes_pass_up_to_their_limit),
        CASE(too_many_elements_are_refused_before_any_is_made),
        CASE(message_over_the_arena_is_exhausted_not_invalid),
        CASE(answer_over_the_arena_is_exhausted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
