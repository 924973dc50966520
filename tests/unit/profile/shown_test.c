/* What a customer was shown how often: counted in a window, per customer, and gone with them. */
#include "services/profile/audit.h"
#include "services/profile/erase.h"
#include "services/profile/export.h"
#include "services/profile/history.h"
#include "services/profile/shown.h"
#include "services/profile/verify.h"
#include "tests/unit/profile/fixture.h"

#define HOUR_MS INT64_C(3600000)

static const unsigned char audit_key[VT_AUDIT_KEY_BYTES] = "a key for tests";

static int setup(void **state)
{
    assert_int_equal(fixture_setup(state), 0);
    struct fixture *f = *state;
    f->options.audit_key = audit_key;
    fixture_open(f);
    return 0;
}

static void show(struct fixture *f, const char *customer, const char *item, int times)
{
    for (int i = 0; i < times; i++) {
        fixture_write(f, fixture_event(f, VT_EVENT_IMPRESSION, customer, item));
        vt_clock_fake_advance_ms(&f->clock, 1);
    }
}

static struct vt_profile_view shown_to(struct fixture *f, const char *customer, uint32_t at_least)
{
    struct vt_profile_key key = {.customer_id = vt_slice_str(customer),
                                 .shown = {at_least, 24 * HOUR_MS}};
    struct vt_profile_view view;
    assert_ok(vt_profile_get(f->profile, &f->request, &key, 50, &view));
    return view;
}

static unsigned history_rows(struct fixture *f)
{
    struct vt_store_iter *rows = NULL;
    unsigned n = 0;
    bool has = true;
    assert_ok(vt_store_iter_open(f->profile->store, VT__HISTORY, vt_slice(NULL, 0),
                                 vt_slice(NULL, 0), &rows));
    for (;; n++) {
        assert_ok(vt_store_iter_next(rows, NULL, &has));
        if (!has)
            break;
    }
    vt_store_iter_close(rows);
    return n;
}

/* ---- counting ---- */

static void counting_equals_the_naive_count(void **state)
{
    (void)state;
    enum { N = 150, ITEMS = 23 };
    struct vt_history_event events[N];
    uint64_t random = 5;
    for (uint32_t round = 0; round < 200; round++) {
        uint32_t n = round % (N + 1), at_least = 1 + round % 9, naive[ITEMS + 1] = {0};
        int64_t since_ms = 1000 - round;
        for (uint32_t e = 0; e < n; e++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            events[e] = (struct vt_history_event){.item = 1 + (uint32_t)(random >> 33) % ITEMS,
                                                  .type = VT_EVENT_IMPRESSION,
                                                  .time_ms = 1000 - (int64_t)e};
            naive[events[e].item] += events[e].time_ms > since_ms;
        }
        struct vt__shown_count *counts = calloc(vt__shown_places(n), sizeof *counts);
        uint32_t items[N], n_expected = 0;
        uint32_t n_items = vt__shown_often(events, n, at_least, since_ms, counts, items);
        for (uint32_t item = 1; item <= ITEMS; item++)
            n_expected += naive[item] >= at_least;
        assert_int_equal(n_items, n_expected);
        for (uint32_t i = 0; i < n_items; i++)
            assert_true(naive[items[i]] >= at_least);
        free(counts);
    }
}

/* ---- the store ---- */

static void what_was_shown_often_is_told_of_that_customer_alone(void **state)
{
    struct fixture *f = *state;
    show(f, "ann", "mug", 3);
    show(f, "ann", "cup", 2);
    show(f, "bob", "mug", 2);
    struct vt_profile_view view = shown_to(f, "ann", 3);
    assert_int_equal(view.n_shown, 1);
    assert_int_equal(view.shown[0], 1); /* the mug, the first item ever mentioned */
    assert_int_equal(view.n_events, 0); /* and no event of the history */
    assert_int_equal(shown_to(f, "ann", 2).n_shown, 2);
    assert_int_equal(shown_to(f, "ann", 4).n_shown, 0);
    assert_int_equal(shown_to(f, "bob", 3).n_shown, 0);
    assert_int_equal(shown_to(f, "nobody", 1).n_shown, 0);
    assert_int_equal(fixture_get(f, "ann").n_shown, 0); /* who does not ask is not told */
    fixture_open(f);
    assert_int_equal(shown_to(f, "ann", 3).n_shown, 1);
}

