/* A sender whose stream breaks again and again, in front of a real server on a port of the system's
 * choice and a real store: afterwards each event stands in the log exactly once. */
#include "services/common/base/clock.h"
#include "services/common/rpc/server.h"
#include "services/profile/event_sender.h"
#include "services/profile/handlers.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <string.h>

enum { N_BATCHES = 200, BATCH = 500, N_EVENTS = N_BATCHES * BATCH };
static const int64_t FIRST_MS = INT64_C(1700000000000); /* event i is at FIRST_MS + i */

static char *folder;
static struct vt_profile *profile;
static struct vt_profile_rpc *rpc;
static struct vt_rpc_server *server;
static struct vt_rpc_channel *channel;
static struct vt_event_sender *sender;
static struct vt_diag diag;
static uint64_t random_state;
static struct {
    uint64_t next_batch, counts[VT_EVENT_REJECTED + 1];
    unsigned break_in; /* batches; 0: never */
    unsigned n_breaks;
} told;
static unsigned char logged[N_EVENTS];

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

static void start_server(uint16_t port)
{
    char listen[32];
    size_t n_methods = 0;
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    struct vt_rpc_server_options options = {.listen = listen,
                                            .n_threads = 2,
                                            .max_in_flight = 64,
                                            .arena_bytes = 1 << 20,
                                            .drain_grace_ms = 5000};
    assert_ok(vt_profile_rpc_new(profile, NULL, &rpc));
    assert_ok(vt_rpc_server_new(&options, &server));
    const struct vt_rpc_method *methods = vt_profile_rpc_methods(&n_methods);
    assert_ok(vt_rpc_server_add(server, methods, n_methods, rpc));
    assert_ok(vt_rpc_server_start(server, &diag));
    vt_rpc_server_set_serving(server, true);
}

static void stop_server(void)
{
    vt_rpc_server_drain(server, 0);
    vt_rpc_server_free(server);
    vt_profile_rpc_free(rpc);
}

static void on_results(void *ctx, uint64_t batch, const struct vt_event_result *results, uint32_t n)
{
    (void)ctx;
    assert_int_equal(batch, told.next_batch);
    told.next_batch++;
    for (uint32_t i = 0; i < n; i++)
        told.counts[results[i].outcome]++;
    if (told.break_in != 0 && --told.break_in == 0) {
        vt_event_sender_break(sender);
        told.break_in = 1 + random_below(20);
        told.n_breaks++;
    }
}

static int begin(void **state)
{
    (void)state;
    char target[32];
    struct vt_event_sender_options options = {.on_results = on_results, .reconnections = 20};
    memset(&told, 0, sizeof told);
    memset(logged, 0, sizeof logged);
    random_state = 4;
    folder = vt_test_folder_new();
    struct vt_profile_options store = {
        .data_dir = folder, .clock = vt_clock_system(), .create = true, .consent_default = true};
    assert_ok(vt_profile_open(&store, &diag, &profile));
    start_server(0);
    snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)vt_rpc_server_port(server));
    assert_ok(vt_rpc_channel_new(target, &channel));
    options.channel = channel;
    assert_ok(vt_event_sender_new(&options, &sender));
    return 0;
}

static int end(void **state)
{
    (void)state;
    vt_event_sender_free(sender);
    vt_rpc_channel_free(channel);
    stop_server();
    vt_profile_close(profile);
    vt_test_folder_remove(folder);
    return 0;
}

static struct vt_err send_batch(uint32_t batch)
{
    static struct vt_event events[BATCH];
    static char names[BATCH][3][16];
    for (uint32_t i = 0; i < BATCH; i++) {
        uint32_t event = batch * BATCH + i;
        snprintf(names[i][0], sizeof names[i][0], "e%u", event);
        snprintf(names[i][1], sizeof names[i][1], "c%u", event % 997);
        snprintf(names[i][2], sizeof names[i][2], "i%u", event % 331);
        events[i] = (struct vt_event){.event_id = vt_slice_str(names[i][0]),
                                      .type = VT_EVENT_VIEW,
                                      .customer_id = vt_slice_str(names[i][1]),
                                      .item_id = vt_slice_str(names[i][2]),
                                      .time_ms = FIRST_MS + event};
    }
    return vt_event_sender_send(sender, events, BATCH, &diag);
}

