/* A real store in the same process followed into a table: the snapshot, then each change, and an
 * orderly end while nothing happens. The thread is the follower's own: run under ThreadSanitizer
 * too (pthread_create). */
#include "services/common/base/clock.h"
#include "services/node/item_follower.h"
#include "tests/testlib/testlib.h"

#include <sched.h>
#include <stdatomic.h>

static char *folder;
static struct vt_profile *profile;
static struct vt_item_table *table;
static struct vt_item_follower *follower;
static struct vt_diag diag;

static void on_written(void *ctx, struct vt_err err)
{
    atomic_bool *written = ctx;
    assert_false(vt_failed(err));
    atomic_store(written, true);
}

static void upsert(const char *id)
{
    static unsigned char memory[64 << 10];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_request request = {.arena = &arena, .deadline_ns = INT64_MAX};
    struct vt_item item = {.id = vt_slice_str(id), .title = vt_slice_str("Mug"), .stock = -1};
    struct vt_upsert_result result = {0};
    atomic_bool written = false;
    const struct vt_profile_write write = {
        .request = &request, .done = on_written, .ctx = &written};
    vt_profile_upsert_items(profile, &write, &item, 1, 0, &result);
    while (!atomic_load(&written))
        sched_yield();
    assert_int_equal(result.inserted, 1);
}

/* Until the table is complete and the popular list holds `n` items: the list is the last thing that
 * the follower makes after a burst. */
static void wait_for_popular(uint32_t n)
{
    for (bool there = false; !there; sched_yield()) {
        uint32_t n_popular = 0;
        unsigned ticket = vt_item_table_enter(table);
        vt_item_table_popular(table, &n_popular);
        there = vt_item_table_ready(table) && n_popular == n;
        vt_item_table_leave(table, ticket);
    }
}

static int begin(void **state)
{
    (void)state;
    folder = vt_test_folder_new();
    struct vt_profile_options options = {
        .data_dir = folder, .clock = vt_clock_system(), .create = true};
    assert_ok(vt_profile_open(&options, &diag, &profile));
    assert_ok(vt_item_table_new(&table));
    return 0;
}

static int end(void **state)
{
    (void)state;
    vt_item_follower_stop(follower);
    follower = NULL;
    vt_profile_close(profile);
    vt_item_table_free(table);
    vt_test_folder_remove(folder);
    return 0;
}

static void follower_gets_the_snapshot_then_changes(void **state)
{
    (void)state;
    upsert("mug-1");
    upsert("mug-2");
    assert_false(vt_item_table_ready(table));
    assert_ok(vt_item_follower_start(profile, table, &follower));
    wait_for_popular(2);
    upsert("mug-3");
    wait_for_popular(3);
    unsigned ticket = vt_item_table_enter(table);
    assert_int_not_equal(vt_item_table_number(table, vt_slice_str("mug-3")), 0);
    vt_item_table_leave(table, ticket);
}

static void empty_catalog_is_complete_at_once(void **state)
{
    (void)state;
    assert_ok(vt_item_follower_start(profile, table, &follower));
    wait_for_popular(0);
    assert_int_equal(vt_item_table_n_described(table), 0);
}

static void follower_that_stopped_applies_nothing_more(void **state)
{
    (void)state;
    upsert("mug-1");
    assert_ok(vt_item_follower_start(profile, table, &follower));
    wait_for_popular(1);
    vt_item_follower_stop(follower);
    follower = NULL;
    upsert("mug-2");
    assert_int_equal(vt_item_table_n_described(table), 1);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(follower_gets_the_snapshot_then_changes),
        TEST(empty_catalog_is_complete_at_once),
        TEST(follower_that_stopped_applies_nothing_more),
    };
    return cmocka_run_group_tests_name("node/item_follower", tests, NULL, NULL);
}
