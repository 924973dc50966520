/*
 * The receiving side of EventService.StreamEvents. Three kinds of threads meet here. The call's
 * serving thread receives a message, decodes it into a slot's own arena and hands it to the writer;
 * the writer says, after the fsync, that a slot is done; pump(), one at a time, acknowledges:
 *
 *   FREE --received--> UNDER WAY --written--> DONE --acknowledged, in order of arrival--> FREE
 *
 * pump() runs on the shell's acknowledging thread, or on the serving thread when a response has
 * left. As with Watch the stream is IDLE or BUSY, and BUSY means that pump() is queued, runs, or
 * has a response under way; only pump() sends, finishes and frees. It takes all slots that are done
 * at its turn, so a slow reader gets fewer and larger responses, and what they are made of stays in
 * the slots: no memory but theirs.
 *
 * Flow control is the window: while the slots, or the bytes in them, are used up nothing is
 * received, gRPC stops reading and HTTP/2 holds the sender back. Slots are taken last in, first
 * out, so that a stream touches only as many arenas as it has messages under way.
 *
 * The lock guards what it is said to guard and is never held while calling out, but for submitting
 * to the pool.
 */
#include "services/profile/event_stream.h"

#include "services/common/base/arena.h"
#include "services/common/base/metrics.h"
#include "services/profile/wire_event.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    WINDOW_MESSAGES = 64,
    WINDOW_BYTES = 24 << 20,      /* two full groups of the writer's, of usual events */
    ALL_WINDOWS_BYTES = 64 << 20, /* of all streams; one message each may hold beyond it */
    SLOT_BYTES = 1 << 20,        /* a thousand usual events, judged and answered; not all touched */
    SLOT_SPARE_BYTES = 15 << 20, /* a message of 4 MiB */
    RESPONSE_MESSAGES_MAX = 16,  /* 16,000 rejected events make 3.7 MiB; clients take 4 */
    RESPONSE_BYTES = 64 << 10,
    RESPONSE_SPARE_BYTES = 8 << 20,
};

/* One message, from its arrival to its acknowledgement. */
struct slot {
    struct stream *stream;
    struct vt_arena arena; /* owned; allocated at first use */
    struct vt_request request;
    struct vt_diag diag;
    struct vt_wire_stream_events message;
    struct vt_slice response; /* in the arena; pump()'s */
    size_t size_bytes;        /* of the arena, when the message was taken */
    struct vt_err err;        /* under the stream's lock, as is `done` */
    bool done;
};

struct stream {
    struct vt_rpc_call *call;
    struct vt_profile_rpc *rpc;
    struct vt_worker_task task;
    struct vt_arena responses;           /* pump()'s: several, laid end to end */
    uint64_t last_sequence;              /* the serving thread's */
    pthread_mutex_t lock;                /* of all below, but for what slots say otherwise */
    struct slot *queue[WINDOW_MESSAGES]; /* taken ones, a ring, oldest at `first` */
    struct slot *free[WINDOW_MESSAGES];  /* a stack */
    uint32_t first, n_taken, n_free, n_under_way;
    size_t window_bytes;
    enum { IDLE, BUSY } state;
    bool stirred;      /* while BUSY: something happened that pump() has not seen */
    bool receiving;    /* asked for a message, or at work on it */
    bool working;      /* at work on it */
    bool ended;        /* by the sender's half-close */
    bool draining;     /* the server stops */
    bool gone;         /* the caller */
    bool closed;       /* pump() is about to finish: nothing more is taken */
    struct vt_err end; /* failed: a message was refused, and this is how the stream will end */
    struct slot slots[WINDOW_MESSAGES];
};

static void pump(void *ctx);

static void stream_free(struct stream *stream)
{
    for (unsigned i = 0; i < WINDOW_MESSAGES; i++)
        vt_arena_fini(&stream->slots[i].arena);
    vt_gauge_add(stream->rpc->streams_gauge, -1);
    vt_arena_fini(&stream->responses);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

static struct stream *stream_new(struct vt_rpc_call *call, struct vt_profile_rpc *rpc)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || !vt_arena_init_owned(&stream->responses, RESPONSE_BYTES)) {
        free(stream);
        return NULL;
    }
    pthread_mutex_init(&stream->lock, NULL);
    stream->call = call;
    stream->rpc = rpc;
    stream->end = vt_ok();
    vt_arena_allow_spare(&stream->responses, RESPONSE_SPARE_BYTES);
    for (unsigned i = 0; i < WINDOW_MESSAGES; i++) {
        stream->slots[i].stream = stream;
        stream->free[stream->n_free++] = &stream->slots[i];
    }
    stream->task = (struct vt_worker_task){.run = pump, .ctx = stream};
    vt_gauge_add(rpc->streams_gauge, 1);
    return stream;
}

