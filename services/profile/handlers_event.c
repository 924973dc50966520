/*
 * What events come in by. A write parks the call: the writer thread's continuation answers it after
 * the fsync.
 */
#include "services/common/base/clock.h"
#include "services/common/handler/handler.h"
#include "services/common/trace/span.h"
#include "services/profile/event_stream.h"
#include "services/profile/handlers_internal.h"
#include "services/profile/wire_event.h"

struct write_events {
    struct vt_rpc_call *call;
    struct vt_wire_write_events request;
    int64_t parked_ns;
};

static void events_written(void *ctx, struct vt_err err)
{
    struct write_events *write = ctx;
    struct vt_slice body = {0};
    vt_span_step(vt_rpc_call_request(write->call)->span, "commit", write->parked_ns,
                 vt_clock_monotonic_ns(vt_clock_system()));
    if (!vt_failed(err))
        err = vt_wire_write_events_encode(&write->request, vt_rpc_call_request(write->call)->arena,
                                          &body);
    vt_handler_answer(write->call, err, body);
}

void vt__handle_write_events(struct vt_rpc_call *call, void *service)
{
    struct vt_profile_rpc *rpc = service;
    struct vt_request *request = vt_rpc_call_request(call);
    struct write_events *write = vt_arena_array(request->arena, 1, sizeof *write);
    struct vt_err err = write == NULL
                            ? vt__handler_no_memory()
                            : vt_wire_write_events_decode(vt_rpc_call_body(call), request->arena,
                                                          request->diag, &write->request);
    if (vt_failed(err)) {
        vt_rpc_call_fail(call, err);
        return;
    }
    write->call = call;
    write->parked_ns = vt_clock_monotonic_ns(vt_clock_system());
    if (write->request.n_events == 0) { /* all were rejected already */
        events_written(write, vt_ok());
        return;
    }
    const struct vt_profile_write waiting = {request, write->request.validate_only, events_written,
                                             write};
    vt_profile_write_events(rpc->profile, &waiting, write->request.events, write->request.n_events,
                            write->request.domain_results);
}

void vt__handle_stream_events(struct vt_rpc_call *call, void *service)
{
    vt__event_stream_serve(call, service);
}
