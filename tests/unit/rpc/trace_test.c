/* The spans of calls over a real loopback port: who is whose parent, and who is left out. */
#include "services/common/rpc/client.h"
#include "services/common/rpc/server.h"
#include "services/common/trace/tracer.h"
#include "tests/testlib/testlib.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SAMPLED "00-" TRACE_ID "-00f067aa0ba902b7-01"
#define UNSAMPLED "00-" TRACE_ID "-00f067aa0ba902b7-00"

struct fixture {
    struct vt_tracer *tracer;
    struct vt_rpc_server *server;
    _Atomic(struct vt_rpc_channel *) channel; /* made after the serving threads */
    struct vt_arena arena;
};

static void tell_trace(struct vt_rpc_call *call, void *service)
{
    (void)service;
    char text[VT_TRACE_ID_BYTES];
    vt_trace_id_print(vt_rpc_call_request(call)->span, text);
    vt_rpc_call_reply(call, vt_slice_str(text));
}

static void refuse(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_diag_set(vt_rpc_call_request(call)->diag, "", "customer 4711 is damaged");
    vt_rpc_call_fail(call, VT_ERR(VT_CORRUPT, "damaged"));
}

static void relayed(void *ctx, struct vt_err err, struct vt_slice body)
{
    if (vt_failed(err))
        vt_rpc_call_fail(ctx, err);
    else
        vt_rpc_call_reply(ctx, body);
}

/* Asks another method of the same server; one that fails when there is a body. */
static void relay(struct vt_rpc_call *call, void *service)
{
    struct fixture *fixture = service;
    struct vt_request *request = vt_rpc_call_request(call);
    bool fails = vt_rpc_call_body(call).len > 0;
    const struct vt_rpc_outgoing outgoing = {.path = fails ? "/test.T/Fail" : "/test.T/Trace",
                                             .deadline_ns = request->deadline_ns,
                                             .done = relayed,
                                             .ctx = call};
    vt_span_step(request->span, "before", 1, 2);
    vt_rpc_client_start(atomic_load(&fixture->channel), request, &outgoing);
}

