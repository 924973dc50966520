/*
 * A split reference count. The word holds the current slot in its upper 8 bits and below it how
 * many readers took from there since it was put; one addition is both the read of the slot and the
 * count of the reader. While something is current its own count is BIAS too high. Whoever replaces
 * it adds the readers that the word had counted and takes BIAS away: from then on the count is the
 * plain number of references, one of them the slot's. A slot is emptied and filled again only when
 * that one is left, so a reader between its addition and its look at the slot finds what it counted
 * itself for. The reasoning in full is at the head of models/bundle/bundle_set.c.
 */
#include "services/common/base/publication.h"

#include <string.h>

enum { INDEX_SHIFT = 56 };
#define BIAS (INT64_C(1) << 60)
#define READERS_MASK ((UINT64_C(1) << INDEX_SHIFT) - 1)

void vt_published_init(struct vt_published *published,
                       void (*free_fn)(struct vt_published *published))
{
    atomic_init(&published->count, 1);
    published->free = free_fn;
}

void vt_published_release(struct vt_published *published)
{
    /* Release: our reads come before the free; acquire: the free comes after everybody's. */
    if (published != NULL &&
        atomic_fetch_sub_explicit(&published->count, 1, memory_order_acq_rel) == 1)
        published->free(published);
}

/* Slot 0 stays empty: nothing was put yet. */
void vt_publication_init(struct vt_publication *publication)
{
    memset(publication, 0, sizeof *publication);
    atomic_init(&publication->word, 0);
    pthread_mutex_init(&publication->mutex, NULL);
}

struct vt_published *vt_publication_take(struct vt_publication *publication)
{
    /* Acquire: pairs with the exchange in `exchange`, so that the slot is seen filled. */
    uint64_t word = atomic_fetch_add_explicit(&publication->word, 1, memory_order_acquire);
    return publication->slots[word >> INDEX_SHIFT];
}

/* Makes `index` current and gives what was current its plain count. Under the mutex. */
static void exchange(struct vt_publication *publication, unsigned index)
{
    struct vt_published *next = publication->slots[index];
    if (next != NULL)
        atomic_fetch_add_explicit(&next->count, BIAS, memory_order_relaxed);
    uint64_t before = atomic_exchange_explicit(&publication->word, (uint64_t)index << INDEX_SHIFT,
                                               memory_order_acq_rel);
    struct vt_published *retired = publication->slots[before >> INDEX_SHIFT];
    if (retired != NULL)
        atomic_fetch_add_explicit(&retired->count, (int64_t)(before & READERS_MASK) - BIAS,
                                  memory_order_relaxed);
}

/* A slot that is empty, or whose content nobody reads any more; 0: none. Under the mutex. */
static unsigned find_slot(struct vt_publication *publication)
{
    unsigned current =
        (unsigned)(atomic_load_explicit(&publication->word, memory_order_relaxed) >> INDEX_SHIFT);
    unsigned found = 0;
    for (unsigned index = 1; index < VT_PUBLICATION_SLOTS; index++) {
        struct vt_published *old = publication->slots[index];
        /* Acquire: the readers' last looks at the slot come before we fill it again. */
        if (index != current && old != NULL &&
            atomic_load_explicit(&old->count, memory_order_acquire) == 1) {
            publication->slots[index] = NULL;
            vt_published_release(old);
        }
        if (publication->slots[index] == NULL)
            found = index;
    }
    return found;
}

struct vt_err vt_publication_put(struct vt_publication *publication, struct vt_published *published)
{
    pthread_mutex_lock(&publication->mutex);
    unsigned index = find_slot(publication);
    if (index != 0) {
        publication->slots[index] = published;
        exchange(publication, index);
    }
    pthread_mutex_unlock(&publication->mutex);
    VT_CHECK(index != 0, VT_EXHAUSTED, "older ones are still being read; try again");
    return vt_ok();
}

void vt_publication_fini(struct vt_publication *publication)
{
    exchange(publication, 0);
    for (unsigned index = 1; index < VT_PUBLICATION_SLOTS; index++) {
        vt_published_release(publication->slots[index]);
        publication->slots[index] = NULL;
    }
    pthread_mutex_destroy(&publication->mutex);
}
