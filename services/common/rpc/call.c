/*
 * The part of a call that does not know how its caller is reached: what handlers see, the rule that
 * it is answered once, and the text of its status. The gRPC side is grpc_call.c, the socketless one
 * loopback.c. Callbacks run on the call's serving thread; answers come from any.
 */
#include "services/common/rpc/call.h"

#include "services/common/base/text.h"
#include "services/common/rpc/internal.h"

#include <sched.h>
#include <stdio.h>

void vt__call_init(struct vt_rpc_call *call, const struct vt__transport *transport,
                   const struct vt_rpc_method *method)
{
    call->transport = transport;
    call->method = method;
    call->thread = pthread_self();
    call->body = (struct vt_slice){0};
    call->roles = 0;
    call->outgoing.first = NULL;
    call->on_cancel = NULL;
    atomic_store_explicit(&call->on_drain, NULL, memory_order_relaxed);
    call->on_sent = NULL;
    call->on_received = NULL;
    vt_diag_clear(&call->diag);
    vt_span_clear(&call->span);
    atomic_store_explicit(&call->cancelled, false, memory_order_relaxed);
    atomic_store_explicit(&call->phase, VT__OPEN, memory_order_relaxed);
    call->request = (struct vt_request){.arena = &call->arena,
                                        .diag = &call->diag,
                                        .deadline_ns = INT64_MAX,
                                        .cancelled = &call->cancelled,
                                        .outgoing = &call->outgoing,
                                        .span = &call->span};
}

static struct vt_err let_in(struct vt_rpc_call *call)
{
    struct vt__caller caller;
    call->transport->caller(call, &caller);
    return vt__access_judge(call->method, &caller, &call->diag, &call->roles);
}

static struct vt_err check_size(struct vt_rpc_call *call)
{
    uint32_t limit = call->method->max_request_bytes;
    if (call->body.len <= limit)
        return vt_ok();
    vt_diag_set(&call->diag, "", "request has %zu bytes, %s takes at most %u; send smaller batches",
                call->body.len, call->method->path, limit);
    return VT_ERR(VT_EXHAUSTED, "request is too large");
}

void vt__call_handle(struct vt_rpc_call *call, void *service)
{
    struct vt_err err = let_in(call);
    if (!vt_failed(err))
        err = check_size(call);
    if (vt_failed(err))
        vt_rpc_call_fail(call, err);
    else
        call->method->handler(call, service);
}

struct vt_request *vt_rpc_call_request(struct vt_rpc_call *call)
{
    return &call->request;
}

struct vt_slice vt_rpc_call_body(const struct vt_rpc_call *call)
{
    return call->body;
}

struct vt_slice vt_rpc_call_metadata(const struct vt_rpc_call *call, const char *key)
{
    return call->transport->metadata(call, key);
}

bool vt_rpc_call_is_local(const struct vt_rpc_call *call)
{
    return call->transport->is_local(call);
}

unsigned vt_rpc_call_roles(const struct vt_rpc_call *call)
{
    return call->roles & VT_CALLER_ANY;
}

/* ---- callbacks and the answer, never both ---- */

/* OPEN → `next`, after whatever of the phase `passing` another thread runs: that does not block.
 * False when the call is in a third phase. */
static bool enter(struct vt_rpc_call *call, enum vt__phase next, enum vt__phase passing)
{
    enum vt__phase seen = VT__OPEN;
    while (!atomic_compare_exchange_strong_explicit(&call->phase, &seen, next, memory_order_acquire,
                                                    memory_order_relaxed)) {
        if (seen != passing)
            return false;
        sched_yield();
        seen = VT__OPEN;
    }
    return true;
}

static bool enter_callback(struct vt_rpc_call *call)
{
    return enter(call, VT__CALLBACK, VT__DRAINING);
}

static void leave_callback(struct vt_rpc_call *call)
{
    enum vt__phase callback = VT__CALLBACK;
    /* Fails when the callback itself answered; then the call must not be touched, but the
     * transport keeps it until this thread has seen the answer's completion. */
    atomic_compare_exchange_strong_explicit(&call->phase, &callback, VT__OPEN, memory_order_release,
                                            memory_order_relaxed);
}

void vt__call_cancelled(struct vt_rpc_call *call)
{
    atomic_store_explicit(&call->cancelled, true, memory_order_relaxed);
    vt__outgoing_cancel(&call->outgoing);
    if (!enter_callback(call))
        return;
    if (call->on_cancel != NULL)
        call->on_cancel(call->cancel_ctx);
    leave_callback(call);
}

