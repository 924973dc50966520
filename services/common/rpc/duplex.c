/*
 * One queue, one thread. A read is always under way, so that messages come in whatever the thread
 * waits for; each batch has its own tag, and waiting means to run completions until a flag is set.
 * The final status is asked for at the start: it completes when the call is over for any reason,
 * and gRPC completes all other batches of the call by then, in failure.
 */
#include "services/common/rpc/duplex.h"

#include "services/common/rpc/client_internal.h"

#include <grpc/byte_buffer.h>
#include <stdlib.h>

struct vt_rpc_duplex {
    grpc_completion_queue *queue;
    grpc_call *call;
    vt_rpc_message_fn on_message;
    void *ctx;
    grpc_byte_buffer *outgoing, *incoming;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice status_text;
    bool left, over; /* the message that is sent; the stream */
    unsigned n_messages;
    struct vt__tag opened, sent, received, finished;
};

static void start_batch(struct vt_rpc_duplex *duplex, const grpc_op *ops, size_t n_ops,
                        struct vt__tag *tag)
{
    grpc_call_error error = grpc_call_start_batch(duplex->call, ops, n_ops, tag, NULL);
    VT_ASSERT(error == GRPC_CALL_OK);
}

static void on_opened(void *owner, bool ok)
{
    (void)owner; /* a failure shows in the status */
    (void)ok;
}

static void on_sent(void *owner, bool ok)
{
    struct vt_rpc_duplex *duplex = owner;
    (void)ok;
    duplex->left = true;
}

static void on_finished(void *owner, bool ok)
{
    struct vt_rpc_duplex *duplex = owner;
    (void)ok; /* always 1 */
    duplex->over = true;
}

static void receive(struct vt_rpc_duplex *duplex)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &duplex->incoming;
    start_batch(duplex, &op, 1, &duplex->received);
}

static void on_received(void *owner, bool ok)
{
    struct vt_rpc_duplex *duplex = owner;
    grpc_byte_buffer *message = duplex->incoming;
    (void)ok; /* then there is no message */
    duplex->incoming = NULL;
    if (message == NULL)
        return;
    grpc_slice bytes = vt__byte_buffer_bytes(message);
    duplex->n_messages++;
    duplex->on_message(duplex->ctx, vt__slice_view(&bytes));
    grpc_slice_unref(bytes);
    grpc_byte_buffer_destroy(message);
    receive(duplex);
}

/* Runs one completion; false when the queue is shut down and empty. */
static bool run_one(struct vt_rpc_duplex *duplex)
{
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    grpc_event event = grpc_completion_queue_next(duplex->queue, never, NULL);
    if (event.type != GRPC_OP_COMPLETE)
        return false;
    struct vt__tag *tag = event.tag;
    tag->run(tag->owner, event.success != 0);
    return true;
}

static void open_call(struct vt_rpc_duplex *duplex)
{
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &duplex->initial;
    status.data.recv_status_on_client.trailing_metadata = &duplex->trailing;
    status.data.recv_status_on_client.status = &duplex->status;
    status.data.recv_status_on_client.status_details = &duplex->status_text;
    start_batch(duplex, &status, 1, &duplex->finished);
    start_batch(duplex, ops, 2, &duplex->opened);
    receive(duplex);
}

struct vt_err vt_rpc_duplex_open(struct vt_rpc_channel *channel, const char *path,
                                 vt_rpc_message_fn on_message, void *ctx,
                                 struct vt_rpc_duplex **ret)
{
    struct vt_rpc_duplex *duplex = calloc(1, sizeof *duplex);
    VT_CHECK(duplex != NULL, VT_EXHAUSTED, "no memory for a stream");
    vt__grpc_acquire();
    duplex->opened = (struct vt__tag){on_opened, duplex};
    duplex->sent = (struct vt__tag){on_sent, duplex};
    duplex->received = (struct vt__tag){on_received, duplex};
    duplex->finished = (struct vt__tag){on_finished, duplex};
    duplex->on_message = on_message;
    duplex->ctx = ctx;
    duplex->status_text = grpc_empty_slice();
    grpc_metadata_array_init(&duplex->initial);
    grpc_metadata_array_init(&duplex->trailing);
    duplex->queue = grpc_completion_queue_create_for_next(NULL);
    duplex->call = vt__client_call_create(channel, duplex->queue, path, INT64_MAX);
    open_call(duplex);
    *ret = duplex;
    return vt_ok();
}

/* Of a stream that is over; VT_OK is how the server ended it. */
static struct vt_err status_of(const struct vt_rpc_duplex *duplex, struct vt_diag *diag)
{
    struct vt_slice text = vt__slice_view(&duplex->status_text);
    struct vt_err err = vt__client_error(duplex->status);
    if (vt_failed(err) && text.len > 0)
        vt_diag_set(diag, "", "%.*s", (int)text.len, text.data);
    return err;
}

/* For a caller who did not expect the end. */
static struct vt_err ended_early(const struct vt_rpc_duplex *duplex, struct vt_diag *diag)
{
    VT_TRY(status_of(duplex, diag));
    return VT_ERR(VT_UNAVAILABLE, "the service ended the stream");
}

/* One send at a time: waits until it has left, or can no more. */
static void send_and_wait(struct vt_rpc_duplex *duplex, const grpc_op *op)
{
    duplex->left = false;
    start_batch(duplex, op, 1, &duplex->sent);
    while (!duplex->left && run_one(duplex))
        ;
}

struct vt_err vt_rpc_duplex_send(struct vt_rpc_duplex *duplex, struct vt_slice body,
                                 struct vt_diag *diag)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    if (duplex->over)
        return ended_early(duplex, diag);
    duplex->outgoing = vt__byte_buffer(body);
    op.data.send_message.send_message = duplex->outgoing;
    send_and_wait(duplex, &op);
    grpc_byte_buffer_destroy(duplex->outgoing);
    duplex->outgoing = NULL;
    return duplex->over ? ended_early(duplex, diag) : vt_ok();
}

struct vt_err vt_rpc_duplex_wait(struct vt_rpc_duplex *duplex, struct vt_diag *diag)
{
    unsigned before = duplex->n_messages;
    while (duplex->n_messages == before && !duplex->over && run_one(duplex))
        ;
    return duplex->n_messages == before ? ended_early(duplex, diag) : vt_ok();
}

struct vt_err vt_rpc_duplex_finish(struct vt_rpc_duplex *duplex, struct vt_diag *diag)
{
    const grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    if (!duplex->over)
        send_and_wait(duplex, &op);
    while (!duplex->over && run_one(duplex))
        ;
    return status_of(duplex, diag);
}

void vt_rpc_duplex_cancel(struct vt_rpc_duplex *duplex)
{
    grpc_call_cancel(duplex->call, NULL);
}

void vt_rpc_duplex_free(struct vt_rpc_duplex *duplex)
{
    if (duplex == NULL)
        return;
    vt_rpc_duplex_cancel(duplex);
    while (!duplex->over && run_one(duplex))
        ;
    grpc_completion_queue_shutdown(duplex->queue);
    while (run_one(duplex))
        ;
    grpc_call_unref(duplex->call);
    grpc_completion_queue_destroy(duplex->queue);
    grpc_metadata_array_destroy(&duplex->initial);
    grpc_metadata_array_destroy(&duplex->trailing);
    grpc_slice_unref(duplex->status_text);
    vt__grpc_release();
    free(duplex);
}
