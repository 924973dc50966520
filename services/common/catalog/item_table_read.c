/* What readers ask, each one look at a few cells: no locks, no loops over items. */
#include "services/common/catalog/item_table_internal.h"

#include <xxhash.h>

bool vt_item_table_ready(const struct vt_item_table *table)
{
    return atomic_load_explicit(&table->ready, memory_order_acquire);
}

uint32_t vt_item_table_max_number(const struct vt_item_table *table)
{
    return atomic_load_explicit(&table->max_number, memory_order_acquire);
}

uint64_t vt_item_table_text_changes(const struct vt_item_table *table)
{
    return atomic_load_explicit(&table->text_changes, memory_order_acquire);
}

uint32_t vt_item_table_n_described(const struct vt_item_table *table)
{
    return atomic_load_explicit(&table->n_described, memory_order_relaxed);
}

bool vt_item_table_recommendable(const struct vt_item_table *table, uint32_t number, int64_t now_ms)
{
    if (!vt__item_sellable(table, number))
        return false;
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    uint32_t i = number % VT__CHUNK_ITEMS;
    int64_t from = atomic_load_explicit(&chunk->from_ms[i], memory_order_relaxed);
    int64_t until = atomic_load_explicit(&chunk->until_ms[i], memory_order_relaxed);
    return now_ms >= from && (until == 0 || now_ms < until);
}

struct vt_slice vt_item_table_id(const struct vt_item_table *table, uint32_t number)
{
    const struct vt__item_texts *block = vt__item_texts_of(table, number);
    return block != NULL ? block->item.id : vt_slice(NULL, 0);
}

/* Each SKU is three loads, each waiting for the one before, and of a large catalog none is in the
 * cache: a history of 50 waited for 150. Asking for all of a kind first, the waits overlap. */
void vt_item_table_ids(const struct vt_item_table *table, const uint32_t *numbers, uint32_t n,
                       struct vt_slice *ret_ids)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct vt__item_chunk *chunk = vt__item_chunk(table, numbers[i]);
        if (chunk != NULL)
            __builtin_prefetch(&chunk->texts[numbers[i] % VT__CHUNK_ITEMS]);
    }
    for (uint32_t i = 0; i < n; i++)
        __builtin_prefetch(vt__item_texts_of(table, numbers[i])); /* of NULL it does nothing */
    for (uint32_t i = 0; i < n; i++) {
        ret_ids[i] = vt_item_table_id(table, numbers[i]);
        __builtin_prefetch(ret_ids[i].data);
    }
}

bool vt_item_table_get(const struct vt_item_table *table, uint32_t number, struct vt_item *ret_item)
{
    /* Asked for once: the writer may make it meanwhile. */
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk == NULL)
        return false;
    uint32_t i = number % VT__CHUNK_ITEMS;
    const struct vt__item_texts *block = atomic_load(&chunk->texts[i]);
    if (block == NULL || !atomic_load_explicit(&chunk->described[i], memory_order_acquire))
        return false;
    *ret_item = block->item;
    ret_item->price = atomic_load_explicit(&chunk->price[i], memory_order_relaxed);
    ret_item->cost = atomic_load_explicit(&chunk->cost[i], memory_order_relaxed);
    ret_item->stock = atomic_load_explicit(&chunk->stock[i], memory_order_relaxed);
    ret_item->available_from_ms = atomic_load_explicit(&chunk->from_ms[i], memory_order_relaxed);
    ret_item->available_until_ms = atomic_load_explicit(&chunk->until_ms[i], memory_order_relaxed);
    return true;
}

double vt_item_table_price(const struct vt_item_table *table, uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->price[number % VT__CHUNK_ITEMS], memory_order_relaxed);
}

int64_t vt_item_table_create_time_ms(const struct vt_item_table *table, uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->create_ms[number % VT__CHUNK_ITEMS], memory_order_relaxed);
}

float vt_item_table_count(const struct vt_item_table *table, uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->count[number % VT__CHUNK_ITEMS], memory_order_relaxed);
}

/* ---- what filters read ---- */

uint32_t vt_item_text_hash(struct vt_slice text)
{
    uint32_t hash = text.len > 0 ? (uint32_t)XXH3_64bits(text.data, text.len) : 0;
    return hash != 0 || text.len == 0 ? hash : 1;
}

uint32_t vt_item_table_text_hash(const struct vt_item_table *table, uint32_t number,
                                 enum vt_item_hash_column column)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->hashes[number % VT__CHUNK_ITEMS][column],
                                memory_order_relaxed);
}

const struct vt_item *vt_item_table_texts(const struct vt_item_table *table, uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    uint32_t i = number % VT__CHUNK_ITEMS;
    if (chunk == NULL || !atomic_load_explicit(&chunk->described[i], memory_order_acquire))
        return NULL;
    const struct vt__item_texts *block = atomic_load(&chunk->texts[i]);
    return block != NULL ? &block->item : NULL;
}

int64_t vt_item_table_stock(const struct vt_item_table *table, uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->stock[number % VT__CHUNK_ITEMS], memory_order_relaxed);
}

uint64_t vt_item_table_changes(const struct vt_item_table *table)
{
    return atomic_load_explicit(&table->n_changes, memory_order_acquire);
}

/* As a sequence lock: what was copied counts only if none of it can have been overwritten since.
 * The writer may be at work on entry n_changes already, hence one fewer than the ring holds. */
bool vt_item_table_changed(const struct vt_item_table *table, uint64_t since, uint64_t until,
                           uint32_t *ret_numbers)
{
    if (until - since >= VT_ITEM_CHANGES_KEPT)
        return false;
    for (uint64_t c = since; c < until; c++)
        ret_numbers[c - since] =
            atomic_load_explicit(&table->changed[c % VT_ITEM_CHANGES_KEPT], memory_order_acquire);
    return vt_item_table_changes(table) - since < VT_ITEM_CHANGES_KEPT;
}
