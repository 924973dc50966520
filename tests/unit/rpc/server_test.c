/* The server over a real loopback port: what a caller of each kind sees, and that it stops clean.
 */
#include "services/common/base/clock.h"
#include "services/common/base/metrics.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/loop.h"
#include "services/common/rpc/server.h"
#include "services/common/trace/span.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_BYTES = 64 * 1024, REQUEST_MAX = 1000, PARKED_MAX = 2 };

struct fixture {
    struct vt_metrics *metrics;
    struct vt_rpc_server *server;
    _Atomic(struct vt_rpc_channel *) channel; /* handlers of the started server read it */
    struct vt_arena arena;
    char target[64];
    _Atomic(struct vt_rpc_call *) parked;
    atomic_int n_cancelled;
};

static void echo(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_rpc_call_reply(call, vt_rpc_call_body(call));
}

static void refuse(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_diag_set(vt_rpc_call_request(call)->diag, "events[3].item_id", "is empty; send the SKU");
    vt_rpc_call_fail(call, VT_ERR(VT_INVALID, "refused"));
}

static void tell_trace(struct vt_rpc_call *call, void *service)
{
    (void)service;
    struct vt_span *span = vt_rpc_call_request(call)->span;
    char text[VT_TRACEPARENT_BYTES];
    vt_traceparent_print(span, span->parent, text);
    vt_rpc_call_reply(call, vt_slice_str(text));
}

static void tell_locality(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_rpc_call_reply(call, vt_slice_str(vt_rpc_call_is_local(call) ? "local" : "remote"));
}

static void on_parked_cancel(void *ctx)
{
    struct fixture *fixture = ctx;
    atomic_fetch_add(&fixture->n_cancelled, 1);
    vt_rpc_call_fail(atomic_load(&fixture->parked), VT_ERR(VT_CANCELLED, "gone"));
}

static void park(struct vt_rpc_call *call, void *service)
{
    struct fixture *fixture = service;
    vt_rpc_call_on_cancel(call, on_parked_cancel, fixture);
    atomic_store(&fixture->parked, call);
}

struct counting {
    struct vt_rpc_call *call;
    int next;
};

static void count_on(void *ctx, bool ok)
{
    struct counting *counting = ctx;
    if (!ok || counting->next == 3) {
        vt_rpc_call_finish(counting->call, ok ? vt_ok() : VT_ERR(VT_CANCELLED, "gone"));
        return;
    }
    char digit = (char)('0' + counting->next++);
    vt_rpc_call_send(counting->call, vt_slice(&digit, 1), count_on, counting);
}

static void count(struct vt_rpc_call *call, void *service)
{
    (void)service;
    struct counting *counting =
        vt_arena_array(vt_rpc_call_request(call)->arena, 1, sizeof *counting);
    counting->call = call;
    count_on(counting, true);
}

static void outgoing_done(void *ctx, struct vt_err err, struct vt_slice body)
{
    if (vt_failed(err))
        vt_rpc_call_fail(ctx, err);
    else
        vt_rpc_call_reply(ctx, body);
}

/* Asks the server it runs in, on the queue it runs on. */
static void relay(struct vt_rpc_call *call, void *service)
{
    struct fixture *fixture = service;
    struct vt_request *request = vt_rpc_call_request(call);
    bool wrong = vt_rpc_call_body(call).len == 0;
    const struct vt_rpc_outgoing outgoing = {wrong ? "/test.T/Refuse" : "/test.T/Trace",
                                             vt_rpc_call_body(call), request->deadline_ns,
                                             outgoing_done, call};
    vt_rpc_client_start(fixture->channel, request, &outgoing);
}

/* Waits for what waits for ever. */
static void relay_to_park(struct vt_rpc_call *call, void *service)
{
    struct fixture *fixture = service;
    const struct vt_rpc_outgoing outgoing = {"/test.T/Park", vt_slice_str(""), INT64_MAX,
                                             outgoing_done, call};
    vt_rpc_client_start(fixture->channel, vt_rpc_call_request(call), &outgoing);
}

