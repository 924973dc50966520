/*
 * The importer from outside: files in a folder, a sink that counts, and what the result says. Each
 * rule is provoked by the smallest file that does it.
 */
#include "services/common/base/time_text.h"
#include "services/ingest/ingest.h"
#include "services/ingest/rules.h"
#include "services/ingest/times.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS INT64_C(1767225600000) /* 2026-01-01 */
enum { PATH_BYTES = 600 };

/* ---- a sink that remembers ---- */
struct memory {
    struct vt_event events[64];
    struct vt_item items[64];
    char last_title[128], first_id[128];
    uint32_t n_events, n_items, n_customers, n_channels;
    double revenue;
    int last_consent;
    const char *refused_id; /* the event that this store does not take, or NULL */
};

static struct vt_err keep_events(void *self, const struct vt_event *events, uint32_t n,
                                 struct vt_ingest_refused refused, struct vt_diag *diag)
{
    (void)diag;
    struct memory *memory = self;
    for (uint32_t i = 0; i < n; i++) {
        if (memory->refused_id != NULL &&
            vt_slice_equal(events[i].event_id, vt_slice_str(memory->refused_id))) {
            refused.tell(refused.ctx, i, "value", vt_slice_str("too shiny"));
            continue;
        }
        memory->revenue += events[i].revenue;
        if (memory->n_events == 0)
            snprintf(memory->first_id, sizeof memory->first_id, "%.*s", (int)events[i].event_id.len,
                     events[i].event_id.data);
        if (memory->n_events < 64)
            memory->events[memory->n_events] = events[i];
        memory->n_events++;
    }
    return vt_ok();
}

static struct vt_err keep_items(void *self, const struct vt_item *items, uint32_t n,
                                struct vt_diag *diag)
{
    (void)diag;
    struct memory *memory = self;
    for (uint32_t i = 0; i < n && memory->n_items < 64; i++) {
        memory->items[memory->n_items++] = items[i];
        snprintf(memory->last_title, sizeof memory->last_title, "%.*s", (int)items[i].title.len,
                 items[i].title.data);
    }
    return vt_ok();
}

static struct vt_err keep_customers(void *self, const struct vt_customer_row *customers, uint32_t n,
                                    struct vt_diag *diag)
{
    (void)diag;
    struct memory *memory = self;
    memory->n_customers += n;
    memory->last_consent = customers[n - 1].consent;
    return vt_ok();
}

static struct vt_err keep_channels(void *self, const struct vt_channel_row *channels, uint32_t n,
                                   struct vt_diag *diag)
{
    (void)diag;
    (void)channels;
    ((struct memory *)self)->n_channels += n;
    return vt_ok();
}

static struct vt_err finish(void *self, struct vt_diag *diag, struct vt_sink_counts *ret_counts)
{
    (void)diag;
    ret_counts->events_written = ((struct memory *)self)->n_events;
    return vt_ok();
}

/* ---- one import of one file ---- */
struct fixture {
    char *folder;
    struct memory memory;
    struct vt_ingest_result result;
    struct vt_ingest_options options;
    struct vt_diag diag;
    char path[PATH_BYTES];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = vt_test_folder_new();
    f->options = (struct vt_ingest_options){.min_quality = 50, .now_ms = NOW_MS};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    vt_ingest_result_fini(&f->result);
    vt_test_folder_remove(f->folder);
    free(f);
    return 0;
}

