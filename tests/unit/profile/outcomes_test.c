/* What came of an answer: the events with its token, of the right person, and no others. */
#include "tests/unit/profile/fixture.h"

static const char TOKEN[] = "AQAAAZf-token-of-an-answer";

static void write_with(struct fixture *f, struct vt_event event, const char *token)
{
    event.attribution_token = vt_slice_str(token);
    assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_ACCEPTED);
}

static uint64_t number_of(struct fixture *f, const char *customer)
{
    const struct vt_profile_key key = {.customer_id = vt_slice_str(customer)};
    struct vt_profile_view view = {0};
    assert_ok(vt_profile_get(f->profile, &f->request, &key, 1, &view));
    assert_true(view.found);
    return view.customer_number;
}

static struct vt_outcomes outcomes_of(struct fixture *f, uint64_t customer, const char *token)
{
    const struct vt_outcomes_query query = {customer, vt_slice_str(token), FIXTURE_NOW_MS};
    struct vt_outcomes outcomes = {0};
    assert_ok(vt_profile_outcomes(f->profile, &f->request, &query, &outcomes));
    return outcomes;
}

static void only_events_with_the_token_are_told_oldest_first(void **state)
{
    struct fixture *f = *state;
    struct vt_event bought = fixture_event(f, VT_EVENT_PURCHASE, "ann", "mug");
    bought.quantity = 2;
    bought.revenue = 19.5;
    bought.currency_code = vt_slice_str("EUR");
    bought.time_ms += 2000;
    write_with(f, bought, TOKEN); /* before what led to it, as channels do */
    write_with(f, fixture_event(f, VT_EVENT_IMPRESSION, "ann", "mug"), TOKEN);
    struct vt_event clicked = fixture_event(f, VT_EVENT_CLICK, "ann", "mug");
    clicked.time_ms += 1000;
    write_with(f, clicked, TOKEN);
    write_with(f, fixture_event(f, VT_EVENT_CLICK, "ann", "tea"), "AQAAAZf-token-of-another");
    write_with(f, fixture_event(f, VT_EVENT_CLICK, "bob", "mug"), TOKEN); /* not bob's answer */
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));

    struct vt_outcomes outcomes = outcomes_of(f, number_of(f, "ann"), TOKEN);
    assert_int_equal(outcomes.n, 3);
    assert_false(outcomes.more);
    assert_int_equal(outcomes.outcomes[0].event.type, VT_EVENT_IMPRESSION);
    assert_int_equal(outcomes.outcomes[1].event.type, VT_EVENT_CLICK);
    assert_int_equal(outcomes.outcomes[2].event.type, VT_EVENT_PURCHASE);
    assert_true(outcomes.outcomes[2].quantity == 2 && outcomes.outcomes[2].revenue == 19.5);
    assert_string_equal(outcomes.outcomes[2].currency, "EUR");
    assert_int_equal(outcomes_of(f, number_of(f, "ann"), "nobody's").n, 0);
    assert_int_equal(outcomes_of(f, 999, TOKEN).n, 0);
}

static void what_a_bot_did_is_no_outcome(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    struct vt_event event = fixture_event(f, VT_EVENT_CLICK, "ann", "mug");
    event.bot = true;
    write_with(f, event, TOKEN);
    assert_int_equal(outcomes_of(f, number_of(f, "ann"), TOKEN).n, 0);
}

