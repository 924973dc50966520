/* Where a basket begins and ends, in events and in files. */
#include "models/rules/basket_file.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000 };

static struct vt_interaction bought(uint64_t user, uint32_t item, int64_t time_ms)
{
    return (struct vt_interaction){
        .user = user, .item = item, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = time_ms};
}

static void assert_row(const struct vt_baskets *baskets, uint32_t row, uint32_t n,
                       const uint32_t *items)
{
    const struct vt_sparse *matrix = &baskets->matrix;
    assert_int_equal(matrix->starts[row + 1] - matrix->starts[row], n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(baskets->item_ids[matrix->columns[matrix->starts[row] + i]], items[i]);
}

static void a_pause_ends_a_basket(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {
        bought(7, 30, 31 * MINUTE_MS + 1), /* 30 minutes and 1 ms after the one before */
        bought(7, 10, 0),
        bought(7, 20, MINUTE_MS),
        bought(9, 10, 0),
    };
    struct vt_basket_options options;
    struct vt_baskets baskets;
    vt_basket_options_default(&options);
    assert_ok(vt_baskets_cut(events, 4, &options, NULL, 0, &baskets));
    assert_int_equal(baskets.matrix.n_rows, 3);
    assert_row(&baskets, 0, 2, (const uint32_t[]){10, 20});
    assert_row(&baskets, 1, 1, (const uint32_t[]){30});
    assert_row(&baskets, 2, 1, (const uint32_t[]){10});
    vt_baskets_free(&baskets);
}

static void a_pause_at_the_limit_does_not(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {bought(7, 10, 0), bought(7, 20, VT_BASKET_PAUSE_MS)};
    struct vt_basket_options options;
    struct vt_baskets baskets;
    vt_basket_options_default(&options);
    assert_ok(vt_baskets_cut(events, 2, &options, NULL, 0, &baskets));
    assert_int_equal(baskets.matrix.n_rows, 1);
    vt_baskets_free(&baskets);
}

static void only_what_was_bought_counts_and_once(void **state)
{
    (void)state;
    struct vt_interaction events[] = {bought(1, 5, 0), bought(1, 5, 1), bought(1, 6, 2),
                                      bought(1, 8, 2), bought(1, 9, 2)};
    events[2].type = VT_EVENT_VIEW;
    events[3].type = VT_EVENT_RETURN;
    events[4].type = VT_EVENT_ORDER;
    struct vt_basket_options options;
    struct vt_baskets baskets;
    vt_basket_options_default(&options);
    assert_ok(vt_baskets_cut(events, 5, &options, NULL, 0, &baskets));
    assert_int_equal(baskets.matrix.n_rows, 1);
    assert_row(&baskets, 0, 2, (const uint32_t[]){5, 9});
    vt_baskets_free(&baskets);
}

static void given_items_are_the_columns(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {bought(1, 5, 0), bought(1, 6, 0)};
    static const uint32_t items[] = {4, 6};
    struct vt_basket_options options;
    struct vt_baskets baskets;
    vt_basket_options_default(&options);
    assert_ok(vt_baskets_cut(events, 2, &options, items, 2, &baskets));
    assert_int_equal(baskets.matrix.n_cols, 2);
    assert_row(&baskets, 0, 1, (const uint32_t[]){6});
    vt_baskets_free(&baskets);
}

static void a_basket_over_the_limit_is_left_out(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {bought(1, 1, 0), bought(1, 2, 0), bought(1, 3, 0),
                                            bought(2, 1, 0), bought(2, 2, 0)};
    const struct vt_basket_options options = {.items_max = 2};
    struct vt_baskets baskets;
    assert_ok(vt_baskets_cut(events, 5, &options, NULL, 0, &baskets));
    assert_int_equal(baskets.matrix.n_rows, 1);
    assert_row(&baskets, 0, 2, (const uint32_t[]){1, 2});
    vt_baskets_free(&baskets);
}

static void without_purchases_there_is_no_basket(void **state)
{
    (void)state;
    struct vt_interaction view = bought(1, 1, 0);
    view.type = VT_EVENT_VIEW;
    struct vt_basket_options options;
    struct vt_baskets baskets;
    vt_basket_options_default(&options);
    assert_ok(vt_baskets_cut(&view, 1, &options, NULL, 0, &baskets));
    assert_int_equal(baskets.matrix.n_rows, 0);
    vt_baskets_free(&baskets);
}

static void a_file_gives_names_in_order_of_mention(void **state)
{
    (void)state;
    struct vt_basket_file file;
    struct vt_slice text = vt_slice_str("milk, bread,\"a, \"\"b\"\"\"\r\n\nbread,bread,milk\nwine");
    assert_ok(vt_basket_file_parse(text, NULL, &file));
    assert_int_equal(file.baskets.matrix.n_rows, 3);
    assert_int_equal(file.baskets.matrix.n_cols, 4);
    assert_true(vt_slice_equal(file.names[0], vt_slice_str("milk")));
    assert_true(vt_slice_equal(file.names[1], vt_slice_str("bread")));
    assert_true(vt_slice_equal(file.names[2], vt_slice_str("a, \"b\"")));
    assert_true(vt_slice_equal(file.names[3], vt_slice_str("wine")));
    assert_row(&file.baskets, 0, 3, (const uint32_t[]){0, 1, 2});
    assert_row(&file.baskets, 1, 2, (const uint32_t[]){0, 1});
    vt_basket_file_free(&file);
}

static void a_bad_file_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t line;
        const char *why;
    } cases[] = {
        {"milk\n\"bread\n", 2, "not closed"},
        {"milk\nwine\n\"bread\"x\n", 3, "behind a closed quote"},
        {"\n , ,\n", 3, "no basket"},
        {"", 1, "no basket"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_basket_file file;
        struct vt_diag diag = {0};
        assert_code(vt_basket_file_parse(vt_slice_str(cases[i].text), &diag, &file), VT_INVALID);
        assert_int_equal(diag.line, cases[i].line);
        assert_non_null(strstr(diag.text, cases[i].why));
    }
}

static void a_name_may_be_as_long_as_the_limit(void **state)
{
    (void)state;
    char name[VT_BASKET_NAME_BYTES_MAX + 2];
    struct vt_basket_file file;
    memset(name, 'a', sizeof name);
    assert_ok(vt_basket_file_parse(vt_slice(name, VT_BASKET_NAME_BYTES_MAX), NULL, &file));
    vt_basket_file_free(&file);
    assert_code(vt_basket_file_parse(vt_slice(name, VT_BASKET_NAME_BYTES_MAX + 1), NULL, &file),
                VT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_ends_a_basket),
        cmocka_unit_test(a_pause_at_the_limit_does_not),
        cmocka_unit_test(only_what_was_bought_counts_and_once),
        cmocka_unit_test(given_items_are_the_columns),
        cmocka_unit_test(a_basket_over_the_limit_is_left_out),
        cmocka_unit_test(without_purchases_there_is_no_basket),
        cmocka_unit_test(a_file_gives_names_in_order_of_mention),
        cmocka_unit_test(a_bad_file_is_refused_with_its_line),
        cmocka_unit_test(a_name_may_be_as_long_as_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
