#ifndef LOADTEST_GENERATOR_H
#define LOADTEST_GENERATOR_H

#include "loadtest/histogram.h"
#include "services/common/base/diag.h"
#include "services/common/base/err.h"
#include "services/common/base/slice.h"
#include "services/common/rpc/tls.h"

#include <stdbool.h>
#include <stdint.h>

/* What a run asks, how often, and for how long. */
struct generator_options {
    const char *target;
    struct vt_rpc_tls *tls;  /* borrowed; NULL: plaintext */
    const char *server_name; /* in the target's certificate; NULL: its host */
    const char *path;
    const struct vt_slice *bodies; /* borrowed; one is drawn for each call */
    size_t n_bodies;
    double rate; /* calls a second of all threads; 0: closed loop, as fast as answers come */
    bool poisson;
    int64_t warmup_ms, duration_ms, timeout_ms;
    uint32_t connections, threads;
    uint32_t concurrency;     /* closed loop: calls under way per connection */
    uint32_t max_outstanding; /* open loop: calls under way of all threads; more are not sent */
    uint64_t seed;
    bool (*is_degraded)(struct vt_slice response);
};

/* What happened after the warm-up. */
struct generator_result {
    struct histogram latency; /* of OK answers, ns since the intended send time */
    uint64_t sent, ok, degraded;
    uint64_t errors[VT_CODE_COUNT];
    uint64_t unsent;      /* due, but max_outstanding calls were under way */
    uint64_t late;        /* sent more than GENERATOR_LATE_US after their time */
    uint64_t max_late_ns; /* the generator's own worst delay */
    double elapsed_s, user_s, system_s;
};

enum { GENERATOR_LATE_US = 1000 };

/* Runs the load; blocks for warm-up, duration and at most one timeout. `ret_result` is large: not
 * on a stack. */
VT_MUST_USE struct vt_err generator_run(const struct generator_options *options,
                                        struct generator_result *ret_result);

#endif