static const struct vt_rpc_method methods[] = {
    {.path = "/test.T/RelayToPark",
     .handler = relay_to_park,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/test.T/Echo",
     .handler = echo,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/test.T/Big", .handler = echo, .max_request_bytes = 100000, .roles = VT_CALLER_ANY},
    {.path = "/test.T/Refuse",
     .handler = refuse,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/test.T/Trace",
     .handler = tell_trace,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/test.T/Where",
     .handler = tell_locality,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/test.T/Relay",
     .handler = relay,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY,
     .default_deadline_ms = 5000},
    {.path = "/test.T/Park",
     .handler = park,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY,
     .max_in_flight = 1},
    {.path = "/test.T/Count",
     .handler = count,
     .kind = VT_RPC_SERVER_STREAM,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
};
enum { N_METHODS = sizeof methods / sizeof methods[0] };

static void open_channel(struct fixture *fixture, const char *target)
{
    struct vt_rpc_channel *channel = NULL;
    assert_ok(vt_rpc_channel_new(target, &channel));
    atomic_store(&fixture->channel, channel);
}

static void start(struct fixture *fixture, const struct vt_rpc_server_options *options)
{
    struct vt_diag diag = {0};
    assert_ok(vt_rpc_server_new(options, &fixture->server));
    assert_ok(vt_rpc_server_add(fixture->server, methods, N_METHODS, fixture));
    assert_ok(vt_rpc_server_start(fixture->server, &diag));
    vt_rpc_server_set_serving(fixture->server, true);
    snprintf(fixture->target, sizeof fixture->target, "127.0.0.1:%u",
             vt_rpc_server_port(fixture->server));
    open_channel(fixture, fixture->target);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_ok(vt_metrics_new(&fixture->metrics));
    assert_true(vt_arena_init_owned(&fixture->arena, 1 << 20));
    start(fixture, &(struct vt_rpc_server_options){.listen = "127.0.0.1:0",
                                                   .n_threads = 2,
                                                   .max_in_flight = 8,
                                                   .arena_bytes = ARENA_BYTES,
                                                   .drain_grace_ms = 2000,
                                                   .metrics = fixture->metrics});
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    vt_rpc_channel_free(fixture->channel);
    vt_rpc_server_drain(fixture->server, 0);
    vt_rpc_server_free(fixture->server);
    vt_metrics_free(fixture->metrics);
    vt_arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

static struct vt_err call(struct fixture *fixture, const char *path, struct vt_slice body,
                          struct vt_diag *diag, struct vt_slice *ret_body)
{
    struct vt_rpc_call_options options = {.timeout_ms = 10000};
    return vt_rpc_client_call(fixture->channel, path, body, &options, &fixture->arena, diag,
                              ret_body);
}

static void assert_text(struct vt_slice got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.data, wanted, got.len);
}

static void unary_call_gets_its_reply(void **state)
{
    struct vt_slice body;
    assert_ok(call(*state, "/test.T/Echo", vt_slice_str("hello"), NULL, &body));
    assert_text(body, "hello");
}

/* ---- a loop of two threads ---- */

enum { N_SHARED = 40, N_AT_ONCE = 4, SHARED_ARENA_BYTES = 256 };

struct shared {
    struct fixture *fixture;
    struct vt_rpc_loop *loop;
    pthread_mutex_t lock;
    unsigned n_done, n_ok;
    struct {
        struct vt_request request;
        struct vt_arena arena;
        _Alignas(16) unsigned char memory[SHARED_ARENA_BYTES];
    } calls[N_SHARED];
};

static void count_ok(void *ctx, struct vt_err err, struct vt_slice body)
{
    struct shared *shared = ctx;
    shared->n_done++;
    shared->n_ok += !vt_failed(err) && body.len == 5 ? 1 : 0;
}

static unsigned n_done(struct shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    unsigned n = shared->n_done;
    pthread_mutex_unlock(&shared->lock);
    return n;
}

static void wait_for_answers(struct shared *shared, unsigned n)
{
    while (n_done(shared) < n)
        sched_yield();
}

static void *send_all(void *argument)
{
    struct shared *shared = argument;
    for (unsigned i = 0; i < N_SHARED; i++) {
        vt_arena_init(&shared->calls[i].arena, shared->calls[i].memory, SHARED_ARENA_BYTES);
        shared->calls[i].request = (struct vt_request){
            .arena = &shared->calls[i].arena, .deadline_ns = INT64_MAX, .loop = shared->loop};
        const struct vt_rpc_outgoing outgoing = {"/test.T/Echo", vt_slice_str("hello"), INT64_MAX,
                                                 count_ok, shared};
        wait_for_answers(shared, i < N_AT_ONCE ? 0 : i - N_AT_ONCE);
        pthread_mutex_lock(&shared->lock);
        vt_rpc_client_start(shared->fixture->channel, &shared->calls[i].request, &outgoing);
        pthread_mutex_unlock(&shared->lock);
    }
    return NULL;
}

/* One thread sends and another reads the answers: the load tester's open loop. */
static void a_shared_loop_serves_two_threads(void **state)
{
    struct shared *shared = calloc(1, sizeof *shared);
    pthread_t sender;
    assert_non_null(shared);
    shared->fixture = *state;
    assert_int_equal(pthread_mutex_init(&shared->lock, NULL), 0);
    assert_ok(vt_rpc_loop_new(&shared->loop));
    vt_rpc_loop_share(shared->loop, &shared->lock);
    assert_int_equal(pthread_create(&sender, NULL, send_all, shared), 0);
    for (int waits = 0; waits < 1000 && n_done(shared) < N_SHARED; waits++)
        vt_rpc_loop_run_one(shared->loop, vt_clock_monotonic_ns(vt_clock_system()) + 20000000);
    pthread_join(sender, NULL);
    assert_int_equal(shared->n_ok, N_SHARED);
    vt_rpc_loop_free(shared->loop);
    pthread_mutex_destroy(&shared->lock);
    free(shared);
}

static void empty_message_is_a_message(void **state)
{
    struct vt_slice body = vt_slice_str("untouched");
    assert_ok(call(*state, "/test.T/Echo", vt_slice_str(""), NULL, &body));
    assert_int_equal(body.len, 0);
}

static void failure_names_the_field(void **state)
{
    struct vt_diag diag = {0};
    struct vt_slice body;
    assert_code(call(*state, "/test.T/Refuse", vt_slice_str(""), &diag, &body), VT_INVALID);
    assert_string_equal(diag.text, "events[3].item_id: is empty; send the SKU");
}

static void unknown_method_is_answered_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice body;
    assert_code(call(fixture, "/test.T/None", vt_slice_str("x"), NULL, &body), VT_UNIMPLEMENTED);
    struct vt_counter *other =
        vt_metrics_counter(fixture->metrics, "grpc_server_handled_total", "",
                           "grpc_type=\"unary\",grpc_service=\"other\",grpc_method=\"other\","
                           "grpc_code=\"Unimplemented\"");
    assert_int_equal(vt_counter_value(other), 1);
}

static void request_at_its_limit_passes_and_one_byte_more_does_not(void **state)
{
    static const char bytes[REQUEST_MAX + 1];
    struct vt_slice body;
    assert_ok(call(*state, "/test.T/Echo", vt_slice(bytes, REQUEST_MAX), NULL, &body));
    assert_code(call(*state, "/test.T/Echo", vt_slice(bytes, REQUEST_MAX + 1), NULL, &body),
                VT_EXHAUSTED);
}

static void message_in_several_pieces_is_put_together(void **state)
{
    char bytes[90000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i % 251);
    struct vt_slice body;
    assert_ok(call(*state, "/test.T/Big", vt_slice(bytes, sizeof bytes), NULL, &body));
    assert_int_equal(body.len, sizeof bytes);
    assert_memory_equal(body.data, bytes, sizeof bytes);
}

static void traceparent_travels_through_an_outgoing_call(void **state)
{
    struct fixture *fixture = *state;
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct vt_rpc_metadata metadata = {"traceparent", vt_slice_str(trace)};
    struct vt_rpc_call_options options = {
        .timeout_ms = 10000, .metadata = &metadata, .n_metadata = 1};
    struct vt_slice body;
    assert_ok(vt_rpc_client_call(fixture->channel, "/test.T/Relay", vt_slice_str("x"), &options,
                                 &fixture->arena, NULL, &body));
    assert_text(body, trace);
}

static void failure_of_an_outgoing_call_keeps_its_message(void **state)
{
    struct vt_diag diag = {0};
    struct vt_slice body;
    assert_code(call(*state, "/test.T/Relay", vt_slice_str(""), &diag, &body), VT_INVALID);
    assert_string_equal(diag.text, "events[3].item_id: is empty; send the SKU");
}

static void stream_delivers_all_messages_and_ends(void **state)
{
    struct fixture *fixture = *state;
    struct vt_rpc_stream *stream;
    struct vt_slice body;
    bool end = false;
    assert_ok(vt_rpc_stream_open(fixture->channel, "/test.T/Count", vt_slice_str(""), &stream));
    for (int i = 0; i < 3; i++) {
        assert_ok(vt_rpc_stream_next(stream, &fixture->arena, &body, &end));
        assert_false(end);
        assert_int_equal(body.data[0], '0' + i);
    }
    assert_ok(vt_rpc_stream_next(stream, &fixture->arena, &body, &end));
    assert_true(end);
    vt_rpc_stream_free(stream);
}

struct parked_caller {
    struct fixture *fixture;
    uint32_t timeout_ms;
    struct vt_err err;
};

static void *call_park(void *argument)
{
    struct parked_caller *caller = argument;
    struct vt_rpc_call_options options = {.timeout_ms = caller->timeout_ms};
    struct vt_arena arena;
    struct vt_slice body;
    vt_arena_init_owned(&arena, 1024);
    caller->err = vt_rpc_client_call(caller->fixture->channel, "/test.T/Park", vt_slice_str(""),
                                     &options, &arena, NULL, &body);
    vt_arena_fini(&arena);
    return NULL;
}

static struct vt_rpc_call *await_parked(struct fixture *fixture)
{
    struct vt_rpc_call *parked;
    while ((parked = atomic_load(&fixture->parked)) == NULL)
        sched_yield();
    return parked;
}

static void a_caller_that_leaves_ends_the_calls_made_for_it(void **state)
{
    struct fixture *fixture = *state;
    struct vt_rpc_stream *caller = NULL;
    assert_ok(
        vt_rpc_stream_open(fixture->channel, "/test.T/RelayToPark", vt_slice_str(""), &caller));
    await_parked(fixture); /* with no deadline of its own */
    assert_int_equal(atomic_load(&fixture->n_cancelled), 0);
    vt_rpc_stream_cancel(caller);
    while (atomic_load(&fixture->n_cancelled) == 0)
        sched_yield();
    vt_rpc_stream_free(caller);
}

static void call_over_the_methods_limit_is_refused_while_one_waits(void **state)
{
    struct fixture *fixture = *state;
    struct parked_caller caller = {.fixture = fixture, .timeout_ms = 60000};
    struct vt_slice body;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_park, &caller), 0);
    struct vt_rpc_call *parked = await_parked(fixture);
    assert_code(call(fixture, "/test.T/Park", vt_slice_str(""), NULL, &body), VT_EXHAUSTED);
    vt_rpc_call_reply(parked, vt_slice_str("")); /* from another thread */
    pthread_join(thread, NULL);
    assert_ok(caller.err);
    assert_int_equal(atomic_load(&fixture->n_cancelled), 0);
}