static const struct vt_rpc_method methods[] = {
    {.path = "/test.T/Trace", .handler = tell_trace, .roles = VT_CALLER_ANY},
    {.path = "/test.T/Fail", .handler = refuse, .roles = VT_CALLER_ANY},
    {.path = "/test.T/Relay",
     .handler = relay,
     .max_request_bytes = 100,
     .default_deadline_ms = 5000,
     .roles = VT_CALLER_ANY},
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char target[64];
    assert_true(vt_arena_init_owned(&fixture->arena, 1 << 16));
    assert_ok(
        vt_tracer_new(&(struct vt_tracer_options){.share = 1, .n_records = 64}, &fixture->tracer));
    const struct vt_rpc_server_options options = {
        .listen = "127.0.0.1:0", .n_threads = 2, .tracer = fixture->tracer};
    assert_ok(vt_rpc_server_new(&options, &fixture->server));
    assert_ok(
        vt_rpc_server_add(fixture->server, methods, sizeof methods / sizeof *methods, fixture));
    assert_ok(vt_rpc_server_start(fixture->server, NULL));
    snprintf(target, sizeof target, "127.0.0.1:%u", vt_rpc_server_port(fixture->server));
    struct vt_rpc_channel *channel;
    assert_ok(vt_rpc_channel_new(target, &channel));
    atomic_store(&fixture->channel, channel);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    vt_rpc_channel_free(atomic_load(&fixture->channel));
    vt_rpc_server_free(fixture->server);
    vt_tracer_free(fixture->tracer);
    vt_arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

static struct vt_err call(struct fixture *fixture, const char *path, const char *body,
                          const char *traceparent, struct vt_slice *ret_body)
{
    const struct vt_rpc_metadata metadata = {"traceparent", vt_slice_str(traceparent)};
    const struct vt_rpc_call_options options = {
        .timeout_ms = 10000, .metadata = &metadata, .n_metadata = traceparent != NULL ? 1 : 0};
    return vt_rpc_client_call(atomic_load(&fixture->channel), path, vt_slice_str(body), &options,
                              &fixture->arena, NULL, ret_body);
}

/* A span is pushed before its answer leaves: all of a call that is over are there. */
static size_t take(struct fixture *fixture, struct vt_span *spans, size_t n_max)
{
    size_t n = 0;
    while (n < n_max && vt_tracer_pop(fixture->tracer, &spans[n]))
        n++;
    return n;
}

static void a_relayed_call_is_a_tree_of_three(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice body;
    struct vt_span spans[4];
    assert_ok(call(fixture, "/test.T/Relay", "", SAMPLED, &body));
    assert_int_equal(body.len, strlen(TRACE_ID));
    assert_memory_equal(body.data, TRACE_ID, body.len); /* one trace all the way */
    assert_int_equal(take(fixture, spans, 4), 3);
    const struct vt_span *inner = &spans[0], *asked = &spans[1], *outer = &spans[2];
    assert_string_equal(inner->path, "/test.T/Trace");
    assert_string_equal(asked->path, "/test.T/Trace");
    assert_string_equal(outer->path, "/test.T/Relay");
    assert_true(outer->kind == VT_SPAN_SERVER && asked->kind == VT_SPAN_CLIENT &&
                inner->kind == VT_SPAN_SERVER);
    assert_true(outer->parent == UINT64_C(0x00f067aa0ba902b7));
    assert_true(asked->parent == outer->id);
    assert_true(inner->parent == asked->id);
    assert_true(outer->begin_ns <= asked->begin_ns && asked->begin_ns <= inner->begin_ns);
    assert_true(inner->end_ns <= asked->end_ns && asked->end_ns <= outer->end_ns);
    assert_int_equal(outer->n_steps, 2);
    assert_string_equal(outer->steps[0].name, "wait"); /* for a serving thread */
    assert_string_equal(outer->steps[1].name, "before");
    assert_int_equal(inner->n_steps, 1);
    assert_int_equal(asked->n_steps, 0);
}

static void failures_keep_their_codes(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice body;
    struct vt_span spans[4];
    assert_code(call(fixture, "/test.T/Relay", "fail", SAMPLED, &body), VT_CORRUPT);
    assert_int_equal(take(fixture, spans, 4), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(spans[i].code, VT_CORRUPT);
}

static void unsampled_calls_leave_nothing_and_keep_their_trace(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice body;
    struct vt_span span;
    assert_ok(call(fixture, "/test.T/Relay", "", UNSAMPLED, &body));
    assert_memory_equal(body.data, TRACE_ID, body.len);
    assert_int_equal(take(fixture, &span, 1), 0);
}

static void calls_without_a_traceparent_begin_one_but_probes_do_not(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice body;
    struct vt_span spans[4];
    assert_ok(call(fixture, "/grpc.health.v1.Health/Check", "", NULL, &body));
    assert_int_equal(take(fixture, spans, 4), 0);
    assert_ok(call(fixture, "/test.T/Relay", "", NULL, &body));
    assert_int_equal(take(fixture, spans, 4), 3);
    assert_true(spans[2].parent == 0 && spans[2].trace_low == spans[0].trace_low);
    assert_ok(call(fixture, "/grpc.health.v1.Health/Check", "", SAMPLED, &body));
    assert_int_equal(take(fixture, spans, 4), 1); /* who asks for it gets it */
}

static void unknown_methods_do_not_name_themselves(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice body;
    struct vt_span span;
    assert_code(call(fixture, "/customer.4711/Find", "", SAMPLED, &body), VT_UNIMPLEMENTED);
    assert_int_equal(take(fixture, &span, 1), 1);
    assert_string_equal(span.path, "/other/other");
}

int main(void)
{
#define SERVED(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {
        SERVED(a_relayed_call_is_a_tree_of_three),
        SERVED(failures_keep_their_codes),
        SERVED(unsampled_calls_leave_nothing_and_keep_their_trace),
        SERVED(calls_without_a_traceparent_begin_one_but_probes_do_not),
        SERVED(unknown_methods_do_not_name_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
