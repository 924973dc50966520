/*
 * Between the call and a method's function: where it runs, and that it is answered once. The task
 * that a worker runs lives in the call's arena, so handing work over allocates nothing; how many
 * can wait is bounded by the pool and by each method's max_in_flight.
 */
#include "services/common/handler/handler.h"

void vt_handler_answer(struct vt_rpc_call *call, struct vt_err err, struct vt_slice body)
{
    if (vt_failed(err))
        vt_rpc_call_fail(call, err);
    else
        vt_rpc_call_reply(call, body);
}

void vt_handler_run(struct vt_rpc_call *call, void *service, vt_handler_fn run)
{
    struct vt_slice answer = {0};
    struct vt_err err = run(service, vt_rpc_call_request(call), vt_rpc_call_body(call), &answer);
    vt_handler_answer(call, err, answer);
}

struct job {
    struct vt_worker_task task;
    struct vt_rpc_call *call;
    void *service;
    vt_handler_fn run;
};

static void run_job(void *ctx)
{
    struct job *job = ctx;
    if (vt_request_cancelled(vt_rpc_call_request(job->call)))
        vt_rpc_call_fail(job->call, VT_ERR(VT_CANCELLED, "the caller went away"));
    else
        vt_handler_run(job->call, job->service, job->run);
}

void vt_handler_run_on(struct vt_worker_pool *pool, struct vt_rpc_call *call, void *service,
                       vt_handler_fn run)
{
    struct job *job = vt_arena_alloc(vt_rpc_call_request(call)->arena, sizeof *job);
    if (job == NULL) {
        vt_rpc_call_fail(call, VT_ERR(VT_EXHAUSTED, "the call's memory is full"));
        return;
    }
    *job = (struct job){
        .task = {.run = run_job, .ctx = job}, .call = call, .service = service, .run = run};
    struct vt_err err = vt_worker_pool_submit(pool, &job->task);
    if (vt_failed(err))
        vt_rpc_call_fail(call, err);
}
