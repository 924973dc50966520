#ifndef VT_RPC_CLIENT_INTERNAL_H
#define VT_RPC_CLIENT_INTERNAL_H

/* Shared by client.c (unary) and stream.c (server streams). */

#include "services/common/rpc/internal.h"

enum { VT__CLIENT_METADATA_MAX = 16 };

/* `message` is the server's status message. */
typedef void (*vt__client_done_fn)(void *ctx, struct vt_err err, struct vt_slice body,
                                   struct vt_slice message);

struct vt__client_options {
    struct vt_rpc_loop *loop;
    const char *path;
    struct vt_slice body; /* copied */
    int64_t deadline_ns;
    const struct vt_rpc_metadata *metadata; /* copied; at most VT__CLIENT_METADATA_MAX */
    size_t n_metadata;
    vt__client_done_fn done; /* once, unless starting failed */
    void *ctx;
};

VT_MUST_USE struct vt_err vt__client_start(struct vt_rpc_channel *channel,
                                           const struct vt__client_options *options);
grpc_call *vt__client_call_create(struct vt_rpc_channel *channel, grpc_completion_queue *queue,
                                  const char *path, int64_t deadline_ns);
/* The error that a status means, with a text for people. */
struct vt_err vt__client_error(grpc_status_code status);

#endif
