/* The bootstrap against cases whose distribution is known by hand, and against a plain one. */
#include "models/eval/significance.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 400 };

static struct vt_bootstrap_options defaults(void)
{
    struct vt_bootstrap_options options;
    vt_bootstrap_options_default(&options);
    options.threads = 1;
    return options;
}

/* An unlike generator, so that the values have nothing to do with the draws. */
static double next_uniform(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / 16777216.0;
}

static void fill_uniform(double values[N], uint32_t seed, double shift)
{
    for (int i = 0; i < N; i++)
        values[i] = next_uniform(&seed) + shift;
}

static void mean_of_equal_values_has_no_width(void **state)
{
    (void)state;
    const double values[] = {0.25, 0.25, 0.25};
    struct vt_bootstrap_options options = defaults();
    struct vt_interval mean;
    assert_ok(vt_bootstrap_mean(values, 3, &options, &mean));
    assert_int_equal(mean.n, 3);
    assert_true(fabs(mean.mean - 0.25) < 1e-15);
    assert_true(fabs(mean.low - 0.25) < 1e-15 && fabs(mean.high - 0.25) < 1e-15);
}

/* Two values, 0 and 1: a resample's mean is 0, ½ or 1 with probability ¼, ½, ¼. */
static void two_values_give_the_binomial_distribution(void **state)
{
    (void)state;
    const double values[] = {0, 1};
    struct vt_bootstrap_options options = defaults();
    struct vt_interval mean;
    options.confidence = 0.4; /* cuts off 0.3 at either end: inside the ½ */
    assert_ok(vt_bootstrap_mean(values, 2, &options, &mean));
    assert_true(fabs(mean.low - 0.5) < 1e-15 && fabs(mean.high - 0.5) < 1e-15);
    options.confidence = 0.6; /* 0.2 at either end: inside the ¼ */
    assert_ok(vt_bootstrap_mean(values, 2, &options, &mean));
    assert_true(mean.low < 1e-15 && mean.high > 1 - 1e-15);
}

/* For uniform values the mean's standard error is √(1/12/n). */
static void interval_is_as_wide_as_the_normal_one(void **state)
{
    (void)state;
    double values[N], error = sqrt(1.0 / 12 / N);
    struct vt_bootstrap_options options = defaults();
    struct vt_interval mean;
    fill_uniform(values, 11, 0);
    assert_ok(vt_bootstrap_mean(values, N, &options, &mean));
    assert_true(mean.low < mean.mean && mean.mean < mean.high);
    assert_true(fabs((mean.high - mean.low) / (2 * 1.96 * error) - 1) < 0.1);
}

static void those_who_are_not_measured_are_left_out(void **state)
{
    (void)state;
    const double values[] = {NAN, 1, NAN, 3}, others[] = {5, 2, 7, NAN};
    struct vt_bootstrap_options options = defaults();
    struct vt_interval mean;
    struct vt_paired_difference paired;
    assert_ok(vt_bootstrap_mean(values, 4, &options, &mean));
    assert_int_equal(mean.n, 2);
    assert_true(fabs(mean.mean - 2) < 1e-15);
    assert_ok(vt_bootstrap_paired(values, others, 4, &options, &paired));
    assert_int_equal(paired.difference.n, 1);
    assert_true(fabs(paired.difference.mean + 1) < 1e-15);
    assert_true(fabs(paired.mean_a - 1) < 1e-15 && fabs(paired.mean_b - 2) < 1e-15);
}

static void nobody_measured_is_no_difference(void **state)
{
    (void)state;
    const double none[] = {NAN};
    struct vt_bootstrap_options options = defaults();
    struct vt_interval mean;
    struct vt_paired_difference paired;
    assert_ok(vt_bootstrap_mean(none, 1, &options, &mean));
    assert_int_equal(mean.n, 0);
    assert_ok(vt_bootstrap_paired(none, none, 1, &options, &paired));
    assert_true(paired.p_worse > 0.999 && paired.p_better > 0.999);
}

