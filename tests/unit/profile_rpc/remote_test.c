/* The profile port over a scripted client: what is sent and answered, and the breaker. */
#include "services/common/base/breaker.h"
#include "services/profile/remote.h"
#include "services/profile/wire_customer.h"
#include "services/profile/wire_outcomes.h"
#include "tests/testlib/testlib.h"

enum { CALLS_MAX = 8 };

static enum vt_code script[CALLS_MAX];
static struct vt_wire_get_profile sent[CALLS_MAX];
static int64_t sent_deadline_ns;
static unsigned n_sent;
static struct vt_slice raw_answer; /* when not empty: sent instead of an encoded profile */

static const struct vt_history_event history[] = {
    {.time_ms = 2000, .item = 7, .type = VT_EVENT_PURCHASE},
    {.time_ms = 1000, .item = 9, .type = VT_EVENT_VIEW},
};

static struct vt_slice encode_answer(struct vt_arena *arena)
{
    struct vt_profile_view view = {.found = true,
                                   .customer_number = 42,
                                   .consent = true,
                                   .customer = {.id = vt_slice_str("anna"), .consent = 1},
                                   .events = history,
                                   .n_events = 2};
    struct vt_slice body = {0};
    assert_ok(vt_wire_profile_encode(&view, NULL, arena, &body));
    return body;
}

/* Stands for the network: notes the request and answers what the script says. */
void vt_rpc_client_start(struct vt_rpc_channel *channel, struct vt_request *request,
                         const struct vt_rpc_outgoing *outgoing)
{
    (void)channel;
    assert_string_equal(outgoing->path, "/vitrine.v1.ProfileService/GetProfile");
    assert_true(n_sent < CALLS_MAX);
    assert_ok(vt_wire_get_profile_decode(outgoing->body, request->arena, NULL, &sent[n_sent]));
    sent_deadline_ns = outgoing->deadline_ns;
    enum vt_code code = script[n_sent++];
    struct vt_slice answer = raw_answer.len != 0 ? raw_answer : encode_answer(request->arena);
    outgoing->done(outgoing->ctx, code == VT_OK ? vt_ok() : VT_ERR((uint16_t)code, "scripted"),
                   answer);
}

static struct vt_outcomes_query sent_query;
static uint32_t sent_timeout_ms;
static const struct vt_outcome outcome = {
    .event = {.time_ms = 3000, .item = 7, .type = VT_EVENT_PURCHASE},
    .quantity = 2,
    .revenue = 19.5,
    .currency = "EUR"};

/* The call that blocks, likewise. */
struct vt_err vt_rpc_client_call(struct vt_rpc_channel *channel, const char *path,
                                 struct vt_slice body, const struct vt_rpc_call_options *options,
                                 struct vt_arena *memory, struct vt_diag *diag,
                                 struct vt_slice *ret_body)
{
    (void)channel;
    assert_string_equal(path, "/vitrine.v1.ProfileService/ListOutcomes");
    assert_ok(vt_wire_list_outcomes_decode(body, memory, diag, &sent_query));
    sent_timeout_ms = options->timeout_ms;
    const struct vt_outcomes outcomes = {&outcome, 1, true};
    assert_ok(vt_wire_outcomes_encode(&outcomes, memory, ret_body));
    if (raw_answer.len != 0)
        *ret_body = raw_answer;
    enum vt_code code = script[n_sent++];
    return code == VT_OK ? vt_ok() : VT_ERR((uint16_t)code, "scripted");
}

static unsigned char memory[64 << 10];
static struct vt_arena arena;
static struct vt_request request;
static struct vt_clock_fake clock_fake;
static struct vt_profile_remote *remote;
static struct vt_err got_err;
static const struct vt_profile_view *got_view;
static unsigned n_done;

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    request = (struct vt_request){.arena = &arena, .deadline_ns = INT64_MAX};
    vt_clock_fake_init(&clock_fake, 1);
    n_sent = n_done = 0;
    raw_answer = (struct vt_slice){0};
    for (int i = 0; i < CALLS_MAX; i++)
        script[i] = VT_OK;
    assert_ok(vt_profile_remote_new(NULL, &clock_fake.clock, NULL, &remote));
    return 0;
}

static int end(void **state)
{
    (void)state;
    vt_profile_remote_free(remote);
    return 0;
}

static void on_view(void *ctx, struct vt_err err, const struct vt_profile_view *view)
{
    (void)ctx;
    n_done++;
    got_err = err;
    got_view = view;
}

static void ask(const char *customer, const char *visitor)
{
    struct vt_profile_key key = {.customer_id = vt_slice_str(customer),
                                 .visitor_id = vt_slice_str(visitor)};
    struct vt_profile_port port = vt_profile_remote_port(remote);
    port.get(port.self, &request, &key, 30, 12345, on_view, NULL);
}

static void the_key_and_the_budget_go_out_as_they_were_given(void **state)
{
    (void)state;
    ask("anna", "visitor-7");
    assert_int_equal(n_sent, 1);
    assert_true(vt_slice_equal(sent[0].key.customer_id, vt_slice_str("anna")));
    assert_true(vt_slice_equal(sent[0].key.visitor_id, vt_slice_str("visitor-7")));
    assert_int_equal(sent[0].max_events, 30);
    assert_int_equal(sent_deadline_ns, 12345);
}

