/*
 * The reading side of CatalogService.Watch. All state but the lock's belongs to the one thread.
 * Where to go on after a break: after the last change applied, unless the break fell into a
 * snapshot; half a snapshot is no place in the stream, so then it starts again from nothing. The
 * popular list costs a pass over the catalog, so it is not made for each message of a long burst:
 * only after one that was not full, that brought counts, or that ended a snapshot.
 */
#include "services/profile/follow.h"

#include "services/common/base/log.h"
#include "services/profile/wire_change.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define WATCH "/vitrine.v1.CatalogService/Watch"

enum {
    ARENA_BYTES = 16 << 20, /* a message of at most 4 MiB, and what it decodes to */
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
};

struct vt_profile_follow {
    struct vt_rpc_channel *channel; /* borrowed */
    struct vt_item_table *table;    /* borrowed */
    struct vt_gauge *connected;
    struct vt_counter *applied, *breaks;
    struct vt_arena arena;
    uint64_t sequence; /* of the last change applied */
    bool in_snapshot;
    int64_t backoff_ms; /* before the next attempt */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;                /* under the lock */
    struct vt_rpc_stream *stream; /* under the lock; NULL between streams */
};

static struct vt_err apply(struct vt_profile_follow *follow, const struct vt_change *changes,
                           uint32_t n)
{
    bool popular_moved = n < VT_WATCH_CHANGES_MAX;
    for (uint32_t i = 0; i < n; i++) {
        VT_TRY(vt_change_apply(&changes[i], follow->table));
        if (changes[i].kind == VT_CHANGE_SNAPSHOT_BEGIN)
            follow->in_snapshot = true;
        if (changes[i].kind == VT_CHANGE_SNAPSHOT_DONE)
            follow->in_snapshot = false;
        popular_moved = popular_moved || changes[i].kind == VT_CHANGE_COUNTS ||
                        changes[i].kind == VT_CHANGE_SNAPSHOT_DONE;
        follow->sequence = changes[i].sequence;
    }
    vt_counter_add(follow->applied, n);
    if (!follow->in_snapshot && popular_moved)
        vt_item_table_refresh_popular(follow->table);
    return vt_ok();
}

/* *ret_end: the server ended the stream. */
static struct vt_err read_message(struct vt_profile_follow *follow, struct vt_rpc_stream *stream,
                                  bool *ret_end)
{
    struct vt_slice body = {0};
    const struct vt_change *changes = NULL;
    uint32_t n = 0;
    vt_arena_reset(&follow->arena);
    VT_TRY(vt_rpc_stream_next(stream, &follow->arena, &body, ret_end));
    if (*ret_end)
        return vt_ok();
    VT_TRY(vt_wire_changes_decode(body, &follow->arena, NULL, &changes, &n));
    vt_gauge_set(follow->connected, 1);
    follow->backoff_ms = BACKOFF_MIN_MS;
    return apply(follow, changes, n);
}

/* Makes the stream known to _stop; false when that was called already. */
static bool publish(struct vt_profile_follow *follow, struct vt_rpc_stream *stream)
{
    pthread_mutex_lock(&follow->lock);
    follow->stream = stream;
    bool go_on = !follow->stopping;
    pthread_mutex_unlock(&follow->lock);
    return go_on;
}

static struct vt_err read_stream(struct vt_profile_follow *follow)
{
    struct vt_rpc_stream *stream = NULL;
    struct vt_slice body = {0};
    bool ended = false;
    vt_arena_reset(&follow->arena);
    VT_TRY(vt_wire_watch_request_encode(follow->in_snapshot ? 0 : follow->sequence, &follow->arena,
                                        &body));
    VT_TRY(vt_rpc_stream_open(follow->channel, WATCH, body, &stream));
    struct vt_err err = vt_ok();
    ended = !publish(follow, stream);
    while (!ended && !vt_failed(err))
        err = read_message(follow, stream, &ended);
    (void)publish(follow, NULL);
    vt_rpc_stream_free(stream);
    vt_gauge_set(follow->connected, 0);
    return err;
}

