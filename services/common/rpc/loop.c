/*
 * A completion queue with the one thread that runs it, and the small conversions between gRPC's
 * types and ours. Tags are functions: the loop runs what it gets. Outgoing calls are pooled here
 * (client.c), because they begin and complete on this thread.
 */
#include "services/common/rpc/loop.h"

#include "services/common/rpc/handshake.h"
#include "services/common/rpc/internal.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

void vt__grpc_acquire(void)
{
    vt__handshake_watch();
    grpc_init();
}

void vt__grpc_release(void)
{
    grpc_shutdown();
}

void vt__loop_init(struct vt_rpc_loop *loop)
{
    *loop = (struct vt_rpc_loop){.queue = grpc_completion_queue_create_for_next(NULL),
                                 .thread = pthread_self()};
}

static bool run_event(struct vt_rpc_loop *loop, grpc_event event)
{
    if (event.type != GRPC_OP_COMPLETE)
        return false;
    struct vt__tag *tag = event.tag;
    if (loop->lock != NULL)
        pthread_mutex_lock(loop->lock);
    tag->run(tag->owner, event.success != 0);
    if (loop->lock != NULL)
        pthread_mutex_unlock(loop->lock);
    return true;
}

void vt__loop_run(struct vt_rpc_loop *loop)
{
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    loop->thread = pthread_self();
    while (run_event(loop, grpc_completion_queue_next(loop->queue, never, NULL)))
        ;
}

void vt__loop_fini(struct vt_rpc_loop *loop)
{
    grpc_completion_queue_shutdown(loop->queue);
    vt__loop_run(loop);
    VT_ASSERT(loop->n_calls == 0);
    grpc_completion_queue_destroy(loop->queue);
    vt__client_calls_free(loop->idle_calls);
}

struct vt_err vt_rpc_loop_new(struct vt_rpc_loop **ret_loop)
{
    struct vt_rpc_loop *loop = malloc(sizeof *loop);
    VT_CHECK(loop != NULL, VT_EXHAUSTED, "no memory for a completion queue");
    vt__grpc_acquire();
    vt__loop_init(loop);
    *ret_loop = loop;
    return vt_ok();
}

bool vt_rpc_loop_run_one(struct vt_rpc_loop *loop, int64_t until_ns)
{
    gpr_timespec until = until_ns == 0 ? gpr_inf_past(GPR_CLOCK_MONOTONIC) : vt__timespec(until_ns);
    return run_event(loop, grpc_completion_queue_next(loop->queue, until, NULL));
}

void vt_rpc_loop_share(struct vt_rpc_loop *loop, pthread_mutex_t *lock)
{
    loop->lock = lock;
}

void vt_rpc_loop_free(struct vt_rpc_loop *loop)
{
    if (loop == NULL)
        return;
    vt__loop_fini(loop);
    vt__grpc_release();
    free(loop);
}

gpr_timespec vt__timespec(int64_t monotonic_ns)
{
    if (monotonic_ns == INT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return (gpr_timespec){.tv_sec = monotonic_ns / NS_PER_S,
                          .tv_nsec = (int32_t)(monotonic_ns % NS_PER_S),
                          .clock_type = GPR_CLOCK_MONOTONIC};
}

int64_t vt__nanoseconds(gpr_timespec monotonic)
{
    if (gpr_time_cmp(monotonic, gpr_inf_future(monotonic.clock_type)) == 0 ||
        monotonic.tv_sec >= INT64_MAX / NS_PER_S)
        return INT64_MAX;
    return monotonic.tv_sec * NS_PER_S + monotonic.tv_nsec;
}

int64_t vt__now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec;
}

grpc_byte_buffer *vt__byte_buffer(struct vt_slice body)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(body.data, body.len);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

grpc_slice vt__byte_buffer_bytes(grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    if (buffer == NULL || grpc_byte_buffer_reader_init(&reader, buffer) == 0)
        return grpc_empty_slice();
    grpc_slice bytes = grpc_empty_slice();
    if (grpc_byte_buffer_reader_next(&reader, &bytes) != 0 &&
        GRPC_SLICE_LENGTH(bytes) < grpc_byte_buffer_length(buffer)) {
        grpc_slice_unref(bytes);
        grpc_byte_buffer_reader_destroy(&reader);
        grpc_byte_buffer_reader_init(&reader, buffer);
        bytes = grpc_byte_buffer_reader_readall(&reader);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return bytes;
}

struct vt_slice vt__slice_view(const grpc_slice *slice)
{
    return vt_slice(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}