static void full_server_refuses_calls_and_still_says_that_it_lives(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct parked_caller caller = {.fixture = &fixture, .timeout_ms = 60000};
    struct vt_slice body;
    pthread_t thread;
    assert_true(vt_arena_init_owned(&fixture.arena, 1 << 16));
    start(&fixture, &(struct vt_rpc_server_options){
                        .listen = "127.0.0.1:0", .n_threads = 1, .max_in_flight = 1});
    assert_int_equal(pthread_create(&thread, NULL, call_park, &caller), 0);
    struct vt_rpc_call *parked = await_parked(&fixture);
    assert_code(call(&fixture, "/test.T/Echo", vt_slice_str(""), NULL, &body), VT_EXHAUSTED);
    assert_ok(call(&fixture, "/grpc.health.v1.Health/Check", vt_slice_str(""), NULL, &body));
    vt_rpc_call_reply(parked, vt_slice_str(""));
    pthread_join(thread, NULL);
    assert_ok(caller.err);
    /* The caller may have its answer a moment before the server has counted the call out. */
    struct vt_err err;
    do
        err = call(&fixture, "/test.T/Echo", vt_slice_str(""), NULL, &body);
    while (err.code == VT_EXHAUSTED);
    assert_ok(err);
    vt_rpc_channel_free(fixture.channel);
    vt_rpc_server_free(fixture.server);
    vt_arena_fini(&fixture.arena);
}

