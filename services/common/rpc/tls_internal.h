#ifndef VT_RPC_TLS_INTERNAL_H
#define VT_RPC_TLS_INTERNAL_H

/* How server.c and client.c get from files to gRPC's credentials. */

#include "services/common/rpc/tls.h"

#include <grpc/grpc_security.h>
#include <stdatomic.h>

/* What one listening port has taken so far; embedded in its server, outlives gRPC's server. */
struct vt__tls_port {
    struct vt_rpc_tls *tls;
    atomic_uint_fast64_t generation; /* relaxed: a hint, the mutex of `tls` orders the files */
};

/* For a port that asks every caller for a certificate and, at each new connection, for the newest
 * files. Owned: release it. */
grpc_server_credentials *vt__tls_server_credentials(struct vt__tls_port *port,
                                                    struct vt_rpc_tls *tls);
/* With the files of the generation told. Owned: release it. */
grpc_channel_credentials *vt__tls_channel_credentials(struct vt_rpc_tls *tls,
                                                      uint64_t *ret_generation);
/* The name that the own certificate has, for calling the own port. Copies at most `size`. */
void vt__tls_own_name(struct vt_rpc_tls *tls, char *ret_name, size_t size_bytes);
/* True when the own certificate or an authority is out of date, so that nobody new can connect. */
bool vt__tls_is_over(struct vt_rpc_tls *tls);

#endif
