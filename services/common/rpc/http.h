#ifndef VT_RPC_HTTP_H
#define VT_RPC_HTTP_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct vt_metrics;
struct vt_rpc_tls;

/*
 * The operator's page beside the gRPC port: GET /metrics (Prometheus text), /livez (dials the own
 * gRPC port), /readyz. Anything else is 404, another verb 405. Served by one thread of its own, at
 * most VT_HTTP_CONNECTIONS_MAX connections.
 */
struct vt_http_server;

enum { VT_HTTP_CONNECTIONS_MAX = 64 };

struct vt_http_options {
    const char *listen;               /* "127.0.0.1:7401"; numeric host; port 0: chosen */
    const struct vt_metrics *metrics; /* borrowed */
    const char *grpc_target;          /* what /livez dials; copied */
    struct vt_rpc_tls *tls;           /* of that port; borrowed, NULL: plaintext */
    /* True when calls should come. Else writes why not, for people. Any thread. */
    bool (*is_ready)(void *ctx, char *reason, size_t reason_size);
    void *ready_ctx;
};

/* VT_INVALID: not an address; VT_UNAVAILABLE: cannot listen there, `diag` names it. */
VT_MUST_USE struct vt_err vt_http_server_start(const struct vt_http_options *options,
                                               struct vt_diag *diag,
                                               struct vt_http_server **ret_server);
/* The port that `listen` became. */
uint16_t vt_http_server_port(const struct vt_http_server *server);
void vt_http_server_stop(struct vt_http_server *server); /* waits for it; NULL is allowed */

#endif
