#ifndef VT_INGEST_POOL_H
#define VT_INGEST_POOL_H

#include "services/common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Memory that lives as long as one import: grows by blocks, is freed at once. One thread.
 */
struct vt_pool_block;
struct vt_pool {
    struct vt_pool_block *blocks; /* owned, newest first */
    size_t used, capacity;        /* bytes of the newest block */
};

/* An empty pool; takes no memory yet. */
void vt_pool_init(struct vt_pool *pool);
/* Frees all that came from it. */
void vt_pool_fini(struct vt_pool *pool);
/* 16-byte aligned and cleared; NULL when there is no memory. */
void *vt_pool_alloc(struct vt_pool *pool, size_t size_bytes);
/* A copy with a NUL behind; data is NULL when there is no memory. */
struct vt_slice vt_pool_copy(struct vt_pool *pool, struct vt_slice bytes);

/*
 * A map from bytes to a 32-bit number, first come 1, 2, 3 …; keys are copied into the pool. Used to
 * keep one copy of each text, and to count and join by id. O(1) expected.
 */
struct vt_intern_entry;
struct vt_intern {
    struct vt_pool *pool;            /* borrowed */
    struct vt_intern_entry *entries; /* owned, by number - 1 */
    uint32_t *slots;                 /* owned, open addressing, 0 free */
    uint32_t n, n_slots;             /* n_slots is a power of two or 0 */
};

/* An empty map over `pool`, which must outlive it. */
void vt_intern_init(struct vt_intern *intern, struct vt_pool *pool);
/* Frees the map; its texts stay as long as the pool. */
void vt_intern_fini(struct vt_intern *intern);
/* The number of `bytes`, made when new; 0 when there is no memory. */
uint32_t vt_intern_add(struct vt_intern *intern, struct vt_slice bytes);
/* 0 when it was never added. */
uint32_t vt_intern_find(const struct vt_intern *intern, struct vt_slice bytes);
/* Valid until the pool ends. `number` is 1 to n. */
struct vt_slice vt_intern_text(const struct vt_intern *intern, uint32_t number);

#endif
