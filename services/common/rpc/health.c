/*
 * grpc.health.v1. One flag for the whole server: its services live and stop together. Check answers
 * from the flag; Watch keeps its call in a list, and every change of the flag starts a message to
 * those that have none under way (the others catch up when theirs has left). The list and each
 * watcher are guarded by one mutex; it is never held while a call is finished.
 */
#include "services/common/base/text.h"
#include "services/common/rpc/protowire.h"
#include "services/common/rpc/server_internal.h"

#include <pthread.h>
#include <stdlib.h>

enum { UNSENT = -1, SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };
enum { SERVICE_FIELD = 1, STATUS_FIELD = 1, REQUEST_BYTES_MAX = 1024, WATCHERS_MAX = 256 };

/* One Watch call; lives in the call's arena. */
struct watcher {
    struct vt__health *health;
    struct vt_rpc_call *call;
    struct watcher *next, *previous;
    bool known; /* the service is one of ours */
    bool sending;
    int sent_status;
};

struct vt__health {
    const struct vt_rpc_server *server;
    pthread_mutex_t mutex;
    bool serving;
    struct watcher *watchers;
};

struct vt_err vt__health_new(const struct vt_rpc_server *server, struct vt__health **ret_health)
{
    struct vt__health *health = calloc(1, sizeof *health);
    VT_CHECK(health != NULL, VT_EXHAUSTED, "no memory for the health service");
    health->server = server;
    pthread_mutex_init(&health->mutex, NULL);
    *ret_health = health;
    return vt_ok();
}

void vt__health_free(struct vt__health *health)
{
    if (health == NULL)
        return;
    VT_ASSERT(health->watchers == NULL);
    pthread_mutex_destroy(&health->mutex);
    free(health);
}

static struct vt_slice encode_status(int status, unsigned char memory[16])
{
    struct vt__wire_writer writer = {.data = memory, .capacity = 16};
    vt__wire_put_varint(&writer, STATUS_FIELD, (uint64_t)status);
    return vt__wire_written(&writer);
}

static struct vt_err decode_service(struct vt_rpc_call *call, struct vt_slice *ret_service)
{
    struct vt_slice rest = vt_rpc_call_body(call), service = {0};
    size_t bad = 0;
    for (struct vt__wire_field field; vt__wire_next(&rest, &field);)
        if (field.number == SERVICE_FIELD && field.wire_type == 2)
            service = field.bytes;
    VT_CHECK(rest.len == 0, VT_INVALID, "malformed HealthCheckRequest");
    VT_CHECK(vt_text_valid(service, &bad), VT_INVALID, "service is not valid UTF-8");
    *ret_service = service;
    return vt_ok();
}

static bool is_known(const struct vt__health *health, struct vt_slice service)
{
    return service.len == 0 || vt__server_has_service(health->server, service);
}

static void check(struct vt_rpc_call *call, void *service)
{
    struct vt__health *health = service;
    struct vt_slice name;
    struct vt_err err = decode_service(call, &name);
    if (!vt_failed(err) && !is_known(health, name))
        err = VT_ERR(VT_NOT_FOUND, "no such service here");
    if (vt_failed(err)) {
        vt_rpc_call_fail(call, err);
        return;
    }
    unsigned char memory[16];
    pthread_mutex_lock(&health->mutex);
    bool serving = health->serving;
    pthread_mutex_unlock(&health->mutex);
    vt_rpc_call_reply(call, encode_status(serving ? SERVING : NOT_SERVING, memory));
}

static void on_sent(void *ctx, bool ok);

/* Sends the status if the caller has not seen it. The mutex is held. */
static void tell(struct watcher *watcher)
{
    int serving = watcher->health->serving ? SERVING : NOT_SERVING;
    int status = watcher->known ? serving : SERVICE_UNKNOWN;
    if (watcher->sending || watcher->sent_status == status)
        return;
    unsigned char memory[16];
    watcher->sending = true;
    watcher->sent_status = status;
    vt_rpc_call_send(watcher->call, encode_status(status, memory), on_sent, watcher);
}

static void on_sent(void *ctx, bool ok)
{
    struct watcher *watcher = ctx;
    pthread_mutex_lock(&watcher->health->mutex);
    watcher->sending = false;
    if (ok)
        tell(watcher);
    pthread_mutex_unlock(&watcher->health->mutex);
}

static void unlink_watcher(struct watcher *watcher)
{
    struct vt__health *health = watcher->health;
    pthread_mutex_lock(&health->mutex);
    if (watcher->previous != NULL)
        watcher->previous->next = watcher->next;
    else
        health->watchers = watcher->next;
    if (watcher->next != NULL)
        watcher->next->previous = watcher->previous;
    pthread_mutex_unlock(&health->mutex);
}

static void on_gone(void *ctx)
{
    struct watcher *watcher = ctx;
    unlink_watcher(watcher);
    vt_rpc_call_finish(watcher->call, VT_ERR(VT_CANCELLED, "watch ended"));
}

static void watch(struct vt_rpc_call *call, void *service)
{
    struct vt__health *health = service;
    struct watcher *watcher = vt_arena_array(vt_rpc_call_request(call)->arena, 1, sizeof *watcher);
    struct vt_slice name = {0};
    struct vt_err err = decode_service(call, &name);
    if (!vt_failed(err) && watcher == NULL)
        err = VT_ERR(VT_EXHAUSTED, "no memory for a watch");
    if (vt_failed(err)) {
        vt_rpc_call_finish(call, err);
        return;
    }
    *watcher = (struct watcher){
        .health = health, .call = call, .known = is_known(health, name), .sent_status = UNSENT};
    vt_rpc_call_on_cancel(call, on_gone, watcher);
    pthread_mutex_lock(&health->mutex);
    watcher->next = health->watchers;
    if (watcher->next != NULL)
        watcher->next->previous = watcher;
    health->watchers = watcher;
    tell(watcher);
    pthread_mutex_unlock(&health->mutex);
}

void vt__health_set(struct vt__health *health, bool serving)
{
    pthread_mutex_lock(&health->mutex);
    health->serving = serving;
    for (struct watcher *watcher = health->watchers; watcher != NULL; watcher = watcher->next)
        tell(watcher);
    pthread_mutex_unlock(&health->mutex);
}

const struct vt_rpc_method vt__health_methods[VT__N_HEALTH_METHODS] = {
    {.path = "/grpc.health.v1.Health/Check",
     .handler = check,
     .max_request_bytes = REQUEST_BYTES_MAX,
     .default_deadline_ms = 1000,
     .roles = VT_CALLER_ANY},
    {.path = "/grpc.health.v1.Health/Watch",
     .handler = watch,
     .kind = VT_RPC_SERVER_STREAM,
     .max_request_bytes = REQUEST_BYTES_MAX,
     .max_in_flight = WATCHERS_MAX,
     .roles = VT_CALLER_ANY},
};
