/* Prometheus pages as servers write them, and as they should not be. */
#include "loadtest/scrape.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>

static int make(void **state)
{
    *state = scrape_new();
    return *state == NULL;
}

static int drop(void **state)
{
    scrape_free(*state);
    return 0;
}

static void read_page(struct scrape *scrape, const char *page, double t_s)
{
    scrape_read_page(scrape, vt_slice_str(page), t_s);
}

static void series_keep_their_first_and_newest_value(void **state)
{
    struct scrape *scrape = *state;
    read_page(scrape, "# HELP a b\n# TYPE a counter\na{x=\"1\"} 5\nb 2.5e3\n", 0);
    read_page(scrape, "a{x=\"1\"} 7\nb 2500\nc 3 1700000000\n", 1);
    assert_int_equal(scrape->n_series, 3);
    assert_string_equal(scrape->series[0].name, "a{x=\"1\"}");
    assert_true(scrape->series[0].before == 5 && scrape->series[0].after == 7);
    assert_true(scrape->series[2].before == 0 && scrape->series[2].after == 3);
}

static void families_are_summed_over_their_labels(void **state)
{
    struct scrape *scrape = *state;
    read_page(scrape,
              "grpc_server_handled_total{grpc_code=\"OK\"} 10\n"
              "grpc_server_handled_total{grpc_code=\"Unknown\"} 4\n"
              "grpc_server_handled_total_other 100\n",
              2.5);
    assert_true(scrape->has_track[SCRAPE_HANDLED] && !scrape->has_track[SCRAPE_CPU]);
    assert_true(scrape->tracks[SCRAPE_HANDLED][0] == 14);
    assert_true(scrape->t_s[0] == 2.5);
}

static void braces_and_blanks_inside_of_quotes_belong_to_the_name(void **state)
{
    struct scrape *scrape = *state;
    read_page(scrape, "a{x=\"} 1 \\\" {\"} 9\n", 0);
    assert_int_equal(scrape->n_series, 1);
    assert_string_equal(scrape->series[0].name, "a{x=\"} 1 \\\" {\"}");
    assert_true(scrape->series[0].after == 9);
}

static void lines_that_are_no_samples_are_passed_over(void **state)
{
    struct scrape *scrape = *state;
    read_page(scrape, "\n \na\na \na x\na NaN\na +Inf\na{x=\"1 2\n{\n#\n a 1\nok 1", 0);
    assert_int_equal(scrape->n_series, 1);
    assert_string_equal(scrape->series[0].name, "ok");
}

static void series_past_the_limit_and_long_names_are_passed_over(void **state)
{
    struct scrape *scrape = *state;
    char line[SCRAPE_NAME_MAX + 16];
    for (int i = 0; i <= SCRAPE_SERIES_MAX; i++) {
        snprintf(line, sizeof line, "s%d 1\n", i);
        read_page(scrape, line, i);
    }
    assert_int_equal(scrape->n_series, SCRAPE_SERIES_MAX);
    assert_int_equal(scrape->n_points, SCRAPE_POINTS_MAX);
}

static void the_longest_name_is_kept_and_a_longer_one_is_not(void **state)
{
    struct scrape *scrape = *state;
    char line[SCRAPE_NAME_MAX + 16];
    memset(line, 'n', sizeof line);
    snprintf(line + SCRAPE_NAME_MAX - 1, 4, " 1\n");
    read_page(scrape, line, 0);
    assert_int_equal(scrape->n_series, 1);
    memset(line, 'm', sizeof line);
    snprintf(line + SCRAPE_NAME_MAX, 4, " 1\n");
    read_page(scrape, line, 1);
    assert_int_equal(scrape->n_series, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_SCRAPE(test_) cmocka_unit_test_setup_teardown(test_, make, drop)
        WITH_SCRAPE(series_keep_their_first_and_newest_value),
        WITH_SCRAPE(families_are_summed_over_their_labels),
        WITH_SCRAPE(braces_and_blanks_inside_of_quotes_belong_to_the_name),
        WITH_SCRAPE(lines_that_are_no_samples_are_passed_over),
        WITH_SCRAPE(series_past_the_limit_and_long_names_are_passed_over),
        WITH_SCRAPE(the_longest_name_is_kept_and_a_longer_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
