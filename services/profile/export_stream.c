/*
 * The sending side of ExportCustomer. There is always one of two under way: a task in the pool,
 * which reads the next line, or a message to the caller, whose leaving submits the task again. So
 * the store is read on worker threads only, at the caller's pace, and whoever runs owns the stream.
 */
#include "services/profile/export_stream.h"

#include "services/common/base/arena.h"
#include "services/profile/export.h"
#include "services/profile/wire_rights.h"

#include <stdio.h>
#include <stdlib.h>

/* A line of the largest record (64 attributes, every byte escaped), as text and as message. */
enum { MESSAGE_BYTES = 2 << 20 };

struct stream {
    struct vt_rpc_call *call;
    struct vt_profile *profile;
    struct vt_worker_pool *pool;
    struct vt_worker_task task;
    struct vt_identity who;   /* in the call's arena */
    struct vt_export *export; /* owned; NULL until the first task */
    struct vt_arena message;  /* owned */
    bool gone;                /* the caller; the pool's lock is between its writer and its reader */
};

const char *vt__actor_text(const struct vt_rpc_call *call, char text[VT__ACTOR_BYTES])
{
    char roles[VT_RPC_ROLES_TEXT_BYTES];
    snprintf(text, VT__ACTOR_BYTES, "%s",
             vt_rpc_call_is_local(call) ? "admin socket"
                                        : vt_rpc_roles_text(vt_rpc_call_roles(call), roles));
    return text;
}

/* The store's things are given back first: the server may be waiting for its last call. */
static void finish(struct stream *stream, struct vt_err err)
{
    struct vt_rpc_call *call = stream->call;
    vt_export_close(stream->export);
    vt_arena_fini(&stream->message);
    free(stream);
    vt_rpc_call_finish(call, err);
}

static void submit(struct stream *stream)
{
    struct vt_err err = vt_worker_pool_submit(stream->pool, &stream->task);
    VT_ASSERT(!vt_failed(err)); /* the pool has room for a task of every call there may be */
}

static void on_sent(void *ctx, bool ok)
{
    struct stream *stream = ctx;
    stream->gone = !ok;
    submit(stream);
}

static struct vt_err next_message(struct stream *stream, struct vt_slice *ret_body, bool *ret_more)
{
    struct vt_diag *diag = vt_rpc_call_request(stream->call)->diag;
    struct vt_slice line = {0};
    char actor[VT__ACTOR_BYTES];
    vt_arena_reset(&stream->message);
    if (stream->export == NULL)
        VT_TRY(vt_export_open(stream->profile, &stream->who, vt__actor_text(stream->call, actor),
                              diag, &stream->export));
    VT_TRY(vt_export_next(stream->export, diag, &line, ret_more));
    return *ret_more ? vt_wire_export_line_encode(line, &stream->message, ret_body) : vt_ok();
}

static void step(void *ctx)
{
    struct stream *stream = ctx;
    struct vt_slice body = {0};
    bool more = false;
    bool gone = stream->gone || vt_request_cancelled(vt_rpc_call_request(stream->call));
    struct vt_err err =
        gone ? VT_ERR(VT_CANCELLED, "the caller went away") : next_message(stream, &body, &more);
    if (vt_failed(err) || !more)
        finish(stream, err);
    else
        vt_rpc_call_send(stream->call, body, on_sent, stream); /* the stream is on_sent's now */
}

static struct vt_err stream_new(struct vt_rpc_call *call, struct stream **ret_stream)
{
    struct vt_request *request = vt_rpc_call_request(call);
    struct vt_identity who;
    VT_TRY(vt_wire_export_decode(vt_rpc_call_body(call), request->arena, request->diag, &who));
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || !vt_arena_init_owned(&stream->message, MESSAGE_BYTES)) {
        free(stream);
        return VT_ERR(VT_EXHAUSTED, "no memory for another export");
    }
    stream->call = call;
    stream->who = who;
    stream->task = (struct vt_worker_task){.run = step, .ctx = stream};
    *ret_stream = stream;
    return vt_ok();
}

void vt__export_serve(struct vt_rpc_call *call, struct vt_profile *profile,
                      struct vt_worker_pool *pool)
{
    struct stream *stream = NULL;
    struct vt_err err = stream_new(call, &stream);
    if (vt_failed(err)) {
        vt_rpc_call_finish(call, err);
        return;
    }
    stream->profile = profile;
    stream->pool = pool;
    submit(stream);
}
