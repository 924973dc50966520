#ifndef VT_RPC_INTERNAL_H
#define VT_RPC_INTERNAL_H

/* What the files of this folder share. Nothing outside includes it. */

#include "services/common/base/arena.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/request.h"
#include "services/common/base/slice.h"
#include "services/common/rpc/access.h"
#include "services/common/rpc/call.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/loop.h"
#include "services/common/rpc/server.h"
#include "services/common/trace/span.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    VT__METADATA_BYTES_MAX = 64 * 1024, /* 8 KiB, the default, closes the whole connection */
    VT__MESSAGE_BYTES_MAX = 512,        /* status message */
    /* What a unary call may take beyond its arena: a batch of 4 MiB decoded, judged and answered.
     */
    VT__ARENA_SPARE_BYTES = 64 << 20,
};

/* What a completion queue gives back: embedded once per batch that can be in flight. */
struct vt__tag {
    void (*run)(void *owner, bool ok);
    void *owner;
};

/* ---- loop.c ---- */

struct vt__client_call;

struct vt_rpc_loop {
    grpc_completion_queue *queue;
    pthread_t thread;                   /* the only one that runs it */
    pthread_mutex_t *lock;              /* borrowed; NULL: not shared */
    struct vt__client_call *idle_calls; /* owned; that thread's */
    unsigned n_calls;                   /* outgoing calls under way; that thread's */
};

/* gRPC's start and stop are counted; each owner of gRPC objects holds one. */
void vt__grpc_acquire(void);
void vt__grpc_release(void);

/* A queue of its own; the thread that runs it becomes its owner. */
void vt__loop_init(struct vt_rpc_loop *loop);
/* Shuts the queue down and drains it. */
void vt__loop_fini(struct vt_rpc_loop *loop);
/* Runs completions until the queue is shut down and empty. */
void vt__loop_run(struct vt_rpc_loop *loop);

/* CLOCK_MONOTONIC both ways; INT64_MAX is gRPC's infinite future. */
gpr_timespec vt__timespec(int64_t monotonic_ns);
int64_t vt__nanoseconds(gpr_timespec monotonic);
int64_t vt__now_ns(void);

/* Copies; owned by the caller. */
grpc_byte_buffer *vt__byte_buffer(struct vt_slice body);
/* The bytes of a received buffer, without a copy when they are in one piece. Unref the slice. */
grpc_slice vt__byte_buffer_bytes(grpc_byte_buffer *buffer);
/* Borrowed from `slice`. */
struct vt_slice vt__slice_view(const grpc_slice *slice);

/* ---- client.c ---- */

/* Outgoing calls that one incoming call waits for; its serving thread's. */
struct vt__outgoing {
    struct vt__client_call *first;
};

/* Cancels them all: each still completes, with VT_CANCELLED. */
void vt__outgoing_cancel(struct vt__outgoing *outgoing);

/* Frees a loop's idle calls. */
void vt__client_calls_free(struct vt__client_call *list);

/* ---- call.c ---- */

/* How a call ends. */
struct vt__answer {
    struct vt_err err;
    struct vt_slice body; /* of a unary OK */
    bool has_body;
    char message[VT__MESSAGE_BYTES_MAX];
};

/* How a call reaches its caller: gRPC (grpc_call.c) or a test (loopback.c). */
struct vt__transport {
    void (*answer)(struct vt_rpc_call *call, const struct vt__answer *answer);
    void (*send)(struct vt_rpc_call *call, struct vt_slice body);
    void (*receive)(struct vt_rpc_call *call);
    struct vt_slice (*metadata)(const struct vt_rpc_call *call, const char *key);
    bool (*is_local)(const struct vt_rpc_call *call);
    void (*caller)(const struct vt_rpc_call *call, struct vt__caller *ret_caller);
};

/*
 * OPEN → ANSWERED, by way of CALLBACK while one of the call's callbacks runs on its serving thread,
 * or of DRAINING while on_drain does on another. An answer from another thread waits for the
 * callback to return, so that no callback ever sees an answered call; callbacks and on_drain wait
 * for each other, so that neither is lost.
 */
enum vt__phase { VT__OPEN, VT__CALLBACK, VT__DRAINING, VT__ANSWERED };

struct vt_rpc_call {
    const struct vt__transport *transport;
    const struct vt_rpc_method *method;
    pthread_t thread; /* serving thread: all callbacks run on it */
    struct vt_request request;
    struct vt__outgoing outgoing;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_span span; /* the request's */
    struct vt_slice body;
    unsigned roles;        /* that it was let in with */
    atomic_bool cancelled; /* relaxed: a hint to stop working; on_cancel is the synchronised way */
    _Atomic(enum vt__phase) phase; /* acquire/release between callbacks and answer */
    void (*on_cancel)(void *ctx);
    void *cancel_ctx;
    _Atomic(void (*)(void *ctx)) on_drain; /* release by the handler, acquire by drain: its ctx */
    void *drain_ctx;
    vt_rpc_sent_fn on_sent;
    void *sent_ctx;
    vt_rpc_received_fn on_received;
    void *received_ctx;
};

/* OPEN, with the calling thread as its serving thread. The transport fills the rest. */
void vt__call_init(struct vt_rpc_call *call, const struct vt__transport *transport,
                   const struct vt_rpc_method *method);
/* Judges the caller and the request's size, then runs the method's handler. */
void vt__call_handle(struct vt_rpc_call *call, void *service);
/* The transport tells what happened; runs the callback unless the call was answered. Serving
 * thread. */
void vt__call_cancelled(struct vt_rpc_call *call);
/* From any thread: runs on_drain unless the call was answered. False when it has none. */
bool vt__call_drain(struct vt_rpc_call *call);
void vt__call_sent(struct vt_rpc_call *call, bool ok);
void vt__call_received(struct vt_rpc_call *call, struct vt_slice body, bool ended);

/* ---- trace.c ---- */

/* A call that goes out, as its caller's trace sees it. */
struct vt__client_span {
    struct vt_span *caller; /* borrowed; NULL: in no trace */
    uint64_t id;
    int64_t begin_ns;
};

/* Begins one below `caller` (may be NULL); returns its traceparent in `text`, or an empty slice. */
struct vt_slice vt__client_span_begin(struct vt_span *caller, struct vt__client_span *span,
                                      char text[VT_TRACEPARENT_BYTES]);
void vt__client_span_end(const struct vt__client_span *span, const char *path, enum vt_code code);

#endif
