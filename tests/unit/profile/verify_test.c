#include "services/profile/event_block.h"
#include "services/profile/history.h"
#include "services/profile/profile_internal.h"
#include "services/profile/verify.h"
#include "tests/unit/profile/fixture.h"

/* Every kind of damage that verify speaks of is planted once, and told by family and number. */

struct findings {
    char text[16384];
    unsigned n;
};

static void on_finding(void *ctx, const struct vt_verify_finding *finding)
{
    struct findings *findings = ctx;
    size_t len = strlen(findings->text);
    snprintf(findings->text + len, sizeof findings->text - len, "%s: %s\n", finding->check,
             finding->what);
    assert_true(strlen(finding->todo) > 0);
    findings->n++;
}

static struct vt_verify_result verify(struct fixture *f, struct findings *ret_findings)
{
    struct vt_verify_result result;
    *ret_findings = (struct findings){0};
    const struct vt_verify_options options = {.found = on_finding, .ctx = ret_findings};
    assert_ok(vt_profile_verify(f->profile, &options, &result));
    return result;
}

/* Two customers, one of them linked out of two, three items, a deleted one among them. */
static void fill(struct fixture *f)
{
    struct vt_item item = {.id = vt_slice_str("SKU-9"), .stock = 1};
    struct vt_upsert_result upserted;
    struct vt_delete_result deleted = {.missing = &(bool){false}};
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ana", "SKU-1"));
    fixture_write(f, fixture_event(f, VT_EVENT_PURCHASE, "ana", "SKU-2"));
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ben", "SKU-1"));
    vt_profile_upsert_items(f->profile, &f->write, &item, 1, 0, &upserted);
    assert_ok(fixture_wait(f));
    vt_profile_delete_items(f->profile, &f->write, &item.id, 1, &deleted);
    assert_ok(fixture_wait(f));
    fixture_consent(f, "ben", 2);
}

static int setup(void **state)
{
    fixture_setup(state);
    fill(*state);
    return 0;
}

/* A value made of numbers, by the encoders' own tools. */
static struct vt__buffer value;

static void plant(struct fixture *f, enum vt__family family, struct vt__key key)
{
    struct vt_store_batch *batch;
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt_store_batch_put(batch, family, vt__key_slice(&key), vt__buffer_slice(&value));
    assert_ok(vt_store_write(f->profile->store, batch, NULL));
    vt_store_batch_free(batch);
    vt__buffer_fini(&value);
}

static void uproot(struct fixture *f, enum vt__family family, struct vt__key key)
{
    struct vt_store_batch *batch;
    assert_ok(vt_store_batch_new(f->profile->store, &batch));
    vt_store_batch_delete(batch, family, vt__key_slice(&key));
    assert_ok(vt_store_write(f->profile->store, batch, NULL));
    vt_store_batch_free(batch);
}

static void assert_told(struct fixture *f, const char *expected)
{
    static struct findings findings;
    struct vt_verify_result result = verify(f, &findings);
    if (strstr(findings.text, expected) == NULL)
        fail_msg("no finding \"%s\" among:\n%s", expected, findings.text);
    assert_true(result.problems > 0);
}

static struct vt__key key_of_text(const char *text)
{
    struct vt__key key = {.len = (uint16_t)strlen(text)};
    memcpy(key.bytes, text, key.len);
    return key;
}

static const struct vt__identity ana = {VT_IDENTITY_MEMBER, 0, {"ana", 3}};
static const struct vt__identity eve = {VT_IDENTITY_MEMBER, 0, {"eve", 3}};

static void a_store_of_our_own_is_whole(void **state)
{
    struct findings findings;
    struct vt_verify_result result = verify(*state, &findings);
    assert_string_equal(findings.text, "");
    assert_int_equal(result.problems, 0);
    assert_int_equal(result.sequence, vt_profile_sequence(((struct fixture *)*state)->profile));
    assert_int_equal(result.n_checks, VT__FAMILY_COUNT); /* no pair had to be looked up */
}

