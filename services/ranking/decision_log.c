/*
 * Rings are one producer and one consumer each. A producer is a thread, by an index that it gets at
 * its first record; where there are more threads than rings, two may share one, so a flag of the
 * ring is taken around each record, and who finds it taken drops its own. `head` is published with
 * release after the slot is filled and read with acquire by the writer; `tail` the other way.
 *
 * The writer sleeps on a semaphore that a producer posts only when the writer wants it: it sets
 * `wake_at`, then looks at the rings once more, while producers publish, then look at `wake_at`;
 * both are sequentially consistent, so one of the two sees the other. Once it has written it
 * sleeps for GATHER_MS, or until a ring has GATHER_RECORDS: a thread woken for each answer takes
 * the processor from those who answer. It wakes by itself once a second for files that are too old.
 *
 * A flush counts rounds: what was published before a round began has been written when it is over.
 */
#include "services/ranking/decision_log.h"

#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/base/log.h"
#include "services/common/base/metrics.h"

#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SEGMENTS_PER_KEEP = 24,  /* a file is an hour of a day's log */
    SEGMENTS_PER_SPACE = 16, /* and never more than this share of the space */
    BURST_SHARE = 4,         /* of the space: what may be used at once */
    RECENT_MAX = 4096,       /* customers whose late records are dropped */
    GATHER_MS = 5,
    GATHER_RECORDS = VT_DECISION_SLOTS / 4, /* the rest is room until the writer has a processor */
    CHORE_MS = 1000,
    EXPIRE_CHORES = 60, /* files are looked at once a minute */
    BROKEN_CHORES = 30, /* after a failed write: how long nothing is recorded */
};

enum outcome { WRITTEN, BUSY, SPACE, LARGE, DISK, FORGOTTEN, OUTCOMES };
static const char *const outcome_labels[OUTCOMES] = {
    [WRITTEN] = "outcome=\"written\"",     [BUSY] = "outcome=\"dropped_busy\"",
    [SPACE] = "outcome=\"dropped_space\"", [LARGE] = "outcome=\"dropped_large\"",
    [DISK] = "outcome=\"dropped_disk\"",   [FORGOTTEN] = "outcome=\"dropped_erased\"",
};

struct vt_decision_slot {
    struct vt_decision_frame frame;
    struct ring *ring;
    unsigned char memory[VT_DECISION_FRAME_BYTES + VT_DECISION_BYTES_MAX];
};

struct ring {
    _Alignas(64) atomic_flag taken;
    _Atomic uint32_t head;              /* the producer's */
    _Alignas(64) _Atomic uint32_t tail; /* the writer's */
    struct vt_decision_slot slots[VT_DECISION_SLOTS];
};

struct vt_decision_log {
    struct vt_decision_log_options options;
    char *folder;
    vt_decision_run run;
    struct vt_counter *counters[OUTCOMES];
    struct vt_gauge *bytes_gauge;
    struct ring *rings; /* owned */
    unsigned n_rings;
    atomic_bool admits; /* the budget has something left; relaxed, a hint */
    /* How many records have to wait in a ring for its producer to wake the writer; 0: it is awake.
     */
    _Alignas(64) _Atomic uint32_t wake_at;
    atomic_bool stopping, begin_anew; /* a file: the one at hand is gone */
    sem_t wake;
    pthread_t writer;

    /* The writer's own. */
    int fd; /* -1: no file is open */
    int64_t segment_begin_ms, refilled_ns, chore_ns;
    uint64_t segment_bytes, total_bytes;
    double budget_bytes;
    unsigned n_chores, broken_until; /* in chores */

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t round_over;
    uint64_t n_rounds, wanted_rounds;
    struct {
        uint64_t customer;
        int64_t time_ms;  /* when it was forgotten: answers up to then are dropped */
    } recent[RECENT_MAX]; /* forgotten last, at places modulo RECENT_MAX */
    uint64_t n_recent;
};

/* ---- the hot path ---- */

bool vt_decision_is_sampled(double share, const unsigned char nonce[VT_TOKEN_NONCE_BYTES])
{
    uint64_t halves[2];
    memcpy(halves, nonce, sizeof halves);
    uint64_t z = halves[0] + halves[1] * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53 < share;
}

