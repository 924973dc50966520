/*
 * A server stream read by one thread that has nothing else to do. It owns a queue: the reads, the
 * request and the final status all come back there, each with its own tag. Cancelling is the only
 * thing another thread may do.
 */
#include "services/common/rpc/client_internal.h"

#include <grpc/byte_buffer.h>
#include <stdlib.h>

struct vt_rpc_stream {
    grpc_completion_queue *queue;
    grpc_call *call;
    grpc_byte_buffer *request, *message;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice status_text;
    bool read_done, status_done;
    struct vt__tag sent, read, finished;
};

static void on_sent(void *owner, bool ok)
{
    (void)owner; /* a request that could not leave shows in the status */
    (void)ok;
}

static void on_read(void *owner, bool ok)
{
    struct vt_rpc_stream *stream = owner;
    (void)ok; /* then there is no message */
    stream->read_done = true;
}

static void on_finished(void *owner, bool ok)
{
    struct vt_rpc_stream *stream = owner;
    (void)ok; /* always 1 */
    stream->status_done = true;
}

/* Runs the queue until *flag; false when the queue is empty and shut down. */
static bool run_until(struct vt_rpc_stream *stream, const bool *flag)
{
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    while (!*flag) {
        grpc_event event = grpc_completion_queue_next(stream->queue, never, NULL);
        if (event.type != GRPC_OP_COMPLETE)
            return false;
        struct vt__tag *tag = event.tag;
        tag->run(tag->owner, event.success != 0);
    }
    return true;
}

static void start_batch(struct vt_rpc_stream *stream, const grpc_op *ops, size_t n_ops,
                        struct vt__tag *tag)
{
    grpc_call_error error = grpc_call_start_batch(stream->call, ops, n_ops, tag, NULL);
    VT_ASSERT(error == GRPC_CALL_OK);
}

static void send_request(struct vt_rpc_stream *stream)
{
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    ops[1].data.send_message.send_message = stream->request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &stream->initial;
    start_batch(stream, ops, 4, &stream->sent);
}

static void ask_for_status(struct vt_rpc_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &stream->trailing;
    op.data.recv_status_on_client.status = &stream->status;
    op.data.recv_status_on_client.status_details = &stream->status_text;
    start_batch(stream, &op, 1, &stream->finished);
}

struct vt_err vt_rpc_stream_open(struct vt_rpc_channel *channel, const char *path,
                                 struct vt_slice body, struct vt_rpc_stream **ret)
{
    struct vt_rpc_stream *stream = calloc(1, sizeof *stream);
    VT_CHECK(stream != NULL, VT_EXHAUSTED, "no memory for a stream");
    vt__grpc_acquire();
    stream->sent = (struct vt__tag){on_sent, stream};
    stream->read = (struct vt__tag){on_read, stream};
    stream->finished = (struct vt__tag){on_finished, stream};
    stream->status_text = grpc_empty_slice();
    stream->queue = grpc_completion_queue_create_for_next(NULL);
    stream->request = vt__byte_buffer(body);
    grpc_metadata_array_init(&stream->initial);
    grpc_metadata_array_init(&stream->trailing);
    stream->call = vt__client_call_create(channel, stream->queue, path, INT64_MAX);
    ask_for_status(stream);
    send_request(stream);
    *ret = stream;
    return vt_ok();
}

/* The server has said its last: OK is the end, anything else an error. */
static struct vt_err end(struct vt_rpc_stream *stream, bool *ret_end)
{
    VT_CHECK(run_until(stream, &stream->status_done), VT_INTERNAL, "stream's queue is closed");
    VT_TRY(vt__client_error(stream->status));
    *ret_end = true;
    return vt_ok();
}

struct vt_err vt_rpc_stream_next(struct vt_rpc_stream *stream, struct vt_arena *arena,
                                 struct vt_slice *ret_body, bool *ret_end)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &stream->message;
    stream->read_done = false;
    *ret_end = false;
    start_batch(stream, &op, 1, &stream->read);
    VT_CHECK(run_until(stream, &stream->read_done), VT_INTERNAL, "stream's queue is closed");
    if (stream->message == NULL)
        return end(stream, ret_end);
    grpc_slice bytes = vt__byte_buffer_bytes(stream->message);
    struct vt_slice copy = vt_arena_copy(arena, vt__slice_view(&bytes));
    grpc_slice_unref(bytes);
    grpc_byte_buffer_destroy(stream->message);
    stream->message = NULL;
    VT_CHECK(copy.data != NULL, VT_EXHAUSTED, "message is larger than the reader's memory");
    *ret_body = copy;
    return vt_ok();
}

struct vt_slice vt_rpc_stream_message(const struct vt_rpc_stream *stream)
{
    return stream->status_done && stream->status != GRPC_STATUS_OK
               ? vt__slice_view(&stream->status_text)
               : vt_slice(NULL, 0);
}

void vt_rpc_stream_cancel(struct vt_rpc_stream *stream)
{
    grpc_call_cancel(stream->call, NULL);
}

void vt_rpc_stream_free(struct vt_rpc_stream *stream)
{
    if (stream == NULL)
        return;
    vt_rpc_stream_cancel(stream);
    run_until(stream, &stream->status_done);
    grpc_completion_queue_shutdown(stream->queue);
    const bool never = false;
    run_until(stream, &never);
    grpc_call_unref(stream->call);
    grpc_completion_queue_destroy(stream->queue);
    grpc_byte_buffer_destroy(stream->request);
    grpc_byte_buffer_destroy(stream->message);
    grpc_metadata_array_destroy(&stream->initial);
    grpc_metadata_array_destroy(&stream->trailing);
    grpc_slice_unref(stream->status_text);
    vt__grpc_release();
    free(stream);
}
