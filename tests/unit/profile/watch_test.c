/* Readers of the catalog's changes: who is too slow and how it comes back, what a reader hears
 * after an absence, and 100 of them cut off at random points while another thread writes. */
#include "services/profile/watchers.h"
#include "tests/unit/profile/fixture.h"
#include "tests/unit/profile/table_testlib.h"

enum {
    N_SKUS = 60,
    CUTS = 100,
    STEPS_PER_CUT = 12,
    REOPEN_EVERY = 9, /* cuts */
    RING_CHANGES = 65536,
    BATCH = 1000,
    STALL_MS = 30000,
};

static struct vt_slice s(const char *text)
{
    return vt_slice_str(text);
}

static void upsert(struct fixture *f, const struct vt_item *items, uint32_t n, uint32_t mask)
{
    struct vt_upsert_result result;
    vt_profile_upsert_items(f->profile, &f->write, items, n, mask, &result);
    assert_ok(fixture_wait(f));
}

static void delete (struct fixture *f, struct vt_slice id)
{
    bool missing = false;
    struct vt_delete_result deleted = {.missing = &missing};
    vt_profile_delete_items(f->profile, &f->write, &id, 1, &deleted);
    assert_ok(fixture_wait(f));
}

/* Counts are told at most once a second, after a commit: the write after it finds them told. */
static void tell_counts(struct fixture *f)
{
    struct vt_item last = {.id = s("told"), .stock = 1};
    vt_clock_fake_advance_ms(&f->clock, 2000);
    upsert(f, &last, 1, 0);
    upsert(f, &last, 1, 0);
}

static void assert_has_all(struct fixture *f, struct reader *reader)
{
    struct reader fresh;
    reader_init(&fresh);
    reader_resume(&fresh, f->profile);
    reader_drain(&fresh);
    assert_int_equal(fresh.n_snapshots, 1);
    assert_tables_equal(fresh.table, reader->table);
    reader_fini(&fresh);
}

/* ---- too slow ---- */

static void update_prices(struct fixture *f, double price)
{
    static char ids[BATCH][8];
    static struct vt_item items[BATCH];
    vt_arena_reset(&f->arena);
    for (uint32_t i = 0; i < BATCH; i++) {
        snprintf(ids[i], sizeof ids[i], "p%u", i);
        items[i] = (struct vt_item){.id = s(ids[i]), .price = price, .stock = 1};
    }
    upsert(f, items, BATCH, 0);
}

static void reader_behind_the_ring_is_refused_and_comes_back_with_a_snapshot(void **state)
{
    struct fixture *f = *state;
    struct reader reader;
    struct vt_change change;
    uint32_t n = 0;
    reader_init(&reader);
    update_prices(f, 1);
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    for (uint32_t i = 0; i <= RING_CHANGES / BATCH; i++)
        update_prices(f, 2 + i);
    assert_ok(vt__watchers_chore(f->profile));
    assert_true(fixture_metric(f, "vitrine_catalog_watcher_lag_changes{watcher=\"0\"}") ==
                RING_CHANGES);
    assert_code(vt_watch_next(reader.watch, &reader.arena, 1, &change, &n), VT_EXHAUSTED);
    assert_true(fixture_metric(f, "vitrine_catalog_watchers_cut_total{reason=\"behind\"}") == 1);
    reader_cut(&reader);
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    assert_int_equal(reader.n_snapshots, 2);
    assert_has_all(f, &reader);
    reader_fini(&reader);
}

static void lag_is_counted_in_changes_and_not_in_events(void **state)
{
    struct fixture *f = *state;
    const char *lag = "vitrine_catalog_watcher_lag_changes{watcher=\"0\"}";
    struct vt_item mug = {.id = s("mug"), .stock = 1};
    struct reader reader;
    reader_init(&reader);
    upsert(f, &mug, 1, 0);
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mug"));
    assert_ok(vt__watchers_chore(f->profile));
    assert_true(fixture_metric(f, lag) == 0);
    for (int price = 1; price <= 3; price++) {
        mug.price = price;
        upsert(f, &mug, 1, 0);
    }
    assert_ok(vt__watchers_chore(f->profile));
    assert_true(fixture_metric(f, lag) == 3);
    reader_drain(&reader);
    assert_ok(vt__watchers_chore(f->profile));
    assert_true(fixture_metric(f, lag) == 0);
    assert_true(fixture_metric(f, "vitrine_catalog_watchers") == 1);
    reader_fini(&reader);
    assert_true(fixture_metric(f, "vitrine_catalog_watchers") == 0);
}