/* ---- what happens, told to pump() ---- */

/* Under the lock. */
static void stir(struct stream *stream)
{
    stream->stirred = true;
    if (stream->state == BUSY)
        return;
    stream->state = BUSY;
    struct vt_err err = vt_worker_pool_submit(stream->rpc->acknowledger, &stream->task);
    VT_ASSERT(!vt_failed(err)); /* the pool has room for a task of every stream there may be */
}

static void note(struct stream *stream, bool *flag)
{
    pthread_mutex_lock(&stream->lock);
    *flag = true;
    stir(stream);
    pthread_mutex_unlock(&stream->lock);
}

static void on_cancel(void *ctx)
{
    struct stream *stream = ctx;
    note(stream, &stream->gone);
}

static void on_drain(void *ctx)
{
    struct stream *stream = ctx;
    note(stream, &stream->draining);
}

/* The writer thread, or the serving thread when nothing was to be written. */
static void on_written(void *ctx, struct vt_err err)
{
    struct slot *slot = ctx;
    struct stream *stream = slot->stream;
    pthread_mutex_lock(&stream->lock);
    slot->err = err;
    slot->done = true;
    stream->n_under_way--;
    stir(stream);
    pthread_mutex_unlock(&stream->lock);
}

/* ---- receiving ---- */

static void on_received(void *ctx, struct vt_err err, struct vt_slice body, bool ended);

/* Under the lock. */
static bool is_ending(const struct stream *stream)
{
    return stream->ended || stream->draining || stream->gone || vt_failed(stream->end);
}

/* Under the lock. A stream that holds nothing may always go on, one that holds something looks
 * again when it gives that back: so none of them waits for another. */
static bool window_open(const struct stream *stream)
{
    size_t all = atomic_load_explicit(&stream->rpc->stream_bytes, memory_order_relaxed);
    return stream->n_free != 0 && stream->window_bytes < WINDOW_BYTES &&
           (stream->n_taken == 0 || all < ALL_WINDOWS_BYTES);
}

static void receive_if_open(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool more = !stream->receiving && !is_ending(stream) && window_open(stream);
    stream->receiving = stream->receiving || more;
    pthread_mutex_unlock(&stream->lock);
    if (more)
        vt_rpc_call_receive(stream->call, on_received, stream);
}

/* NULL when what comes now is of no use: it is not acknowledged, and will be sent again. */
static struct slot *begin_work(struct stream *stream, bool ended)
{
    struct slot *slot = NULL;
    pthread_mutex_lock(&stream->lock);
    stream->ended = stream->ended || ended;
    stream->working = !is_ending(stream) && !stream->closed;
    if (stream->working)
        slot = stream->free[--stream->n_free];
    else
        stream->receiving = false;
    if (ended)
        stir(stream);
    pthread_mutex_unlock(&stream->lock);
    return slot;
}

static void end_work(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->working = stream->receiving = false;
    if (is_ending(stream))
        stir(stream); /* pump() may wait for this */
    pthread_mutex_unlock(&stream->lock);
}

static struct vt_err decode(struct slot *slot, struct vt_slice body)
{
    struct stream *stream = slot->stream;
    if (slot->arena.base == NULL) {
        VT_CHECK(vt_arena_init_owned(&slot->arena, SLOT_BYTES), VT_EXHAUSTED,
                 "no memory for another message");
        vt_arena_allow_spare(&slot->arena, SLOT_SPARE_BYTES);
    }
    vt_diag_clear(&slot->diag);
    slot->request = *vt_rpc_call_request(stream->call);
    slot->request.arena = &slot->arena;
    slot->request.diag = &slot->diag;
    VT_TRY(vt_wire_stream_events_decode(body, stream->last_sequence, &slot->arena, &slot->diag,
                                        &slot->message));
    stream->last_sequence = slot->message.sequence;
    slot->size_bytes = slot->arena.used + (SLOT_SPARE_BYTES - slot->arena.spare_bytes);
    return vt_ok();
}