static struct ring *own_ring(struct vt_decision_log *log)
{
    static _Atomic unsigned n_threads;  /* relaxed: each gets another number */
    static _Thread_local unsigned mine; /* thread + 1 */
    if (mine == 0)
        mine = atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed) + 1;
    return &log->rings[(mine - 1) % log->n_rings];
}

static struct vt_decision_slot *next_slot(struct ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return head - tail < VT_DECISION_SLOTS ? &ring->slots[head % VT_DECISION_SLOTS] : NULL;
}

struct vt_decision_slot *vt_decision_log_begin(struct vt_decision_log *log,
                                               const struct vt_token *token,
                                               struct vt_pack *ret_pack)
{
    if (!vt_decision_is_sampled(log->options.sample, token->nonce))
        return NULL;
    if (!atomic_load_explicit(&log->admits, memory_order_relaxed)) {
        vt_counter_add(log->counters[SPACE], 1);
        return NULL;
    }
    struct ring *ring = own_ring(log);
    if (atomic_flag_test_and_set_explicit(&ring->taken, memory_order_acquire)) {
        vt_counter_add(log->counters[BUSY], 1);
        return NULL;
    }
    struct vt_decision_slot *slot = next_slot(ring);
    if (slot == NULL) {
        atomic_flag_clear_explicit(&ring->taken, memory_order_release);
        vt_counter_add(log->counters[BUSY], 1);
        return NULL;
    }
    slot->ring = ring;
    slot->frame = (struct vt_decision_frame){.time_ms = token->time_ms};
    memcpy(slot->frame.nonce, token->nonce, sizeof slot->frame.nonce);
    vt_pack_init(ret_pack, slot->memory + VT_DECISION_FRAME_BYTES, VT_DECISION_BYTES_MAX);
    return slot;
}

static void wake_writer(struct vt_decision_log *log)
{
    if (atomic_exchange(&log->wake_at, 0) != 0)
        sem_post(&log->wake);
}

