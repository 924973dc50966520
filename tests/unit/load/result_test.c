/* The numbers of a report, and when they are to be doubted. */
#include "loadtest/result.h"
#include "tests/testlib/testlib.h"

enum { MS = 1000000, CALLS = 1000 };

static int make_result(void **state)
{
    struct load_result *result = NULL;
    assert_ok(load_result_new(10000, &result));
    *state = result;
    return 0;
}

static int free_result(void **state)
{
    load_result_free(*state);
    return 0;
}

/* CALLS answers of `latency_ns`, each sent `lag_ns` late. */
static void fill(struct load_result *result, uint64_t latency_ns, uint64_t lag_ns)
{
    struct call_counts *counts = &result->kinds[CALL_RECOMMEND];
    for (int i = 0; i < CALLS; i++) {
        histogram_add(&counts->latency, latency_ns);
        histogram_add(&result->lag, lag_ns);
        counts->sent++;
        counts->ok++;
    }
    load_result_sum(result);
}

static void goodput_leaves_out_degraded_and_failed(void **state)
{
    struct load_result *result = *state;
    fill(result, MS, 1000);
    result->kinds[CALL_RECOMMEND].degraded = 100;
    result->kinds[CALL_EVENTS].ok = 50;
    result->kinds[CALL_EVENTS].errors[VT_DEADLINE] = 7;
    load_result_sum(result);
    assert_true(load_result_goodput(result) == (CALLS - 100 + 50) / 10.0);
    assert_int_equal(load_result_n_errors(&result->all), 7);
}

static void all_is_the_sum_of_the_kinds_however_often_it_is_made(void **state)
{
    struct load_result *result = *state;
    fill(result, MS, 1000);
    load_result_sum(result);
    assert_int_equal(result->all.ok, CALLS);
    assert_int_equal(result->all.latency.n, CALLS);
}

static void a_punctual_generator_is_not_doubted(void **state)
{
    fill(*state, 2 * MS, 20000);
    assert_null(load_result_doubt(*state, 100));
}

static void lateness_of_one_call_in_a_hundred_is_told(void **state)
{
    struct load_result *result = *state;
    fill(result, 2 * MS, 20000);
    result->late = CALLS / 100;
    assert_null(load_result_doubt(result, 100));
    result->late++;
    assert_non_null(load_result_doubt(result, 100));
    assert_null(load_result_doubt(result, 0)); /* a closed loop has no schedule */
}

static void a_lag_that_is_a_good_part_of_the_latency_is_told(void **state)
{
    fill(*state, 300000, 100000);
    assert_non_null(load_result_doubt(*state, 100));
}

static void unsent_calls_and_a_full_thread_are_told(void **state)
{
    struct load_result *result = *state;
    fill(result, 2 * MS, 20000);
    result->unsent = 1;
    assert_non_null(load_result_doubt(result, 100));
    result->unsent = 0;
    result->busy = 0.99;
    assert_non_null(load_result_doubt(result, 100));
}

static void threads_add_up_and_the_busiest_counts(void **state)
{
    struct load_result *sum = *state, *part = NULL;
    assert_ok(load_result_new(10000, &part));
    fill(part, MS, 1000);
    timeline_slot_add(timeline_at(&part->timeline, 3 * INT64_C(1000) * MS), MS);
    part->busy = 0.5;
    load_result_merge(sum, part);
    part->busy = 0.25;
    load_result_merge(sum, part);
    load_result_sum(sum);
    assert_int_equal(sum->all.ok, 2 * CALLS);
    assert_true(sum->busy == 0.5);
    assert_int_equal(timeline_at(&sum->timeline, 3 * INT64_C(1000) * MS)->ok, 2);
    load_result_free(part);
}

/* ---- the time line ---- */

static void short_runs_have_slots_of_a_tenth_and_long_ones_at_most_600(void **state)
{
    struct timeline timeline;
    (void)state;
    assert_true(timeline_init(&timeline, 60000));
    assert_int_equal(timeline.n_slots, TIMELINE_SLOTS_MAX);
    assert_int_equal(timeline.slot_ns, INT64_C(100) * MS);
    timeline_fini(&timeline);
    assert_true(timeline_init(&timeline, 60001));
    assert_int_equal(timeline.n_slots, 61);
    timeline_fini(&timeline);
    assert_true(timeline_init(&timeline, 86400000));
    assert_int_equal(timeline.n_slots, TIMELINE_SLOTS_MAX);
    timeline_fini(&timeline);
}

static void a_moment_at_the_very_end_belongs_to_the_last_slot(void **state)
{
    struct timeline timeline;
    (void)state;
    assert_true(timeline_init(&timeline, 1000));
    assert_ptr_equal(timeline_at(&timeline, INT64_C(1000) * MS), &timeline.slots[9]);
    timeline_fini(&timeline);
}

static void slot_quantiles_round_up_by_a_sixteenth_at_most(void **state)
{
    struct timeline_slot slot = {0};
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        timeline_slot_add(&slot, i * 10000);
    uint64_t told = timeline_slot_quantile(&slot, 0.99);
    assert_true(told >= 9900000 && told <= 9900000 * 17 / 16);
    assert_int_equal(timeline_slot_quantile(&slot, 1), 10000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_RESULT(test_) cmocka_unit_test_setup_teardown(test_, make_result, free_result)
        WITH_RESULT(goodput_leaves_out_degraded_and_failed),
        WITH_RESULT(all_is_the_sum_of_the_kinds_however_often_it_is_made),
        WITH_RESULT(a_punctual_generator_is_not_doubted),
        WITH_RESULT(lateness_of_one_call_in_a_hundred_is_told),
        WITH_RESULT(a_lag_that_is_a_good_part_of_the_latency_is_told),
        WITH_RESULT(unsent_calls_and_a_full_thread_are_told),
        WITH_RESULT(threads_add_up_and_the_busiest_counts),
        cmocka_unit_test(short_runs_have_slots_of_a_tenth_and_long_ones_at_most_600),
        cmocka_unit_test(a_moment_at_the_very_end_belongs_to_the_last_slot),
        cmocka_unit_test(slot_quantiles_round_up_by_a_sixteenth_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
