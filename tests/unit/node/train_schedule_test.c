#include "services/node/train_job.h"
#include "tests/testlib/testlib.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static void runs_begin_a_period_apart(void **state)
{
    (void)state;
    assert_int_equal(vt_train_schedule_wait_ms(HOUR, 0, 0), HOUR);
    assert_int_equal(vt_train_schedule_wait_ms(HOUR, 0, HOUR / 4), HOUR - HOUR / 4);
}

static void a_run_longer_than_the_period_is_followed_at_once(void **state)
{
    (void)state;
    assert_int_equal(vt_train_schedule_wait_ms(HOUR, 0, HOUR), 0);
    assert_int_equal(vt_train_schedule_wait_ms(HOUR, 0, 7 * HOUR), 0);
}

static void each_failure_in_a_row_doubles_the_wait_up_to_a_day(void **state)
{
    (void)state;
    static const int64_t hours[] = {1, 2, 4, 8, 16, 24, 24};
    for (unsigned failures = 0; failures < sizeof hours / sizeof hours[0]; failures++)
        assert_int_equal(vt_train_schedule_wait_ms(HOUR, failures, 0), hours[failures] * HOUR);
    assert_int_equal(vt_train_schedule_wait_ms(1, 1000000, 0), DAY);
    assert_int_equal(vt_train_schedule_wait_ms(HOUR, 3, 5 * HOUR), 3 * HOUR);
}

static void a_period_above_a_day_is_kept(void **state)
{
    (void)state;
    assert_int_equal(vt_train_schedule_wait_ms(7 * DAY, 0, 0), 7 * DAY);
    assert_int_equal(vt_train_schedule_wait_ms(7 * DAY, 5, 0), 7 * DAY);
    assert_int_equal(vt_train_schedule_wait_ms(INT64_MAX, 5, 0), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_begin_a_period_apart),
        cmocka_unit_test(a_run_longer_than_the_period_is_followed_at_once),
        cmocka_unit_test(each_failure_in_a_row_doubles_the_wait_up_to_a_day),
        cmocka_unit_test(a_period_above_a_day_is_kept),
    };
    return cmocka_run_group_tests_name("node/train_schedule", tests, NULL, NULL);
}
