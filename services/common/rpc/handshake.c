/*
 * A caller who fails the TLS handshake never becomes a call, and libgrpc tells of it nowhere but in
 * its log. So the log is ours: the one message of a failed handshake is counted by its reason and,
 * at most once in a while, logged; the others are dropped, since they say in gRPC's own format what
 * we report as errors. Should another libgrpc word it differently, the counters stay at 0 and
 * tests/integration/deploy/strangers_test.py fails; who is let in does not depend on it.
 *
 * The messages name neither side nor address: failed calls of this process to others count too.
 * Any thread, no lock. OpenSSL's errors are the reasons' source (openssl errstr 0A0000C7).
 */
#include "services/common/rpc/handshake.h"

#include "services/common/base/log.h"
#include "services/common/base/metrics.h"
#include "services/common/rpc/certified.h"

#include <grpc/support/log.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOG_EVERY_S = 10, LABEL_BYTES = 64 };

static const char *const reason_names[VT__N_HANDSHAKE_FAILURES] = {
    [VT__HANDSHAKE_NO_CERTIFICATE] = "no_certificate",
    [VT__HANDSHAKE_UNTRUSTED] = "untrusted",
    [VT__HANDSHAKE_NO_ROLE] = "no_role",
    [VT__HANDSHAKE_NOT_TLS] = "not_tls",
    [VT__HANDSHAKE_VERSION] = "version",
    [VT__HANDSHAKE_ALERT] = "refused_by_peer",
    [VT__HANDSHAKE_OTHER] = "other",
};

/* The first that is in the message counts. */
static const struct {
    const char *text;
    enum vt__handshake_failure failure;
} reasons[] = {
    {"peer did not return a certificate", VT__HANDSHAKE_NO_CERTIFICATE},
    {VT__NO_ROLE_TEXT, VT__HANDSHAKE_NO_ROLE},
    {"certificate verify failed", VT__HANDSHAKE_UNTRUSTED},
    {"wrong version number", VT__HANDSHAKE_NOT_TLS},
    {"http request", VT__HANDSHAKE_NOT_TLS},
    {"https proxy request", VT__HANDSHAKE_NOT_TLS},
    {"packet length too long", VT__HANDSHAKE_NOT_TLS},
    {"unexpected message", VT__HANDSHAKE_NOT_TLS},
    {"unsupported protocol", VT__HANDSHAKE_VERSION},
    {"version too low", VT__HANDSHAKE_VERSION},
    {"alert", VT__HANDSHAKE_ALERT},
};
enum { N_REASONS = sizeof reasons / sizeof reasons[0] };

/* Release by vt__handshake_count, acquire by note(). */
static _Atomic(struct vt_counter *) counters[VT__N_HANDSHAKE_FAILURES];
static _Atomic(const struct vt_metrics *) counted_in;
static _Atomic(int64_t) logged_s; /* relaxed */

enum vt__handshake_failure vt__handshake_failure_of(const char *message)
{
    if (strncmp(message, "Handshake failed", strlen("Handshake failed")) != 0)
        return VT__N_HANDSHAKE_FAILURES;
    for (int i = 0; i < N_REASONS; i++)
        if (strstr(message, reasons[i].text) != NULL)
            return reasons[i].failure;
    return VT__HANDSHAKE_OTHER;
}

static void log_sometimes(enum vt__handshake_failure failure, const char *message)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t last_s = atomic_load_explicit(&logged_s, memory_order_relaxed);
    if ((last_s != 0 && now.tv_sec - last_s < LOG_EVERY_S) ||
        !atomic_compare_exchange_strong_explicit(&logged_s, &last_s, now.tv_sec,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    vt_log(VT_LOG_WARN, "tls_handshake_failed", VT_F_STR("reason", reason_names[failure]),
           VT_F_STR("text", message),
           VT_F_STR("more", "in vitrine_tls_handshakes_failed_total; logged once in 10 s"));
}

/* gRPC's log function: on the thread that did the handshake. */
static void note(gpr_log_func_args *args)
{
    enum vt__handshake_failure failure = vt__handshake_failure_of(args->message);
    if (failure == VT__N_HANDSHAKE_FAILURES)
        return;
    struct vt_counter *counter = atomic_load_explicit(&counters[failure], memory_order_acquire);
    if (counter == NULL)
        return; /* a command, not a server: it reports the failed call */
    vt_counter_add(counter, 1);
    log_sometimes(failure, args->message);
}

void vt__handshake_watch(void)
{
    if (getenv("GRPC_VERBOSITY") == NULL)
        gpr_set_log_function(note);
}

void vt__handshake_count(struct vt_metrics *metrics)
{
    char label[LABEL_BYTES];
    for (int i = 0; i < VT__N_HANDSHAKE_FAILURES; i++) {
        snprintf(label, sizeof label, "reason=\"%s\"", reason_names[i]);
        struct vt_counter *counter =
            vt_metrics_counter(metrics, "vitrine_tls_handshakes_failed_total",
                               "TLS handshakes that failed, of callers and of own calls.", label);
        atomic_store_explicit(&counters[i], counter, memory_order_release);
    }
    atomic_store_explicit(&counted_in, metrics, memory_order_relaxed);
}

void vt__handshake_forget(const struct vt_metrics *metrics)
{
    if (atomic_load_explicit(&counted_in, memory_order_relaxed) != metrics)
        return;
    for (int i = 0; i < VT__N_HANDSHAKE_FAILURES; i++)
        atomic_store_explicit(&counters[i], NULL, memory_order_relaxed);
}