static bool count_stall(void *ctx)
{
    atomic_uint *n = ctx;
    atomic_fetch_add(n, 1);
    return true;
}

static void reader_that_does_not_ask_again_is_told_once_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    struct vt_item mug = {.id = s("mug"), .stock = 1};
    struct vt_watch *watch = NULL;
    struct vt_change changes[8];
    atomic_uint n_stalls = 0;
    uint32_t n = 0;
    upsert(f, &mug, 1, 0);
    assert_ok(vt_watch_open(f->profile, 0, NULL, &n_stalls, &watch));
    vt_watch_on_stall(watch, count_stall);
    assert_ok(vt_watch_next(watch, &f->arena, 8, changes, &n));
    assert_int_not_equal(n, 0);
    vt_clock_fake_advance_ms(&f->clock, STALL_MS);
    assert_ok(vt__watchers_chore(f->profile));
    assert_int_equal(atomic_load(&n_stalls), 0);
    vt_clock_fake_advance_ms(&f->clock, 1);
    assert_ok(vt__watchers_chore(f->profile));
    assert_true(atomic_load(&n_stalls) > 0);
    vt_watch_close(watch);
}

static void reader_that_has_all_may_rest_as_long_as_it_likes(void **state)
{
    struct fixture *f = *state;
    struct vt_watch *watch = NULL;
    struct vt_change changes[8];
    atomic_uint n_stalls = 0;
    assert_ok(vt_watch_open(f->profile, 0, NULL, &n_stalls, &watch));
    vt_watch_on_stall(watch, count_stall);
    for (uint32_t n = 1; n != 0;)
        assert_ok(vt_watch_next(watch, &f->arena, 8, changes, &n));
    vt_clock_fake_advance_ms(&f->clock, 10 * STALL_MS);
    assert_ok(vt__watchers_chore(f->profile));
    assert_int_equal(atomic_load(&n_stalls), 0);
    vt_watch_close(watch);
}

/* ---- after an absence ---- */

static void reader_hears_counts_of_before_a_restart(void **state)
{
    struct fixture *f = *state;
    struct reader reader;
    reader_init(&reader);
    upsert(f, &(struct vt_item){.id = s("mug"), .stock = 1}, 1, 0);
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    reader_cut(&reader);
    fixture_write(f, fixture_event(f, VT_EVENT_PURCHASE, "ann", "mug"));
    fixture_open(f);
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    assert_int_equal(reader.n_snapshots, 1);
    assert_true(vt_item_table_count(reader.table, 1) > 0);
    reader_fini(&reader);
}

static void wake_reader(void *ctx)
{
    atomic_uint *n = ctx;
    atomic_fetch_add(n, 1);
}

static void reader_that_came_back_to_nothing_new_is_woken_by_the_next_change(void **state)
{
    struct fixture *f = *state;
    struct vt_watch *watch = NULL;
    struct vt_change changes[8];
    struct vt_item mug = {.id = s("mug"), .stock = 1};
    atomic_uint n_wakes = 0;
    uint32_t n = 0;
    upsert(f, &mug, 1, 0);
    uint64_t sequence = vt_profile_sequence(f->profile);
    assert_ok(vt_watch_open(f->profile, sequence, wake_reader, &n_wakes, &watch));
    assert_ok(vt_watch_next(watch, &f->arena, 8, changes, &n));
    assert_int_equal(n, 0);
    mug.price = 2;
    upsert(f, &mug, 1, 0);
    assert_int_equal(atomic_load(&n_wakes), 1);
    assert_ok(vt_watch_next(watch, &f->arena, 8, changes, &n));
    assert_int_equal(n, 1);
    vt_watch_close(watch);
}

static void reader_knows_the_sku_of_an_item_that_came_and_went(void **state)
{
    struct fixture *f = *state;
    struct reader reader;
    reader_init(&reader);
    upsert(f, &(struct vt_item){.id = s("mug"), .stock = 1}, 1, 0);
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    reader_cut(&reader);
    upsert(f, &(struct vt_item){.id = s("cup"), .stock = 1}, 1, 0);
    delete (f, s("cup"));
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    assert_int_equal(vt_item_table_number(reader.table, s("cup")), 2);
    assert_int_equal(vt_item_table_n_described(reader.table), 1);
    assert_has_all(f, &reader);
    reader_fini(&reader);
}

/* ---- cut off at random points ---- */

struct shop {
    struct fixture *f;
    uint64_t random;
    uint32_t n_steps;
};

static uint32_t next(struct shop *shop, uint32_t below)
{
    shop->random = shop->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(shop->random >> 33) % below;
}