/* Waits before the next attempt; false when it is time to stop. */
static bool rest(struct vt_profile_follow *follow)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t until_ns = until.tv_nsec + follow->backoff_ms % 1000 * 1000000;
    until.tv_sec += follow->backoff_ms / 1000 + until_ns / 1000000000;
    until.tv_nsec = until_ns % 1000000000;
    pthread_mutex_lock(&follow->lock);
    int status = 0;
    while (!follow->stopping && status == 0)
        status = pthread_cond_timedwait(&follow->stop, &follow->lock, &until);
    bool go_on = !follow->stopping;
    pthread_mutex_unlock(&follow->lock);
    follow->backoff_ms =
        follow->backoff_ms * 2 < BACKOFF_MAX_MS ? follow->backoff_ms * 2 : BACKOFF_MAX_MS;
    return go_on;
}

/* Said at a break and not at each attempt after it: the backoff is then still at its minimum. */
static void log_break(const struct vt_profile_follow *follow, struct vt_err err)
{
    if (follow->backoff_ms != BACKOFF_MIN_MS)
        return;
    if (vt_failed(err))
        vt_log_err(VT_LOG_WARN, "catalog_watch_broken", err, "connecting again");
    else
        vt_log(VT_LOG_INFO, "catalog_watch_ended", VT_F_INT("sequence", follow->sequence));
}

static bool stopping(struct vt_profile_follow *follow)
{
    pthread_mutex_lock(&follow->lock);
    bool answer = follow->stopping;
    pthread_mutex_unlock(&follow->lock);
    return answer;
}

static void *run(void *ctx)
{
    struct vt_profile_follow *follow = ctx;
    do {
        struct vt_err err = read_stream(follow);
        if (stopping(follow))
            break;
        vt_counter_add(follow->breaks, 1);
        log_break(follow, err);
    } while (rest(follow));
    return NULL;
}

static void init_metrics(struct vt_profile_follow *follow, struct vt_metrics *metrics)
{
    follow->connected =
        vt_metrics_gauge(metrics, "vitrine_catalog_watch_connected",
                         "1 while the catalog of the profile service is followed.", "");
    follow->applied = vt_metrics_counter(metrics, "vitrine_catalog_changes_applied_total",
                                         "Changes taken from the profile service's catalog.", "");
    follow->breaks = vt_metrics_counter(metrics, "vitrine_catalog_watch_breaks_total",
                                        "Times the stream of catalog changes ended.", "");
}

static void init_sync(struct vt_profile_follow *follow)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&follow->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&follow->lock, NULL);
}

static void release(struct vt_profile_follow *follow)
{
    pthread_cond_destroy(&follow->stop);
    pthread_mutex_destroy(&follow->lock);
    vt_arena_fini(&follow->arena);
    free(follow);
}

struct vt_err vt_profile_follow_start(struct vt_rpc_channel *channel, struct vt_item_table *table,
                                      struct vt_metrics *metrics,
                                      struct vt_profile_follow **ret_follow)
{
    struct vt_profile_follow *follow = calloc(1, sizeof *follow);
    if (follow == NULL || !vt_arena_init_owned(&follow->arena, ARENA_BYTES)) {
        free(follow);
        return VT_ERR(VT_EXHAUSTED, "no memory to follow the catalog");
    }
    follow->channel = channel;
    follow->table = table;
    follow->backoff_ms = BACKOFF_MIN_MS;
    init_metrics(follow, metrics);
    init_sync(follow);
    int status = pthread_create(&follow->thread, NULL, run, follow);
    if (status != 0) {
        release(follow);
        return VT_ERR_SYS(VT_EXHAUSTED, status, "no thread to follow the catalog");
    }
    *ret_follow = follow;
    return vt_ok();
}

void vt_profile_follow_stop(struct vt_profile_follow *follow)
{
    if (follow == NULL)
        return;
    pthread_mutex_lock(&follow->lock);
    follow->stopping = true;
    if (follow->stream != NULL)
        vt_rpc_stream_cancel(follow->stream);
    pthread_cond_signal(&follow->stop);
    pthread_mutex_unlock(&follow->lock);
    pthread_join(follow->thread, NULL);
    release(follow);
}
