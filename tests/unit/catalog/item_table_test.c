#include "services/common/catalog/item_table.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    struct vt_item_table *table = NULL;
    assert_ok(vt_item_table_new(&table));
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    vt_item_table_free(*state);
    return 0;
}

static struct vt_item item_of(uint32_t number, const char *id, const char *title)
{
    return (struct vt_item){.number = number,
                            .id = vt_slice_str(id),
                            .title = vt_slice_str(title),
                            .stock = 5,
                            .price = 2.5};
}

static void upserted_item_reads_back_whole(void **state)
{
    struct vt_item_table *table = *state;
    struct vt_attribute attribute = {vt_slice_str("colour"), vt_slice_str("red")};
    struct vt_item item = item_of(3, "mug", "Mug"), got;
    item.categories[0] = vt_slice_str("Kitchen");
    item.n_categories = 1;
    item.attributes = &attribute;
    item.n_attributes = 1;
    assert_ok(vt_item_table_upsert(table, &item));
    assert_true(vt_item_table_get(table, 3, &got));
    assert_true(vt_slice_equal(got.title, item.title));
    assert_true(vt_slice_equal(got.categories[0], item.categories[0]));
    assert_true(vt_slice_equal(got.attributes[0].value, attribute.value));
    assert_int_equal(got.stock, 5);
    assert_int_equal(vt_item_table_number(table, vt_slice_str("mug")), 3);
    assert_int_equal(vt_item_table_number(table, vt_slice_str("cup")), 0);
    assert_int_equal(vt_item_table_max_number(table), 3);
}

static void mentioned_item_has_a_number_and_is_not_recommendable(void **state)
{
    struct vt_item_table *table = *state;
    assert_ok(vt_item_table_mention(table, 7, vt_slice_str("pot")));
    assert_int_equal(vt_item_table_number(table, vt_slice_str("pot")), 7);
    assert_false(vt_item_table_recommendable(table, 7, 0));
    assert_false(vt_item_table_get(table, 7, &(struct vt_item){0}));
}

static void item_outside_stock_or_window_is_not_recommendable(void **state)
{
    struct vt_item_table *table = *state;
    struct vt_item item = item_of(1, "mug", "Mug");
    item.available_from_ms = 100;
    item.available_until_ms = 200;
    assert_ok(vt_item_table_upsert(table, &item));
    assert_false(vt_item_table_recommendable(table, 1, 99));
    assert_true(vt_item_table_recommendable(table, 1, 100));
    assert_false(vt_item_table_recommendable(table, 1, 200));
    item.stock = 0;
    assert_ok(vt_item_table_upsert(table, &item));
    assert_false(vt_item_table_recommendable(table, 1, 150));
    item.stock = -1;
    assert_ok(vt_item_table_upsert(table, &item));
    assert_true(vt_item_table_recommendable(table, 1, 150));
}

static void number_zero_and_beyond_the_limit_are_refused(void **state)
{
    struct vt_item zero = item_of(0, "mug", "Mug"), beyond = item_of(UINT32_MAX, "mug", "Mug");
    assert_code(vt_item_table_upsert(*state, &zero), VT_INVALID);
    assert_code(vt_item_table_upsert(*state, &beyond), VT_EXHAUSTED);
}

static void ids_of_many_are_those_of_each_and_empty_of_the_unknown(void **state)
{
    struct vt_item mug = item_of(1, "mug", "Mug"), cup = item_of(5000, "cup", "Cup");
    const uint32_t numbers[] = {5000, 0, 1, 2, UINT32_MAX, 5000};
    struct vt_slice ids[6];
    assert_ok(vt_item_table_upsert(*state, &mug));
    assert_ok(vt_item_table_upsert(*state, &cup));
    vt_item_table_ids(*state, numbers, 6, ids);
    for (uint32_t i = 0; i < 6; i++)
        assert_true(vt_slice_equal(ids[i], vt_item_table_id(*state, numbers[i])));
    assert_true(vt_slice_equal(ids[5], vt_slice_str("cup")));
    assert_int_equal(ids[3].len, 0);
}

static void snapshot_deletes_what_it_does_not_mention(void **state)
{
    struct vt_item_table *table = *state;
    struct vt_item mug = item_of(1, "mug", "Mug"), cup = item_of(2, "cup", "Cup");
    assert_false(vt_item_table_ready(table));
    assert_ok(vt_item_table_upsert(table, &mug));
    assert_ok(vt_item_table_upsert(table, &cup));
    vt_item_table_snapshot_begin(table);
    assert_ok(vt_item_table_upsert(table, &cup));
    vt_item_table_snapshot_done(table);
    assert_true(vt_item_table_ready(table));
    assert_int_equal(vt_item_table_n_described(table), 1);
    assert_false(vt_item_table_recommendable(table, 1, 0));
    assert_true(vt_slice_equal(vt_item_table_id(table, 1), vt_slice_str("mug")));
}

