/* Who gets into a thread's queue and who begins first, on times that the test makes up. */
#include "services/common/rpc/admission.h"
#include "tests/testlib/testlib.h"

#include <string.h>

enum { MS = 1000000, N_CALLS = 200, FAST = 0, N_METHODS = 1 };

struct fixture {
    struct vt__admission admission;
    struct vt__waiting calls[N_CALLS];
    int n_calls;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    assert_false(vt_failed(vt__admission_init(&fixture.admission, N_METHODS)));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    vt__admission_fini(&fixture->admission);
    return 0;
}

static struct vt__waiting *call_of(struct fixture *fixture, enum vt__class class, int64_t left_ns)
{
    struct vt__waiting *call = &fixture->calls[fixture->n_calls++];
    call->class = class;
    call->method = FAST;
    call->deadline_ns = left_ns;
    return call;
}

static enum vt__verdict offer(struct fixture *fixture, enum vt__class class, int64_t left_ns)
{
    return vt__admission_offer(&fixture->admission, call_of(fixture, class, left_ns));
}

/* How many are queued of one class before one is refused. */
static int fill(struct fixture *fixture, enum vt__class class, int64_t left_ns)
{
    int n = 0;
    while (n < N_CALLS / 2 && offer(fixture, class, left_ns) == VT__ADMITTED)
        n++;
    return n;
}

static void a_wait_is_half_of_the_time_left_at_most(void **state)
{
    struct fixture *fixture = *state;
    vt__admission_worked(&fixture->admission, FAST, 1 * MS);
    /* 0 … 50 ms wait ahead of 51 calls, and not one more. */
    assert_int_equal(fill(fixture, VT__STOREFRONT, 100 * MS), 51);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 100 * MS), VT__REFUSED_WAIT);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 102 * MS), VT__ADMITTED);
}

static void a_deadline_that_the_queue_takes_is_refused(void **state)
{
    struct fixture *fixture = *state;
    vt__admission_worked(&fixture->admission, FAST, 10 * MS);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 100 * MS), VT__ADMITTED);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 19 * MS), VT__REFUSED_DEADLINE);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 20 * MS), VT__ADMITTED);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 0), VT__REFUSED_DEADLINE);
}

static void other_work_of_the_thread_makes_waits_longer(void **state)
{
    struct fixture *fixture = *state;
    vt__admission_worked(&fixture->admission, FAST, 1 * MS);
    for (int i = 0; i < 1000; i++)
        vt__admission_turned(&fixture->admission, 4 * MS, 2 * MS);
    assert_in_range(fill(fixture, VT__STOREFRONT, 100 * MS), 25, 26);
}

static void batch_is_refused_first(void **state)
{
    struct fixture *fixture = *state;
    vt__admission_worked(&fixture->admission, FAST, 1 * MS);
    assert_in_range(fill(fixture, VT__BATCH, 100 * MS), 13, 14);
    /* What waits of batch is no reason to refuse a storefront … */
    assert_int_equal(fill(fixture, VT__STOREFRONT, 100 * MS), 51);
    /* … and the other way round it is. */
    assert_int_equal(offer(fixture, VT__BATCH, 100 * MS), VT__REFUSED_WAIT);
}

static void storefronts_begin_first_and_each_class_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct vt__admission *admission = &fixture->admission;
    enum vt__verdict verdict = VT__N_VERDICTS;
    struct vt__waiting *batch = call_of(fixture, VT__BATCH, INT64_MAX);
    struct vt__waiting *first = call_of(fixture, VT__STOREFRONT, INT64_MAX);
    struct vt__waiting *second = call_of(fixture, VT__STOREFRONT, INT64_MAX);
    assert_int_equal(vt__admission_offer(admission, batch), VT__ADMITTED);
    assert_int_equal(vt__admission_offer(admission, first), VT__ADMITTED);
    assert_int_equal(vt__admission_offer(admission, second), VT__ADMITTED);
    assert_ptr_equal(vt__admission_take(admission, 1, &verdict), first);
    assert_ptr_equal(vt__admission_take(admission, 1, &verdict), second);
    assert_ptr_equal(vt__admission_take(admission, 1, &verdict), batch);
    assert_int_equal(verdict, VT__ADMITTED);
    assert_null(vt__admission_take(admission, 1, &verdict));
    assert_int_equal(admission->n_started, 3);
    vt__admission_leave(admission, first, 2);
    vt__admission_leave(admission, second, 2);
    vt__admission_leave(admission, batch, 2);
    assert_int_equal(admission->n_started, 0);
}

