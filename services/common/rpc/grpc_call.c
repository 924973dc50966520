/*
 * A call that came over gRPC. Calls are pooled per serving thread: a slot posted to gRPC is a call
 * waiting to be filled. On arrival the slot is replaced, RECV_CLOSE is started alone (in the reply
 * batch it would come too late to be the cancellation signal), and the handler runs. The answer is
 * one batch {initial metadata, message, status}. The call goes back to the pool when everything
 * has come back from the queue, on its own thread, so the pools need no lock. Arenas are pooled
 * apart from calls, last in first out: few of them are touched, and those are in the cache.
 */
#include "services/common/base/metrics.h"
#include "services/common/rpc/error_details.h"
#include "services/common/rpc/server_internal.h"
#include "services/common/rpc/status.h"

#include <grpc/byte_buffer.h>
#include <stdlib.h>

static const struct vt__transport grpc_transport;

static struct vt__server_call *from_base(struct vt_rpc_call *base)
{
    return (struct vt__server_call *)base;
}

/* ---- pools ---- */

static void on_arrived(void *owner, bool ok);
static void on_closed(void *owner, bool ok);
static void on_sent(void *owner, bool ok);
static void on_received(void *owner, bool ok);
static void on_answered(void *owner, bool ok);

static struct vt__server_call *call_new(struct vt__worker *worker)
{
    struct vt__server_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->worker = worker;
    call->arrived = (struct vt__tag){on_arrived, call};
    call->closed = (struct vt__tag){on_closed, call};
    call->sent = (struct vt__tag){on_sent, call};
    call->received = (struct vt__tag){on_received, call};
    call->answered = (struct vt__tag){on_answered, call};
    grpc_metadata_array_init(&call->metadata);
    return call;
}

static void call_free(struct vt__server_call *call)
{
    grpc_metadata_array_destroy(&call->metadata);
    free(call);
}

static struct vt__server_call *call_take(struct vt__worker *worker)
{
    struct vt__server_call *call = worker->idle_calls;
    if (call == NULL)
        return call_new(worker);
    worker->idle_calls = call->next;
    return call;
}

static void call_put(struct vt__server_call *call)
{
    struct vt__worker *worker = call->worker;
    call->next = worker->idle_calls;
    worker->idle_calls = call;
}

/* An arena without memory when there is none: the handler then fails with EXHAUSTED. */
static void arena_take(struct vt__server_call *call)
{
    struct vt__worker *worker = call->worker;
    size_t size_bytes = worker->server->options.arena_bytes;
    struct vt__arena_block *block = worker->idle_arenas;
    if (block != NULL)
        worker->idle_arenas = block->next;
    else
        block = malloc(size_bytes);
    call->arena_block = block;
    vt_arena_init(&call->base.arena, block, block != NULL ? size_bytes : 0);
    if (call->method->row->kind == VT_RPC_UNARY)
        vt_arena_allow_spare(&call->base.arena, VT__ARENA_SPARE_BYTES);
}

static void arena_put(struct vt__server_call *call)
{
    vt_arena_reset(&call->base.arena);
    if (call->arena_block == NULL)
        return;
    call->arena_block->next = call->worker->idle_arenas;
    call->worker->idle_arenas = call->arena_block;
    call->arena_block = NULL;
}

void vt__worker_free_pools(struct vt__worker *worker)
{
    for (struct vt__server_call *call; (call = worker->idle_calls) != NULL;) {
        worker->idle_calls = call->next;
        call_free(call);
    }
    for (struct vt__arena_block *block; (block = worker->idle_arenas) != NULL;) {
        worker->idle_arenas = block->next;
        free(block);
    }
}

/* ---- slots ---- */

void vt__slot_post(struct vt__worker *worker, struct vt__method *method)
{
    struct vt_rpc_server *server = worker->server;
    if (atomic_load_explicit(&server->stopping, memory_order_acquire))
        return; /* cancelled slots would post themselves again, and shutdown would stall */
    struct vt__server_call *call = call_take(worker);
    if (call == NULL) {
        worker->owed_slots[method - server->methods]++;
        return;
    }
    call->method = method;
    grpc_completion_queue *queue = worker->loop.queue;
    grpc_call_error error;
    if (method->registration == NULL) {
        grpc_call_details_init(&call->details);
        error = grpc_server_request_call(server->grpc, &call->grpc, &call->details, &call->metadata,
                                         queue, queue, &call->arrived);
    } else {
        bool with_message = method->row->kind != VT_RPC_BIDI_STREAM;
        error = grpc_server_request_registered_call(
            server->grpc, method->registration, &call->grpc, &call->deadline, &call->metadata,
            with_message ? &call->request : NULL, queue, queue, &call->arrived);
    }
    VT_ASSERT(error == GRPC_CALL_OK);
}

