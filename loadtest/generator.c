/*
 * The load generator. Open loop: each thread draws the moments when customers would come (Poisson
 * or evenly spaced) ahead of time and sends at those moments whether or not answers came; latency
 * counts from the intended moment, so a stalled server cannot hide its queue, and neither can a
 * late generator (its own delay is counted besides). Closed loop (rate 0): a fixed number of calls
 * is always under way, which finds the highest throughput and says little about latency. A thread
 * owns its queue, connections, call objects and counters; nothing is shared while it runs. Within
 * SPIN_NS of the next moment it polls instead of sleeping, because gRPC's waits round up to a
 * millisecond.
 */
#include "loadtest/generator.h"

#include "services/common/base/clock.h"
#include "services/common/base/request.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/loop.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { CALL_ARENA_BYTES = 256, NS_PER_MS = 1000000, SPIN_NS = 2 * NS_PER_MS };

struct generator;

/* A call under way, or idle. */
struct load_call {
    struct generator *owner;
    struct load_call *next;
    struct vt_rpc_channel *channel;
    struct vt_request request;
    struct vt_arena arena;
    int64_t intended_ns;
    _Alignas(16) unsigned char memory[CALL_ARENA_BYTES];
};

/* One thread. */
struct generator {
    const struct generator_options *options;
    pthread_t thread;
    struct vt_rpc_loop *loop;
    struct vt_rpc_channel **channels;
    struct load_call *calls, *idle;
    uint32_t n_channels, n_calls, n_under_way, next_channel;
    uint64_t random;
    int64_t count_from_ns, stop_ns;
    double rate;
    struct generator_result result;
    struct vt_err err;
};