static void a_call_whose_deadline_passed_in_the_queue_does_not_begin(void **state)
{
    struct fixture *fixture = *state;
    enum vt__verdict verdict = VT__ADMITTED;
    assert_int_equal(offer(fixture, VT__STOREFRONT, 5 * MS), VT__ADMITTED);
    assert_non_null(vt__admission_take(&fixture->admission, 5 * MS, &verdict));
    assert_int_equal(verdict, VT__REFUSED_DEADLINE);
    assert_int_equal(fixture->admission.n_started, 0);
}

static void a_call_whose_caller_has_gone_leaves_the_queue(void **state)
{
    struct fixture *fixture = *state;
    struct vt__admission *admission = &fixture->admission;
    enum vt__verdict verdict = VT__ADMITTED;
    vt__admission_worked(admission, FAST, 1 * MS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(offer(fixture, VT__STOREFRONT, INT64_MAX), VT__ADMITTED);
    assert_true(vt__admission_drop(admission, &fixture->calls[1]));
    assert_false(vt__admission_drop(admission, &fixture->calls[1]));
    assert_int_equal(admission->queues[VT__STOREFRONT].work_ns, 2 * MS);
    assert_ptr_equal(vt__admission_take(admission, 1, &verdict), &fixture->calls[0]);
    assert_ptr_equal(vt__admission_take(admission, 1, &verdict), &fixture->calls[2]);
    assert_false(vt__admission_waits(admission));
}

/* Else an estimate that is too high would refuse all that could correct it. */
static void an_idle_thread_takes_what_it_believes_too_slow(void **state)
{
    struct fixture *fixture = *state;
    vt__admission_worked(&fixture->admission, FAST, 20 * MS);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 1 * MS), VT__ADMITTED);
    assert_int_equal(offer(fixture, VT__STOREFRONT, 1 * MS), VT__REFUSED_DEADLINE);
}

/* The verdict on the third call of a method whose limit is two. */
static enum vt__verdict judge_third(struct fixture *fixture, enum vt__class class, int64_t left_ns,
                                    int64_t pace_ns)
{
    struct vt__admission *admission = &fixture->admission;
    enum vt__verdict verdict = VT__N_VERDICTS;
    admission->methods[FAST].limit.limit = 2 * (class == VT__BATCH ? 2 : 1);
    admission->methods[FAST].pace_ns = pace_ns;
    for (int i = 0; i < 3; i++)
        assert_int_equal(offer(fixture, class, left_ns), VT__ADMITTED);
    for (int i = 0; i < 2; i++) {
        assert_non_null(vt__admission_take(admission, 1, &verdict));
        assert_int_equal(verdict, VT__ADMITTED);
    }
    assert_non_null(vt__admission_take(admission, 1, &verdict));
    return verdict;
}

static void more_of_a_method_than_its_limit_does_not_begin(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(judge_third(fixture, VT__STOREFRONT, 100 * MS, 26 * MS), VT__REFUSED_LIMIT);
    assert_int_equal(fixture->admission.n_started, 2);
}

static void who_can_wait_for_those_under_way_begins_over_the_limit(void **state)
{
    assert_int_equal(judge_third(*state, VT__STOREFRONT, 100 * MS, 24 * MS), VT__ADMITTED);
}

static void nobody_begins_behind_half_a_second_of_others(void **state)
{
    assert_int_equal(judge_third(*state, VT__STOREFRONT, INT64_MAX, 251 * MS), VT__REFUSED_LIMIT);
}

static void batch_begins_over_its_limit_for_a_quarter_of_the_wait(void **state)
{
    assert_int_equal(judge_third(*state, VT__BATCH, 100 * MS, 7 * MS), VT__REFUSED_LIMIT);
}

static void nothing_begins_over_the_highest_limit(void **state)
{
    struct fixture *fixture = *state;
    struct vt__admission *admission = &fixture->admission;
    enum vt__verdict verdict = VT__N_VERDICTS;
    admission->methods[FAST].n_started = VT__LIMIT_MAX;
    assert_int_equal(offer(fixture, VT__STOREFRONT, INT64_MAX), VT__ADMITTED);
    assert_non_null(vt__admission_take(admission, 1, &verdict));
    assert_int_equal(verdict, VT__REFUSED_LIMIT);
}

