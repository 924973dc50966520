/* The lower end against the equation that defines it. */
#include "models/dataset/wilson.h"
#include "tests/testlib/testlib.h"

#include <math.h>

/* Wilson's interval by its definition: the shares p with |p - hits/n| ≤ z √(p(1-p)/n). */
static void the_lower_end_solves_its_equation(void **state)
{
    (void)state;
    for (int n = 1; n < 40; n += 3)
        for (int hits = 1; hits <= n; hits++) {
            double share = (double)hits / n;
            double p = vt_wilson_lower(hits, n, 1.645);
            assert_true(p > 0 && p < share);
            assert_true(fabs((share - p) - 1.645 * sqrt(p * (1 - p) / n)) < 1e-12);
        }
    assert_true(vt_wilson_lower(0, 0, 1.645) <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lower_end_solves_its_equation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