static void write_bytes(struct fixture *f, const char *name, const void *bytes, size_t len)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
    FILE *out = fopen(f->path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static struct vt_err run(struct fixture *f)
{
    const char *paths[] = {f->path};
    const struct vt_ingest_sink sink = {
        .self = &f->memory,
        .items = keep_items,
        .customers = keep_customers,
        .channels = keep_channels,
        .events = keep_events,
        .finish = finish,
    };
    vt_ingest_result_fini(&f->result);
    f->memory = (struct memory){.refused_id = f->memory.refused_id};
    f->options.paths = paths;
    f->options.n_paths = 1;
    struct vt_err err = vt_ingest_run(&f->options, &sink, &f->diag, &f->result);
    f->options.paths = NULL;
    return err;
}

static void assert_nothing_lost(const struct vt_ingest_result *result)
{
    const struct vt_row_counts *rows = &result->rows;
    assert_int_equal(rows->read, rows->accepted + rows->duplicates + rows->review + rows->rejected +
                                     rows->dropped);
}

static void import(struct fixture *f, const char *name, const char *text)
{
    write_bytes(f, name, text, strlen(text));
    assert_ok(run(f));
    assert_nothing_lost(&f->result);
}

/* ---- each rule by the smallest file ---- */
struct rule_case {
    enum vt_rule rule;
    const char *name, *text;
    enum { ACCEPTED, DUPLICATE, REVIEW, DROPPED } fate; /* of the row that the rule catches */
};

#define E "{\"event_id\":\"e1\",\"type\":\"purchase\",\"customer_id\":\"c\",\"item_id\":\"i\","
#define T "\"time\":\"2025-01-01T00:00:00Z\""
#define E2 "{\"event_id\":\"e2\",\"type\":\"purchase\",\"customer_id\":\"c\",\"item_id\":\"i\","
static const struct rule_case rule_cases[] = {
    {VT_RULE_EXACT_DUPLICATE, "events.jsonl", E T "}\n" E T "}\n", DUPLICATE},
    {VT_RULE_NEAR_DUPLICATE, "events.jsonl",
     E T
     "}\n{\"event_id\":\"e2\",\"type\":\"PURCHASE\",\"customer_id\":\" c \",\"item_id\":\"I\"," T
     "}\n",
     DUPLICATE},
    {VT_RULE_REUSED_EVENT_ID, "events.jsonl", E T "}\n" E "\"time\":\"2025-02-01T00:00:00Z\"}\n",
     REVIEW},
    {VT_RULE_REPEATED_EVENT, "events.jsonl",
     E T "}\n" E2 "\"quantity\":3,\"time\":\"2025-01-01T00:00:30Z\"}\n", ACCEPTED},
    {VT_RULE_CATALOG_NEAR_DUPLICATE, "items.jsonl",
     "{\"id\":\"a\",\"title\":\"Blue mug\"}\n{\"id\":\"b\",\"title\":\"BLUE  Mug!\"}\n", ACCEPTED},
    {VT_RULE_MISSING_ID, "items.jsonl", "{\"title\":\"Mug\"}\n", REVIEW},
    {VT_RULE_MISSING_CUSTOMER, "events.jsonl", "{\"type\":\"view\",\"item_id\":\"i\"," T "}\n",
     REVIEW},
    {VT_RULE_MISSING_ITEM, "events.jsonl", "{\"type\":\"view\",\"customer_id\":\"c\"," T "}\n",
     REVIEW},
    {VT_RULE_MISSING_TYPE, "events.jsonl", "{\"customer_id\":\"c\",\"item_id\":\"i\"," T "}\n",
     REVIEW},
    {VT_RULE_MISSING_TIME, "events.jsonl",
     "{\"type\":\"view\",\"customer_id\":\"c\",\"item_id\":\"i\"}\n", REVIEW},
    {VT_RULE_MISSING_TITLE, "items.jsonl", "{\"id\":\"a\"}\n", ACCEPTED},
    {VT_RULE_MISSING_PRICE, "items.jsonl", "{\"id\":\"a\",\"title\":\"Mug\"}\n", ACCEPTED},
    {VT_RULE_MISSING_CATEGORY, "items.jsonl", "{\"id\":\"a\",\"title\":\"M\",\"price\":1}\n",
     ACCEPTED},
    {VT_RULE_BAD_ID, "items.jsonl", "{\"id\":\"a\\u0007b\",\"title\":\"Mug\"}\n", REVIEW},
    {VT_RULE_BAD_NUMBER, "events.jsonl", E T ",\"revenue\":\"ten\"}\n", REVIEW},
    {VT_RULE_NOT_FINITE, "events.jsonl", E T ",\"revenue\":\"nan\"}\n", REVIEW},
    {VT_RULE_NEGATIVE_PRICE, "items.jsonl", "{\"id\":\"a\",\"title\":\"M\",\"price\":-1}\n",
     REVIEW},
    {VT_RULE_NEGATIVE_AMOUNT, "events.jsonl", E T ",\"revenue\":-5}\n", REVIEW},
    {VT_RULE_ZERO_QUANTITY, "events.jsonl", E T ",\"quantity\":0}\n", REVIEW},
    {VT_RULE_BAD_STOCK, "items.jsonl", "{\"id\":\"a\",\"title\":\"M\",\"stock\":1.5}\n", REVIEW},
    {VT_RULE_RATING_OUT_OF_RANGE, "events.jsonl",
     "{\"type\":\"rating\",\"customer_id\":\"c\",\"item_id\":\"i\",\"value\":11," T "}\n", REVIEW},
    {VT_RULE_UNKNOWN_TYPE, "events.jsonl",
     "{\"type\":\"purchse\",\"customer_id\":\"c\",\"item_id\":\"i\"," T "}\n", REVIEW},
    {VT_RULE_BAD_CONSENT, "customers.jsonl", "{\"id\":\"c\",\"consent\":\"maybe\"}\n", REVIEW},
    {VT_RULE_UNKNOWN_CURRENCY, "events.jsonl", E T ",\"revenue\":5,\"currency_code\":\"QQQ\"}\n",
     REVIEW},
    {VT_RULE_TOO_MANY_VALUES, "items.jsonl",
     "{\"id\":\"a\",\"title\":\"M\",\"categories\":\"1|2|3|4|5|6|7|8|9\"}\n", ACCEPTED},
    {VT_RULE_FEE_CODE, "events.jsonl",
     "{\"type\":\"purchase\",\"customer_id\":\"c\",\"item_id\":\"POST\"," T "}\n", DROPPED},
    {VT_RULE_FREE_ITEM, "events.jsonl", E T ",\"price\":0}\n", ACCEPTED},
    {VT_RULE_RETURN_UNMATCHED, "events.jsonl", E T ",\"quantity\":-2}\n", ACCEPTED},
    {VT_RULE_KEY_CASE, "events.jsonl",
     E T "}\n{\"type\":\"view\",\"customer_id\":\"c\",\"item_id\":\"I\"," T "}\n", ACCEPTED},
    {VT_RULE_TEXT_NORMALISED, "items.jsonl", "{\"id\":\"a\",\"title\":\"Blue   mug\"}\n", ACCEPTED},
    {VT_RULE_CURRENCY_MIXED, "events.jsonl",
     E T ",\"revenue\":5,\"currency_code\":\"EUR\"}\n" E2
         "\"time\":\"2025-03-01T00:00:00Z\",\"revenue\":5,\"currency_code\":\"USD\"}\n",
     ACCEPTED},
    {VT_RULE_AVAILABILITY_REVERSED, "items.jsonl",
     "{\"id\":\"a\",\"title\":\"M\",\"available_from\":\"2025-02-01\","
     "\"available_until\":\"2025-01-01\"}\n",
     REVIEW},
    {VT_RULE_BAD_TIME, "events.jsonl", E "\"time\":\"2025-02-30T00:00:00Z\"}\n", REVIEW},
    {VT_RULE_TIME_BEFORE_2000, "events.jsonl", E "\"time\":\"1999-12-31T23:59:59Z\"}\n", REVIEW},
    {VT_RULE_TIME_IN_FUTURE, "events.jsonl", E "\"time\":\"2026-01-02T00:00:01Z\"}\n", REVIEW},
    {VT_RULE_TIME_ZONE_ASSUMED, "events.jsonl", E "\"time\":\"2025-01-01 10:00\"}\n", ACCEPTED},
    {VT_RULE_TIME_FROM_ORDER, "train.txt", "1 2\n", ACCEPTED},
    {VT_RULE_TIME_SHIFTED, "u.data", "1\t2\t3\t881250949\n", ACCEPTED},
    {VT_RULE_STALE_EVENT, "events.jsonl", E T "}\n" E2 "\"time\":\"2022-01-01T00:00:00Z\"}\n",
     ACCEPTED},
};

static void each_rule_catches_its_row_and_decides_its_fate(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rule_cases / sizeof rule_cases[0]; i++) {
        const struct rule_case *c = &rule_cases[i];
        import(f, c->name, c->text);
        const struct vt_row_counts *rows = &f->result.rows;
        const uint64_t by_fate[] = {rows->accepted, rows->duplicates, rows->review, rows->dropped};
        if (f->result.rules[c->rule].n != 1 || by_fate[c->fate] == 0)
            fail_msg("%s: caught %llu, rows with its fate %llu", vt_rule_info(c->rule)->name,
                     (unsigned long long)f->result.rules[c->rule].n,
                     (unsigned long long)by_fate[c->fate]);
    }
}

