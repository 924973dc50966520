#include "services/profile/event_block.h"
#include "services/profile/profile_internal.h"
#include "tests/unit/profile/fixture.h"

/* What is kept, and what is used, of people who have not consented or no longer do. */

enum { GRANTED = 1, DENIED = 2 };

static void open_with_default(struct fixture *f, bool consent)
{
    f->options.consent_default = consent;
    fixture_open(f);
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

/* The last row of the log. The query and the token are borrowed from the fixture's arena. */
static struct vt__log_row last_row(struct fixture *f)
{
    struct vt_store_iter *rows = NULL;
    struct vt_slice all = vt_slice(NULL, 0);
    struct vt__block block = {0};
    struct vt__log_row row = {0};
    bool more = true;
    assert_ok(vt_store_iter_open(f->profile->store, VT__EVENTS, all, all, &rows));
    for (;;) {
        assert_ok(vt_store_iter_next(rows, NULL, &more));
        if (!more)
            break;
        vt__block_fini(&block);
        assert_ok(vt__block_open(vt_store_iter_value(rows), &block));
    }
    vt_store_iter_close(rows);
    while (block.row < block.n_rows)
        assert_ok(vt__block_next(&block, &row, &more));
    row.token = vt_arena_copy(&f->arena, row.token);
    vt__block_fini(&block);
    return row;
}

static struct vt_event with_token(struct fixture *f, const char *customer)
{
    struct vt_event event = fixture_event(f, VT_EVENT_PURCHASE, customer, "mug");
    event.attribution_token = vt_slice_str("token of an answer");
    return event;
}

static void somebody_unknown_leaves_no_trace_where_silence_is_no(void **state)
{
    static const enum vt__family persons[] = {VT__IDENTITY, VT__PROFILE,         VT__HISTORY,
                                              VT__ALIAS,    VT__CUSTOMER_EVENTS, VT__CUSTOMER_IDS};
    struct fixture *f = *state;
    open_with_default(f, false);
    struct vt_event event = with_token(f, "");
    event.visitor_id = vt_slice_str("cookie");
    assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_ACCEPTED);
    assert_int_equal(fixture_write(f, with_token(f, "ann")).outcome, VT_EVENT_ACCEPTED);
    for (size_t i = 0; i < sizeof persons / sizeof persons[0]; i++)
        assert_int_equal(count_rows(f, persons[i]), 0);
    struct vt__log_row row = last_row(f);
    assert_int_equal(row.customer, 0);
    assert_int_equal(row.token.len, 0);
    assert_int_equal(fixture_n_learned(f), 0);
    assert_false(fixture_get(f, "ann").found);
    assert_false(fixture_get(f, "ann").consent);
}

static void a_refusal_keeps_neither_number_nor_token_nor_history(void **state)
{
    struct fixture *f = *state;
    fixture_consent(f, "ann", DENIED);
    fixture_write(f, with_token(f, "ann"));
    struct vt__log_row row = last_row(f);
    assert_int_equal(row.customer, 0);
    assert_int_equal(row.token.len, 0);
    assert_int_equal(count_rows(f, VT__HISTORY), 0);
    assert_int_equal(count_rows(f, VT__CUSTOMER_EVENTS), 0);
    assert_int_equal(fixture_n_learned(f), 0);
}

static void consent_keeps_number_and_token(void **state)
{
    struct fixture *f = *state;
    open_with_default(f, false);
    fixture_consent(f, "ann", GRANTED);
    fixture_write(f, with_token(f, "ann"));
    struct vt__log_row row = last_row(f);
    assert_int_equal(row.customer, fixture_get(f, "ann").customer_number);
    assert_true(row.token.len > 0);
    assert_int_equal(fixture_get(f, "ann").n_events, 1);
    assert_int_equal(fixture_n_learned(f), 1);
}

static void withdrawing_forgets_at_once_and_nobody_learns_any_more(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, with_token(f, "ann"));
    fixture_write(f, with_token(f, "bob"));
    assert_int_equal(fixture_n_learned(f), 2);
    fixture_consent(f, "ann", DENIED);
    assert_int_equal(fixture_get(f, "ann").n_events, 0);
    assert_int_equal(count_rows(f, VT__HISTORY), 1);
    assert_int_equal(fixture_n_learned(f), 1);
    fixture_write(f, with_token(f, "ann"));
    assert_int_equal(fixture_n_learned(f), 1);
}

static void granting_again_starts_empty(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, with_token(f, "ann"));
    fixture_consent(f, "ann", DENIED);
    fixture_write(f, with_token(f, "ann"));
    fixture_consent(f, "ann", GRANTED);
    assert_int_equal(fixture_get(f, "ann").n_events, 0);
    assert_int_equal(fixture_n_learned(f), 0); /* what came before stays out */
    fixture_write(f, with_token(f, "ann"));
    fixture_open(f);
    assert_int_equal(fixture_get(f, "ann").n_events, 1);
    assert_int_equal(fixture_n_learned(f), 1);
}

static void attributes_change_without_ending_consent(void **state)
{
    struct fixture *f = *state;
    struct vt_attribute attribute = {vt_slice_str("city"), vt_slice_str("Ulm")};
    struct vt_customer ann = {
        .id = vt_slice_str("ann"), .consent = GRANTED, .attributes = &attribute, .n_attributes = 1};
    struct vt_upsert_result result;
    fixture_write(f, with_token(f, "ann"));
    vt_profile_upsert_customers(f->profile, &f->write, &ann, 1, &result);
    assert_ok(fixture_wait(f));
    assert_int_equal(fixture_n_learned(f), 1);
    assert_int_equal(fixture_get(f, "ann").n_events, 1);
}

static void refusing_holds_for_every_id_of_the_person(void **state)
{
    struct fixture *f = *state;
    const struct vt_identity ids[] = {
        {.type = VT_IDENTITY_MEMBER, .id = vt_slice_str("ann")},
        {.type = VT_IDENTITY_VISITOR, .id = vt_slice_str("cookie")},
    };
    struct vt_link link = {.identities = ids, .n_identities = 2};
    struct vt_link_result result;
    struct vt_event event = with_token(f, "");
    event.visitor_id = vt_slice_str("cookie");
    fixture_write(f, event);
    fixture_write(f, with_token(f, "ann"));
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_ok(fixture_wait(f));
    event.event_id = vt_slice_str("another"); /* the writer now knows the cookie */
    fixture_write(f, event);
    assert_int_equal(fixture_n_learned(f), 3);
    fixture_consent(f, "ann", DENIED);
    event.event_id = vt_slice_str("a third");
    fixture_write(f, event);
    struct vt__log_row row = last_row(f);
    assert_int_equal(row.customer, 0);
    assert_int_equal(count_rows(f, VT__HISTORY), 0);
    assert_int_equal(fixture_n_learned(f), 0); /* rows under the merged number too */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(somebody_unknown_leaves_no_trace_where_silence_is_no),
        TEST(a_refusal_keeps_neither_number_nor_token_nor_history),
        TEST(consent_keeps_number_and_token),
        TEST(withdrawing_forgets_at_once_and_nobody_learns_any_more),
        TEST(granting_again_starts_empty),
        TEST(attributes_change_without_ending_consent),
        TEST(refusing_holds_for_every_id_of_the_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
