/* The catalog a page at a time: all of it, or what a filter lets pass, as the store has it. */
#include "tests/unit/profile/fixture.h"

enum { BATCH = 1000, ROWS_A_PAGE = 50000 };

static void describe(struct fixture *f, uint32_t first, uint32_t n, double price)
{
    static struct vt_item items[BATCH];
    struct vt_upsert_result result;
    vt_arena_reset(&f->arena);
    for (uint32_t i = 0; i < n; i++)
        items[i] = (struct vt_item){.id = vt_arena_printf(&f->arena, "item-%u", first + i),
                                    .title = vt_slice_str("a title"),
                                    .price = price,
                                    .stock = -1};
    vt_profile_upsert_items(f->profile, &f->write, items, n, 0, &result);
    assert_ok(fixture_wait(f));
}

static const struct vt_filter *compile(struct fixture *f, const char *text)
{
    const struct vt_filter *filter = NULL;
    assert_ok(vt_filter_compile(vt_slice_str(text), &f->arena, &f->diag, &filter));
    return filter;
}

/* Counts all pages; every item must be behind the one before. */
static uint32_t count(struct fixture *f, const struct vt_filter *filter, uint32_t max,
                      uint32_t *ret_pages)
{
    static struct vt_item items[BATCH];
    struct vt_item_page page = {.items = items, .more = true};
    uint32_t n = 0, before = 0;
    for (*ret_pages = 0; page.more; ++*ret_pages) {
        const struct vt_item_page_query query = {page.last, max, filter};
        assert_ok(vt_profile_list_items(f->profile, &f->request, &query, &page));
        assert_true(page.n <= max);
        for (uint32_t i = 0; i < page.n; i++, n++) {
            assert_true(items[i].number > before);
            before = items[i].number;
        }
    }
    return n;
}

static void pages_hold_all_that_is_described_once(void **state)
{
    struct fixture *f = *state;
    uint32_t n_pages = 0;
    assert_int_equal(count(f, NULL, 10, &n_pages), 0);
    describe(f, 0, 25, 5);
    fixture_write(f, fixture_event(f, VT_EVENT_VIEW, "ann", "mentioned only"));
    assert_int_equal(count(f, NULL, 10, &n_pages), 25);
    assert_int_equal(n_pages, 3);
}

static void a_filter_sees_what_was_just_written(void **state)
{
    struct fixture *f = *state;
    uint32_t n_pages = 0;
    describe(f, 0, 25, 5);
    assert_int_equal(count(f, compile(f, "price < 5"), 10, &n_pages), 0);
    assert_int_equal(n_pages, 1);
    describe(f, 20, 3, 4);
    assert_int_equal(count(f, compile(f, "price < 5"), 2, &n_pages), 3);
    struct vt_delete_result deleted = {.missing = (bool[1]){false}};
    const struct vt_slice id = vt_slice_str("item-20");
    vt_profile_delete_items(f->profile, &f->write, &id, 1, &deleted);
    assert_ok(fixture_wait(f));
    assert_int_equal(count(f, compile(f, "price < 5"), 2, &n_pages), 2);
}

static void a_page_looks_at_so_many_entries_and_says_that_there_are_more(void **state)
{
    struct fixture *f = *state;
    struct vt_item item;
    struct vt_item_page page = {.items = &item};
    for (uint32_t first = 0; first < ROWS_A_PAGE; first += BATCH)
        describe(f, first, BATCH, 5);
    describe(f, ROWS_A_PAGE, 1, 4);
    struct vt_item_page_query query = {.max = 1, .filter = compile(f, "price < 5")};
    assert_ok(vt_profile_list_items(f->profile, &f->request, &query, &page));
    assert_int_equal(page.n, 0);
    assert_true(page.more);
    assert_int_equal(page.last, ROWS_A_PAGE);
    query.after = page.last;
    assert_ok(vt_profile_list_items(f->profile, &f->request, &query, &page));
    assert_int_equal(page.n, 1);
    assert_false(page.more);
}

static void nobody_waits_and_it_stops(void **state)
{
    struct fixture *f = *state;
    struct vt_item item;
    struct vt_item_page page = {.items = &item};
    const struct vt_item_page_query query = {.max = 1};
    atomic_bool cancelled = true;
    describe(f, 0, 1, 5);
    f->request.cancelled = &cancelled;
    assert_code(vt_profile_list_items(f->profile, &f->request, &query, &page), VT_CANCELLED);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(pages_hold_all_that_is_described_once),
        TEST(a_filter_sees_what_was_just_written),
        TEST(a_page_looks_at_so_many_entries_and_says_that_there_are_more),
        TEST(nobody_waits_and_it_stops),
    };
    return cmocka_run_group_tests_name("profile/item_pages", tests, NULL, NULL);
}