/* Counts the slot in, before the writer may be done with it. */
static void take(struct slot *slot)
{
    struct stream *stream = slot->stream;
    pthread_mutex_lock(&stream->lock);
    stream->queue[(stream->first + stream->n_taken++) % WINDOW_MESSAGES] = slot;
    stream->n_under_way++;
    stream->window_bytes += slot->size_bytes;
    atomic_fetch_add_explicit(&stream->rpc->stream_bytes, slot->size_bytes, memory_order_relaxed);
    slot->done = false;
    pthread_mutex_unlock(&stream->lock);
    vt_gauge_add(stream->rpc->unacknowledged_gauge, 1);
}

static void hand_over(struct slot *slot)
{
    struct vt_wire_write_events *batch = &slot->message.batch;
    const struct vt_profile_write write = {
        .request = &slot->request, .done = on_written, .ctx = slot};
    take(slot);
    if (batch->n_events == 0) /* all were rejected already */
        on_written(slot, vt_ok());
    else
        vt_profile_queue_events(slot->stream->rpc->profile, &write, batch->events, batch->n_events,
                                batch->domain_results);
}

/* The stream will end with this, once everything before is acknowledged. Under the lock. */
static void end_with(struct stream *stream, const struct vt_diag *diag, const char *place,
                     uint64_t sequence, struct vt_err err)
{
    if (vt_failed(stream->end))
        return;
    const char *text = diag->text[0] != '\0' ? diag->text : err.what;
    stream->end = err;
    vt_diag_set(vt_rpc_call_request(stream->call)->diag, diag->field, "%s (%s %" PRIu64 ")", text,
                place, sequence);
}

static void refuse(struct slot *slot, const struct vt_diag *diag, struct vt_err err)
{
    struct stream *stream = slot->stream;
    pthread_mutex_lock(&stream->lock);
    end_with(stream, diag, "in the message after", stream->last_sequence, err);
    stream->free[stream->n_free++] = slot;
    pthread_mutex_unlock(&stream->lock);
}

static void on_received(void *ctx, struct vt_err err, struct vt_slice body, bool ended)
{
    struct stream *stream = ctx;
    struct slot *slot = begin_work(stream, ended);
    if (slot == NULL)
        return;
    const struct vt_diag too_large = *vt_rpc_call_request(stream->call)->diag;
    const struct vt_diag *diag = vt_failed(err) ? &too_large : &slot->diag;
    if (!vt_failed(err))
        err = decode(slot, body);
    if (vt_failed(err))
        refuse(slot, diag, err);
    else
        hand_over(slot);
    end_work(stream);
    receive_if_open(stream);
}

/* ---- acknowledging ---- */

static void on_sent(void *ctx, bool ok)
{
    struct stream *stream = ctx;
    pthread_mutex_lock(&stream->lock);
    stream->gone = stream->gone || !ok;
    pthread_mutex_unlock(&stream->lock);
    pump(stream);
}

/* The oldest slots that are done, in order, up to the first that failed. */
static uint32_t done_slots(struct stream *stream, struct slot *slots[RESPONSE_MESSAGES_MAX])
{
    uint32_t n = 0;
    pthread_mutex_lock(&stream->lock);
    stream->stirred = false;
    while (n < stream->n_taken && n < RESPONSE_MESSAGES_MAX && !stream->gone) {
        struct slot *slot = stream->queue[(stream->first + n) % WINDOW_MESSAGES];
        if (slot->done && vt_failed(slot->err))
            end_with(stream, &slot->diag, "in message", slot->message.sequence, slot->err);
        if (!slot->done || vt_failed(slot->err))
            break;
        slots[n++] = slot;
    }
    pthread_mutex_unlock(&stream->lock);
    return n;
}

/* It is written, but cannot be acknowledged: the sender will learn that when it sends it again. */
static void fail_slot(struct slot *slot, struct vt_err err)
{
    pthread_mutex_lock(&slot->stream->lock);
    slot->err = err;
    slot->stream->stirred = true;
    pthread_mutex_unlock(&slot->stream->lock);
}

