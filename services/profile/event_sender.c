/*
 * Batches are counted from 0; the sequence on the wire is one more. Three counts say everything:
 * acknowledged ≤ sent ≤ taken, at most a window apart, and a batch lives in the ring at its count.
 * A new stream sets `sent` back to `acknowledged`: that is the whole of resuming.
 */
#include "services/profile/event_sender.h"

#include "services/common/rpc/duplex.h"
#include "services/profile/wire_event.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WINDOW_DEFAULT = 32, /* of 1,000 events two full groups of the writer's */
    WINDOW_MAX = 64,     /* more the service does not take */
    ENCODER_BYTES = 1 << 20,
    ENCODER_SPARE_BYTES = 15 << 20,
    RESPONSE_BYTES = 1 << 20,
    RESPONSE_SPARE_BYTES = 63 << 20,
    PAUSE_FIRST_MS = 50, /* before connecting again; doubled each time, to the next */
    PAUSE_MAX_MS = 2000,
    NS_PER_MS = 1000000,
};

struct batch {
    unsigned char *body; /* owned; grows to the largest that was here */
    size_t len, capacity;
    uint32_t n_events;
};

struct vt_event_sender {
    struct vt_event_sender_options options;
    struct vt_rpc_duplex *stream; /* NULL: to be opened */
    uint64_t acknowledged, sent, taken;
    uint32_t n_reconnections;
    struct vt_arena encoder, response;
    struct vt_err err;   /* of reading a response; stays */
    struct vt_diag diag; /* its */
    struct batch batches[WINDOW_MAX];
};

struct vt_err vt_event_sender_new(const struct vt_event_sender_options *options,
                                  struct vt_event_sender **ret_sender)
{
    VT_CHECK(options->window <= WINDOW_MAX, VT_INVALID, "a window is at most 64 batches");
    struct vt_event_sender *sender = calloc(1, sizeof *sender);
    VT_CHECK(sender != NULL, VT_EXHAUSTED, "no memory for a sender of events");
    sender->options = *options;
    if (options->window == 0)
        sender->options.window = WINDOW_DEFAULT;
    sender->err = vt_ok();
    if (!vt_arena_init_owned(&sender->encoder, ENCODER_BYTES) ||
        !vt_arena_init_owned(&sender->response, RESPONSE_BYTES)) {
        vt_event_sender_free(sender);
        return VT_ERR(VT_EXHAUSTED, "no memory for a sender of events");
    }
    vt_arena_allow_spare(&sender->encoder, ENCODER_SPARE_BYTES);
    vt_arena_allow_spare(&sender->response, RESPONSE_SPARE_BYTES);
    *ret_sender = sender;
    return vt_ok();
}

void vt_event_sender_free(struct vt_event_sender *sender)
{
    if (sender == NULL)
        return;
    vt_rpc_duplex_free(sender->stream);
    for (unsigned i = 0; i < WINDOW_MAX; i++)
        free(sender->batches[i].body);
    vt_arena_fini(&sender->encoder);
    vt_arena_fini(&sender->response);
    free(sender);
}

static struct batch *batch_at(struct vt_event_sender *sender, uint64_t count)
{
    return &sender->batches[count % sender->options.window];
}

/* ---- responses ---- */

static struct vt_err read_response(struct vt_event_sender *sender, struct vt_slice body)
{
    const struct vt_wire_acknowledged *messages;
    uint64_t last = 0;
    uint32_t n = 0;
    vt_arena_reset(&sender->response);
    VT_TRY(vt_wire_stream_events_response_decode(body, &sender->response, &sender->diag, &last,
                                                 &messages, &n));
    for (uint32_t i = 0; i < n; i++) {
        uint64_t count = sender->acknowledged;
        bool expected = count < sender->sent && messages[i].sequence == count + 1 &&
                        messages[i].n_results == batch_at(sender, count)->n_events;
        VT_CHECK(expected, VT_INTERNAL, "the service acknowledged what was not sent");
        sender->options.on_results(sender->options.ctx, count, messages[i].results,
                                   messages[i].n_results);
        sender->acknowledged++;
        sender->n_reconnections = 0;
    }
    return vt_ok();
}

