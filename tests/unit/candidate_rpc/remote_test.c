/* The candidate port over a scripted client: what is sent and answered, and the breaker. */
#include "services/candidate/remote.h"
#include "services/candidate/wire.h"
#include "services/common/base/breaker.h"
#include "tests/testlib/testlib.h"

static enum vt_code script[8];
static unsigned n_sent;
static struct vt_candidate_query sent[8];

/* Stands for the network: notes the query and answers what the script says. */
void vt_rpc_client_start(struct vt_rpc_channel *channel, struct vt_request *request,
                         const struct vt_rpc_outgoing *outgoing)
{
    (void)channel;
    assert_string_equal(outgoing->path, "/vitrine.v1.CandidateService/GetCandidates");
    assert_true(n_sent < 8);
    assert_ok(vt_wire_candidate_query_decode(outgoing->body, request->arena, NULL, &sent[n_sent]));
    enum vt_code code = script[n_sent++];
    struct vt_candidate_list list = {.version = vt_slice_str("theirs")};
    struct vt_slice answer = {0};
    assert_ok(vt_wire_candidate_list_encode(&list, request->arena, &answer));
    outgoing->done(outgoing->ctx, code == VT_OK ? vt_ok() : VT_ERR((uint16_t)code, "scripted"),
                   answer);
}

static unsigned char memory[1 << 20];
static struct vt_arena arena;
static struct vt_request request;
static struct vt_clock_fake clock_fake;
static struct vt_candidate_remote *remote;
static struct vt_err got_err;
static const struct vt_candidate_list *got_list;
static unsigned n_done;

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    request = (struct vt_request){.arena = &arena, .deadline_ns = INT64_MAX};
    vt_clock_fake_init(&clock_fake, 1);
    n_sent = n_done = 0;
    for (int i = 0; i < 8; i++)
        script[i] = VT_OK;
    assert_ok(vt_candidate_remote_new(NULL, &clock_fake.clock, NULL, &remote));
    return 0;
}

static int end(void **state)
{
    (void)state;
    vt_candidate_remote_free(remote);
    return 0;
}

static void on_list(void *ctx, struct vt_err err, const struct vt_candidate_list *list)
{
    (void)ctx;
    n_done++;
    got_err = err;
    got_list = list;
}

static void ask(const char *version)
{
    struct vt_candidate_query query = {.n = 10, .version = vt_slice_str(version)};
    struct vt_candidate_port port = vt_candidate_remote_port(remote);
    port.get(port.self, &request, &query, INT64_MAX, on_list, NULL);
}

static void an_answer_is_decoded_into_the_requests_arena(void **state)
{
    (void)state;
    ask("ours");
    assert_int_equal(n_sent, 1);
    assert_true(vt_slice_equal(sent[0].version, vt_slice_str("ours")));
    assert_int_equal(n_done, 1);
    assert_ok(got_err);
    assert_true(vt_slice_equal(got_list->version, vt_slice_str("theirs")));
}

static void a_refused_pin_is_the_callers_to_retry(void **state)
{
    (void)state;
    script[0] = VT_PRECONDITION;
    ask("ours");
    assert_int_equal(n_sent, 1);
    assert_int_equal(n_done, 1);
    assert_code(got_err, VT_PRECONDITION);
    assert_null(got_list);
}

static void three_misses_stop_the_asking_until_a_probe_is_answered(void **state)
{
    (void)state;
    for (int i = 0; i < VT_BREAKER_MISSES; i++) {
        script[i] = VT_DEADLINE;
        ask("");
    }
    assert_int_equal(n_sent, VT_BREAKER_MISSES);
    ask("");
    assert_int_equal(n_sent, VT_BREAKER_MISSES); /* refused here, not sent */
    assert_code(got_err, VT_UNAVAILABLE);
    vt_clock_fake_advance_ms(&clock_fake, VT_BREAKER_OPEN_NS / 1000000);
    ask(""); /* the probe: answered */
    assert_ok(got_err);
    ask("");
    assert_ok(got_err);
    assert_int_equal(n_sent, VT_BREAKER_MISSES + 2);
}

static void refusals_do_not_open_the_breaker(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        script[i] = VT_INVALID;
        ask("");
    }
    assert_int_equal(n_sent, 5);
}

static void a_call_that_found_nobody_there_is_made_once_more(void **state)
{
    (void)state;
    script[0] = VT_UNAVAILABLE;
    ask("ours");
    assert_int_equal(n_sent, 2);
    assert_true(vt_slice_equal(sent[1].version, vt_slice_str("ours")));
    assert_int_equal(n_done, 1);
    assert_ok(got_err);
}

static void nothing_is_asked_a_third_time(void **state)
{
    (void)state;
    script[0] = script[1] = VT_UNAVAILABLE;
    ask("");
    assert_int_equal(n_sent, 2);
    assert_int_equal(n_done, 1);
    assert_code(got_err, VT_UNAVAILABLE);
}

static void a_service_that_is_full_is_not_asked_again(void **state)
{
    (void)state;
    script[0] = VT_EXHAUSTED;
    ask("");
    assert_int_equal(n_sent, 1);
    assert_code(got_err, VT_EXHAUSTED);
}

static void nobody_left_to_answer_is_no_reason_to_ask_again(void **state)
{
    (void)state;
    atomic_bool cancelled = true;
    request.cancelled = &cancelled;
    script[0] = VT_UNAVAILABLE;
    ask("");
    assert_int_equal(n_sent, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_decoded_into_the_requests_arena, begin, end),
        cmocka_unit_test_setup_teardown(a_refused_pin_is_the_callers_to_retry, begin, end),
        cmocka_unit_test_setup_teardown(three_misses_stop_the_asking_until_a_probe_is_answered,
                                        begin, end),
        cmocka_unit_test_setup_teardown(refusals_do_not_open_the_breaker, begin, end),
        cmocka_unit_test_setup_teardown(a_call_that_found_nobody_there_is_made_once_more, begin,
                                        end),
        cmocka_unit_test_setup_teardown(nothing_is_asked_a_third_time, begin, end),
        cmocka_unit_test_setup_teardown(a_service_that_is_full_is_not_asked_again, begin, end),
        cmocka_unit_test_setup_teardown(nobody_left_to_answer_is_no_reason_to_ask_again, begin,
                                        end),
    };
    return cmocka_run_group_tests_name("candidate_rpc/remote", tests, NULL, NULL);
}
