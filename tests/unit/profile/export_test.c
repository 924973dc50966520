/* ExportCustomer through the domain: what is told is what was written, no less and of nobody else.
 */
#include "services/profile/audit.h"
#include "services/profile/erase.h"
#include "services/profile/export.h"
#include "tests/unit/profile/fixture.h"

#include <jansson.h>

static const unsigned char audit_key[VT_AUDIT_KEY_BYTES] = "a key for tests";

static int setup(void **state)
{
    assert_int_equal(fixture_setup(state), 0);
    struct fixture *f = *state;
    f->options.audit_key = audit_key;
    fixture_open(f);
    return 0;
}

static struct vt_identity id_of(const char *text)
{
    struct vt_identity identity = {.type = VT_IDENTITY_UNSPECIFIED};
    assert_true(vt_identity_parse(vt_slice_str(text), &identity));
    return identity;
}

static struct vt_export *begin(struct fixture *f, const char *who)
{
    struct vt_export *export = NULL;
    struct vt_identity identity = id_of(who);
    assert_ok(vt_export_open(f->profile, &identity, "a test", &f->diag, &export));
    return export;
}

/* All lines as a JSON list; each must be JSON by itself. */
static json_t *export_of(struct fixture *f, const char *who)
{
    struct vt_export *export = begin(f, who);
    json_t *lines = json_array();
    for (bool more = true; more;) {
        struct vt_slice line;
        assert_ok(vt_export_next(export, &f->diag, &line, &more));
        if (more)
            json_array_append_new(lines, json_loadb(line.data, line.len, 0, NULL));
    }
    vt_export_close(export);
    return lines;
}

static const char *text_of(const json_t *line, const char *field)
{
    const char *text = json_string_value(json_object_get(line, field));
    return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *line, const char *field)
{
    return json_integer_value(json_object_get(line, field));
}

/* The n-th line of a record; NULL behind the last. */
static const json_t *line_of(const json_t *lines, const char *record, size_t n)
{
    size_t i;
    const json_t *line;
    json_array_foreach(lines, i, line)
    {
        assert_non_null(line);
        if (strcmp(text_of(line, "record"), record) == 0 && n-- == 0)
            return line;
    }
    return NULL;
}

static size_t count_of(const json_t *lines, const char *record)
{
    size_t n = 0;
    while (line_of(lines, record, n) != NULL)
        n++;
    return n;
}

static void link_ids(struct fixture *f, const char *a, const char *b)
{
    struct vt_identity both[] = {id_of(a), id_of(b)};
    struct vt_link link = {.identities = both, .n_identities = 2};
    struct vt_link_result result;
    vt_profile_link_identities(f->profile, &f->write, &link, &result);
    assert_ok(fixture_wait(f));
}

static uint64_t write_as(struct fixture *f, const char *who, struct vt_event event)
{
    event.customer_id = vt_slice(NULL, 0);
    event.identity = id_of(who);
    return fixture_write(f, event).sequence;
}

static void says_who_somebody_is(void **state)
{
    struct fixture *f = *state;
    struct vt_attribute attributes[] = {{vt_slice_str("city"), vt_slice_str("Gent \"Ghent\"")},
                                        {vt_slice_str("size"), vt_slice_str("M")}};
    struct vt_customer customer = {
        .id = vt_slice_str("ann"), .consent = 1, .attributes = attributes, .n_attributes = 2};
    struct vt_upsert_result upserted;
    vt_profile_upsert_customers(f->profile, &f->write, &customer, 1, &upserted);
    assert_ok(fixture_wait(f));
    link_ids(f, "member:ann", "loyalty_card:4711@pos");
    json_t *lines = export_of(f, "loyalty_card:4711@pos");

    const json_t *told = line_of(lines, "customer", 0);
    assert_string_equal(text_of(told, "id"), "ann");
    assert_string_equal(text_of(told, "type"), "member");
    assert_string_equal(text_of(told, "consent"), "granted");
    assert_string_equal(text_of(told, "first_seen"), "2025-06-15T15:06:40.000Z");
    const json_t *list = json_object_get(told, "attributes");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_of(json_array_get(list, 0), "key"), "city");
    assert_string_equal(text_of(json_array_get(list, 0), "value"), "Gent \"Ghent\"");

    assert_int_equal(count_of(lines, "identity"), 2);
    const json_t *card = line_of(lines, "identity", 1);
    assert_string_equal(text_of(card, "type"), "loyalty_card");
    assert_string_equal(text_of(card, "id"), "4711");
    assert_string_equal(text_of(card, "channel"), "pos");
    assert_string_equal(text_of(card, "linked"), "2025-06-15T15:06:40.000Z");
    json_decref(lines);
}

