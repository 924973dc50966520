/* What the cache keeps, and that a set never says what the filter would not say of the catalog of
 * the moment: items change between look-ups, a few or very many, and grow beyond the set. */
#include "services/common/base/metrics.h"
#include "services/common/catalog/filter_cache.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { N_ITEMS = 3000, ARENA_BYTES = 64 << 10 };
#define CHEAP "price < 10 and stock > 0"

struct fixture {
    struct vt_item_table *items;
    struct vt_metrics *metrics;
    struct vt_filter_cache *cache;
    struct vt_arena arena;
};

static void put(struct vt_item_table *items, uint32_t number, double price, int64_t stock)
{
    char id[16];
    (void)snprintf(id, sizeof id, "sku-%u", number);
    assert_ok(vt_item_table_upsert(
        items, &(struct vt_item){
                   .number = number, .id = vt_slice_str(id), .price = price, .stock = stock}));
}

static int begin(void **state)
{
    static struct fixture fixture;
    assert_ok(vt_item_table_new(&fixture.items));
    for (uint32_t number = 1; number <= N_ITEMS; number++)
        put(fixture.items, number, number % 20, number % 3);
    assert_ok(vt_metrics_new(&fixture.metrics));
    assert_ok(vt_filter_cache_new(fixture.metrics, &fixture.cache));
    assert_true(vt_arena_init_owned(&fixture.arena, ARENA_BYTES));
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    vt_filter_cache_free(fixture->cache);
    vt_metrics_free(fixture->metrics);
    vt_item_table_free(fixture->items);
    vt_arena_fini(&fixture->arena);
    return 0;
}

static struct vt_filter_lease acquire(struct fixture *fixture, const char *text)
{
    struct vt_filter_lease lease;
    vt_arena_reset(&fixture->arena);
    assert_ok(vt_filter_acquire(fixture->cache, fixture->items, vt_slice_str(text), &fixture->arena,
                                NULL, &lease));
    return lease;
}

/* Asked until it has its set. */
static struct vt_filter_lease acquire_set(struct fixture *fixture, const char *text)
{
    struct vt_filter_lease lease = acquire(fixture, text);
    vt_filter_release(&lease);
    lease = acquire(fixture, text);
    assert_non_null(lease.set);
    return lease;
}

static void assert_right(struct fixture *fixture, const char *text)
{
    struct vt_filter_lease lease = acquire_set(fixture, text);
    uint32_t last = vt_item_table_max_number(fixture->items), next = 0;
    for (uint32_t number = 1; number <= last; number++) {
        bool expected = vt_filter_matches(lease.filter, fixture->items, number, 0);
        if (vt_filter_passes(&lease, fixture->items, number, 0) != expected)
            fail_msg("item %u: not %d", number, expected);
        assert_int_equal(vt_filter_set_word(lease.set, number) & 1, expected);
        if (expected) {
            assert_int_equal(vt_filter_set_next(lease.set, next + 1), number);
            next = number;
        }
    }
    assert_int_equal(vt_filter_set_next(lease.set, next + 1), 0);
    vt_filter_release(&lease);
}

static uint64_t count(struct fixture *fixture, const char *name, const char *labels)
{
    return vt_counter_value(vt_metrics_counter(fixture->metrics, name, "", labels));
}

static void no_filter_lets_all_pass(void **state)
{
    struct fixture *fixture = *state;
    struct vt_filter_lease lease = acquire(fixture, "");
    assert_null(lease.filter);
    assert_true(vt_filter_passes(&lease, fixture->items, 5, 0));
    vt_filter_release(&lease);
}

static void a_set_is_right_after_any_change(void **state)
{
    struct fixture *fixture = *state;
    assert_right(fixture, CHEAP);
    put(fixture->items, 4, 4, 0); /* sold out */
    assert_right(fixture, CHEAP);
    put(fixture->items, 19, 1, 1); /* cheap now */
    vt_item_table_delete(fixture->items, 1);
    assert_right(fixture, CHEAP);
    assert_int_equal(count(fixture, "vitrine_filter_passes_total", ""),
                     1); /* followed, not made anew */
    for (uint32_t number = 1; number <= N_ITEMS; number++)
        put(fixture->items, number, 5, number % 2);
    assert_right(fixture, CHEAP);
    for (uint32_t round = 0; round < 3; round++) /* the list of changes goes round */
        for (uint32_t number = 1; number <= N_ITEMS; number++)
            put(fixture->items, number, number % 20, round);
    assert_right(fixture, CHEAP);
    put(fixture->items, 2 * N_ITEMS, 1, 1); /* beyond the set */
    assert_right(fixture, CHEAP);
}

