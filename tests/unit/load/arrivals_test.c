/* The arrival processes against what is known of them; seeds are fixed, bounds are four deviations.
 */
#include "loadtest/arrivals.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>

enum { N = 200000, N_THREADS = 3 };

static void fixed_arrivals_keep_the_rate_without_drift(void **state)
{
    struct arrivals arrivals;
    (void)state;
    arrivals_init(&arrivals, 30000, false, 0, 1, 1);
    int64_t last = -1;
    for (int i = 0; i < N; i++) {
        int64_t at = arrivals_next_ns(&arrivals);
        assert_true(at > last);
        last = at;
    }
    assert_true(llabs(last - (int64_t)((N - 1) * (1e9 / 30000))) <= 2);
}

static void fixed_arrivals_of_threads_interleave_evenly(void **state)
{
    (void)state;
    for (uint32_t thread = 0; thread < N_THREADS; thread++) {
        struct arrivals arrivals;
        arrivals_init(&arrivals, 1000, false, thread, N_THREADS, 1);
        for (int64_t round = 0; round < 10; round++)
            assert_int_equal(arrivals_next_ns(&arrivals), (round * N_THREADS + thread) * 1000000);
    }
}

/* Exponential gaps: mean and deviation are equal, and the share over the mean is 1 / e. */
static void poisson_gaps_are_exponential(void **state)
{
    struct arrivals arrivals;
    double sum = 0, squares = 0, n_long = 0;
    int64_t last = 0;
    (void)state;
    arrivals_init(&arrivals, 1000, true, 0, 1, 7);
    for (int i = 0; i < N; i++) {
        int64_t at = arrivals_next_ns(&arrivals);
        double gap_ms = (double)(at - last) * 1e-6;
        sum += gap_ms;
        squares += gap_ms * gap_ms;
        n_long += gap_ms > 1 ? 1 : 0;
        last = at;
    }
    double mean = sum / N, variance = squares / N - mean * mean;
    assert_true(fabs(mean - 1) < 4 / sqrt(N));
    assert_true(fabs(variance - 1) < 4 * sqrt(8.0 / N));
    assert_true(fabs(n_long / N - exp(-1)) < 4 * sqrt(0.24 / N));
}

/* Counts in a window have their mean as variance (index of dispersion 1). */
static void poisson_counts_in_windows_have_dispersion_one(void **state)
{
    enum { WINDOWS = 10000 };
    struct arrivals arrivals;
    double sum = 0, squares = 0;
    (void)state;
    arrivals_init(&arrivals, 1000, true, 0, 1, 11);
    int64_t at = arrivals_next_ns(&arrivals);
    for (int64_t window = 1; window <= WINDOWS; window++) {
        double n = 0;
        for (; at < window * 10000000; at = arrivals_next_ns(&arrivals))
            n++;
        sum += n;
        squares += n * n;
    }
    double mean = sum / WINDOWS, variance = squares / WINDOWS - mean * mean;
    assert_true(fabs(mean - 10) < 4 * sqrt(10.0 / WINDOWS));
    assert_true(fabs(variance / mean - 1) < 4 * sqrt(2.0 / WINDOWS));
}

static void threads_and_seeds_draw_different_moments(void **state)
{
    struct arrivals first, second, third, again;
    (void)state;
    arrivals_init(&first, 1000, true, 0, 2, 1);
    arrivals_init(&second, 1000, true, 1, 2, 1);
    arrivals_init(&third, 1000, true, 0, 2, 2);
    arrivals_init(&again, 1000, true, 0, 2, 1);
    int64_t at = arrivals_next_ns(&first);
    assert_int_not_equal(at, arrivals_next_ns(&second));
    assert_int_not_equal(at, arrivals_next_ns(&third));
    assert_int_equal(at, arrivals_next_ns(&again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_arrivals_keep_the_rate_without_drift),
        cmocka_unit_test(fixed_arrivals_of_threads_interleave_evenly),
        cmocka_unit_test(poisson_gaps_are_exponential),
        cmocka_unit_test(poisson_counts_in_windows_have_dispersion_one),
        cmocka_unit_test(threads_and_seeds_draw_different_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