static void equal_models_do_not_differ(void **state)
{
    (void)state;
    double values[N];
    struct vt_bootstrap_options options = defaults();
    struct vt_paired_difference paired;
    fill_uniform(values, 3, 0);
    assert_ok(vt_bootstrap_paired(values, values, N, &options, &paired));
    assert_true(fabs(paired.difference.mean) <= 0);
    assert_true(paired.p_worse > 0.999 && paired.p_better > 0.999);
}

/* A shift far below the spread over customers is found, because pairs take the spread out. */
static void small_shift_of_the_same_customers_is_found(void **state)
{
    (void)state;
    double better[N], worse[N];
    uint32_t noise = 5;
    struct vt_bootstrap_options options = defaults();
    struct vt_paired_difference paired;
    fill_uniform(better, 3, 0);
    for (int i = 0; i < N; i++)
        worse[i] = better[i] - 0.01 + 0.05 * (next_uniform(&noise) - 0.5);
    assert_ok(vt_bootstrap_paired(worse, better, N, &options, &paired));
    assert_true(paired.p_worse < 0.001 && paired.p_better > 0.99);
    assert_true(paired.difference.high < 0);
    assert_ok(vt_bootstrap_paired(better, worse, N, &options, &paired));
    assert_true(paired.p_better < 0.001 && paired.p_worse > 0.99);
}

/* Under equality p is uniform: of 200 comparisons without a difference about 10 fall below 5 %. */
static void chance_alone_is_significant_as_often_as_promised(void **state)
{
    (void)state;
    struct vt_bootstrap_options options = defaults();
    int n_significant = 0;
    options.resamples = 400;
    for (uint32_t trial = 0; trial < 200; trial++) {
        double a[N], b[N];
        struct vt_paired_difference paired;
        fill_uniform(a, 2 * trial + 1, 0);
        fill_uniform(b, 7919 * trial + 2, 0);
        assert_ok(vt_bootstrap_paired(a, b, N, &options, &paired));
        n_significant += paired.p_worse < 0.05;
    }
    assert_in_range(n_significant, 2, 22);
}

static void result_is_the_same_for_any_thread_count_and_another_for_another_seed(void **state)
{
    (void)state;
    double values[N];
    struct vt_bootstrap_options options = defaults();
    struct vt_interval one, many, other;
    fill_uniform(values, 3, 0);
    assert_ok(vt_bootstrap_mean(values, N, &options, &one));
    options.threads = 4;
    assert_ok(vt_bootstrap_mean(values, N, &options, &many));
    assert_memory_equal(&one, &many, offsetof(struct vt_interval, n));
    options.seed = 2;
    assert_ok(vt_bootstrap_mean(values, N, &options, &other));
    assert_memory_not_equal(&one, &other, offsetof(struct vt_interval, n));
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    const double values[] = {1, 2};
    struct vt_interval mean;
    struct vt_bootstrap_options options = defaults();
    options.resamples = VT_RESAMPLES_MAX;
    assert_ok(vt_bootstrap_mean(values, 2, &options, &mean));
    options.resamples++;
    assert_code(vt_bootstrap_mean(values, 2, &options, &mean), VT_INVALID);
    options.resamples = 0;
    assert_code(vt_bootstrap_mean(values, 2, &options, &mean), VT_INVALID);
    options = defaults();
    options.confidence = 1;
    assert_code(vt_bootstrap_mean(values, 2, &options, &mean), VT_INVALID);
    options.confidence = (double)NAN;
    assert_code(vt_bootstrap_mean(values, 2, &options, &mean), VT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_of_equal_values_has_no_width),
        cmocka_unit_test(two_values_give_the_binomial_distribution),
        cmocka_unit_test(interval_is_as_wide_as_the_normal_one),
        cmocka_unit_test(those_who_are_not_measured_are_left_out),
        cmocka_unit_test(nobody_measured_is_no_difference),
        cmocka_unit_test(equal_models_do_not_differ),
        cmocka_unit_test(small_shift_of_the_same_customers_is_found),
        cmocka_unit_test(chance_alone_is_significant_as_often_as_promised),
        cmocka_unit_test(result_is_the_same_for_any_thread_count_and_another_for_another_seed),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
