/*
 * The sending side of CatalogService.Watch. A stream is a small machine with one owner at a time:
 *
 *   IDLE --wake, cancel--> BUSY --no changes--> IDLE
 *                          BUSY --message--> HANDING --handed over--> SENDING
 *                                            HANDING --it has left--> SENT --handed over--> BUSY
 *                          SENDING --it has left, stalled--> BUSY
 *                          BUSY --cancelled, stalled, failed--> freed
 *
 * BUSY means that a task of it waits in the pool or runs, SENDING that a message is under way and
 * nobody has the stream. A message may have left before the call that sends it returns: HANDING and
 * SENT keep the stream in the hands of that pump until then. Only pump() takes changes, sends,
 * finishes or frees. So the store's iterators never run on a serving
 * thread, a slow reader holds one message of bounded size and nothing else, and wake() on the
 * writer thread costs a lock and a queue entry. A reader that does not take that message either is
 * ended with RESOURCE_EXHAUSTED and what to do: the call, its memory and its place are for others.
 * The lock guards state and flags alone; nothing is called under it but the pool.
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
    enum state { IDLE, BUSY, HANDING, SENT, SENDING } state;
    bool woken;   /* while not IDLE: there are changes after all */
    bool gone;    /* the caller */
    bool stalled; /* the caller takes nothing */
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

/* Under the lock. */
static void become_busy(struct stream *stream)
{
    stream->state = BUSY;
    submit(stream);
}

static void raise_flag(struct stream *stream, bool *flag)
{
    pthread_mutex_lock(&stream->lock);
    *flag = true;
    if (stream->state == IDLE)
        become_busy(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void on_wake(void *ctx)
{
    struct stream *stream = ctx;
    raise_flag(stream, &stream->woken);
}

static void on_cancel(void *ctx)
{
    struct stream *stream = ctx;
    raise_flag(stream, &stream->gone);
}

static void on_sent(void *ctx, bool ok)
{
    struct stream *stream = ctx;
    pthread_mutex_lock(&stream->lock);
    stream->gone = stream->gone || !ok;
    if (stream->state == HANDING)
        stream->state = SENT;
    else if (stream->state == SENDING)
        become_busy(stream); /* else it stalled, and has its end coming */
    pthread_mutex_unlock(&stream->lock);
}

/* It is the caller's doing only while a message is under way. */
static bool on_stall(void *ctx)
{
    struct stream *stream = ctx;
    pthread_mutex_lock(&stream->lock);
    bool ends = stream->state == SENDING;
    if (ends) {
        stream->stalled = true;
        become_busy(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return ends;
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

/* Why the stream is to end, if it is. */
static struct vt_err take_flags(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->woken = false;
    bool gone = stream->gone, stalled = stream->stalled;
    pthread_mutex_unlock(&stream->lock);
    VT_CHECK(!gone, VT_CANCELLED, "the caller went away");
    VT_CHECK(!stalled, VT_EXHAUSTED,
             "the reader takes no messages: call Watch again with the last sequence seen");
    return vt_ok();
}

/* True when the message has left already; otherwise the stream is on_sent's and on_stall's now. */
static bool send(struct stream *stream, struct vt_slice body)
{
    pthread_mutex_lock(&stream->lock);
    stream->state = HANDING;
    pthread_mutex_unlock(&stream->lock);
    vt_rpc_call_send(stream->call, body, on_sent, stream);
    pthread_mutex_lock(&stream->lock);
    bool has_left = stream->state == SENT;
    stream->state = has_left ? BUSY : SENDING;
    pthread_mutex_unlock(&stream->lock);
    return has_left;
}

static void pump(void *ctx)
{
    struct stream *stream = ctx;
    for (;;) {
        struct vt_slice body = {0};
        uint32_t n = 0;
        struct vt_err err = take_flags(stream);
        if (!vt_failed(err))
            err = next_message(stream, &body, &n);
        if (vt_failed(err)) {
            finish(stream, err);
            return;
        }
        if (n > 0 ? !send(stream, body) : rest(stream))
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
    vt_watch_on_stall(stream->watch, on_stall);
    vt_rpc_call_on_cancel(call, on_cancel, stream);
    submit(stream);
}
