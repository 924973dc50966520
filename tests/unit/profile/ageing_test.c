#include "services/common/store/upkeep.h"
#include "services/profile/ageing.h"
#include "services/profile/event_block.h"
#include "tests/unit/profile/fixture.h"

#include <sched.h>

/* What leaves the store by age, and what must not. */

#define DAYS_DROPPED "vitrine_log_drops_total"
#define VISITORS_EXPIRED "vitrine_visitors_expired_total"

static void open_ageing(struct fixture *f, int retention_days, int expiry_days)
{
    f->options.event_retention_ms = retention_days * FIXTURE_DAY_MS;
    f->options.visitor_expiry_ms = expiry_days * FIXTURE_DAY_MS;
    fixture_open(f);
}

static void pass_days(struct fixture *f, int days)
{
    vt_clock_fake_advance_ms(&f->clock, days * FIXTURE_DAY_MS);
}

static uint32_t count_rows(struct fixture *f, enum vt__family family)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    bool more = false;
    uint32_t n = 0;
    assert_ok(vt_store_iter_open(f->profile->store, family, all, all, &rows));
    for (;; n++) {
        assert_ok(vt_store_iter_next(rows, NULL, &more));
        if (!more)
            break;
    }
    vt_store_iter_close(rows);
    return n;
}

static void visit(struct fixture *f, enum vt_event_type type, const char *cookie)
{
    struct vt_event event = fixture_event(f, type, "", "mug");
    event.visitor_id = vt_slice_str(cookie);
    assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_ACCEPTED);
}

static bool is_known(struct fixture *f, const char *cookie)
{
    struct vt_profile_key key = {.visitor_id = vt_slice_str(cookie)};
    struct vt_profile_view view;
    assert_ok(vt_profile_get(f->profile, &f->request, &key, 50, &view));
    return view.found;
}

/* ---- retention ---- */

static void log_keeps_whole_days_within_its_time(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 2, 0);
    for (int day = 0; day < 5; day++, pass_days(f, 1))
        fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    for (int run = 0; run < 5; run++) /* one day a run */
        assert_ok(vt__retain_events(f->profile));
    assert_true(fixture_metric(f, DAYS_DROPPED) == 3);
    assert_int_equal(fixture_n_learned(f), 2);
    assert_int_equal(fixture_get(f, "ann").n_events, 5); /* histories are bounded by number */
    assert_ok(vt__retain_events(f->profile));
    assert_int_equal(fixture_n_learned(f), 2);
}

static void a_run_drops_one_day_at_most(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 1, 0);
    for (int day = 0; day < 4; day++, pass_days(f, 1))
        fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    uint32_t first = vt__log_first_day(f->profile);
    assert_ok(vt__retain_events(f->profile));
    assert_int_equal(fixture_n_learned(f), 3);
    assert_true(vt__log_first_day(f->profile) > first);
}

static void lists_of_dropped_days_leave_with_them(void **state)
{
    struct fixture *f = *state;
    struct vt_slice all = vt_slice(NULL, 0);
    open_ageing(f, 1, 0);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "bob", "mug"));
    pass_days(f, 3);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    assert_int_equal(count_rows(f, VT__CUSTOMER_EVENTS), 3);
    assert_ok(vt_store_flush(f->profile->store, NULL)); /* as days of traffic would */
    assert_ok(vt_store_compact(f->profile->store, VT__CUSTOMER_EVENTS, all, all, NULL));
    assert_ok(vt__retain_events(f->profile)); /* the day */
    assert_ok(vt__retain_events(f->profile)); /* and its space */
    assert_int_equal(count_rows(f, VT__EVENTS), 1);
    assert_int_equal(count_rows(f, VT__CUSTOMER_EVENTS), 1);
}

static void retention_goes_on_after_reopening(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 1, 0);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    pass_days(f, 3);
    uint64_t last = fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug")).sequence;
    fixture_open(f);
    assert_ok(vt__retain_events(f->profile));
    fixture_open(f);
    assert_int_equal(fixture_n_learned(f), 1);
    assert_int_equal(vt__log_first_day(f->profile),
                     vt_clock_unix_ms(&f->clock.clock) / FIXTURE_DAY_MS);
    assert_true(fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "cup")).sequence > last);
}

