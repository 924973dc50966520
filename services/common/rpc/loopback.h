#ifndef VT_RPC_LOOPBACK_H
#define VT_RPC_LOOPBACK_H

#include "services/common/rpc/call.h"
#include "services/common/rpc/metadata.h"

/*
 * A call without sockets or threads, for handler tests: the method's handler runs on the caller's
 * thread with a real vt_rpc_call. A handler that answers from another thread is waited for.
 */
struct vt_rpc_loopback_result {
    struct vt_err err;    /* code VT_OK on a reply */
    char message[512];    /* the status message */
    struct vt_slice body; /* reply; in the arena given */
};

struct vt_rpc_loopback_options {
    const struct vt_rpc_method *methods; /* borrowed */
    size_t n_methods;
    void *service;
    bool local;     /* as if over the admin socket */
    bool certified; /* as if over TLS, with a certificate for `roles` */
    unsigned roles;
    int64_t deadline_ns;                    /* 0: none */
    const struct vt_rpc_metadata *metadata; /* borrowed */
    size_t n_metadata;
    uint32_t arena_bytes; /* of the call; 0: 1 MiB */
    /* Streams: each message sent, on the caller's thread; false cancels the call. NULL: all are
     * taken. */
    bool (*on_message)(void *ctx, struct vt_slice body);
    void *message_ctx;
    /* Bidirectional streams: what the caller sends, and what it does then. */
    const struct vt_slice *messages;
    size_t n_messages;
    enum vt_rpc_loopback_end {
        VT_RPC_LOOPBACK_CLOSE,  /* half-closes */
        VT_RPC_LOOPBACK_CANCEL, /* goes away */
        VT_RPC_LOOPBACK_DRAIN,  /* stays silent while the server drains */
    } end;
    bool slow_reader; /* reads only while the handler asks for no message */
};

/* Unknown paths answer VT_UNIMPLEMENTED, bodies over the method's limit VT_EXHAUSTED, as the real
 * server does. */
struct vt_rpc_loopback_result vt_rpc_loopback_call(const struct vt_rpc_loopback_options *options,
                                                   const char *path, struct vt_slice body,
                                                   struct vt_arena *arena);

#endif