static void clean_rows_are_caught_by_no_rule(void **state)
{
    struct fixture *f = *state;
    import(f, "events.jsonl", E T ",\"quantity\":2,\"revenue\":3,\"currency_code\":\"EUR\"}\n");
    for (unsigned rule = 0; rule < VT_RULE_COUNT; rule++)
        assert_int_equal(f->result.rules[rule].n, 0);
    assert_true(f->result.score > 99.99);
    assert_int_equal(f->memory.n_events, 1);
}

static void a_negative_amount_is_not_called_free_as_well(void **state)
{
    struct fixture *f = *state;
    import(f, "events.jsonl", E T ",\"revenue\":-5}\n");
    assert_int_equal(f->result.rules[VT_RULE_NEGATIVE_AMOUNT].n, 1);
    assert_int_equal(f->result.rules[VT_RULE_FREE_ITEM].n, 0);
}

static const char RETAIL[] =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

static void import_retail(struct fixture *f, const char *rows)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s", RETAIL, rows);
    import(f, "retail.csv", text);
}

static void full_return_cancels_the_purchase_before_it(void **state)
{
    struct fixture *f = *state;
    import_retail(f, "1,A1,Mug,6,2011-06-01 10:00:00,2.5,7.0,France\n"
                     "C2,A1,Mug,-6,2011-06-02 10:00:00,2.5,7.0,France\n");
    assert_int_equal(f->result.rules[VT_RULE_CANCELLATION].n, 1);
    assert_int_equal(f->result.rules[VT_RULE_CANCELLED_PURCHASE].n, 1);
    assert_int_equal(f->memory.n_events, 0);
}

static void partial_return_reduces_quantity_and_revenue(void **state)
{
    struct fixture *f = *state;
    import_retail(f, "1,A1,Mug,6,2011-06-01 10:00:00,2.5,7.0,France\n"
                     "C2,A1,Mug,-2,2011-06-02 10:00:00,2.5,7.0,France\n");
    assert_int_equal(f->memory.n_events, 1);
    assert_float_equal(f->memory.revenue, 10.0, 1e-9);
}

