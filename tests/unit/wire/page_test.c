#include "services/common/wire/check.h"
#include "services/common/wire/page.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static unsigned char memory[4096];
static struct vt_arena arena;
static struct vt_diag diag;

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    vt_diag_clear(&diag);
    return 0;
}

static void token_leads_back_to_its_place(void **state)
{
    (void)state;
    const uint64_t places[] = {0, 1, 255, 256, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint64_t got = 42;
        struct vt_slice token = vt_page_token_u64(&arena, 'I', places[i]);
        assert_ok(vt_page_place_u64('I', token, UINT64_MAX, &diag, &got));
        assert_int_equal(got, places[i]);
    }
}

static void text_token_leads_back_up_to_the_longest_place(void **state)
{
    (void)state;
    char place[VT_PAGE_PLACE_BYTES_MAX];
    memset(place, 'v', sizeof place);
    for (size_t len = 1; len <= sizeof place; len++) {
        struct vt_slice got;
        begin(NULL);
        struct vt_slice token = vt_page_token(&arena, 'V', vt_slice(place, len));
        assert_ok(vt_page_place(&arena, 'V', token, &diag, &got));
        assert_true(vt_slice_equal(got, vt_slice(place, len)));
    }
}

static void empty_token_is_the_first_page(void **state)
{
    (void)state;
    uint64_t place = 9;
    assert_ok(vt_page_place_u64('I', vt_slice(NULL, 0), UINT64_MAX, &diag, &place));
    assert_int_equal(place, 0);
}

static void token_of_another_list_or_a_changed_one_is_refused(void **state)
{
    (void)state;
    uint64_t place = 9;
    struct vt_slice token = vt_page_token_u64(&arena, 'I', 77);
    assert_code(vt_page_place_u64('C', token, UINT64_MAX, &diag, &place), VT_INVALID);
    assert_string_equal(diag.field, "page_token");
    struct vt_slice cut = {token.data, token.len - 1};
    assert_code(vt_page_place_u64('I', cut, UINT64_MAX, &diag, &place), VT_INVALID);
    const char *bad[] = {"=", "AAAA", "a b", "//////////////", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_code(vt_page_place_u64('I', vt_slice_str(bad[i]), UINT64_MAX, &diag, &place),
                    VT_INVALID);
    assert_int_equal(place, 9);
}

static void place_beyond_the_list_is_refused(void **state)
{
    (void)state;
    uint64_t place = 9;
    struct vt_slice token = vt_page_token_u64(&arena, 'I', UINT32_MAX + UINT64_C(1));
    assert_code(vt_page_place_u64('I', token, UINT32_MAX, &diag, &place), VT_INVALID);
}

static void page_size_is_100_unless_said_and_at_most_1000(void **state)
{
    (void)state;
    uint32_t size = 0;
    assert_ok(vt_page_size(0, &diag, &size));
    assert_int_equal(size, 100);
    assert_ok(vt_page_size(1000, &diag, &size));
    assert_int_equal(size, 1000);
    assert_code(vt_page_size(1001, &diag, &size), VT_INVALID);
    assert_string_equal(diag.text, "1001, must be 0 to 1000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(token_leads_back_to_its_place, begin),
        cmocka_unit_test_setup(text_token_leads_back_up_to_the_longest_place, begin),
        cmocka_unit_test_setup(empty_token_is_the_first_page, begin),
        cmocka_unit_test_setup(token_of_another_list_or_a_changed_one_is_refused, begin),
        cmocka_unit_test_setup(place_beyond_the_list_is_refused, begin),
        cmocka_unit_test_setup(page_size_is_100_unless_said_and_at_most_1000, begin),
    };
    return cmocka_run_group_tests_name("wire/page", tests, NULL, NULL);
}
