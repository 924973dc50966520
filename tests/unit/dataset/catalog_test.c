/* Items are copied with all their texts, found by number, and judged. */
#include "models/dataset/catalog.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static void assert_text(struct vt_slice text, const char *expected)
{
    assert_true(vt_slice_equal(text, vt_slice_str(expected)));
}

static void texts_are_copied(void **state)
{
    (void)state;
    char title[] = "Cup", brand[] = "Kiln", category[] = "tea", key[] = "colour", value[] = "red";
    const struct vt_catalog_attribute attribute = {vt_slice_str(key), vt_slice_str(value)};
    const struct vt_catalog_item item = {
        .number = 7,
        .title = vt_slice_str(title),
        .brand = vt_slice_str(brand),
        .categories = {vt_slice_str(category)},
        .n_categories = 1,
        .attributes = &attribute,
        .n_attributes = 1,
        .price = 2.5,
    };
    struct vt_catalog catalog = {0};
    assert_ok(vt_catalog_append(&catalog, &item));
    title[0] = brand[0] = category[0] = key[0] = value[0] = '!';
    const struct vt_catalog_item *found = vt_catalog_find(&catalog, 7);
    assert_non_null(found);
    assert_text(found->title, "Cup");
    assert_text(found->brand, "Kiln");
    assert_text(found->id, "");
    assert_text(found->categories[0], "tea");
    assert_text(found->attributes[0].key, "colour");
    assert_text(found->attributes[0].value, "red");
    assert_true(found->price >= 2.5 && found->price <= 2.5);
    vt_catalog_free(&catalog);
}

static void items_are_found_by_number(void **state)
{
    (void)state;
    struct vt_catalog catalog = {0};
    assert_null(vt_catalog_find(&catalog, 1));
    for (uint32_t number = 2; number < 6000; number += 2)
        assert_ok(vt_catalog_append(&catalog, &(struct vt_catalog_item){.number = number}));
    for (uint32_t number = 1; number < 6001; number++) {
        const struct vt_catalog_item *found = vt_catalog_find(&catalog, number);
        assert_int_equal(found != NULL ? found->number : 0,
                         number % 2 == 0 && number < 6000 ? number : 0);
    }
    vt_catalog_free(&catalog);
}

static void what_does_not_ascend_or_is_too_much_is_refused(void **state)
{
    (void)state;
    static const struct vt_catalog_attribute attributes[VT_CATALOG_ATTRIBUTES_MAX + 1];
    struct vt_catalog catalog = {0};
    struct vt_catalog_item item = {.number = 5, .attributes = attributes};
    item.n_attributes = VT_CATALOG_ATTRIBUTES_MAX;
    item.n_categories = VT_CATALOG_CATEGORIES_MAX;
    assert_ok(vt_catalog_append(&catalog, &item));
    assert_code(vt_catalog_append(&catalog, &item), VT_INVALID);
    item.number = 6;
    item.n_attributes++;
    assert_code(vt_catalog_append(&catalog, &item), VT_INVALID);
    item.n_attributes = 0;
    item.n_categories++;
    assert_code(vt_catalog_append(&catalog, &item), VT_INVALID);
    assert_int_equal(catalog.n, 1);
    vt_catalog_free(&catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(items_are_found_by_number),
        cmocka_unit_test(what_does_not_ascend_or_is_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
