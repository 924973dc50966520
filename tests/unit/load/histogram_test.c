/* Quantiles against sorted values. */
#include "loadtest/histogram.h"
#include "tests/testlib/testlib.h"

#include <stdlib.h>

static struct histogram histogram;

static int clear(void **state)
{
    (void)state;
    histogram = (struct histogram){0};
    return 0;
}

static void empty_histogram_says_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 0.99), 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t value = 1; value <= 100; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 50);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 99);
    assert_int_equal(histogram_quantile(&histogram, 1), 100);
}

/* Rounded up, so that a quantile is never told better than it was. */
static void quantile_is_within_one_percent_above_the_value(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < UINT64_C(1) << 45; value = value * 3 / 2 + 1) {
        clear(NULL);
        histogram_add(&histogram, value);
        histogram_add(&histogram, value * 4);
        uint64_t told = histogram_quantile(&histogram, 0.5);
        assert_true(told >= value);
        assert_true((double)told <= (double)value * 1.008);
    }
}

static void values_past_the_last_bucket_count_and_keep_the_maximum(void **state)
{
    (void)state;
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.n, 1);
    assert_true(histogram.max == UINT64_MAX);
}

static void merged_histograms_hold_all_values(void **state)
{
    (void)state;
    struct histogram *other = calloc(1, sizeof *other);
    assert_non_null(other);
    histogram_add(&histogram, 10);
    histogram_add(other, 20);
    histogram_merge(&histogram, other);
    assert_int_equal(histogram.n, 2);
    assert_int_equal(histogram.max, 20);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 10);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_histogram_says_zero, clear),
        cmocka_unit_test_setup(small_values_are_exact, clear),
        cmocka_unit_test_setup(quantile_is_within_one_percent_above_the_value, clear),
        cmocka_unit_test_setup(values_past_the_last_bucket_count_and_keep_the_maximum, clear),
        cmocka_unit_test_setup(merged_histograms_hold_all_values, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
