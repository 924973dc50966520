/*
 * One thread takes records from the tracer's queue, a batch at a time, and calls the collector; it
 * blocks for its answer, and while it does the queue fills and then drops. Memory is bounded by the
 * queue and one arena. A batch that was not taken is not tried again: what is seen at night is
 * whether things are slow now, and a collector that was away for a minute must not be met by all
 * that it has missed. Of a collector that stays away one line is logged, and one when it is back.
 */
#include "services/common/otlp/otlp.h"

#include "services/common/base/arena.h"
#include "services/common/base/log.h"
#include "services/common/base/metrics.h"
#include "services/common/otlp/encode.h"
#include "services/common/rpc/client.h"
#include "services/common/trace/tracer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FLUSH_MS = 500,         /* what is less than a batch leaves no later */
    ARENA_BYTES = 4 << 20,  /* a batch of records with all their steps takes about 2 MiB */
    ANSWER_BYTES = 8 << 10, /* a sentence of the collector's, at most */
    NAME_BYTES = 128,
};

static const char export_path[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

struct vt_otlp {
    struct vt_tracer *tracer;       /* owned */
    struct vt_rpc_channel *channel; /* owned */
    struct vt_arena arena, answer;  /* the thread's, as what follows */
    struct vt_span *batch;          /* owned; VT_TRACER_BATCH records */
    bool away;                      /* the last batch was not taken */
    char service_name[NAME_BYTES], instance_id[NAME_BYTES];
    struct vt_counter *exported;
    pthread_t thread;
    bool running;
    atomic_bool stopping; /* release by _stop, acquire by the thread */
};

/* ---- the thread ---- */

static int64_t realtime_ahead_ns(void)
{
    struct timespec real, monotonic;
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_REALTIME, &real);
    return (real.tv_sec - monotonic.tv_sec) * INT64_C(1000000000) + real.tv_nsec -
           monotonic.tv_nsec;
}

static size_t take_batch(struct vt_otlp *otlp)
{
    size_t n = 0;
    while (n < VT_TRACER_BATCH && vt_tracer_pop(otlp->tracer, &otlp->batch[n]))
        n++;
    return n;
}

static void note_outcome(struct vt_otlp *otlp, struct vt_err err, const char *detail)
{
    if (vt_failed(err) && !otlp->away)
        vt_log_err(VT_LOG_WARN, "spans_not_exported", err, detail);
    else if (!vt_failed(err) && otlp->away)
        vt_log(VT_LOG_INFO, "spans_exported_again");
    otlp->away = vt_failed(err);
}

/* What the collector did not take of the batch. */
static struct vt_err call_collector(struct vt_otlp *otlp, const struct vt_otlp_batch *batch,
                                    struct vt_diag *diag, uint64_t *ret_lost)
{
    const struct vt_rpc_call_options options = {.timeout_ms = VT_OTLP_TIMEOUT_MS};
    struct vt_slice answer;
    VT_TRY(vt_rpc_client_call(otlp->channel, export_path, batch->bytes, &options, &otlp->answer,
                              diag, &answer));
    uint64_t refused = vt_otlp_refused(answer, &otlp->answer);
    *ret_lost = refused < batch->n_spans ? refused : batch->n_spans;
    return vt_ok();
}

static void send_batch(struct vt_otlp *otlp, size_t n)
{
    const struct vt_otlp_resource resource = {otlp->service_name, otlp->instance_id, VT_VERSION};
    struct vt_otlp_batch batch = {.n_spans = n};
    struct vt_diag diag = {0};
    vt_arena_reset(&otlp->arena);
    vt_arena_reset(&otlp->answer);
    struct vt_err err =
        vt_otlp_encode(&resource, otlp->batch, n, realtime_ahead_ns(), &otlp->arena, &batch);
    uint64_t lost = batch.n_spans;
    if (!vt_failed(err))
        err = call_collector(otlp, &batch, &diag, &lost);
    note_outcome(otlp, err, diag.text);
    vt_tracer_count_lost(otlp->tracer, lost);
    vt_counter_add(otlp->exported, batch.n_spans - lost);
}

static bool is_stopping(struct vt_otlp *otlp)
{
    return atomic_load_explicit(&otlp->stopping, memory_order_acquire);
}

/* All that is there; at the end, as long as somebody takes it. */
static void drain(struct vt_otlp *otlp)
{
    for (size_t n; (n = take_batch(otlp)) > 0;) {
        send_batch(otlp, n);
        if (otlp->away && is_stopping(otlp))
            return;
    }
}

static void *run(void *argument)
{
    struct vt_otlp *otlp = argument;
    while (!is_stopping(otlp)) {
        vt_tracer_wait(otlp->tracer, FLUSH_MS);
        drain(otlp);
    }
    drain(otlp); /* what came between the last look and the stop */
    return NULL;
}

/* ---- life ---- */

/* Unlike every other process's: a host has a pid once, a container a name of its own. */
static void name_instance(struct vt_otlp *otlp)
{
    char host[64] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "localhost");
    snprintf(otlp->instance_id, sizeof otlp->instance_id, "%s:%ld", host, (long)getpid());
}

static struct vt_err prepare(struct vt_otlp *otlp, const struct vt_otlp_options *options)
{
    const struct vt_tracer_options tracer = {.share = options->share, .metrics = options->metrics};
    snprintf(otlp->service_name, sizeof otlp->service_name, "%s", options->service_name);
    name_instance(otlp);
    otlp->exported = vt_metrics_counter(options->metrics, "vitrine_trace_spans_exported_total",
                                        "Spans that the collector took.", "");
    otlp->batch = calloc(VT_TRACER_BATCH, sizeof *otlp->batch);
    VT_CHECK(otlp->batch != NULL && vt_arena_init_owned(&otlp->arena, ARENA_BYTES) &&
                 vt_arena_init_owned(&otlp->answer, ANSWER_BYTES),
             VT_EXHAUSTED, "no memory for traces");
    VT_TRY(vt_tracer_new(&tracer, &otlp->tracer));
    return vt_rpc_channel_new(options->target, &otlp->channel);
}

struct vt_err vt_otlp_start(const struct vt_otlp_options *options, struct vt_otlp **ret_otlp)
{
    struct vt_otlp *otlp = calloc(1, sizeof *otlp);
    VT_CHECK(otlp != NULL, VT_EXHAUSTED, "no memory for traces");
    struct vt_err err = prepare(otlp, options);
    if (!vt_failed(err) && pthread_create(&otlp->thread, NULL, run, otlp) != 0)
        err = VT_ERR(VT_EXHAUSTED, "no thread for traces");
    otlp->running = !vt_failed(err);
    if (vt_failed(err))
        vt_otlp_stop(otlp);
    else
        *ret_otlp = otlp;
    return err;
}

struct vt_tracer *vt_otlp_tracer(const struct vt_otlp *otlp)
{
    return otlp != NULL ? otlp->tracer : NULL;
}

void vt_otlp_stop(struct vt_otlp *otlp)
{
    if (otlp == NULL)
        return;
    if (otlp->running) {
        atomic_store_explicit(&otlp->stopping, true, memory_order_release);
        vt_tracer_wake(otlp->tracer);
        pthread_join(otlp->thread, NULL);
    }
    vt_rpc_channel_free(otlp->channel);
    vt_tracer_free(otlp->tracer);
    vt_arena_fini(&otlp->arena);
    vt_arena_fini(&otlp->answer);
    free(otlp->batch);
    free(otlp);
}
