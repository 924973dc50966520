/*
 * A call whose caller is a test. The test's thread plays the serving thread: it runs the handler,
 * then whatever the handler caused (a message has left, one has come, a cancel) one at a time, and
 * waits in between when another thread works on the answer. So callbacks are never nested, as on a
 * real queue.
 */
#include "services/common/rpc/loopback.h"

#include "services/common/rpc/internal.h"

#include <stdio.h>

enum { DEFAULT_ARENA_BYTES = 1 << 20 };

struct loopback_call {
    struct vt_rpc_call base; /* first */
    const struct vt_rpc_loopback_options *options;
    struct vt_arena *result_arena;
    pthread_mutex_t mutex; /* of the fields below */
    pthread_cond_t changed;
    bool answered, sending, receiving, wants_cancel, ended;
    struct vt_slice outgoing; /* in result_arena */
    size_t next_message;
    struct vt_rpc_loopback_result result;
};

static struct loopback_call *from_base(struct vt_rpc_call *base)
{
    return (struct loopback_call *)base;
}

static void loopback_answer(struct vt_rpc_call *base, const struct vt__answer *answer)
{
    struct loopback_call *call = from_base(base);
    pthread_mutex_lock(&call->mutex);
    call->result.err = answer->err;
    snprintf(call->result.message, sizeof call->result.message, "%s", answer->message);
    if (answer->has_body)
        call->result.body = vt_arena_copy(call->result_arena, answer->body);
    call->answered = true;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->mutex);
}

static void loopback_send(struct vt_rpc_call *base, struct vt_slice body)
{
    struct loopback_call *call = from_base(base);
    pthread_mutex_lock(&call->mutex);
    VT_ASSERT(!call->sending);
    call->outgoing = vt_arena_copy(call->result_arena, body);
    call->sending = true;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->mutex);
}

static void loopback_receive(struct vt_rpc_call *base)
{
    struct loopback_call *call = from_base(base);
    pthread_mutex_lock(&call->mutex);
    VT_ASSERT(!call->receiving);
    call->receiving = true;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->mutex);
}

static struct vt_slice loopback_metadata(const struct vt_rpc_call *base, const char *key)
{
    const struct vt_rpc_loopback_options *options = ((const struct loopback_call *)base)->options;
    for (size_t i = 0; i < options->n_metadata; i++)
        if (strcmp(options->metadata[i].key, key) == 0)
            return options->metadata[i].value;
    return (struct vt_slice){0};
}

static bool loopback_is_local(const struct vt_rpc_call *base)
{
    return ((const struct loopback_call *)base)->options->local;
}

static void loopback_caller(const struct vt_rpc_call *base, struct vt__caller *ret_caller)
{
    const struct vt_rpc_loopback_options *options = ((const struct loopback_call *)base)->options;
    struct vt__caller caller = {.certified = options->certified};
    caller.roles = options->certified ? options->roles : (unsigned)VT_CALLER_ANY;
    caller.roles |= options->local ? VT__CALLER_ADMIN : 0;
    for (size_t i = 0; i < options->n_metadata; i++)
        if (strcmp(options->metadata[i].key, VT__ROLE_METADATA) == 0) {
            caller.chosen = options->metadata[i].value;
            caller.n_chosen++;
        }
    *ret_caller = caller;
}

static const struct vt__transport loopback_transport = {
    .answer = loopback_answer,
    .send = loopback_send,
    .receive = loopback_receive,
    .metadata = loopback_metadata,
    .is_local = loopback_is_local,
    .caller = loopback_caller,
};

/* Each takes one pending thing and runs its callback without the mutex. */
static void deliver_outgoing(struct loopback_call *call)
{
    const struct vt_rpc_loopback_options *options = call->options;
    call->sending = false;
    pthread_mutex_unlock(&call->mutex);
    bool taken =
        options->on_message == NULL || options->on_message(options->message_ctx, call->outgoing);
    vt__call_sent(&call->base, taken);
    pthread_mutex_lock(&call->mutex);
    call->wants_cancel = !taken;
}

