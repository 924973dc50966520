/*
 * One thread, because chores are rare and must never compete with serving for the disk. It sleeps
 * until the next one is due. Every chore's next time counts from its last end, so that one that
 * takes long is not run back to back.
 */
#include "services/profile/chores.h"

#include "services/common/base/log.h"
#include "services/profile/ageing.h"
#include "services/profile/erase.h"
#include "services/profile/log_tail.h"
#include "services/profile/profile_internal.h"
#include "services/profile/watchers.h"

#include <stdlib.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static const struct vt__chore chore_table[] = {
    {"mark", "mark_sync_failed", VT__MARK_SYNC_MS, vt__mark_sync},
    {"free_space", "free_space_failed", VT__SPACE_LOOK_MS, vt__space_chore},
    {"seen_filter", "seen_filter_failed", VT__SEEN_FILTER_TEND_MS, vt__seen_filter_tend},
    {"watchers", "watchers_failed", VT__WATCHERS_EVERY_MS, vt__watchers_chore},
    {"erasure", "erasure_failed", VT__ERASE_CHORE_MS, vt__erase_chore},
    {"visitors", "visitor_expiry_failed", VT__VISITORS_EVERY_MS, vt__expire_visitors},
    {"retention", "event_retention_failed", VT__RETENTION_EVERY_MS, vt__retain_events},
    {.name = NULL}, /* ends the table */
};
enum { TABLE_LEN = sizeof chore_table / sizeof chore_table[0] };

struct vt__chores {
    struct vt_profile *profile; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stopping;      /* set under the lock; relaxed reads are a hint */
    int64_t due_ns[TABLE_LEN]; /* CLOCK_MONOTONIC; the thread's */
};

static size_t next_chore(const struct vt__chores *chores)
{
    size_t next = 0;
    for (size_t i = 0; chore_table[i].name != NULL; i++)
        if (chores->due_ns[i] < chores->due_ns[next])
            next = i;
    return next;
}

/* Sleeps until then, or until the end: false. */
static bool wait_until(struct vt__chores *chores, int64_t due_ns)
{
    struct timespec due = {.tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S};
    pthread_mutex_lock(&chores->lock);
    while (!chores->stopping && vt_clock_monotonic_ns(vt_clock_system()) < due_ns)
        pthread_cond_timedwait(&chores->wake, &chores->lock, &due);
    bool go_on = !chores->stopping;
    pthread_mutex_unlock(&chores->lock);
    return go_on;
}

static void *chores_main(void *ctx)
{
    struct vt__chores *chores = ctx;
    for (;;) {
        size_t next = next_chore(chores);
        const struct vt__chore *chore = &chore_table[next];
        if (chore->name == NULL || !wait_until(chores, chores->due_ns[next]))
            return NULL;
        struct vt_err err = chore->run(chores->profile);
        if (vt_failed(err) && !vt__chores_stopping(chores))
            vt_log_err(VT_LOG_WARN, chore->error_name, err, "it is tried again when it is due");
        chores->due_ns[next] =
            vt_clock_monotonic_ns(vt_clock_system()) + chore->every_ms * NS_PER_MS;
    }
}

static struct vt_err start_thread(struct vt__chores *chores)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&chores->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&chores->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int sys = pthread_create(&chores->thread, NULL, chores_main, chores);
    if (sys == 0)
        return vt_ok();
    pthread_cond_destroy(&chores->wake);
    pthread_mutex_destroy(&chores->lock);
    return VT_ERR_SYS(VT_EXHAUSTED, sys, "cannot start the thread of chores");
}

struct vt_err vt__chores_start(struct vt_profile *profile, struct vt__chores **ret_chores)
{
    struct vt__chores *chores = calloc(1, sizeof *chores);
    VT_CHECK(chores != NULL, VT_EXHAUSTED, "out of memory");
    chores->profile = profile;
    int64_t now_ns = vt_clock_monotonic_ns(vt_clock_system());
    for (size_t i = 0; chore_table[i].name != NULL; i++)
        chores->due_ns[i] = now_ns + chore_table[i].every_ms * NS_PER_MS;
    struct vt_err err = start_thread(chores);
    if (vt_failed(err)) {
        free(chores);
        return err;
    }
    *ret_chores = chores;
    return vt_ok();
}

void vt__chores_stop(struct vt__chores *chores)
{
    if (chores == NULL)
        return;
    pthread_mutex_lock(&chores->lock);
    chores->stopping = true;
    pthread_cond_signal(&chores->wake);
    pthread_mutex_unlock(&chores->lock);
    pthread_join(chores->thread, NULL);
    pthread_cond_destroy(&chores->wake);
    pthread_mutex_destroy(&chores->lock);
    free(chores);
}

bool vt__chores_stopping(const struct vt__chores *chores)
{
    return atomic_load_explicit(&chores->stopping, memory_order_relaxed);
}