/* A call has just gone back to the pool: pay one slot that was owed. */
static void pay_owed_slot(struct vt__worker *worker)
{
    for (size_t i = 0; i < worker->server->n_methods; i++) {
        if (worker->owed_slots[i] > 0) {
            worker->owed_slots[i]--;
            vt__slot_post(worker, &worker->server->methods[i]);
            return;
        }
    }
}

/* ---- live streams, which drain must end ---- */

static void cancel_for_drain(struct vt__server_call *call)
{
    grpc_call_cancel_with_status(call->grpc, GRPC_STATUS_UNAVAILABLE,
                                 "server is stopping; connect again", NULL);
}

static void stream_link(struct vt__server_call *call)
{
    struct vt_rpc_server *server = call->worker->server;
    pthread_mutex_lock(&server->mutex);
    call->previous = NULL;
    call->next = server->streams;
    if (call->next != NULL)
        call->next->previous = call;
    server->streams = call;
    if (atomic_load_explicit(&server->stopping, memory_order_acquire))
        cancel_for_drain(call);
    pthread_mutex_unlock(&server->mutex);
}

static void stream_unlink(struct vt__server_call *call)
{
    struct vt_rpc_server *server = call->worker->server;
    pthread_mutex_lock(&server->mutex);
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        server->streams = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    pthread_mutex_unlock(&server->mutex);
}

void vt__streams_cancel(struct vt_rpc_server *server)
{
    pthread_mutex_lock(&server->mutex);
    for (struct vt__server_call *call = server->streams; call != NULL; call = call->next)
        if (!vt__call_drain(&call->base))
            cancel_for_drain(call);
    pthread_mutex_unlock(&server->mutex);
}

/* ---- a life ---- */

/* The call of a completed batch; pairs with the release in start_batch. */
static struct vt__server_call *completed(void *owner)
{
    struct vt__server_call *call = owner;
    (void)atomic_load_explicit(&call->pending, memory_order_acquire);
    return call;
}

static void start_batch(struct vt__server_call *call, const grpc_op *ops, size_t n_ops,
                        struct vt__tag *tag)
{
    /* gRPC's queue hands our writes to the serving thread; this pair with on_… says so to readers
     * and to thread checkers, which do not see into the library. */
    atomic_fetch_add_explicit(&call->pending, 0, memory_order_release);
    /* A refused batch never completes: that would be a misuse of ours, not an event. */
    grpc_call_error error = grpc_call_start_batch(call->grpc, ops, n_ops, tag, NULL);
    VT_ASSERT(error == GRPC_CALL_OK);
}

/* Counts a call out; drain waits for the last one. Sequentially consistent on both sides: either
 * drain sees no call left, or this sees that drain waits. */
