/* Texts are compared as they are: the catalog's own spelling. Items are compared by number, which
 * is a read and a compare; a SKU that nobody has mentioned yet matches nothing. */
#include "services/ranking/match.h"

#include <math.h>

uint32_t vt_sku_number(struct vt_sku *sku, const struct vt_item_table *items)
{
    uint32_t number = atomic_load_explicit(&sku->number, memory_order_relaxed);
    if (number == 0) {
        number = vt_item_table_number(items, sku->id);
        atomic_store_explicit(&sku->number, number, memory_order_relaxed);
    }
    return number;
}

void vt_match_init(struct vt_match *ret_match)
{
    *ret_match = (struct vt_match){.price_below = (double)INFINITY};
}

static bool is_among(struct vt_slice text, const struct vt_slice *texts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (vt_slice_equal(text, texts[i]))
            return true;
    return false;
}

static bool has_category(const struct vt_match *match, const struct vt_item *item)
{
    for (uint32_t c = 0; c < item->n_categories; c++)
        if (is_among(item->categories[c], match->categories, match->n_categories))
            return true;
    return match->n_categories == 0;
}

static bool is_item(const struct vt_match *match, const struct vt_item_table *items,
                    uint32_t number)
{
    for (uint32_t i = 0; i < match->n_items; i++)
        if (vt_sku_number(&match->items[i], items) == number)
            return true;
    return match->n_items == 0;
}

struct vt_slice vt_item_attribute(const struct vt_item *item, struct vt_slice key)
{
    for (uint32_t a = 0; a < item->n_attributes; a++)
        if (vt_slice_equal(item->attributes[a].key, key))
            return item->attributes[a].value;
    return vt_slice("", 0);
}

static bool has_value(const struct vt_match *match, const struct vt_item *item)
{
    return match->attribute.len == 0 ||
           is_among(vt_item_attribute(item, match->attribute), match->values, match->n_values);
}

bool vt_match_item(const struct vt_match *match, const struct vt_item_table *items,
                   const struct vt_item *item, int64_t now_ms)
{
    return item->price >= match->price_from && item->price < match->price_below &&
           (match->n_brands == 0 || is_among(item->brand, match->brands, match->n_brands)) &&
           has_category(match, item) && has_value(match, item) &&
           is_item(match, items, item->number) &&
           (match->filter == NULL || vt_filter_matches(match->filter, items, item->number, now_ms));
}
