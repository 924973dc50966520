#include "services/common/base/breaker.h"
#include "tests/testlib/testlib.h"

static void miss(struct vt_breaker *breaker, int64_t now_ns, int times)
{
    for (int i = 0; i < times; i++)
        vt_breaker_record(breaker, now_ns, VT_BREAKER_MISSED);
}

static void breaker_stays_closed_below_its_limit_of_misses(void **state)
{
    (void)state;
    struct vt_breaker breaker = {0};
    miss(&breaker, 1, VT_BREAKER_MISSES - 1);
    assert_true(vt_breaker_allow(&breaker, 2));
}

static void breaker_opens_at_its_limit_and_says_so_once(void **state)
{
    (void)state;
    struct vt_breaker breaker = {0};
    miss(&breaker, 1, VT_BREAKER_MISSES - 1);
    assert_true(vt_breaker_record(&breaker, 1, VT_BREAKER_MISSED));
    assert_false(vt_breaker_record(&breaker, 1, VT_BREAKER_MISSED));
    assert_false(vt_breaker_allow(&breaker, 2));
}

static void an_answer_in_between_starts_the_count_again(void **state)
{
    (void)state;
    struct vt_breaker breaker = {0};
    miss(&breaker, 1, VT_BREAKER_MISSES - 1);
    vt_breaker_record(&breaker, 1, VT_BREAKER_ANSWERED);
    miss(&breaker, 1, VT_BREAKER_MISSES - 1);
    assert_true(vt_breaker_allow(&breaker, 2));
}

static void an_unknown_outcome_counts_for_nothing(void **state)
{
    (void)state;
    struct vt_breaker breaker = {0};
    miss(&breaker, 1, VT_BREAKER_MISSES - 1);
    vt_breaker_record(&breaker, 1, VT_BREAKER_UNKNOWN);
    assert_true(vt_breaker_record(&breaker, 1, VT_BREAKER_MISSED));
}

static void open_breaker_lets_one_probe_through_at_a_time(void **state)
{
    (void)state;
    struct vt_breaker breaker = {0};
    miss(&breaker, 0, VT_BREAKER_MISSES);
    assert_false(vt_breaker_allow(&breaker, VT_BREAKER_OPEN_NS - 1));
    assert_true(vt_breaker_allow(&breaker, VT_BREAKER_OPEN_NS));
    assert_false(vt_breaker_allow(&breaker, VT_BREAKER_OPEN_NS));
    vt_breaker_record(&breaker, VT_BREAKER_OPEN_NS, VT_BREAKER_ANSWERED);
    assert_true(vt_breaker_allow(&breaker, VT_BREAKER_OPEN_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(breaker_stays_closed_below_its_limit_of_misses),
        cmocka_unit_test(breaker_opens_at_its_limit_and_says_so_once),
        cmocka_unit_test(an_answer_in_between_starts_the_count_again),
        cmocka_unit_test(an_unknown_outcome_counts_for_nothing),
        cmocka_unit_test(open_breaker_lets_one_probe_through_at_a_time),
    };
    return cmocka_run_group_tests_name("base/breaker", tests, NULL, NULL);
}
