/*
 * What a serving thread does all day: it looks at its completion queue, then works on calls that
 * wait, in turns. Looking costs little for each event (an arrival is queued or refused, an answer
 * is put away); working runs handlers. Between two looks lie at most LOOK_EVERY_NS of work or one
 * call, so that a call's arrival is seen when it happens, its wait is known, and a refusal comes at
 * once, however long the queue. gRPC's queue alone does not allow that: it gives its events in
 * order, tells nobody how many there are, and reads no socket until they are gone.
 *
 * "Nothing there" must be heard twice. An event that this thread itself brings about, as each
 * answer does, leaves a note in gRPC's pollset for a poller that is not there
 * (`kicked_without_poller` of ev_epoll1), and the next look at the sockets ends at the note.
 * Believed at once, it meant that sockets were read when no call waited any more: late, in lumps,
 * with most callers gone.
 *
 * A look costs two polls, about two microseconds; a call that comes to an idle thread is handled
 * without one. Health checks are never queued, and streams wait by their own means: they are
 * handled as they come, unless their method is a batch one and the thread is behind.
 */
#include "services/common/base/metrics.h"
#include "services/common/rpc/server_internal.h"

#include <stddef.h>
#include <stdio.h>

enum {
    EVENTS_PER_LOOK = 2048,  /* then work gets its turn even under a flood */
    LOOK_EVERY_NS = 2000000, /* a tenth of it costs 5 to 20 % of the rate of 0.6 ms calls */
    POLLED_NS = 10000,  /* taking an event takes less than this, polling the sockets for it more */
    LATE_LOOKS = 8,     /* without work between them, at most */
    EMPTY_PER_LOOK = 2, /* in a row: gRPC answers the first after an event without reading */
};

/* ---- metrics ---- */

static const double wait_bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                     0.01,   0.025,   0.05,   0.1,   0.25};
enum { N_WAIT_BOUNDS = sizeof wait_bounds / sizeof wait_bounds[0] };

static const char *const class_names[VT__N_CLASSES] = {"storefront", "batch"};
static const char *const reason_names[VT__N_VERDICTS] = {
    [VT__REFUSED_WAIT] = "wait",
    [VT__REFUSED_DEADLINE] = "deadline",
    [VT__REFUSED_LIMIT] = "limit",
};

static void register_class(struct vt_metrics *metrics, enum vt__class class,
                           struct vt__admission_counts *counts)
{
    char labels[80];
    for (int verdict = VT__ADMITTED + 1; verdict < VT__N_VERDICTS; verdict++) {
        snprintf(labels, sizeof labels, "class=\"%s\",reason=\"%s\"", class_names[class],
                 reason_names[verdict]);
        counts->refused[class][verdict] = vt_metrics_counter(
            metrics, "vitrine_admission_refused_total", "Calls refused before decoding.", labels);
    }
    snprintf(labels, sizeof labels, "class=\"%s\"", class_names[class]);
    counts->wait_seconds[class] = vt_metrics_histogram(metrics, "vitrine_admission_wait_seconds",
                                                       "Time from arrival to the handler's begin.",
                                                       labels, wait_bounds, N_WAIT_BOUNDS);
    counts->queued[class] = vt_metrics_gauge(metrics, "vitrine_admission_queued",
                                             "Calls that wait for a thread.", labels);
}

void vt__admission_register(struct vt_metrics *metrics, struct vt__admission_counts *counts)
{
    for (int class = 0; class < VT__N_CLASSES; class ++)
        register_class(metrics, (enum vt__class) class, counts);
}

/* ---- arrivals ---- */

static struct vt__server_call *call_of(struct vt__waiting *waiting)
{
    return (struct vt__server_call *)((char *)waiting - offsetof(struct vt__server_call, waiting));
}

static enum vt__class class_of(const struct vt__server_call *call)
{
    struct vt_slice priority = vt_rpc_call_metadata(&call->base, "vitrine-priority");
    bool batch = call->method->row->kind == VT_RPC_BATCH_STREAM ||
                 vt_slice_equal(priority, vt_slice_str("batch"));
    return batch ? VT__BATCH : VT__STOREFRONT;
}

static void refuse(struct vt__server_call *call, enum vt__verdict verdict)
{
    static const char *const texts[VT__N_VERDICTS] = {
        [VT__REFUSED_WAIT] = "too many calls wait already; try again in a moment",
        [VT__REFUSED_DEADLINE] = "too many calls wait to answer this one before its deadline; try "
                                 "again in a moment, or with a later deadline",
        [VT__REFUSED_LIMIT] = "too many of these calls are under way; try again in a moment",
    };
    static const char *const events[VT__N_VERDICTS] = {
        [VT__REFUSED_WAIT] = "refused: wait",
        [VT__REFUSED_DEADLINE] = "refused: deadline",
        [VT__REFUSED_LIMIT] = "refused: limit",
    };
    const struct vt__admission_counts *counts = &call->worker->server->admission_counts;
    vt_counter_add(counts->refused[call->waiting.class][verdict], 1);
    vt_span_event(&call->base.span, events[verdict], vt__now_ns());
    vt_diag_set(&call->base.diag, "", "%s", texts[verdict]);
    vt_rpc_call_fail(&call->base, VT_ERR(VT_EXHAUSTED, "refused by admission"));
}

/* gRPC hands over calls that ended before their request was read; what it has of those is nothing,
 * and no request is not an empty one. */
static bool ended_early(const struct vt__server_call *call)
{
    return call->request == NULL && call->method->registration != NULL &&
           call->method->row->kind != VT_RPC_BIDI_STREAM;
}