static struct vt_slice sku(struct shop *shop)
{
    return vt_arena_printf(&shop->f->arena, "sku %u", next(shop, N_SKUS));
}

static void write_entry(struct shop *shop)
{
    struct vt_arena *arena = &shop->f->arena;
    struct vt_attribute colour = {s("colour"), vt_arena_printf(arena, "%u", next(shop, 9))};
    struct vt_item item = {.id = sku(shop),
                           .title = vt_arena_printf(arena, "title %u", next(shop, 5)),
                           .categories = {s("all"), vt_arena_printf(arena, "c%u", next(shop, 4))},
                           .n_categories = next(shop, 3),
                           .price = next(shop, 1000),
                           .stock = (int64_t)next(shop, 5) - 1,
                           .available_from_ms = next(shop, 2) * FIXTURE_NOW_MS,
                           .attributes = &colour,
                           .n_attributes = next(shop, 2)};
    upsert(shop->f, &item, 1, 0);
}

/* Unknown and deleted items refuse it. */
static void write_price(struct shop *shop)
{
    struct vt_item item = {.id = sku(shop), .price = next(shop, 1000), .stock = next(shop, 9)};
    struct vt_upsert_result result;
    vt_profile_upsert_items(shop->f->profile, &shop->f->write, &item, 1,
                            VT_ITEM_PRICE | VT_ITEM_STOCK, &result);
    struct vt_err err = fixture_wait(shop->f);
    assert_true(!vt_failed(err) || err.code == VT_NOT_FOUND);
}

static void write_event(struct shop *shop)
{
    static const enum vt_event_type types[] = {VT_EVENT_VIEW, VT_EVENT_PURCHASE, VT_EVENT_DISLIKE,
                                               VT_EVENT_RETURN};
    struct vt_event event = fixture_event(shop->f, types[next(shop, 4)], "ann", "");
    event.item_id = sku(shop);
    fixture_write(shop->f, event);
}

static void *write_steps(void *ctx)
{
    struct shop *shop = ctx;
    for (uint32_t i = 0; i < shop->n_steps; i++) {
        vt_arena_reset(&shop->f->arena);
        uint32_t kind = next(shop, 10);
        if (kind < 3)
            write_entry(shop);
        else if (kind < 6)
            write_price(shop);
        else if (kind < 8)
            delete (shop->f, sku(shop));
        else
            write_event(shop);
    }
    return NULL;
}

/* Reads while the other thread writes, and leaves in the middle of what it was handed. */
static void read_some(struct reader *reader, struct shop *rhythm)
{
    for (uint32_t asks = next(rhythm, 20); asks > 0; asks--) {
        uint32_t max = 1 + next(rhythm, READER_CHANGES_MAX);
        uint32_t n = reader_take(reader, max, asks == 1 ? next(rhythm, max + 1) : max);
        if (n == 0)
            asks += next(rhythm, 2); /* stays a little longer where it has all */
    }
}

static void reader_cut_100_times_ends_with_the_writers_table(void **state)
{
    struct fixture *f = *state;
    struct shop shop = {.f = f, .random = 20251123}, rhythm = {.random = 4};
    struct reader reader;
    pthread_t writer;
    reader_init(&reader);
    for (uint32_t cut = 1; cut <= CUTS; cut++) {
        shop.n_steps = next(&rhythm, STEPS_PER_CUT);
        reader_resume(&reader, f->profile);
        assert_int_equal(pthread_create(&writer, NULL, write_steps, &shop), 0);
        read_some(&reader, &rhythm);
        reader_cut(&reader);
        assert_int_equal(pthread_join(writer, NULL), 0);
        vt_clock_fake_advance_ms(&f->clock, 500);
        if (cut % REOPEN_EVERY == 0)
            fixture_open(f);
    }
    tell_counts(f);
    reader_resume(&reader, f->profile);
    reader_drain(&reader);
    assert_has_all(f, &reader);
    reader_fini(&reader);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(reader_behind_the_ring_is_refused_and_comes_back_with_a_snapshot),
        TEST(lag_is_counted_in_changes_and_not_in_events),
        TEST(reader_that_does_not_ask_again_is_told_once_its_time_is_over),
        TEST(reader_that_has_all_may_rest_as_long_as_it_likes),
        TEST(reader_hears_counts_of_before_a_restart),
        TEST(reader_that_came_back_to_nothing_new_is_woken_by_the_next_change),
        TEST(reader_knows_the_sku_of_an_item_that_came_and_went),
        TEST(reader_cut_100_times_ends_with_the_writers_table),
    };
    return cmocka_run_group_tests_name("profile/watch", tests, NULL, NULL);
}
