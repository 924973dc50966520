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
 * The SKU index is open addressing over {hash, number} words; entries are never removed, because
 * numbers are permanent.
 */
#include "services/common/catalog/item_table.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    CHUNK_ITEMS = 4096,
    CHUNKS_MAX = 16384, /* 67 million items; the directory takes 128 KiB */
    SHARDS = 16,
    INDEX_SLOTS_MIN = 1024,
    POPULAR_MAX = 1000,
    CACHE_LINE = 64,
};

struct text_block {
    struct vt_item item; /* slices and attributes point behind this struct */
    size_t size_bytes;
};

struct chunk {
    _Atomic(struct text_block *) texts[CHUNK_ITEMS];
    atomic_bool described[CHUNK_ITEMS];
    _Atomic double price[CHUNK_ITEMS], cost[CHUNK_ITEMS];
    _Atomic int64_t stock[CHUNK_ITEMS], from_ms[CHUNK_ITEMS], until_ms[CHUNK_ITEMS];
    _Atomic int64_t create_ms[CHUNK_ITEMS];
    _Atomic float count[CHUNK_ITEMS];
    _Atomic uint32_t hashes[CHUNK_ITEMS][VT_ITEM_HASHES]; /* read together */
    uint32_t told_in[CHUNK_ITEMS]; /* writer: the snapshot that told of it last */
};

struct sku_index {
    size_t mask;
    size_t used;              /* writer only */
    _Atomic uint64_t slots[]; /* hash << 32 | number; 0 is free */
};

struct popular_list {
    uint32_t n;
    uint32_t numbers[POPULAR_MAX];
};

struct retired {
    struct retired *next;
    void *memory;
    uint64_t epoch;
};

struct shard {
    _Alignas(CACHE_LINE) atomic_uint inside[2];
};

struct vt_item_table {
    struct shard shards[SHARDS];
    _Alignas(CACHE_LINE) atomic_uint_least64_t epoch;
    _Atomic(struct chunk *) chunks[CHUNKS_MAX];
    _Atomic(struct sku_index *) index;
    _Atomic(struct popular_list *) popular;
    atomic_uint_least32_t max_number, n_described;
    atomic_uint_least64_t text_changes; /* release: pairs with who then reads the texts */
    atomic_uint_least64_t n_changes;    /* release: pairs with _changes */
    atomic_uint_least32_t changed[VT_ITEM_CHANGES_KEPT]; /* numbers; change c is at c % KEPT */
    atomic_bool ready;
    struct retired *retired; /* writer only, newest first */
    uint32_t snapshot;
    bool in_snapshot;
};

/* ---- life cycle ---- */

static struct sku_index *index_new(size_t n_slots)
{
    struct sku_index *index = calloc(1, sizeof *index + n_slots * sizeof index->slots[0]);
    if (index != NULL)
        index->mask = n_slots - 1;
    return index;
}

struct vt_err vt_item_table_new(struct vt_item_table **ret_table)
{
    struct vt_item_table *table = aligned_alloc(CACHE_LINE, sizeof *table);
    VT_CHECK(table != NULL, VT_EXHAUSTED, "out of memory");
    memset(table, 0, sizeof *table);
    atomic_store(&table->index, index_new(INDEX_SLOTS_MIN));
    atomic_store(&table->popular, calloc(1, sizeof(struct popular_list)));
    if (atomic_load(&table->index) == NULL || atomic_load(&table->popular) == NULL) {
        vt_item_table_free(table);
        return VT_ERR(VT_EXHAUSTED, "out of memory");
    }
    *ret_table = table;
    return vt_ok();
}

static void chunk_free(struct chunk *chunk)
{
    for (uint32_t i = 0; chunk != NULL && i < CHUNK_ITEMS; i++)
        free(atomic_load(&chunk->texts[i]));
    free(chunk);
}