static void return_before_its_purchase_cancels_nothing(void **state)
{
    struct fixture *f = *state;
    import_retail(f, "C2,A1,Mug,-6,2011-05-02 10:00:00,2.5,7.0,France\n"
                     "1,A1,Mug,6,2011-06-01 10:00:00,2.5,7.0,France\n");
    assert_int_equal(f->result.rules[VT_RULE_RETURN_UNMATCHED].n, 1);
    assert_int_equal(f->memory.n_events, 2);
}

static void most_frequent_title_wins_and_items_are_made_once(void **state)
{
    struct fixture *f = *state;
    import_retail(f, "1,A1,Blue mug,1,2011-01-01 10:00:00,2.5,7.0,France\n"
                     "2,a1,BLUE MUG!,1,2011-01-02 10:00:00,2.5,8.0,France\n"
                     "3,A1,Blue mug,1,2011-01-03 10:00:00,3.5,9.0,France\n");
    assert_int_equal(f->memory.n_items, 1);
    assert_string_equal(f->memory.last_title, "Blue mug");
    assert_int_equal(f->memory.n_customers, 3);
    assert_int_equal(f->result.rules[VT_RULE_TITLE_DIFFERS].n, 1);
}

static void summer_times_of_london_become_utc(void **state)
{
    struct fixture *f = *state;
    import_retail(f, "1,A1,Mug,1,2011-07-01 10:00:00,2.5,7.0,France\n");
    assert_int_equal(f->memory.events[0].time_ms, INT64_C(1309510800000)); /* 09:00 UTC */
}

/* Local wall-clock times around the two changes of London and of a zone that moves by half an hour,
 * with the UTC times of day that they mean. */
