#ifndef VT_BASE_PUBLICATION_H
#define VT_BASE_PUBLICATION_H

#include "services/common/base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * Something built whole and then published by one counted pointer: readers take what is current
 * without a lock and keep it for as long as they like; a newer one replaces it under them, and the
 * old one is freed after its last reader. The scheme is that of models/bundle/bundle_set.c.
 */

/* Begins what is published. Initialise with vt_published_init, then never touch it. */
struct vt_published {
    _Atomic int64_t count;
    void (*free)(struct vt_published *published);
};
/* One reference, the caller's, which vt_publication_put takes over. */
void vt_published_init(struct vt_published *published,
                       void (*free_fn)(struct vt_published *published));
/* Gives one reference back; the last one frees. NULL is allowed. Any thread, wait-free. */
void vt_published_release(struct vt_published *published);

enum { VT_PUBLICATION_SLOTS = 8 }; /* the current one, and old ones that are still read */
struct vt_publication {
    _Alignas(64) _Atomic uint64_t word; /* slot and readers; its own line: every request adds */
    struct vt_published *slots[VT_PUBLICATION_SLOTS];
    pthread_mutex_t mutex; /* of writers */
};
void vt_publication_init(struct vt_publication *publication);
/* No reader may take any more. What readers still hold lives until they release it. */
void vt_publication_fini(struct vt_publication *publication);

/* What was put last; NULL: nothing yet. Release it. Any thread, wait-free. */
struct vt_published *vt_publication_take(struct vt_publication *publication);
/* Replaces it, and takes over the caller's reference. VT_EXHAUSTED, taking nothing: seven older
 * ones are still being read. Any thread, blocking. */
VT_MUST_USE struct vt_err vt_publication_put(struct vt_publication *publication,
                                             struct vt_published *published);

#endif