void vt_item_table_free(struct vt_item_table *table)
{
    if (table == NULL)
        return;
    for (uint32_t i = 0; i < CHUNKS_MAX; i++)
        chunk_free(atomic_load(&table->chunks[i]));
    while (table->retired != NULL) {
        struct retired *next = table->retired->next;
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
        mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % SHARDS + 1;
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
    for (unsigned i = 0; i < SHARDS; i++)
        if (atomic_load(&table->shards[i].inside[parity]) != 0)
            return false;
    return true;
}

static void free_expired(struct vt_item_table *table, uint64_t epoch)
{
    struct retired **link = &table->retired;
    while (*link != NULL && (*link)->epoch + 2 > epoch)
        link = &(*link)->next;
    struct retired *dead = *link; /* newest first: everything behind is older */
    *link = NULL;
    while (dead != NULL) {
        struct retired *next = dead->next;
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

/* Takes `memory`, already unlinked. Without memory for the note it is leaked: late is better than
 * a reader on freed bytes. */
static void retire(struct vt_item_table *table, void *memory)
{
    struct retired *note = memory != NULL ? malloc(sizeof *note) : NULL;
    if (note == NULL)
        return;
    *note = (struct retired){table->retired, memory, atomic_load(&table->epoch)};
    table->retired = note;
    reclaim(table);
}

/* ---- cells ---- */

static struct chunk *find_chunk(const struct vt_item_table *table, uint32_t number)
{
    uint32_t i = number / CHUNK_ITEMS;
    return number != 0 && i < CHUNKS_MAX ? atomic_load(&table->chunks[i]) : NULL;
}

static struct vt_err make_chunk(struct vt_item_table *table, uint32_t number,
                                struct chunk **ret_chunk)
{
    VT_CHECK(number != 0, VT_INVALID, "item number 0 is no item");
    VT_CHECK(number / CHUNK_ITEMS < CHUNKS_MAX, VT_EXHAUSTED, "too many items for one table");
    struct chunk *chunk = find_chunk(table, number);
    if (chunk == NULL) {
        chunk = calloc(1, sizeof *chunk);
        VT_CHECK(chunk != NULL, VT_EXHAUSTED, "out of memory");
        atomic_store(&table->chunks[number / CHUNK_ITEMS], chunk);
    }
    *ret_chunk = chunk;
    return vt_ok();
}

static struct text_block *find_texts(const struct vt_item_table *table, uint32_t number)
{
    struct chunk *chunk = find_chunk(table, number);
    return chunk != NULL ? atomic_load(&chunk->texts[number % CHUNK_ITEMS]) : NULL;
}

/* ---- text blocks ---- */

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

static struct text_block *block_new(const struct vt_item *source)
{
    struct vt_item item = *source;
    size_t size = texts_size(&item);
    struct text_block *block = malloc(sizeof *block + size);
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

static bool same_texts(const struct text_block *block, const struct vt_item *item)
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

/* ---- the SKU index ---- */

static uint32_t sku_hash(struct vt_slice id)
{
    return (uint32_t)(XXH3_64bits(id.data, id.len) >> 32);
}

static void index_put(struct sku_index *index, uint32_t hash, uint32_t number)
{
    size_t i = hash & index->mask;
    while (atomic_load_explicit(&index->slots[i], memory_order_relaxed) != 0)
        i = (i + 1) & index->mask;
    /* Release: whoever reads the number finds the text block behind it. */
    atomic_store_explicit(&index->slots[i], (uint64_t)hash << 32 | number, memory_order_release);
    index->used++;
}

static struct vt_err index_grow(struct vt_item_table *table)
{
    struct sku_index *old = atomic_load(&table->index);
    struct sku_index *new = index_new((old->mask + 1) * 2);
    VT_CHECK(new != NULL, VT_EXHAUSTED, "out of memory");
    for (size_t i = 0; i <= old->mask; i++) {
        uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (slot != 0)
            index_put(new, (uint32_t)(slot >> 32), (uint32_t)slot);
    }
    atomic_store(&table->index, new);
    retire(table, old);
    return vt_ok();
}

static struct vt_err index_reserve(struct vt_item_table *table)
{
    struct sku_index *index = atomic_load(&table->index);
    return (index->used + 1) * 2 > index->mask + 1 ? index_grow(table) : vt_ok();
}

uint32_t vt_item_table_number(const struct vt_item_table *table, struct vt_slice id)
{
    const struct sku_index *index = atomic_load(&table->index);
    uint32_t hash = sku_hash(id);
    for (size_t i = hash & index->mask;; i = (i + 1) & index->mask) {
        uint64_t slot = atomic_load_explicit(&index->slots[i], memory_order_acquire);
        if (slot == 0)
            return 0;
        if ((uint32_t)(slot >> 32) != hash)
            continue;
        const struct text_block *block = find_texts(table, (uint32_t)slot);
        if (block != NULL && vt_slice_equal(block->item.id, id))
            return (uint32_t)slot;
    }
}

/* ---- the writer ---- */

/* Links `block` as the item's texts and indexes the SKU at its first mention. */
static void link_texts(struct vt_item_table *table, struct chunk *chunk, uint32_t number,
                       struct text_block *block)
{
    struct text_block *old = atomic_exchange(&chunk->texts[number % CHUNK_ITEMS], block);
    if (old == NULL)
        index_put(atomic_load(&table->index), sku_hash(block->item.id), number);
    if (number > atomic_load_explicit(&table->max_number, memory_order_relaxed))
        atomic_store_explicit(&table->max_number, number, memory_order_release);
    atomic_fetch_add_explicit(&table->text_changes, 1, memory_order_release);
    retire(table, old);
}

static void set_described(struct vt_item_table *table, struct chunk *chunk, uint32_t number,
                          bool described)
{
    bool was = atomic_exchange(&chunk->described[number % CHUNK_ITEMS], described);
    if (was != described)
        atomic_fetch_add_explicit(&table->n_described, described ? 1 : UINT32_MAX,
                                  memory_order_relaxed);
}

static void set_hashes(struct chunk *chunk, const struct vt_item *item)
{
    uint32_t i = item->number % CHUNK_ITEMS;
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

static void set_numbers(struct chunk *chunk, const struct vt_item *item)
{
    uint32_t i = item->number % CHUNK_ITEMS;
    atomic_store_explicit(&chunk->price[i], item->price, memory_order_relaxed);
    atomic_store_explicit(&chunk->cost[i], item->cost, memory_order_relaxed);
    atomic_store_explicit(&chunk->stock[i], item->stock, memory_order_relaxed);
    atomic_store_explicit(&chunk->from_ms[i], item->available_from_ms, memory_order_relaxed);
    atomic_store_explicit(&chunk->until_ms[i], item->available_until_ms, memory_order_relaxed);
    atomic_store_explicit(&chunk->create_ms[i], item->create_time_ms, memory_order_relaxed);
}

struct vt_err vt_item_table_upsert(struct vt_item_table *table, const struct vt_item *item)
{
    struct chunk *chunk;
    VT_CHECK(item->n_categories <= VT_ITEM_CATEGORIES_MAX, VT_INVALID, "too many categories");
    VT_TRY(make_chunk(table, item->number, &chunk));
    VT_TRY(index_reserve(table));
    const struct text_block *old = find_texts(table, item->number);
    if (old == NULL || !same_texts(old, item)) {
        struct text_block *block = block_new(item);
        VT_CHECK(block != NULL, VT_EXHAUSTED, "out of memory");
        set_numbers(chunk, item);
        link_texts(table, chunk, item->number, block);
        set_hashes(chunk, item);
    }
    set_numbers(chunk, item);
    chunk->told_in[item->number % CHUNK_ITEMS] = table->snapshot;
    set_described(table, chunk, item->number, true);
    note_change(table, item->number);
    return vt_ok();
}

struct vt_err vt_item_table_mention(struct vt_item_table *table, uint32_t number,
                                    struct vt_slice id)
{
    struct chunk *chunk;
    VT_TRY(make_chunk(table, number, &chunk));
    VT_TRY(index_reserve(table));
    if (find_texts(table, number) != NULL)
        return vt_ok();
    struct text_block *block = block_new(&(struct vt_item){.number = number, .id = id});
    VT_CHECK(block != NULL, VT_EXHAUSTED, "out of memory");
    link_texts(table, chunk, number, block);
    return vt_ok();
}

void vt_item_table_delete(struct vt_item_table *table, uint32_t number)
{
    struct chunk *chunk = find_chunk(table, number);
    struct text_block *old = find_texts(table, number);
    if (old == NULL)
        return;
    set_described(table, chunk, number, false);
    /* The number and the SKU stay. Without memory the old texts stay too, which nobody asks for. */
    struct text_block *block = block_new(&(struct vt_item){.number = number, .id = old->item.id});
    if (block != NULL) {
        link_texts(table, chunk, number, block);
        set_hashes(chunk, &block->item);
    }
    note_change(table, number);
}

void vt_item_table_set_count(struct vt_item_table *table, uint32_t number, float count)
{
    struct chunk *chunk = find_chunk(table, number);
    if (chunk != NULL)
        atomic_store_explicit(&chunk->count[number % CHUNK_ITEMS], count, memory_order_relaxed);
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
        struct chunk *chunk = find_chunk(table, number);
        if (chunk != NULL && atomic_load(&chunk->described[number % CHUNK_ITEMS]) &&
            chunk->told_in[number % CHUNK_ITEMS] != table->snapshot)
            vt_item_table_delete(table, number);
    }
    table->in_snapshot = false;
    vt_item_table_refresh_popular(table);
    atomic_store_explicit(&table->ready, true, memory_order_release);
}

/* ---- the popular list: a heap whose root is the worst that is kept ---- */

static bool is_worse(const struct vt_item_table *table, uint32_t a, uint32_t b)
{
    float count_a = vt_item_table_count(table, a), count_b = vt_item_table_count(table, b);
    return count_a < count_b || (!(count_b < count_a) && a > b);
}

static void heap_sink(const struct vt_item_table *table, uint32_t *heap, uint32_t n, uint32_t i)
{
    for (;;) {
        uint32_t worst = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
            if (is_worse(table, heap[child], heap[worst]))
                worst = child;
        if (worst == i)
            return;
        uint32_t moved = heap[i];
        heap[i] = heap[worst];
        heap[worst] = moved;
        i = worst;
    }
}

static void heap_offer(const struct vt_item_table *table, struct popular_list *list,
                       uint32_t number)
{
    if (list->n < POPULAR_MAX) {
        list->numbers[list->n++] = number;
        for (uint32_t i = list->n / 2; list->n == POPULAR_MAX && i-- > 0;)
            heap_sink(table, list->numbers, list->n, i);
    } else if (is_worse(table, list->numbers[0], number)) {
        list->numbers[0] = number;
        heap_sink(table, list->numbers, list->n, 0);
    }
}

static void heap_sort(const struct vt_item_table *table, struct popular_list *list)
{
    for (uint32_t i = list->n / 2; i-- > 0;)
        heap_sink(table, list->numbers, list->n, i);
    for (uint32_t n = list->n; n > 1; n--) {
        uint32_t worst = list->numbers[0];
        list->numbers[0] = list->numbers[n - 1];
        list->numbers[n - 1] = worst;
        heap_sink(table, list->numbers, n - 1, 0);
    }
}

static bool sellable(const struct vt_item_table *table, uint32_t number)
{
    struct chunk *chunk = find_chunk(table, number);
    uint32_t i = number % CHUNK_ITEMS;
    return chunk != NULL && atomic_load_explicit(&chunk->described[i], memory_order_acquire) &&
           atomic_load_explicit(&chunk->stock[i], memory_order_relaxed) != 0;
}

void vt_item_table_refresh_popular(struct vt_item_table *table)
{
    struct popular_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        return; /* the last list serves on */
    uint32_t max = vt_item_table_max_number(table);
    for (uint32_t number = 1; number <= max; number++)
        if (sellable(table, number))
            heap_offer(table, list, number);
    heap_sort(table, list);
    retire(table, atomic_exchange(&table->popular, list));
}

/* ---- readers ---- */

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
    if (!sellable(table, number))
        return false;
    struct chunk *chunk = find_chunk(table, number);
    uint32_t i = number % CHUNK_ITEMS;
    int64_t from = atomic_load_explicit(&chunk->from_ms[i], memory_order_relaxed);
    int64_t until = atomic_load_explicit(&chunk->until_ms[i], memory_order_relaxed);
    return now_ms >= from && (until == 0 || now_ms < until);
}

struct vt_slice vt_item_table_id(const struct vt_item_table *table, uint32_t number)
{
    const struct text_block *block = find_texts(table, number);
    return block != NULL ? block->item.id : vt_slice(NULL, 0);
}

/* Each SKU is three loads, each waiting for the one before, and of a large catalog none is in the
 * cache: a history of 50 waited for 150. Asking for all of a kind first, the waits overlap. */
void vt_item_table_ids(const struct vt_item_table *table, const uint32_t *numbers, uint32_t n,
                       struct vt_slice *ret_ids)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct chunk *chunk = find_chunk(table, numbers[i]);
        if (chunk != NULL)
            __builtin_prefetch(&chunk->texts[numbers[i] % CHUNK_ITEMS]);
    }
    for (uint32_t i = 0; i < n; i++)
        __builtin_prefetch(find_texts(table, numbers[i])); /* of NULL it does nothing */
    for (uint32_t i = 0; i < n; i++) {
        ret_ids[i] = vt_item_table_id(table, numbers[i]);
        __builtin_prefetch(ret_ids[i].data);
    }
}

bool vt_item_table_get(const struct vt_item_table *table, uint32_t number, struct vt_item *ret_item)
{
    struct chunk *chunk = find_chunk(table, number); /* once: the writer may make it meanwhile */
    if (chunk == NULL)
        return false;
    uint32_t i = number % CHUNK_ITEMS;
    const struct text_block *block = atomic_load(&chunk->texts[i]);
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
    struct chunk *chunk = find_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->price[number % CHUNK_ITEMS], memory_order_relaxed);
}

