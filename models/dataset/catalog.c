/*
 * One block of memory an item: its attributes, then all its texts. Items come in the order of their
 * numbers, as the store keeps them, so that finding one is a binary search.
 */
#include "models/dataset/catalog.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 1024 };

static size_t texts_bytes(const struct vt_catalog_item *item)
{
    size_t bytes = item->id.len + item->title.len + item->brand.len;
    for (uint32_t i = 0; i < item->n_categories; i++)
        bytes += item->categories[i].len;
    for (uint32_t i = 0; i < item->n_attributes; i++)
        bytes += item->attributes[i].key.len + item->attributes[i].value.len;
    return bytes;
}

static struct vt_slice copy_text(char **to, struct vt_slice text)
{
    if (text.len == 0)
        return vt_slice("", 0);
    struct vt_slice copy = vt_slice(*to, text.len);
    memcpy(*to, text.data, text.len);
    *to += text.len;
    return copy;
}

/* Points the item's texts into `block`. */
static void move_texts(struct vt_catalog_item *item, void *block)
{
    struct vt_catalog_attribute *attributes = block;
    char *to = (char *)(attributes + item->n_attributes);
    item->id = copy_text(&to, item->id);
    item->title = copy_text(&to, item->title);
    item->brand = copy_text(&to, item->brand);
    for (uint32_t i = 0; i < item->n_categories; i++)
        item->categories[i] = copy_text(&to, item->categories[i]);
    for (uint32_t i = 0; i < item->n_attributes; i++)
        attributes[i] = (struct vt_catalog_attribute){copy_text(&to, item->attributes[i].key),
                                                      copy_text(&to, item->attributes[i].value)};
    item->attributes = attributes;
}

static struct vt_err grow(struct vt_catalog *catalog)
{
    if (catalog->n < catalog->capacity)
        return vt_ok();
    uint32_t capacity = catalog->capacity > 0 ? 2 * catalog->capacity : FIRST_CAPACITY;
    struct vt_catalog_item *items = realloc(catalog->items, capacity * sizeof *items);
    VT_CHECK(items != NULL, VT_EXHAUSTED, "out of memory for the catalog");
    catalog->items = items;
    void **blocks = realloc(catalog->blocks, capacity * sizeof *blocks);
    VT_CHECK(blocks != NULL, VT_EXHAUSTED, "out of memory for the catalog");
    catalog->blocks = blocks;
    catalog->capacity = capacity;
    return vt_ok();
}

struct vt_err vt_catalog_append(struct vt_catalog *catalog, const struct vt_catalog_item *item)
{
    VT_CHECK(item->n_categories <= VT_CATALOG_CATEGORIES_MAX, VT_INVALID,
             "an item has at most 8 categories");
    VT_CHECK(item->n_attributes <= VT_CATALOG_ATTRIBUTES_MAX, VT_INVALID,
             "an item has at most 64 attributes");
    VT_CHECK(catalog->n == 0 || catalog->items[catalog->n - 1].number < item->number, VT_INVALID,
             "items of a catalog ascend by number");
    VT_TRY(grow(catalog));
    size_t bytes = item->n_attributes * sizeof *item->attributes + texts_bytes(item);
    void *block = malloc(bytes + 1);
    VT_CHECK(block != NULL, VT_EXHAUSTED, "out of memory for the catalog");
    catalog->items[catalog->n] = *item;
    move_texts(&catalog->items[catalog->n], block);
    catalog->blocks[catalog->n++] = block;
    return vt_ok();
}

const struct vt_catalog_item *vt_catalog_find(const struct vt_catalog *catalog, uint32_t number)
{
    uint32_t low = 0, high = catalog->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (catalog->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < catalog->n && catalog->items[low].number == number;
    return found ? &catalog->items[low] : NULL;
}

void vt_catalog_free(struct vt_catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (uint32_t i = 0; i < catalog->n; i++)
        free(catalog->blocks[i]);
    free(catalog->blocks);
    free(catalog->items);
    *catalog = (struct vt_catalog){0};
}
