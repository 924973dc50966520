/*
 * A part of the load. Open loop: the moments when customers come are drawn from the arrival process
 * and calls are sent at those moments whether or not answers came; latency counts from the intended
 * moment, so a stalled server cannot hide its queue, and neither can a late sender (its own delay
 * is counted besides, call by call). Closed loop (rate 0): a fixed number of calls is always under
 * way, which finds the highest throughput and says little about latency. A sender owns its queue,
 * connections, call objects and counts; nothing of ours is allocated while it runs.
 *
 * Under an open loop one thread sends and another reads the answers, with a lock between them.
 * gRPC's waits round up to a millisecond, so a single thread that waited for both would send late,
 * or have to poll between the moments: then the generator took half of a machine of two cores at a
 * thousand calls a second, from the server that it measured there (docs/adr/0210). Both threads
 * sleep while there is nothing to do.
 *
 * Under a closed loop one thread is enough, and it is a batch job to the kernel: answers do not
 * take the processor from the server that is about to make more of them. Where both share cores, as
 * on one machine, that halves what the generator takes for a slow answer.
 */
#include "loadtest/sender.h"

#include "loadtest/arrivals.h"
#include "services/common/base/clock.h"
#include "services/common/base/request.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/loop.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum {
    CALL_ARENA_BYTES = 256,
    BODY_BYTES_MAX = 64 << 10, /* a Rank of WORKLOAD_RANK_MAX SKUs of 128 bytes, and more */
    NS_PER_MS = 1000000,
    NS_PER_S = 1000 * NS_PER_MS,
    ROUND_NS = 50 * NS_PER_MS, /* a reader looks so often whether all is over */
    SERIAL_BITS = 48,          /* of a call in its thread */
};

/* A call under way, or idle. */
struct load_call {
    struct sender *owner;
    struct load_call *next;
    struct vt_rpc_channel *channel;
    struct vt_request request;
    struct vt_arena arena;
    int64_t intended_ns;
    enum call_kind kind;
    _Alignas(16) unsigned char memory[CALL_ARENA_BYTES];
};

struct sender {
    const struct generator_options *options;
    pthread_t thread; /* reads answers; sends too under a closed loop */
    struct vt_rpc_loop *loop;
    pthread_mutex_t lock; /* of everything here while both threads of an open loop run */
    bool has_sent_all;
    struct vt_rpc_channel **channels; /* owned */
    struct load_call *calls, *idle;   /* owned; a list in it */
    uint32_t n_channels, n_under_way, next_channel;
    struct arrivals arrivals;
    struct load_random random; /* of what is asked */
    struct vt_arena body;      /* of the request being made */
    uint64_t serial;
    int64_t start_ns, count_from_ns, stop_ns;
    int64_t waiting_since_ns; /* the reader, for answers; 0: it has one */
    /* Of the measured time, spent with nothing to do. */
    int64_t reader_idle_ns, sender_idle_ns;
    struct load_result *result; /* owned */
    struct vt_err err;
};

static int64_t now_ns(void)
{
    return vt_clock_monotonic_ns(vt_clock_system());
}

static bool is_open(const struct sender *sender)
{
    return sender->options->rate > 0;
}

/* ---- counting ---- */

static struct timeline_slot *slot_of(const struct sender *sender, int64_t intended_ns)
{
    return timeline_at(&sender->result->timeline, intended_ns - sender->count_from_ns);
}

static void count_sent(struct sender *sender, const struct load_call *call, int64_t now)
{
    struct load_result *result = sender->result;
    int64_t lag_ns = now - call->intended_ns;
    if (call->intended_ns < sender->count_from_ns)
        return;
    result->kinds[call->kind].sent++;
    slot_of(sender, call->intended_ns)->sent++;
    histogram_add(&result->lag, lag_ns > 0 ? (uint64_t)lag_ns : 0);
    if (lag_ns > GENERATOR_LATE_US * INT64_C(1000))
        result->late++;
}