static void deliver_message(struct loopback_call *call)
{
    struct vt_slice body = call->options->messages[call->next_message++];
    call->receiving = false;
    pthread_mutex_unlock(&call->mutex);
    vt__call_received(&call->base, body, false);
    pthread_mutex_lock(&call->mutex);
}

/* As gRPC does it: a caller that goes away completes the receive too; a drain does not. */
static void deliver_end(struct loopback_call *call)
{
    enum vt_rpc_loopback_end end = call->options->end;
    call->ended = true;
    call->receiving = end == VT_RPC_LOOPBACK_DRAIN;
    pthread_mutex_unlock(&call->mutex);
    if (end == VT_RPC_LOOPBACK_DRAIN)
        call->wants_cancel = !vt__call_drain(&call->base);
    if (end == VT_RPC_LOOPBACK_CANCEL)
        vt__call_cancelled(&call->base);
    if (end != VT_RPC_LOOPBACK_DRAIN)
        vt__call_received(&call->base, (struct vt_slice){0}, true);
    pthread_mutex_lock(&call->mutex);
}

static void deliver_cancel(struct loopback_call *call)
{
    call->wants_cancel = false;
    pthread_mutex_unlock(&call->mutex);
    vt__call_cancelled(&call->base);
    pthread_mutex_lock(&call->mutex);
}

static void run_until_answered(struct loopback_call *call)
{
    pthread_mutex_lock(&call->mutex);
    while (!call->answered) {
        bool asked = call->receiving && !call->ended;
        if (call->sending && !(asked && call->options->slow_reader))
            deliver_outgoing(call);
        else if (call->wants_cancel)
            deliver_cancel(call);
        else if (asked && call->next_message < call->options->n_messages)
            deliver_message(call);
        else if (asked)
            deliver_end(call);
        else
            pthread_cond_wait(&call->changed, &call->mutex);
    }
    /* What was sent just before the answer left, too; its sender is past caring. */
    if (call->sending && call->options->on_message != NULL)
        call->options->on_message(call->options->message_ctx, call->outgoing);
    pthread_mutex_unlock(&call->mutex);
}

static const struct vt_rpc_method *find_method(const struct vt_rpc_loopback_options *options,
                                               const char *path)
{
    for (size_t i = 0; i < options->n_methods; i++)
        if (strcmp(options->methods[i].path, path) == 0)
            return &options->methods[i];
    return NULL;
}

struct vt_rpc_loopback_result vt_rpc_loopback_call(const struct vt_rpc_loopback_options *options,
                                                   const char *path, struct vt_slice body,
                                                   struct vt_arena *arena)
{
    const struct vt_rpc_method *method = find_method(options, path);
    struct loopback_call call = {.options = options, .result_arena = arena};
    if (method == NULL)
        return (struct vt_rpc_loopback_result){.err = VT_ERR(VT_UNIMPLEMENTED, "unknown method"),
                                               .message = "unknown method"};
    uint32_t arena_bytes = options->arena_bytes > 0 ? options->arena_bytes : DEFAULT_ARENA_BYTES;
    if (!vt_arena_init_owned(&call.base.arena, arena_bytes))
        return (struct vt_rpc_loopback_result){.err = VT_ERR(VT_EXHAUSTED, "no memory")};
    if (method->kind == VT_RPC_UNARY && options->arena_bytes == 0)
        vt_arena_allow_spare(&call.base.arena, VT__ARENA_SPARE_BYTES);
    pthread_mutex_init(&call.mutex, NULL);
    pthread_cond_init(&call.changed, NULL);
    vt__call_init(&call.base, &loopback_transport, method);
    call.base.body = body;
    if (options->deadline_ns != 0)
        call.base.request.deadline_ns = options->deadline_ns;
    vt__call_handle(&call.base, options->service);
    run_until_answered(&call);
    pthread_cond_destroy(&call.changed);
    pthread_mutex_destroy(&call.mutex);
    vt_arena_fini(&call.base.arena);
    return call.result;
}
