/*
 * An intrusive queue under one mutex: tasks take milliseconds, so the lock is never what they wait
 * for. The queue holds the submitter's memory, which keeps submitting free of allocation and of the
 * question what to do when there is none. The bound on waiting tasks turns a jam into an error that
 * the caller sees at once.
 */
#include "services/common/base/worker.h"

#include <pthread.h>
#include <stdlib.h>

struct vt_worker_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct vt_worker_task *first, **last; /* under the lock, as all below */
    uint32_t n_queued, max_queued;
    bool stopping;
    unsigned n_threads;
    pthread_t threads[VT_WORKER_THREADS_MAX];
};

/* NULL when the pool stops and nothing is left. */
static struct vt_worker_task *take(struct vt_worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->first == NULL && !pool->stopping)
        pthread_cond_wait(&pool->wake, &pool->lock);
    struct vt_worker_task *task = pool->first;
    if (task != NULL) {
        pool->first = task->next;
        if (pool->first == NULL)
            pool->last = &pool->first;
        pool->n_queued--;
    }
    pthread_mutex_unlock(&pool->lock);
    return task;
}

static void *work(void *ctx)
{
    struct vt_worker_pool *pool = ctx;
    for (struct vt_worker_task *task; (task = take(pool)) != NULL;)
        task->run(task->ctx);
    return NULL;
}

struct vt_err vt_worker_pool_new(unsigned n_threads, uint32_t max_queued,
                                 struct vt_worker_pool **ret_pool)
{
    VT_ASSERT(n_threads >= 1 && n_threads <= VT_WORKER_THREADS_MAX && max_queued >= 1);
    struct vt_worker_pool *pool = calloc(1, sizeof *pool);
    VT_CHECK(pool != NULL, VT_EXHAUSTED, "no memory for the worker pool");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->last = &pool->first;
    pool->max_queued = max_queued;
    for (; pool->n_threads < n_threads; pool->n_threads++) {
        int failed = pthread_create(&pool->threads[pool->n_threads], NULL, work, pool);
        if (failed != 0) {
            vt_worker_pool_free(pool);
            return VT_ERR_SYS(VT_EXHAUSTED, failed, "cannot start a worker thread");
        }
    }
    *ret_pool = pool;
    return vt_ok();
}

void vt_worker_pool_free(struct vt_worker_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct vt_err vt_worker_pool_submit(struct vt_worker_pool *pool, struct vt_worker_task *task)
{
    pthread_mutex_lock(&pool->lock);
    bool room = pool->n_queued < pool->max_queued;
    if (room) {
        task->next = NULL;
        *pool->last = task;
        pool->last = &task->next;
        pool->n_queued++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    VT_CHECK(room, VT_EXHAUSTED, "too much background work is waiting; try again later");
    return vt_ok();
}
