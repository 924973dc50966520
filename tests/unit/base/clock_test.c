#include "services/common/base/clock.h"
#include "tests/testlib/testlib.h"

static void fake_clock_moves_only_when_told(void **state)
{
    (void)state;
    struct vt_clock_fake fake;
    vt_clock_fake_init(&fake, 1700000000000);
    assert_int_equal(vt_clock_unix_ms(&fake.clock), 1700000000000);
    assert_int_equal(vt_clock_unix_ms(&fake.clock), 1700000000000);
    int64_t before_ns = vt_clock_monotonic_ns(&fake.clock);
    vt_clock_fake_advance_ms(&fake, 250);
    assert_int_equal(vt_clock_unix_ms(&fake.clock), 1700000000250);
    assert_int_equal(vt_clock_monotonic_ns(&fake.clock) - before_ns, 250000000);
}

static void system_clock_does_not_run_backwards(void **state)
{
    (void)state;
    const struct vt_clock *clock = vt_clock_system();
    int64_t last_ns = vt_clock_monotonic_ns(clock);
    for (int i = 0; i < 1000; i++) {
        int64_t now_ns = vt_clock_monotonic_ns(clock);
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    assert_true(vt_clock_unix_ms(clock) > INT64_C(1600000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fake_clock_moves_only_when_told),
        cmocka_unit_test(system_clock_does_not_run_backwards),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
