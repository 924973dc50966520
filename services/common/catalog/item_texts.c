/* The texts of an item in one block, behind the struct that points to them: one allocation, never
 * changed, so that readers may hold on to it until they leave. */
#include "services/common/catalog/item_table_internal.h"

#include <stdlib.h>
#include <string.h>

/* The texts of an item in a fixed order, for sizing, copying and comparing alike. */
static struct vt_slice *item_text(struct vt_item *item, uint32_t i)
{
    struct vt_slice *const fixed[] = {
        &item->id, &item->title, &item->brand, &item->currency_code, &item->image_uri, &item->uri};
    const uint32_t n_fixed = sizeof fixed / sizeof fixed[0];
    if (i < n_fixed)
        return fixed[i];
    return i - n_fixed < item->n_categories ? &item->categories[i - n_fixed] : NULL;
}

static size_t texts_size(struct vt_item *item)
{
    size_t size = item->n_attributes * sizeof(struct vt_attribute);
    struct vt_slice *text;
    for (uint32_t i = 0; (text = item_text(item, i)) != NULL; i++)
        size += text->len;
    for (uint32_t i = 0; i < item->n_attributes; i++)
        size += item->attributes[i].key.len + item->attributes[i].value.len;
    return size;
}

static void move_text(struct vt_slice *text, char **cursor)
{
    if (text->len != 0)
        memcpy(*cursor, text->data, text->len);
    text->data = *cursor;
    *cursor += text->len;
}

struct vt__item_texts *vt__item_texts_new(const struct vt_item *source)
{
    struct vt_item item = *source;
    size_t size = texts_size(&item);
    struct vt__item_texts *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size_bytes = size;
    struct vt_attribute *attributes = (struct vt_attribute *)(block + 1);
    char *cursor = (char *)(attributes + item.n_attributes);
    struct vt_slice *text;
    for (uint32_t i = 0; (text = item_text(&item, i)) != NULL; i++)
        move_text(text, &cursor);
    for (uint32_t i = 0; i < item.n_attributes; i++) {
        attributes[i] = source->attributes[i];
        move_text(&attributes[i].key, &cursor);
        move_text(&attributes[i].value, &cursor);
    }
    item.attributes = attributes;
    block->item = item;
    return block;
}

static bool same_attributes(const struct vt_item *a, const struct vt_item *b)
{
    if (a->n_attributes != b->n_attributes)
        return false;
    for (uint32_t i = 0; i < a->n_attributes; i++)
        if (!vt_slice_equal(a->attributes[i].key, b->attributes[i].key) ||
            !vt_slice_equal(a->attributes[i].value, b->attributes[i].value))
            return false;
    return true;
}

bool vt__item_texts_are(const struct vt__item_texts *block, const struct vt_item *item)
{
    struct vt_item old = block->item, new = *item;
    if (old.n_categories != new.n_categories || old.create_time_ms != new.create_time_ms)
        return false;
    struct vt_slice *text;
    for (uint32_t i = 0; (text = item_text(&old, i)) != NULL; i++)
        if (!vt_slice_equal(*text, *item_text(&new, i)))
            return false;
    return same_attributes(&old, &new);
}