static void count_answer(struct sender *sender, const struct load_call *call, struct vt_err err,
                         struct vt_slice answer, int64_t now)
{
    struct call_counts *counts = &sender->result->kinds[call->kind];
    if (call->intended_ns < sender->count_from_ns)
        return;
    struct timeline_slot *slot = slot_of(sender, call->intended_ns);
    if (vt_failed(err)) {
        counts->errors[err.code]++;
        slot->failed++;
        return;
    }
    uint64_t latency_ns = (uint64_t)(now - call->intended_ns);
    uint64_t degraded = workload_is_degraded(call->kind, answer) ? 1 : 0;
    counts->ok++;
    counts->degraded += degraded;
    slot->degraded += degraded;
    histogram_add(&counts->latency, latency_ns);
    timeline_slot_add(slot, latency_ns);
}

static void count_unsent(struct sender *sender, int64_t due_ns)
{
    sender->result->unsent += due_ns >= sender->count_from_ns ? 1 : 0;
}

/* How much of the time from `since_ns` to `now` is measured. */
static int64_t measured_of(const struct sender *sender, int64_t since_ns, int64_t now)
{
    int64_t from = since_ns > sender->count_from_ns ? since_ns : sender->count_from_ns;
    int64_t to = now < sender->stop_ns ? now : sender->stop_ns;
    return to > from ? to - from : 0;
}

static void count_waited(struct sender *sender, int64_t now)
{
    if (sender->waiting_since_ns != 0)
        sender->reader_idle_ns += measured_of(sender, sender->waiting_since_ns, now);
    sender->waiting_since_ns = 0;
}

/* ---- calls ---- */

static void put_idle(struct load_call *call)
{
    call->next = call->owner->idle;
    call->owner->idle = call;
}

static void send_call(struct load_call *call, int64_t intended_ns);

static void on_done(void *ctx, struct vt_err err, struct vt_slice answer)
{
    struct load_call *call = ctx;
    struct sender *sender = call->owner;
    int64_t now = now_ns();
    count_waited(sender, now);
    count_answer(sender, call, err, answer, now);
    sender->n_under_way--;
    if (!is_open(sender) && now < sender->stop_ns && !vt_failed(sender->err))
        send_call(call, now);
    else
        put_idle(call);
}

static size_t fill_metadata(const struct generator_options *options, const char *customer,
                            struct vt_rpc_metadata metadata[GENERATOR_METADATA_MAX + 1])
{
    size_t n = 0;
    for (; n < options->n_metadata && n < GENERATOR_METADATA_MAX; n++)
        metadata[n] = options->metadata[n];
    if (customer != NULL)
        metadata[n++] = (struct vt_rpc_metadata){"vitrine-key", vt_slice_str(customer)};
    return n;
}

static void start_call(struct load_call *call, const struct workload_call *drawn)
{
    struct sender *sender = call->owner;
    const struct generator_options *options = sender->options;
    struct vt_rpc_metadata metadata[GENERATOR_METADATA_MAX + 1];
    int64_t now = now_ns();
    call->kind = drawn->kind;
    count_sent(sender, call, now);
    sender->n_under_way++;
    const struct vt_rpc_outgoing outgoing = {workload_path(drawn->kind), drawn->body,
                                             now + options->timeout_ms * NS_PER_MS, on_done, call};
    vt_rpc_client_start_with(call->channel, &call->request, &outgoing, metadata,
                             fill_metadata(options, drawn->customer, metadata));
}

static void send_call(struct load_call *call, int64_t intended_ns)
{
    struct sender *sender = call->owner;
    struct workload_call drawn;
    vt_arena_reset(&call->arena);
    vt_arena_reset(&sender->body);
    call->intended_ns = intended_ns;
    call->request =
        (struct vt_request){.arena = &call->arena, .deadline_ns = INT64_MAX, .loop = sender->loop};
    sender->err = workload_draw(sender->options->workload, &sender->random, sender->serial++,
                                &sender->body, &drawn);
    if (vt_failed(sender->err))
        put_idle(call); /* ids that no request can carry: the run ends with that error */
    else
        start_call(call, &drawn);
}