int64_t vt_item_table_create_time_ms(const struct vt_item_table *table, uint32_t number)
{
    struct chunk *chunk = find_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->create_ms[number % CHUNK_ITEMS], memory_order_relaxed);
}

float vt_item_table_count(const struct vt_item_table *table, uint32_t number)
{
    struct chunk *chunk = find_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->count[number % CHUNK_ITEMS], memory_order_relaxed);
}

const uint32_t *vt_item_table_popular(const struct vt_item_table *table, uint32_t *ret_n)
{
    const struct popular_list *list = atomic_load(&table->popular);
    *ret_n = list->n;
    return list->numbers;
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
    struct chunk *chunk = find_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->hashes[number % CHUNK_ITEMS][column], memory_order_relaxed);
}

const struct vt_item *vt_item_table_texts(const struct vt_item_table *table, uint32_t number)
{
    struct chunk *chunk = find_chunk(table, number);
    uint32_t i = number % CHUNK_ITEMS;
    if (chunk == NULL || !atomic_load_explicit(&chunk->described[i], memory_order_acquire))
        return NULL;
    const struct text_block *block = atomic_load(&chunk->texts[i]);
    return block != NULL ? &block->item : NULL;
}

int64_t vt_item_table_stock(const struct vt_item_table *table, uint32_t number)
{
    struct chunk *chunk = find_chunk(table, number);
    if (chunk == NULL)
        return 0;
    return atomic_load_explicit(&chunk->stock[number % CHUNK_ITEMS], memory_order_relaxed);
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
