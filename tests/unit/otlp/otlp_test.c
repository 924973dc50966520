/* The exporter against a collector that takes, refuses, hangs, or is not there. */
#include "services/common/base/metrics.h"
#include "services/common/otlp/otlp.h"
#include "services/common/rpc/server.h"
#include "services/common/trace/tracer.h"
#include "tests/testlib/testlib.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct vt_metrics *metrics;
    struct vt_rpc_server *collector;
    struct vt_otlp *otlp;
    const char *answer; /* of 4 bytes, or NULL: empty */
    bool hangs;
    atomic_uint n_batches;
    char target[64];
};

static void on_gone(void *ctx)
{
    vt_rpc_call_fail(ctx, VT_ERR(VT_CANCELLED, "gone"));
}

static void export(struct vt_rpc_call *call, void *service)
{
    struct fixture *fixture = service;
    atomic_fetch_add(&fixture->n_batches, 1);
    if (fixture->hangs)
        vt_rpc_call_on_cancel(call, on_gone, call);
    else
        vt_rpc_call_reply(call, vt_slice(fixture->answer, fixture->answer != NULL ? 4 : 0));
}

static const struct vt_rpc_method methods[] = {
    {.path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
     .handler = export,
     .max_request_bytes = 4 << 20,
     .roles = VT_CALLER_ANY},
};

static void start_collector(struct fixture *fixture)
{
    const struct vt_rpc_server_options options = {.listen = "127.0.0.1:0", .n_threads = 1};
    assert_ok(vt_rpc_server_new(&options, &fixture->collector));
    assert_ok(vt_rpc_server_add(fixture->collector, methods, 1, fixture));
    assert_ok(vt_rpc_server_start(fixture->collector, NULL));
    snprintf(fixture->target, sizeof fixture->target, "127.0.0.1:%u",
             vt_rpc_server_port(fixture->collector));
}

static void start_exporter(struct fixture *fixture)
{
    assert_ok(vt_otlp_start(&(struct vt_otlp_options){.target = fixture->target,
                                                      .service_name = "vitrine-test",
                                                      .metrics = fixture->metrics},
                            &fixture->otlp));
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_ok(vt_metrics_new(&fixture->metrics));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    vt_otlp_stop(fixture->otlp);
    vt_rpc_server_free(fixture->collector);
    vt_metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

static uint64_t counted(struct fixture *fixture, const char *name, const char *labels)
{
    return vt_counter_value(vt_metrics_counter(fixture->metrics, name, "", labels));
}

static uint64_t n_exported(struct fixture *fixture)
{
    return counted(fixture, "vitrine_trace_spans_exported_total", "");
}

static uint64_t n_lost(struct fixture *fixture)
{
    return counted(fixture, "vitrine_trace_spans_dropped_total", "reason=\"collector\"");
}

static uint64_t n_dropped(struct fixture *fixture)
{
    return counted(fixture, "vitrine_trace_spans_dropped_total", "reason=\"queue_full\"");
}

static void push(struct fixture *fixture, unsigned n)
{
    struct vt_span span;
    vt_span_clear(&span);
    span.trace_low = span.id = 7;
    span.tracer = vt_otlp_tracer(fixture->otlp);
    span.path = "/test.T/Call";
    for (unsigned i = 0; i < n; i++)
        vt_span_push(&span);
}

static void what_was_recorded_arrives_at_the_latest_when_it_stops(void **state)
{
    struct fixture *fixture = *state;
    start_collector(fixture);
    start_exporter(fixture);
    push(fixture, 2 * VT_TRACER_BATCH + 1);
    vt_otlp_stop(fixture->otlp);
    fixture->otlp = NULL;
    assert_int_equal(n_exported(fixture), 2 * VT_TRACER_BATCH + 1);
    assert_true(atomic_load(&fixture->n_batches) >= 3);
    assert_int_equal(n_lost(fixture) + n_dropped(fixture), 0);
}

static void what_the_collector_refuses_is_lost(void **state)
{
    struct fixture *fixture = *state;
    fixture->answer = "\x0a\x02\x08\x03"; /* partial success: 3 spans rejected */
    start_collector(fixture);
    start_exporter(fixture);
    push(fixture, 10);
    vt_otlp_stop(fixture->otlp);
    fixture->otlp = NULL;
    unsigned n_batches = atomic_load(&fixture->n_batches);
    assert_int_equal(n_exported(fixture) + n_lost(fixture), 10);
    assert_true(n_batches >= 1 && n_lost(fixture) >= 3);
}

static void collector_that_is_away_loses_spans_and_stops_nobody(void **state)
{
    struct fixture *fixture = *state;
    start_collector(fixture); /* for a port that nobody has any more */
    vt_rpc_server_free(fixture->collector);
    fixture->collector = NULL;
    start_exporter(fixture);
    push(fixture, 10);
    while (n_lost(fixture) < 10)
        sched_yield();
    vt_otlp_stop(fixture->otlp);
    fixture->otlp = NULL;
    assert_int_equal(n_exported(fixture), 0);
}

static void collector_that_hangs_fills_the_queue_and_no_further(void **state)
{
    struct fixture *fixture = *state;
    fixture->hangs = true;
    start_collector(fixture);
    start_exporter(fixture);
    push(fixture, VT_TRACER_BATCH);
    while (atomic_load(&fixture->n_batches) == 0)
        sched_yield();
    push(fixture, VT_TRACER_RECORDS_MAX + VT_TRACER_BATCH + 1); /* what can be held, and one more */
    assert_true(n_dropped(fixture) >= 1);
    vt_otlp_stop(fixture->otlp); /* the batch's time runs out; the rest is not tried */
    fixture->otlp = NULL;
    assert_int_equal(n_exported(fixture), 0);
    assert_true(n_lost(fixture) >= VT_TRACER_BATCH);
}

static void nobody_records_without_an_exporter(void **state)
{
    (void)state;
    assert_null(vt_otlp_tracer(NULL));
    vt_otlp_stop(NULL);
}

int main(void)
{
#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_was_recorded_arrives_at_the_latest_when_it_stops),
        CASE(what_the_collector_refuses_is_lost),
        CASE(collector_that_is_away_loses_spans_and_stops_nobody),
        CASE(collector_that_hangs_fills_the_queue_and_no_further),
        CASE(nobody_records_without_an_exporter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