void vt__worker_admit(struct vt__server_call *call)
{
    struct vt__worker *worker = call->worker;
    const struct vt_rpc_server *server = worker->server;
    struct vt__waiting *waiting = &call->waiting;
    bool stream = call->method->row->kind != VT_RPC_UNARY;
    waiting->class = class_of(call);
    waiting->method = (uint32_t)(call->method - server->methods);
    waiting->deadline_ns = call->base.request.deadline_ns;
    if (ended_early(call)) {
        worker->reads_late = true;
        vt_rpc_call_fail(&call->base, VT_ERR(VT_CANCELLED, "its caller has gone"));
        return;
    }
    if (call->method->service == server->health || (stream && waiting->class == VT__STOREFRONT)) {
        vt__server_call_begin(call);
        return;
    }
    enum vt__verdict verdict = stream ? vt__admission_judge(&worker->admission, waiting)
                                      : vt__admission_offer(&worker->admission, waiting);
    if (verdict != VT__ADMITTED)
        refuse(call, verdict);
    else if (stream)
        vt__server_call_begin(call);
    else
        vt_gauge_add(server->admission_counts.queued[waiting->class], 1);
}

bool vt__worker_drop(struct vt__server_call *call)
{
    struct vt__worker *worker = call->worker;
    if (!vt__admission_drop(&worker->admission, &call->waiting))
        return false;
    vt_gauge_add(worker->server->admission_counts.queued[call->waiting.class], -1);
    vt_rpc_call_fail(&call->base, VT_ERR(VT_CANCELLED, "its caller has gone"));
    return true;
}

/* ---- turns ---- */

/* A thread's time, by the clock. */
struct turn {
    int64_t now_ns;
    int64_t began_ns; /* of this turn; 0: it began with nobody waiting */
};

/* Runs completions until there are none, or it is time to work. With nobody waiting it waits for
 * the first. False: the queue is shut down. */
static bool look(struct vt__worker *worker, struct turn *turn)
{
    unsigned n_empty = 0;
    worker->reads_late = false;
    turn->began_ns = vt__admission_waits(&worker->admission) ? turn->now_ns : 0;
    for (unsigned n = 0; n < EVENTS_PER_LOOK && n_empty < EMPTY_PER_LOOK; n++) {
        bool waits = vt__admission_waits(&worker->admission);
        gpr_timespec until =
            waits ? gpr_inf_past(GPR_CLOCK_MONOTONIC) : gpr_inf_future(GPR_CLOCK_MONOTONIC);
        int64_t before_ns = vt__now_ns();
        grpc_event event = grpc_completion_queue_next(worker->loop.queue, until, NULL);
        turn->now_ns = vt__now_ns();
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return false;
        n_empty = event.type == GRPC_QUEUE_TIMEOUT ? n_empty + 1 : 0;
        if (n_empty > 0)
            continue;
        struct vt__tag *tag = event.tag;
        tag->run(tag->owner, event.success != 0);
        if (!waits && turn->now_ns - before_ns > POLLED_NS &&
            vt__admission_waits(&worker->admission))
            break; /* the thread was idle, and the sockets have just been read */
    }
    return true;
}

/* Begins the call that was taken, or says why not; it may be gone afterwards. */
static void begin(struct vt__worker *worker, struct vt__waiting *waiting, enum vt__verdict verdict,
                  struct turn *turn)
{
    const struct vt__admission_counts *counts = &worker->server->admission_counts;
    enum vt__class class = waiting->class;
    uint32_t method = waiting->method;
    int64_t began_ns = turn->now_ns;
    vt_gauge_add(counts->queued[class], -1);
    if (verdict != VT__ADMITTED) {
        refuse(call_of(waiting), verdict);
        turn->now_ns = vt__now_ns();
        return;
    }
    vt_histogram_observe(counts->wait_seconds[class],
                         (double)(began_ns - waiting->arrived_ns) * 1e-9);
    vt_span_step(&call_of(waiting)->base.span, "wait", waiting->arrived_ns, began_ns);
    vt__server_call_begin(call_of(waiting));
    turn->now_ns = vt__now_ns();
    vt__admission_worked(&worker->admission, method, turn->now_ns - began_ns);
}

static void work(struct vt__worker *worker, struct turn *turn)
{
    struct vt__admission *admission = &worker->admission;
    struct vt__waiting *waiting = NULL;
    enum vt__verdict verdict = VT__ADMITTED;
    int64_t began_ns = turn->now_ns = vt__now_ns();
    int64_t looked_ns = turn->began_ns != 0 ? began_ns - turn->began_ns : 0;
    int64_t share_ns = looked_ns > LOOK_EVERY_NS ? looked_ns : LOOK_EVERY_NS;
    do {
        waiting = vt__admission_take(admission, turn->now_ns, &verdict);
        if (waiting != NULL)
            begin(worker, waiting, verdict, turn);
    } while (waiting != NULL && turn->now_ns - began_ns < share_ns);
    if (turn->began_ns != 0 && vt__admission_waits(admission))
        vt__admission_turned(admission, turn->now_ns - turn->began_ns, turn->now_ns - began_ns);
}

void vt__worker_run(struct vt__worker *worker)
{
    struct turn turn = {.now_ns = vt__now_ns()};
    unsigned n_late = 0;
    worker->loop.thread = pthread_self();
    while (look(worker, &turn)) {
        n_late = worker->reads_late ? n_late + 1 : 0;
        if (n_late % LATE_LOOKS != 0)
            continue;
        work(worker, &turn);
    }
}
