#include "services/common/base/worker.h"
#include "tests/testlib/testlib.h"

#include <semaphore.h>
#include <stdatomic.h>

static sem_t gate, entered;
static atomic_uint n_run;

static void wait_at_gate(void *ctx)
{
    (void)ctx;
    sem_post(&entered);
    sem_wait(&gate);
}

static void count(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&n_run, 1);
}

static void pool_takes_as_many_as_may_wait_and_refuses_the_next(void **state)
{
    (void)state;
    struct vt_worker_pool *pool = NULL;
    struct vt_worker_task blocker = {.run = wait_at_gate};
    struct vt_worker_task tasks[4] = {
        {.run = count}, {.run = count}, {.run = count}, {.run = count}};
    sem_init(&gate, 0, 0);
    sem_init(&entered, 0, 0);
    atomic_store(&n_run, 0);
    assert_ok(vt_worker_pool_new(1, 3, &pool));
    assert_ok(vt_worker_pool_submit(pool, &blocker));
    sem_wait(&entered); /* the only worker is busy, nothing waits */
    for (int i = 0; i < 3; i++)
        assert_ok(vt_worker_pool_submit(pool, &tasks[i]));
    assert_code(vt_worker_pool_submit(pool, &tasks[3]), VT_EXHAUSTED);
    sem_post(&gate);
    vt_worker_pool_free(pool); /* runs what waits */
    assert_int_equal(atomic_load(&n_run), 3);
    sem_destroy(&gate);
    sem_destroy(&entered);
}

struct chain {
    struct vt_worker_task task;
    struct vt_worker_pool *pool;
    unsigned left;
    sem_t done;
};

static void submit_itself_again(void *ctx)
{
    struct chain *chain = ctx;
    if (--chain->left == 0)
        sem_post(&chain->done);
    else
        assert_ok(vt_worker_pool_submit(chain->pool, &chain->task));
}

static void task_may_be_submitted_again_while_it_runs(void **state)
{
    (void)state;
    struct chain chain = {.task = {.run = submit_itself_again, .ctx = &chain}, .left = 1000};
    sem_init(&chain.done, 0, 0);
    assert_ok(vt_worker_pool_new(2, 1, &chain.pool));
    assert_ok(vt_worker_pool_submit(chain.pool, &chain.task));
    sem_wait(&chain.done);
    vt_worker_pool_free(chain.pool);
    assert_int_equal(chain.left, 0);
    sem_destroy(&chain.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_takes_as_many_as_may_wait_and_refuses_the_next),
        cmocka_unit_test(task_may_be_submitted_again_while_it_runs),
    };
    return cmocka_run_group_tests_name("base/worker", tests, NULL, NULL);
}
