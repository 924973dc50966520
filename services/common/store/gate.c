/*
 * How readers and the writer stay safe while the database is closed and opened again under them.
 *
 * A reader counts itself into the opening that is current and then looks whether it still is; who
 * closes one makes another current first and then waits for the count to fall to zero. Both sides
 * write one of the two atomics before they read the other, in the one order that seq_cst gives all
 * threads: either the reader sees the switch and leaves, or the closer sees the reader and waits.
 * The openings are part of the store and never freed before it, so a late look is harmless.
 *
 * A batch holds numbers and handles from its first row on, so a reopening waits for batches that
 * are begun, and those that begin later wait for the reopening.
 */
#include "services/common/base/err.h"
#include "services/common/store/store_internal.h"

#include <errno.h>
#include <time.h>

enum { BATCH_WAIT_MAX_S = 10 };

void vt__gate_init(struct vt_store *store)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&store->lock, NULL);
}

void vt__gate_fini(struct vt_store *store)
{
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
}

struct vt__opening *vt__gate_enter(struct vt_store *store)
{
    for (;;) {
        int id = atomic_load(&store->current);
        if (id == VT__OPENING_NONE)
            return NULL;
        struct vt__opening *opening = &store->openings[id];
        atomic_fetch_add(&opening->n_users, 1);
        if (atomic_load(&store->current) == id)
            return opening;
        vt__gate_leave(opening);
    }
}

void vt__gate_leave(struct vt__opening *opening)
{
    struct vt_store *store = opening->store;
    enum vt__opening_id id = opening->id;
    if (atomic_fetch_sub(&opening->n_users, 1) != 1 || atomic_load(&store->current) == (int)id)
        return;
    pthread_mutex_lock(&store->lock);
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

void vt__gate_switch(struct vt_store *store, enum vt__opening_id id)
{
    atomic_store(&store->current, id);
}

/* ---- waiting, with a limit ---- */

static bool nobody_is_in(const struct vt__opening *opening)
{
    return atomic_load(&opening->n_users) == 0;
}

static struct timespec wait_limit(int64_t max_s)
{
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += max_s;
    return limit;
}

struct vt_err vt__gate_wait_empty(struct vt__opening *opening, int64_t max_s)
{
    struct vt_store *store = opening->store;
    struct timespec limit = wait_limit(max_s);
    int late = 0;
    pthread_mutex_lock(&store->lock);
    while (!nobody_is_in(opening) && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&store->changed, &store->lock, &limit);
    bool empty = nobody_is_in(opening);
    pthread_mutex_unlock(&store->lock);
    VT_CHECK(empty, VT_UNAVAILABLE, "a reader holds the store for long: try again");
    return vt_ok();
}

struct vt__opening *vt__gate_begin_batch(struct vt_store *store)
{
    pthread_mutex_lock(&store->lock);
    while (store->reopening)
        pthread_cond_wait(&store->changed, &store->lock);
    store->n_filling++;
    int id = atomic_load(&store->current);
    pthread_mutex_unlock(&store->lock);
    return id != VT__OPENING_NONE ? &store->openings[id] : NULL;
}

void vt__gate_end_batch(struct vt_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->n_filling--;
    if (store->reopening)
        pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

struct vt_err vt__gate_pause_batches(struct vt_store *store)
{
    struct timespec limit = wait_limit(BATCH_WAIT_MAX_S);
    int late = 0;
    pthread_mutex_lock(&store->lock);
    bool other = store->reopening;
    if (!other)
        store->reopening = true;
    while (!other && store->n_filling != 0 && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&store->changed, &store->lock, &limit);
    bool paused = !other && store->n_filling == 0;
    if (!other && !paused) {
        store->reopening = false;
        pthread_cond_broadcast(&store->changed);
    }
    pthread_mutex_unlock(&store->lock);
    VT_CHECK(paused, VT_UNAVAILABLE, "a batch or another reopening is under way: try again");
    return vt_ok();
}

void vt__gate_resume_batches(struct vt_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->reopening = false;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}
