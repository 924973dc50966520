#ifndef VT_CATALOG_ITEM_TABLE_INTERNAL_H
#define VT_CATALOG_ITEM_TABLE_INTERNAL_H

#include "services/common/catalog/item_table.h"

#include <stdatomic.h>
#include <stddef.h>

/* What the files of the item table share; item_table.c says how it works. */

enum {
    VT__CHUNK_ITEMS = 4096,
    VT__CHUNKS_MAX = 16384, /* 67 million items; the directory takes 128 KiB */
    VT__READER_SHARDS = 16,
    VT__POPULAR_ITEMS_MAX = 1000,
    VT__CACHE_LINE = 64,
};

struct vt__item_texts {
    struct vt_item item; /* slices and attributes point behind this struct */
    size_t size_bytes;
};

struct vt__item_chunk {
    _Atomic(struct vt__item_texts *) texts[VT__CHUNK_ITEMS];
    atomic_bool described[VT__CHUNK_ITEMS];
    _Atomic double price[VT__CHUNK_ITEMS], cost[VT__CHUNK_ITEMS];
    _Atomic int64_t stock[VT__CHUNK_ITEMS], from_ms[VT__CHUNK_ITEMS], until_ms[VT__CHUNK_ITEMS];
    _Atomic int64_t create_ms[VT__CHUNK_ITEMS];
    _Atomic float count[VT__CHUNK_ITEMS];
    _Atomic uint32_t hashes[VT__CHUNK_ITEMS][VT_ITEM_HASHES]; /* read together */
    uint32_t told_in[VT__CHUNK_ITEMS]; /* writer: the snapshot that told of it last */
};

struct vt__sku_index {
    size_t mask;
    size_t used;              /* writer only */
    _Atomic uint64_t slots[]; /* hash << 32 | number; 0 is free */
};

struct vt__popular_list {
    uint32_t n;
    uint32_t numbers[VT__POPULAR_ITEMS_MAX];
};

struct vt__retired {
    struct vt__retired *next;
    void *memory;
    uint64_t epoch;
};

struct vt__reader_shard {
    _Alignas(VT__CACHE_LINE) atomic_uint inside[2];
};

struct vt_item_table {
    struct vt__reader_shard shards[VT__READER_SHARDS];
    _Alignas(VT__CACHE_LINE) atomic_uint_least64_t epoch;
    _Atomic(struct vt__item_chunk *) chunks[VT__CHUNKS_MAX];
    _Atomic(struct vt__sku_index *) index;
    _Atomic(struct vt__popular_list *) popular;
    atomic_uint_least32_t max_number, n_described;
    atomic_uint_least64_t text_changes; /* release: pairs with who then reads the texts */
    atomic_uint_least64_t n_changes;    /* release: pairs with _changes */
    atomic_uint_least32_t changed[VT_ITEM_CHANGES_KEPT]; /* numbers; change c is at c % KEPT */
    atomic_bool ready;
    struct vt__retired *retired; /* writer only, newest first */
    uint32_t snapshot;
    bool in_snapshot;
};

static inline struct vt__item_chunk *vt__item_chunk(const struct vt_item_table *table,
                                                    uint32_t number)
{
    uint32_t i = number / VT__CHUNK_ITEMS;
    return number != 0 && i < VT__CHUNKS_MAX ? atomic_load(&table->chunks[i]) : NULL;
}

static inline struct vt__item_texts *vt__item_texts_of(const struct vt_item_table *table,
                                                       uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    return chunk != NULL ? atomic_load(&chunk->texts[number % VT__CHUNK_ITEMS]) : NULL;
}

/* Described, and in stock as far as it is counted. */
static inline bool vt__item_sellable(const struct vt_item_table *table, uint32_t number)
{
    struct vt__item_chunk *chunk = vt__item_chunk(table, number);
    uint32_t i = number % VT__CHUNK_ITEMS;
    return chunk != NULL && atomic_load_explicit(&chunk->described[i], memory_order_acquire) &&
           atomic_load_explicit(&chunk->stock[i], memory_order_relaxed) != 0;
}

/* ---- the writer's ---- */

/* Takes `memory`, already unlinked, and frees it when no reader can have it; NULL is allowed.
 * Without memory for the note it is leaked: late is better than a reader on freed bytes. */
void vt__item_table_retire(struct vt_item_table *table, void *memory);

/* n_slots is a power of two; NULL without memory. */
struct vt__sku_index *vt__sku_index_new(size_t n_slots);
/* Room for one more, in a larger index if need be. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt__sku_index_reserve(struct vt_item_table *table);
/* After _reserve, once for a number; its texts are linked already. */
void vt__sku_index_put(struct vt_item_table *table, struct vt_slice id, uint32_t number);

/* A copy, owned by the caller; NULL without memory. */
struct vt__item_texts *vt__item_texts_new(const struct vt_item *source);
/* Whether the texts of the item are these. */
bool vt__item_texts_are(const struct vt__item_texts *texts, const struct vt_item *item);

#endif
