/*
 * Outgoing unary calls. A call is one batch on the caller's own queue: it begins and completes on
 * one thread, so its objects are pooled in the loop without a lock. The status decides, never the
 * event's success flag (a batch whose call failed is a success). Blocking calls are the same with a
 * queue of their own. Deadlines are set per call: service configuration's are off by a second.
 */
#include "services/common/rpc/client.h"

#include "services/common/rpc/client_internal.h"
#include "services/common/rpc/status.h"

#include <stdio.h>
#include <stdlib.h>

enum { METADATA_MAX = VT_RPC_OUTGOING_METADATA_MAX + 1 /* traceparent */ };

/* `message` is the server's status message. */
typedef void (*started_done_fn)(void *ctx, struct vt_err err, struct vt_slice body,
                                struct vt_slice message);

/* A call to start. */
struct start_options {
    struct vt_rpc_loop *loop;
    const char *path;
    struct vt_slice body; /* copied */
    int64_t deadline_ns;
    struct vt__outgoing *waiting;           /* ends with it; NULL: nobody's */
    const struct vt_rpc_metadata *metadata; /* copied; at most METADATA_MAX */
    size_t n_metadata;
    started_done_fn done; /* once, unless starting failed */
    void *ctx;
};

/* One call under way. */
struct vt__client_call {
    struct vt__tag tag;
    struct vt__client_call *next; /* in the loop's idle list */
    struct vt_rpc_loop *loop;
    struct vt__outgoing *waiting; /* whose list it is in, or NULL */
    struct vt__client_call *after, *before;
    grpc_call *grpc;
    grpc_byte_buffer *sent, *received;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice message;
    started_done_fn done;
    void *ctx;
};

/* ---- pool ---- */

static void on_completed(void *owner, bool ok);

static struct vt__client_call *call_take(struct vt_rpc_loop *loop)
{
    struct vt__client_call *call = loop->idle_calls;
    if (call != NULL) {
        loop->idle_calls = call->next;
        return call;
    }
    call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->tag = (struct vt__tag){on_completed, call};
    call->loop = loop;
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    return call;
}

static void call_put(struct vt__client_call *call)
{
    grpc_slice_unref(call->message);
    grpc_byte_buffer_destroy(call->sent);
    grpc_byte_buffer_destroy(call->received);
    grpc_call_unref(call->grpc);
    call->sent = call->received = NULL;
    call->initial.count = call->trailing.count = 0;
    call->next = call->loop->idle_calls;
    call->loop->idle_calls = call;
}

void vt__client_calls_free(struct vt__client_call *list)
{
    while (list != NULL) {
        struct vt__client_call *call = list;
        list = call->next;
        grpc_metadata_array_destroy(&call->initial);
        grpc_metadata_array_destroy(&call->trailing);
        free(call);
    }
}

/* ---- a call ---- */

static const char *const failure_texts[VT_CODE_COUNT] = {
    [VT_INVALID] = "the service refused the request",
    [VT_NOT_FOUND] = "the service does not know it",
    [VT_EXHAUSTED] = "the service is at its limit",
    [VT_DEADLINE] = "the service did not answer in time",
    [VT_UNAVAILABLE] = "the service is away",
    [VT_CORRUPT] = "the service found damaged data",
    [VT_INTERNAL] = "the service failed",
    [VT_UNIMPLEMENTED] = "the service does not have this call",
    [VT_PRECONDITION] = "the service is not in the right state",
    [VT_DENIED] = "the service does not allow it",
    [VT_CANCELLED] = "the call was cancelled",
    [VT_UNAUTHENTICATED] = "the service does not know who calls",
};

struct vt_err vt__client_error(grpc_status_code status)
{
    enum vt_code code = vt_rpc_status_to_code((int)status);
    return code == VT_OK ? vt_ok() : VT_ERR(code, failure_texts[code]);
}

/* ---- the calls that an incoming call waits for ---- */

static void link_call(struct vt__client_call *call, struct vt__outgoing *waiting)
{
    call->waiting = waiting;
    if (waiting == NULL)
        return;
    call->before = NULL;
    call->after = waiting->first;
    if (call->after != NULL)
        call->after->before = call;
    waiting->first = call;
}

static void unlink_call(struct vt__client_call *call)
{
    if (call->waiting == NULL)
        return;
    if (call->before != NULL)
        call->before->after = call->after;
    else
        call->waiting->first = call->after;
    if (call->after != NULL)
        call->after->before = call->before;
    call->waiting = NULL;
}

