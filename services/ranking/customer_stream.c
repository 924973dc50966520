/*
 * There is always one of three under way: a page that was asked of the port, a task in the pool, or
 * a message to the caller, whose leaving goes on; whoever runs owns it. A port to
 * another process has to be asked on the serving thread, so every page ends with a message, the
 * mark, after which one is there.
 */
#include "services/ranking/customer_stream.h"

#include "services/common/base/arena.h"
#include "services/common/base/clock.h"

#include <stdlib.h>

enum {
    PAGE = 50, /* customers: a worker is busy with them for some milliseconds */
    PAGE_BYTES = 4 << 20,
    VISIT_BYTES = 2 << 20,
};
#define PAGE_NS INT64_C(10000000000)   /* for the next page to come */
#define VISIT_NS INT64_C(600000000000) /* for a customer: nobody is waiting at a shop window */

enum state { FETCHING, VISITING, RESTING };

struct vt__customer_stream {
    struct vt_rpc_call *call;
    struct vt__customer_stream_options options;
    struct vt__customer_stream_task task;
    struct vt_worker_task work;
    struct vt_arena page_memory, visit_memory; /* owned */
    struct vt_request page_request;
    struct vt_profile_page page;
    struct vt_err page_err;
    uint32_t next; /* of the page */
    uint64_t n_visited;
    enum state state;
    bool gone; /* the caller; the pool's lock is between its writer and its reader */
};

static void finish(struct vt__customer_stream *stream, struct vt_err err)
{
    struct vt_rpc_call *call = stream->call;
    stream->task.free(stream->task.ctx);
    vt_arena_fini(&stream->page_memory);
    vt_arena_fini(&stream->visit_memory);
    free(stream);
    vt_rpc_call_finish(call, err);
}

static void submit(struct vt__customer_stream *stream)
{
    struct vt_err err = vt_worker_pool_submit(stream->options.pool, &stream->work);
    VT_ASSERT(!vt_failed(err)); /* the pool has room for a task of every call there may be */
}

/* ---- the next page ---- */

static void on_page(void *ctx, struct vt_err err, const struct vt_profile_page *page)
{
    struct vt__customer_stream *stream = ctx;
    stream->page_err = err;
    if (!vt_failed(err))
        stream->page = *page;
    stream->next = 0;
    stream->state = VISITING;
    if (!stream->options.profile->lists_inline)
        submit(stream);
}

static void ask_for_page(struct vt__customer_stream *stream)
{
    const struct vt_profile_port *port = stream->options.profile;
    const struct vt_profile_page_query query = {.after = stream->page.last,
                                                .max = PAGE,
                                                .max_events = stream->options.max_events,
                                                .shown = stream->options.shown};
    vt_arena_reset(&stream->page_memory);
    port->list(port->self, &stream->page_request, &query,
               vt_clock_monotonic_ns(stream->options.clock) + PAGE_NS, on_page, stream);
}

/* On the serving thread. */
static void fetch(struct vt__customer_stream *stream)
{
    stream->state = FETCHING;
    if (stream->options.profile->lists_inline)
        submit(stream);
    else
        ask_for_page(stream);
}

/* ---- one message after the other ---- */

static void on_sent(void *ctx, bool ok)
{
    struct vt__customer_stream *stream = ctx;
    stream->gone = !ok;
    if (ok && stream->state == FETCHING)
        fetch(stream);
    else
        submit(stream);
}

static struct vt_err end_page(struct vt__customer_stream *stream, struct vt_request *request,
                              struct vt_slice *ret_body)
{
    stream->state = stream->page.more ? FETCHING : RESTING;
    return stream->task.mark(stream->task.ctx, request, stream->page.last, stream->n_visited,
                             stream->page.more, ret_body);
}

/* The next message; empty: there is none any more. */
static struct vt_err next_message(struct vt__customer_stream *stream, struct vt_slice *ret_body)
{
    struct vt_request request = stream->page_request;
    request.arena = &stream->visit_memory;
    if (stream->state == RESTING) {
        vt_arena_reset(&stream->visit_memory);
        return stream->task.rest != NULL ? stream->task.rest(stream->task.ctx, &request, ret_body)
                                         : vt_ok();
    }
    while (stream->next < stream->page.n && ret_body->len == 0) {
        VT_CHECK(!vt_request_cancelled(&request), VT_CANCELLED, "the caller went away");
        vt_arena_reset(&stream->visit_memory);
        request.deadline_ns = vt_clock_monotonic_ns(stream->options.clock) + VISIT_NS;
        VT_TRY(stream->task.visit(stream->task.ctx, &request, &stream->page.views[stream->next++],
                                  ret_body));
        stream->n_visited++;
    }
    return ret_body->len == 0 ? end_page(stream, &request, ret_body) : vt_ok();
}

/* On a worker thread. */
static void step(void *ctx)
{
    struct vt__customer_stream *stream = ctx;
    struct vt_slice body = {0};
    struct vt_err err = vt_ok();
    if (stream->gone || vt_request_cancelled(&stream->page_request))
        err = VT_ERR(VT_CANCELLED, "the caller went away");
    if (!vt_failed(err) && stream->state == FETCHING)
        ask_for_page(stream); /* inline */
    if (!vt_failed(err))
        err = stream->page_err;
    if (!vt_failed(err))
        err = next_message(stream, &body);
    if (vt_failed(err) || body.len == 0)
        finish(stream, err);
    else
        vt_rpc_call_send(stream->call, body, on_sent, stream); /* the stream is on_sent's now */
}

void vt__customer_stream_start(struct vt_rpc_call *call,
                               const struct vt__customer_stream_options *options,
                               const struct vt__customer_stream_task *task)
{
    struct vt__customer_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || !vt_arena_init_owned(&stream->page_memory, PAGE_BYTES) ||
        !vt_arena_init_owned(&stream->visit_memory, VISIT_BYTES)) {
        if (stream != NULL)
            vt_arena_fini(&stream->page_memory);
        free(stream);
        task->free(task->ctx);
        vt_rpc_call_finish(call, VT_ERR(VT_EXHAUSTED, "no memory to go through all customers"));
        return;
    }
    stream->call = call;
    stream->options = *options;
    stream->task = *task;
    stream->work = (struct vt_worker_task){.run = step, .ctx = stream};
    stream->page_request = *vt_rpc_call_request(call);
    stream->page_request.arena = &stream->page_memory;
    stream->page.last = options->after;
    fetch(stream);
}
