#include "services/common/base/event.h"
#include "tests/testlib/testlib.h"

static void every_event_type_has_a_name_that_parses_back(void **state)
{
    (void)state;
    for (unsigned type = 1; type < VT_EVENT_TYPE_COUNT; type++) {
        const char *name = vt_event_type_name(type);
        assert_non_null(name);
        assert_int_equal(vt_event_type_parse(vt_slice_str(name)), type);
    }
}

static void unknown_event_names_are_unspecified(void **state)
{
    (void)state;
    const char *const wrong[] = {"", "Purchase", "purchases", "purchas", "unspecified", "view "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(vt_event_type_parse(vt_slice_str(wrong[i])), VT_EVENT_UNSPECIFIED);
    assert_null(vt_event_type_name(VT_EVENT_TYPE_COUNT));
}

static void event_numbers_are_those_on_disk(void **state)
{
    (void)state;
    assert_int_equal(vt_event_type_parse(vt_slice_str("impression")), 1);
    assert_int_equal(vt_event_type_parse(vt_slice_str("cart")), 11);
    assert_int_equal(vt_event_type_parse(vt_slice_str("purchase")), 15);
    assert_int_equal(vt_event_type_parse(vt_slice_str("custom")), 17);
}

static void weights_rise_with_commitment(void **state)
{
    (void)state;
    static const unsigned rising[] = {VT_EVENT_IMPRESSION, VT_EVENT_CLICK,       VT_EVENT_VIEW,
                                      VT_EVENT_CART,       VT_EVENT_RESERVATION, VT_EVENT_ORDER,
                                      VT_EVENT_PURCHASE};
    for (size_t i = 1; i < sizeof rising / sizeof rising[0]; i++)
        assert_true(vt_event_type_default_weight(rising[i]) >
                    vt_event_type_default_weight(rising[i - 1]));
    assert_float_equal(vt_event_type_default_weight(VT_EVENT_PURCHASE), 1.0f, 0.0f);
}

static void steps_back_weigh_less_than_nothing(void **state)
{
    (void)state;
    static const unsigned negative[] = {VT_EVENT_DISLIKE, VT_EVENT_CART_REMOVE, VT_EVENT_RETURN};
    for (size_t i = 0; i < sizeof negative / sizeof negative[0]; i++)
        assert_true(vt_event_type_default_weight(negative[i]) < 0.0f);
    assert_float_equal(vt_event_type_default_weight(VT_EVENT_TYPE_COUNT), 0.0f, 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_type_has_a_name_that_parses_back),
        cmocka_unit_test(unknown_event_names_are_unspecified),
        cmocka_unit_test(event_numbers_are_those_on_disk),
        cmocka_unit_test(weights_rise_with_commitment),
        cmocka_unit_test(steps_back_weigh_less_than_nothing),
    };
    return cmocka_run_group_tests_name("base/event", tests, NULL, NULL);
}