static struct vt_err note_logged(void *ctx, const struct vt_logged_event *event)
{
    (void)ctx;
    int64_t i = event->event.time_ms - FIRST_MS;
    assert_true(i >= 0 && i < N_EVENTS);
    logged[i]++;
    return vt_ok();
}

static void assert_each_logged_once(void)
{
    assert_ok(vt_profile_each_event(profile, note_logged, NULL));
    for (uint32_t i = 0; i < N_EVENTS; i++)
        assert_int_equal(logged[i], 1);
    assert_int_equal(told.next_batch, N_BATCHES);
    assert_int_equal(told.counts[VT_EVENT_REJECTED], 0);
    assert_int_equal(told.counts[VT_EVENT_ACCEPTED] + told.counts[VT_EVENT_DUPLICATE], N_EVENTS);
}

static void an_unbroken_stream_accepts_everything(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < N_BATCHES; i++)
        assert_ok(send_batch(i));
    assert_ok(vt_event_sender_flush(sender, &diag));
    assert_int_equal(told.counts[VT_EVENT_ACCEPTED], N_EVENTS);
    assert_each_logged_once();
}

static void a_stream_that_breaks_at_random_places_writes_each_event_once(void **state)
{
    (void)state;
    told.break_in = 3;
    for (uint32_t i = 0; i < N_BATCHES; i++)
        assert_ok(send_batch(i));
    assert_ok(vt_event_sender_flush(sender, &diag));
    assert_true(told.n_breaks >= N_BATCHES / 25);
    assert_each_logged_once();
}

static void a_server_that_drains_and_comes_back_gets_the_rest(void **state)
{
    (void)state;
    uint16_t port = vt_rpc_server_port(server);
    for (uint32_t i = 0; i < N_BATCHES; i++) {
        if (i % 40 == 20) {
            stop_server();
            start_server(port);
        }
        assert_ok(send_batch(i));
    }
    assert_ok(vt_event_sender_flush(sender, &diag));
    assert_each_logged_once();
}

static void without_reconnections_a_broken_stream_is_an_error(void **state)
{
    (void)state;
    vt_event_sender_free(sender);
    sender = NULL;
    struct vt_event_sender_options options = {.channel = channel, .on_results = on_results};
    assert_ok(vt_event_sender_new(&options, &sender));
    assert_ok(send_batch(0));
    assert_ok(vt_event_sender_flush(sender, &diag));
    stop_server();
    struct vt_err err = send_batch(1);
    if (!vt_failed(err)) /* it left before the news came */
        err = vt_event_sender_flush(sender, &diag);
    assert_code(err, VT_UNAVAILABLE);
    start_server(0);
}

static void a_batch_that_the_service_refuses_is_an_error_with_its_words(void **state)
{
    (void)state;
    struct vt_event none = {0};
    assert_ok(send_batch(0));
    struct vt_err err = vt_event_sender_send(sender, &none, 0, &diag);
    if (!vt_failed(err))
        err = vt_event_sender_flush(sender, &diag);
    assert_code(err, VT_INVALID);
    assert_non_null(strstr(diag.text, "events"));
    assert_int_equal(told.next_batch, 1);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unbroken_stream_accepts_everything),
        TEST(a_stream_that_breaks_at_random_places_writes_each_event_once),
        TEST(a_server_that_drains_and_comes_back_gets_the_rest),
        TEST(without_reconnections_a_broken_stream_is_an_error),
        TEST(a_batch_that_the_service_refuses_is_an_error_with_its_words),
    };
    return cmocka_run_group_tests_name("profile_rpc/event_sender", tests, NULL, NULL);
}
