#include "services/profile/history.h"
#include "tests/unit/profile/fixture.h"

/* What is noise and what is not, and under which time an event is kept. */

enum { BOUND = 3 };

static const char *const CAPPED = "vitrine_events_noise_total{reason=\"cap\"}";
static const char *const BOT = "vitrine_events_noise_total{reason=\"bot\"}";
static const char *const CLAMPED = "vitrine_events_clamped_total";

static void open_bounded(struct fixture *f)
{
    f->options.visitor_events_per_hour = BOUND;
    fixture_open(f);
}

static void write_n(struct fixture *f, struct vt_event event, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        event.event_id = vt_arena_printf(&f->arena, "n %u", f->n_ids++);
        assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_ACCEPTED);
    }
}

static void bot_is_logged_and_counts_nowhere(void **state)
{
    struct fixture *f = *state;
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "crawler", "mug");
    event.bot = true;
    struct vt_event_result result = fixture_write(f, event);
    assert_int_equal(result.outcome, VT_EVENT_ACCEPTED);
    assert_true(result.sequence > 0);
    assert_false(fixture_get(f, "crawler").found);
    assert_int_equal(fixture_n_learned(f), 0);
    assert_true(fixture_metric(f, BOT) == 1);
    assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_DUPLICATE);
}

static void bot_neither_names_items_nor_moves_their_counts(void **state)
{
    struct fixture *f = *state;
    struct vt_item item;
    bool found = true;
    struct vt_event event = fixture_event(f, VT_EVENT_PURCHASE, "crawler", "no-such-sku");
    event.bot = true;
    fixture_write(f, event);
    assert_ok(vt_profile_get_item(f->profile, &f->request, event.item_id, 0, &item, &found));
    assert_false(found);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    assert_int_equal(fixture_get(f, "ann").events[0].item, 1);
}

static void browsing_beyond_the_bound_is_noise(void **state)
{
    struct fixture *f = *state;
    open_bounded(f);
    for (unsigned i = 0; i < BOUND + 2; i++) {
        struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
        event.time_ms += i; /* equal ones would be one in the history */
        assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_ACCEPTED);
    }
    assert_int_equal(fixture_get(f, "ann").n_events, BOUND);
    assert_int_equal(fixture_n_learned(f), BOUND);
    assert_true(fixture_metric(f, CAPPED) == 2);
}

static void bound_is_of_one_visitor_and_one_hour(void **state)
{
    struct fixture *f = *state;
    open_bounded(f);
    write_n(f, fixture_event(f, VT_EVENT_CLICK, "ann", "mug"), BOUND);
    write_n(f, fixture_event(f, VT_EVENT_CLICK, "bob", "mug"), BOUND);
    vt_clock_fake_advance_ms(&f->clock, 3600 * 1000);
    write_n(f, fixture_event(f, VT_EVENT_CLICK, "ann", "mug"), BOUND);
    assert_true(fixture_metric(f, CAPPED) == 0);
    write_n(f, fixture_event(f, VT_EVENT_SEARCH, "ann", "mug"), 1);
    assert_true(fixture_metric(f, CAPPED) == 1);
}

static void ten_impressions_weigh_as_much_as_a_page(void **state)
{
    struct fixture *f = *state;
    open_bounded(f);
    write_n(f, fixture_event(f, VT_EVENT_IMPRESSION, "ann", "mug"), 10 * BOUND);
    assert_true(fixture_metric(f, CAPPED) == 0);
    write_n(f, fixture_event(f, VT_EVENT_IMPRESSION, "ann", "mug"), 1);
    assert_true(fixture_metric(f, CAPPED) == 1);
}

static void what_people_do_deliberately_is_never_capped(void **state)
{
    static const enum vt_event_type types[] = {VT_EVENT_PURCHASE, VT_EVENT_CART, VT_EVENT_RATING,
                                               VT_EVENT_DISLIKE};
    struct fixture *f = *state;
    open_bounded(f);
    write_n(f, fixture_event(f, VT_EVENT_VIEW, "till", "mug"), BOUND + 1);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        write_n(f, fixture_event(f, types[i], "till", "mug"), 2 * BOUND);
    assert_true(fixture_metric(f, CAPPED) == 1);
}

static void old_events_are_an_import_and_not_capped(void **state)
{
    struct fixture *f = *state;
    open_bounded(f);
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
    event.time_ms -= FIXTURE_DAY_MS + 1;
    write_n(f, event, 2 * BOUND);
    assert_true(fixture_metric(f, CAPPED) == 0);
    event.time_ms += 1;
    write_n(f, event, BOUND + 1);
    assert_true(fixture_metric(f, CAPPED) == 1);
}