/* ---- open loop ---- */

static void send_due(struct sender *sender, int64_t due_ns)
{
    struct load_call *call = sender->idle;
    if (call == NULL) {
        count_unsent(sender, due_ns);
        return;
    }
    sender->idle = call->next;
    call->channel = sender->channels[sender->next_channel++ % sender->n_channels];
    send_call(call, due_ns);
}

/* Sleeps; an interrupted sleep is begun again. */
static void sleep_until(struct sender *sender, int64_t until_ns)
{
    const struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    int64_t since_ns = now_ns();
    if (since_ns >= until_ns)
        return;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        ;
    sender->sender_idle_ns += measured_of(sender, since_ns, now_ns());
}

/* Sends one call under the lock; false: the load is over. */
static bool send_next(struct sender *sender, int64_t due_ns)
{
    pthread_mutex_lock(&sender->lock);
    bool goes_on = due_ns < sender->stop_ns && !vt_failed(sender->err);
    if (goes_on)
        send_due(sender, due_ns);
    else
        sender->has_sent_all = true;
    pthread_mutex_unlock(&sender->lock);
    return goes_on;
}

static void *send_on_time(void *argument)
{
    struct sender *sender = argument;
    int64_t due_ns;
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* else 50 us late */
    do {
        due_ns = sender->start_ns + arrivals_next_ns(&sender->arrivals);
        sleep_until(sender, due_ns < sender->stop_ns ? due_ns : sender->stop_ns);
    } while (send_next(sender, due_ns));
    return NULL;
}

/* Waits for an answer and counts it, or for the end of a round; false: all is over. */
static bool read_next(struct sender *sender)
{
    int64_t now = now_ns();
    pthread_mutex_lock(&sender->lock);
    bool is_over = sender->has_sent_all && sender->n_under_way == 0;
    if (sender->waiting_since_ns == 0)
        sender->waiting_since_ns = now;
    pthread_mutex_unlock(&sender->lock);
    if (!is_over)
        vt_rpc_loop_run_one(sender->loop, now + ROUND_NS);
    return !is_over;
}

static void run_open(struct sender *sender)
{
    pthread_t thread;
    vt_rpc_loop_share(sender->loop, &sender->lock);
    int error = pthread_create(&thread, NULL, send_on_time, sender);
    if (error != 0) {
        sender->err = VT_ERR(VT_EXHAUSTED, "cannot start the generator's threads");
        return;
    }
    while (read_next(sender))
        ;
    pthread_join(thread, NULL);
    count_waited(sender, now_ns());
}

/* ---- a thread ---- */

static void run_closed(struct sender *sender)
{
    struct sched_param none = {0};
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none); /* else as before */
    while (sender->idle != NULL && !vt_failed(sender->err))
        send_due(sender, now_ns());
    for (int64_t now; (now = now_ns()) < sender->stop_ns && sender->n_under_way > 0;) {
        sender->waiting_since_ns = now;
        vt_rpc_loop_run_one(sender->loop, sender->stop_ns);
    }
    sender->sender_idle_ns = sender->reader_idle_ns; /* the same thread */
}

static void *run(void *argument)
{
    struct sender *sender = argument;
    sender->err = vt_rpc_loop_new(&sender->loop);
    if (vt_failed(sender->err))
        return NULL;
    if (is_open(sender))
        run_open(sender);
    else
        run_closed(sender);
    while (sender->n_under_way > 0) /* each has its deadline */
        vt_rpc_loop_run_one(sender->loop, INT64_MAX);
    vt_rpc_loop_free(sender->loop);
    return NULL;
}