static void linked_customers_are_whole_too(void **state)
{
    struct fixture *f = *state;
    struct vt_identity ids[] = {{VT_IDENTITY_MEMBER, vt_slice(NULL, 0), vt_slice_str("ana")},
                                {VT_IDENTITY_MEMBER, vt_slice(NULL, 0), vt_slice_str("cleo")}};
    struct vt_link link = {.identities = ids, .n_identities = 2, .merge_members = true};
    struct vt_link_result result;
    struct findings findings;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "cleo", "SKU-2"));
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_ok(fixture_wait(f));
    verify(f, &findings);
    assert_string_equal(findings.text, "");
}

static void a_store_below_its_mark_is_told(void **state)
{
    struct fixture *f = *state;
    struct findings findings = {0};
    struct vt_verify_result result;
    const struct vt_verify_options options = {
        .acknowledged = 1000, .found = on_finding, .ctx = &findings};
    assert_ok(vt_profile_verify(f->profile, &options, &result));
    assert_non_null(strstr(findings.text, "acknowledged up to 1000"));
}

static void malformed_keys_are_told_in_every_family(void **state)
{
    static const enum vt__family families[] = {
        VT__NAMES, VT__IDENTITY, VT__PROFILE, VT__HISTORY, VT__CUSTOMER_IDS, VT__CUSTOMER_EVENTS,
        VT__ALIAS, VT__EVENTS,   VT__SEEN,    VT__ITEMS,   VT__CHANGES,      VT__COUNTERS};
    struct fixture *f = *state;
    struct vt__key key = {.bytes = {0}, .len = 2};
    struct findings findings;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        vt__put_u8(&value, VT__RECORD_FORMAT);
        plant(f, families[i], key);
    }
    verify(f, &findings);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        char expected[96];
        snprintf(expected, sizeof expected, "%s: row 1: the key is malformed",
                 f->profile->families[families[i]].name);
        if (strstr(findings.text, expected) == NULL)
            fail_msg("no \"%s\" among:\n%s", expected, findings.text);
    }
}

static void a_value_of_an_unknown_format_is_told(void **state)
{
    struct fixture *f = *state;
    vt__put_u8(&value, 9);
    plant(f, VT__PROFILE, vt__key_customer(1));
    assert_told(f, "profile: customer 1: the value is malformed");
}

static void a_history_of_an_unknown_item_is_told(void **state)
{
    struct fixture *f = *state;
    struct vt_history_event event = {.item = 999, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 1};
    vt__history_pack(&event, 1, &value);
    plant(f, VT__HISTORY, vt__key_customer(1));
    assert_told(f, "history: the history of customer 1 names item 999");
}

static void a_history_out_of_order_is_told(void **state)
{
    struct fixture *f = *state;
    struct vt_history_event events[] = {{.item = 1, .type = 1, .value = 1, .time_ms = 1},
                                        {.item = 1, .type = 1, .value = 1, .time_ms = 2}};
    vt__history_pack(events, 2, &value);
    plant(f, VT__HISTORY, vt__key_customer(1));
    assert_told(f, "history of customer 1 is not in order");
}

static void a_history_without_consent_is_told(void **state)
{
    struct fixture *f = *state;
    struct vt_history_event event = {.item = 1, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 1};
    vt__history_pack(&event, 1, &value);
    plant(f, VT__HISTORY, vt__key_customer(2));
    assert_told(f, "customer 2 denied consent and still has a history");
}

static void a_history_of_nobody_is_told(void **state)
{
    struct fixture *f = *state;
    vt__history_pack(NULL, 0, &value);
    plant(f, VT__HISTORY, vt__key_customer(77));
    assert_told(f, "history: a history is of customer 77, who has no record");
}

static void identities_are_compared_both_ways(void **state)
{
    struct fixture *f = *state;
    uproot(f, VT__CUSTOMER_IDS, vt__key_customer_id(1, &ana));
    assert_told(f, "an identity leads to customer 1, and is not listed there");
    vt__number_encode(1, &value);
    plant(f, VT__CUSTOMER_IDS, vt__key_customer_id(1, &ana));
    vt__number_encode(1, &value);
    plant(f, VT__CUSTOMER_IDS, vt__key_customer_id(1, &eve));
    assert_told(f, "an id is listed of customer 1, and does not lead there");
}

