/* How many calls may be made twice. */
#include "services/common/base/retry_budget.h"
#include "tests/testlib/testlib.h"

static int take_all(struct vt_retry_budget *budget)
{
    int n = 0;
    while (vt_retry_budget_take(budget))
        n++;
    return n;
}

static void a_new_budget_has_a_few(void **state)
{
    (void)state;
    struct vt_retry_budget budget = {0};
    assert_int_equal(take_all(&budget), VT_RETRY_BUDGET_MAX);
}

static void ten_calls_earn_one_retry(void **state)
{
    (void)state;
    struct vt_retry_budget budget = {0};
    take_all(&budget);
    for (int i = 0; i < VT_RETRY_BUDGET_PER_CALLS - 1; i++)
        vt_retry_budget_earn(&budget);
    assert_false(vt_retry_budget_take(&budget));
    vt_retry_budget_earn(&budget);
    assert_int_equal(take_all(&budget), 1);
}

static void no_more_is_saved_up_than_the_most(void **state)
{
    (void)state;
    struct vt_retry_budget budget = {0};
    for (int i = 0; i < 1000; i++)
        vt_retry_budget_earn(&budget);
    assert_int_equal(take_all(&budget), VT_RETRY_BUDGET_MAX);
}

/* A service that fails everything gets a tenth more calls. */
static void when_all_fails_a_tenth_is_made_twice(void **state)
{
    (void)state;
    struct vt_retry_budget budget = {0};
    int n_retries = 0;
    take_all(&budget);
    for (int i = 0; i < 1000; i++) {
        vt_retry_budget_earn(&budget);
        n_retries += vt_retry_budget_take(&budget);
    }
    assert_int_equal(n_retries, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_budget_has_a_few),
        cmocka_unit_test(ten_calls_earn_one_retry),
        cmocka_unit_test(no_more_is_saved_up_than_the_most),
        cmocka_unit_test(when_all_fails_a_tenth_is_made_twice),
    };
    return cmocka_run_group_tests_name("base/retry_budget", tests, NULL, NULL);
}
