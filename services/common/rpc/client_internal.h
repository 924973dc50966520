#ifndef VT_RPC_CLIENT_INTERNAL_H
#define VT_RPC_CLIENT_INTERNAL_H

/* Shared by channel.c, client.c (unary) and stream.c (server streams). */

#include "services/common/rpc/internal.h"

/* A call object on `queue`, with the channel's authority; never NULL. Owned: unref it. */
grpc_call *vt__client_call_create(struct vt_rpc_channel *channel, grpc_completion_queue *queue,
                                  const char *path, int64_t deadline_ns);
/* The error that a status means, with a text for people. */
struct vt_err vt__client_error(grpc_status_code status);

#endif
