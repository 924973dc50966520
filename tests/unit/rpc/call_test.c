/* What happens to a call while on_drain runs on another thread waits for it, and is not lost. */
#include "services/common/rpc/call.h"
#include "services/common/rpc/internal.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

static struct vt_rpc_call call;
static sem_t draining;
static atomic_bool drained; /* on_drain has returned, or is about to */
static unsigned n_told, n_answers;

static void note_answer(struct vt_rpc_call *answered, const struct vt__answer *answer)
{
    (void)answered;
    (void)answer;
    n_answers++;
}

static void take_send(struct vt_rpc_call *sending, struct vt_slice body)
{
    (void)sending;
    (void)body;
}

static void take_receive(struct vt_rpc_call *receiving)
{
    (void)receiving;
}

static void tell(void *ctx)
{
    (void)ctx;
    assert_true(atomic_load(&drained));
    n_told++;
}

static void tell_sent(void *ctx, bool ok)
{
    assert_true(ok);
    tell(ctx);
}

static void tell_received(void *ctx, struct vt_err err, struct vt_slice body, bool ended)
{
    (void)body;
    assert_ok(err);
    assert_true(ended);
    tell(ctx);
}

/* Long enough for the serving thread to come to it. */
static void drain_slowly(void *ctx)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    (void)ctx;
    sem_post(&draining);
    (void)nanosleep(&pause, NULL);
    atomic_store(&drained, true);
}

static void *drain(void *ctx)
{
    (void)ctx;
    assert_true(vt__call_drain(&call));
    return NULL;
}

/* Begins a call of this thread; returns while on_drain runs on the other. */
static pthread_t begin_draining(void)
{
    static const struct vt__transport transport = {
        .answer = note_answer, .send = take_send, .receive = take_receive};
    static const struct vt_rpc_method method = {
        "/test.Service/Method", NULL, VT_RPC_BIDI_STREAM, 1024, 0, 0, 0};
    pthread_t thread;
    n_told = n_answers = 0;
    atomic_store(&drained, false);
    assert_int_equal(sem_init(&draining, 0, 0), 0);
    vt__call_init(&call, &transport, &method);
    vt_rpc_call_on_cancel(&call, tell, NULL);
    vt_rpc_call_on_drain(&call, drain_slowly, NULL);
    vt_rpc_call_send(&call, vt_slice_str("message"), tell_sent, NULL);
    vt_rpc_call_receive(&call, tell_received, NULL);
    assert_int_equal(pthread_create(&thread, NULL, drain, NULL), 0);
    sem_wait(&draining);
    return thread;
}

static void end_draining(pthread_t thread)
{
    pthread_join(thread, NULL);
    sem_destroy(&draining);
}

static void a_message_that_leaves_meanwhile_is_told(void **state)
{
    pthread_t thread = begin_draining();
    (void)state;
    vt__call_sent(&call, true);
    assert_int_equal(n_told, 1);
    end_draining(thread);
}

static void a_message_that_comes_meanwhile_is_told(void **state)
{
    pthread_t thread = begin_draining();
    (void)state;
    vt__call_received(&call, vt_slice(NULL, 0), true);
    assert_int_equal(n_told, 1);
    end_draining(thread);
}

static void a_caller_that_goes_meanwhile_is_told(void **state)
{
    pthread_t thread = begin_draining();
    (void)state;
    vt__call_cancelled(&call);
    assert_int_equal(n_told, 1);
    end_draining(thread);
}

static void an_answer_meanwhile_waits_too(void **state)
{
    pthread_t thread = begin_draining();
    (void)state;
    vt_rpc_call_finish(&call, vt_ok());
    assert_true(atomic_load(&drained));
    assert_int_equal(n_answers, 1);
    end_draining(thread);
}

static void nothing_is_told_of_an_answered_call(void **state)
{
    pthread_t thread = begin_draining();
    (void)state;
    vt_rpc_call_finish(&call, vt_ok());
    vt__call_sent(&call, true);
    vt__call_cancelled(&call);
    assert_true(vt__call_drain(&call));
    assert_int_equal(n_told, 0);
    end_draining(thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_that_leaves_meanwhile_is_told),
        cmocka_unit_test(a_message_that_comes_meanwhile_is_told),
        cmocka_unit_test(a_caller_that_goes_meanwhile_is_told),
        cmocka_unit_test(an_answer_meanwhile_waits_too),
        cmocka_unit_test(nothing_is_told_of_an_answered_call),
    };
    return cmocka_run_group_tests_name("rpc/call", tests, NULL, NULL);
}