static uint32_t n_waiting(const struct ring *ring)
{
    return atomic_load(&ring->head) - atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

static void wake_writer_for(struct vt_decision_log *log, const struct ring *ring)
{
    uint32_t wake_at = atomic_load(&log->wake_at);
    if (wake_at != 0 && n_waiting(ring) >= wake_at)
        wake_writer(log);
}

void vt_decision_log_commit(struct vt_decision_log *log, struct vt_decision_slot *slot,
                            const struct vt_pack *pack, uint64_t customer)
{
    struct ring *ring = slot->ring;
    bool whole = pack != NULL && !pack->full;
    if (whole) {
        slot->frame.len = (uint32_t)vt_pack_len(pack);
        slot->frame.customer = customer;
        atomic_fetch_add(&ring->head, 1); /* sequentially consistent: before `wake_at` is read */
    }
    atomic_flag_clear_explicit(&ring->taken, memory_order_release);
    if (whole)
        wake_writer_for(log, ring);
    else if (pack != NULL)
        vt_counter_add(log->counters[LARGE], 1);
}

/* ---- the writer ---- */

static void refill(struct vt_decision_log *log)
{
    const struct vt_decision_log_options *options = &log->options;
    double burst = (double)options->space_bytes / BURST_SHARE;
    double per_ms = ((double)options->space_bytes - burst) / (double)options->keep_ms;
    int64_t now_ns = vt_clock_monotonic_ns(options->clock);
    log->budget_bytes += per_ms * (double)(now_ns - log->refilled_ns) * 1e-6;
    if (log->budget_bytes > burst)
        log->budget_bytes = burst;
    log->refilled_ns = now_ns;
    bool admits = log->budget_bytes >= VT_DECISION_BYTES_MAX && log->broken_until <= log->n_chores;
    atomic_store_explicit(&log->admits, admits, memory_order_relaxed);
}

static void close_segment(struct vt_decision_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

static struct vt_err begin_segment(struct vt_decision_log *log)
{
    const struct vt_decision_log_options *options = &log->options;
    int64_t now_ms = vt_clock_unix_ms(options->clock);
    bool old = atomic_exchange(&log->begin_anew, false) ||
               now_ms - log->segment_begin_ms >= options->keep_ms / SEGMENTS_PER_KEEP ||
               now_ms < log->segment_begin_ms ||
               log->segment_bytes >= options->space_bytes / SEGMENTS_PER_SPACE;
    if (log->fd >= 0 && !old)
        return vt_ok();
    close_segment(log);
    if (now_ms <= log->segment_begin_ms)
        now_ms = log->segment_begin_ms + 1; /* names are told apart by it */
    log->segment_begin_ms = now_ms;
    log->segment_bytes = 0;
    return vt_decision_file_new(log->folder, log->run, now_ms, NULL, &log->fd);
}

static bool is_forgotten(struct vt_decision_log *log, const struct vt_decision_frame *frame)
{
    bool found = false;
    pthread_mutex_lock(&log->lock);
    uint64_t n = log->n_recent < RECENT_MAX ? log->n_recent : RECENT_MAX;
    for (uint64_t i = 0; frame->customer != 0 && i < n && !found; i++)
        found =
            log->recent[i].customer == frame->customer && frame->time_ms <= log->recent[i].time_ms;
    pthread_mutex_unlock(&log->lock);
    return found;
}

static void write_slot(struct vt_decision_log *log, struct vt_decision_slot *slot)
{
    size_t len = VT_DECISION_FRAME_BYTES + (size_t)slot->frame.len;
    if (is_forgotten(log, &slot->frame)) {
        vt_counter_add(log->counters[FORGOTTEN], 1);
        return;
    }
    struct vt_err err = begin_segment(log);
    if (!vt_failed(err)) {
        vt_decision_frame_write(log->options.key, &slot->frame, slot->memory);
        if (write(log->fd, slot->memory, len) != (ssize_t)len)
            err = VT_ERR(VT_UNAVAILABLE, "a decision cannot be written");
    }
    if (vt_failed(err)) {
        if (log->broken_until <= log->n_chores)
            vt_log_err(VT_LOG_WARN, "decision_log_broken", err, "nothing is recorded for a while");
        close_segment(log); /* half a record ends a file */
        log->broken_until = log->n_chores + BROKEN_CHORES;
        vt_counter_add(log->counters[DISK], 1);
        return;
    }
    log->segment_bytes += len;
    log->total_bytes += len;
    log->budget_bytes -= (double)len;
    vt_counter_add(log->counters[WRITTEN], 1);
}

static bool drain_ring(struct vt_decision_log *log, struct ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint32_t head = atomic_load(&ring->head);
    if (head == tail)
        return false;
    for (; tail != head; tail++) {
        write_slot(log, &ring->slots[tail % VT_DECISION_SLOTS]);
        atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    }
    return true;
}

static bool drain(struct vt_decision_log *log)
{
    bool any = false;
    for (unsigned r = 0; r < log->n_rings; r++)
        any = drain_ring(log, &log->rings[r]) || any;
    return any;
}

static void expire(struct vt_decision_log *log)
{
    const struct vt_decision_log_options *options = &log->options;
    int64_t kept_ms = options->keep_ms + options->keep_ms / SEGMENTS_PER_KEEP;
    struct vt_diag diag = {0};
    struct vt_err err = vt_decision_files_expire(
        log->folder, vt_clock_unix_ms(options->clock) - kept_ms, &diag, &log->total_bytes);
    if (vt_failed(err))
        vt_log_err(VT_LOG_WARN, "decision_log_expiry_failed", err, diag.text);
}

static void do_chores(struct vt_decision_log *log)
{
    int64_t now_ns = vt_clock_monotonic_ns(log->options.clock);
    if (now_ns - log->chore_ns >= CHORE_MS * INT64_C(1000000)) {
        log->chore_ns = now_ns;
        if (++log->n_chores % EXPIRE_CHORES == 0)
            expire(log);
        vt_gauge_set(log->bytes_gauge, (double)log->total_bytes);
    }
    refill(log);
}

static void end_round(struct vt_decision_log *log)
{
    pthread_mutex_lock(&log->lock);
    log->n_rounds++;
    pthread_cond_broadcast(&log->round_over);
    pthread_mutex_unlock(&log->lock);
}

/* Somebody waits for a round to end. */
static bool is_awaited(struct vt_decision_log *log)
{
    pthread_mutex_lock(&log->lock);
    bool awaited = log->n_rounds < log->wanted_rounds;
    pthread_mutex_unlock(&log->lock);
    return awaited;
}

static bool has_waiting(const struct vt_decision_log *log, uint32_t n_records)
{
    for (unsigned r = 0; r < log->n_rings; r++)
        if (n_waiting(&log->rings[r]) >= n_records)
            return true;
    return false;
}

/* Until a ring has so many records, somebody wakes the writer, or the time is over. */
static void sleep_until(struct vt_decision_log *log, uint32_t n_records, int64_t most_ms)
{
    struct timespec until;
    atomic_store(&log->wake_at, n_records);
    if (!has_waiting(log, n_records) && !is_awaited(log) && !atomic_load(&log->stopping)) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t end_ns = until.tv_nsec + most_ms * 1000000;
        until.tv_sec += end_ns / 1000000000;
        until.tv_nsec = end_ns % 1000000000;
        (void)sem_clockwait(&log->wake, CLOCK_MONOTONIC, &until);
    }
    atomic_store(&log->wake_at, 0);
}

static void *write_on(void *ctx)
{
    struct vt_decision_log *log = ctx;
    for (;;) {
        bool stopping = atomic_load(&log->stopping);
        bool any = drain(log);
        do_chores(log);
        end_round(log);
        if (stopping && !any)
            return NULL;
        if (any)
            sleep_until(log, GATHER_RECORDS, GATHER_MS);
        else
            sleep_until(log, 1, CHORE_MS);
    }
}

/* Returns when all that was committed before is written. */
static void flush(struct vt_decision_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t wanted = log->n_rounds + 2; /* the one under way may have passed the ring already */
    if (log->wanted_rounds < wanted)
        log->wanted_rounds = wanted;
    pthread_mutex_unlock(&log->lock);
    wake_writer(log);
    pthread_mutex_lock(&log->lock);
    while (log->n_rounds < wanted)
        pthread_cond_wait(&log->round_over, &log->lock);
    pthread_mutex_unlock(&log->lock);
}

/* ---- life cycle ---- */

static void register_metrics(struct vt_decision_log *log)
{
    for (int o = 0; o < OUTCOMES; o++)
        log->counters[o] = vt_metrics_counter(log->options.metrics, "vitrine_decisions_total",
                                              "Sampled answers, by what became of their records.",
                                              outcome_labels[o]);
    log->bytes_gauge = vt_metrics_gauge(log->options.metrics, "vitrine_decision_log_bytes",
                                        "Bytes of the decision log's files.", "");
}

static struct vt_err allocate(const struct vt_decision_log_options *options,
                              struct vt_decision_log **ret_log)
{
    struct vt_decision_log *log = aligned_alloc(_Alignof(struct vt_decision_log), sizeof *log);
    VT_CHECK(log != NULL, VT_EXHAUSTED, "no memory for the decision log");
    memset(log, 0, sizeof *log);
    log->options = *options;
    log->fd = -1;
    log->n_rings = options->n_threads < 1 ? 1 : options->n_threads;
    if (log->n_rings > VT_DECISION_THREADS_MAX)
        log->n_rings = VT_DECISION_THREADS_MAX;
    log->folder = strdup(options->folder);
    log->rings = aligned_alloc(_Alignof(struct ring), log->n_rings * sizeof *log->rings);
    if (log->folder == NULL || log->rings == NULL) {
        free(log->folder);
        free(log->rings);
        free(log);
        return VT_ERR(VT_EXHAUSTED, "no memory for the decision log's rings");
    }
    for (unsigned r = 0; r < log->n_rings; r++) { /* slots are written before they are read */
        atomic_flag_clear(&log->rings[r].taken);
        atomic_init(&log->rings[r].head, 0);
        atomic_init(&log->rings[r].tail, 0);
    }
    *ret_log = log;
    return vt_ok();
}

static void release(struct vt_decision_log *log)
{
    pthread_cond_destroy(&log->round_over);
    pthread_mutex_destroy(&log->lock);
    sem_destroy(&log->wake);
    close_segment(log);
    free(log->rings);
    free(log->folder);
    sodium_memzero(log->options.key, sizeof log->options.key);
    free(log);
}

static void init_state(struct vt_decision_log *log)
{
    randombytes_buf(log->run, sizeof log->run);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->round_over, NULL);
    sem_init(&log->wake, 0, 0);
    register_metrics(log);
    log->refilled_ns = log->chore_ns = vt_clock_monotonic_ns(log->options.clock);
}

