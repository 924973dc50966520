#ifndef VT_RPC_LISTEN_H
#define VT_RPC_LISTEN_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

/* Whether a port without TLS may be opened there: on a Unix socket, or where everything that the
 * host's name stands for is a loopback address. VT_DENIED, with what to do in `diag`: it can be
 * reached from the network. VT_INVALID: the name stands for nothing. Asks the resolver; blocks. */
VT_MUST_USE struct vt_err vt_rpc_listen_check(const char *address, struct vt_diag *diag);

#endif
