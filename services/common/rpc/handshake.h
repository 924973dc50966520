#ifndef VT_RPC_HANDSHAKE_H
#define VT_RPC_HANDSHAKE_H

/* Who was not let in: TLS handshakes that failed (handshake.c). Internal to rpc/. */

struct vt_metrics; /* services/common/base/metrics.h */

/* Why, as far as OpenSSL's text tells. */
enum vt__handshake_failure {
    VT__HANDSHAKE_NO_CERTIFICATE,
    VT__HANDSHAKE_UNTRUSTED, /* another authority, or out of date */
    VT__HANDSHAKE_NO_ROLE,   /* ours, for something else than calling (certified.c) */
    VT__HANDSHAKE_NOT_TLS,
    VT__HANDSHAKE_VERSION,
    VT__HANDSHAKE_ALERT, /* the other side refused us */
    VT__HANDSHAKE_OTHER,
    VT__N_HANDSHAKE_FAILURES
};

/* From gRPC's log message; VT__N_HANDSHAKE_FAILURES: it is about something else. */
enum vt__handshake_failure vt__handshake_failure_of(const char *message);

/* Takes over gRPC's log, unless GRPC_VERBOSITY is set: handshakes are counted, the rest is dropped.
 * Before grpc_init. Any thread. */
void vt__handshake_watch(void);
/* Counts in `metrics` (borrowed, may be NULL) until _forget. Any thread. */
void vt__handshake_count(struct vt_metrics *metrics);
void vt__handshake_forget(const struct vt_metrics *metrics);

#endif