/* Ten at a time that are answered after 100 ms come every 10 ms. */
static void the_pace_is_that_of_answers_while_some_are_under_way(void **state)
{
    enum { AT_A_TIME = 10, ANSWERS = 400 };
    struct fixture *fixture = *state;
    struct vt__admission *admission = &fixture->admission;
    struct vt__waiting *calls[AT_A_TIME];
    enum vt__verdict verdict;
    int64_t now_ns = 1;
    for (int i = 0; i < AT_A_TIME; i++)
        calls[i] = call_of(fixture, VT__STOREFRONT, INT64_MAX);
    for (int i = 0; i < ANSWERS; i++, now_ns += 10 * MS) {
        if (i >= AT_A_TIME)
            vt__admission_leave(admission, calls[i % AT_A_TIME], now_ns);
        calls[i % AT_A_TIME]->arrived_ns = now_ns;
        assert_int_equal(vt__admission_offer(admission, calls[i % AT_A_TIME]), VT__ADMITTED);
        assert_non_null(vt__admission_take(admission, now_ns, &verdict));
    }
    assert_in_range(admission->methods[FAST].pace_ns, 9 * MS, 11 * MS);
    /* A minute without any is no slow minute. */
    for (int i = 0; i < AT_A_TIME; i++)
        vt__admission_leave(admission, calls[i], now_ns);
    now_ns += INT64_C(60000) * MS;
    calls[0]->arrived_ns = now_ns;
    assert_int_equal(vt__admission_offer(admission, calls[0]), VT__ADMITTED);
    assert_non_null(vt__admission_take(admission, now_ns, &verdict));
    vt__admission_leave(admission, calls[0], now_ns + 10 * MS);
    assert_in_range(admission->methods[FAST].pace_ns, 6 * MS, 11 * MS);
}

/* ---- the limit ---- */

static void observe(struct vt__limit *limit, int n_windows, int64_t latency_ns, uint32_t n)
{
    for (int i = 0; i < n_windows * VT__LIMIT_WINDOW; i++)
        vt__limit_observe(limit, latency_ns, n);
}

static void the_limit_falls_when_latency_rises_and_recovers(void **state)
{
    (void)state;
    struct vt__limit limit;
    vt__limit_init(&limit);
    observe(&limit, 50, 1 * MS, 10);
    assert_true(limit.limit >= VT__LIMIT_MAX);
    observe(&limit, 6, 20 * MS, 1000);
    assert_true(limit.limit < VT__LIMIT_MAX * 0.7);
    observe(&limit, 200, 1 * MS, VT__LIMIT_MAX);
    assert_true(limit.limit >= VT__LIMIT_MAX);
}

static void the_limit_has_a_floor(void **state)
{
    (void)state;
    struct vt__limit limit;
    vt__limit_init(&limit);
    int64_t latency_ns = 1000;
    for (int i = 0; i < 50; i++, latency_ns += latency_ns * 3 / 5)
        observe(&limit, 1, latency_ns, 1000);
    assert_true(limit.limit >= VT__LIMIT_MIN && limit.limit < VT__LIMIT_MIN + 4);
}

static void latency_within_the_tolerance_is_no_reason(void **state)
{
    (void)state;
    struct vt__limit limit;
    vt__limit_init(&limit);
    for (int i = 0; i < 100; i++)
        observe(&limit, 1, i % 2 == 0 ? 10 * MS : 13 * MS, 1000);
    assert_true(limit.limit >= VT__LIMIT_MAX);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_wait_is_half_of_the_time_left_at_most),
        CASE(a_deadline_that_the_queue_takes_is_refused),
        CASE(other_work_of_the_thread_makes_waits_longer),
        CASE(batch_is_refused_first),
        CASE(storefronts_begin_first_and_each_class_in_order),
        CASE(a_call_whose_deadline_passed_in_the_queue_does_not_begin),
        CASE(a_call_whose_caller_has_gone_leaves_the_queue),
        CASE(an_idle_thread_takes_what_it_believes_too_slow),
        CASE(more_of_a_method_than_its_limit_does_not_begin),
        CASE(who_can_wait_for_those_under_way_begins_over_the_limit),
        CASE(nobody_begins_behind_half_a_second_of_others),
        CASE(batch_begins_over_its_limit_for_a_quarter_of_the_wait),
        CASE(nothing_begins_over_the_highest_limit),
        CASE(the_pace_is_that_of_answers_while_some_are_under_way),
        cmocka_unit_test(the_limit_falls_when_latency_rises_and_recovers),
        cmocka_unit_test(the_limit_has_a_floor),
        cmocka_unit_test(latency_within_the_tolerance_is_no_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
