#ifndef LOADTEST_GENERATOR_H
#define LOADTEST_GENERATOR_H

#include "loadtest/result.h"
#include "loadtest/workload.h"
#include "services/common/rpc/metadata.h"
#include "services/common/rpc/tls.h"

#include <stdbool.h>
#include <stdint.h>

enum { GENERATOR_METADATA_MAX = 8 };

/* Where the load goes, how much of it, and for how long. */
struct generator_options {
    const char *target;
    struct vt_rpc_tls *tls;                 /* borrowed; NULL: plaintext */
    const char *server_name;                /* in the target's certificate; NULL: its host */
    const struct workload *workload;        /* borrowed */
    const struct vt_rpc_metadata *metadata; /* sent with every call; borrowed */
    size_t n_metadata;                      /* at most GENERATOR_METADATA_MAX */
    double rate; /* calls a second of all threads; 0: closed loop, as fast as answers come */
    bool poisson;
    int64_t warmup_ms, duration_ms, timeout_ms;
    uint32_t connections, threads; /* threads ≤ connections */
    uint32_t concurrency;          /* closed loop: calls under way per connection */
    uint32_t max_outstanding; /* open loop: calls under way of all threads; more are not sent */
    uint64_t seed;
    /* Called on the calling thread about every second with the share that is done; may be NULL. */
    void (*progress)(void *ctx, double share);
    void *progress_ctx;
};

/* Runs the load; blocks for warm-up, duration and at most one timeout. */
VT_MUST_USE struct vt_err generator_run(const struct generator_options *options,
                                        struct load_result **ret_result);

#endif
