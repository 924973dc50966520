/* StreamEvents through the loopback, in front of a real store: what is acknowledged, in which
 * order, and how a stream ends. The loopback plays the caller: a quick or a slow reader, one that
 * closes, goes away, or whose server drains. */
#include "services/common/base/clock.h"
#include "services/common/rpc/loopback.h"
#include "services/profile/handlers.h"
#include "services/profile/profile.h"
#include "services/profile/wire_event.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES_MAX = 300, BATCH_MAX = 1001 };
#define STREAM_EVENTS "/vitrine.v1.EventService/StreamEvents"

static unsigned char memory[64 << 20];
static struct vt_arena arena;
static struct vt_diag diag;
static char *folder;
static struct vt_profile *profile;
static struct vt_profile_rpc *rpc;

/* What the caller of the test's stream sends and learns. */
static struct {
    struct vt_rpc_loopback_options options;
    struct vt_slice messages[MESSAGES_MAX];
    uint64_t acknowledged, n_acknowledged; /* the last sequence, and how many messages */
    uint32_t n_responses, counts[VT_EVENT_REJECTED + 1];
    uint64_t last_log_sequence;
    uint32_t leave_after; /* responses; 0: never */
} caller;

static void open_store(uint32_t queue_events_max)
{
    struct vt_profile_options options = {.data_dir = folder,
                                         .clock = vt_clock_system(),
                                         .create = true,
                                         .consent_default = true,
                                         .queue_events_max = queue_events_max};
    assert_ok(vt_profile_open(&options, &diag, &profile));
    assert_ok(vt_profile_rpc_new(profile, NULL, &rpc));
}

static void close_store(void)
{
    vt_profile_rpc_free(rpc);
    vt_profile_close(profile);
}

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    memset(&caller, 0, sizeof caller);
    folder = vt_test_folder_new();
    open_store(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close_store();
    vt_test_folder_remove(folder);
    return 0;
}

static bool on_response(void *ctx, struct vt_slice body)
{
    (void)ctx;
    const struct vt_wire_acknowledged *messages;
    uint64_t acknowledged = 0;
    uint32_t n = 0;
    assert_ok(
        vt_wire_stream_events_response_decode(body, &arena, &diag, &acknowledged, &messages, &n));
    assert_true(n >= 1 && acknowledged == messages[n - 1].sequence);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(messages[i].sequence > caller.acknowledged);
        caller.acknowledged = messages[i].sequence;
        caller.n_acknowledged++;
        for (uint32_t j = 0; j < messages[i].n_results; j++) {
            const struct vt_event_result *result = &messages[i].results[j];
            caller.counts[result->outcome]++;
            if (result->outcome != VT_EVENT_ACCEPTED)
                continue;
            assert_true(result->sequence > caller.last_log_sequence); /* written in order */
            caller.last_log_sequence = result->sequence;
        }
    }
    return ++caller.n_responses != caller.leave_after;
}

static struct vt_slice printed(const char *format, uint32_t a, uint32_t b)
{
    char text[32];
    snprintf(text, sizeof text, format, a, b);
    return vt_arena_copy(&arena, vt_slice_str(text));
}

/* A message of n views; `name` makes their ids. */
static struct vt_slice message_of(uint64_t sequence, uint32_t name, uint32_t n)
{
    static struct vt_event events[BATCH_MAX];
    struct vt_slice body = {0};
    for (uint32_t i = 0; i < n; i++)
        events[i] = (struct vt_event){.event_id = printed("e-%u-%u", name, i),
                                      .type = VT_EVENT_VIEW,
                                      .customer_id = printed("c-%u-%u", i % 7, 0),
                                      .item_id = printed("i-%u-%u", i % 11, 0),
                                      .time_ms = INT64_C(1700000000000)};
    assert_ok(vt_wire_stream_events_request_encode(sequence, events, n, &arena, &body));
    return body;
}

/* Sequences 10, 20, 30 …: gaps are allowed. */
static void send_messages(uint32_t first, uint32_t n, uint32_t n_events)
{
    for (uint32_t i = 0; i < n; i++)
        caller.messages[caller.options.n_messages++] =
            message_of((first + i) * 10, first + i, n_events);
}

static struct vt_rpc_loopback_result stream(void)
{
    struct vt_rpc_loopback_options options = caller.options;
    options.service = rpc;
    options.methods = vt_profile_rpc_methods(&options.n_methods);
    options.messages = caller.messages;
    options.on_message = on_response;
    return vt_rpc_loopback_call(&options, STREAM_EVENTS, vt_slice(NULL, 0), &arena);
}

/* A new stream of the same caller. */
static void again(void)
{
    memset(&caller, 0, sizeof caller);
}

static void every_message_is_acknowledged_in_order_then_the_stream_is_ok(void **state)
{
    (void)state;
    send_messages(1, 200, 5);
    assert_ok(stream().err);
    assert_int_equal(caller.n_acknowledged, 200);
    assert_int_equal(caller.acknowledged, 2000);
    assert_int_equal(caller.counts[VT_EVENT_ACCEPTED], 1000);
}

static void nothing_sent_is_ok(void **state)
{
    (void)state;
    assert_ok(stream().err);
    assert_int_equal(caller.n_responses, 0);
}

static void what_is_sent_again_is_a_duplicate(void **state)
{
    (void)state;
    send_messages(1, 10, 100);
    assert_ok(stream().err);
    again();
    send_messages(1, 11, 100);
    assert_ok(stream().err);
    assert_int_equal(caller.counts[VT_EVENT_DUPLICATE], 1000);
    assert_int_equal(caller.counts[VT_EVENT_ACCEPTED], 100);
}