static struct vt_err open_channels(struct sender *sender, uint32_t n)
{
    const struct vt_rpc_channel_options channel = {.target = sender->options->target,
                                                   .tls = sender->options->tls,
                                                   .server_name = sender->options->server_name};
    sender->channels = calloc(n, sizeof(struct vt_rpc_channel *));
    VT_CHECK(sender->channels != NULL, VT_EXHAUSTED, "no memory for so many connections");
    for (; sender->n_channels < n; sender->n_channels++)
        VT_TRY(vt_rpc_channel_open(&channel, &sender->channels[sender->n_channels]));
    return vt_ok();
}

static struct vt_err make_calls(struct sender *sender, uint32_t n)
{
    sender->calls = calloc(n, sizeof *sender->calls);
    VT_CHECK(sender->calls != NULL && vt_arena_init_owned(&sender->body, BODY_BYTES_MAX),
             VT_EXHAUSTED, "no memory for so many calls");
    for (uint32_t i = 0; i < n; i++) {
        struct load_call *call = &sender->calls[i];
        call->owner = sender;
        vt_arena_init(&call->arena, call->memory, sizeof call->memory);
        put_idle(call);
    }
    return vt_ok();
}

static struct vt_err init(struct sender *sender, uint32_t index)
{
    const struct generator_options *options = sender->options;
    uint32_t n = options->threads;
    uint32_t n_channels = options->connections / n + (index < options->connections % n ? 1 : 0);
    uint32_t n_calls = is_open(sender) ? (options->max_outstanding + n - 1) / n
                                       : n_channels * options->concurrency;
    VT_TRY(load_result_new(options->duration_ms, &sender->result));
    VT_TRY(open_channels(sender, n_channels));
    VT_TRY(make_calls(sender, n_calls));
    sender->random.state = ~options->seed * 0xD1342543DE82EF95u + index;
    sender->serial = (uint64_t)index << SERIAL_BITS;
    if (is_open(sender))
        arrivals_init(&sender->arrivals, options->rate, options->poisson, index, n, options->seed);
    return vt_ok();
}

struct vt_err sender_new(const struct generator_options *options, uint32_t index,
                         struct sender **ret_sender)
{
    struct sender *sender = calloc(1, sizeof *sender);
    VT_CHECK(sender != NULL, VT_EXHAUSTED, "no memory for the load");
    sender->options = options;
    pthread_mutex_init(&sender->lock, NULL);
    struct vt_err err = init(sender, index);
    if (vt_failed(err))
        sender_free(sender);
    else
        *ret_sender = sender;
    return err;
}

struct vt_err sender_start(struct sender *sender, int64_t start_ns)
{
    sender->start_ns = start_ns;
    sender->count_from_ns = start_ns + sender->options->warmup_ms * NS_PER_MS;
    sender->stop_ns = sender->count_from_ns + sender->options->duration_ms * NS_PER_MS;
    VT_CHECK(pthread_create(&sender->thread, NULL, run, sender) == 0, VT_EXHAUSTED,
             "cannot start the generator's threads");
    return vt_ok();
}

struct vt_err sender_join(struct sender *sender, const struct load_result **ret_result)
{
    pthread_join(sender->thread, NULL);
    VT_TRY(sender->err);
    double measured_ns = (double)(sender->stop_ns - sender->count_from_ns);
    int64_t idle_ns = sender->reader_idle_ns < sender->sender_idle_ns ? sender->reader_idle_ns
                                                                      : sender->sender_idle_ns;
    double busy = 1 - (double)idle_ns / measured_ns;
    sender->result->busy = busy > 0 ? busy : 0;
    *ret_result = sender->result;
    return vt_ok();
}

void sender_free(struct sender *sender)
{
    if (sender == NULL)
        return;
    for (uint32_t i = 0; i < sender->n_channels; i++)
        vt_rpc_channel_free(sender->channels[i]);
    free(sender->channels);
    free(sender->calls);
    vt_arena_fini(&sender->body);
    load_result_free(sender->result);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}