static void without_retention_the_log_stays(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    pass_days(f, 5000);
    assert_ok(vt__retain_events(f->profile));
    assert_ok(vt__expire_visitors(f->profile));
    assert_int_equal(fixture_n_learned(f), 1);
}

static void imported_events_age_from_their_import(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 2, 0);
    struct vt_event old = fixture_event(f, VT_EVENT_PURCHASE, "ann", "mug");
    old.time_ms -= 1000 * FIXTURE_DAY_MS;
    fixture_write(f, old);
    pass_days(f, 2);
    assert_ok(vt__retain_events(f->profile));
    assert_int_equal(fixture_n_learned(f), 1);
    pass_days(f, 1);
    assert_ok(vt__retain_events(f->profile));
    assert_int_equal(fixture_n_learned(f), 0);
}

/* ---- clocks ---- */

static void set_wall_clock(struct fixture *f, int64_t delta_ms)
{
    atomic_fetch_add(&f->clock.now_unix_ms, delta_ms);
}

static void a_clock_that_was_set_throws_nothing_away(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 2, 2);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    visit(f, VT_EVENT_VIEW, "cookie");
    set_wall_clock(f, 1000 * FIXTURE_DAY_MS);
    assert_ok(vt__retain_events(f->profile));
    assert_ok(vt__expire_visitors(f->profile));
    assert_int_equal(fixture_n_learned(f), 2);
    assert_true(is_known(f, "cookie"));
    assert_true(fixture_metric(f, "vitrine_clock_jumped") == 1);
    set_wall_clock(f, -1000 * FIXTURE_DAY_MS);
    pass_days(f, 4);
    assert_ok(vt__retain_events(f->profile));
    assert_ok(vt__expire_visitors(f->profile));
    assert_int_equal(fixture_n_learned(f), 0);
    assert_false(is_known(f, "cookie"));
    assert_true(fixture_metric(f, "vitrine_clock_jumped") == 0);
}

/* Days of the log never fall: what is written while the clock is behind is kept with the day
 * before, and order of sequence stays order of keys. */
static void a_clock_behind_keeps_the_log_in_order(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 2, 0);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    uint32_t today = vt__log_first_day(f->profile);
    pass_days(f, -30);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "cup"));
    fixture_open(f);
    today = vt__log_first_day(f->profile);
    assert_int_equal(today, FIXTURE_NOW_MS / FIXTURE_DAY_MS);
    pass_days(f, 32);
    assert_ok(vt__retain_events(f->profile));
    assert_int_equal(fixture_n_learned(f), 2);
    pass_days(f, 1);
    assert_ok(vt__retain_events(f->profile));
    assert_int_equal(fixture_n_learned(f), 0);
}

/* ---- visitors ---- */

static void visitors_who_stay_away_are_forgotten_whole(void **state)
{
    static const enum vt__family persons[] = {VT__IDENTITY, VT__PROFILE, VT__HISTORY, VT__ALIAS,
                                              VT__CUSTOMER_IDS};
    struct fixture *f = *state;
    char cookie[16];
    open_ageing(f, 0, 10);
    for (int i = 0; i < 150; i++) { /* more than one job's worth */
        snprintf(cookie, sizeof cookie, "cookie %d", i);
        visit(f, VT_EVENT_VIEW, cookie);
    }
    visit(f, VT_EVENT_IMPRESSION, "cookie 7");
    pass_days(f, 10);
    assert_ok(vt__expire_visitors(f->profile));
    assert_true(fixture_metric(f, VISITORS_EXPIRED) == 0);
    pass_days(f, 1);
    assert_ok(vt__expire_visitors(f->profile));
    assert_true(fixture_metric(f, VISITORS_EXPIRED) == 150);
    for (size_t i = 0; i < sizeof persons / sizeof persons[0]; i++)
        assert_int_equal(count_rows(f, persons[i]), 0);
    /* Until retention, as pairs that agree; the numbers mean nobody. */
    assert_int_equal(fixture_n_learned(f), 151);
    assert_int_equal(count_rows(f, VT__CUSTOMER_EVENTS), 150);
    assert_false(is_known(f, "cookie 7"));
}

