#include "services/common/base/time_text.h"
#include "tests/testlib/testlib.h"

static void times_are_printed_as_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text, *text_ms;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {1323435000250, "2011-12-09T12:50:00.250Z", "2011-12-09T12:50:00.250Z"},
        {951782400000, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
        {INT64_C(253402300799000), "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[VT_TIME_TEXT_BYTES];
        vt_time_print(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
        vt_time_print_ms(cases[i].ms, text);
        assert_string_equal(text, cases[i].text_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_printed_as_rfc_3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