static void on_message(void *ctx, struct vt_slice body)
{
    struct vt_event_sender *sender = ctx;
    if (!vt_failed(sender->err))
        sender->err = read_response(sender, body);
}

/* ---- the stream ---- */

static struct vt_err open_stream(struct vt_event_sender *sender)
{
    sender->sent = sender->acknowledged;
    return vt_rpc_duplex_open(sender->options.channel, "/vitrine.v1.EventService/StreamEvents",
                              on_message, sender, &sender->stream);
}

static void pause_before(uint32_t reconnection)
{
    long ms = PAUSE_FIRST_MS;
    for (uint32_t i = 1; i < reconnection && ms < PAUSE_MAX_MS; i++)
        ms *= 2;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    (void)nanosleep(&pause, NULL); /* cut short by a signal, it was long enough */
}

/* After a stream ended with `err`: VT_OK when it is worth another. */
static struct vt_err reconnect(struct vt_event_sender *sender, struct vt_err err)
{
    bool passing =
        err.code == VT_UNAVAILABLE || err.code == VT_EXHAUSTED || err.code == VT_CANCELLED;
    vt_rpc_duplex_free(sender->stream);
    sender->stream = NULL;
    if (!passing || sender->n_reconnections >= sender->options.reconnections)
        return err;
    pause_before(++sender->n_reconnections);
    return vt_ok();
}

static struct vt_err send_batch(struct vt_event_sender *sender, const struct batch *batch,
                                struct vt_diag *diag)
{
    return vt_rpc_duplex_send(sender->stream, vt_slice(batch->body, batch->len), diag);
}

/* One step towards everything being sent, or, when it is, towards being acknowledged. */
static struct vt_err step(struct vt_event_sender *sender, struct vt_diag *diag)
{
    struct vt_err err = vt_ok();
    if (sender->stream == NULL)
        VT_TRY(open_stream(sender));
    if (sender->sent < sender->taken)
        err = send_batch(sender, batch_at(sender, sender->sent++), diag);
    else
        err = vt_rpc_duplex_wait(sender->stream, diag);
    if (vt_failed(sender->err)) {
        if (diag != NULL)
            *diag = sender->diag;
        return sender->err;
    }
    return vt_failed(err) ? reconnect(sender, err) : vt_ok();
}

/* ---- sending ---- */

static struct vt_err keep(struct batch *batch, struct vt_slice body, uint32_t n_events)
{
    if (body.len > batch->capacity) {
        unsigned char *larger = realloc(batch->body, body.len);
        VT_CHECK(larger != NULL, VT_EXHAUSTED, "no memory for another batch");
        batch->body = larger;
        batch->capacity = body.len;
    }
    if (body.len > 0)
        memcpy(batch->body, body.data, body.len);
    batch->len = body.len;
    batch->n_events = n_events;
    return vt_ok();
}

struct vt_err vt_event_sender_make_room(struct vt_event_sender *sender, struct vt_diag *diag)
{
    while (sender->taken - sender->acknowledged == sender->options.window)
        VT_TRY(step(sender, diag));
    return vt_ok();
}

struct vt_err vt_event_sender_send(struct vt_event_sender *sender, const struct vt_event *events,
                                   uint32_t n, struct vt_diag *diag)
{
    struct vt_slice body;
    VT_TRY(vt_event_sender_make_room(sender, diag));
    vt_arena_reset(&sender->encoder);
    VT_TRY(vt_wire_stream_events_request_encode(sender->taken + 1, events, n, &sender->encoder,
                                                &body));
    VT_TRY(keep(batch_at(sender, sender->taken), body, n));
    sender->taken++;
    while (sender->sent < sender->taken)
        VT_TRY(step(sender, diag));
    return vt_ok();
}

struct vt_err vt_event_sender_flush(struct vt_event_sender *sender, struct vt_diag *diag)
{
    while (sender->acknowledged < sender->taken)
        VT_TRY(step(sender, diag));
    return vt_ok();
}

void vt_event_sender_break(struct vt_event_sender *sender)
{
    if (sender->stream != NULL)
        vt_rpc_duplex_cancel(sender->stream);
}