void vt__outgoing_cancel(struct vt__outgoing *outgoing)
{
    for (struct vt__client_call *call = outgoing->first; call != NULL; call = call->after)
        grpc_call_cancel(call->grpc, NULL);
}

static void on_completed(void *owner, bool ok)
{
    struct vt__client_call *call = owner;
    (void)ok; /* 1 whatever the status */
    call->loop->n_calls--;
    unlink_call(call);
    struct vt_err err = vt__client_error(call->status);
    if (!vt_failed(err) && call->received == NULL)
        err = VT_ERR(VT_INTERNAL, "the service answered OK without a message");
    grpc_slice bytes = vt__byte_buffer_bytes(call->received);
    call->done(call->ctx, err, vt__slice_view(&bytes), vt__slice_view(&call->message));
    grpc_slice_unref(bytes);
    call_put(call);
}

static size_t copy_metadata(const struct vt_rpc_metadata *from, size_t n,
                            grpc_metadata to[METADATA_MAX])
{
    size_t count = n < METADATA_MAX ? n : METADATA_MAX;
    for (size_t i = 0; i < count; i++)
        to[i] = (grpc_metadata){
            .key = grpc_slice_from_copied_string(from[i].key),
            .value = grpc_slice_from_copied_buffer(from[i].value.data, from[i].value.len)};
    return count;
}

static void unref_metadata(grpc_metadata *metadata, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        grpc_slice_unref(metadata[i].key);
        grpc_slice_unref(metadata[i].value);
    }
}

static grpc_call_error start_batch(struct vt__client_call *call, grpc_metadata *metadata,
                                   size_t n_metadata)
{
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
    ops[0].data.send_initial_metadata.count = n_metadata;
    ops[0].data.send_initial_metadata.metadata = metadata;
    ops[1].data.send_message.send_message = call->sent;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    ops[4].data.recv_message.recv_message = &call->received;
    ops[5].data.recv_status_on_client.trailing_metadata = &call->trailing;
    ops[5].data.recv_status_on_client.status = &call->status;
    ops[5].data.recv_status_on_client.status_details = &call->message;
    return grpc_call_start_batch(call->grpc, ops, 6, &call->tag, NULL);
}

static struct vt_err start_call(struct vt_rpc_channel *channel, const struct start_options *options)
{
    struct vt_rpc_loop *loop = options->loop;
    VT_ASSERT(loop->lock != NULL || pthread_equal(loop->thread, pthread_self()));
    struct vt__client_call *call = call_take(loop);
    VT_CHECK(call != NULL, VT_EXHAUSTED, "no memory for a call");
    grpc_metadata metadata[METADATA_MAX];
    size_t n = copy_metadata(options->metadata, options->n_metadata, metadata);
    call->done = options->done;
    call->ctx = options->ctx;
    call->message = grpc_empty_slice();
    call->sent = vt__byte_buffer(options->body);
    call->grpc = vt__client_call_create(channel, loop->queue, options->path, options->deadline_ns);
    grpc_call_error error = start_batch(call, metadata, n);
    unref_metadata(metadata, n);
    if (error != GRPC_CALL_OK) { /* metadata that HTTP/2 cannot carry */
        call_put(call);
        return VT_ERR(VT_INVALID, "metadata holds a key or value that gRPC cannot send");
    }
    loop->n_calls++;
    link_call(call, options->waiting);
    return vt_ok();
}

/* ---- from handlers ---- */

/* Lives in the request's arena until the call is done. */
struct handler_call {
    struct vt_request *request;
    struct vt_rpc_outgoing outgoing;
    struct vt__client_span span;
};

static void on_handler_call_done(void *ctx, struct vt_err err, struct vt_slice body,
                                 struct vt_slice message)
{
    struct handler_call *call = ctx;
    /* A service that stops cancels what reaches it too late. Our caller has not gone away. */
    if (err.code == VT_CANCELLED && !vt_request_cancelled(call->request))
        err = VT_ERR(VT_UNAVAILABLE, "the service is stopping");
    if (vt_failed(err) && message.len > 0)
        vt_diag_set(call->request->diag, "", "%.*s", (int)message.len, message.data);
    vt__client_span_end(&call->span, call->outgoing.path, (enum vt_code)err.code);
    call->outgoing.done(call->outgoing.ctx, err, body);
}

static void call_blocking(struct vt_rpc_channel *channel, const struct start_options *options)
{
    struct start_options blocking = *options;
    struct handler_call *call = options->ctx;
    struct vt_err err = vt_rpc_loop_new(&blocking.loop); /* stays NULL on failure */
    if (!vt_failed(err))
        err = start_call(channel, &blocking);
    if (vt_failed(err))
        call->outgoing.done(call->outgoing.ctx, err, (struct vt_slice){0});
    else
        vt_rpc_loop_run_one(blocking.loop, INT64_MAX);
    vt_rpc_loop_free(blocking.loop);
}