static void handler_learns_that_the_deadline_passed(void **state)
{
    struct fixture *fixture = *state;
    struct parked_caller caller = {.fixture = fixture, .timeout_ms = 200};
    call_park(&caller);
    assert_code(caller.err, VT_DEADLINE);
    while (atomic_load(&fixture->n_cancelled) == 0)
        sched_yield();
}

static void drain_ends_a_call_that_would_wait_forever(void **state)
{
    struct fixture *fixture = *state;
    struct parked_caller caller = {.fixture = fixture, .timeout_ms = 60000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_park, &caller), 0);
    await_parked(fixture);
    vt_rpc_server_drain(fixture->server, 0);
    pthread_join(thread, NULL);
    assert_true(vt_failed(caller.err));
    assert_int_equal(atomic_load(&fixture->n_cancelled), 1);
}

static void taken_port_is_told_with_its_address(void **state)
{
    struct fixture *fixture = *state;
    struct vt_rpc_server_options options = {.listen = fixture->target, .n_threads = 1};
    struct vt_rpc_server *second;
    struct vt_diag diag = {0};
    assert_ok(vt_rpc_server_new(&options, &second));
    assert_code(vt_rpc_server_start(second, &diag), VT_UNAVAILABLE);
    assert_non_null(strstr(diag.text, fixture->target));
    vt_rpc_server_free(second);
}