static int64_t now_ns(void)
{
    return vt_clock_monotonic_ns(vt_clock_system());
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(struct generator *generator)
{
    uint64_t z = generator->random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int64_t draw_gap_ns(struct generator *generator)
{
    double mean_ns = 1e9 / generator->rate;
    if (!generator->options->poisson)
        return (int64_t)mean_ns;
    double uniform = ((double)(draw(generator) >> 11) + 0.5) * 0x1p-53;
    return (int64_t)(-log(uniform) * mean_ns);
}

/* ---- calls ---- */

static void send_call(struct load_call *call, int64_t intended_ns);

static void count_answer(struct generator *generator, const struct load_call *call,
                         struct vt_err err, struct vt_slice body)
{
    struct generator_result *result = &generator->result;
    if (call->intended_ns < generator->count_from_ns)
        return;
    if (vt_failed(err)) {
        result->errors[err.code]++;
        return;
    }
    result->ok++;
    result->degraded += generator->options->is_degraded(body) ? 1 : 0;
    histogram_add(&result->latency, (uint64_t)(now_ns() - call->intended_ns));
}

static void on_done(void *ctx, struct vt_err err, struct vt_slice body)
{
    struct load_call *call = ctx;
    struct generator *generator = call->owner;
    count_answer(generator, call, err, body);
    generator->n_under_way--;
    int64_t now = now_ns();
    if (generator->rate == 0 && now < generator->stop_ns) {
        send_call(call, now);
        return;
    }
    call->next = generator->idle;
    generator->idle = call;
}

static void send_call(struct load_call *call, int64_t intended_ns)
{
    struct generator *generator = call->owner;
    const struct generator_options *options = generator->options;
    struct vt_slice body = options->bodies[draw(generator) % options->n_bodies];
    vt_arena_reset(&call->arena);
    call->intended_ns = intended_ns;
    call->request = (struct vt_request){
        .arena = &call->arena, .deadline_ns = INT64_MAX, .loop = generator->loop};
    if (intended_ns >= generator->count_from_ns)
        generator->result.sent++;
    generator->n_under_way++;
    const struct vt_rpc_outgoing outgoing = {
        options->path, body, now_ns() + options->timeout_ms * NS_PER_MS, on_done, call};
    vt_rpc_client_start(call->channel, &call->request, &outgoing);
}

/* ---- open loop ---- */

static void count_lateness(struct generator *generator, int64_t due_ns)
{
    int64_t late_ns = now_ns() - due_ns;
    if (due_ns < generator->count_from_ns || late_ns < 0)
        return;
    if ((uint64_t)late_ns > generator->result.max_late_ns)
        generator->result.max_late_ns = (uint64_t)late_ns;
    if (late_ns > GENERATOR_LATE_US * INT64_C(1000))
        generator->result.late++;
}

static void send_due(struct generator *generator, int64_t due_ns)
{
    struct load_call *call = generator->idle;
    count_lateness(generator, due_ns);
    if (call == NULL) {
        generator->result.unsent += due_ns >= generator->count_from_ns ? 1 : 0;
        return;
    }
    generator->idle = call->next;
    call->channel = generator->channels[generator->next_channel++ % generator->n_channels];
    send_call(call, due_ns);
}

static void wait_until(struct generator *generator, int64_t due_ns)
{
    int64_t now;
    while ((now = now_ns()) < due_ns) {
        bool sleep = due_ns - now > SPIN_NS;
        if (!vt_rpc_loop_run_one(generator->loop, sleep ? due_ns - SPIN_NS : 0) && !sleep)
            sched_yield();
    }
    /* Answers first: an overdue generator must still read them. */
    while (vt_rpc_loop_run_one(generator->loop, 0))
        if (now_ns() > due_ns + NS_PER_MS)
            break;
}

static void run_open(struct generator *generator, int64_t start_ns)
{
    int64_t due_ns = start_ns + draw_gap_ns(generator);
    while (due_ns < generator->stop_ns) {
        wait_until(generator, due_ns);
        for (int64_t now = now_ns(); due_ns <= now && due_ns < generator->stop_ns;
             due_ns += draw_gap_ns(generator))
            send_due(generator, due_ns);
    }
}

/* ---- a thread ---- */

static void run_closed(struct generator *generator, int64_t start_ns)
{
    while (generator->idle != NULL)
        send_due(generator, start_ns);
    while (now_ns() < generator->stop_ns)
        vt_rpc_loop_run_one(generator->loop, generator->stop_ns);
}

static void *run(void *argument)
{
    struct generator *generator = argument;
    const struct generator_options *options = generator->options;
    generator->err = vt_rpc_loop_new(&generator->loop);
    if (vt_failed(generator->err))
        return NULL;
    int64_t start_ns = now_ns();
    generator->count_from_ns = start_ns + options->warmup_ms * NS_PER_MS;
    generator->stop_ns = generator->count_from_ns + options->duration_ms * NS_PER_MS;
    if (generator->rate == 0)
        run_closed(generator, start_ns);
    else
        run_open(generator, start_ns);
    while (generator->n_under_way > 0) /* each has its deadline */
        vt_rpc_loop_run_one(generator->loop, INT64_MAX);
    vt_rpc_loop_free(generator->loop);
    return NULL;
}

static struct vt_err prepare(struct generator *generator, uint32_t n_channels, uint32_t n_calls)
{
    const struct vt_rpc_channel_options channel = {.target = generator->options->target,
                                                   .tls = generator->options->tls,
                                                   .server_name = generator->options->server_name};
    generator->channels = calloc(n_channels, sizeof *generator->channels);
    generator->calls = calloc(n_calls, sizeof *generator->calls);
    VT_CHECK(generator->channels != NULL && generator->calls != NULL, VT_EXHAUSTED,
             "no memory for the load");
    for (; generator->n_channels < n_channels; generator->n_channels++)
        VT_TRY(vt_rpc_channel_open(&channel, &generator->channels[generator->n_channels]));
    generator->n_calls = n_calls;
    for (uint32_t i = 0; i < n_calls; i++) {
        struct load_call *call = &generator->calls[i];
        call->owner = generator;
        vt_arena_init(&call->arena, call->memory, sizeof call->memory);
        call->next = generator->idle;
        generator->idle = call;
    }
    return vt_ok();
}

static void fini(struct generator *generator)
{
    for (uint32_t i = 0; i < generator->n_channels; i++)
        vt_rpc_channel_free(generator->channels[i]);
    free(generator->channels);
    free(generator->calls);
}

static void merge(struct generator_result *into, const struct generator_result *from)
{
    histogram_merge(&into->latency, &from->latency);
    into->sent += from->sent;
    into->ok += from->ok;
    into->degraded += from->degraded;
    into->unsent += from->unsent;
    into->late += from->late;
    for (int code = 0; code < VT_CODE_COUNT; code++)
        into->errors[code] += from->errors[code];
    if (from->max_late_ns > into->max_late_ns)
        into->max_late_ns = from->max_late_ns;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

/* ---- all of them ---- */

static struct vt_err prepare_all(struct generator *generators,
                                 const struct generator_options *options)
{
    uint32_t n = options->threads;
    for (uint32_t i = 0; i < n; i++) {
        struct generator *generator = &generators[i];
        uint32_t n_channels = options->connections / n + (i < options->connections % n ? 1 : 0);
        uint32_t n_calls = options->rate > 0 ? (options->max_outstanding + n - 1) / n
                                             : n_channels * options->concurrency;
        generator->options = options;
        generator->rate = options->rate / n;
        generator->random = options->seed * 0x9E3779B97F4A7C15u + i;
        VT_TRY(prepare(generator, n_channels, n_calls));
    }
    return vt_ok();
}

static struct vt_err run_all(struct generator *generators, uint32_t n)
{
    uint32_t n_started = 0;
    while (n_started < n &&
           pthread_create(&generators[n_started].thread, NULL, run, &generators[n_started]) == 0)
        n_started++;
    for (uint32_t i = 0; i < n_started; i++)
        pthread_join(generators[i].thread, NULL);
    VT_CHECK(n_started == n, VT_EXHAUSTED, "cannot start the generator's threads");
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(generators[i].err);
    return vt_ok();
}

struct vt_err generator_run(const struct generator_options *options,
                            struct generator_result *ret_result)
{
    struct rusage before, after;
    struct generator *generators = calloc(options->threads, sizeof *generators);
    VT_CHECK(generators != NULL, VT_EXHAUSTED, "no memory for the load");
    getrusage(RUSAGE_SELF, &before);
    struct vt_err err = prepare_all(generators, options);
    if (!vt_failed(err))
        err = run_all(generators, options->threads);
    getrusage(RUSAGE_SELF, &after);
    for (uint32_t i = 0; i < options->threads; i++) {
        if (!vt_failed(err))
            merge(ret_result, &generators[i].result);
        fini(&generators[i]);
    }
    free(generators);
    ret_result->elapsed_s = (double)options->duration_ms * 1e-3;
    ret_result->user_s = seconds(after.ru_utime) - seconds(before.ru_utime);
    ret_result->system_s = seconds(after.ru_stime) - seconds(before.ru_stime);
    return err;
}