static struct vt_err begin(struct vt_decision_log *log, struct vt_diag *diag)
{
    const struct vt_decision_log_options *options = &log->options;
    int64_t kept_ms = options->keep_ms + options->keep_ms / SEGMENTS_PER_KEEP;
    VT_TRY(vt_folder_create(log->folder, diag));
    VT_TRY(vt_decision_files_expire(log->folder, vt_clock_unix_ms(options->clock) - kept_ms, diag,
                                    &log->total_bytes));
    log->budget_bytes = (double)options->space_bytes - (double)log->total_bytes;
    refill(log);
    int status = pthread_create(&log->writer, NULL, write_on, log);
    if (status != 0)
        return VT_ERR_SYS(VT_EXHAUSTED, status, "no thread for the decision log");
    return vt_ok();
}

struct vt_err vt_decision_log_open(const struct vt_decision_log_options *options,
                                   struct vt_diag *diag, struct vt_decision_log **ret_log)
{
    struct vt_decision_log *log = NULL;
    VT_CHECK(sodium_init() >= 0, VT_INTERNAL, "libsodium does not start");
    VT_CHECK(options->space_bytes >= VT_DECISION_SPACE_MIN && options->keep_ms > 0, VT_INVALID,
             "a decision log has at least 4 MiB and keeps for some time");
    VT_TRY(allocate(options, &log));
    init_state(log);
    struct vt_err err = begin(log, diag);
    if (vt_failed(err))
        release(log);
    else
        *ret_log = log;
    return err;
}

