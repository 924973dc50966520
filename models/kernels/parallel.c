/*
 * Fork and join over fixed blocks: the one way in which training and evaluation use threads. What a
 * block computes never depends on who computes it, which is why any thread count gives the same
 * bytes. Threads are made for each call: tens of microseconds against work of many milliseconds.
 */
#include "models/kernels/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct shared {
    vt_block_fn fn;
    void *ctx;
    uint32_t n_blocks;
    atomic_uint next; /* relaxed: hands out numbers; pthread_join orders the results */
};

struct worker {
    struct shared *shared;
    uint32_t thread;
    pthread_t id;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct shared *shared = worker->shared;
    for (;;) {
        uint32_t block = atomic_fetch_add_explicit(&shared->next, 1, memory_order_relaxed);
        if (block >= shared->n_blocks)
            return NULL;
        shared->fn(shared->ctx, block, worker->thread);
    }
}

void vt_parallel(uint32_t n_blocks, uint32_t n_threads, vt_block_fn fn, void *ctx)
{
    struct shared shared = {.fn = fn, .ctx = ctx, .n_blocks = n_blocks};
    struct worker workers[VT_THREADS_MAX];
    uint32_t n_wanted = n_threads < VT_THREADS_MAX ? n_threads : VT_THREADS_MAX;
    uint32_t n_started = 1; /* workers[0] is this thread */
    if (n_wanted > n_blocks)
        n_wanted = n_blocks;
    for (uint32_t t = 1; t < n_wanted; t++, n_started++) {
        workers[t] = (struct worker){.shared = &shared, .thread = t};
        if (pthread_create(&workers[t].id, NULL, work, &workers[t]) != 0)
            break;
    }
    workers[0] = (struct worker){.shared = &shared, .thread = 0};
    work(&workers[0]);
    for (uint32_t t = 1; t < n_started; t++)
        pthread_join(workers[t].id, NULL);
}

uint32_t vt_threads_resolve(uint32_t wanted)
{
    if (wanted == 0) {
        cpu_set_t cpus;
        wanted = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : 1;
    }
    if (wanted == 0)
        wanted = 1;
    return wanted < VT_THREADS_MAX ? wanted : VT_THREADS_MAX;
}
