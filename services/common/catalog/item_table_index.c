/*
 * The SKU index: open addressing over {hash, number} words, for any number of readers and one
 * writer. Entries are never removed, because numbers are permanent; an outgrown index is left to
 * those who still read it.
 */
#include "services/common/catalog/item_table_internal.h"

#include <stdlib.h>
#include <xxhash.h>

struct vt__sku_index *vt__sku_index_new(size_t n_slots)
{
    struct vt__sku_index *index = calloc(1, sizeof *index + n_slots * sizeof index->slots[0]);
    if (index != NULL)
        index->mask = n_slots - 1;
    return index;
}

static uint32_t sku_hash(struct vt_slice id)
{
    return (uint32_t)(XXH3_64bits(id.data, id.len) >> 32);
}

static void put(struct vt__sku_index *index, uint32_t hash, uint32_t number)
{
    size_t i = hash & index->mask;
    while (atomic_load_explicit(&index->slots[i], memory_order_relaxed) != 0)
        i = (i + 1) & index->mask;
    /* Release: whoever reads the number finds the text block behind it. */
    atomic_store_explicit(&index->slots[i], (uint64_t)hash << 32 | number, memory_order_release);
    index->used++;
}

static struct vt_err grow(struct vt_item_table *table)
{
    struct vt__sku_index *old = atomic_load(&table->index);
    struct vt__sku_index *new = vt__sku_index_new((old->mask + 1) * 2);
    VT_CHECK(new != NULL, VT_EXHAUSTED, "out of memory");
    for (size_t i = 0; i <= old->mask; i++) {
        uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (slot != 0)
            put(new, (uint32_t)(slot >> 32), (uint32_t)slot);
    }
    atomic_store(&table->index, new);
    vt__item_table_retire(table, old);
    return vt_ok();
}

struct vt_err vt__sku_index_reserve(struct vt_item_table *table)
{
    struct vt__sku_index *index = atomic_load(&table->index);
    return (index->used + 1) * 2 > index->mask + 1 ? grow(table) : vt_ok();
}

void vt__sku_index_put(struct vt_item_table *table, struct vt_slice id, uint32_t number)
{
    put(atomic_load(&table->index), sku_hash(id), number);
}

uint32_t vt_item_table_number(const struct vt_item_table *table, struct vt_slice id)
{
    const struct vt__sku_index *index = atomic_load(&table->index);
    uint32_t hash = sku_hash(id);
    for (size_t i = hash & index->mask;; i = (i + 1) & index->mask) {
        uint64_t slot = atomic_load_explicit(&index->slots[i], memory_order_acquire);
        if (slot == 0)
            return 0;
        if ((uint32_t)(slot >> 32) != hash)
            continue;
        const struct vt__item_texts *block = vt__item_texts_of(table, (uint32_t)slot);
        if (block != NULL && vt_slice_equal(block->item.id, id))
            return (uint32_t)slot;
    }
}
