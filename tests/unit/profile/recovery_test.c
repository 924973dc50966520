#include "services/common/catalog/item_table.h"
#include "tests/unit/profile/fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

/*
 * A write that fails in the middle, and what comes after. The failure is a limit on the size of
 * files (RLIMIT_FSIZE): a write beyond it is cut off as on a full disk, on any machine and for any
 * user. RocksDB's own log, which is small, stays below it.
 */

enum {
    LIMIT_BYTES = 3 << 20,
    ITEMS_PER_CALL = 1000,
    TITLE_BYTES = 900,
    POLL_MS = 5,
    POLLS_MAX = 4000,
    CALLS_MAX = 20,
};

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int setup(void **state)
{
    signal(SIGXFSZ, SIG_IGN);
    return fixture_setup(state);
}

static int teardown(void **state)
{
    limit_files(RLIM_INFINITY);
    return fixture_teardown(state);
}

/* One call's worth of items, new ones in each call, that do not compress. */
static struct vt_err write_items(struct fixture *f, unsigned call)
{
    vt_arena_reset(&f->arena);
    struct vt_item *items = vt_arena_array(&f->arena, ITEMS_PER_CALL, sizeof *items);
    struct vt_upsert_result result = {0};
    unsigned noise = call * 2654435761u + 1;
    for (unsigned i = 0; i < ITEMS_PER_CALL; i++) {
        char *title = vt_arena_array(&f->arena, TITLE_BYTES, 1);
        for (unsigned k = 0; k < TITLE_BYTES; k++)
            title[k] = (char)('0' + (noise = noise * 1664525u + 1013904223u) / 67108864u);
        items[i] = (struct vt_item){.id = vt_arena_printf(&f->arena, "item %u-%u", call, i),
                                    .title = vt_slice(title, TITLE_BYTES)};
    }
    vt_profile_upsert_items(f->profile, &f->write, items, ITEMS_PER_CALL, 0, &result);
    return fixture_wait(f);
}

static bool has_item(struct fixture *f, unsigned call, unsigned i)
{
    struct vt_item item;
    bool found = false;
    size_t used = f->arena.used;
    assert_ok(vt_profile_get_item(f->profile, &f->request,
                                  vt_arena_printf(&f->arena, "item %u-%u", call, i), 0, &item,
                                  &found));
    f->arena.used = used;
    return found;
}

/* Writes until a write fails; returns how many were acknowledged. */
static unsigned write_until_it_fails(struct fixture *f)
{
    unsigned n = 0;
    limit_files(LIMIT_BYTES);
    while (n < CALLS_MAX && !vt_failed(write_items(f, n)))
        n++;
    assert_true(n > 0 && n < CALLS_MAX);
    return n;
}

static void wait_for_recovery(struct fixture *f)
{
    for (unsigned i = 0; fixture_metric(f, "vitrine_store_recoveries_total") < 1; i++) {
        assert_true(i < POLLS_MAX);
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000 * 1000}, NULL);
    }
}

static double refused(struct fixture *f)
{
    return fixture_metric(f, "vitrine_store_writes_refused{reason=\"failed\"}");
}

static void writes_come_back_by_themselves_with_all_that_was_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct vt_event before = fixture_event(f, VT_EVENT_VIEW, "ann", "item 0-0");
    before.event_id = vt_slice_str("before"); /* the arena is reset below */
    assert_int_equal(fixture_write(f, before).outcome, VT_EVENT_ACCEPTED);
    unsigned n = write_until_it_fails(f);
    assert_code(write_items(f, n + 1), VT_UNAVAILABLE);
    assert_true(refused(f) > 0);
    assert_int_equal(fixture_get(f, "ann").n_events, 1);
    limit_files(RLIM_INFINITY);
    wait_for_recovery(f);
    assert_true(refused(f) < 1);
    assert_ok(write_items(f, n));
    for (unsigned call = 0; call <= n; call++)
        assert_true(has_item(f, call, 0) && has_item(f, call, ITEMS_PER_CALL - 1));
    assert_false(has_item(f, n + 1, 0)); /* nobody was told it was written */
    assert_int_equal(fixture_write(f, before).outcome, VT_EVENT_DUPLICATE);
    assert_int_equal(fixture_n_learned(f), 1);
}

/* ---- followers ---- */

static void follow(struct fixture *f, struct vt_watch *watch, struct vt_item_table *table)
{
    struct vt_change changes[64];
    uint32_t n = 1;
    while (n != 0) {
        vt_arena_reset(&f->arena);
        assert_ok(vt_watch_next(watch, &f->arena, 64, changes, &n));
        for (uint32_t i = 0; i < n; i++)
            assert_ok(vt_change_apply(&changes[i], table));
    }
}

static void assert_same_tables(const struct vt_item_table *a, const struct vt_item_table *b)
{
    uint32_t n = vt_item_table_max_number(a);
    assert_int_equal(n, vt_item_table_max_number(b));
    assert_int_equal(vt_item_table_n_described(a), vt_item_table_n_described(b));
    for (uint32_t i = 1; i <= n; i++)
        assert_true(vt_slice_equal(vt_item_table_id(a, i), vt_item_table_id(b, i)));
}

static void follower_of_before_the_failure_ends_with_the_table_of_one_after(void **state)
{
    struct fixture *f = *state;
    struct vt_item_table *old_table = NULL, *new_table = NULL;
    struct vt_watch *old_watch = NULL, *new_watch = NULL;
    assert_ok(vt_item_table_new(&old_table));
    assert_ok(vt_item_table_new(&new_table));
    assert_ok(vt_watch_open(f->profile, 0, NULL, NULL, &old_watch));
    follow(f, old_watch, old_table);
    unsigned n = write_until_it_fails(f);
    follow(f, old_watch, old_table);
    limit_files(RLIM_INFINITY);
    wait_for_recovery(f);
    assert_ok(write_items(f, n + 1)); /* takes the numbers that the failed one had been given */
    follow(f, old_watch, old_table);
    assert_ok(vt_watch_open(f->profile, 0, NULL, NULL, &new_watch));
    follow(f, new_watch, new_table);
    assert_same_tables(old_table, new_table);
    vt_watch_close(old_watch);
    vt_watch_close(new_watch);
    vt_item_table_free(old_table);
    vt_item_table_free(new_table);
}

/* ---- before it comes so far ---- */

static void writes_are_refused_when_space_is_low_and_reads_are_not(void **state)
{
    struct fixture *f = *state;
    struct vt_event_result result = {0};
    struct vt_event event = fixture_event(f, VT_EVENT_VIEW, "ann", "cup");
    assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_ACCEPTED);
    f->options.free_space_min_bytes = UINT64_C(1) << 60;
    fixture_open(f);
    vt_profile_write_events(f->profile, &f->write, &event, 1, &result);
    assert_code(fixture_wait(f), VT_EXHAUSTED);
    assert_non_null(strstr(f->diag.text, "--free-space-min"));
    assert_int_equal(fixture_get(f, "ann").n_events, 1);
    assert_true(fixture_metric(f, "vitrine_store_writes_refused{reason=\"free_space\"}") > 0);
    assert_true(fixture_metric(f, "vitrine_store_free_bytes") >= 0);
    f->options.free_space_min_bytes = 1;
    fixture_open(f);
    assert_int_equal(fixture_write(f, event).outcome, VT_EVENT_DUPLICATE);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(writes_come_back_by_themselves_with_all_that_was_acknowledged),
        TEST(follower_of_before_the_failure_ends_with_the_table_of_one_after),
        TEST(writes_are_refused_when_space_is_low_and_reads_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