static void clock_changes_are_read_as_documented(void **state)
{
    static const struct {
        const char *zone, *local, *utc;
    } cases[] = {
        {"Europe/London", "2011-03-27 00:59:59", "2011-03-27T00:59:59Z"},
        {"Europe/London", "2011-03-27 01:30:00", "2011-03-27T01:30:00Z"}, /* skipped: 02:30 BST */
        {"Europe/London", "2011-03-27 02:00:00", "2011-03-27T01:00:00Z"},
        {"Europe/London", "2011-10-30 00:59:59", "2011-10-29T23:59:59Z"},
        {"Europe/London", "2011-10-30 01:30:00", "2011-10-30T01:30:00Z"}, /* twice: the later */
        {"Europe/London", "2011-10-30 02:00:00", "2011-10-30T02:00:00Z"},
        {"Australia/Lord_Howe", "2024-10-06 01:45:00", "2024-10-05T15:15:00Z"},
        {"Australia/Lord_Howe", "2024-10-06 02:45:00", "2024-10-05T15:45:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_zone *zone;
        int64_t time_ms;
        bool assumed;
        char text[VT_TIME_TEXT_BYTES];
        assert_ok(vt_zone_new(cases[i].zone, NULL, &zone));
        assert_true(vt_time_parse(zone, vt_slice_str(cases[i].local), &time_ms, &assumed));
        vt_time_print(time_ms, text);
        assert_true(assumed);
        assert_string_equal(text, cases[i].utc);
        vt_zone_free(zone);
    }
}

/* The offset is kept for a quarter of an hour: no order of rows may change what a row means. */
static void times_do_not_depend_on_the_row_before(void **state)
{
    static const char *const local[] = {"2024-10-06 02:45:00", "2024-10-06 01:45:00",
                                        "2024-10-06 02:44:59", "2024-04-07 01:45:00",
                                        "2024-04-07 02:15:00"};
    enum { N = sizeof local / sizeof local[0] };
    struct vt_zone *shared;
    bool assumed;
    (void)state;
    assert_ok(vt_zone_new("Australia/Lord_Howe", NULL, &shared));
    for (size_t i = 0; i < (size_t)N * N; i++) {
        struct vt_zone *fresh;
        int64_t expected, found;
        assert_ok(vt_zone_new("Australia/Lord_Howe", NULL, &fresh));
        assert_true(vt_time_parse(fresh, vt_slice_str(local[i % N]), &expected, &assumed));
        assert_true(vt_time_parse(shared, vt_slice_str(local[i / N]), &found, &assumed));
        assert_true(vt_time_parse(shared, vt_slice_str(local[i % N]), &found, &assumed));
        assert_int_equal(found, expected);
        vt_zone_free(fresh);
    }
    vt_zone_free(shared);
}

static void last_word_about_a_customer_counts(void **state)
{
    struct fixture *f = *state;
    import(f, "customers.jsonl",
           "{\"id\":\"c\",\"consent\":\"granted\"}\n{\"id\":\"c\",\"consent\":\"denied\"}\n"
           "{\"id\":\"c\",\"consent\":\"granted\"}\n{\"id\":\"c\",\"consent\":\"denied\"}\n");
    assert_int_equal(f->result.rows.duplicates, 0);
    assert_int_equal(f->memory.n_customers, 4);
    assert_int_equal(f->memory.last_consent, 2);
}

static void description_told_again_is_a_duplicate_and_news_is_not(void **state)
{
    struct fixture *f = *state;
    import(f, "items.jsonl",
           "{\"id\":\"a\",\"title\":\"Mug\",\"stock\":5}\n"
           "{\"id\":\"A\",\"title\":\"MUG\",\"stock\":5.0}\n"
           "{\"id\":\"a\",\"title\":\"Mug\",\"stock\":0}\n"
           "{\"id\":\"a\",\"title\":\"Mug\",\"stock\":0,\"categories\":[\"Tea\"]}\n"
           "{\"id\":\"a\",\"title\":\"Mug\",\"stock\":0,\"categories\":[\"Tea\"]}\n");
    assert_int_equal(f->result.rules[VT_RULE_NEAR_DUPLICATE].n, 1);
    assert_int_equal(f->result.rules[VT_RULE_EXACT_DUPLICATE].n, 1);
    assert_int_equal(f->memory.n_items, 3);
    assert_int_equal(f->memory.items[2].stock, 0);
}

/* Ids and titles of 64, 128 … bytes too: an example shows their beginning, whole characters. */
static void examples_show_the_beginning_of_long_texts(void **state)
{
    struct fixture *f = *state;
    char text[512], title[64 * 2 + 1] = "";
    for (int i = 0; i < 64; i++)
        memcpy(title + 2 * i, "ü", 3);
    snprintf(text, sizeof text, "{\"id\":\"%.*s\",\"title\":\"%s\"}\n", 128, title, title);
    import(f, "items.jsonl", text);
    const char *shown = f->result.rules[VT_RULE_MISSING_PRICE].examples[0].text;
    assert_memory_equal(shown, title, 48);
    assert_memory_equal(shown + 48, " ü", 3);
    assert_string_equal(shown + strlen(shown) - strlen("ü…"), "ü…");
}

static void files_of_one_name_keep_their_rows_apart(void **state)
{
    struct fixture *f = *state;
    char first[PATH_BYTES], folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s/other", f->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_bytes(f, "customers.jsonl", "{\"consent\":\"granted\"}\n", 22);
    memcpy(first, f->path, sizeof first);
    write_bytes(f, "other/customers.jsonl", "{\"consent\":\"denied\"}\n", 21);
    f->options.aside_dir = f->folder;
    const char *paths[] = {first, f->path};
    f->options.paths = paths;
    f->options.n_paths = 2;
    assert_ok(vt_ingest_run(&f->options, NULL, &f->diag, &f->result));
    assert_int_equal(f->result.rows.review, 2);
    assert_string_not_equal(f->result.files[0].review_path, f->result.files[1].review_path);
    assert_int_equal(access(f->result.files[0].review_path, F_OK), 0);
    assert_int_equal(access(f->result.files[1].review_path, F_OK), 0);
    f->options.paths = NULL;
}

static void invoice_without_customer_is_one_guest(void **state)
{
    struct fixture *f = *state;
    import_retail(f, "536,A1,Mug,1,2011-07-01 10:00:00,2.5,,France\n");
    assert_int_equal(f->result.rules[VT_RULE_GUEST_CUSTOMER].n, 1);
    assert_int_equal(f->memory.n_events, 1);
}

/* 200 purchases of small values in `field`, one of them far off. */
static void import_with_an_outlier(struct fixture *f, const char *field)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    for (int i = 0; i < 200; i++)
        fprintf(out,
                "{\"type\":\"purchase\",\"customer_id\":\"c%d\",\"item_id\":\"i\"," T
                ",\"%s\":%d}\n",
                i, field, i == 77 ? 80995 : 1 + i % 7);
    fclose(out);
    import(f, "events.jsonl", text);
    free(text);
}

static void outliers_wait_for_review(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum vt_rule rule;
        const char *field;
    } cases[] = {{VT_RULE_QUANTITY_OUTLIER, "quantity"},
                 {VT_RULE_PRICE_OUTLIER, "price"},
                 {VT_RULE_REVENUE_OUTLIER, "revenue"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        import_with_an_outlier(f, cases[i].field);
        assert_int_equal(f->result.rules[cases[i].rule].n, 1);
        assert_int_equal(f->result.rules[cases[i].rule].examples[0].line, 78);
        assert_int_equal(f->result.rows.review, 1);
        assert_int_equal(f->memory.n_events, 199);
    }
}

/* A text of the longest length that is kept, and one byte more. */
static void text_past_the_limit_waits_for_review(void **state)
{
    struct fixture *f = *state;
    for (unsigned over = 0; over <= 1; over++) {
        char title[VT_TEXT_BYTES_MAX + 2] = "", line[VT_TEXT_BYTES_MAX + 64];
        memset(title, 'm', VT_TEXT_BYTES_MAX + over);
        snprintf(line, sizeof line, "{\"id\":\"a\",\"title\":\"%s\"}\n", title);
        import(f, "items.jsonl", line);
        assert_int_equal(f->result.rules[VT_RULE_BAD_TEXT].n, over);
        assert_int_equal(f->result.rows.review, over);
        assert_int_equal(f->memory.n_items, 1 - over);
    }
}

