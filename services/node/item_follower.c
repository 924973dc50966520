/*
 * Drains the watch until it has nothing more, refreshes the popular list if anything changed, and
 * sleeps until the writer thread wakes it. Behind the changes that are kept, after millions of them
 * at once, it goes on with a snapshot. A failing watch is logged and opened anew, at most once a
 * second: from the last sequence applied, or from nothing when it failed inside a snapshot, all
 * of whose changes carry the sequence that only the whole of it stands for.
 */
#include "services/node/item_follower.h"

#include "services/common/base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { CHANGES_AT_ONCE = 256, ARENA_BYTES = 16 << 20 };

struct vt_item_follower {
    struct vt_profile *profile;  /* borrowed */
    struct vt_item_table *table; /* borrowed; this thread is its writer */
    struct vt_arena arena;
    struct vt_change changes[CHANGES_AT_ONCE];
    uint64_t sequence; /* last one applied */
    bool in_snapshot;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool woken, stopping; /* under mutex */
};

/* Runs on the writer thread of the profile service. */
static void wake_up(void *ctx)
{
    struct vt_item_follower *follower = ctx;
    pthread_mutex_lock(&follower->mutex);
    follower->woken = true;
    pthread_cond_signal(&follower->wake);
    pthread_mutex_unlock(&follower->mutex);
}

/* Waits for a wake-up; false when it is time to stop. */
static bool wait_for_changes(struct vt_item_follower *follower)
{
    pthread_mutex_lock(&follower->mutex);
    while (!follower->woken && !follower->stopping)
        pthread_cond_wait(&follower->wake, &follower->mutex);
    follower->woken = false;
    bool go_on = !follower->stopping;
    pthread_mutex_unlock(&follower->mutex);
    return go_on;
}

/* A second's rest after a failure; false when it is time to stop. */
static bool rest(struct vt_item_follower *follower)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&follower->mutex);
    int status = 0;
    while (!follower->stopping && status == 0)
        status = pthread_cond_timedwait(&follower->wake, &follower->mutex, &until);
    bool go_on = !follower->stopping;
    pthread_mutex_unlock(&follower->mutex);
    return go_on;
}

static struct vt_err apply_next(struct vt_item_follower *follower, struct vt_watch *watch,
                                uint32_t *ret_n)
{
    vt_arena_reset(&follower->arena);
    VT_TRY(vt_watch_next(watch, &follower->arena, CHANGES_AT_ONCE, follower->changes, ret_n));
    for (uint32_t i = 0; i < *ret_n; i++) {
        const struct vt_change *change = &follower->changes[i];
        VT_TRY(vt_change_apply(change, follower->table));
        if (change->kind == VT_CHANGE_SNAPSHOT_BEGIN)
            follower->in_snapshot = true;
        if (change->kind == VT_CHANGE_SNAPSHOT_DONE)
            follower->in_snapshot = false;
        follower->sequence = change->sequence;
    }
    return vt_ok();
}

/* Applies changes until stopped or failed. */
static struct vt_err follow(struct vt_item_follower *follower, struct vt_watch *watch)
{
    do {
        uint32_t n = 0;
        bool changed = false;
        do {
            VT_TRY(apply_next(follower, watch, &n));
            changed = changed || n != 0;
        } while (n != 0);
        if (changed)
            vt_item_table_refresh_popular(follower->table);
    } while (wait_for_changes(follower));
    return vt_ok();
}

static void *run(void *ctx)
{
    struct vt_item_follower *follower = ctx;
    bool go_on = true;
    while (go_on) {
        struct vt_watch *watch = NULL;
        uint64_t since = follower->in_snapshot ? 0 : follower->sequence;
        struct vt_err err = vt_watch_open(follower->profile, since, wake_up, follower, &watch);
        if (!vt_failed(err))
            err = follow(follower, watch);
        vt_watch_close(watch);
        go_on = vt_failed(err);
        if (err.code == VT_EXHAUSTED) {
            vt_log_err(VT_LOG_INFO, "item_table_behind", err, "going on with a snapshot");
        } else if (go_on) {
            vt_log_err(VT_LOG_ERROR, "item_table_follow_failed", err, "trying again in a second");
            go_on = rest(follower);
        }
    }
    return NULL;
}

static void init_wake(struct vt_item_follower *follower)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&follower->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&follower->mutex, NULL);
}

static void release(struct vt_item_follower *follower)
{
    pthread_cond_destroy(&follower->wake);
    pthread_mutex_destroy(&follower->mutex);
    vt_arena_fini(&follower->arena);
    free(follower);
}

struct vt_err vt_item_follower_start(struct vt_profile *profile, struct vt_item_table *table,
                                     struct vt_item_follower **ret_follower)
{
    struct vt_item_follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL || !vt_arena_init_owned(&follower->arena, ARENA_BYTES)) {
        free(follower);
        return VT_ERR(VT_EXHAUSTED, "no memory to follow the catalog");
    }
    follower->profile = profile;
    follower->table = table;
    init_wake(follower);
    int status = pthread_create(&follower->thread, NULL, run, follower);
    if (status != 0) {
        release(follower);
        return VT_ERR_SYS(VT_EXHAUSTED, status, "no thread to follow the catalog");
    }
    *ret_follower = follower;
    return vt_ok();
}

void vt_item_follower_stop(struct vt_item_follower *follower)
{
    if (follower == NULL)
        return;
    pthread_mutex_lock(&follower->mutex);
    follower->stopping = true;
    pthread_cond_signal(&follower->wake);
    pthread_mutex_unlock(&follower->mutex);
    pthread_join(follower->thread, NULL);
    release(follower);
}
