#ifndef VT_RPC_CLIENT_H
#define VT_RPC_CLIENT_H

#include "services/common/base/err.h"
#include "services/common/base/request.h"
#include "services/common/base/slice.h"
#include "services/common/rpc/metadata.h"
#include "services/common/rpc/tls.h"

#include <stdint.h>

/* A connection to one service of the cell: "127.0.0.1:7400", "unix:/run/x.sock", or several numeric
 * addresses of replicas, "10.0.0.1:7400,10.0.0.2:7400" (failover.c). Any thread; reconnects by
 * itself. */
struct vt_rpc_channel;

/* Does not connect yet: a service that is away shows at the first call. VT_EXHAUSTED. */
VT_MUST_USE struct vt_err vt_rpc_channel_new(const char *target, struct vt_rpc_channel **ret);

struct vt_rpc_channel_options {
    const char *target;     /* copied */
    struct vt_rpc_tls *tls; /* borrowed, outlives the channel; NULL: plaintext */
    /* What the server's certificate is expected to be made out for; NULL: the target's host.
     * Copied.
     */
    const char *server_name;
};
/* The same with all options. With TLS the server's certificate and its name are verified, our own
 * is shown when there is one, and renewed files are used without a call being lost. */
VT_MUST_USE struct vt_err vt_rpc_channel_open(const struct vt_rpc_channel_options *options,
                                              struct vt_rpc_channel **ret);
void vt_rpc_channel_free(struct vt_rpc_channel *channel); /* after its calls; NULL is allowed */

/* Runs on the thread of request->loop. `body` is valid during the call of this function. */
typedef void (*vt_rpc_done_fn)(void *ctx, struct vt_err err, struct vt_slice body);

/* A call that a handler makes. */
struct vt_rpc_outgoing {
    const char *path;     /* "/vitrine.v1.ProfileService/GetProfile"; a literal */
    struct vt_slice body; /* copied */
    int64_t deadline_ns;  /* CLOCK_MONOTONIC; the call completes by then */
    vt_rpc_done_fn done;
    void *ctx;
};

/* Starts the call on the serving thread, where it completes too. `done` is never called before this
 * returns, except with request->loop NULL (a loopback test), where the call blocks, and when it
 * cannot even be started. traceparent travels along. The request must not be answered before
 * `done`. On failure its diag gets the server's message. When the caller of the request goes away
 * the call is cancelled and completes with VT_CANCELLED. */
void vt_rpc_client_start(struct vt_rpc_channel *channel, struct vt_request *request,
                         const struct vt_rpc_outgoing *outgoing);
enum { VT_RPC_OUTGOING_METADATA_MAX = 15 };
/* The same, with `n` ≤ VT_RPC_OUTGOING_METADATA_MAX entries (copied) besides traceparent. */
void vt_rpc_client_start_with(struct vt_rpc_channel *channel, struct vt_request *request,
                              const struct vt_rpc_outgoing *outgoing,
                              const struct vt_rpc_metadata *metadata, size_t n);

struct vt_rpc_call_options {
    uint32_t timeout_ms;
    const struct vt_rpc_metadata *metadata; /* borrowed */
    size_t n_metadata;
};
/* For programs: blocks until the answer, which is copied into the arena. VT_DEADLINE after the
 * timeout; otherwise what the server's status means, with its message in `diag`. */
VT_MUST_USE struct vt_err vt_rpc_client_call(struct vt_rpc_channel *channel, const char *path,
                                             struct vt_slice body,
                                             const struct vt_rpc_call_options *options,
                                             struct vt_arena *arena, struct vt_diag *diag,
                                             struct vt_slice *ret_body);

/* A server stream, read by one thread of its own. */
struct vt_rpc_stream;
/* Sends `body` (copied); what the server says about it comes with the first message. */
VT_MUST_USE struct vt_err vt_rpc_stream_open(struct vt_rpc_channel *channel, const char *path,
                                             struct vt_slice body, struct vt_rpc_stream **ret);
/* Blocks for the next message (copied into the arena); VT_CANCELLED after vt_rpc_stream_cancel;
 * *ret_end is set when the server ended the stream with OK. */
VT_MUST_USE struct vt_err vt_rpc_stream_next(struct vt_rpc_stream *stream, struct vt_arena *arena,
                                             struct vt_slice *ret_body, bool *ret_end);
/* What the server said when it ended the stream with an error; empty until then. Borrowed until
 * _free; of the reading thread. */
struct vt_slice vt_rpc_stream_message(const struct vt_rpc_stream *stream);
void vt_rpc_stream_cancel(struct vt_rpc_stream *stream); /* any thread */
void vt_rpc_stream_free(struct vt_rpc_stream *stream);   /* NULL is allowed */

#endif