static void tells_every_field_of_an_event(void **state)
{
    struct fixture *f = *state;
    struct vt_event event = fixture_event(f, VT_EVENT_PURCHASE, "ann", "mug");
    event.channel = vt_slice_str("pos");
    event.quantity = 2;
    event.revenue = 39.98;
    event.cost = 11.1;
    event.currency_code = vt_slice_str("EUR");
    event.query = vt_slice_str("blue mug");
    event.attribution_token = vt_slice_str("token-of-the-answer");
    uint64_t sequence = fixture_write(f, event).sequence;
    json_t *lines = export_of(f, "member:ann");

    const json_t *told = line_of(lines, "event", 0);
    assert_int_equal(number_of(told, "sequence"), sequence);
    assert_string_equal(text_of(told, "time"), "2025-06-15T15:06:40.000Z");
    assert_string_equal(text_of(told, "type"), "purchase");
    assert_string_equal(text_of(told, "item_id"), "mug");
    assert_string_equal(text_of(told, "channel"), "pos");
    assert_string_equal(text_of(told, "currency"), "EUR");
    assert_string_equal(text_of(told, "query"), "blue mug");
    assert_string_equal(text_of(told, "attribution_token"), "token-of-the-answer");
    assert_true(json_real_value(json_object_get(told, "revenue")) == 39.98);
    assert_true(json_real_value(json_object_get(told, "quantity")) == 2);
    assert_int_equal(count_of(lines, "history"), 1);
    assert_string_equal(text_of(line_of(lines, "history", 0), "item_id"), "mug");
    json_decref(lines);
}

static void ends_with_the_number_of_lines(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    json_t *lines = export_of(f, "member:ann");
    size_t n = json_array_size(lines);
    assert_string_equal(text_of(json_array_get(lines, 0), "record"), "export");
    const json_t *end = json_array_get(lines, n - 1);
    assert_string_equal(text_of(end, "record"), "end");
    assert_int_equal(number_of(end, "lines"), n - 1);
    json_decref(lines);
}

enum { PERSONS = 4, EVENTS = 3000, BATCH = 100 };

/* What was written, by person. */
struct written {
    uint64_t sequences[EVENTS];
    unsigned n;
};

/* One batch of events of everybody, in one or several log blocks. */
static void write_batch(struct fixture *f, unsigned *seed, struct written *written)
{
    struct vt_event events[BATCH];
    struct vt_event_result results[BATCH];
    unsigned who[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        who[i] = (unsigned)rand_r(seed) % PERSONS;
        events[i] = fixture_event(f, VT_EVENT_VIEW, "", "");
        events[i].time_ms -= EVENTS - f->n_ids; /* no two at the same time */
        events[i].visitor_id = vt_arena_printf(&f->arena, "visitor-%u", who[i]);
        events[i].item_id = vt_arena_printf(&f->arena, "item-%u", (unsigned)rand_r(seed) % 50);
        events[i].query = vt_arena_printf(&f->arena, "words of visitor-%u %0*d", who[i],
                                          (int)((unsigned)rand_r(seed) % 400), 7);
    }
    vt_profile_write_events(f->profile, &f->write, events, BATCH, results);
    assert_ok(fixture_wait(f));
    for (unsigned i = 0; i < BATCH; i++)
        written[who[i]].sequences[written[who[i]].n++] = results[i].sequence;
}

static void assert_all_told(const json_t *lines, const struct written *written, const char *words)
{
    for (unsigned i = 0; i < written->n; i++) {
        const json_t *line = json_array_get(lines, i);
        assert_int_equal(number_of(line, "sequence"), written->sequences[i]);
        assert_int_equal(strncmp(text_of(line, "query"), words, strlen(words)), 0);
    }
}

/* Only the lines of a record, in their order. */
static json_t *only(const json_t *lines, const char *record)
{
    json_t *kept = json_array();
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) if (strcmp(text_of(line, "record"), record) == 0)
        json_array_append(kept, line);
    return kept;
}

static void tells_the_whole_log_of_one_and_nothing_of_others(void **state)
{
    struct fixture *f = *state;
    struct written *written = calloc(PERSONS, sizeof *written);
    unsigned seed = 7;
    for (unsigned i = 0; i < EVENTS / BATCH; i++) {
        if (i % 10 == 9) { /* several days, and tables beside the memtable */
            vt_clock_fake_advance_ms(&f->clock, FIXTURE_DAY_MS);
            fixture_open(f);
        }
        vt_arena_reset(&f->arena);
        write_batch(f, &seed, written);
    }
    for (unsigned who = 0; who < PERSONS; who++) {
        char name[32], words[64];
        snprintf(name, sizeof name, "visitor:visitor-%u", who);
        snprintf(words, sizeof words, "words of visitor-%u ", who);
        json_t *lines = export_of(f, name), *events = only(lines, "event");
        assert_int_equal(json_array_size(events), written[who].n);
        assert_all_told(events, &written[who], words);
        assert_int_equal(count_of(lines, "history"), VT_HISTORY_MAX);
        json_decref(events);
        json_decref(lines);
    }
    free(written);
}

