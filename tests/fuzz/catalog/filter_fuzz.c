/*
 * Any bytes, as a filter: a plan that answers about every item, or a refusal that says where, in
 * well-formed text. What compiles, wrapped in `not ( … )`, answers the opposite.
 */
#include "services/common/base/text.h"
#include "services/common/catalog/filter.h"
#include "tests/testlib/fuzz.h"

#include <string.h>

enum { N_ITEMS = 3 };
static const int64_t now_ms = INT64_C(1700000000000);

static struct vt_item_table *make_items(void)
{
    struct vt_item_table *items = NULL;
    const struct vt_attribute colour = {vt_slice_str("colour"), vt_slice_str("red")};
    vt_fuzz_expect(!vt_failed(vt_item_table_new(&items)));
    for (uint32_t number = 1; number <= N_ITEMS; number++) {
        struct vt_item item = {.number = number,
                               .id = vt_slice("abc", number),
                               .brand = vt_slice_str("x"),
                               .categories = {vt_slice_str("tea"), vt_slice_str("mugs")},
                               .n_categories = number - 1,
                               .price = number,
                               .stock = (int64_t)number - 2,
                               .attributes = &colour,
                               .n_attributes = number % 2};
        vt_fuzz_expect(!vt_failed(vt_item_table_upsert(items, &item)));
    }
    return items;
}

static void opposite(const struct vt_item_table *items, const struct vt_filter *filter,
                     struct vt_slice text)
{
    static _Alignas(16) unsigned char memory[VT_FILTER_PLAN_BYTES];
    static char wrapped[VT_FILTER_TEXT_BYTES_MAX + 8];
    struct vt_arena arena;
    const struct vt_filter *other;
    memcpy(wrapped, "not (", 5);
    memcpy(wrapped + 5, text.data, text.len);
    wrapped[5 + text.len] = ')';
    vt_arena_init(&arena, memory, sizeof memory);
    /* Too long or too deep by what was put around it, or right. */
    if (vt_failed(vt_filter_compile(vt_slice(wrapped, text.len + 6), &arena, NULL, &other)))
        return;
    for (uint32_t number = 1; number <= N_ITEMS; number++) {
        bool passes = vt_filter_matches(filter, items, number, now_ms);
        struct vt_item item;
        vt_fuzz_expect(passes != vt_filter_matches(other, items, number, now_ms));
        vt_fuzz_expect(vt_item_table_get(items, number, &item) &&
                       vt_filter_matches_item(filter, &item, now_ms) == passes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vt_item_table *items;
    static _Alignas(16) unsigned char memory[VT_FILTER_PLAN_BYTES];
    struct vt_arena arena;
    struct vt_diag diag = {0};
    const struct vt_filter *filter;
    size_t bad;
    if (items == NULL)
        items = make_items();
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_slice text = vt_slice(data, size);
    struct vt_err err = vt_filter_compile(text, &arena, &diag, &filter);
    if (!vt_failed(err)) {
        opposite(items, filter, text);
        vt_fuzz_expect(!vt_filter_matches(filter, items, N_ITEMS + 1, now_ms));
        return 0;
    }
    vt_fuzz_expect(err.code == VT_INVALID && diag.text[0] != '\0' && diag.offset <= size);
    vt_fuzz_expect(vt_text_valid(vt_slice_str(diag.text), &bad));
    return 0;
}