static void what_is_asked_once_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    char text[64];
    struct vt_filter_lease kept = acquire_set(fixture, CHEAP);
    for (uint32_t i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof text, "price < %u", i);
        struct vt_filter_lease lease = acquire(fixture, text);
        assert_null(lease.entry);
        assert_null(lease.set);
        vt_filter_release(&lease);
    }
    assert_int_equal(count(fixture, "vitrine_filter_passes_total", ""), 1);
    uint64_t hits = count(fixture, "vitrine_filters_total", "result=\"hit\"");
    vt_filter_release(&kept);
    kept = acquire(fixture, CHEAP);
    assert_non_null(kept.set);
    assert_int_equal(count(fixture, "vitrine_filters_total", "result=\"hit\""), hits + 1);
    vt_filter_release(&kept);
}

static void a_lease_outlives_its_place_in_the_cache(void **state)
{
    struct fixture *fixture = *state;
    char text[64];
    struct vt_filter_lease kept = acquire_set(fixture, CHEAP);
    for (uint32_t i = 0; i < 20 * VT_FILTER_CACHED_MAX; i++) {
        (void)snprintf(text, sizeof text, "price < %u", i);
        struct vt_filter_lease lease = acquire_set(fixture, text);
        vt_filter_release(&lease);
    }
    for (uint32_t number = 1; number <= N_ITEMS; number++)
        assert_int_equal(vt_filter_passes(&kept, fixture->items, number, 0),
                         vt_filter_matches(kept.filter, fixture->items, number, 0));
    vt_filter_release(&kept);
}

static void a_filter_of_age_is_kept_without_a_set(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 3; i++) {
        struct vt_filter_lease lease = acquire(fixture, "age < 3");
        assert_null(lease.set);
        assert_int_equal(lease.entry != NULL, i > 0);
        vt_filter_release(&lease);
    }
}

static void a_wrong_filter_is_refused_and_counted(void **state)
{
    struct fixture *fixture = *state;
    struct vt_filter_lease lease;
    assert_code(vt_filter_acquire(fixture->cache, fixture->items, vt_slice_str("price <"),
                                  &fixture->arena, NULL, &lease),
                VT_INVALID);
    assert_null(lease.filter);
    assert_int_equal(count(fixture, "vitrine_filters_total", "result=\"refused\""), 1);
}

/* ---- threads ---- */

struct reader {
    struct fixture *fixture;
    atomic_bool *stop;
    uint32_t n_wrong;
};

/* Items 1 … 100 never change, whatever the writer does. */
static void *read_on(void *argument)
{
    struct reader *reader = argument;
    struct fixture *fixture = reader->fixture;
    struct vt_arena arena;
    reader->n_wrong = vt_arena_init_owned(&arena, ARENA_BYTES) ? 0 : 1;
    while (!atomic_load(reader->stop)) {
        struct vt_filter_lease lease;
        unsigned ticket = vt_item_table_enter(fixture->items);
        vt_arena_reset(&arena);
        struct vt_err err = vt_filter_acquire(fixture->cache, fixture->items, vt_slice_str(CHEAP),
                                              &arena, NULL, &lease);
        reader->n_wrong += vt_failed(err);
        for (uint32_t number = 1; number <= 100; number++)
            reader->n_wrong += vt_filter_passes(&lease, fixture->items, number, 0) !=
                               (number % 20 < 10 && number % 3 > 0);
        vt_filter_release(&lease);
        vt_item_table_leave(fixture->items, ticket);
    }
    vt_arena_fini(&arena);
    return NULL;
}

static void readers_beside_a_writer_are_never_wrong(void **state)
{
    enum { READERS = VT_FILTER_SHARDS + 2 }; /* some share a part */
    struct fixture *fixture = *state;
    pthread_t threads[READERS];
    struct reader readers[READERS];
    atomic_bool stop = false;
    for (int r = 0; r < READERS; r++) {
        readers[r] = (struct reader){.fixture = fixture, .stop = &stop};
        assert_int_equal(pthread_create(&threads[r], NULL, read_on, &readers[r]), 0);
    }
    for (uint32_t i = 0; i < 20000; i++)
        put(fixture->items, 101 + i % (2 * N_ITEMS), i % 20, i % 3);
    atomic_store(&stop, true);
    for (int r = 0; r < READERS; r++) {
        assert_int_equal(pthread_join(threads[r], NULL), 0);
        assert_int_equal(readers[r].n_wrong, 0);
    }
    assert_right(fixture, CHEAP);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(no_filter_lets_all_pass),
        CASE(a_set_is_right_after_any_change),
        CASE(what_is_asked_once_leaves_nothing),
        CASE(a_lease_outlives_its_place_in_the_cache),
        CASE(a_filter_of_age_is_kept_without_a_set),
        CASE(a_wrong_filter_is_refused_and_counted),
        CASE(readers_beside_a_writer_are_never_wrong),
    };
    return cmocka_run_group_tests_name("catalog/filter_cache", tests, NULL, NULL);
}
