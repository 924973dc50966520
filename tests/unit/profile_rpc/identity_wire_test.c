/* Ids of people on the wire: LinkIdentities, and the other messages that carry one. */
#include "services/common/pb/pb.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_event.h"
#include "services/profile/wire_link.h"
#include "tests/testlib/testlib.h"
#include "vitrine/v1/profile.pb-c.h"

#include <string.h>

static unsigned char memory[1 << 20];
static struct vt_arena arena;
static struct vt_diag diag;

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    return 0;
}

static struct vt_identity card(void)
{
    return (struct vt_identity){VT_IDENTITY_LOYALTY_CARD, vt_slice_str("pos"),
                                vt_slice_str("4711")};
}

static void assert_same(const struct vt_identity *got, struct vt_identity sent)
{
    assert_int_equal(got->type, sent.type);
    assert_true(vt_slice_equal(got->channel, sent.channel));
    assert_true(vt_slice_equal(got->id, sent.id));
}

/* A LinkIdentitiesRequest with n cards in it. */
static struct vt_slice link_of(size_t n, bool unlink)
{
    Vitrine__V1__Identity identity = VITRINE__V1__IDENTITY__INIT;
    Vitrine__V1__Identity *identities[17];
    Vitrine__V1__LinkIdentitiesRequest message = VITRINE__V1__LINK_IDENTITIES_REQUEST__INIT;
    struct vt_slice body;
    identity.type = VITRINE__V1__IDENTITY_TYPE__IDENTITY_TYPE_LOYALTY_CARD;
    identity.channel = (char *)"pos";
    identity.id = (char *)"4711";
    for (size_t i = 0; i < n; i++)
        identities[i] = &identity;
    message.identities = identities;
    message.n_identities = n;
    message.unlink = unlink;
    message.merge_members = !unlink;
    assert_ok(vt_pb_encode(&message.base, &arena, &body));
    return body;
}

static void link_takes_2_to_16_and_unlink_1_to_16(void **state)
{
    (void)state;
    const struct {
        size_t n;
        bool unlink;
        enum vt_code code;
    } rows[] = {{0, false, VT_INVALID}, {1, false, VT_INVALID},  {2, false, VT_OK},
                {16, false, VT_OK},     {17, false, VT_INVALID}, {0, true, VT_INVALID},
                {1, true, VT_OK},       {16, true, VT_OK},       {17, true, VT_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vt_wire_link asked;
        struct vt_err err =
            vt_wire_link_decode(link_of(rows[i].n, rows[i].unlink), &arena, &diag, &asked);
        assert_int_equal(err.code, rows[i].code);
        if (rows[i].code != VT_OK) {
            assert_string_equal(diag.field, "identities");
            continue;
        }
        assert_int_equal(asked.link.n_identities, rows[i].n);
        assert_int_equal(asked.link.unlink, rows[i].unlink);
        assert_int_equal(asked.link.merge_members, !rows[i].unlink);
        assert_same(&asked.link.identities[rows[i].n - 1], card());
    }
}

static const char *note_of(bool unlink, bool validate_only, struct vt_link_result result)
{
    struct vt_wire_link asked = {.link.unlink = unlink, .validate_only = validate_only};
    Vitrine__V1__LinkIdentitiesResponse *message = NULL;
    struct vt_slice body;
    assert_ok(vt_wire_link_encode(&asked, &result, &arena, &body));
    assert_ok(vt_pb_decode(&vitrine__v1__link_identities_response__descriptor, body, &arena, &diag,
                           &message));
    assert_int_equal(message->changed, result.changed);
    assert_int_equal(message->customer_number, result.customer_number);
    assert_int_equal(message->added_identities, result.n_added);
    assert_int_equal(message->merged_customers, result.n_merged);
    assert_int_equal(message->unlinked_identities, result.n_unlinked);
    return message->note;
}

static void the_note_says_what_was_and_what_was_not_done(void **state)
{
    (void)state;
    const struct {
        bool unlink, validate_only;
        struct vt_link_result result;
        const char *words;
    } rows[] = {
        {false, false, {.customer_number = 7}, "linked already"},
        {false, false, {.changed = true, .n_added = 1}, "from now on"},
        {false, false, {.changed = true, .n_merged = 2}, "merged"},
        {false, true, {.changed = true, .n_merged = 2}, "nothing was changed"},
        {true, false, {.customer_number = 0}, "nothing to unlink"},
        {true, false, {.changed = true, .n_unlinked = 1}, "future events only"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *note = note_of(rows[i].unlink, rows[i].validate_only, rows[i].result);
        if (strstr(note, rows[i].words) == NULL)
            fail_msg("row %zu: '%s' without '%s'", i, note, rows[i].words);
    }
}

static void an_events_identity_arrives_equal_and_none_stays_none(void **state)
{
    (void)state;
    struct vt_event events[2] = {{.event_id = vt_slice_str("e1"), .time_ms = 1}};
    events[1] = events[0];
    events[1].identity = card();
    struct vt_wire_write_events arrived;
    struct vt_slice body;
    assert_ok(vt_wire_write_events_request_encode(events, 2, &arena, &body));
    assert_ok(vt_wire_write_events_decode(body, &arena, &diag, &arrived));
    assert_false(vt_identity_given(&arrived.events[0].identity));
    assert_same(&arrived.events[1].identity, card());
}

static void a_profile_is_asked_for_by_any_identity_that_is_valid(void **state)
{
    (void)state;
    struct vt_wire_get_profile asked = {.key.identity = card(), .max_events = 5}, arrived;
    struct vt_slice body;
    assert_ok(vt_wire_get_profile_encode(&asked, &arena, &body));
    assert_ok(vt_wire_get_profile_decode(body, &arena, &diag, &arrived));
    assert_same(&arrived.key.identity, card());
    asked.key.identity =
        (struct vt_identity){.type = VT_IDENTITY_EMAIL_HASH, .id = vt_slice_str("ann@example.com")};
    assert_ok(vt_wire_get_profile_encode(&asked, &arena, &body));
    assert_code(vt_wire_get_profile_decode(body, &arena, &diag, &arrived), VT_INVALID);
    assert_string_equal(diag.field, "identity");
    assert_non_null(strstr(diag.text, "send a hash"));
    assert_null(strstr(diag.text, "ann")); /* refusals may be logged */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(link_takes_2_to_16_and_unlink_1_to_16, begin),
        cmocka_unit_test_setup(the_note_says_what_was_and_what_was_not_done, begin),
        cmocka_unit_test_setup(an_events_identity_arrives_equal_and_none_stays_none, begin),
        cmocka_unit_test_setup(a_profile_is_asked_for_by_any_identity_that_is_valid, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