static void who_was_merged_since_takes_the_outcomes_along(void **state)
{
    struct fixture *f = *state;
    struct vt_identity both[] = {{.type = VT_IDENTITY_UNSPECIFIED},
                                 {.type = VT_IDENTITY_UNSPECIFIED}};
    assert_true(vt_identity_parse(vt_slice_str("visitor:cookie"), &both[0]));
    assert_true(vt_identity_parse(vt_slice_str("member:ann"), &both[1]));
    struct vt_event seen = fixture_event(f, VT_EVENT_IMPRESSION, "", "mug");
    seen.customer_id = vt_slice(NULL, 0);
    seen.visitor_id = vt_slice_str("cookie");
    write_with(f, seen, TOKEN);
    const struct vt_profile_key visitor = {.visitor_id = vt_slice_str("cookie")};
    struct vt_profile_view view = {0};
    assert_ok(vt_profile_get(f->profile, &f->request, &visitor, 1, &view));
    uint64_t asked_as = view.customer_number;

    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "tea"));
    const struct vt_link link = {.identities = both, .n_identities = 2};
    struct vt_link_result result;
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_ok(fixture_wait(f));
    assert_int_not_equal(result.customer_number, asked_as); /* the member's survives */
    struct vt_event clicked = fixture_event(f, VT_EVENT_CLICK, "ann", "mug");
    clicked.time_ms += 1000;
    write_with(f, clicked, TOKEN);
    struct vt_outcomes outcomes = outcomes_of(f, asked_as, TOKEN);
    assert_int_equal(outcomes.n, 2);
    assert_int_equal(outcomes.outcomes[0].event.type, VT_EVENT_IMPRESSION);
    assert_int_equal(outcomes.outcomes[1].event.type, VT_EVENT_CLICK);
}

static void more_than_an_answer_holds_is_said(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < VT_OUTCOMES_MAX; i++)
        write_with(f, fixture_event(f, VT_EVENT_PURCHASE, "ann", "mug"), TOKEN);
    struct vt_outcomes outcomes = outcomes_of(f, number_of(f, "ann"), TOKEN);
    assert_int_equal(outcomes.n, VT_OUTCOMES_MAX);
    assert_false(outcomes.more);
    write_with(f, fixture_event(f, VT_EVENT_PURCHASE, "ann", "mug"), TOKEN);
    outcomes = outcomes_of(f, number_of(f, "ann"), TOKEN);
    assert_int_equal(outcomes.n, VT_OUTCOMES_MAX);
    assert_true(outcomes.more);
}

static void days_before_the_answer_are_not_read(void **state)
{
    struct fixture *f = *state;
    write_with(f, fixture_event(f, VT_EVENT_CLICK, "ann", "mug"), TOKEN);
    struct vt_outcomes_query query = {number_of(f, "ann"), vt_slice_str(TOKEN), FIXTURE_NOW_MS};
    struct vt_outcomes outcomes = {0};
    query.since_ms += FIXTURE_DAY_MS; /* clocks may differ by a day */
    assert_ok(vt_profile_outcomes(f->profile, &f->request, &query, &outcomes));
    assert_int_equal(outcomes.n, 1);
    query.since_ms += FIXTURE_DAY_MS;
    assert_ok(vt_profile_outcomes(f->profile, &f->request, &query, &outcomes));
    assert_int_equal(outcomes.n, 0);
    query.since_ms = INT64_MIN;
    assert_ok(vt_profile_outcomes(f->profile, &f->request, &query, &outcomes));
    assert_int_equal(outcomes.n, 1);
}

static void it_stops_when_nobody_waits_or_the_time_is_over(void **state)
{
    struct fixture *f = *state;
    write_with(f, fixture_event(f, VT_EVENT_CLICK, "ann", "mug"), TOKEN);
    const struct vt_outcomes_query query = {number_of(f, "ann"), vt_slice_str(TOKEN), 0};
    struct vt_outcomes outcomes;
    atomic_bool cancelled = true;
    f->request.cancelled = &cancelled;
    assert_code(vt_profile_outcomes(f->profile, &f->request, &query, &outcomes), VT_CANCELLED);
    f->request.cancelled = NULL;
    f->request.deadline_ns = vt_clock_monotonic_ns(&f->clock.clock);
    assert_code(vt_profile_outcomes(f->profile, &f->request, &query, &outcomes), VT_DEADLINE);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_events_with_the_token_are_told_oldest_first),
        TEST(what_a_bot_did_is_no_outcome),
        TEST(who_was_merged_since_takes_the_outcomes_along),
        TEST(more_than_an_answer_holds_is_said),
        TEST(days_before_the_answer_are_not_read),
        TEST(it_stops_when_nobody_waits_or_the_time_is_over),
    };
    return cmocka_run_group_tests_name("profile/outcomes", tests, NULL, NULL);
}