/* The caller's trace, then what the handler adds. */
static size_t gather_metadata(struct vt_slice traceparent, const struct vt_rpc_metadata *added,
                              size_t n_added, struct vt_rpc_metadata metadata[METADATA_MAX])
{
    size_t n = 0;
    if (traceparent.len > 0)
        metadata[n++] = (struct vt_rpc_metadata){"traceparent", traceparent};
    VT_ASSERT(n_added <= VT_RPC_OUTGOING_METADATA_MAX);
    for (size_t i = 0; i < n_added; i++)
        metadata[n++] = added[i];
    return n;
}

void vt_rpc_client_start(struct vt_rpc_channel *channel, struct vt_request *request,
                         const struct vt_rpc_outgoing *outgoing)
{
    vt_rpc_client_start_with(channel, request, outgoing, NULL, 0);
}

void vt_rpc_client_start_with(struct vt_rpc_channel *channel, struct vt_request *request,
                              const struct vt_rpc_outgoing *outgoing,
                              const struct vt_rpc_metadata *added, size_t n_added)
{
    struct handler_call *call = vt_arena_alloc(request->arena, sizeof *call);
    if (call == NULL) {
        outgoing->done(outgoing->ctx, VT_ERR(VT_EXHAUSTED, "no memory for a call"),
                       (struct vt_slice){0});
        return;
    }
    *call = (struct handler_call){.request = request, .outgoing = *outgoing};
    struct vt_rpc_metadata metadata[METADATA_MAX];
    char trace_text[VT_TRACEPARENT_BYTES];
    struct vt_slice trace = vt__client_span_begin(request->span, &call->span, trace_text);
    struct start_options options = {.loop = request->loop,
                                    .path = outgoing->path,
                                    .body = outgoing->body,
                                    .deadline_ns = outgoing->deadline_ns,
                                    .waiting = request->outgoing,
                                    .metadata = metadata,
                                    .n_metadata = gather_metadata(trace, added, n_added, metadata),
                                    .done = on_handler_call_done,
                                    .ctx = call};
    if (options.loop == NULL) {
        options.waiting = NULL;
        call_blocking(channel, &options);
        return;
    }
    struct vt_err err = start_call(channel, &options);
    if (vt_failed(err))
        outgoing->done(outgoing->ctx, err, (struct vt_slice){0});
    else if (vt_request_cancelled(request) && options.waiting != NULL)
        vt__outgoing_cancel(options.waiting); /* nobody waits any more: end it at once */
}

/* ---- from programs ---- */

struct blocking_call {
    struct vt_arena *arena;
    struct vt_diag *diag;
    struct vt_err err;
    struct vt_slice body;
};

static void on_blocking_call_done(void *ctx, struct vt_err err, struct vt_slice body,
                                  struct vt_slice message)
{
    struct blocking_call *call = ctx;
    call->err = err;
    if (vt_failed(err)) {
        vt_diag_set(call->diag, "", "%.*s", (int)message.len, message.data);
        return;
    }
    call->body = vt_arena_copy(call->arena, body);
    if (call->body.data == NULL)
        call->err = VT_ERR(VT_EXHAUSTED, "the answer is larger than the caller's memory");
}

struct vt_err vt_rpc_client_call(struct vt_rpc_channel *channel, const char *path,
                                 struct vt_slice body, const struct vt_rpc_call_options *options,
                                 struct vt_arena *arena, struct vt_diag *diag,
                                 struct vt_slice *ret_body)
{
    struct blocking_call call = {.arena = arena, .diag = diag};
    struct start_options start = {
        .path = path,
        .body = body,
        .deadline_ns = options->timeout_ms > 0
                           ? vt__now_ns() + (int64_t)options->timeout_ms * 1000000
                           : INT64_MAX,
        .metadata = options->metadata,
        .n_metadata = options->n_metadata,
        .done = on_blocking_call_done,
        .ctx = &call,
    };
    VT_CHECK(options->n_metadata <= METADATA_MAX, VT_INVALID, "too many metadata");
    VT_TRY(vt_rpc_loop_new(&start.loop));
    struct vt_err err = start_call(channel, &start);
    if (!vt_failed(err)) {
        vt_rpc_loop_run_one(start.loop, INT64_MAX);
        err = call.err;
    }
    vt_rpc_loop_free(start.loop);
    if (!vt_failed(err))
        *ret_body = call.body;
    return err;
}
