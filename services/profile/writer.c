/*
 * The writer: one thread that owns numbering, the batch and all caches, so that none of them needs
 * a lock. Callers leave a job in a bounded queue and go on; the writer takes what has gathered,
 * makes one batch of it, fsyncs once, marks the sequence as acknowledged, tells the followers and
 * then each caller. While it waits for the disk the next group gathers: the slower the fsync, the
 * larger the group.
 *
 * A group is a run of event jobs (up to VT__GROUP_EVENTS_MAX events) or one other job, so that
 * every lookup in the store sees all that was written before it.
 *
 * When a write fails, or a job fails half-way, the writer's memory (numbers given, caches) may be
 * ahead of the disk. It then refuses everything until it has opened the store again and read its
 * memory back (recovery.c), which it tries between groups; reads go on.
 */
#include "services/profile/acked.h"
#include "services/profile/profile_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

/* ---- what jobs do to the batch ---- */

void vt__put(struct vt_profile *profile, enum vt__family family, struct vt__key key)
{
    vt_store_batch_put(profile->batch, family, vt__key_slice(&key),
                       vt__buffer_slice(&profile->value));
    profile->value.len = 0;
}

void vt__merge(struct vt_profile *profile, enum vt__family family, struct vt__key key)
{
    vt_store_batch_merge(profile->batch, family, vt__key_slice(&key),
                         vt__buffer_slice(&profile->value));
    profile->value.len = 0;
}

static struct vt_err reserve_pending(struct vt_profile *profile)
{
    if (profile->n_pending < profile->pending_capacity)
        return vt_ok();
    uint32_t capacity = profile->pending_capacity != 0 ? profile->pending_capacity * 2 : 256;
    struct vt__ring_entry *pending = realloc(profile->pending, capacity * sizeof *pending);
    VT_CHECK(pending != NULL, VT_EXHAUSTED, "out of memory");
    profile->pending = pending;
    profile->pending_capacity = capacity;
    return vt_ok();
}

struct vt_err vt__add_change(struct vt_profile *profile, enum vt_change_kind kind, uint32_t item)
{
    VT_TRY(reserve_pending(profile));
    struct vt__change_record change = {kind, item};
    profile->pending[profile->n_pending++] = (struct vt__ring_entry){0, change};
    return vt_ok();
}

struct vt_err vt__number_item(struct vt_profile *profile, struct vt_slice id, uint32_t *ret_number,
                              bool *ret_is_new)
{
    uint32_t number = vt__id_map_find(&profile->items, id);
    *ret_is_new = number == 0;
    if (number == 0) {
        VT_CHECK(profile->state.next_item != UINT32_MAX, VT_EXHAUSTED, "item numbers are used up");
        number = profile->state.next_item;
        VT_TRY(vt__feed_reserve(&profile->feed, number));
        VT_TRY(vt__id_map_add(&profile->items, id, number));
        profile->state.next_item++;
        vt__number_encode(number, &profile->value);
        struct vt__key key = {.len = (uint16_t)id.len};
        memcpy(key.bytes, id.data, id.len);
        vt__put(profile, VT__ITEM_IDS, key);
    }
    *ret_number = number;
    return vt_ok();
}

/* ---- one commit ---- */

/* Changes take their sequences last, so that the rows of a log block are contiguous. */
static void put_changes(struct vt_profile *profile)
{
    for (uint32_t i = 0; i < profile->n_pending; i++) {
        profile->pending[i].sequence = ++profile->state.sequence;
        vt__change_encode(&profile->pending[i].change, &profile->value);
        vt__put(profile, VT__CHANGES, vt__key_change(profile->pending[i].sequence));
    }
    profile->changes_since_trim += profile->n_pending;
    if (profile->changes_since_trim < VT__RING_CHANGES)
        return;
    /* Older changes than the ring holds are never read again: a reader gets a snapshot. */
    struct vt__key first = vt__key_change(0), end = vt__key_change(profile->feed.floor);
    vt_store_batch_delete_range(profile->batch, VT__CHANGES, vt__key_slice(&first),
                                vt__key_slice(&end));
    profile->changes_since_trim = 0;
}

static struct vt_err write_batch(struct vt_profile *profile)
{
    vt__state_encode(&profile->state, &profile->value);
    vt__put(profile, VT__STATE, vt__key_state());
    VT_CHECK(!profile->value.failed, VT_EXHAUSTED, "out of memory");
    int64_t start_ns = vt_clock_monotonic_ns(vt_clock_system());
    VT_TRY(vt_store_write(profile->store, profile->batch, &profile->recovery.diag));
    vt_histogram_observe(profile->fsync_seconds,
                         (double)(vt_clock_monotonic_ns(vt_clock_system()) - start_ns) /
                             (double)NS_PER_S);
    vt_counter_add(profile->n_fsyncs, 1);
    return vt__acked_write(profile->acked_fd, profile->state.sequence);
}