static void duplicates_do_not_use_up_the_bound(void **state)
{
    struct fixture *f = *state;
    open_bounded(f);
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
    for (unsigned i = 0; i < 4 * BOUND; i++)
        fixture_write(f, event);
    write_n(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"), BOUND - 1);
    assert_true(fixture_metric(f, CAPPED) == 0);
}

static void crawlers_stay_capped_among_a_crowd(void **state)
{
    struct fixture *f = *state;
    char id[32];
    open_bounded(f);
    write_n(f, fixture_event(f, VT_EVENT_VIEW, "crawler", "mug"), BOUND + 1);
    struct vt_event events[VT_EVENT_BATCH_MAX];
    struct vt_event_result results[VT_EVENT_BATCH_MAX];
    for (unsigned batch = 0; batch < 100; batch++) { /* more visitors than there are slots */
        vt_arena_reset(&f->arena);
        for (unsigned i = 0; i < VT_EVENT_BATCH_MAX; i++) {
            events[i] = fixture_event(f, VT_EVENT_IMPRESSION, "", "mug");
            snprintf(id, sizeof id, "visitor %u", batch * VT_EVENT_BATCH_MAX + i);
            events[i].visitor_id = vt_arena_copy(&f->arena, vt_slice_str(id));
        }
        vt_profile_write_events(f->profile, &f->write, events, VT_EVENT_BATCH_MAX, results);
        assert_ok(fixture_wait(f));
    }
    write_n(f, fixture_event(f, VT_EVENT_VIEW, "crawler", "mug"), 5);
    assert_true(fixture_metric(f, CAPPED) == 6);
}

static void clock_slightly_ahead_is_believed(void **state)
{
    struct fixture *f = *state;
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
    event.time_ms += VT_EVENT_AHEAD_MS;
    fixture_write(f, event);
    assert_true(fixture_get(f, "ann").events[0].time_ms == FIXTURE_NOW_MS + VT_EVENT_AHEAD_MS);
    assert_true(fixture_metric(f, CLAMPED) == 0);
}

static void clock_further_ahead_does_not_sit_on_top_of_the_history(void **state)
{
    struct fixture *f = *state;
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
    event.time_ms += VT_EVENT_AHEAD_MS + 1;
    fixture_write(f, event);
    event = fixture_event(f, VT_EVENT_VIEW, "ann", "pot");
    event.time_ms += VT_EVENT_FUTURE_MS;
    fixture_write(f, event);
    assert_true(fixture_metric(f, CLAMPED) == 2);
    vt_clock_fake_advance_ms(&f->clock, 1000);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "cup"));
    struct vt_profile_view view = fixture_get(f, "ann");
    assert_int_equal(view.n_events, 3);
    assert_int_equal(view.events[0].item, 3);
    assert_true(view.events[1].time_ms == FIXTURE_NOW_MS);
    assert_true(view.events[2].time_ms == FIXTURE_NOW_MS);
}

static void clock_a_day_ahead_is_rejected(void **state)
{
    struct fixture *f = *state;
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
    event.time_ms += VT_EVENT_FUTURE_MS + 1;
    struct vt_event_result result = fixture_write(f, event);
    assert_int_equal(result.outcome, VT_EVENT_REJECTED);
    assert_string_equal(result.field, "time");
}

static void late_event_lands_at_its_place(void **state)
{
    struct fixture *f = *state;
    for (int days = 0; days < 30; days += 10) {
        struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
        event.time_ms -= days * FIXTURE_DAY_MS;
        fixture_write(f, event);
    }
    struct vt_event late = fixture_event(f, VT_EVENT_VIEW, "ann", "pot");
    late.time_ms -= 15 * FIXTURE_DAY_MS;
    fixture_write(f, late);
    struct vt_profile_view view = fixture_get(f, "ann");
    assert_int_equal(view.n_events, 4);
    assert_int_equal(view.events[2].item, 2);
}

static void event_older_than_a_full_history_is_logged_only(void **state)
{
    struct fixture *f = *state;
    f->options.history_max = 2;
    fixture_open(f);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "cup"));
    struct vt_event late = fixture_event(f, VT_EVENT_VIEW, "ann", "pot");
    late.time_ms -= 1;
    fixture_write(f, late);
    struct vt_profile_view view = fixture_get(f, "ann");
    assert_int_equal(view.n_events, 2);
    assert_true(view.events[0].item != 3 && view.events[1].item != 3);
    assert_int_equal(fixture_n_learned(f), 3);
}

/* NTP, or somebody's hand: the server's own clock falls back a day and comes again. */
static void our_own_clock_falling_back_loses_and_repeats_nothing(void **state)
{
    struct fixture *f = *state;
    struct vt_event first = fixture_event(f, VT_EVENT_VIEW, "ann", "mug");
    uint64_t sequence = fixture_write(f, first).sequence;
    vt_clock_fake_advance_ms(&f->clock, -FIXTURE_DAY_MS - 1);
    assert_int_equal(fixture_write(f, first).outcome, VT_EVENT_REJECTED); /* a day in the future */
    struct vt_event second = fixture_event(f, VT_EVENT_VIEW, "ann", "cup");
    assert_true(fixture_write(f, second).sequence > sequence);
    fixture_open(f);
    assert_int_equal(fixture_write(f, second).outcome, VT_EVENT_DUPLICATE);
    vt_clock_fake_advance_ms(&f->clock, FIXTURE_DAY_MS + 1);
    assert_int_equal(fixture_write(f, first).outcome, VT_EVENT_DUPLICATE);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "pot"));
    assert_int_equal(fixture_n_learned(f), 3); /* in order of sequence, or reading would fail */
    assert_int_equal(fixture_get(f, "ann").n_events, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bot_is_logged_and_counts_nowhere),
        TEST(bot_neither_names_items_nor_moves_their_counts),
        TEST(browsing_beyond_the_bound_is_noise),
        TEST(bound_is_of_one_visitor_and_one_hour),
        TEST(ten_impressions_weigh_as_much_as_a_page),
        TEST(what_people_do_deliberately_is_never_capped),
        TEST(old_events_are_an_import_and_not_capped),
        TEST(duplicates_do_not_use_up_the_bound),
        TEST(crawlers_stay_capped_among_a_crowd),
        TEST(clock_slightly_ahead_is_believed),
        TEST(clock_further_ahead_does_not_sit_on_top_of_the_history),
        TEST(clock_a_day_ahead_is_rejected),
        TEST(late_event_lands_at_its_place),
        TEST(event_older_than_a_full_history_is_logged_only),
        TEST(our_own_clock_falling_back_loses_and_repeats_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
