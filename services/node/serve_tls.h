#ifndef VT_NODE_SERVE_TLS_H
#define VT_NODE_SERVE_TLS_H

#include "services/common/base/metrics.h"
#include "services/common/rpc/tls.h"
#include "services/node/serve_options.h"

/* What `vitrine serve` makes of its --tls- options and of the address it listens on. */

/* Judges both before anything is opened, as --check-config does: reads the files, resolves the
 * host's name, blocks. VT_INVALID, VT_DENIED or the file's error, with the option in `diag`. */
VT_MUST_USE struct vt_err vt_serve_tls_check(const struct vt_serve_options *options,
                                             struct vt_diag *diag);
/* *ret_tls is NULL without --tls- options: then the port speaks plaintext. */
VT_MUST_USE struct vt_err vt_serve_tls_open(const struct vt_serve_options *options,
                                            struct vt_metrics *metrics, struct vt_diag *diag,
                                            struct vt_rpc_tls **ret_tls);

#endif