static void the_window_ends_to_the_millisecond(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_IMPRESSION, "ann", "mug"));
    vt_clock_fake_advance_ms(&f->clock, 24 * HOUR_MS - 1);
    assert_int_equal(shown_to(f, "ann", 1).n_shown, 1);
    vt_clock_fake_advance_ms(&f->clock, 1);
    assert_int_equal(shown_to(f, "ann", 1).n_shown, 0);
}

static void a_repeated_event_and_a_bot_count_nothing(void **state)
{
    struct fixture *f = *state;
    struct vt_event event = fixture_event(f, VT_EVENT_IMPRESSION, "ann", "mug");
    fixture_write(f, event);
    fixture_write(f, event);
    assert_int_equal(shown_to(f, "ann", 2).n_shown, 0);
    event = fixture_event(f, VT_EVENT_IMPRESSION, "ann", "mug");
    event.bot = true;
    vt_clock_fake_advance_ms(&f->clock, 1);
    fixture_write(f, event);
    assert_int_equal(shown_to(f, "ann", 2).n_shown, 0);
    assert_int_equal(shown_to(f, "ann", 1).n_shown, 1);
}

static void the_newest_are_kept_as_many_as_of_the_history(void **state)
{
    struct fixture *f = *state;
    f->options.history_max = 4;
    fixture_open(f);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "pot"));
    show(f, "ann", "mug", 2);
    show(f, "ann", "cup", 3);
    assert_int_equal(shown_to(f, "ann", 2).n_shown, 1); /* one mug is forgotten */
    assert_int_equal(shown_to(f, "ann", 1).n_shown, 2);
    assert_int_equal(fixture_get(f, "ann").n_events, 1); /* what she did is not */
}

static void linked_customers_are_counted_together(void **state)
{
    struct fixture *f = *state;
    struct vt_identity ids[] = {{VT_IDENTITY_MEMBER, vt_slice(NULL, 0), vt_slice_str("ann")},
                                {VT_IDENTITY_MEMBER, vt_slice(NULL, 0), vt_slice_str("eva")}};
    struct vt_link link = {.identities = ids, .n_identities = 2, .merge_members = true};
    struct vt_link_result result;
    show(f, "ann", "mug", 2);
    show(f, "eva", "mug", 1);
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_ok(fixture_wait(f));
    assert_int_equal(shown_to(f, "ann", 3).n_shown, 1);
    assert_int_equal(shown_to(f, "eva", 3).n_shown, 1);
    assert_int_equal(history_rows(f), 1);
    struct vt_link unlink = {.identities = ids + 1, .n_identities = 1, .unlink = true};
    vt_profile_link_identities(f->profile, &f->write, &unlink, &result);
    assert_ok(fixture_wait(f));
    assert_int_equal(shown_to(f, "ann", 3).n_shown, 1);
    assert_false(shown_to(f, "eva", 1).found);
}

static void a_denial_deletes_it(void **state)
{
    struct fixture *f = *state;
    show(f, "ann", "mug", 3);
    fixture_consent(f, "ann", 2);
    assert_int_equal(history_rows(f), 0);
    show(f, "ann", "mug", 3);
    assert_int_equal(history_rows(f), 0);
    fixture_consent(f, "ann", 1);
    assert_int_equal(shown_to(f, "ann", 1).n_shown, 0);
}

static void an_erasure_deletes_it(void **state)
{
    struct fixture *f = *state;
    const struct vt_identity who = {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str("ann")};
    const struct vt_erasure erasure = {.now = true, .actor = "test"};
    struct vt_erasure_result result;
    show(f, "ann", "mug", 3);
    show(f, "bob", "mug", 3);
    assert_ok(vt_profile_erase(f->profile, &f->request, &who, &erasure, &result));
    assert_int_equal(history_rows(f), 1);
    assert_int_equal(shown_to(f, "ann", 1).n_shown, 0);
    assert_int_equal(shown_to(f, "bob", 3).n_shown, 1);
}

