#ifndef VT_RPC_SERVER_INTERNAL_H
#define VT_RPC_SERVER_INTERNAL_H

/* Shared by server.c (life cycle, threads) and grpc_call.c (one call). */

#include "services/common/rpc/admission.h"
#include "services/common/rpc/internal.h"
#include "services/common/rpc/tls_internal.h"
#include "services/common/trace/ids.h"

struct vt_counter;
struct vt_gauge;
struct vt_histogram;

/* A method with what the server knows about it. Immutable after start but for the atomics. */
struct vt__method {
    const struct vt_rpc_method *row; /* borrowed */
    void *service;                   /* borrowed */
    void *registration;              /* gRPC's; NULL: the catch-all */
    atomic_uint in_flight;           /* relaxed: a limit, orders nothing */
    struct vt_counter *started;
    struct vt_counter *handled[VT_CODE_COUNT];
    struct vt_histogram *seconds;
};

/* What admission did, all threads together. */
struct vt__admission_counts {
    struct vt_counter *refused[VT__N_CLASSES][VT__N_VERDICTS]; /* [ADMITTED]: not used */
    struct vt_histogram *wait_seconds[VT__N_CLASSES];
    struct vt_gauge *queued[VT__N_CLASSES];
};

/* Memory of one call's arena while it is idle. */
struct vt__arena_block {
    struct vt__arena_block *next;
};

/* A serving thread with all it owns. */
struct vt__worker {
    struct vt_rpc_loop loop;
    struct vt_rpc_server *server;
    struct vt__server_call *idle_calls;  /* owned */
    struct vt__arena_block *idle_arenas; /* owned */
    unsigned *owed_slots;                /* per method, for want of memory; owned */
    struct vt_trace_ids trace_ids;
    struct vt__admission admission;
    pthread_t thread;
    bool reads_late; /* the latest look found calls whose callers had given up */
};

struct vt_rpc_server {
    struct vt_rpc_server_options options; /* texts owned */
    struct vt__method *methods;           /* owned; the last one is the catch-all after start */
    size_t n_methods;
    grpc_server *grpc;
    struct vt__worker *workers; /* owned */
    unsigned n_workers;
    uint16_t port;
    bool started, drained;
    atomic_bool stopping;  /* release by _drain, acquire by the workers: no more slots */
    atomic_uint in_flight; /* relaxed: a limit */
    atomic_uint n_live;    /* seq_cst: leave() and drain tell each other */
    struct vt_gauge *in_flight_gauge;
    struct vt__admission_counts admission_counts;
    _Atomic int64_t log_second; /* of the last line about a failed call; relaxed, as the next */
    atomic_uint n_logged;       /* such lines in that second */
    pthread_mutex_t mutex;      /* of the fields below */
    pthread_cond_t changed;
    bool shut_down;                  /* gRPC has told that no call is left */
    struct vt__server_call *streams; /* live ones, to be cancelled by _drain */
    struct vt__tag shutdown_tag;
    struct vt__tls_port tls_port;      /* gRPC's server asks it at each handshake */
    struct vt__health *health;         /* owned */
    struct vt__reflection *reflection; /* owned */
};

/*
 * One call. Free → SLOT_POSTED (gRPC may fill it) → live: `pending` counts what must still come
 * back from the queue, the answer included → released on the serving thread when it is 0.
 */
struct vt__server_call {
    struct vt_rpc_call base; /* first */
    struct vt__worker *worker;
    struct vt__method *method;
    struct vt__server_call *next; /* in the idle list, or in server->streams */
    struct vt__server_call *previous;
    struct vt__arena_block *arena_block;
    grpc_call *grpc;
    grpc_call_details details; /* catch-all */
    gpr_timespec deadline;     /* registered */
    grpc_metadata_array metadata;
    grpc_byte_buffer *request;
    grpc_slice request_bytes;
    grpc_byte_buffer *incoming, *outgoing, *reply;
    int close_cancelled;
    struct vt__waiting waiting; /* its place in admission; arrived_ns is here */
    atomic_int pending;         /* acq_rel: the last one out sees all writes */
    atomic_bool headers_sent;
    struct vt__tag arrived, closed, sent, received, answered;
};

/* Offers gRPC a place for one more call of the method. The worker's thread, or before it runs. */
void vt__slot_post(struct vt__worker *worker, struct vt__method *method);
void vt__worker_free_pools(struct vt__worker *worker);

/* turn.c */
void vt__admission_register(struct vt_metrics *metrics, struct vt__admission_counts *counts);
/* The life of a serving thread: until its queue is shut down and empty. */
void vt__worker_run(struct vt__worker *worker);
/* A call has arrived: it is handled at once, queued, or refused. */
void vt__worker_admit(struct vt__server_call *call);
/* Its caller has gone: when it was still queued it is answered, and true is returned. */
bool vt__worker_drop(struct vt__server_call *call);
/* grpc_call.c: runs the call's handler, with an arena. */
void vt__server_call_begin(struct vt__server_call *call);
/* Ends every live stream with UNAVAILABLE, or asks it to end itself; those that come later end at
 * once. */
void vt__streams_cancel(struct vt_rpc_server *server);

/* trace.c: the call's place in its trace; its end is told to the tracer and the log. */
void vt__server_span_begin(struct vt__server_call *call, struct vt_slice traceparent);
void vt__server_span_end(struct vt__server_call *call, struct vt_err err, int64_t now_ns);

/* caller.c: what the connection and the metadata say about who calls. */
void vt__caller_read(const struct vt__server_call *call, struct vt__caller *ret_caller);
/* True when the call came over the admin socket. */
bool vt__call_is_admin(const struct vt__server_call *call);

/* health.c and reflection.c: their methods, added to every server. */
enum { VT__N_HEALTH_METHODS = 2, VT__N_REFLECTION_METHODS = 2 };
extern const struct vt_rpc_method vt__health_methods[VT__N_HEALTH_METHODS];
extern const struct vt_rpc_method vt__reflection_methods[VT__N_REFLECTION_METHODS];
VT_MUST_USE struct vt_err vt__health_new(const struct vt_rpc_server *server,
                                         struct vt__health **ret_health);
void vt__health_set(struct vt__health *health, bool serving);
void vt__health_free(struct vt__health *health);
VT_MUST_USE struct vt_err vt__reflection_new(const struct vt_rpc_server *server,
                                             struct vt__reflection **ret_reflection);
void vt__reflection_free(struct vt__reflection *reflection);
/* What is not registered ends in this row, which is no service of anybody. */
extern const struct vt_rpc_method vt__catch_all;
/* True when a method of the server belongs to this service ("vitrine.v1.EventService"). */
bool vt__server_has_service(const struct vt_rpc_server *server, struct vt_slice name);
/* "/package.Service/Method" → "package.Service". */
struct vt_slice vt__service_of(const char *path);

#endif