static void popular_list_is_by_count_then_number(void **state)
{
    struct vt_item_table *table = *state;
    static const float counts[] = {0, 1, 5, 5, 3};
    char id[16];
    uint32_t n = 0;
    for (uint32_t number = 1; number <= 4; number++) {
        snprintf(id, sizeof id, "sku-%u", number);
        struct vt_item item = item_of(number, id, "x");
        assert_ok(vt_item_table_upsert(table, &item));
        vt_item_table_set_count(table, number, counts[number]);
    }
    vt_item_table_delete(table, 4);
    vt_item_table_refresh_popular(table);
    const uint32_t *popular = vt_item_table_popular(table, &n);
    assert_int_equal(n, 3);
    assert_int_equal(popular[0], 2);
    assert_int_equal(popular[1], 3);
    assert_int_equal(popular[2], 1);
}

static void popular_list_keeps_the_best_thousand(void **state)
{
    struct vt_item_table *table = *state;
    char id[16];
    uint32_t n = 0;
    for (uint32_t number = 1; number <= 2500; number++) {
        snprintf(id, sizeof id, "sku-%u", number);
        struct vt_item item = item_of(number, id, "x");
        assert_ok(vt_item_table_upsert(table, &item));
        vt_item_table_set_count(table, number, (float)(number * 7 % 2500));
    }
    vt_item_table_refresh_popular(table);
    const uint32_t *popular = vt_item_table_popular(table, &n);
    assert_int_equal(n, 1000);
    for (uint32_t i = 1; i < n; i++)
        assert_true(popular[i - 1] * 7 % 2500 > popular[i] * 7 % 2500);
    assert_int_equal(popular[0] * 7 % 2500, 2499);
}

/* ---- readers while the writer rewrites: for ThreadSanitizer and AddressSanitizer ---- */

enum { READERS = 3, ITEMS = 500, ROUNDS = 60 };

struct race {
    struct vt_item_table *table;
    atomic_bool stop;
    atomic_uint wrong;
};

static void read_item(struct race *race, uint32_t number)
{
    struct vt_item item;
    char expected[16];
    snprintf(expected, sizeof expected, "sku-%u", number);
    if (vt_item_table_get(race->table, number, &item)) {
        bool same = vt_slice_equal(item.id, vt_slice_str(expected)) &&
                    vt_slice_equal(item.title, item.brand);
        bool found = vt_item_table_number(race->table, item.id) == number;
        atomic_fetch_add(&race->wrong, same && found ? 0 : 1);
    }
}

static void *reader_main(void *context)
{
    struct race *race = context;
    for (uint32_t i = 0; !atomic_load(&race->stop); i++) {
        uint32_t n = 0;
        unsigned ticket = vt_item_table_enter(race->table);
        read_item(race, i % ITEMS + 1);
        const uint32_t *popular = vt_item_table_popular(race->table, &n);
        atomic_fetch_add(&race->wrong, n != 0 && popular[n - 1] == 0 ? 1 : 0);
        vt_item_table_leave(race->table, ticket);
    }
    return NULL;
}

static void rewrite_all(struct vt_item_table *table, uint32_t round)
{
    char id[16], text[32];
    for (uint32_t number = 1; number <= ITEMS; number++) {
        snprintf(id, sizeof id, "sku-%u", number);
        snprintf(text, sizeof text, "title %u of %u", round, number);
        struct vt_item item = item_of(number, id, text);
        item.brand = item.title;
        assert_ok(vt_item_table_upsert(table, &item));
        if ((number + round) % 7 == 0)
            vt_item_table_delete(table, number);
    }
    vt_item_table_refresh_popular(table);
}

static void readers_see_whole_texts_while_the_writer_rewrites(void **state)
{
    struct race race = {.table = *state};
    pthread_t readers[READERS];
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, reader_main, &race), 0);
    for (uint32_t round = 0; round < ROUNDS; round++)
        rewrite_all(*state, round);
    atomic_store(&race.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&race.wrong), 0);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(upserted_item_reads_back_whole),
        TEST(mentioned_item_has_a_number_and_is_not_recommendable),
        TEST(item_outside_stock_or_window_is_not_recommendable),
        TEST(number_zero_and_beyond_the_limit_are_refused),
        TEST(ids_of_many_are_those_of_each_and_empty_of_the_unknown),
        TEST(snapshot_deletes_what_it_does_not_mention),
        TEST(popular_list_is_by_count_then_number),
        TEST(popular_list_keeps_the_best_thousand),
        TEST(readers_see_whole_texts_while_the_writer_rewrites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