static void service_that_is_away_is_unavailable(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice body;
    vt_rpc_server_drain(fixture->server, 0);
    assert_code(call(fixture, "/test.T/Echo", vt_slice_str(""), NULL, &body), VT_UNAVAILABLE);
}

static void admin_socket_is_private_and_known_as_local(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    char *folder = vt_test_folder_new();
    char path[256], target[300];
    struct stat info;
    struct vt_slice body;
    snprintf(path, sizeof path, "%s/admin.sock", folder);
    snprintf(target, sizeof target, "unix:%s", path);
    assert_true(vt_arena_init_owned(&fixture.arena, 1 << 16));
    start(&fixture, &(struct vt_rpc_server_options){
                        .listen = "127.0.0.1:0", .admin_path = path, .n_threads = 1});
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_ok(call(&fixture, "/test.T/Where", vt_slice_str(""), NULL, &body));
    assert_text(body, "remote");
    vt_rpc_channel_free(fixture.channel);
    open_channel(&fixture, target);
    assert_ok(call(&fixture, "/test.T/Where", vt_slice_str(""), NULL, &body));
    assert_text(body, "local");
    vt_rpc_channel_free(fixture.channel);
    vt_rpc_server_free(fixture.server);
    assert_int_not_equal(access(path, F_OK), 0);
    vt_arena_fini(&fixture.arena);
    vt_test_folder_remove(folder);
}