static void leave(struct vt_rpc_server *server)
{
    if (atomic_fetch_sub_explicit(&server->n_live, 1, memory_order_seq_cst) != 1 ||
        !atomic_load_explicit(&server->stopping, memory_order_seq_cst))
        return;
    pthread_mutex_lock(&server->mutex);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

static void release(struct vt__server_call *call)
{
    struct vt__worker *worker = call->worker;
    struct vt_rpc_server *server = worker->server;
    if (call->method->row->kind != VT_RPC_UNARY)
        stream_unlink(call);
    atomic_fetch_sub_explicit(&call->method->in_flight, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&server->in_flight, 1, memory_order_relaxed);
    vt_gauge_add(server->in_flight_gauge, -1);
    vt__admission_leave(&worker->admission, &call->waiting, vt__now_ns());
    grpc_slice_unref(call->request_bytes);
    grpc_byte_buffer_destroy(call->request);
    grpc_byte_buffer_destroy(call->outgoing);
    grpc_byte_buffer_destroy(call->reply);
    call->request = call->outgoing = call->reply = NULL;
    if (call->method->registration == NULL)
        grpc_call_details_destroy(&call->details);
    grpc_call_unref(call->grpc);
    call->metadata.count = 0;
    arena_put(call);
    call_put(call);
    pay_owed_slot(worker);
    leave(server);
}

static void drop_pending(struct vt__server_call *call)
{
    if (atomic_fetch_sub_explicit(&call->pending, 1, memory_order_acq_rel) == 1)
        release(call);
}

static void watch_for_close(struct vt__server_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->close_cancelled;
    start_batch(call, &op, 1, &call->closed);
}

static struct vt_slice find_metadata(const struct vt_rpc_call *base, const char *key)
{
    const struct vt__server_call *call = (const struct vt__server_call *)base;
    struct vt_slice wanted = vt_slice_str(key);
    for (size_t i = 0; i < call->metadata.count; i++)
        if (vt_slice_equal(vt__slice_view(&call->metadata.metadata[i].key), wanted))
            return vt__slice_view(&call->metadata.metadata[i].value);
    return (struct vt_slice){0};
}

static void fill_request(struct vt__server_call *call)
{
    struct vt_request *request = &call->base.request;
    bool registered = call->method->registration != NULL;
    request->loop = &call->worker->loop;
    request->deadline_ns = vt__nanoseconds(registered ? call->deadline : call->details.deadline);
    uint32_t default_ms = call->method->row->default_deadline_ms;
    if (request->deadline_ns == INT64_MAX && default_ms > 0)
        request->deadline_ns = call->waiting.arrived_ns + (int64_t)default_ms * 1000000;
    vt__server_span_begin(call, find_metadata(&call->base, "traceparent"));
}

/* Counts the call in; false when a limit is reached. It is counted out by release either way. */
static bool admit(struct vt__server_call *call)
{
    struct vt_rpc_server *server = call->worker->server;
    uint32_t method_limit = call->method->row->max_in_flight;
    bool is_health = call->method->service == server->health; /* a full server is not a dead one */
    vt_gauge_add(server->in_flight_gauge, 1);
    unsigned all = atomic_fetch_add_explicit(&server->in_flight, 1, memory_order_relaxed);
    unsigned same = atomic_fetch_add_explicit(&call->method->in_flight, 1, memory_order_relaxed);
    return (all < server->options.max_in_flight || is_health) &&
           (method_limit == 0 || same < method_limit);
}

static void begin(struct vt__server_call *call)
{
    atomic_store_explicit(&call->pending, 2, memory_order_relaxed); /* the close and the answer */
    atomic_store_explicit(&call->headers_sent, false, memory_order_relaxed);
    call->waiting.arrived_ns = vt__now_ns();
    atomic_fetch_add_explicit(&call->worker->server->n_live, 1, memory_order_relaxed);
    vt_counter_add(call->method->started, 1);
    vt_arena_init(&call->base.arena, NULL, 0); /* a queued or refused call needs none */
    vt__call_init(&call->base, &grpc_transport, call->method->row);
    call->request_bytes = vt__byte_buffer_bytes(call->request);
    call->base.body = vt__slice_view(&call->request_bytes);
    fill_request(call);
    if (call->method->row->kind != VT_RPC_UNARY)
        stream_link(call);
    watch_for_close(call);
}

void vt__server_call_begin(struct vt__server_call *call)
{
    arena_take(call);
    vt__call_handle(&call->base, call->method->service);
}

static void on_arrived(void *owner, bool ok)
{
    struct vt__server_call *call = owner;
    if (!ok) { /* the server stops: an empty slot comes back */
        if (call->method->registration == NULL)
            grpc_call_details_destroy(&call->details);
        call_put(call);
        return;
    }
    vt__slot_post(call->worker, call->method);
    begin(call);
    if (admit(call)) {
        vt__worker_admit(call);
        return;
    }
    vt_diag_set(&call->base.diag, "", "too many calls at a time; try again in a moment");
    vt_rpc_call_fail(&call->base, VT_ERR(VT_EXHAUSTED, "too many calls in flight"));
}

static void on_closed(void *owner, bool ok)
{
    struct vt__server_call *call = completed(owner);
    (void)ok; /* always 1 */
    if (call->close_cancelled != 0 && !vt__worker_drop(call))
        vt__call_cancelled(&call->base);
    drop_pending(call);
}

/* ---- messages ---- */

static grpc_op *add_headers(struct vt__server_call *call, grpc_op *op)
{
    if (atomic_exchange_explicit(&call->headers_sent, true, memory_order_acq_rel))
        return op;
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    return op + 1;
}

static void transport_send(struct vt_rpc_call *base, struct vt_slice body)
{
    struct vt__server_call *call = from_base(base);
    grpc_op ops[2] = {0};
    grpc_op *op = add_headers(call, ops);
    call->outgoing = vt__byte_buffer(body);
    /* Release, for on_sent: libgrpc orders the two, in code that a race detector cannot see. */
    atomic_fetch_add_explicit(&call->pending, 1, memory_order_release);
    op->op = GRPC_OP_SEND_MESSAGE;
    op->data.send_message.send_message = call->outgoing;
    start_batch(call, ops, (size_t)(op + 1 - ops), &call->sent);
}

static void on_sent(void *owner, bool ok)
{
    struct vt__server_call *call = completed(owner);
    grpc_byte_buffer_destroy(call->outgoing);
    call->outgoing = NULL;
    vt__call_sent(&call->base, ok);
    drop_pending(call);
}

static void transport_receive(struct vt_rpc_call *base)
{
    struct vt__server_call *call = from_base(base);
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->incoming;
    atomic_fetch_add_explicit(&call->pending, 1, memory_order_relaxed);
    start_batch(call, &op, 1, &call->received);
}

static void on_received(void *owner, bool ok)
{
    struct vt__server_call *call = completed(owner);
    grpc_byte_buffer *message = call->incoming;
    call->incoming = NULL;
    grpc_slice bytes = vt__byte_buffer_bytes(message);
    vt__call_received(&call->base, vt__slice_view(&bytes), !ok || message == NULL);
    grpc_slice_unref(bytes);
    grpc_byte_buffer_destroy(message);
    drop_pending(call);
}

/* ---- the answer ---- */

static void count_answer(struct vt__server_call *call, struct vt_err err)
{
    int64_t now_ns = vt__now_ns();
    vt_counter_add(call->method->handled[err.code], 1);
    vt_histogram_observe(call->method->seconds, (double)(now_ns - call->waiting.arrived_ns) * 1e-9);
    vt__server_span_end(call, err, now_ns);
}

/* Fills the trailer for programs; 0 when there is none. */
static size_t make_trailers(const struct vt__server_call *call, const struct vt__answer *answer,
                            grpc_metadata *trailer)
{
    unsigned char memory[VT__DETAILS_BYTES_MAX];
    struct vt_slice details =
        vt__error_details(answer->err, answer->message, &call->base.diag, memory);
    trailer->key = grpc_slice_from_static_string("grpc-status-details-bin");
    trailer->value = grpc_slice_from_copied_buffer(details.data, details.len);
    return details.len > 0 ? 1 : 0;
}

static void transport_answer(struct vt_rpc_call *base, const struct vt__answer *answer)
{
    struct vt__server_call *call = from_base(base);
    grpc_op ops[3] = {0};
    grpc_op *op = add_headers(call, ops);
    grpc_slice message = grpc_slice_from_copied_string(answer->message);
    grpc_metadata trailer = {0};
    if (answer->has_body) {
        call->reply = vt__byte_buffer(answer->body);
        op->op = GRPC_OP_SEND_MESSAGE;
        op->data.send_message.send_message = call->reply;
        op++;
    }
    op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    op->data.send_status_from_server.status =
        (grpc_status_code)vt_rpc_status_from_code(answer->err.code);
    op->data.send_status_from_server.status_details = &message;
    op->data.send_status_from_server.trailing_metadata_count =
        make_trailers(call, answer, &trailer);
    op->data.send_status_from_server.trailing_metadata = &trailer;
    count_answer(call, answer->err);
    start_batch(call, ops, (size_t)(op + 1 - ops), &call->answered);
    /* The call may be gone from here on: another thread may have seen the completion. */
    grpc_slice_unref(message);
    grpc_slice_unref(trailer.value);
}

static void on_answered(void *owner, bool ok)
{
    (void)ok; /* the caller may have gone; nobody is left to tell */
    drop_pending(completed(owner));
}

/* ---- what else a handler asks ---- */

static bool transport_is_local(const struct vt_rpc_call *base)
{
    return vt__call_is_admin((const struct vt__server_call *)base);
}

static void transport_caller(const struct vt_rpc_call *base, struct vt__caller *ret_caller)
{
    vt__caller_read((const struct vt__server_call *)base, ret_caller);
}

static const struct vt__transport grpc_transport = {
    .answer = transport_answer,
    .send = transport_send,
    .receive = transport_receive,
    .metadata = find_metadata,
    .is_local = transport_is_local,
    .caller = transport_caller,
};