static void pieces_booked_at_no_price_for_nobody_are_a_stock_count(void **state)
{
    struct fixture *f = *state;
    import_retail(f, "536,A1,Mug,-20,2011-07-01 10:00:00,0,,France\n");
    assert_int_equal(f->result.rules[VT_RULE_STOCK_ADJUSTMENT].n, 1);
    assert_int_equal(f->result.rows.dropped, 1);
    assert_int_equal(f->memory.n_events, 0);
    import_retail(f, "536,A1,Mug,-20,2011-07-01 10:00:00,0,17850,France\n");
    assert_int_equal(f->result.rules[VT_RULE_STOCK_ADJUSTMENT].n, 0);
}

static void amount_without_currency_is_read_as_the_told_one(void **state)
{
    struct fixture *f = *state;
    import(f, "events.jsonl", E T ",\"revenue\":5}\n");
    assert_int_equal(f->result.rules[VT_RULE_CURRENCY_ASSUMED].n, 0); /* none was told */
    f->options.currency = "GBP";
    import(f, "events.jsonl", E T ",\"revenue\":5}\n");
    assert_int_equal(f->result.rules[VT_RULE_CURRENCY_ASSUMED].n, 1);
    assert_float_equal(f->memory.revenue, 5, 1e-12);
}

static void rates_convert_amounts(void **state)
{
    struct fixture *f = *state;
    f->options.currency = "GBP";
    f->options.rates[0] = (struct vt_ingest_rate){"EUR", 0.5};
    f->options.n_rates = 1;
    import(f, "events.jsonl", E T ",\"revenue\":5,\"currency_code\":\"eur\"}\n");
    assert_int_equal(f->result.rules[VT_RULE_CURRENCY_CONVERTED].n, 1);
    assert_float_equal(f->memory.revenue, 2.5, 1e-12);
}

static void derived_event_ids_are_the_same_again(void **state)
{
    struct fixture *f = *state;
    char first[128];
    import_retail(f, "1,A1,Mug,1,2011-07-01 10:00:00,2.5,7.0,France\n");
    memcpy(first, f->memory.first_id, sizeof first);
    import_retail(f, "1,A1,Mug,1,2011-07-01 10:00:00,2.5,7.0,France\n");
    assert_string_equal(first, f->memory.first_id);
    assert_true(first[0] != '\0');
}

static void kept_duplicates_have_ids_of_their_own(void **state)
{
    struct fixture *f = *state;
    f->options.keep_duplicates = true;
    import(f, "train.txt", "1 5 5\n");
    assert_int_equal(f->memory.n_events, 2);
}

static void maps_name_columns(void **state)
{
    struct fixture *f = *state;
    static const char *const maps[] = {"item_id=Artikel", "customer_id=Kunde", "time=Datum", NULL};
    f->options.maps = maps;
    import(f, "shop.csv", "Kunde;Artikel;Datum\n\"k;1\";a\"\"b;31.12.2024 10:00\n");
    assert_int_equal(f->memory.n_events, 1);
}

static void told_map_counts_before_a_column_of_that_name(void **state)
{
    struct fixture *f = *state;
    const char *const maps[] = {"customer_id=Member", "revenue=Net", NULL};
    f->options.maps = maps;
    import(f, "shop.csv", "revenue,Member,Item,Date,Net,user\n99,m,a,2024-12-31,7.5,u\n");
    assert_int_equal(f->memory.n_events, 1);
    assert_float_equal(f->memory.revenue, 7.5, 0);
    assert_memory_equal(f->memory.events[0].customer_id.data, "m", 1);
}

static void map_to_a_missing_column_is_refused_however_long(void **state)
{
    struct fixture *f = *state;
    char map[300] = "revenue=";
    memset(map + 8, 'x', 200);
    const char *const maps[] = {map, NULL};
    f->options.maps = maps;
    write_bytes(f, "shop.csv", "user,item,date\nu,a,2024-12-31\n", 30);
    assert_code(run(f), VT_INVALID);
    assert_non_null(strstr(f->diag.text, "xxx"));
}

static void mended_review_line_is_imported(void **state)
{
    struct fixture *f = *state;
    char line[1024], *wrong;
    f->options.aside_dir = f->folder;
    import(f, "events.jsonl",
           "{\"type\":\"view\",\"customer_id\":\"c\",\"item_id\":\"i\",\"time\":\"1925-01-01\"}\n");
    assert_int_equal(f->result.rows.review, 1);
    snprintf(f->path, sizeof f->path, "%s/review/events.jsonl", f->folder);
    FILE *in = fopen(f->path, "r");
    assert_non_null(in);
    assert_non_null(fgets(line, sizeof line, in));
    fclose(in);
    assert_non_null(strstr(line, "\"rule\":\"time_before_2000\""));
    assert_non_null(strstr(line, "\"line\":1"));
    wrong = strstr(line, "1925-01-01");
    assert_non_null(wrong);
    memcpy(wrong, "2025", 4);
    write_bytes(f, "review/events.jsonl", line, strlen(line));
    assert_ok(run(f));
    assert_int_equal(f->memory.n_events, 1);
    assert_int_not_equal(access(f->path, F_OK), 0); /* nothing waits any more */
}

