/*
 * The sending side of CatalogService.Watch. A stream is a small machine with one owner at a time:
 *
 *   IDLE --wake, cancel--> BUSY --no changes--> IDLE
 *                          BUSY --message sent--> BUSY --cancelled--> freed
 *
 * BUSY means that a task of it waits in the pool, runs, or has a message under way, and only its
 * pump() takes changes, sends, finishes or frees. So the store's iterators never run on a serving
 * thread, a slow reader holds one message of bounded size and nothing else, and wake() on the
 * writer thread costs a lock and a queue entry. The lock guards state, woken and gone alone;
 * nothing is called under it but the pool.
 */
#include "services/profile/watch.h"

#include "services/common/base/arena.h"
#include "services/profile/wire_change.h"

#include <pthread.h>
#include <stdlib.h>

/* The changes of a message end a page when their memory is full, so that bounds its size; an item
 * of the largest size takes 0.1 MiB. The message made of them needs at most three times as much for
 * protobuf-c's structs and once for its bytes. */
enum { CHANGES_BYTES = 512 << 10, MESSAGE_BYTES = 4 * CHANGES_BYTES };

struct stream {
    struct vt_rpc_call *call;
    struct vt_worker_pool *pool;
    struct vt_watch *watch;  /* pump()'s */
    struct vt_arena changes; /* pump()'s */
    struct vt_arena message; /* pump()'s */
    struct vt_worker_task task;
    pthread_mutex_t lock;
    enum { IDLE, BUSY } state;
    bool woken; /* while BUSY: there are changes after all */
    bool gone;  /* the caller */
};

static void stream_free(struct stream *stream)
{
    vt_watch_close(stream->watch);
    vt_arena_fini(&stream->changes);
    vt_arena_fini(&stream->message);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* The call's end; no callback of it runs afterwards, and no wake after the watch is closed. */
static void finish(struct stream *stream, struct vt_err err)
{
    vt_rpc_call_finish(stream->call, err);
    stream_free(stream);
}

static void submit(struct stream *stream)
{
    struct vt_err err = vt_worker_pool_submit(stream->pool, &stream->task);
    VT_ASSERT(!vt_failed(err)); /* the pool has room for a task of every call there may be */
}

static void become_busy(struct stream *stream, bool *flag)
{
    pthread_mutex_lock(&stream->lock);
    *flag = true;
    if (stream->state == IDLE) {
        stream->state = BUSY;
        submit(stream);
    }
    pthread_mutex_unlock(&stream->lock);
}

static void on_wake(void *ctx)
{
    struct stream *stream = ctx;
    become_busy(stream, &stream->woken);
}

static void on_cancel(void *ctx)
{
    struct stream *stream = ctx;
    become_busy(stream, &stream->gone);
}

static void on_sent(void *ctx, bool ok)
{
    struct stream *stream = ctx;
    if (!ok) {
        pthread_mutex_lock(&stream->lock);
        stream->gone = true;
        pthread_mutex_unlock(&stream->lock);
    }
    submit(stream);
}

/* The next message; *ret_n 0: nothing to tell now. */
static struct vt_err next_message(struct stream *stream, struct vt_slice *ret_body, uint32_t *ret_n)
{
    vt_arena_reset(&stream->changes);
    vt_arena_reset(&stream->message);
    struct vt_change *changes =
        vt_arena_array(&stream->changes, VT_WATCH_CHANGES_MAX, sizeof *changes);
    VT_CHECK(changes != NULL, VT_INTERNAL, "a page of changes does not fit its memory");
    VT_TRY(vt_watch_next(stream->watch, &stream->changes, VT_WATCH_CHANGES_MAX, changes, ret_n));
    return *ret_n > 0 ? vt_wire_changes_encode(changes, *ret_n, &stream->message, ret_body)
                      : vt_ok();
}

/* With nothing to send: rest, unless something came in the meantime. */
static bool rest(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool resting = !stream->woken && !stream->gone;
    if (resting)
        stream->state = IDLE;
    pthread_mutex_unlock(&stream->lock);
    return resting;
}

static bool take_flags(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->woken = false;
    bool gone = stream->gone;
    pthread_mutex_unlock(&stream->lock);
    return gone;
}

static void pump(void *ctx)
{
    struct stream *stream = ctx;
    for (;;) {
        struct vt_slice body = {0};
        uint32_t n = 0;
        if (take_flags(stream)) {
            finish(stream, VT_ERR(VT_CANCELLED, "the caller went away"));
            return;
        }
        struct vt_err err = next_message(stream, &body, &n);
        if (vt_failed(err)) {
            finish(stream, err);
            return;
        }
        if (n > 0) {
            vt_rpc_call_send(stream->call, body, on_sent, stream); /* the stream is on_sent's now */
            return;
        }
        if (rest(stream))
            return;
    }
}

static struct vt_err stream_new(struct vt_rpc_call *call, struct vt_worker_pool *pool,
                                struct stream **ret_stream)
{
    struct stream *stream = calloc(1, sizeof *stream);
    VT_CHECK(stream != NULL, VT_EXHAUSTED, "no memory for another Watch");
    if (!vt_arena_init_owned(&stream->changes, CHANGES_BYTES) ||
        !vt_arena_init_owned(&stream->message, MESSAGE_BYTES)) {
        vt_arena_fini(&stream->changes);
        free(stream);
        return VT_ERR(VT_EXHAUSTED, "no memory for another Watch");
    }
    pthread_mutex_init(&stream->lock, NULL);
    stream->call = call;
    stream->pool = pool;
    stream->task = (struct vt_worker_task){.run = pump, .ctx = stream};
    stream->state = BUSY; /* the first pump is the opener's to submit */
    *ret_stream = stream;
    return vt_ok();
}

void vt__watch_serve(struct vt_rpc_call *call, struct vt_profile *profile,
                     struct vt_worker_pool *pool)
{
    struct vt_request *request = vt_rpc_call_request(call);
    struct stream *stream = NULL;
    uint64_t since = 0;
    struct vt_err err =
        vt_wire_watch_request_decode(vt_rpc_call_body(call), request->arena, request->diag, &since);
    if (!vt_failed(err))
        err = stream_new(call, pool, &stream);
    if (!vt_failed(err))
        err = vt_watch_open(profile, since, on_wake, stream, &stream->watch);
    if (vt_failed(err)) {
        vt_rpc_call_finish(call, err);
        if (stream != NULL)
            stream_free(stream);
        return;
    }
    vt_rpc_call_on_cancel(call, on_cancel, stream);
    submit(stream);
}