static void an_identity_of_nobody_is_told_without_the_id(void **state)
{
    struct fixture *f = *state;
    struct findings findings;
    vt__number_encode(55, &value);
    plant(f, VT__IDENTITY, vt__key_identity(&eve));
    assert_told(f, "an identity leads to customer 55, who has no record");
    verify(f, &findings);
    assert_null(strstr(findings.text, "eve"));
}

static void items_are_compared_both_ways(void **state)
{
    struct fixture *f = *state;
    uproot(f, VT__ITEM_IDS, key_of_text("SKU-1"));
    assert_told(f, "the SKU of item 1 does not lead back to it");
    vt__number_encode(2, &value);
    plant(f, VT__ITEM_IDS, key_of_text("SKU-1"));
    assert_told(f, "a SKU leads to item 2, which has another");
}

static void aliases_are_compared_both_ways(void **state)
{
    struct fixture *f = *state;
    vt__number_encode(1, &value);
    plant(f, VT__ALIAS, vt__key_customer(2));
    assert_told(f, "customer 2 became part of 1, which does not know it");
    assert_told(f, "customer 2 has a record and was merged");
    uproot(f, VT__ALIAS, vt__key_customer(2));
    vt__number_encode(1, &value);
    plant(f, VT__ALIAS, vt__key_merged(1, 2));
    assert_told(f, "customer 1 lists 2 as part of it, which does not lead there");
}

static uint32_t today(const struct fixture *f)
{
    return f->profile->state.day;
}

/* Sequences of fill(): event 1, change 2 (SKU-1), event 3, change 4 (SKU-2), event 5 … */
static void a_lost_log_block_is_told(void **state)
{
    struct fixture *f = *state;
    uproot(f, VT__EVENTS, vt__key_block(today(f), 3));
    assert_told(f, "seen: event 3 was accepted and is not in the log");
    assert_told(f, "the block of sequence 3 is listed of customer 1, who is not in it");
}

static void a_block_that_no_list_has_is_told(void **state)
{
    struct fixture *f = *state;
    uproot(f, VT__CUSTOMER_EVENTS, vt__key_customer_day(1, today(f)));
    assert_told(f, "customer 1 is in the block of sequence 1, which is not listed");
}

/* Ben as he is when he has expired: what the log recorded stays, and nothing leads to it. */
static void forget_ben(struct fixture *f)
{
    static const struct vt__identity ben = {VT_IDENTITY_MEMBER, 0, {"ben", 3}};
    uproot(f, VT__PROFILE, vt__key_customer(2));
    uproot(f, VT__HISTORY, vt__key_customer(2));
    uproot(f, VT__IDENTITY, vt__key_identity(&ben));
    uproot(f, VT__CUSTOMER_IDS, vt__key_customer_id(2, &ben));
}

static void log_rows_of_somebody_who_expired_are_whole(void **state)
{
    struct fixture *f = *state;
    struct findings findings;
    forget_ben(f);
    verify(f, &findings);
    assert_string_equal(findings.text, "");
    uproot(f, VT__CUSTOMER_EVENTS, vt__key_customer_day(2, today(f)));
    verify(f, &findings);
    assert_string_equal(findings.text, "");
}

static void a_list_of_somebody_who_never_was_is_told(void **state)
{
    struct fixture *f = *state;
    vt__block_list_encode(1, &value);
    plant(f, VT__CUSTOMER_EVENTS, vt__key_customer_day(4000, today(f)));
    assert_told(f, "events are listed of customer 4000, never given");
}

static void put_block(struct fixture *f, uint64_t first, const struct vt__log_row *rows, uint32_t n)
{
    vt__block_encode(rows, n, &value);
    plant(f, VT__EVENTS, vt__key_block(today(f), first));
}

static void log_blocks_that_overlap_or_run_ahead_are_told(void **state)
{
    struct fixture *f = *state;
    struct vt__log_row rows[3] = {0};
    put_block(f, 1, rows, 3);
    assert_told(f, "the block of sequence 3 begins within the one before, up to 3");
    put_block(f, 1000, rows, 3);
    assert_told(f, "the block of sequence 1000 ends at 1002, behind the store's");
}

