/* What the one writer does to the table, in the order that readers rely on: cells before the link
 * or the count that tells of them (item_table.c). */
#include "services/common/catalog/item_table_internal.h"

#include <stdlib.h>

static struct vt_err make_chunk(struct vt_item_table *table, uint32_t number,
                                struct vt__item_chunk **ret_chunk)
{
    VT_CHECK(number != 0, VT_INVALID, "item number 0 is no item");
    VT_CHECK(number / VT__CHUNK_ITEMS < VT__CHUNKS_MAX, VT_EXHAUSTED,
             "too many items for one table");
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk == NULL) {
        chunk = calloc(1, sizeof *chunk);
        VT_CHECK(chunk != NULL, VT_EXHAUSTED, "out of memory");
        atomic_store(&table->chunks[number / VT__CHUNK_ITEMS], chunk);
    }
    *ret_chunk = chunk;
    return vt_ok();
}

/* Links `block` as the item's texts and indexes the SKU at its first mention. */
static void link_texts(struct vt_item_table *table, struct vt__item_chunk *chunk, uint32_t number,
                       struct vt__item_texts *block)
{
    struct vt__item_texts *old = atomic_exchange(&chunk->texts[number % VT__CHUNK_ITEMS], block);
    if (old == NULL)
        vt__sku_index_put(table, block->item.id, number);
    if (number > atomic_load_explicit(&table->max_number, memory_order_relaxed))
        atomic_store_explicit(&table->max_number, number, memory_order_release);
    atomic_fetch_add_explicit(&table->text_changes, 1, memory_order_release);
    vt__item_table_retire(table, old);
}

static void set_described(struct vt_item_table *table, struct vt__item_chunk *chunk,
                          uint32_t number, bool described)
{
    bool was = atomic_exchange(&chunk->described[number % VT__CHUNK_ITEMS], described);
    if (was != described)
        atomic_fetch_add_explicit(&table->n_described, described ? 1 : UINT32_MAX,
                                  memory_order_relaxed);
}

static void set_hashes(struct vt__item_chunk *chunk, const struct vt_item *item)
{
    uint32_t i = item->number % VT__CHUNK_ITEMS;
    uint32_t hashes[VT_ITEM_HASHES] = {
        [VT_ITEM_HASH_BRAND] = vt_item_text_hash(item->brand),
        [VT_ITEM_HASH_CURRENCY] = vt_item_text_hash(item->currency_code),
    };
    for (uint32_t c = 0, n = VT_ITEM_HASH_CATEGORY; c < item->n_categories; c++)
        if (item->categories[c].len > 0)
            hashes[n++] = vt_item_text_hash(item->categories[c]);
    for (uint32_t column = 0; column < VT_ITEM_HASHES; column++)
        atomic_store_explicit(&chunk->hashes[i][column], hashes[column], memory_order_relaxed);
}

/* Release on the entry, too: who reads one of the ring's next round (acquire, in _changed) then
 * finds a count at least as high as it was when that entry was written. */
static void note_change(struct vt_item_table *table, uint32_t number)
{
    uint64_t n = atomic_load_explicit(&table->n_changes, memory_order_relaxed);
    atomic_store_explicit(&table->changed[n % VT_ITEM_CHANGES_KEPT], number, memory_order_release);
    atomic_store_explicit(&table->n_changes, n + 1, memory_order_release);
}

static void set_numbers(struct vt__item_chunk *chunk, const struct vt_item *item)
{
    uint32_t i = item->number % VT__CHUNK_ITEMS;
    atomic_store_explicit(&chunk->price[i], item->price, memory_order_relaxed);
    atomic_store_explicit(&chunk->cost[i], item->cost, memory_order_relaxed);
    atomic_store_explicit(&chunk->stock[i], item->stock, memory_order_relaxed);
    atomic_store_explicit(&chunk->from_ms[i], item->available_from_ms, memory_order_relaxed);
    atomic_store_explicit(&chunk->until_ms[i], item->available_until_ms, memory_order_relaxed);
    atomic_store_explicit(&chunk->create_ms[i], item->create_time_ms, memory_order_relaxed);
}

struct vt_err vt_item_table_upsert(struct vt_item_table *table, const struct vt_item *item)
{
    struct vt__item_chunk *chunk;
    VT_CHECK(item->n_categories <= VT_ITEM_CATEGORIES_MAX, VT_INVALID, "too many categories");
    VT_TRY(make_chunk(table, item->number, &chunk));
    VT_TRY(vt__sku_index_reserve(table));
    const struct vt__item_texts *old = vt__item_texts_of(table, item->number);
    if (old == NULL || !vt__item_texts_are(old, item)) {
        struct vt__item_texts *block = vt__item_texts_new(item);
        VT_CHECK(block != NULL, VT_EXHAUSTED, "out of memory");
        set_numbers(chunk, item);
        link_texts(table, chunk, item->number, block);
        set_hashes(chunk, item);
    }
    set_numbers(chunk, item);
    chunk->told_in[item->number % VT__CHUNK_ITEMS] = table->snapshot;
    set_described(table, chunk, item->number, true);
    note_change(table, item->number);
    return vt_ok();
}

struct vt_err vt_item_table_mention(struct vt_item_table *table, uint32_t number,
                                    struct vt_slice id)
{
    struct vt__item_chunk *chunk;
    VT_TRY(make_chunk(table, number, &chunk));
    VT_TRY(vt__sku_index_reserve(table));
    if (vt__item_texts_of(table, number) != NULL)
        return vt_ok();
    struct vt__item_texts *block =
        vt__item_texts_new(&(struct vt_item){.number = number, .id = id});
    VT_CHECK(block != NULL, VT_EXHAUSTED, "out of memory");
    link_texts(table, chunk, number, block);
    return vt_ok();
}

void vt_item_table_delete(struct vt_item_table *table, uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    struct vt__item_texts *old = vt__item_texts_of(table, number);
    if (old == NULL)
        return;
    set_described(table, chunk, number, false);
    /* The number and the SKU stay. Without memory the old texts stay too, which nobody asks for. */
    struct vt__item_texts *block =
        vt__item_texts_new(&(struct vt_item){.number = number, .id = old->item.id});
    if (block != NULL) {
        link_texts(table, chunk, number, block);
        set_hashes(chunk, &block->item);
    }
    note_change(table, number);
}

void vt_item_table_set_count(struct vt_item_table *table, uint32_t number, float count)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk != NULL)
        atomic_store_explicit(&chunk->count[number % VT__CHUNK_ITEMS], count, memory_order_relaxed);
}

void vt_item_table_snapshot_begin(struct vt_item_table *table)
{
    table->snapshot++;
    table->in_snapshot = true;
}

void vt_item_table_snapshot_done(struct vt_item_table *table)
{
    uint32_t max = vt_item_table_max_number(table);
    for (uint32_t number = 1; table->in_snapshot && number <= max; number++) {
        struct vt__item_chunk *chunk = vt__item_chunk(table, number);
        if (chunk != NULL && atomic_load(&chunk->described[number % VT__CHUNK_ITEMS]) &&
            chunk->told_in[number % VT__CHUNK_ITEMS] != table->snapshot)
            vt_item_table_delete(table, number);
    }
    table->in_snapshot = false;
    vt_item_table_refresh_popular(table);
    atomic_store_explicit(&table->ready, true, memory_order_release);
}