static void tells_what_merged_customers_brought(void **state)
{
    struct fixture *f = *state;
    write_as(f, "visitor:v1", fixture_event(f, VT_EVENT_VIEW, "", "cup"));
    write_as(f, "device:d1", fixture_event(f, VT_EVENT_VIEW, "", "pot"));
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    link_ids(f, "visitor:v1", "member:ann");
    link_ids(f, "device:d1", "member:ann");
    json_t *lines = export_of(f, "member:ann");
    assert_int_equal(count_of(lines, "merged_customer"), 2);
    assert_int_equal(count_of(lines, "identity"), 3);
    assert_int_equal(count_of(lines, "event"), 3);
    assert_int_equal(number_of(line_of(lines, "event", 0), "customer_number"), 3);
    assert_string_equal(text_of(line_of(lines, "event", 1), "item_id"), "cup");
    assert_string_equal(text_of(line_of(lines, "event", 2), "item_id"), "pot");
    json_decref(lines);
}

static void a_denial_leaves_the_log_to_tell(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    fixture_consent(f, "ann", 2);
    json_t *lines = export_of(f, "member:ann");
    assert_string_equal(text_of(line_of(lines, "customer", 0), "consent"), "denied");
    assert_int_equal(count_of(lines, "history"), 0);
    assert_int_equal(count_of(lines, "event"), 1);
    json_decref(lines);
}

static void every_export_is_audited_and_told_in_the_next(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    for (unsigned i = 1; i <= 70; i++) { /* more than one pass over the audit log tells */
        json_t *lines = export_of(f, "member:ann");
        assert_int_equal(count_of(lines, "audit"), i);
        const json_t *last = line_of(lines, "audit", i - 1);
        assert_int_equal(number_of(last, "number"), i);
        assert_string_equal(text_of(last, "action"), "export");
        assert_string_equal(text_of(last, "actor"), "a test");
        assert_int_equal(atoi(text_of(line_of(lines, "export", 0), "receipt")), i);
        json_decref(lines);
    }
}

static void nobody_is_not_found_and_not_audited(void **state)
{
    struct fixture *f = *state;
    struct vt_export *export = NULL;
    struct vt_identity nobody = id_of("member:ann"), elsewhere = id_of("member:ann@moon");
    assert_code(vt_export_open(f->profile, &nobody, "a test", &f->diag, &export), VT_NOT_FOUND);
    assert_code(vt_export_open(f->profile, &elsewhere, "a test", &f->diag, &export), VT_NOT_FOUND);
    nobody.id = vt_slice(NULL, 0);
    assert_code(vt_export_open(f->profile, &nobody, "a test", &f->diag, &export), VT_INVALID);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    json_t *lines = export_of(f, "member:ann");
    assert_int_equal(count_of(lines, "audit"), 1);
    json_decref(lines);
}

static void an_erasure_ends_a_running_export(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    struct vt_export *export = begin(f, "member:ann");
    struct vt_slice line;
    bool more = false;
    assert_ok(vt_export_next(export, &f->diag, &line, &more));
    assert_true(more);
    struct vt_identity who = id_of("member:ann");
    const struct vt_erasure erasure = {.now = true, .actor = "a test"};
    struct vt_erasure_result erased;
    assert_ok(vt_profile_erase(f->profile, &f->request, &who, &erasure, &erased));
    assert_true(erased.done); /* the export held nothing back */
    assert_code(vt_export_next(export, &f->diag, &line, &more), VT_UNAVAILABLE);
    vt_export_close(export);
    assert_code(vt_export_open(f->profile, &who, "a test", &f->diag, &export), VT_NOT_FOUND);
}

static void a_store_without_the_key_exports_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    f->options.audit_key = NULL;
    fixture_open(f);
    struct vt_export *export = NULL;
    struct vt_identity who = id_of("member:ann");
    assert_code(vt_export_open(f->profile, &who, "a test", &f->diag, &export), VT_PRECONDITION);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(says_who_somebody_is),
        CASE(tells_every_field_of_an_event),
        CASE(ends_with_the_number_of_lines),
        CASE(tells_the_whole_log_of_one_and_nothing_of_others),
        CASE(tells_what_merged_customers_brought),
        CASE(a_denial_leaves_the_log_to_tell),
        CASE(every_export_is_audited_and_told_in_the_next),
        CASE(nobody_is_not_found_and_not_audited),
        CASE(an_erasure_ends_a_running_export),
        CASE(a_store_without_the_key_exports_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
