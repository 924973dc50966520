/*
 * The queue is Vyukov's bounded one (1024cores.net, "Bounded MPMC queue"), with one consumer: each
 * slot has a turn, which says whose it is. At place p of the endless sequence the slot is free for
 * the producer of p while its turn is p, and holds p's record while its turn is p + 1; the consumer
 * hands it to the producer of the next round, p + n. Producers meet at `head` alone, and only those
 * of sampled calls. A turn is stored with release after the record is written or read and loaded
 * with acquire before; `head` orders nothing.
 *
 * The consumer sleeps on a semaphore that every VT_TRACER_BATCH-th record posts, and looks by
 * itself now and then for what is less than a batch: no producer pays for waking it more often.
 */
#include "services/common/trace/tracer.h"

#include "services/common/base/metrics.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct slot {
    _Atomic uint32_t turn;
    struct vt_span span;
};

struct vt_tracer {
    double share;
    struct vt_counter *dropped, *lost;
    sem_t wake;
    uint32_t mask; /* n_records - 1 */
    _Alignas(64) _Atomic uint32_t head;
    _Alignas(64) uint32_t tail; /* the consumer's */
    struct slot slots[];
};

/* ---- ids ---- */

void vt_trace_ids_init(struct vt_trace_ids *ids)
{
    uint64_t state = 0;
    if (getrandom(&state, sizeof state, 0) != (ssize_t)sizeof state) { /* a kernel of before 2014 */
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        state = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)(uintptr_t)ids;
    }
    ids->state = state;
}

/* ---- life ---- */

static void register_metrics(struct vt_tracer *tracer, struct vt_metrics *metrics)
{
    static const char name[] = "vitrine_trace_spans_dropped_total";
    static const char help[] = "Spans that never reached the collector.";
    tracer->dropped = vt_metrics_counter(metrics, name, help, "reason=\"queue_full\"");
    tracer->lost = vt_metrics_counter(metrics, name, help, "reason=\"collector\"");
}

struct vt_err vt_tracer_new(const struct vt_tracer_options *options, struct vt_tracer **ret_tracer)
{
    uint32_t n = options->n_records != 0 ? options->n_records : VT_TRACER_RECORDS_MAX;
    VT_CHECK(n >= 2 && (n & (n - 1)) == 0, VT_INVALID, "the queue's length is a power of two");
    size_t size = sizeof(struct vt_tracer) + n * sizeof(struct slot);
    struct vt_tracer *tracer = aligned_alloc(_Alignof(struct vt_tracer), (size + 63) / 64 * 64);
    VT_CHECK(tracer != NULL, VT_EXHAUSTED, "no memory for traces");
    tracer->share = options->share;
    tracer->mask = n - 1;
    tracer->tail = 0;
    atomic_init(&tracer->head, 0);
    for (uint32_t i = 0; i < n; i++)
        atomic_init(&tracer->slots[i].turn, i);
    sem_init(&tracer->wake, 0, 0);
    register_metrics(tracer, options->metrics);
    *ret_tracer = tracer;
    return vt_ok();
}

void vt_tracer_free(struct vt_tracer *tracer)
{
    if (tracer == NULL)
        return;
    sem_destroy(&tracer->wake);
    free(tracer);
}

/* ---- the hot path ---- */

/* The trace's lower half is as random as any number of ours. */
static bool is_chosen(const struct vt_tracer *tracer, uint64_t trace_low)
{
    return tracer != NULL && (double)(trace_low >> 11) * 0x1p-53 < tracer->share;
}

void vt_trace_begin(struct vt_tracer *tracer, struct vt_trace_ids *ids, struct vt_slice traceparent,
                    bool may_begin, struct vt_span *span)
{
    bool continues = vt_traceparent_read(traceparent, span);
    if (!continues) {
        span->trace_high = vt_trace_ids_next(ids);
        span->trace_low = vt_trace_ids_next(ids);
        span->sampled = may_begin && is_chosen(tracer, span->trace_low);
    }
    span->id = continues && tracer == NULL ? span->parent : vt_trace_ids_next(ids);
    span->tracer = span->sampled ? tracer : NULL;
}

/* NULL: the queue is full. */
static struct slot *take_slot(struct vt_tracer *tracer, uint32_t *ret_place)
{
    uint32_t place = atomic_load_explicit(&tracer->head, memory_order_relaxed);
    for (;;) {
        struct slot *slot = &tracer->slots[place & tracer->mask];
        uint32_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn == place &&
            atomic_compare_exchange_weak_explicit(&tracer->head, &place, place + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            *ret_place = place;
            return slot;
        }
        if ((int32_t)(turn - place) < 0)
            return NULL;
        if (turn != place) /* another producer was here first */
            place = atomic_load_explicit(&tracer->head, memory_order_relaxed);
    }
}

void vt_span_push(const struct vt_span *span)
{
    struct vt_tracer *tracer = span->tracer;
    if (tracer == NULL)
        return;
    uint32_t place;
    struct slot *slot = take_slot(tracer, &place);
    if (slot == NULL) {
        vt_counter_add(tracer->dropped, 1 + span->n_steps);
        return;
    }
    slot->span = *span;
    atomic_store_explicit(&slot->turn, place + 1, memory_order_release);
    if ((place + 1) % VT_TRACER_BATCH == 0)
        sem_post(&tracer->wake);
}

/* ---- the other end ---- */

bool vt_tracer_pop(struct vt_tracer *tracer, struct vt_span *ret_span)
{
    struct slot *slot = &tracer->slots[tracer->tail & tracer->mask];
    if (atomic_load_explicit(&slot->turn, memory_order_acquire) != tracer->tail + 1)
        return false;
    *ret_span = slot->span;
    atomic_store_explicit(&slot->turn, tracer->tail + tracer->mask + 1, memory_order_release);
    tracer->tail++;
    return true;
}

void vt_tracer_wait(struct vt_tracer *tracer, int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_ms % 1000 * 1000000;
    until.tv_sec += timeout_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)sem_clockwait(&tracer->wake, CLOCK_MONOTONIC, &until); /* woken, late, or interrupted */
}

void vt_tracer_wake(struct vt_tracer *tracer)
{
    sem_post(&tracer->wake);
}

void vt_tracer_count_lost(struct vt_tracer *tracer, uint64_t n)
{
    vt_counter_add(tracer->lost, n);
}
