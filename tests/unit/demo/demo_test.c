#include "services/common/base/file.h"
#include "services/demo/demo.h"
#include "services/demo/random.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 64 << 20 };

static struct vt_demo_options small(const char *folder)
{
    return (struct vt_demo_options){.out_dir = folder,
                                    .n_customers = 1500,
                                    .n_items = 400,
                                    .n_days = 30,
                                    .seed = 7,
                                    .last_day = "2026-06-30"};
}

static char *read_file(const char *folder, const char *name)
{
    char path[4200], *text;
    size_t len;
    struct vt_diag diag;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(vt_file_read(path, FILE_BYTES_MAX, &diag, &text, &len));
    return text;
}

static uint64_t count(const char *text, const char *needle)
{
    uint64_t n = 0;
    for (const char *at = text; (at = strstr(at, needle)) != NULL; at += strlen(needle))
        n++;
    return n;
}

static void demo_same_seed_gives_same_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"items.jsonl", "customers.jsonl", "channels.jsonl",
                                        "events.jsonl"};
    char *first = vt_test_folder_new(), *second = vt_test_folder_new();
    struct vt_demo_options options = small(first), again = small(second);
    struct vt_demo_summary summary;
    assert_ok(vt_demo_generate(&options, NULL, &summary));
    assert_ok(vt_demo_generate(&again, NULL, &summary));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *a = read_file(first, names[i]), *b = read_file(second, names[i]);
        assert_string_equal(a, b);
        free(a);
        free(b);
    }
    vt_test_folder_remove(first);
    vt_test_folder_remove(second);
}

static void demo_other_seed_gives_other_events(void **state)
{
    (void)state;
    char *first = vt_test_folder_new(), *second = vt_test_folder_new();
    struct vt_demo_options options = small(first), other = small(second);
    other.seed = 8;
    struct vt_demo_summary summary;
    assert_ok(vt_demo_generate(&options, NULL, &summary));
    assert_ok(vt_demo_generate(&other, NULL, &summary));
    char *a = read_file(first, "events.jsonl"), *b = read_file(second, "events.jsonl");
    assert_string_not_equal(a, b);
    free(a);
    free(b);
    vt_test_folder_remove(first);
    vt_test_folder_remove(second);
}

static void demo_summary_counts_the_dirt_that_is_in_the_file(void **state)
{
    (void)state;
    char *folder = vt_test_folder_new();
    struct vt_demo_options options = small(folder);
    struct vt_demo_summary summary;
    assert_ok(vt_demo_generate(&options, NULL, &summary));
    char *events = read_file(folder, "events.jsonl");
    assert_int_equal(count(events, "\n"), summary.n_events);
    assert_true(summary.dirt[VT_DIRT_UNKNOWN_TYPE] > 0);
    assert_int_equal(count(events, "\"purchse\""), summary.dirt[VT_DIRT_UNKNOWN_TYPE]);
    assert_int_equal(count(events, "\"quantity\":80995"), summary.dirt[VT_DIRT_HUGE_QUANTITY]);
    assert_int_equal(count(events, "\"EUR\""), summary.dirt[VT_DIRT_FOREIGN_CURRENCY]);
    assert_int_equal(count(events, "\"POST\"") + count(events, "\"DOT\""),
                     summary.dirt[VT_DIRT_FEE_EVENT]);
    free(events);
    vt_test_folder_remove(folder);
}

static void demo_refuses_options_out_of_range(void **state)
{
    (void)state;
    char *folder = vt_test_folder_new();
    struct vt_demo_options options = small(folder);
    struct vt_demo_summary summary;
    struct vt_diag diag;
    options.n_items = 99;
    assert_code(vt_demo_generate(&options, &diag, &summary), VT_INVALID);
    assert_string_equal(diag.field, "items");
    options.n_items = 100;
    options.last_day = "2026-02-30";
    assert_code(vt_demo_generate(&options, &diag, &summary), VT_INVALID);
    assert_string_equal(diag.field, "last-day");
    vt_test_folder_remove(folder);
}

static void random_draws_stay_within_bounds(void **state)
{
    (void)state;
    struct vt_random random;
    vt_random_init(&random, 1, 1);
    const double totals[] = {0.0, 1.0, 1.0, 3.0};
    uint32_t picked[4] = {0};
    for (int i = 0; i < 30000; i++) {
        assert_true(vt_random_below(&random, 7) < 7);
        double unit = vt_random_unit(&random);
        assert_true(unit >= 0 && unit < 1);
        picked[vt_random_pick(&random, totals, 4)]++;
    }
    assert_int_equal(picked[0], 0); /* no weight, never drawn */
    assert_int_equal(picked[2], 0);
    assert_true(picked[1] > 9000 && picked[1] < 11000); /* one third of the draws */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demo_same_seed_gives_same_bytes),
        cmocka_unit_test(demo_other_seed_gives_other_events),
        cmocka_unit_test(demo_summary_counts_the_dirt_that_is_in_the_file),
        cmocka_unit_test(demo_refuses_options_out_of_range),
        cmocka_unit_test(random_draws_stay_within_bounds),
    };
    return cmocka_run_group_tests_name("demo/demo", tests, NULL, NULL);
}