static void an_answer_is_the_view_that_a_local_port_gives(void **state)
{
    (void)state;
    ask("anna", "");
    assert_int_equal(n_done, 1);
    assert_ok(got_err);
    assert_true(got_view->found);
    assert_true(got_view->consent);
    assert_int_equal(got_view->customer_number, 42);
    assert_true(vt_slice_equal(got_view->customer.id, vt_slice_str("anna")));
    assert_int_equal(got_view->n_events, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(got_view->events[i].item, history[i].item);
        assert_int_equal(got_view->events[i].type, history[i].type);
        assert_int_equal(got_view->events[i].time_ms, history[i].time_ms);
    }
}

static void an_answer_that_does_not_decode_is_an_error_and_no_view(void **state)
{
    (void)state;
    raw_answer = vt_slice_str("\x0a\x7f not a profile");
    ask("anna", "");
    assert_int_equal(n_done, 1);
    assert_true(vt_failed(got_err));
    assert_null(got_view);
}

static void full_memory_is_told_inline_and_nothing_is_sent(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, 64);
    ask("anna", "");
    assert_int_equal(n_done, 1);
    assert_int_equal(n_sent, 0);
    assert_code(got_err, VT_EXHAUSTED);
    assert_null(got_view);
}

static void three_misses_stop_the_asking_until_a_probe_is_answered(void **state)
{
    (void)state;
    for (int i = 0; i < VT_BREAKER_MISSES; i++) {
        script[i] = VT_DEADLINE;
        ask("anna", "");
        assert_code(got_err, VT_DEADLINE);
    }
    ask("anna", "");
    assert_int_equal(n_sent, VT_BREAKER_MISSES); /* refused here, not sent */
    assert_code(got_err, VT_UNAVAILABLE);
    assert_int_equal(n_done, VT_BREAKER_MISSES + 1);
    vt_clock_fake_advance_ms(&clock_fake, VT_BREAKER_OPEN_NS / 1000000);
    ask("anna", ""); /* the probe: answered */
    ask("anna", "");
    assert_ok(got_err);
    assert_int_equal(n_sent, VT_BREAKER_MISSES + 2);
}

static struct vt_err ask_for_outcomes(int64_t left_ns, struct vt_outcomes *ret_outcomes)
{
    const struct vt_outcomes_query query = {42, vt_slice_str("token"), 2000};
    struct vt_profile_port port = vt_profile_remote_port(remote);
    request.deadline_ns = vt_clock_monotonic_ns(&clock_fake.clock) + left_ns;
    return port.outcomes(port.self, &request, &query, ret_outcomes);
}

static void outcomes_come_as_they_are_until_the_deadline(void **state)
{
    struct vt_outcomes outcomes;
    (void)state;
    assert_ok(ask_for_outcomes(INT64_C(250000000), &outcomes));
    assert_int_equal(sent_timeout_ms, 250);
    assert_int_equal(sent_query.customer_number, 42);
    assert_int_equal(sent_query.since_ms, 2000);
    assert_true(vt_slice_equal(sent_query.token, vt_slice_str("token")));
    assert_int_equal(outcomes.n, 1);
    assert_true(outcomes.more);
    assert_int_equal(outcomes.outcomes[0].event.item, 7);
    assert_int_equal(outcomes.outcomes[0].event.type, VT_EVENT_PURCHASE);
    assert_int_equal(outcomes.outcomes[0].event.time_ms, 3000);
    assert_true(outcomes.outcomes[0].quantity == 2 && outcomes.outcomes[0].revenue == 19.5);
    assert_string_equal(outcomes.outcomes[0].currency, "EUR");
    assert_code(ask_for_outcomes(0, &outcomes), VT_DEADLINE);
    assert_int_equal(n_sent, 1);
}

static void outcomes_that_do_not_come_or_decode_are_errors(void **state)
{
    struct vt_outcomes outcomes;
    (void)state;
    script[0] = VT_UNAVAILABLE;
    assert_code(ask_for_outcomes(INT64_C(1000000000), &outcomes), VT_UNAVAILABLE);
    raw_answer = vt_slice_str("\x0a\x7f not outcomes");
    assert_code(ask_for_outcomes(INT64_C(1000000000), &outcomes), VT_INVALID);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_key_and_the_budget_go_out_as_they_were_given),
        TEST(an_answer_is_the_view_that_a_local_port_gives),
        TEST(an_answer_that_does_not_decode_is_an_error_and_no_view),
        TEST(full_memory_is_told_inline_and_nothing_is_sent),
        TEST(three_misses_stop_the_asking_until_a_probe_is_answered),
        TEST(outcomes_come_as_they_are_until_the_deadline),
        TEST(outcomes_that_do_not_come_or_decode_are_errors),
    };
    return cmocka_run_group_tests_name("profile_rpc/remote", tests, NULL, NULL);
}