static void an_expired_visitor_comes_back_as_somebody_new(void **state)
{
    struct fixture *f = *state;
    struct vt_profile_key key = {.visitor_id = vt_slice_str("cookie")};
    struct vt_profile_view before, after;
    open_ageing(f, 0, 10);
    visit(f, VT_EVENT_VIEW, "cookie");
    assert_ok(vt_profile_get(f->profile, &f->request, &key, 50, &before));
    pass_days(f, 11);
    assert_ok(vt__expire_visitors(f->profile));
    visit(f, VT_EVENT_CART, "cookie");
    assert_ok(vt_profile_get(f->profile, &f->request, &key, 50, &after));
    assert_true(after.customer_number > before.customer_number);
    assert_int_equal(after.n_events, 1);
    assert_int_equal(after.events[0].type, VT_EVENT_CART);
}

static void whoever_did_anything_stays(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 0, 10);
    visit(f, VT_EVENT_VIEW, "looks");
    visit(f, VT_EVENT_VIEW, "is shown");
    visit(f, VT_EVENT_VIEW, "gone");
    pass_days(f, 9);
    visit(f, VT_EVENT_VIEW, "looks");
    visit(f, VT_EVENT_IMPRESSION, "is shown"); /* not in the history */
    pass_days(f, 9);
    assert_ok(vt__expire_visitors(f->profile));
    assert_true(is_known(f, "looks"));
    assert_true(is_known(f, "is shown"));
    assert_false(is_known(f, "gone"));
}

/* As when retention is shorter than expiry and compaction has dropped the lists of old days. */
static void lose_lists_of_days(struct fixture *f)
{
    struct vt_store_batch *batch;
    struct vt__key first = vt__key_customer(0), end = vt__key_customer(UINT64_MAX);
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt_store_batch_delete_range(batch, VT__CUSTOMER_EVENTS, vt__key_slice(&first),
                                vt__key_slice(&end));
    assert_ok(vt_store_write(f->profile->store, batch, NULL));
    vt_store_batch_free(batch);
}

static void whoever_was_shown_something_stays_without_the_log(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 0, 10);
    visit(f, VT_EVENT_VIEW, "is shown");
    visit(f, VT_EVENT_VIEW, "gone");
    pass_days(f, 9);
    visit(f, VT_EVENT_IMPRESSION, "is shown");
    pass_days(f, 9);
    lose_lists_of_days(f);
    assert_ok(vt__expire_visitors(f->profile));
    assert_true(is_known(f, "is shown"));
    assert_false(is_known(f, "gone"));
}

static void members_and_cards_never_expire(void **state)
{
    struct fixture *f = *state;
    open_ageing(f, 0, 10);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    struct vt_event card = fixture_event(f, VT_EVENT_PURCHASE, "", "mug");
    card.identity =
        (struct vt_identity){.type = VT_IDENTITY_LOYALTY_CARD, .id = vt_slice_str("card")};
    fixture_write(f, card);
    pass_days(f, 1000);
    assert_ok(vt__expire_visitors(f->profile));
    assert_int_equal(count_rows(f, VT__PROFILE), 2);
    assert_true(fixture_get(f, "ann").found);
}

static void link_two(struct fixture *f, struct vt_identity a, struct vt_identity b)
{
    const struct vt_identity ids[] = {a, b};
    struct vt_link link = {.identities = ids, .n_identities = 2};
    struct vt_link_result result;
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_ok(fixture_wait(f));
    assert_true(result.changed);
}