static void rows_that_wait_survive_other_files_of_the_same_name(void **state)
{
    struct fixture *f = *state;
    char path[PATH_BYTES];
    f->options.aside_dir = f->folder;
    import(f, "customers.jsonl", "{\"consent\":\"granted\"}\n");
    import(f, "customers.jsonl", "{\"consent\":\"denied\"}\n");
    import(f, "customers.jsonl", "{\"consent\":\"denied\"}\n"); /* again: no third file */
    import(f, "customers.jsonl", "{\"id\":\"c1\"}\n");
    for (int number = 1; number <= 3; number++) {
        static const char *const names[] = {"", "customers", "customers.2", "customers.3"};
        snprintf(path, sizeof path, "%s/review/%s.jsonl", f->folder, names[number]);
        assert_int_equal(access(path, F_OK) == 0, number < 3);
    }
}

static void unreadable_lines_are_rejected_and_the_rest_goes_on(void **state)
{
    struct fixture *f = *state;
    import(f, "events.jsonl", "{\"type\":\n" E T "}\n[1]\n\xff\xfe{}\n");
    assert_int_equal(f->result.rows.rejected, 3);
    assert_int_equal(f->result.rows.accepted, 1);
    assert_int_equal(f->result.rejects.examples[1].line, 3);
}

static void ten_megabyte_line_is_rejected_with_its_number(void **state)
{
    struct fixture *f = *state;
    enum { BIG = 10 * 1000 * 1000 };
    static const char good[] = E T "}\n";
    char *text = malloc(BIG + 3 * sizeof good);
    memcpy(text, good, sizeof good - 1);
    memset(text + sizeof good - 1, 'x', BIG);
    text[sizeof good - 1 + BIG] = '\n';
    memcpy(text + sizeof good + BIG, E2 "\"time\":\"2025-06-01\"}\n",
           strlen(E2 "\"time\":\"2025-06-01\"}\n"));
    write_bytes(f, "events.jsonl", text,
                sizeof good + BIG + strlen(E2 "\"time\":\"2025-06-01\"}\n"));
    free(text);
    assert_ok(run(f));
    assert_nothing_lost(&f->result);
    assert_int_equal(f->result.rows.accepted, 2);
    assert_int_equal(f->result.rejects.n, 1);
    assert_int_equal(f->result.rejects.examples[0].line, 2);
}

/* Also past a batch's end, and between rows that are not written: places are not line numbers. */
static void an_event_that_the_store_refuses_is_a_rejected_row(void **state)
{
    enum { N_ROWS = VT_INGEST_BATCH + 10, REFUSED_LINE = VT_INGEST_BATCH + 5 };
    struct fixture *f = *state;
    char *text = NULL, line[1024];
    size_t len;
    FILE *out = open_memstream(&text, &len);
    fputs("{\"event_id\":\n", out);
    for (int i = 2; i <= N_ROWS; i++)
        fprintf(out,
                "{\"event_id\":\"e%d\",\"type\":\"view\",\"customer_id\":\"c\","
                "\"item_id\":\"i%d\"," T "}\n",
                i, i);
    fclose(out);
    f->options.aside_dir = f->folder;
    f->memory.refused_id = "e1005";
    import(f, "events.jsonl", text);
    free(text);
    assert_int_equal(f->memory.n_events, N_ROWS - 2);
    assert_int_equal(f->result.rows.accepted, N_ROWS - 2);
    assert_int_equal(f->result.rows.rejected, 2);
    assert_int_equal(f->result.files[0].rows.rejected, 2);
    assert_int_equal(f->result.kinds[VT_RECORD_EVENT], N_ROWS - 2);
    assert_int_equal(f->result.refused.n, 1);
    assert_int_equal(f->result.refused.examples[0].line, REFUSED_LINE);
    assert_int_equal(f->result.scores[VT_VALIDITY].checked, N_ROWS);
    assert_int_equal(f->result.scores[VT_VALIDITY].passed, N_ROWS - 2);
    FILE *in = fopen(f->result.files[0].reject_path, "r");
    assert_non_null(in);
    assert_non_null(fgets(line, sizeof line, in));
    assert_non_null(fgets(line, sizeof line, in));
    assert_non_null(strstr(line, "{\"line\":1005,\"reason\":\"value: too shiny\""));
    assert_non_null(strstr(line, "\\\"event_id\\\":\\\"e1005\\\""));
    assert_null(fgets(line, sizeof line, in));
    fclose(in);
}

