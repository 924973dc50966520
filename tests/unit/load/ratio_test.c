/* Ratios against values worked out by hand, and their bounds against what they promise. */
#include "loadtest/random.h"
#include "loadtest/ratio.h"
#include "tests/testlib/testlib.h"

#include <math.h>

enum { ROUNDS = 6, TRIALS = 2000 };

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-3 * fabs(b);
}

static void paired_ratio_is_the_textbook_one(void **state)
{
    const double a[] = {100, 200, 400}, b[] = {200, 400, 1600};
    (void)state;
    /* Logarithms to base 2 of b / a: 1, 1, 2; mean 4/3, error 1/3, Student's at 2: 4.303. */
    struct ratio ratio = ratio_paired(a, b, 3);
    assert_true(near(ratio.a, 200));
    assert_true(near(ratio.value, exp2(4.0 / 3)));
    assert_true(near(ratio.low, exp2(4.0 / 3 - 4.303 / 3)));
    assert_true(near(ratio.high, exp2(4.0 / 3 + 4.303 / 3)));
    assert_false(ratio.differs);
}

static void what_all_rounds_share_cancels_when_paired(void **state)
{
    const double a[] = {100, 1000, 10, 500}, b[] = {110, 1101, 10.99, 551};
    (void)state;
    assert_true(ratio_paired(a, b, 4).differs);
    assert_false(ratio_separate(a, 4, b, 4).differs);
}

static void one_round_has_no_bound(void **state)
{
    const double a[] = {1}, b[] = {100};
    (void)state;
    struct ratio paired = ratio_paired(a, b, 1), separate = ratio_separate(a, 1, b, 1);
    assert_true(near(paired.value, 100) && near(separate.value, 100));
    assert_true(paired.low == 0 && isinf(paired.high) && !paired.differs);
    assert_true(separate.low == 0 && isinf(separate.high) && !separate.differs);
}

static double normal(struct load_random *random)
{
    return sqrt(-2 * log(load_random_unit(random))) * cos(2 * acos(-1) * load_random_unit(random));
}

/* Of many comparisons of equals about one in twenty says that they differ: not more, or the bound
 * is a lie, and not far fewer, or it is useless. */
static void equals_are_told_apart_once_in_twenty(void **state)
{
    struct load_random random = {17};
    double n_paired = 0, n_separate = 0;
    (void)state;
    for (int trial = 0; trial < TRIALS; trial++) {
        double a[ROUNDS], b[ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            a[i] = exp(0.2 * normal(&random));
            b[i] = exp(0.2 * normal(&random));
        }
        n_paired += ratio_paired(a, b, ROUNDS).differs ? 1 : 0;
        n_separate += ratio_separate(a, ROUNDS, b, ROUNDS).differs ? 1 : 0;
    }
    assert_true(n_paired / TRIALS > 0.03 && n_paired / TRIALS < 0.07);
    assert_true(n_separate / TRIALS > 0.03 && n_separate / TRIALS < 0.07);
}

static void a_difference_beyond_the_noise_is_told(void **state)
{
    const double a[] = {100, 102, 98, 101}, b[] = {120, 119, 121, 122, 118};
    (void)state;
    struct ratio ratio = ratio_separate(a, 4, b, 5);
    assert_true(ratio.differs && ratio.low > 1.1 && ratio.high < 1.3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paired_ratio_is_the_textbook_one),
        cmocka_unit_test(what_all_rounds_share_cancels_when_paired),
        cmocka_unit_test(one_round_has_no_bound),
        cmocka_unit_test(equals_are_told_apart_once_in_twenty),
        cmocka_unit_test(a_difference_beyond_the_noise_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
