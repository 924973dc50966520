#ifndef VT_RPC_DIAL_H
#define VT_RPC_DIAL_H

#include "services/common/base/err.h"

#include <stdbool.h>

struct vt_rpc_tls;

enum { VT_RPC_DIAL_TIMEOUT_MS = 1000 };

/*
 * Life, as others see it: a health check to a port of this process, on a fresh channel through the
 * network stack. Whether it says SERVING is readiness, not life. `tls` is that port's, NULL for
 * plaintext. With a certificate out of date nobody can connect, and a restart would not help: that
 * is told in `ret_outdated`, and no error. Blocks for VT_RPC_DIAL_TIMEOUT_MS at most; any thread.
 */
VT_MUST_USE struct vt_err vt_rpc_dial_self(const char *target, struct vt_rpc_tls *tls,
                                           bool *ret_outdated);

#endif
