#ifndef VT_CLIENT_SESSION_H
#define VT_CLIENT_SESSION_H

#include "services/client/client.h"
#include "services/common/base/arena.h"
#include "services/common/base/err.h"

#include <protobuf-c/protobuf-c.h>

/* One command's connection and memory. One thread. */
struct vt_session {
    const struct vt_client *client; /* borrowed */
    struct vt_rpc_tls *tls;         /* owned, NULL: plaintext */
    struct vt_rpc_channel *channel; /* owned */
    struct vt_arena arena;          /* owned */
};

/* On failure the error is printed. */
VT_MUST_USE struct vt_err vt__session_open(const struct vt_client *client,
                                           struct vt_session *ret_session);
/* What answers pointed to is gone afterwards. */
void vt__session_close(struct vt_session *session);

/* Calls `path` and decodes the answer, which lives in the session's arena. `key` is the metadata
 * vitrine-key, NULL for none. On failure the error is printed. */
VT_MUST_USE struct vt_err vt__session_call(struct vt_session *session, const char *path,
                                           const char *key, const ProtobufCMessage *request,
                                           const ProtobufCMessageDescriptor *answer_type,
                                           void *ret_answer);
/* A server stream: each message, which lives in the session's arena until the next, goes to `each`,
 * whose first error ends it. Every error is printed. */
VT_MUST_USE struct vt_err vt__session_stream(struct vt_session *session, const char *path,
                                             const ProtobufCMessage *request,
                                             const ProtobufCMessageDescriptor *type,
                                             struct vt_err (*each)(void *ctx, const void *message),
                                             void *ctx);
/* 1, or 2 for what the server calls INVALID. */
int vt__session_exit_status(struct vt_err err);

/* A command that is one call: opens a session, calls, gives the answer to `print` and returns its
 * exit status. */
typedef int (*vt_print_fn)(const struct vt_client *client, const void *answer);
int vt__session_ask(const struct vt_client *client, const char *path, const char *key,
                    const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer_type,
                    vt_print_fn print);

#endif
