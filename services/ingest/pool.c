/*
 * Memory of one import. An import keeps every record until its last line is read, because half of
 * the cleaning rules (cancellations, outliers, most frequent title) need the whole file; so texts
 * are stored once, in blocks that are freed together. One thread, no free of single pieces.
 */
#include "services/ingest/pool.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { POOL_BLOCK_BYTES = 1 << 20, INTERN_SLOTS_MIN = 1024 };

struct vt_pool_block {
    struct vt_pool_block *next;
    uint64_t padding; /* keeps what follows 16-byte aligned */
};

void vt_pool_init(struct vt_pool *pool)
{
    *pool = (struct vt_pool){0};
}

void vt_pool_fini(struct vt_pool *pool)
{
    while (pool->blocks != NULL) {
        struct vt_pool_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
    vt_pool_init(pool);
}

static void *pool_grow(struct vt_pool *pool, size_t size)
{
    size_t capacity = size > POOL_BLOCK_BYTES ? size : POOL_BLOCK_BYTES;
    struct vt_pool_block *block = calloc(1, sizeof *block + capacity);
    if (block == NULL)
        return NULL;
    block->next = pool->blocks;
    pool->blocks = block;
    pool->capacity = capacity;
    pool->used = size;
    return block + 1;
}

void *vt_pool_alloc(struct vt_pool *pool, size_t size_bytes)
{
    size_t size = (size_bytes + 15) & ~(size_t)15;
    if (pool->blocks == NULL || pool->capacity - pool->used < size)
        return pool_grow(pool, size);
    void *memory = (char *)(pool->blocks + 1) + pool->used;
    pool->used += size;
    return memory;
}

struct vt_slice vt_pool_copy(struct vt_pool *pool, struct vt_slice bytes)
{
    char *copy = vt_pool_alloc(pool, bytes.len + 1);
    if (copy == NULL)
        return (struct vt_slice){0};
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return vt_slice(copy, bytes.len);
}

struct vt_intern_entry {
    struct vt_slice text;
    uint64_t hash;
};

void vt_intern_init(struct vt_intern *intern, struct vt_pool *pool)
{
    *intern = (struct vt_intern){.pool = pool};
}

void vt_intern_fini(struct vt_intern *intern)
{
    free(intern->entries);
    free(intern->slots);
    vt_intern_init(intern, intern->pool);
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t intern_slot(const struct vt_intern *intern, struct vt_slice bytes, uint64_t hash)
{
    uint32_t slot = (uint32_t)hash & (intern->n_slots - 1);
    while (intern->slots[slot] != 0) {
        const struct vt_intern_entry *entry = &intern->entries[intern->slots[slot] - 1];
        if (entry->hash == hash && vt_slice_equal(entry->text, bytes))
            break;
        slot = (slot + 1) & (intern->n_slots - 1);
    }
    return slot;
}

/* Keeps the table at most half full. */
static bool intern_grow(struct vt_intern *intern)
{
    uint32_t n_slots = intern->n_slots == 0 ? INTERN_SLOTS_MIN : intern->n_slots * 2;
    uint32_t *slots = calloc(n_slots, sizeof *slots);
    struct vt_intern_entry *entries =
        realloc(intern->entries, (size_t)n_slots / 2 * sizeof *entries);
    if (entries != NULL)
        intern->entries = entries;
    if (slots == NULL || entries == NULL) {
        free(slots);
        return false;
    }
    free(intern->slots);
    intern->slots = slots;
    intern->n_slots = n_slots;
    for (uint32_t i = 0; i < intern->n; i++)
        slots[intern_slot(intern, entries[i].text, entries[i].hash)] = i + 1;
    return true;
}

uint32_t vt_intern_add(struct vt_intern *intern, struct vt_slice bytes)
{
    if (intern->n >= intern->n_slots / 2 && !intern_grow(intern))
        return 0;
    uint64_t hash = XXH3_64bits(bytes.data, bytes.len);
    uint32_t slot = intern_slot(intern, bytes, hash);
    if (intern->slots[slot] != 0)
        return intern->slots[slot];
    struct vt_slice copy = vt_pool_copy(intern->pool, bytes);
    if (copy.data == NULL)
        return 0;
    intern->entries[intern->n++] = (struct vt_intern_entry){copy, hash};
    return intern->slots[slot] = intern->n;
}

uint32_t vt_intern_find(const struct vt_intern *intern, struct vt_slice bytes)
{
    if (intern->n == 0)
        return 0;
    return intern->slots[intern_slot(intern, bytes, XXH3_64bits(bytes.data, bytes.len))];
}

struct vt_slice vt_intern_text(const struct vt_intern *intern, uint32_t number)
{
    return intern->entries[number - 1].text;
}
