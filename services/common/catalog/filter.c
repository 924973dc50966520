/*
 * Asks a plan about an item. A walk from term to term, never back, so it ends after at most as many
 * comparisons as the text has. Brand, currency and categories are told apart by their column of
 * hashes; only where the hash is right the text is touched, and decides. What else is text (id,
 * title, attributes) lies in the item's one block.
 *
 * An item that lacks what a comparison speaks of fails it: `brand = "x"` and `attributes.size < 40`
 * are false, and `brand != "x"`, which is `not brand = "x"`, is true.
 */
#include "services/common/catalog/filter.h"

#include "services/common/catalog/filter_plan.h"

#include <math.h>

static const double ms_per_day = 86400000;

/* What one question is asked with. */
struct subject {
    const struct vt_filter *filter;
    const struct vt_item_table *items; /* NULL: `item` alone tells, its numbers too */
    uint32_t number;
    int64_t now_ms;
    const struct vt_item *item;
};

bool vt_filter_needs_time(const struct vt_filter *filter)
{
    return filter->needs_time;
}

/* ---- numbers ---- */

static bool compares(const struct subject *subject, const struct vt__filter_term *term,
                     double number)
{
    const struct vt__filter_value *values = &subject->filter->values[term->first_value];
    switch ((enum vt__filter_operator)term->operator) {
    case VT__FILTER_LESS:
        return number < values[0].number;
    case VT__FILTER_LESS_EQUAL:
        return number <= values[0].number;
    case VT__FILTER_GREATER:
        return number > values[0].number;
    case VT__FILTER_GREATER_EQUAL:
        return number >= values[0].number;
    case VT__FILTER_EQUAL:
        break;
    }
    /* Neither below nor above is equal; no NaN gets here, neither from a text nor from the catalog.
     */
    for (uint32_t v = 0; v < term->n_values; v++)
        if (!(number < values[v].number) && !(number > values[v].number))
            return true;
    return false;
}

static double price_of(const struct subject *subject)
{
    return subject->items != NULL ? vt_item_table_price(subject->items, subject->number)
                                  : subject->item->price;
}

static double stock_of(const struct subject *subject)
{
    int64_t stock = subject->items != NULL ? vt_item_table_stock(subject->items, subject->number)
                                           : subject->item->stock;
    return stock >= 0 ? (double)stock : (double)INFINITY; /* always available: more than any */
}

/* ---- texts ---- */

/* The first value with the hash; n_values: none has it. */
static uint32_t find_hash(const struct subject *subject, const struct vt__filter_term *term,
                          uint32_t hash)
{
    const struct vt__filter_value *values = &subject->filter->values[term->first_value];
    uint32_t low = 0, high = term->n_values;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (values[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < term->n_values && values[low].hash == hash ? low : term->n_values;
}

/* `text` is read only where a value has the hash. */
static bool is_value(const struct subject *subject, const struct vt__filter_term *term,
                     uint32_t hash, const struct vt_slice *text)
{
    const struct vt__filter_value *values = &subject->filter->values[term->first_value];
    for (uint32_t v = find_hash(subject, term, hash); v < term->n_values && values[v].hash == hash;
         v++)
        if (vt_slice_equal(*text,
                           vt__filter_text(subject->filter, values[v].offset, values[v].bytes)))
            return true;
    return false;
}

static bool is_text(const struct subject *subject, const struct vt__filter_term *term,
                    const struct vt_slice *text)
{
    return text->len > 0 && is_value(subject, term, vt_item_text_hash(*text), text);
}

static bool is_column(const struct subject *subject, const struct vt__filter_term *term,
                      enum vt_item_hash_column column, const struct vt_slice *text)
{
    if (subject->items == NULL)
        return is_text(subject, term, text);
    uint32_t hash = vt_item_table_text_hash(subject->items, subject->number, column);
    return hash != 0 && is_value(subject, term, hash, text);
}

static bool has_category_text(const struct subject *subject, const struct vt__filter_term *term)
{
    for (uint32_t i = 0; i < subject->item->n_categories; i++)
        if (is_text(subject, term, &subject->item->categories[i]))
            return true;
    return false;
}

/* Columns leave out empty names, so places differ from those of the texts: all are looked at, where
 * the hash says that one is right. */
static bool has_category(const struct subject *subject, const struct vt__filter_term *term)
{
    if (subject->items == NULL)
        return has_category_text(subject, term);
    for (uint32_t c = 0; c < VT_ITEM_CATEGORIES_MAX; c++) {
        uint32_t hash = vt_item_table_text_hash(
            subject->items, subject->number, (enum vt_item_hash_column)(VT_ITEM_HASH_CATEGORY + c));
        if (hash == 0)
            return false;
        if (find_hash(subject, term, hash) == term->n_values)
            continue;
        for (uint32_t i = 0; i < subject->item->n_categories; i++)
            if (is_value(subject, term, hash, &subject->item->categories[i]))
                return true;
    }
    return false;
}

static bool attribute_passes(const struct subject *subject, const struct vt__filter_term *term)
{
    const struct vt_item *item = subject->item;
    struct vt_slice name = vt__filter_text(subject->filter, term->name_offset, term->name_bytes);
    for (uint32_t a = 0; a < item->n_attributes; a++) {
        double number;
        if (!vt_slice_equal(item->attributes[a].key, name))
            continue;
        if (!term->numeric)
            return is_text(subject, term, &item->attributes[a].value);
        return vt__filter_number(item->attributes[a].value, &number) &&
               compares(subject, term, number);
    }
    return false;
}

/* ---- the walk ---- */

static bool passes(const struct subject *subject, const struct vt__filter_term *term)
{
    switch ((enum vt__filter_field)term->field) {
    case VT__FILTER_PRICE:
        return compares(subject, term, price_of(subject));
    case VT__FILTER_STOCK:
        return compares(subject, term, stock_of(subject));
    case VT__FILTER_AGE:
        return subject->item->create_time_ms != 0 &&
               compares(subject, term,
                        (double)(subject->now_ms - subject->item->create_time_ms) / ms_per_day);
    case VT__FILTER_BRAND:
        return is_column(subject, term, VT_ITEM_HASH_BRAND, &subject->item->brand);
    case VT__FILTER_CURRENCY:
        return is_column(subject, term, VT_ITEM_HASH_CURRENCY, &subject->item->currency_code);
    case VT__FILTER_CATEGORY:
        return has_category(subject, term);
    case VT__FILTER_ID:
        return is_text(subject, term, &subject->item->id);
    case VT__FILTER_TITLE:
        return is_text(subject, term, &subject->item->title);
    case VT__FILTER_ATTRIBUTE:
        return attribute_passes(subject, term);
    case VT__FILTER_FIELDS:
        break;
    }
    return false;
}

static bool walk(const struct subject *subject)
{
    const struct vt_filter *filter = subject->filter;
    uint8_t next = filter->first;
    while (next < VT__FILTER_YES) {
        const struct vt__filter_term *term = &filter->terms[next];
        next = passes(subject, term) ? term->then : term->otherwise;
    }
    return next == VT__FILTER_YES;
}

bool vt_filter_matches(const struct vt_filter *filter, const struct vt_item_table *items,
                       uint32_t number, int64_t now_ms)
{
    const struct subject subject = {
        filter, items, number, now_ms, vt_item_table_texts(items, number),
    };
    return subject.item != NULL && walk(&subject);
}

bool vt_filter_matches_item(const struct vt_filter *filter, const struct vt_item *item,
                            int64_t now_ms)
{
    const struct subject subject = {
        .filter = filter, .number = item->number, .now_ms = now_ms, .item = item};
    return walk(&subject);
}
