/* Who decides what is recorded, and the queue at its limits and under several producers. */
#include "services/common/base/metrics.h"
#include "services/common/trace/tracer.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS = 10000, PRODUCERS = 4, RECORDS_EACH = 20000 };

static struct vt_tracer *tracer_of(double share, uint32_t n_records)
{
    struct vt_tracer *tracer = NULL;
    assert_ok(vt_tracer_new(&(struct vt_tracer_options){.share = share, .n_records = n_records},
                            &tracer));
    return tracer;
}

static struct vt_span begun(struct vt_tracer *tracer, const char *traceparent, bool may_begin)
{
    static struct vt_trace_ids ids = {42};
    struct vt_span span;
    vt_span_clear(&span);
    vt_trace_begin(tracer, &ids, vt_slice_str(traceparent), may_begin, &span);
    return span;
}

static unsigned n_recorded(struct vt_tracer *tracer, const char *traceparent, bool may_begin)
{
    unsigned n = 0;
    for (int i = 0; i < CALLS; i++)
        n += begun(tracer, traceparent, may_begin).tracer != NULL;
    return n;
}

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

static void callers_word_is_followed(void **state)
{
    (void)state;
    struct vt_tracer *never = tracer_of(0, 2), *always = tracer_of(1, 2);
    assert_int_equal(n_recorded(never, TRACE "01", true), CALLS);
    assert_int_equal(n_recorded(never, TRACE "01", false), CALLS);
    assert_int_equal(n_recorded(always, TRACE "00", true), 0);
    struct vt_span span = begun(never, TRACE "01", true);
    assert_true(span.trace_high == UINT64_C(0x4bf92f3577b34da6));
    assert_true(span.parent == UINT64_C(0x00f067aa0ba902b7));
    assert_true(span.id != span.parent && span.id != 0);
    vt_tracer_free(never);
    vt_tracer_free(always);
}

static void share_is_of_calls_without_a_traceparent(void **state)
{
    (void)state;
    struct vt_tracer *never = tracer_of(0, 2), *some = tracer_of(.1, 2), *always = tracer_of(1, 2);
    assert_int_equal(n_recorded(never, "", true), 0);
    assert_int_equal(n_recorded(always, "", true), CALLS);
    assert_int_equal(n_recorded(always, "", false), 0);
    assert_in_range(n_recorded(some, "broken", true), CALLS / 10 - 150, CALLS / 10 + 150);
    struct vt_span span = begun(never, "", true);
    assert_true((span.trace_high | span.trace_low) != 0); /* a trace all the same, for the logs */
    assert_true(span.parent == 0 && span.id != 0);
    vt_tracer_free(never);
    vt_tracer_free(some);
    vt_tracer_free(always);
}

static void without_a_tracer_the_callers_span_is_passed_on(void **state)
{
    (void)state;
    struct vt_span span = begun(NULL, TRACE "01", true);
    assert_true(span.id == UINT64_C(0x00f067aa0ba902b7));
    assert_true(span.sampled);
    assert_null(span.tracer);
    vt_span_push(&span); /* goes nowhere */
}

static void full_queue_drops_and_counts(void **state)
{
    (void)state;
    struct vt_metrics *metrics;
    struct vt_tracer *tracer;
    assert_ok(vt_metrics_new(&metrics));
    assert_ok(vt_tracer_new(
        &(struct vt_tracer_options){.share = 1, .n_records = 4, .metrics = metrics}, &tracer));
    struct vt_counter *dropped = vt_metrics_counter(metrics, "vitrine_trace_spans_dropped_total",
                                                    "", "reason=\"queue_full\"");
    struct vt_span span = begun(tracer, "", true), taken;
    vt_span_step(&span, "one", 1, 2);
    for (int round = 0; round < 3; round++) { /* the queue goes round, and is the same again */
        for (int i = 0; i < 4; i++) {
            span.begin_ns = round * 10 + i;
            vt_span_push(&span);
        }
        assert_int_equal(vt_counter_value(dropped), round * 2);
        vt_span_push(&span); /* limit + 1: the span and its step */
        assert_int_equal(vt_counter_value(dropped), (round + 1) * 2);
        for (int i = 0; i < 4; i++) {
            assert_true(vt_tracer_pop(tracer, &taken));
            assert_true(taken.begin_ns == round * 10 + i && taken.n_steps == 1);
        }
        assert_false(vt_tracer_pop(tracer, &taken));
    }
    vt_tracer_free(tracer);
    vt_metrics_free(metrics);
}

static void odd_lengths_are_refused(void **state)
{
    (void)state;
    struct vt_tracer *tracer;
    assert_code(vt_tracer_new(&(struct vt_tracer_options){.n_records = 1}, &tracer), VT_INVALID);
    assert_code(vt_tracer_new(&(struct vt_tracer_options){.n_records = 12}, &tracer), VT_INVALID);
}

/* ---- several threads ---- */

struct producer {
    struct vt_tracer *tracer;
    uint64_t number;
};

static void *produce(void *argument)
{
    const struct producer *producer = argument;
    struct vt_span span = begun(NULL, TRACE "01", true);
    span.tracer = producer->tracer;
    span.id = producer->number;
    for (int i = 1; i <= RECORDS_EACH; i++) {
        span.begin_ns = i;
        span.end_ns = -i;
        vt_span_push(&span);
    }
    return NULL;
}

/* Takes until all that was pushed is taken or counted as dropped. */
static uint64_t consume(struct vt_tracer *tracer, const struct vt_counter *dropped)
{
    uint64_t n = 0;
    int64_t last[PRODUCERS] = {0};
    struct vt_span span;
    while (n + vt_counter_value(dropped) < (uint64_t)PRODUCERS * RECORDS_EACH) {
        if (!vt_tracer_pop(tracer, &span)) {
            vt_tracer_wait(tracer, 1);
            continue;
        }
        n++;
        assert_true(span.begin_ns == -span.end_ns); /* whole */
        assert_true(span.begin_ns > last[span.id]); /* each producer's in its order */
        last[span.id] = span.begin_ns;
    }
    return n;
}

static void records_of_several_threads_come_whole_and_none_is_lost_uncounted(void **state)
{
    (void)state;
    struct vt_metrics *metrics;
    struct vt_tracer *tracer;
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    assert_ok(vt_metrics_new(&metrics));
    assert_ok(
        vt_tracer_new(&(struct vt_tracer_options){.n_records = 512, .metrics = metrics}, &tracer));
    struct vt_counter *dropped = vt_metrics_counter(metrics, "vitrine_trace_spans_dropped_total",
                                                    "", "reason=\"queue_full\"");
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){tracer, i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    uint64_t n = consume(tracer, dropped);
    for (unsigned i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    struct vt_span span;
    assert_false(vt_tracer_pop(tracer, &span));
    assert_int_equal(n + vt_counter_value(dropped), PRODUCERS * RECORDS_EACH);
    assert_true(n >= 512);
    vt_tracer_free(tracer);
    vt_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_word_is_followed),
        cmocka_unit_test(share_is_of_calls_without_a_traceparent),
        cmocka_unit_test(without_a_tracer_the_callers_span_is_passed_on),
        cmocka_unit_test(full_queue_drops_and_counts),
        cmocka_unit_test(odd_lengths_are_refused),
        cmocka_unit_test(records_of_several_threads_come_whole_and_none_is_lost_uncounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
