/*
 * Columns in chunks that never move, so that readers need no lock and growing copies nothing.
 * Numbers (price, stock, count …) are relaxed atomics: a reader may see the new price with the old
 * stock for a moment, never half a number. Texts live in one immutable block per item; a price
 * update leaves the block alone, so a million of them allocate nothing.
 *
 * What the writer unlinks (a text block, an outgrown index, the last popular list) is freed by
 * epochs, as in SRCU: readers count themselves in under the parity of the current epoch; the epoch
 * may advance when nobody is left under the parity it turns to; what was unlinked in epoch e is
 * free from e + 2 on, when both parities have been seen empty since. Entering, and every link that
 * readers follow, is seq_cst: a reader whose count the writer did not see is then sure to see the
 * new link. Counts are sharded by thread so that readers do not share a cache line.
 *
 * What changed last is kept in a ring of numbers, for those who keep something made of the items:
 * an entry is written after the item's cells and before the count that tells of it (release), so
 * that who reads the count (acquire) reads cells at least as new.
 *
 * Here are the table's life and what may be freed when. The one writer is in item_table_write.c,
 * with item_texts.c for the blocks, item_table_index.c for the SKUs and item_table_popular.c for
 * the popular list; what readers ask is in item_table_read.c.
 */
#include "services/common/catalog/item_table_internal.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_SLOTS_MIN = 1024 };

/* ---- life cycle ---- */

struct vt_err vt_item_table_new(struct vt_item_table **ret_table)
{
    struct vt_item_table *table = aligned_alloc(VT__CACHE_LINE, sizeof *table);
    VT_CHECK(table != NULL, VT_EXHAUSTED, "out of memory");
    memset(table, 0, sizeof *table);
    atomic_store(&table->index, vt__sku_index_new(INDEX_SLOTS_MIN));
    atomic_store(&table->popular, calloc(1, sizeof(struct vt__popular_list)));
    if (atomic_load(&table->index) == NULL || atomic_load(&table->popular) == NULL) {
        vt_item_table_free(table);
        return VT_ERR(VT_EXHAUSTED, "out of memory");
    }
    *ret_table = table;
    return vt_ok();
}

static void chunk_free(struct vt__item_chunk *chunk)
{
    for (uint32_t i = 0; chunk != NULL && i < VT__CHUNK_ITEMS; i++)
        free(atomic_load(&chunk->texts[i]));
    free(chunk);
}

void vt_item_table_free(struct vt_item_table *table)
{
    if (table == NULL)
        return;
    for (uint32_t i = 0; i < VT__CHUNKS_MAX; i++)
        chunk_free(atomic_load(&table->chunks[i]));
    while (table->retired != NULL) {
        struct vt__retired *next = table->retired->next;
        free(table->retired->memory);
        free(table->retired);
        table->retired = next;
    }
    free(atomic_load(&table->index));
    free(atomic_load(&table->popular));
    free(table);
}

/* ---- readers in and out, and what the writer may free ---- */

static unsigned thread_shard(void)
{
    static atomic_uint next;
    static _Thread_local unsigned mine; /* shard + 1 */
    if (mine == 0)
        mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % VT__READER_SHARDS + 1;
    return mine - 1;
}

unsigned vt_item_table_enter(struct vt_item_table *table)
{
    unsigned parity = (unsigned)(atomic_load(&table->epoch) & 1);
    unsigned shard = thread_shard();
    atomic_fetch_add(&table->shards[shard].inside[parity], 1);
    return shard * 2 + parity;
}

void vt_item_table_leave(struct vt_item_table *table, unsigned ticket)
{
    /* Release: pairs with the writer's load in parity_empty, so that its free comes after. */
    atomic_fetch_sub_explicit(&table->shards[ticket / 2].inside[ticket & 1], 1,
                              memory_order_release);
}

static bool parity_empty(struct vt_item_table *table, unsigned parity)
{
    for (unsigned i = 0; i < VT__READER_SHARDS; i++)
        if (atomic_load(&table->shards[i].inside[parity]) != 0)
            return false;
    return true;
}

static void free_expired(struct vt_item_table *table, uint64_t epoch)
{
    struct vt__retired **link = &table->retired;
    while (*link != NULL && (*link)->epoch + 2 > epoch)
        link = &(*link)->next;
    struct vt__retired *dead = *link; /* newest first: everything behind is older */
    *link = NULL;
    while (dead != NULL) {
        struct vt__retired *next = dead->next;
        free(dead->memory);
        free(dead);
        dead = next;
    }
}

static void reclaim(struct vt_item_table *table)
{
    uint64_t epoch = atomic_load(&table->epoch);
    for (unsigned i = 0; i < 2 && parity_empty(table, (unsigned)((epoch + 1) & 1)); i++)
        atomic_store(&table->epoch, ++epoch);
    free_expired(table, epoch);
}

void vt__item_table_retire(struct vt_item_table *table, void *memory)
{
    struct vt__retired *note = memory != NULL ? malloc(sizeof *note) : NULL;
    if (note == NULL)
        return;
    *note = (struct vt__retired){table->retired, memory, atomic_load(&table->epoch)};
    table->retired = note;
    reclaim(table);
}