static struct vt_err commit(struct vt_profile *profile, uint64_t sequence_before)
{
    struct vt_err err = vt__group_finish(profile);
    if (!vt_failed(err)) {
        put_changes(profile);
        /* Nothing but duplicates, or nothing changed: there is nothing to make durable. */
        if (profile->state.sequence != sequence_before)
            err = write_batch(profile);
    }
    if (vt_failed(err))
        vt__recovery_begin(profile, err);
    else
        vt__feed_publish(profile);
    vt__space_look(profile);
    return err;
}

static void reset_commit(struct vt_profile *profile)
{
    vt_store_batch_clear(profile->batch);
    vt__group_clear(profile->group);
    vt_arena_reset(&profile->arena);
    profile->value.len = 0;
    profile->n_pending = 0;
}

static void finish_jobs(struct vt__job *jobs, struct vt_err err)
{
    while (jobs != NULL) {
        struct vt__job *next = jobs->next; /* `done` ends the request that holds the job */
        jobs->write.done(jobs->write.ctx, vt_failed(jobs->err) ? jobs->err : err);
        jobs = next;
    }
}

static struct vt_err refuse_broken(void)
{
    return VT_ERR(VT_UNAVAILABLE, "the store failed in writing: try again in a second");
}

/* Of a job that was refused before it wrote anything nothing is left. One that failed after that
 * has numbered what its batch will now never tell the disk. */
static void give_up(struct vt_profile *profile, struct vt_err err)
{
    if (!vt_store_batch_is_empty(profile->batch))
        vt__recovery_begin(profile, err);
    reset_commit(profile);
}

static void run_group(struct vt_profile *profile, struct vt__job *jobs)
{
    if (vt__recovery_is_broken(profile)) {
        finish_jobs(jobs, refuse_broken());
        return;
    }
    uint64_t before = profile->state.sequence;
    struct vt_err fatal = vt_ok();
    vt_store_batch_begin(profile->batch); /* jobs put rows while they iterate */
    for (struct vt__job *job = jobs; job != NULL && !vt_failed(fatal); job = job->next) {
        if (job->apply != NULL)
            job->err = job->apply(profile, job);
        else
            fatal = vt__group_add(profile, job);
        if (vt_failed(job->err))
            give_up(profile, job->err); /* alone in its group */
    }
    if (vt_failed(fatal))
        vt__recovery_begin(profile, fatal);
    else
        fatal = commit(profile, before);
    reset_commit(profile);
    finish_jobs(jobs, fatal);
}

/* ---- the queue ---- */

/* All of this section under the lock. */

static void append(struct vt__job_list *list, struct vt__job *job)
{
    *(list->first != NULL ? &list->last->next : &list->first) = job;
    list->last = job;
}

static void enqueue(struct vt_profile *profile, struct vt__job *job)
{
    append(&profile->queue, job);
    profile->queued += job->n;
    vt_gauge_set(profile->queue_gauge, profile->queued);
}

/* Who cannot wait may use the whole queue; who can, three quarters, or all of an empty one. */
static bool has_room(const struct vt_profile *profile, const struct vt__job *job)
{
    uint32_t max = profile->queue_events_max;
    uint32_t usable = job->may_wait ? max - max / 4 : max;
    bool fits = profile->queued < usable && job->n <= usable - profile->queued;
    return fits || (job->may_wait && profile->queued == 0);
}

/* Room has come. */
static void admit_waiting(struct vt_profile *profile)
{
    struct vt__job_list *waiting = &profile->waiting;
    while (waiting->first != NULL && has_room(profile, waiting->first)) {
        struct vt__job *job = waiting->first;
        waiting->first = job->next;
        job->next = NULL;
        enqueue(profile, job);
    }
}

/* Cuts a group off the queue's head. */
static struct vt__job *take_group(struct vt_profile *profile)
{
    struct vt__job *jobs = profile->queue.first, *end = jobs;
    uint32_t n = jobs->n;
    while (jobs->apply == NULL && end->next != NULL && end->next->apply == NULL &&
           n + end->next->n <= VT__GROUP_EVENTS_MAX) {
        end = end->next;
        n += end->n;
    }
    profile->queue.first = end->next;
    end->next = NULL;
    profile->queued -= n;
    admit_waiting(profile);
    vt_gauge_set(profile->queue_gauge, profile->queued);
    vt_histogram_observe(profile->group_size, n);
    return jobs;
}

static int64_t sooner(int64_t a_ns, int64_t b_ns)
{
    if (a_ns < 0 || b_ns < 0)
        return a_ns < 0 ? b_ns : a_ns;
    return a_ns < b_ns ? a_ns : b_ns;
}