static void an_export_tells_it(void **state)
{
    struct fixture *f = *state;
    struct vt_export *export = NULL;
    const struct vt_identity who = {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str("ann")};
    unsigned n = 0;
    show(f, "ann", "mug", 3);
    assert_ok(vt_export_open(f->profile, &who, "a test", &f->diag, &export));
    for (bool more = true; more;) {
        struct vt_slice line;
        assert_ok(vt_export_next(export, &f->diag, &line, &more));
        if (more && memmem(line.data, line.len, "\"shown\"", 7) != NULL) {
            assert_non_null(memmem(line.data, line.len, "\"mug\"", 5));
            n++;
        }
    }
    vt_export_close(export);
    assert_int_equal(n, 3);
}

/* ---- verify, layouts ---- */

static void on_finding(void *ctx, const struct vt_verify_finding *finding)
{
    (void)snprintf(ctx, 256, "%s", finding->what);
}

static uint64_t problems(struct fixture *f, char *text)
{
    struct vt_verify_result result;
    const struct vt_verify_options options = {.found = on_finding, .ctx = text};
    text[0] = '\0';
    assert_ok(vt_profile_verify(f->profile, &options, &result));
    return result.problems;
}

static void verify_knows_the_row_and_what_may_stand_in_it(void **state)
{
    struct fixture *f = *state;
    char text[256];
    show(f, "ann", "mug", 3);
    assert_int_equal(problems(f, text), 0);
    struct vt_history_event view = {.item = 1, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 1};
    struct vt_store_batch *batch;
    struct vt__buffer value = {0};
    struct vt__key key = vt__key_shown(1);
    vt__history_pack(&view, 1, &value);
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt_store_batch_put(batch, VT__HISTORY, vt__key_slice(&key), vt__buffer_slice(&value));
    assert_ok(vt_store_write(f->profile->store, batch, NULL));
    vt_store_batch_free(batch);
    vt__buffer_fini(&value);
    assert_int_equal(problems(f, text), 1);
    assert_non_null(strstr(text, "mixed with its history"));
}

static void a_store_of_the_second_layout_is_brought_up(void **state)
{
    struct fixture *f = *state;
    struct vt__layout second = f->profile->layout;
    struct vt_store_batch *batch;
    struct vt__buffer row = {0};
    struct vt__key key = vt__key_layout();
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    second.number = 2;
    vt__layout_encode(&second, &row);
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt_store_batch_put(batch, VT__STATE, vt__key_slice(&key), vt__buffer_slice(&row));
    assert_ok(vt_store_write(f->profile->store, batch, NULL));
    vt_store_batch_free(batch);
    vt__buffer_fini(&row);
    fixture_open(f);
    assert_int_equal(f->profile->layout.number, VT__LAYOUT);
    assert_memory_equal(f->profile->layout.store_id, second.store_id, sizeof second.store_id);
    assert_int_equal(fixture_get(f, "ann").n_events, 1);
    show(f, "ann", "mug", 1);
    assert_int_equal(shown_to(f, "ann", 1).n_shown, 1);
}

static void either_key_of_a_history_is_told_from_others(void **state)
{
    (void)state;
    uint64_t customer = 0;
    bool shown = true;
    struct vt__key history = vt__key_customer(7), key = vt__key_shown(8);
    assert_true(vt__parse_history(vt__key_slice(&history), &customer, &shown));
    assert_true(customer == 7 && !shown);
    assert_true(vt__parse_history(vt__key_slice(&key), &customer, &shown));
    assert_true(customer == 8 && shown);
    key.bytes[8] = 'T';
    assert_false(vt__parse_history(vt__key_slice(&key), &customer, &shown));
    assert_false(vt__parse_history(vt_slice(key.bytes, 7), &customer, &shown));
    key = vt__key_shown(8);
    key.bytes[key.len++] = 0;
    assert_false(vt__parse_history(vt__key_slice(&key), &customer, &shown));
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_equals_the_naive_count),
        cmocka_unit_test(either_key_of_a_history_is_told_from_others),
        CASE(what_was_shown_often_is_told_of_that_customer_alone),
        CASE(the_window_ends_to_the_millisecond),
        CASE(a_repeated_event_and_a_bot_count_nothing),
        CASE(the_newest_are_kept_as_many_as_of_the_history),
        CASE(linked_customers_are_counted_together),
        CASE(a_denial_deletes_it),
        CASE(an_erasure_deletes_it),
        CASE(an_export_tells_it),
        CASE(verify_knows_the_row_and_what_may_stand_in_it),
        CASE(a_store_of_the_second_layout_is_brought_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