/* ---- health ---- */

/* HealthCheckRequest{service} on the wire. */
static struct vt_slice ask_service(const char *name, char memory[64])
{
    size_t len = strlen(name);
    memory[0] = 0x0A;
    memory[1] = (char)len;
    memcpy(memory + 2, name, len);
    return vt_slice(memory, len + 2);
}

static void health_check_knows_its_services(void **state)
{
    char memory[64];
    struct vt_slice body;
    const char *path = "/grpc.health.v1.Health/Check";
    assert_ok(call(*state, path, vt_slice_str(""), NULL, &body));
    assert_text(body, "\x08\x01");
    assert_ok(call(*state, path, ask_service("test.T", memory), NULL, &body));
    assert_text(body, "\x08\x01");
    assert_code(call(*state, path, ask_service("test.U", memory), NULL, &body), VT_NOT_FOUND);
    assert_code(call(*state, path, vt_slice_str("\x0A\x7F"), NULL, &body), VT_INVALID);
}

static void health_watch_follows_the_changes(void **state)
{
    struct fixture *fixture = *state;
    struct vt_rpc_stream *stream;
    struct vt_slice body;
    bool end = false;
    assert_ok(vt_rpc_stream_open(fixture->channel, "/grpc.health.v1.Health/Watch", vt_slice_str(""),
                                 &stream));
    assert_ok(vt_rpc_stream_next(stream, &fixture->arena, &body, &end));
    assert_text(body, "\x08\x01");
    vt_rpc_server_set_serving(fixture->server, false);
    assert_ok(vt_rpc_stream_next(stream, &fixture->arena, &body, &end));
    assert_text(body, "\x08\x02");
    vt_rpc_server_drain(fixture->server, 0);
    assert_code(vt_rpc_stream_next(stream, &fixture->arena, &body, &end), VT_UNAVAILABLE);
    vt_rpc_stream_free(stream);
}

static void health_watch_of_an_unknown_service_stays_open(void **state)
{
    struct fixture *fixture = *state;
    struct vt_rpc_stream *stream;
    struct vt_slice body;
    bool end = false;
    char memory[64];
    assert_ok(vt_rpc_stream_open(fixture->channel, "/grpc.health.v1.Health/Watch",
                                 ask_service("test.U", memory), &stream));
    assert_ok(vt_rpc_stream_next(stream, &fixture->arena, &body, &end));
    assert_text(body, "\x08\x03");
    assert_false(end);
    vt_rpc_stream_cancel(stream);
    assert_code(vt_rpc_stream_next(stream, &fixture->arena, &body, &end), VT_CANCELLED);
    vt_rpc_stream_free(stream);
}

#define SERVED(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(unary_call_gets_its_reply),
        SERVED(a_shared_loop_serves_two_threads),
        SERVED(empty_message_is_a_message),
        SERVED(failure_names_the_field),
        SERVED(unknown_method_is_answered_at_once),
        SERVED(request_at_its_limit_passes_and_one_byte_more_does_not),
        SERVED(message_in_several_pieces_is_put_together),
        SERVED(traceparent_travels_through_an_outgoing_call),
        SERVED(failure_of_an_outgoing_call_keeps_its_message),
        SERVED(stream_delivers_all_messages_and_ends),
        SERVED(a_caller_that_leaves_ends_the_calls_made_for_it),
        SERVED(call_over_the_methods_limit_is_refused_while_one_waits),
        cmocka_unit_test(full_server_refuses_calls_and_still_says_that_it_lives),
        SERVED(handler_learns_that_the_deadline_passed),
        SERVED(drain_ends_a_call_that_would_wait_forever),
        SERVED(taken_port_is_told_with_its_address),
        SERVED(service_that_is_away_is_unavailable),
        cmocka_unit_test(admin_socket_is_private_and_known_as_local),
        SERVED(health_check_knows_its_services),
        SERVED(health_watch_follows_the_changes),
        SERVED(health_watch_of_an_unknown_service_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
