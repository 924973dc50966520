#ifndef VT_RPC_TLS_H
#define VT_RPC_TLS_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vt_metrics; /* services/common/base/metrics.h */

/*
 * Certificate, key and authorities from PEM files, judged when they are read, and read again when
 * they change. Servers and channels that were given it use the newest good ones for every new
 * connection; files that do not pass change nothing but a log line and a metric. Any thread;
 * outlives the servers and channels made with it.
 */
struct vt_rpc_tls;

struct vt_rpc_tls_options {
    const char *cert, *key; /* PEM, the certificate first, then its chain; both NULL: none */
    const char *ca;         /* PEM: who signs the certificates of the other side */
    /* For a server of a cell: by the same authorities the certificate must do for serving and for
     * calling (the parts call each other, /livez its own port); it must name a host and have the
     * role service. */
    bool serves;
    uint32_t poll_ms;           /* how often the files are looked at; 0: never again */
    struct vt_metrics *metrics; /* borrowed, may be NULL */
};

/* Reads and judges. VT_INVALID: an option is missing, or a file is not what it should be, does not
 * fit the others, or is out of date; `diag` names option, file and reason. VT_NOT_FOUND,
 * VT_INTERNAL: it cannot be read. With poll_ms one thread is started. */
VT_MUST_USE struct vt_err vt_rpc_tls_new(const struct vt_rpc_tls_options *options,
                                         struct vt_diag *diag, struct vt_rpc_tls **ret_tls);
void vt_rpc_tls_free(struct vt_rpc_tls *tls); /* NULL is allowed */

/* What a command is told by its options (tls_options.h). */
struct vt_rpc_tls_flags {
    const char *cert, *key, *ca;
    const char *server_name; /* in the other side's certificate; NULL: the target's host */
};
/* For a command that calls: the files are read once. *ret_tls is NULL when no file is named: then
 * it speaks plaintext. Errors as of vt_rpc_tls_new. */
VT_MUST_USE struct vt_err vt_rpc_tls_from_flags(const struct vt_rpc_tls_flags *flags,
                                                struct vt_diag *diag, struct vt_rpc_tls **ret_tls);

/* Unix time from which on the certificate or one of the authorities is out of date. Any thread. */
int64_t vt_rpc_tls_valid_until_s(struct vt_rpc_tls *tls);
/* How often the files have been taken: 1 after _new. Any thread. */
uint64_t vt_rpc_tls_generation(const struct vt_rpc_tls *tls);

#endif
