/* The socketless call behaves as the real one does. */
#include "services/common/rpc/loopback.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <string.h>

enum { REQUEST_MAX = 8 };

static void echo(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_rpc_call_reply(call, vt_rpc_call_body(call));
}

static void refuse(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_diag_set(vt_rpc_call_request(call)->diag, "n", "is 0\xFF; send 1 to 200");
    vt_rpc_call_fail(call, VT_ERR(VT_INVALID, "refused"));
}

static void *reply_later(void *argument)
{
    vt_rpc_call_reply(argument, vt_slice_str("later"));
    return NULL;
}

static void answer_from_a_thread(struct vt_rpc_call *call, void *service)
{
    pthread_t *thread = service;
    assert_int_equal(pthread_create(thread, NULL, reply_later, call), 0);
}

static void tell_key(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_rpc_call_reply(call, vt_rpc_call_metadata(call, "vitrine-key"));
}

struct stream {
    struct vt_rpc_call *call;
    bool cancelled;
};

static struct stream stream;

static void on_cancel(void *ctx)
{
    (void)ctx;
    stream.cancelled = true;
    vt_rpc_call_finish(stream.call, VT_ERR(VT_CANCELLED, "gone"));
}

static void send_more(void *ctx, bool ok)
{
    (void)ctx;
    if (ok)
        vt_rpc_call_send(stream.call, vt_slice_str("more"), send_more, NULL);
}

static void send_forever(struct vt_rpc_call *call, void *service)
{
    (void)service;
    stream = (struct stream){.call = call};
    vt_rpc_call_on_cancel(call, on_cancel, NULL);
    send_more(NULL, true);
}

static void on_received(void *ctx, struct vt_err err, struct vt_slice body, bool ended);

static void on_echoed(void *ctx, bool ok)
{
    assert_true(ok);
    vt_rpc_call_receive(ctx, on_received, ctx);
}

static void on_received(void *ctx, struct vt_err err, struct vt_slice body, bool ended)
{
    if (ended || vt_failed(err))
        vt_rpc_call_finish(ctx, err);
    else
        vt_rpc_call_send(ctx, body, on_echoed, ctx);
}

static void chat(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_rpc_call_receive(call, on_received, call);
}

static const struct vt_rpc_method methods[] = {
    {.path = "/t.T/Echo",
     .handler = echo,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/t.T/Refuse",
     .handler = refuse,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/t.T/Later",
     .handler = answer_from_a_thread,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/t.T/Key",
     .handler = tell_key,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/t.T/Forever",
     .handler = send_forever,
     .kind = VT_RPC_SERVER_STREAM,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
    {.path = "/t.T/Chat",
     .handler = chat,
     .kind = VT_RPC_BIDI_STREAM,
     .max_request_bytes = REQUEST_MAX,
     .roles = VT_CALLER_ANY},
};

static unsigned char memory[1 << 16];
static struct vt_arena arena;

static struct vt_rpc_loopback_options options(void)
{
    vt_arena_init(&arena, memory, sizeof memory);
    return (struct vt_rpc_loopback_options){.methods = methods,
                                            .n_methods = sizeof methods / sizeof methods[0]};
}

static struct vt_rpc_loopback_result call(const char *path, const char *body)
{
    struct vt_rpc_loopback_options plain = options();
    return vt_rpc_loopback_call(&plain, path, vt_slice_str(body), &arena);
}

static void request_at_its_limit_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    struct vt_rpc_loopback_result result = call("/t.T/Echo", "12345678");
    assert_ok(result.err);
    assert_memory_equal(result.body.data, "12345678", REQUEST_MAX);
    assert_code(call("/t.T/Echo", "123456789").err, VT_EXHAUSTED);
}

static void unknown_path_is_unimplemented(void **state)
{
    (void)state;
    assert_code(call("/t.T/None", "").err, VT_UNIMPLEMENTED);
}

static void message_has_the_field_and_is_always_text(void **state)
{
    (void)state;
    struct vt_rpc_loopback_result result = call("/t.T/Refuse", "");
    assert_code(result.err, VT_INVALID);
    assert_string_equal(result.message, "n: is 0?; send 1 to 200");
}

static void answer_from_another_thread_is_waited_for(void **state)
{
    (void)state;
    pthread_t thread;
    struct vt_rpc_loopback_options later = options();
    later.service = &thread;
    struct vt_rpc_loopback_result result =
        vt_rpc_loopback_call(&later, "/t.T/Later", vt_slice_str(""), &arena);
    pthread_join(thread, NULL);
    assert_ok(result.err);
    assert_memory_equal(result.body.data, "later", 5);
}

static void metadata_reaches_the_handler(void **state)
{
    (void)state;
    struct vt_rpc_metadata key = {"vitrine-key", vt_slice_str("c1")};
    struct vt_rpc_loopback_options keyed = options();
    keyed.metadata = &key;
    keyed.n_metadata = 1;
    struct vt_rpc_loopback_result result =
        vt_rpc_loopback_call(&keyed, "/t.T/Key", vt_slice_str(""), &arena);
    assert_memory_equal(result.body.data, "c1", 2);
}

static bool take_three(void *ctx, struct vt_slice body)
{
    int *n = ctx;
    assert_memory_equal(body.data, "more", 4);
    return ++*n < 3;
}

static void caller_that_goes_away_cancels_the_stream(void **state)
{
    (void)state;
    int n = 0;
    struct vt_rpc_loopback_options streaming = options();
    streaming.on_message = take_three;
    streaming.message_ctx = &n;
    struct vt_rpc_loopback_result result =
        vt_rpc_loopback_call(&streaming, "/t.T/Forever", vt_slice_str(""), &arena);
    assert_code(result.err, VT_CANCELLED);
    assert_true(stream.cancelled);
    assert_int_equal(n, 3);
}

static bool count_message(void *ctx, struct vt_slice body)
{
    size_t *bytes = ctx;
    *bytes += body.len;
    return true;
}

static void both_sides_talk_until_the_caller_ends(void **state)
{
    (void)state;
    size_t bytes = 0;
    struct vt_slice messages[] = {vt_slice_str("one"), vt_slice_str("three")};
    struct vt_rpc_loopback_options talking = options();
    talking.messages = messages;
    talking.n_messages = 2;
    talking.on_message = count_message;
    talking.message_ctx = &bytes;
    assert_ok(vt_rpc_loopback_call(&talking, "/t.T/Chat", vt_slice_str(""), &arena).err);
    assert_int_equal(bytes, 8);
}

static void oversized_message_in_a_stream_ends_it(void **state)
{
    (void)state;
    struct vt_slice message = vt_slice_str("123456789");
    struct vt_rpc_loopback_options talking = options();
    talking.messages = &message;
    talking.n_messages = 1;
    assert_code(vt_rpc_loopback_call(&talking, "/t.T/Chat", vt_slice_str(""), &arena).err,
                VT_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_at_its_limit_passes_and_one_byte_more_does_not),
        cmocka_unit_test(unknown_path_is_unimplemented),
        cmocka_unit_test(message_has_the_field_and_is_always_text),
        cmocka_unit_test(answer_from_another_thread_is_waited_for),
        cmocka_unit_test(metadata_reaches_the_handler),
        cmocka_unit_test(caller_that_goes_away_cancels_the_stream),
        cmocka_unit_test(both_sides_talk_until_the_caller_ends),
        cmocka_unit_test(oversized_message_in_a_stream_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