void vt__call_sent(struct vt_rpc_call *call, bool ok)
{
    if (!enter_callback(call))
        return;
    call->on_sent(call->sent_ctx, ok);
    leave_callback(call);
}

void vt__call_received(struct vt_rpc_call *call, struct vt_slice body, bool ended)
{
    struct vt_err err = vt_ok();
    if (!enter_callback(call))
        return;
    if (body.len > call->method->max_request_bytes) {
        vt_diag_set(&call->diag, "", "message has %zu bytes, %s takes at most %u", body.len,
                    call->method->path, call->method->max_request_bytes);
        err = VT_ERR(VT_EXHAUSTED, "message is too large");
        body = (struct vt_slice){0};
    }
    call->on_received(call->received_ctx, err, body, ended);
    leave_callback(call);
}

bool vt__call_drain(struct vt_rpc_call *call)
{
    void (*on_drain)(void *) = atomic_load_explicit(&call->on_drain, memory_order_acquire);
    if (on_drain == NULL)
        return false;
    if (!enter(call, VT__DRAINING, VT__CALLBACK))
        return true; /* answered */
    on_drain(call->drain_ctx);
    atomic_store_explicit(&call->phase, VT__OPEN, memory_order_release);
    return true;
}

/* From now on no callback starts, and none of another thread is running. */
static void close_for_answer(struct vt_rpc_call *call)
{
    bool serving = pthread_equal(pthread_self(), call->thread) != 0;
    enum vt__phase seen = VT__OPEN;
    while (!atomic_compare_exchange_weak_explicit(&call->phase, &seen, VT__ANSWERED,
                                                  memory_order_acq_rel, memory_order_acquire)) {
        VT_ASSERT(seen != VT__ANSWERED);
        if (seen == VT__DRAINING || (seen == VT__CALLBACK && !serving)) {
            sched_yield();
            seen = VT__OPEN;
        }
    }
}

/* "field: text", made valid UTF-8 so that every client can read it. */
static void write_message(const struct vt_rpc_call *call, struct vt_err err,
                          char text[VT__MESSAGE_BYTES_MAX])
{
    const struct vt_diag *diag = &call->diag;
    if (diag->text[0] == '\0')
        snprintf(text, VT__MESSAGE_BYTES_MAX, "%s", err.what != NULL ? err.what : "");
    else
        snprintf(text, VT__MESSAGE_BYTES_MAX, "%s%s%s", diag->field,
                 diag->field[0] != '\0' ? ": " : "", diag->text);
    for (size_t bad = 0; !vt_text_valid(vt_slice_str(text), &bad);)
        text[bad] = '?';
}

void vt_rpc_call_reply(struct vt_rpc_call *call, struct vt_slice body)
{
    close_for_answer(call);
    struct vt__answer answer = {.err = vt_ok(), .body = body, .has_body = true};
    call->transport->answer(call, &answer);
}

void vt_rpc_call_finish(struct vt_rpc_call *call, struct vt_err err)
{
    close_for_answer(call);
    struct vt__answer answer = {.err = err};
    if (vt_failed(err))
        write_message(call, err, answer.message);
    call->transport->answer(call, &answer);
}

void vt_rpc_call_fail(struct vt_rpc_call *call, struct vt_err err)
{
    VT_ASSERT(vt_failed(err));
    vt_rpc_call_finish(call, err);
}

/* ---- streams ---- */

void vt_rpc_call_send(struct vt_rpc_call *call, struct vt_slice body, vt_rpc_sent_fn on_sent,
                      void *ctx)
{
    call->on_sent = on_sent;
    call->sent_ctx = ctx;
    call->transport->send(call, body);
}

void vt_rpc_call_receive(struct vt_rpc_call *call, vt_rpc_received_fn on_received, void *ctx)
{
    VT_ASSERT(call->method->kind == VT_RPC_BIDI_STREAM);
    call->on_received = on_received;
    call->received_ctx = ctx;
    call->transport->receive(call);
}

void vt_rpc_call_on_cancel(struct vt_rpc_call *call, void (*on_cancel)(void *ctx), void *ctx)
{
    call->on_cancel = on_cancel;
    call->cancel_ctx = ctx;
}

void vt_rpc_call_on_drain(struct vt_rpc_call *call, void (*on_drain)(void *ctx), void *ctx)
{
    call->drain_ctx = ctx;
    atomic_store_explicit(&call->on_drain, on_drain, memory_order_release);
}