/* Waits for a job, for counts or a recovery that are due, or for the end. */
static void wait_for_work(struct vt_profile *profile)
{
    int64_t due_ns = sooner(vt__feed_due_ns(profile), vt__recovery_due_ns(profile));
    if (due_ns < 0) {
        pthread_cond_wait(&profile->wake, &profile->lock);
        return;
    }
    int64_t until_ns = vt_clock_monotonic_ns(vt_clock_system()) + due_ns;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    pthread_cond_timedwait(&profile->wake, &profile->lock, &until);
}

static void *writer_main(void *context)
{
    struct vt_profile *profile = context;
    pthread_mutex_lock(&profile->lock);
    while (profile->queue.first != NULL || !profile->stopping) {
        if (profile->queue.first == NULL)
            wait_for_work(profile);
        struct vt__job *jobs = profile->queue.first != NULL ? take_group(profile) : NULL;
        pthread_mutex_unlock(&profile->lock);
        if (jobs != NULL)
            run_group(profile, jobs);
        vt__recovery_try(profile);
        vt__feed_tell_counts(profile);
        pthread_mutex_lock(&profile->lock);
    }
    pthread_mutex_unlock(&profile->lock);
    return NULL;
}

static void submit(struct vt_profile *profile, const struct vt__job *job)
{
    struct vt__job *queued = vt_arena_alloc(job->write.request->arena, sizeof *queued);
    if (queued == NULL) {
        job->write.done(job->write.ctx,
                        VT_ERR(VT_EXHAUSTED, "the call's memory is used up: send less"));
        return;
    }
    *queued = *job;
    pthread_mutex_lock(&profile->lock);
    bool open = profile->writer_started && !profile->stopping;
    bool in_turn = !job->may_wait || profile->waiting.first == NULL;
    bool room = has_room(profile, job) && in_turn;
    if (open && room)
        enqueue(profile, queued);
    else if (open && job->may_wait)
        append(&profile->waiting, queued);
    pthread_cond_signal(&profile->wake);
    pthread_mutex_unlock(&profile->lock);
    if (open && !room)
        vt_counter_add(job->may_wait ? profile->n_full_waited : profile->n_full_refused, 1);
    if (!open)
        job->write.done(job->write.ctx,
                        VT_ERR(VT_PRECONDITION, "this store is open for reading only"));
    else if (!room && !job->may_wait)
        job->write.done(job->write.ctx,
                        VT_ERR(VT_EXHAUSTED, "the write queue is full: try again later"));
}

void vt__writer_submit(struct vt_profile *profile, const struct vt__job *job)
{
    struct vt_err err = vt__space_check(profile, job->write.request->diag);
    if (vt_failed(err))
        job->write.done(job->write.ctx, err);
    else
        submit(profile, job);
}

/* ---- jobs of our own: not refused when space is low, they make room ---- */

struct own_job {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool done;
    struct vt_err err;
};

static void own_job_done(void *ctx, struct vt_err err)
{
    struct own_job *own = ctx;
    pthread_mutex_lock(&own->lock);
    own->err = err;
    own->done = true;
    pthread_cond_signal(&own->finished);
    pthread_mutex_unlock(&own->lock);
}

struct vt_err vt__writer_run(struct vt_profile *profile,
                             struct vt_err (*apply)(struct vt_profile *profile,
                                                    struct vt__job *job),
                             const void *input, void *result)
{
    unsigned char memory[2 * sizeof(struct vt__job)];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    struct vt_request request = {.arena = &arena, .deadline_ns = INT64_MAX};
    struct own_job own = {.err = vt_ok()};
    pthread_mutex_init(&own.lock, NULL);
    pthread_cond_init(&own.finished, NULL);
    submit(profile, &(struct vt__job){
                        .apply = apply,
                        .n = 1,
                        .write = {.request = &request, .done = own_job_done, .ctx = &own},
                        .input = input,
                        .result = result,
                    });
    pthread_mutex_lock(&own.lock);
    while (!own.done)
        pthread_cond_wait(&own.finished, &own.lock);
    pthread_mutex_unlock(&own.lock);
    pthread_cond_destroy(&own.finished);
    pthread_mutex_destroy(&own.lock);
    return own.err;
}

struct vt_err vt__writer_start(struct vt_profile *profile)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&profile->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int sys = pthread_create(&profile->writer, NULL, writer_main, profile);
    if (sys != 0)
        return VT_ERR_SYS(VT_EXHAUSTED, sys, "cannot start the writer thread");
    profile->writer_started = true;
    return vt_ok();
}

void vt__writer_stop(struct vt_profile *profile)
{
    if (!profile->writer_started)
        return;
    pthread_mutex_lock(&profile->lock);
    profile->stopping = true;
    pthread_cond_signal(&profile->wake);
    pthread_mutex_unlock(&profile->lock);
    pthread_join(profile->writer, NULL);
    pthread_cond_destroy(&profile->wake);
}
