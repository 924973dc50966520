/* Ids of people: their names for flags and files, which of several counts, which are valid. */
#include "services/common/base/event.h"
#include "services/common/base/identity.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static struct vt_identity parsed(const char *text)
{
    struct vt_identity identity = {.type = VT_IDENTITY_UNSPECIFIED};
    assert_true(vt_identity_parse(vt_slice_str(text), &identity));
    return identity;
}

static void assert_text(struct vt_slice slice, const char *expected)
{
    assert_true(vt_slice_equal(slice, vt_slice_str(expected)));
}

static void every_type_is_found_by_its_name(void **state)
{
    (void)state;
    for (unsigned type = 1; type < VT_IDENTITY_TYPE_COUNT; type++)
        assert_int_equal(vt_identity_type_parse(vt_slice_str(vt_identity_type_name(type))), type);
    assert_null(vt_identity_type_name(VT_IDENTITY_TYPE_COUNT));
    assert_int_equal(vt_identity_type_parse(vt_slice_str("unspecified")), 0);
}

static void a_text_names_type_id_and_channel(void **state)
{
    (void)state;
    struct vt_identity card = parsed("loyalty_card:4711:b@pos");
    assert_int_equal(card.type, VT_IDENTITY_LOYALTY_CARD);
    assert_text(card.id, "4711:b");
    assert_text(card.channel, "pos");
    struct vt_identity handle = parsed("social:ann@example@app");
    assert_text(handle.id, "ann@example");
    assert_text(handle.channel, "app");
    assert_int_equal(parsed("device:d").channel.len, 0);
}

static void a_text_without_type_or_id_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", ":", "member", "member:", "member:@web", "nobody:1"};
    struct vt_identity identity = {.type = VT_IDENTITY_DEVICE};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(vt_identity_parse(vt_slice_str(wrong[i]), &identity));
    assert_int_equal(identity.type, VT_IDENTITY_DEVICE);
}

static void the_member_counts_before_the_visitor_before_the_rest(void **state)
{
    (void)state;
    struct vt_slice none = vt_slice(NULL, 0), m = vt_slice_str("m"), v = vt_slice_str("v");
    struct vt_identity card = parsed("loyalty_card:c@pos");
    assert_int_equal(vt_identity_choose(m, v, card).type, VT_IDENTITY_MEMBER);
    assert_int_equal(vt_identity_choose(none, v, card).type, VT_IDENTITY_VISITOR);
    assert_text(vt_identity_choose(none, none, card).channel, "pos");
    struct vt_identity nobody = {.type = VT_IDENTITY_UNSPECIFIED};
    assert_false(vt_identity_given(&nobody));
    nobody = vt_identity_choose(none, none, nobody);
    assert_false(vt_identity_given(&nobody));
}

static void refuse(struct vt_identity identity, const char *field, const char *word)
{
    struct vt_diag diag = {0};
    assert_false(vt_identity_valid(&identity, &diag));
    assert_string_equal(diag.field, field);
    assert_non_null(strstr(diag.text, word));
}

static void an_address_in_clear_is_no_hash(void **state)
{
    (void)state;
    refuse(parsed("email_hash:ann@example.com@"), "id", "hash");
    struct vt_identity hashed = parsed("email_hash:9f86d081884c7d65");
    assert_true(vt_identity_valid(&hashed, NULL));
    struct vt_identity handle = parsed("social:ann@example@");
    assert_true(vt_identity_valid(&handle, NULL));
}

static void ids_are_held_to_the_contract(void **state)
{
    (void)state;
    char text[VT_ID_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    struct vt_identity longest = {VT_IDENTITY_DEVICE, vt_slice(text, VT_ID_BYTES_MAX),
                                  vt_slice(text, VT_ID_BYTES_MAX)};
    assert_true(vt_identity_valid(&longest, NULL));
    struct vt_identity longer = longest;
    longer.id.len++;
    refuse(longer, "id", "129 bytes");
    longer = longest;
    longer.channel.len++;
    refuse(longer, "channel", "129 bytes");
    refuse((struct vt_identity){.type = VT_IDENTITY_DEVICE}, "id", "empty");
    refuse((struct vt_identity){.id = vt_slice_str("x")}, "type", "1 (member)");
    longest.type = VT_IDENTITY_TYPE_COUNT;
    refuse(longest, "type", "7 is no type");
    refuse((struct vt_identity){.type = VT_IDENTITY_SOCIAL, .id = vt_slice_str("\xff")}, "id",
           "UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_found_by_its_name),
        cmocka_unit_test(a_text_names_type_id_and_channel),
        cmocka_unit_test(a_text_without_type_or_id_is_refused),
        cmocka_unit_test(the_member_counts_before_the_visitor_before_the_rest),
        cmocka_unit_test(an_address_in_clear_is_no_hash),
        cmocka_unit_test(ids_are_held_to_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