static void open_quote_costs_one_row(void **state)
{
    struct fixture *f = *state;
    import(f, "s.csv", "customer_id,item_id,time\nc,i,2025-01-01\nc,\"i,2025-01-01\n");
    assert_int_equal(f->result.rows.accepted, 1);
    assert_int_equal(f->result.rows.rejected, 1);
    assert_int_equal(f->result.rejects.examples[0].line, 3);
}

/* ---- files that are wrong as a whole ---- */
struct bad_file {
    const char *name, *bytes;
    size_t len;
    enum vt_code code;
    const char *says;
};

#define TEXT(text_) (text_), sizeof(text_) - 1
static const struct bad_file bad_files[] = {
    {"empty.csv", TEXT(""), VT_INVALID, "empty"},
    {"binary.csv", TEXT("a,b\0\1\2\n"), VT_INVALID, "binary"},
    {"utf16.csv",
     TEXT("\xff\xfe"
          "a\0,\0b\0"),
     VT_INVALID, "UTF-16"},
    {"header.csv", TEXT("when,what\n1,2\n"), VT_INVALID, "found: when, what"},
    {"no_item.csv", TEXT("customer_id,time\n1,2\n"), VT_INVALID, "item_id"},
    {"words.txt", TEXT("hello\nworld\n"), VT_INVALID, "no format"},
    {"cut.csv.gz",
     TEXT("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x2e\x2d\x2e\xc9\xcf\x4d\x2d\x8a\xcf"),
     VT_INVALID, "damaged"},
};

static void bad_files_are_refused_with_what_and_why(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        const struct bad_file *bad = &bad_files[i];
        write_bytes(f, bad->name, bad->bytes, bad->len);
        struct vt_err err = run(f);
        if ((err.code != bad->code && err.code != VT_CORRUPT) ||
            strstr(f->diag.text, bad->says) == NULL || strstr(f->diag.field, bad->name) == NULL)
            fail_msg("%s: %s, '%s: %s'", bad->name, vt_code_name(err.code), f->diag.field,
                     f->diag.text);
        assert_int_equal(f->memory.n_events, 0);
    }
}

static void missing_file_and_folder_without_files_are_told(void **state)
{
    struct fixture *f = *state;
    char **paths = NULL;
    size_t n = 0;
    const char *missing[] = {"/nowhere/at/all.csv"}, *folder[] = {f->folder};
    assert_code(vt_ingest_expand(missing, 1, &f->diag, &paths, &n), VT_NOT_FOUND);
    assert_code(vt_ingest_expand(folder, 1, &f->diag, &paths, &n), VT_INVALID);
    assert_non_null(strstr(f->diag.text, "items.jsonl"));
}

static void reports_escape_what_files_say(void **state)
{
    struct fixture *f = *state;
    char *html = NULL;
    size_t len;
    import(f, "items.jsonl", "{\"id\":\"<b>\",\"title\":\"<script>x</script>\"}\n");
    FILE *out = open_memstream(&html, &len);
    vt_report_html(&f->result, out);
    fclose(out);
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "&lt;script&gt;"));
    free(html);
}

#define CASE(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_rule_catches_its_row_and_decides_its_fate),
        CASE(clean_rows_are_caught_by_no_rule),
        CASE(a_negative_amount_is_not_called_free_as_well),
        CASE(full_return_cancels_the_purchase_before_it),
        CASE(partial_return_reduces_quantity_and_revenue),
        CASE(return_before_its_purchase_cancels_nothing),
        CASE(most_frequent_title_wins_and_items_are_made_once),
        CASE(summer_times_of_london_become_utc),
        CASE(clock_changes_are_read_as_documented),
        CASE(times_do_not_depend_on_the_row_before),
        CASE(last_word_about_a_customer_counts),
        CASE(description_told_again_is_a_duplicate_and_news_is_not),
        CASE(examples_show_the_beginning_of_long_texts),
        CASE(files_of_one_name_keep_their_rows_apart),
        CASE(invoice_without_customer_is_one_guest),
        CASE(outliers_wait_for_review),
        CASE(text_past_the_limit_waits_for_review),
        CASE(pieces_booked_at_no_price_for_nobody_are_a_stock_count),
        CASE(amount_without_currency_is_read_as_the_told_one),
        CASE(rates_convert_amounts),
        CASE(derived_event_ids_are_the_same_again),
        CASE(kept_duplicates_have_ids_of_their_own),
        CASE(maps_name_columns),
        CASE(told_map_counts_before_a_column_of_that_name),
        CASE(map_to_a_missing_column_is_refused_however_long),
        CASE(mended_review_line_is_imported),
        CASE(rows_that_wait_survive_other_files_of_the_same_name),
        CASE(unreadable_lines_are_rejected_and_the_rest_goes_on),
        CASE(an_event_that_the_store_refuses_is_a_rejected_row),
        CASE(ten_megabyte_line_is_rejected_with_its_number),
        CASE(open_quote_costs_one_row),
        CASE(bad_files_are_refused_with_what_and_why),
        CASE(missing_file_and_folder_without_files_are_told),
        CASE(reports_escape_what_files_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