static void a_rejected_event_stops_neither_the_others_nor_the_stream(void **state)
{
    (void)state;
    struct vt_event events[2] = {
        {.event_id = vt_slice_str("good"),
         .type = VT_EVENT_VIEW,
         .customer_id = vt_slice_str("c"),
         .item_id = vt_slice_str("i"),
         .time_ms = INT64_C(1700000000000)},
        {.event_id = vt_slice_str("bad"),
         .type = VT_EVENT_VIEW,
         .item_id = vt_slice_str("i"),
         .time_ms = INT64_C(1700000000000)},
    };
    struct vt_slice *messages = caller.messages;
    assert_ok(vt_wire_stream_events_request_encode(1, events, 2, &arena, &messages[0]));
    assert_ok(vt_wire_stream_events_request_encode(2, events + 1, 1, &arena, &messages[1]));
    caller.options.n_messages = 2;
    send_messages(1, 1, 1);
    assert_ok(stream().err);
    assert_int_equal(caller.n_acknowledged, 3);
    assert_int_equal(caller.counts[VT_EVENT_REJECTED], 2);
    assert_int_equal(caller.counts[VT_EVENT_ACCEPTED], 2);
}

static void a_message_out_of_order_ends_the_stream_after_what_came_before(void **state)
{
    (void)state;
    const uint64_t bad[] = {0, 29, 30};
    for (unsigned i = 0; i < 3; i++) {
        again();
        send_messages(1, 3, 1000);
        caller.messages[caller.options.n_messages++] = message_of(bad[i], 99, 1);
        send_messages(5, 1, 1);
        struct vt_rpc_loopback_result result = stream();
        assert_code(result.err, VT_INVALID);
        assert_non_null(strstr(result.message, "sequence: "));
        assert_non_null(strstr(result.message, "message after 30"));
        assert_int_equal(caller.acknowledged, 30);
    }
}

static void a_message_takes_1_to_1000_events(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1001};
    send_messages(1, 1, 1);
    send_messages(2, 1, 1000);
    assert_ok(stream().err);
    for (unsigned i = 0; i < 2; i++) {
        again();
        send_messages(1, 1, sizes[i]);
        struct vt_rpc_loopback_result result = stream();
        assert_code(result.err, VT_INVALID);
        assert_non_null(strstr(result.message, "events: "));
    }
}

static void nonsense_ends_the_stream(void **state)
{
    (void)state;
    send_messages(1, 1, 1);
    caller.messages[caller.options.n_messages++] = vt_slice_str("\x12\x7fnot a message");
    assert_code(stream().err, VT_INVALID);
    assert_int_equal(caller.acknowledged, 10);
}

static void a_slow_reader_gets_fewer_and_larger_responses(void **state)
{
    (void)state;
    caller.options.slow_reader = true;
    send_messages(1, 256, 1);
    assert_ok(stream().err);
    assert_int_equal(caller.n_acknowledged, 256);
    assert_true(caller.n_responses >= 256 / 16 && caller.n_responses < 256);
}

static void a_full_queue_is_waited_for_in_order(void **state)
{
    (void)state;
    close_store();
    open_store(8); /* each message is larger than what is for streams */
    send_messages(1, 100, 20);
    assert_ok(stream().err);
    assert_int_equal(caller.n_acknowledged, 100);
    assert_int_equal(caller.counts[VT_EVENT_ACCEPTED], 2000);
}

static void a_drain_acknowledges_what_was_taken_then_ends_unavailable(void **state)
{
    (void)state;
    caller.options.end = VT_RPC_LOOPBACK_DRAIN;
    send_messages(1, 30, 100);
    assert_code(stream().err, VT_UNAVAILABLE);
    assert_int_equal(caller.acknowledged, 300);
}

static void a_drain_of_a_silent_stream_ends_it(void **state)
{
    (void)state;
    caller.options.end = VT_RPC_LOOPBACK_DRAIN;
    assert_code(stream().err, VT_UNAVAILABLE);
}

/* Whatever it did not hear of is there nevertheless, once. */
static void assert_all_written(uint32_t n_messages, uint32_t n_events)
{
    again();
    send_messages(1, n_messages, n_events);
    assert_ok(stream().err);
    assert_int_equal(caller.counts[VT_EVENT_DUPLICATE], n_messages * n_events);
}

static void what_a_caller_sent_before_it_left_is_written(void **state)
{
    (void)state;
    caller.options.end = VT_RPC_LOOPBACK_CANCEL;
    send_messages(1, 40, 100);
    (void)stream();
    assert_all_written(40, 100);
}

static void a_caller_that_leaves_at_a_response_ends_the_stream(void **state)
{
    (void)state;
    caller.leave_after = 1;
    send_messages(1, 1, 10);
    assert_code(stream().err, VT_CANCELLED);
    assert_all_written(1, 10);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_message_is_acknowledged_in_order_then_the_stream_is_ok),
        TEST(nothing_sent_is_ok),
        TEST(what_is_sent_again_is_a_duplicate),
        TEST(a_rejected_event_stops_neither_the_others_nor_the_stream),
        TEST(a_message_out_of_order_ends_the_stream_after_what_came_before),
        TEST(a_message_takes_1_to_1000_events),
        TEST(nonsense_ends_the_stream),
        TEST(a_slow_reader_gets_fewer_and_larger_responses),
        TEST(a_full_queue_is_waited_for_in_order),
        TEST(a_drain_acknowledges_what_was_taken_then_ends_unavailable),
        TEST(a_drain_of_a_silent_stream_ends_it),
        TEST(what_a_caller_sent_before_it_left_is_written),
        TEST(a_caller_that_leaves_at_a_response_ends_the_stream),
    };
    return cmocka_run_group_tests_name("profile_rpc/event_stream", tests, NULL, NULL);
}
