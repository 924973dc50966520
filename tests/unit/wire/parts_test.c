#include "google/protobuf/timestamp.pb-c.h"
#include "services/common/wire/parts.h"
#include "tests/testlib/testlib.h"

static unsigned char memory[4096];
static struct vt_arena arena;

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    return 0;
}

static void time_comes_back_equal_before_1970_too(void **state)
{
    (void)state;
    const int64_t times[] = {1,
                             -1,
                             999,
                             1000,
                             -1000,
                             -1001,
                             INT64_C(1700000000123),
                             INT64_C(-62135596800000),
                             INT64_C(253402300799999)};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t got = 0;
        struct Google__Protobuf__Timestamp *time = vt_wire_time_encode(&arena, times[i]);
        assert_non_null(time);
        assert_in_range(time->nanos, 0, 999999999);
        assert_ok(vt_wire_time_decode(time, VT_FIELD("time"), NULL, &got));
        assert_int_equal(got, times[i]);
    }
}

static void absent_time_is_zero(void **state)
{
    (void)state;
    int64_t got = 5;
    assert_null(vt_wire_time_encode(&arena, 0));
    assert_ok(vt_wire_time_decode(NULL, VT_FIELD("time"), NULL, &got));
    assert_int_equal(got, 0);
}

static void time_outside_the_calendar_is_refused_with_its_field(void **state)
{
    (void)state;
    const struct {
        int64_t seconds;
        int32_t nanos;
        enum vt_code code;
    } rows[] = {
        {0, 999999999, VT_OK},
        {0, 1000000000, VT_INVALID},
        {0, -1, VT_INVALID},
        {INT64_C(253402300799), 0, VT_OK},
        {INT64_C(253402300800), 0, VT_INVALID},
        {INT64_C(-62135596801), 0, VT_INVALID},
        {INT64_MAX, 0, VT_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        struct vt_diag diag = {0};
        int64_t got = 0;
        time.seconds = rows[i].seconds;
        time.nanos = rows[i].nanos;
        assert_code(vt_wire_time_decode(&time, VT_FIELD_AT("events", 3, "time"), &diag, &got),
                    rows[i].code);
        if (rows[i].code != VT_OK)
            assert_string_equal(diag.field, "events[3].time");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(time_comes_back_equal_before_1970_too, begin),
        cmocka_unit_test_setup(absent_time_is_zero, begin),
        cmocka_unit_test_setup(time_outside_the_calendar_is_refused_with_its_field, begin),
    };
    return cmocka_run_group_tests_name("wire/parts", tests, NULL, NULL);
}
