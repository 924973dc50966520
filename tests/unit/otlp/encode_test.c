/* Records as messages, read back with the decoder that reads anybody's. */
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "services/common/otlp/encode.h"
#include "services/common/pb/pb.h"
#include "services/common/trace/tracer.h"
#include "tests/testlib/testlib.h"

#include <string.h>

enum { ARENA_BYTES = 4 << 20 };
static const struct vt_otlp_resource resource = {"vitrine-ranking", "host:7", "0.1.0"};

struct fixture {
    struct vt_arena arena;
    struct vt_tracer *tracer;
    struct vt_otlp_batch batch;
    Opentelemetry__Proto__Trace__V1__ResourceSpans *spans;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    assert_true(vt_arena_init_owned(&fixture.arena, ARENA_BYTES));
    assert_ok(vt_tracer_new(&(struct vt_tracer_options){.n_records = 2}, &fixture.tracer));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    vt_arena_fini(&fixture->arena);
    vt_tracer_free(fixture->tracer);
    return 0;
}

static struct vt_span record_of(struct fixture *fixture)
{
    struct vt_span span;
    vt_span_clear(&span);
    span.trace_high = UINT64_C(0x0102030405060708);
    span.trace_low = UINT64_C(0x090a0b0c0d0e0f10);
    span.id = UINT64_C(0x1112131415161718);
    span.parent = UINT64_C(0x2122232425262728);
    span.tracer = fixture->tracer;
    span.path = "/vitrine.v1.RecommendationService/Recommend";
    span.begin_ns = 1000;
    span.end_ns = 5000;
    return span;
}

static Opentelemetry__Proto__Trace__V1__Span *
encoded(struct fixture *fixture, struct vt_span *records, size_t n, size_t which)
{
    Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest *request;
    assert_ok(vt_otlp_encode(&resource, records, n, 1000000, &fixture->arena, &fixture->batch));
    assert_ok(vt_pb_decode(
        &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
        fixture->batch.bytes, &fixture->arena, NULL, &request));
    assert_int_equal(request->n_resource_spans, 1);
    fixture->spans = request->resource_spans[0];
    assert_int_equal(fixture->spans->n_scope_spans, 1);
    assert_int_equal(fixture->spans->scope_spans[0]->n_spans, fixture->batch.n_spans);
    return fixture->spans->scope_spans[0]->spans[which];
}

static const char *text_of(Opentelemetry__Proto__Common__V1__KeyValue *const *attributes, size_t n,
                           const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(attributes[i]->key, key) == 0)
            return attributes[i]->value->string_value;
    return "(none)";
}

