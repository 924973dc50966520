#ifndef VT_RPC_SERVER_H
#define VT_RPC_SERVER_H

#include "services/common/rpc/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vt_metrics; /* services/common/base/metrics.h */
struct vt_rpc_tls; /* services/common/rpc/tls.h */
struct vt_tracer;  /* services/common/trace/tracer.h */

/*
 * The gRPC server: one completion queue and one thread per core, calls run to completion on the
 * thread they arrived on. Life cycle: _new, _add for each service, _start, … _drain, _free.
 */
struct vt_rpc_server;

struct vt_rpc_server_options {
    const char *listen;         /* "127.0.0.1:7400"; port 0: the system chooses */
    const char *admin_path;     /* Unix socket beside, or NULL */
    unsigned n_threads;         /* 0: one per core */
    uint32_t max_in_flight;     /* calls of all methods at a time; more get RESOURCE_EXHAUSTED */
    uint32_t arena_bytes;       /* per call */
    uint32_t drain_grace_ms;    /* after NOT_SERVING and after shutdown began */
    struct vt_metrics *metrics; /* borrowed, may be NULL */
    struct vt_tracer *tracer;   /* borrowed, outlives the server; NULL: no call is recorded */
    /* Borrowed; every caller of `listen` must have a certificate. NULL: plaintext, where every
     * caller has every role and `listen` must be a loopback address or a Unix socket. */
    struct vt_rpc_tls *tls;
    bool plaintext_from_anywhere; /* the exception to that last rule */
};

/* Nothing is bound yet; the options' texts are copied. VT_EXHAUSTED: no memory. */
VT_MUST_USE struct vt_err vt_rpc_server_new(const struct vt_rpc_server_options *options,
                                            struct vt_rpc_server **ret_server);
/* Before _start, else VT_PRECONDITION; VT_EXHAUSTED over 128 methods. The table is borrowed and
 * must outlive the server, as must `service`. */
VT_MUST_USE struct vt_err vt_rpc_server_add(struct vt_rpc_server *server,
                                            const struct vt_rpc_method *methods, size_t n_methods,
                                            void *service);
/* Binds and serves; health is NOT_SERVING until vt_rpc_server_set_serving(true). A taken port is
 * VT_UNAVAILABLE with the address in `diag`, a port for the network without TLS VT_DENIED. */
VT_MUST_USE struct vt_err vt_rpc_server_start(struct vt_rpc_server *server, struct vt_diag *diag);
/* The port that `listen` became. After _start. */
uint16_t vt_rpc_server_port(const struct vt_rpc_server *server);
/* What health says, for "" and every service of this server. Any thread. */
void vt_rpc_server_set_serving(struct vt_rpc_server *server, bool serving);
/* The order of a clean stop: NOT_SERVING, keep serving for `linger_ms`, stop accepting, wait for
 * the calls in flight, cancel what is left at the grace deadline, join. Blocks. */
void vt_rpc_server_drain(struct vt_rpc_server *server, uint32_t linger_ms);
void vt_rpc_server_free(struct vt_rpc_server *server); /* after _drain; NULL is allowed */

#endif
