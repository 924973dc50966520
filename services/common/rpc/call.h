#ifndef VT_RPC_CALL_H
#define VT_RPC_CALL_H

#include "services/common/base/err.h"
#include "services/common/base/request.h"
#include "services/common/base/slice.h"
#include "services/common/rpc/role.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One incoming call, from its arrival until it is finished. A handler gets it, and either answers
 * before it returns or keeps the pointer and answers later, from any thread, exactly once. After
 * the answer the call must not be touched.
 */
struct vt_rpc_call;

/* Runs on a serving thread; must not block. `service` is what the method table was added with. */
typedef void (*vt_rpc_handler_fn)(struct vt_rpc_call *call, void *service);

enum vt_rpc_kind {
    VT_RPC_UNARY,
    VT_RPC_SERVER_STREAM,
    VT_RPC_BATCH_STREAM, /* a server stream that is refused first when there is too much to do */
    VT_RPC_BIDI_STREAM,
};

/* A row of a service's method table. */
struct vt_rpc_method {
    const char *path; /* "/vitrine.v1.EventService/WriteEvents" */
    vt_rpc_handler_fn handler;
    enum vt_rpc_kind kind;
    uint32_t max_request_bytes;   /* more is RESOURCE_EXHAUSTED, before decoding */
    uint32_t default_deadline_ms; /* for callers that set none; 0 means none (streams) */
    uint32_t max_in_flight;       /* calls of this method at a time; 0: the server's limit only */
    unsigned roles;               /* who may call, VT_CALLER_… | …; 0: the admin socket only */
};

/* The domain's view of the call. Valid until the answer. */
struct vt_request *vt_rpc_call_request(struct vt_rpc_call *call);
/* The serialised request message; borrowed, valid until the answer. */
struct vt_slice vt_rpc_call_body(const struct vt_rpc_call *call);
/* Value of an ASCII metadata key; empty slice when absent. Borrowed, valid until the answer. */
struct vt_slice vt_rpc_call_metadata(const struct vt_rpc_call *call, const char *key);
/* True when the caller came over the admin socket (DIR/admin.sock). */
bool vt_rpc_call_is_local(const struct vt_rpc_call *call);
/* The roles that the caller was let in with, VT_CALLER_… | …; at least one is the method's. */
unsigned vt_rpc_call_roles(const struct vt_rpc_call *call);

/* Answers OK with `body` (copied). */
void vt_rpc_call_reply(struct vt_rpc_call *call, struct vt_slice body);
/* Answers with the status that `err` maps to. The message is the request's diag ("field: text")
 * when it has one, else err.what. */
void vt_rpc_call_fail(struct vt_rpc_call *call, struct vt_err err);

/* Server streams. At most one message is under way: `on_sent` runs on the call's serving thread
 * when it has left (ok) or the caller is gone (!ok); then the next may be sent or the call be
 * finished. `body` is copied. Any thread. */
typedef void (*vt_rpc_sent_fn)(void *ctx, bool ok);
void vt_rpc_call_send(struct vt_rpc_call *call, struct vt_slice body, vt_rpc_sent_fn on_sent,
                      void *ctx);
/* Ends a stream with a status; vt_ok() is OK. A message still under way is no reason to wait: its
 * `on_sent` will not run any more. */
void vt_rpc_call_finish(struct vt_rpc_call *call, struct vt_err err);

/* Bidirectional streams: asks for the caller's next message. `on_received` runs once, on the call's
 * serving thread; `ended` (with no body) when the caller has sent its last. `body` is borrowed and
 * valid during the callback. `err` is VT_EXHAUSTED, with the request's diag set, for a message over
 * the method's max_request_bytes: the stream should end with it. At most one receive and one send
 * are under way. Any thread. */
typedef void (*vt_rpc_received_fn)(void *ctx, struct vt_err err, struct vt_slice body, bool ended);
void vt_rpc_call_receive(struct vt_rpc_call *call, vt_rpc_received_fn on_received, void *ctx);
/* `on_cancel` runs once, on the serving thread, when the caller cancels, its deadline passes, its
 * connection breaks or the server drains. The call must still be finished. Set it in the handler.
 * No callback runs after the answer: an answer from another thread waits for a running callback to
 * return, so never answer while holding a lock that a callback of the call takes. */
void vt_rpc_call_on_cancel(struct vt_rpc_call *call, void (*on_cancel)(void *ctx), void *ctx);
/* A stream that can end well by itself when the server drains, where others are cancelled at once:
 * `on_drain` runs once, on the draining thread, while no other callback of the call runs. It only
 * takes note; the call is to be finished soon, and is cancelled at the end of the grace. Set it in
 * the handler, after its ctx is whole. */
void vt_rpc_call_on_drain(struct vt_rpc_call *call, void (*on_drain)(void *ctx), void *ctx);

#endif