static void call_becomes_a_span_with_the_attributes_of_rpc(void **state)
{
    struct fixture *fixture = *state;
    struct vt_span record = record_of(fixture);
    Opentelemetry__Proto__Trace__V1__Span *span = encoded(fixture, &record, 1, 0);
    static const unsigned char trace[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    static const unsigned char id[] = {0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18};
    static const unsigned char parent[] = {0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28};
    assert_int_equal(span->trace_id.len, sizeof trace);
    assert_memory_equal(span->trace_id.data, trace, sizeof trace);
    assert_int_equal(span->span_id.len, sizeof id);
    assert_memory_equal(span->span_id.data, id, sizeof id);
    assert_memory_equal(span->parent_span_id.data, parent, sizeof parent);
    assert_string_equal(span->name, "vitrine.v1.RecommendationService/Recommend");
    assert_int_equal(span->kind, 2); /* SERVER */
    assert_int_equal(span->start_time_unix_nano, 1001000);
    assert_int_equal(span->end_time_unix_nano, 1005000);
    assert_string_equal(text_of(span->attributes, span->n_attributes, "rpc.system"), "grpc");
    assert_string_equal(text_of(span->attributes, span->n_attributes, "rpc.service"),
                        "vitrine.v1.RecommendationService");
    assert_string_equal(text_of(span->attributes, span->n_attributes, "rpc.method"), "Recommend");
    assert_int_equal(span->attributes[3]->value->int_value, 0);
    assert_null(span->status);
    const Opentelemetry__Proto__Resource__V1__Resource *of = fixture->spans->resource;
    assert_string_equal(text_of(of->attributes, of->n_attributes, "service.name"),
                        "vitrine-ranking");
    assert_string_equal(text_of(of->attributes, of->n_attributes, "service.instance.id"), "host:7");
    assert_string_equal(text_of(of->attributes, of->n_attributes, "service.version"), "0.1.0");
}

static void trace_that_begins_here_has_no_parent(void **state)
{
    struct fixture *fixture = *state;
    struct vt_span record = record_of(fixture);
    record.parent = 0;
    assert_int_equal(encoded(fixture, &record, 1, 0)->parent_span_id.len, 0);
}

static void steps_become_spans_below_and_moments_events(void **state)
{
    struct fixture *fixture = *state;
    struct vt_span record = record_of(fixture);
    vt_span_step(&record, "profile", 1100, 1200);
    vt_span_event(&record, "degraded: no profile", 1150);
    vt_span_step(&record, "rank", 1200, 1300);
    Opentelemetry__Proto__Trace__V1__Span *rank = encoded(fixture, &record, 1, 2),
                                          *span = encoded(fixture, &record, 1, 0);
    assert_int_equal(fixture->batch.n_spans, 3);
    assert_string_equal(rank->name, "rank");
    assert_int_equal(rank->kind, 1); /* INTERNAL */
    assert_int_equal(rank->start_time_unix_nano, 1001200);
    assert_memory_equal(rank->parent_span_id.data, span->span_id.data, 8);
    assert_memory_not_equal(rank->span_id.data, span->span_id.data, 8);
    assert_int_equal(span->n_events, 1);
    assert_string_equal(span->events[0]->name, "degraded: no profile");
    assert_int_equal(span->events[0]->time_unix_nano, 1001150);
}

/* By OpenTelemetry's conventions: a server's span fails when the server did. */
static void failures_are_told_by_whose_fault_they_are(void **state)
{
    struct fixture *fixture = *state;
    static const bool of_server[VT_CODE_COUNT] = {
        [VT_DEADLINE] = true, [VT_UNAVAILABLE] = true,   [VT_CORRUPT] = true,
        [VT_INTERNAL] = true, [VT_UNIMPLEMENTED] = true,
    };
    for (int code = 0; code < VT_CODE_COUNT; code++) {
        struct vt_span records[2] = {record_of(fixture), record_of(fixture)};
        records[0].code = records[1].code = (enum vt_code)code;
        records[1].kind = VT_SPAN_CLIENT;
        Opentelemetry__Proto__Trace__V1__Span *server = encoded(fixture, records, 2, 0),
                                              *client = encoded(fixture, records, 2, 1);
        assert_int_equal(client->kind, 3);
        assert_int_equal(server->status != NULL, of_server[code]);
        assert_int_equal(client->status != NULL, code != VT_OK);
        assert_true(client->status == NULL || client->status->code == 2);
        vt_arena_reset(&fixture->arena);
    }
}

static void largest_batch_fits_and_a_small_arena_is_told(void **state)
{
    struct fixture *fixture = *state;
    static struct vt_span records[VT_TRACER_BATCH];
    for (size_t i = 0; i < VT_TRACER_BATCH; i++) {
        records[i] = record_of(fixture);
        for (int s = 0; s < VT_SPAN_STEPS_MAX; s++)
            vt_span_step(&records[i], "step", 1, 2);
    }
    assert_ok(
        vt_otlp_encode(&resource, records, VT_TRACER_BATCH, 0, &fixture->arena, &fixture->batch));
    assert_int_equal(fixture->batch.n_spans, VT_TRACER_BATCH * (1 + VT_SPAN_STEPS_MAX));
    struct vt_arena small;
    for (size_t size = 64; size < 1 << 14; size *= 2) {
        assert_true(vt_arena_init_owned(&small, size));
        assert_code(vt_otlp_encode(&resource, records, VT_TRACER_BATCH, 0, &small, &fixture->batch),
                    VT_EXHAUSTED);
        vt_arena_fini(&small);
    }
}

static void refusals_are_read_from_the_answer(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(vt_otlp_refused(vt_slice("", 0), &fixture->arena), 0);
    assert_int_equal(vt_otlp_refused(vt_slice("\x0a\x02\x08\x07", 4), &fixture->arena), 7);
    assert_int_equal(vt_otlp_refused(vt_slice("\x0a\x05\x08", 3), &fixture->arena), 0);
}

int main(void)
{
#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(call_becomes_a_span_with_the_attributes_of_rpc),
        CASE(trace_that_begins_here_has_no_parent),
        CASE(steps_become_spans_below_and_moments_events),
        CASE(failures_are_told_by_whose_fault_they_are),
        CASE(largest_batch_fits_and_a_small_arena_is_told),
        CASE(refusals_are_read_from_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