/* Encodes each; returns how many succeeded. */
static uint32_t encode_responses(struct slot **slots, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct slot *slot = slots[i];
        struct vt_err err =
            vt_wire_stream_events_encode(&slot->message, &slot->arena, &slot->response);
        if (vt_failed(err)) {
            fail_slot(slot, err);
            return i;
        }
    }
    return n;
}

/* Laid end to end they are one response. Copied out of the slots, which go back before it leaves.
 * False when there is nothing to send. */
static bool join_responses(struct stream *stream, struct slot **slots, uint32_t n,
                           struct vt_slice *ret_response)
{
    size_t total = 0, used = 0;
    if (n == 0)
        return false;
    for (uint32_t i = 0; i < n; i++)
        total += slots[i]->response.len;
    vt_arena_reset(&stream->responses);
    char *joined = vt_arena_alloc(&stream->responses, total);
    if (joined == NULL) {
        fail_slot(slots[0], VT_ERR(VT_EXHAUSTED, "no memory for a response"));
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        memcpy(joined + used, slots[i]->response.data, slots[i]->response.len);
        used += slots[i]->response.len;
    }
    *ret_response = vt_slice(joined, used);
    return true;
}

/* Gives back the slots at the head of the queue; the window opens by as much. */
static void release(struct stream *stream, uint32_t n)
{
    pthread_mutex_lock(&stream->lock);
    for (uint32_t i = 0; i < n; i++) {
        struct slot *slot = stream->queue[stream->first];
        stream->first = (stream->first + 1) % WINDOW_MESSAGES;
        stream->n_taken--;
        stream->window_bytes -= slot->size_bytes;
        atomic_fetch_sub_explicit(&stream->rpc->stream_bytes, slot->size_bytes,
                                  memory_order_relaxed);
        stream->free[stream->n_free++] = slot;
        vt_arena_reset(&slot->arena);
    }
    pthread_mutex_unlock(&stream->lock);
    vt_gauge_add(stream->rpc->unacknowledged_gauge, -(double)n);
}

/* With nothing to acknowledge now: rest, finish, or look again. */
enum turn { REST, FINISH, AGAIN };
static enum turn next_turn(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool quiet = stream->n_under_way == 0 && !stream->working;
    enum turn turn = stream->stirred ? AGAIN : quiet && is_ending(stream) ? FINISH : REST;
    stream->closed = turn == FINISH;
    if (turn == REST)
        stream->state = IDLE;
    pthread_mutex_unlock(&stream->lock);
    return turn;
}

/* The caller may still leave, or the server drain, until the call is finished. */
static struct vt_err end_of(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    struct vt_err end = stream->end;
    if (stream->gone)
        end = VT_ERR(VT_CANCELLED, "the caller went away");
    else if (!vt_failed(end) && !stream->ended)
        end = VT_ERR(VT_UNAVAILABLE, "server is stopping; connect again");
    pthread_mutex_unlock(&stream->lock);
    return end;
}

/* Nothing is under way, and no callback of the call runs after its end. */
static void finish(struct stream *stream)
{
    vt_rpc_call_finish(stream->call, end_of(stream));
    release(stream, stream->n_taken); /* done, but never to be acknowledged */
    stream_free(stream);
}

static void pump(void *ctx)
{
    struct stream *stream = ctx;
    enum turn turn = AGAIN;
    while (turn == AGAIN) {
        struct slot *slots[RESPONSE_MESSAGES_MAX];
        struct vt_slice response;
        uint32_t n = encode_responses(slots, done_slots(stream, slots));
        if (join_responses(stream, slots, n, &response)) {
            release(stream, n);
            receive_if_open(stream);
            vt_rpc_call_send(stream->call, response, on_sent, stream); /* on_sent's from here on */
            return;
        }
        turn = next_turn(stream);
    }
    if (turn == FINISH)
        finish(stream);
}

void vt__event_stream_serve(struct vt_rpc_call *call, struct vt_profile_rpc *rpc)
{
    struct stream *stream = stream_new(call, rpc);
    if (stream == NULL) {
        vt_rpc_call_finish(call, VT_ERR(VT_EXHAUSTED, "no memory for another stream of events"));
        return;
    }
    vt_rpc_call_on_cancel(call, on_cancel, stream);
    vt_rpc_call_on_drain(call, on_drain, stream);
    receive_if_open(stream);
}