void vt_decision_log_close(struct vt_decision_log *log)
{
    if (log == NULL)
        return;
    atomic_store(&log->stopping, true);
    wake_writer(log);
    sem_post(&log->wake);
    pthread_join(log->writer, NULL);
    release(log);
}

const unsigned char *vt_decision_log_run(const struct vt_decision_log *log)
{
    return log->run;
}

/* ---- those who ask ---- */

struct vt_err vt_decision_log_find(struct vt_decision_log *log, const struct vt_token *token,
                                   struct vt_arena *arena, struct vt_slice *ret_record)
{
    const struct vt_decision_log_options *options = &log->options;
    enum vt_decision_search search;
    int64_t age_ms = vt_clock_unix_ms(options->clock) - token->time_ms;
    VT_CHECK(age_ms <= options->keep_ms, VT_NOT_FOUND,
             "expired: the answer is older than the decision log keeps (--decision-keep)");
    flush(log);
    VT_TRY(vt_decision_files_find(log->folder, options->key, token, arena, &search, ret_record));
    VT_CHECK(search != VT_DECISION_ERASED, VT_NOT_FOUND,
             "erased: the customer of this answer was erased, and its record with them");
    if (search == VT_DECISION_FOUND)
        return vt_ok();
    VT_CHECK(vt_decision_is_sampled(options->sample, token->nonce), VT_NOT_FOUND,
             "not sampled: the answer is not of the share that is recorded (--decision-sample)");
    VT_CHECK(search != VT_DECISION_NO_RUN || memcmp(token->nonce, log->run, sizeof log->run) == 0,
             VT_NOT_FOUND,
             "not here: another replica made this answer, or RecommendAll, which records none");
    return VT_ERR(VT_NOT_FOUND, "not kept: its record was dropped when it was made, "
                                "vitrine_decisions_total says why");
}

static void remember(struct vt_decision_log *log, const uint64_t *customers, size_t n)
{
    int64_t now_ms = vt_clock_unix_ms(log->options.clock);
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < n; i++, log->n_recent++) {
        log->recent[log->n_recent % RECENT_MAX].customer = customers[i];
        log->recent[log->n_recent % RECENT_MAX].time_ms = now_ms;
    }
    pthread_mutex_unlock(&log->lock);
}

struct vt_err vt_decision_log_forget(struct vt_decision_log *log, const uint64_t *customers,
                                     size_t n, struct vt_diag *diag, uint64_t *ret_n_records)
{
    remember(log, customers, n);
    flush(log);
    return vt_decision_files_forget(log->folder, log->options.key, customers, n, diag,
                                    ret_n_records);
}

struct vt_err vt_decision_log_forget_all(struct vt_decision_log *log, struct vt_diag *diag)
{
    uint64_t left;
    flush(log);
    atomic_store(&log->begin_anew, true);
    return vt_decision_files_expire(log->folder, INT64_MAX, diag, &left);
}