static void a_cookie_linked_to_a_card_stays_and_linked_cookies_go_together(void **state)
{
    struct fixture *f = *state;
    struct vt_identity a = {.type = VT_IDENTITY_VISITOR, .id = vt_slice_str("a")};
    struct vt_identity b = {.type = VT_IDENTITY_DEVICE, .id = vt_slice_str("b")};
    struct vt_identity c = {.type = VT_IDENTITY_VISITOR, .id = vt_slice_str("c")};
    struct vt_identity card = {.type = VT_IDENTITY_LOYALTY_CARD, .id = vt_slice_str("card")};
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "", "mug");
    open_ageing(f, 0, 10);
    event.identity = b;
    fixture_write(f, event);
    visit(f, VT_EVENT_VIEW, "a");
    visit(f, VT_EVENT_VIEW, "c");
    link_two(f, a, b);
    link_two(f, c, card);
    assert_true(count_rows(f, VT__ALIAS) > 0);
    pass_days(f, 11);
    assert_ok(vt__expire_visitors(f->profile));
    assert_int_equal(count_rows(f, VT__PROFILE), 1);
    assert_int_equal(count_rows(f, VT__ALIAS), 0);
    assert_true(is_known(f, "c"));
    assert_false(is_known(f, "a"));
}

/* ---- who comes back while the chore looks ---- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
};

static struct vt_err apply_wait(struct vt_profile *profile, struct vt__job *job)
{
    (void)profile;
    struct gate *gate = job->result;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return vt_ok();
}

struct runner {
    struct fixture *f;
    struct gate *gate;
};

static void *run_gate(void *ctx)
{
    const struct runner *runner = ctx;
    vt_err_ignore(vt__writer_run(runner->f->profile, apply_wait, NULL, runner->gate),
                  "nothing is left behind that a failure would not show");
    return NULL;
}

static void *run_expiry(void *ctx)
{
    const struct runner *runner = ctx;
    vt_err_ignore(vt__expire_visitors(runner->f->profile), "judged by what it left");
    return NULL;
}

static uint32_t n_queued(struct fixture *f)
{
    pthread_mutex_lock(&f->profile->lock);
    uint32_t n = f->profile->queued;
    pthread_mutex_unlock(&f->profile->lock);
    return n;
}

static void a_visitor_who_comes_back_in_between_stays(void **state)
{
    struct fixture *f = *state;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct runner runner = {f, &gate};
    struct vt_event_result result = {0};
    pthread_t holder, expiry;
    open_ageing(f, 0, 10);
    visit(f, VT_EVENT_VIEW, "cookie");
    pass_days(f, 11);
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "", "cup");
    event.visitor_id = vt_slice_str("cookie");
    assert_int_equal(pthread_create(&holder, NULL, run_gate, &runner), 0);
    pthread_mutex_lock(&gate.lock);
    while (!gate.entered) /* the writer stands still */
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    vt_profile_write_events(f->profile, &f->write, &event, 1, &result);
    assert_int_equal(pthread_create(&expiry, NULL, run_expiry, &runner), 0);
    while (n_queued(f) < 2) /* the chore saw no event, and waits behind one */
        sched_yield();
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    assert_ok(fixture_wait(f));
    pthread_join(expiry, NULL);
    pthread_join(holder, NULL);
    assert_true(is_known(f, "cookie"));
    assert_true(fixture_metric(f, VISITORS_EXPIRED) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(log_keeps_whole_days_within_its_time),
        TEST(a_run_drops_one_day_at_most),
        TEST(lists_of_dropped_days_leave_with_them),
        TEST(retention_goes_on_after_reopening),
        TEST(without_retention_the_log_stays),
        TEST(imported_events_age_from_their_import),
        TEST(a_clock_that_was_set_throws_nothing_away),
        TEST(a_clock_behind_keeps_the_log_in_order),
        TEST(visitors_who_stay_away_are_forgotten_whole),
        TEST(an_expired_visitor_comes_back_as_somebody_new),
        TEST(whoever_was_shown_something_stays_without_the_log),
        TEST(whoever_did_anything_stays),
        TEST(members_and_cards_never_expire),
        TEST(a_cookie_linked_to_a_card_stays_and_linked_cookies_go_together),
        TEST(a_visitor_who_comes_back_in_between_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
