/* Reports: what --json says, what compare reads of it, what a step of a sweep is judged by. */
#include "loadtest/compare.h"
#include "loadtest/report_html.h"
#include "loadtest/report_json.h"
#include "loadtest/sweep.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { MS = 1000000, SLOTS = 20 };

static const struct generator_options options = {.target = "<x> & \"y\"",
                                                 .rate = 1000,
                                                 .poisson = true,
                                                 .warmup_ms = 1000,
                                                 .duration_ms = 2000,
                                                 .connections = 8,
                                                 .threads = 2,
                                                 .seed = 1};

/* Ten calls a slot of a tenth of a second, all of `latency_ns`. */
static struct load_result *make_result(uint64_t latency_ns)
{
    struct load_result *result = NULL;
    assert_ok(load_result_new(options.duration_ms, &result));
    struct call_counts *counts = &result->kinds[CALL_RECOMMEND];
    for (int i = 0; i < 10 * SLOTS; i++) {
        struct timeline_slot *slot = &result->timeline.slots[i / 10];
        slot->sent++;
        counts->sent++;
        counts->ok++;
        histogram_add(&counts->latency, latency_ns + (uint64_t)(i % 7) * 1000);
        histogram_add(&result->lag, 1000);
        timeline_slot_add(slot, latency_ns);
    }
    load_result_sum(result);
    return result;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void json_has_the_keys_that_scripts_rely_on(void **state)
{
    struct load_result *result = make_result(2 * MS);
    (void)state;
    result->kinds[CALL_RECOMMEND].errors[VT_DEADLINE] = 3;
    load_result_sum(result);
    json_t *object = report_json(&options, result, NULL);
    assert_true(number(object, "rate") == 1000);
    assert_true(number(object, "sent") == 200 && number(object, "ok") == 200);
    assert_true(number(object, "degraded") == 0 && number(object, "goodput") == 100);
    assert_true(number(json_object_get(object, "errors"), "DeadlineExceeded") == 3);
    const char *const quantiles[] = {"p50_us", "p90_us", "p99_us", "p999_us"};
    for (size_t i = 0; i < 4; i++)
        assert_true(number(object, quantiles[i]) >= 2000 && number(object, quantiles[i]) < 2025);
    assert_true(number(object, "max_us") == 2006);
    assert_true(json_is_object(json_object_get(object, "cpu")));
    json_decref(object);
    load_result_free(result);
}

static void write_report(uint64_t latency_ns, char path[32])
{
    struct load_result *result = make_result(latency_ns);
    json_t *object = report_json(&options, result, NULL);
    snprintf(path, 32, "/tmp/vt-report-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(json_dumpfd(object, fd, 0), 0);
    close(fd);
    json_decref(object);
    load_result_free(result);
}

static void reports_are_compared_by_blocks_of_their_time_line(void **state)
{
    char a[32], b[32];
    const char *const paths[] = {a, b};
    struct comparison comparison;
    struct vt_diag diag = {0};
    (void)state;
    write_report(2 * MS, a);
    write_report(3 * MS, b);
    assert_ok(compare_reports(paths, &diag, &comparison));
    assert_false(comparison.paired);
    assert_int_equal(comparison.sides[0].n, COMPARE_BLOCKS);
    const struct ratio *p50 = &comparison.ratios[COMPARE_P50];
    assert_true(fabs(p50->value - 1.5) < 0.1 && p50->differs);
    const struct ratio *goodput = &comparison.ratios[COMPARE_GOODPUT];
    assert_true(fabs(goodput->a - 100) < 1e-6 && fabs(goodput->value - 1) < 1e-9);
    assert_false(goodput->differs);
    unlink(a);
    unlink(b);
}

static void what_is_no_report_is_refused_with_the_reason(void **state)
{
    static const char *const texts[] = {"", "[]", "{\"timeline\":[]}", "{\"duration_s\":1", "{}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char path[] = "/tmp/vt-report-XXXXXX";
        const char *const paths[] = {path, path};
        struct comparison comparison;
        struct vt_diag diag = {0};
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        close(fd);
        assert_code(compare_reports(paths, &diag, &comparison), VT_INVALID);
        assert_true(diag.text[0] != '\0');
        unlink(path);
    }
}

/* ---- pages ---- */

static char *slurp(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    return text;
}

static void a_page_stands_alone_and_escapes_what_came_from_outside(void **state)
{
    char path[] = "/tmp/vt-page-XXXXXX";
    struct vt_diag diag = {0};
    struct load_result *result = make_result(2 * MS);
    struct scrape *scrape = scrape_new();
    (void)state;
    assert_non_null(scrape);
    scrape_read_page(scrape, vt_slice_str("grpc_server_handled_total{a=\"<b>\"} 1\n"), 0);
    scrape_read_page(scrape, vt_slice_str("grpc_server_handled_total{a=\"<b>\"} 9\n"), 1);
    close(mkstemp(path));
    assert_ok(report_html_run(path, &options, result, scrape, &diag));
    const char *page = slurp(path);
    static const char *const must_not[] = {"<x>",      "a=\"<b>\"", "<script", "http://",
                                           "https://", "nan",       "inf"};
    for (size_t i = 0; i < sizeof must_not / sizeof must_not[0]; i++)
        if (strstr(page, must_not[i]) != NULL)
            fail_msg("the page has %s", must_not[i]);
    assert_non_null(strstr(page, "&lt;x&gt; &amp; &quot;y&quot;"));
    assert_non_null(strstr(page, "Latency by percentile"));
    scrape_free(scrape);
    load_result_free(result);
}

static void a_run_without_an_answer_still_gives_a_page(void **state)
{
    char path[] = "/tmp/vt-page-XXXXXX";
    struct vt_diag diag = {0};
    struct load_result *result = NULL;
    (void)state;
    assert_ok(load_result_new(1000, &result));
    load_result_sum(result);
    close(mkstemp(path));
    assert_ok(report_html_run(path, &options, result, NULL, &diag));
    assert_non_null(strstr(slurp(path), "nothing to draw"));
    load_result_free(result);
}

static void a_page_that_cannot_be_written_is_an_error(void **state)
{
    struct vt_diag diag = {0};
    struct load_result *result = make_result(MS);
    (void)state;
    assert_code(report_html_run("/nonexistent/x.html", &options, result, NULL, &diag), VT_INTERNAL);
    assert_code(report_html_run("/dev/full", &options, result, NULL, &diag), VT_INTERNAL);
    load_result_free(result);
}

/* ---- steps of a sweep ---- */

static void a_step_is_held_when_it_is_answered_in_full_and_about_as_fast(void **state)
{
    const struct sweep_plan plan = {.p99_factor = 10};
    const struct sweep_step lowest = {.rate = 100, .good_share = 1, .p99_us = 500};
    struct sweep_step step = {.rate = 1000, .good_share = 0.98, .p99_us = 5000};
    (void)state;
    assert_true(sweep_is_held(&plan, &lowest, &step));
    step.p99_us = 5001;
    assert_false(sweep_is_held(&plan, &lowest, &step));
    step.p99_us = 5000;
    step.good_share = 0.979;
    assert_false(sweep_is_held(&plan, &lowest, &step));
    step.good_share = 1;
    step.errors = 1;
    assert_false(sweep_is_held(&plan, &lowest, &step));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_the_keys_that_scripts_rely_on),
        cmocka_unit_test(reports_are_compared_by_blocks_of_their_time_line),
        cmocka_unit_test(what_is_no_report_is_refused_with_the_reason),
        cmocka_unit_test(a_page_stands_alone_and_escapes_what_came_from_outside),
        cmocka_unit_test(a_run_without_an_answer_still_gives_a_page),
        cmocka_unit_test(a_page_that_cannot_be_written_is_an_error),
        cmocka_unit_test(a_step_is_held_when_it_is_answered_in_full_and_about_as_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