static void log_rows_with_wrong_references_are_told(void **state)
{
    struct fixture *f = *state;
    struct vt__log_row row = {.event = {.item = 500, .type = VT_EVENT_VIEW, .channel = 600},
                              .customer = 700};
    put_block(f, 1, &row, 1);
    assert_told(f, "events: event 1 names item 500");
    assert_told(f, "events: event 1 names channel 600");
    assert_told(f, "events: event 1 is of customer 700");
    row.event.type = 0;
    put_block(f, 1, &row, 1);
    assert_told(f, "event 1 is erased and still says something");
}

static void changes_seen_and_counters_with_wrong_references_are_told(void **state)
{
    struct fixture *f = *state;
    vt__change_encode(&(struct vt__change_record){VT_CHANGE_UPSERT, 800}, &value);
    plant(f, VT__CHANGES, vt__key_change(5000));
    assert_told(f, "change 5000 is behind the store's last sequence");
    assert_told(f, "change 5000 names item 800");
    vt__seen_encode(&(struct vt__seen){.sequence = 6000, .time_ms = FIXTURE_NOW_MS}, &value);
    plant(f, VT__SEEN, vt__key_seen(vt_slice_str("x")));
    assert_told(f, "an id was accepted as event 6000, never written");
    vt__counter_encode(1, &value);
    plant(f, VT__COUNTERS, vt__key_counter(VT__METRIC_ITEM_WEIGHT, 900, 0));
    assert_told(f, "names item 900");
}

static void names_that_repeat_a_number_are_told(void **state)
{
    struct fixture *f = *state;
    vt__number_encode(1, &value);
    plant(f, VT__NAMES, vt__key_name(VT__NAME_CHANNEL, vt_slice_str("zzz")));
    assert_told(f, "channel 1 is named twice or was never given");
}

static void many_findings_of_one_check_are_counted_and_few_are_told(void **state)
{
    struct fixture *f = *state;
    struct findings findings;
    for (uint32_t i = 0; i < VT_VERIFY_TOLD_MAX + 5; i++) {
        vt__number_encode(100 + i, &value);
        plant(f, VT__ITEM_IDS, vt__key_item(i));
    }
    struct vt_verify_result result = verify(f, &findings);
    uint64_t told = 0;
    for (uint32_t i = 0; i < result.n_checks; i++)
        if (strcmp(result.checks[i].name, "item_ids") == 0)
            told = result.checks[i].problems;
    assert_int_equal(told, VT_VERIFY_TOLD_MAX + 5);
    assert_int_equal(findings.n, 2 * VT_VERIFY_TOLD_MAX); /* the pair's lookups tell as many */
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_store_of_our_own_is_whole),
        CASE(linked_customers_are_whole_too),
        CASE(a_store_below_its_mark_is_told),
        CASE(malformed_keys_are_told_in_every_family),
        CASE(a_value_of_an_unknown_format_is_told),
        CASE(a_history_of_an_unknown_item_is_told),
        CASE(a_history_out_of_order_is_told),
        CASE(a_history_without_consent_is_told),
        CASE(a_history_of_nobody_is_told),
        CASE(identities_are_compared_both_ways),
        CASE(an_identity_of_nobody_is_told_without_the_id),
        CASE(items_are_compared_both_ways),
        CASE(aliases_are_compared_both_ways),
        CASE(a_lost_log_block_is_told),
        CASE(a_block_that_no_list_has_is_told),
        CASE(log_rows_of_somebody_who_expired_are_whole),
        CASE(a_list_of_somebody_who_never_was_is_told),
        CASE(log_blocks_that_overlap_or_run_ahead_are_told),
        CASE(log_rows_with_wrong_references_are_told),
        CASE(changes_seen_and_counters_with_wrong_references_are_told),
        CASE(names_that_repeat_a_number_are_told),
        CASE(many_findings_of_one_check_are_counted_and_few_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
