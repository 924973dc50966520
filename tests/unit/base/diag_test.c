#include "services/common/base/diag.h"
#include "services/common/base/slice.h"
#include "services/common/base/text.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static void long_text_is_cut_on_a_character(void **state)
{
    (void)state;
    char euros[3 * 200 + 1] = "";
    for (int i = 0; i < 200; i++)
        memcpy(euros + 3 * i, "\xE2\x82\xAC", 4);
    for (int shift = 0; shift < 3; shift++) {
        struct vt_diag diag = {0};
        vt_diag_set(&diag, euros, "%.*s%s", shift, "ab", euros);
        assert_true(vt_text_valid(vt_slice_str(diag.text), NULL));
        assert_true(vt_text_valid(vt_slice_str(diag.field), NULL));
        assert_true(strlen(diag.text) >= VT_DIAG_TEXT_BYTES - 4);
    }
}

static void nobody_listening_is_allowed(void **state)
{
    (void)state;
    vt_diag_set(NULL, "field", "%d", 1);
    vt_diag_clear(NULL);
}

static void set_keeps_line_and_clear_empties(void **state)
{
    (void)state;
    struct vt_diag diag = {.line = 7, .offset = 9};
    vt_diag_set(&diag, "id", "wrong");
    assert_int_equal(diag.line, 7);
    assert_string_equal(diag.field, "id");
    vt_diag_clear(&diag);
    assert_int_equal(diag.line, 0);
    assert_string_equal(diag.text, "");
}

static void a_cut_inside_the_format_leaves_no_broken_character(void **state)
{
    (void)state;
    struct vt_diag diag;
    vt_diag_set(&diag, "version", "'%.2s' is no version", "a\xC3\xA4"); /* cut inside the umlaut */
    assert_string_equal(diag.text, "'a?' is no version");
    vt_diag_set(&diag, "version", "'%.3s' is no version", "a\xC3\xA4");
    assert_string_equal(diag.text, "'a\xC3\xA4' is no version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_text_is_cut_on_a_character),
        cmocka_unit_test(nobody_listening_is_allowed),
        cmocka_unit_test(set_keeps_line_and_clear_empties),
        cmocka_unit_test(a_cut_inside_the_format_leaves_no_broken_character),
    };
    return cmocka_run_group_tests_name("base/diag", tests, NULL, NULL);
}
