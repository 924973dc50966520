/*
 * Asking is idempotent, so where to go on is only a hint: each answer brings the time of the
 * service that gave it, and the next question begins a minute before that, for commits that were
 * under way.
 */
#include "services/profile/forgotten.h"

#include "services/common/base/log.h"
#include "services/profile/wire_rights.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIST_FORGOTTEN "/vitrine.v1.ProfileService/ListForgotten"

enum { POLL_MS = 2000, OVERLAP_MS = 60 * 1000, ARENA_BYTES = 2 << 20 };

struct vt_forgotten_follow {
    struct vt_forgotten_options options;
    struct vt_arena arena;
    int64_t since_ms;
    uint64_t told[VT_FORGOTTEN_MAX]; /* the last that were forgotten: they overlap */
    uint32_t n_told;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;                /* under the lock */
    struct vt_rpc_stream *stream; /* under the lock; NULL between calls */
};

/* Makes the call known to _stop; false when that was called already. */
static bool publish(struct vt_forgotten_follow *follow, struct vt_rpc_stream *stream)
{
    pthread_mutex_lock(&follow->lock);
    follow->stream = stream;
    bool go_on = !follow->stopping;
    pthread_mutex_unlock(&follow->lock);
    return go_on;
}

/* One message is what a unary call answers with. */
static struct vt_err ask_remote(struct vt_forgotten_follow *follow,
                                struct vt_wire_forgotten *ret_forgotten)
{
    struct vt_rpc_stream *stream = NULL;
    struct vt_slice body = {0};
    bool ended = false;
    VT_TRY(vt_wire_forgotten_request_encode(follow->since_ms, &follow->arena, &body));
    VT_TRY(vt_rpc_stream_open(follow->options.channel, LIST_FORGOTTEN, body, &stream));
    struct vt_err err = VT_ERR(VT_CANCELLED, "stopping");
    if (publish(follow, stream))
        err = vt_rpc_stream_next(stream, &follow->arena, &body, &ended);
    (void)publish(follow, NULL);
    vt_rpc_stream_free(stream);
    VT_TRY(err);
    VT_CHECK(!ended, VT_UNAVAILABLE, "the profile service said nothing");
    return vt_wire_forgotten_decode(body, &follow->arena, ret_forgotten);
}

static struct vt_err ask_local(struct vt_forgotten_follow *follow,
                               struct vt_wire_forgotten *ret_forgotten)
{
    struct vt_wire_forgotten forgotten = {.time_ms = vt_clock_unix_ms(vt_clock_system())};
    forgotten.numbers = vt_arena_array(&follow->arena, VT_FORGOTTEN_MAX, sizeof *forgotten.numbers);
    VT_CHECK(forgotten.numbers != NULL, VT_EXHAUSTED, "no memory to list the forgotten");
    VT_TRY(vt_profile_list_forgotten(follow->options.profile, follow->since_ms, VT_FORGOTTEN_MAX,
                                     forgotten.numbers, &forgotten.n, &forgotten.more));
    *ret_forgotten = forgotten;
    return vt_ok();
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Whether there is nobody beside those of the last time. */
static bool is_told(const struct vt_forgotten_follow *follow,
                    const struct vt_wire_forgotten *forgotten)
{
    uint32_t t = 0;
    for (uint32_t i = 0; i < forgotten->n; i++) {
        while (t < follow->n_told && follow->told[t] < forgotten->numbers[i])
            t++;
        if (t == follow->n_told || follow->told[t] != forgotten->numbers[i])
            return false;
    }
    return !forgotten->more;
}

static struct vt_err ask(struct vt_forgotten_follow *follow)
{
    const struct vt_forgotten_options *options = &follow->options;
    struct vt_wire_forgotten forgotten;
    vt_arena_reset(&follow->arena);
    VT_TRY(options->profile != NULL ? ask_local(follow, &forgotten)
                                    : ask_remote(follow, &forgotten));
    if (forgotten.n > 0)
        qsort(forgotten.numbers, forgotten.n, sizeof forgotten.numbers[0], compare_numbers);
    if (!is_told(follow, &forgotten))
        VT_CHECK(options->forget(options->ctx, forgotten.numbers, forgotten.n, forgotten.more),
                 VT_UNAVAILABLE, "what is kept about forgotten customers could not be erased");
    follow->n_told = forgotten.n;
    if (forgotten.n > 0)
        memcpy(follow->told, forgotten.numbers, forgotten.n * sizeof follow->told[0]);
    follow->since_ms = forgotten.time_ms - OVERLAP_MS;
    return vt_ok();
}

/* False when it is time to stop. */
static bool rest(struct vt_forgotten_follow *follow)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += POLL_MS / 1000;
    pthread_mutex_lock(&follow->lock);
    int status = 0;
    while (!follow->stopping && status == 0)
        status = pthread_cond_timedwait(&follow->stop, &follow->lock, &until);
    bool go_on = !follow->stopping;
    pthread_mutex_unlock(&follow->lock);
    return go_on;
}

static void *run(void *ctx)
{
    struct vt_forgotten_follow *follow = ctx;
    bool broken = false;
    do {
        struct vt_err err = ask(follow);
        if (vt_failed(err) && err.code != VT_CANCELLED && !broken)
            vt_log_err(VT_LOG_WARN, "forgotten_not_known", err, "asking again");
        broken = vt_failed(err);
    } while (rest(follow));
    return NULL;
}

static void init_sync(struct vt_forgotten_follow *follow)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&follow->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&follow->lock, NULL);
}

static void release(struct vt_forgotten_follow *follow)
{
    pthread_cond_destroy(&follow->stop);
    pthread_mutex_destroy(&follow->lock);
    vt_arena_fini(&follow->arena);
    free(follow);
}

struct vt_err vt_forgotten_follow_start(const struct vt_forgotten_options *options,
                                        struct vt_forgotten_follow **ret_follow)
{
    struct vt_forgotten_follow *follow = calloc(1, sizeof *follow);
    if (follow == NULL || !vt_arena_init_owned(&follow->arena, ARENA_BYTES)) {
        free(follow);
        return VT_ERR(VT_EXHAUSTED, "no memory to follow who is forgotten");
    }
    follow->options = *options;
    follow->since_ms = options->since_ms;
    init_sync(follow);
    int status = pthread_create(&follow->thread, NULL, run, follow);
    if (status != 0) {
        release(follow);
        return VT_ERR_SYS(VT_EXHAUSTED, status, "no thread to follow who is forgotten");
    }
    *ret_follow = follow;
    return vt_ok();
}

void vt_forgotten_follow_stop(struct vt_forgotten_follow *follow)
{
    if (follow == NULL)
        return;
    pthread_mutex_lock(&follow->lock);
    follow->stopping = true;
    if (follow->stream != NULL)
        vt_rpc_stream_cancel(follow->stream);
    pthread_cond_signal(&follow->stop);
    pthread_mutex_unlock(&follow->lock);
    pthread_join(follow->thread, NULL);
    release(follow);
}
