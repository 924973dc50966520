/*
 * A connection to a service, made again when its certificate is renewed. gRPC's channels keep the
 * credentials that they were born with, so a renewed certificate needs a new channel. It is made
 * beside the old one and takes over when it is connected: the calls of the moment never wait for a
 * handshake, and a certificate that the other side refuses breaks nothing while the old connection
 * lives. Calls under way on the old channel end there. Without TLS there is one channel and no
 * lock.
 */
#include "services/common/base/slice.h"
#include "services/common/rpc/client_internal.h"
#include "services/common/rpc/failover.h"
#include "services/common/rpc/tls_internal.h"

#include <stdlib.h>

enum {
    REPLY_BYTES_MAX = 64 << 20, /* a catalog snapshot comes in smaller messages */
    CONNECT_MS = 1000,          /* what an attempt may take */
    TLS_CONNECT_MS = 3000,      /* the same with a handshake, on a busy or distant machine */
    RECONNECT_MIN_MS = 50,      /* first try again after a lost connection … */
    RECONNECT_MAX_MS = 1000,    /* … and never later than this: a service that is back is used */
    KEEPALIVE_MS = 10000,       /* finds a peer that vanished without a word */
    KEEPALIVE_TIMEOUT_MS = 3000,
    ARGS_MAX = 14,
    HOST_BYTES = 256,
};

struct vt_rpc_channel {
    grpc_channel *grpc; /* in use; with TLS under the lock */
    char *target;       /* owned; as gRPC reads it */
    bool is_several;    /* addresses in it (failover.c) */
    /* What follows is for TLS only. */
    struct vt_rpc_tls *tls;          /* borrowed; NULL: plaintext */
    char *server_name;               /* owned; may be NULL */
    pthread_rwlock_t lock;           /* readers begin calls, the writer changes channels */
    grpc_channel *next;              /* being connected, or NULL */
    atomic_uint_fast64_t generation; /* of the newest of the two; relaxed, the lock orders */
    atomic_bool changing;            /* next != NULL; relaxed, a hint to look */
};

/* ---- gRPC's channel ---- */

static grpc_arg int_arg(const char *key, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_arg text_arg(const char *key, const char *value)
{
    return (grpc_arg){.type = GRPC_ARG_STRING,
                      .key = (char *)(uintptr_t)key,
                      .value.string = (char *)(uintptr_t)value};
}

/* Takes the credentials. */
static grpc_channel *create(const struct vt_rpc_channel *channel, int connect_ms,
                            grpc_channel_credentials *credentials)
{
    grpc_arg args[ARGS_MAX] = {
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, REPLY_BYTES_MAX),
        int_arg(GRPC_ARG_MAX_METADATA_SIZE, VT__METADATA_BYTES_MAX),
        int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MIN_MS),
        /* In spite of its name: how long one attempt may take. */
        int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect_ms),
        int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MAX_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1), /* a channel is a connection of its own */
        text_arg(GRPC_ARG_LB_POLICY_NAME, "round_robin"),
    };
    size_t n = 10;
    if (channel->server_name != NULL)
        args[n++] = text_arg(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, channel->server_name);
    if (channel->is_several) {
        args[n++] = text_arg(GRPC_ARG_SERVICE_CONFIG, vt__failover_config());
        args[n++] = int_arg(GRPC_ARG_EXPERIMENTAL_ENABLE_HEDGING, 1); /* for the attempts' limit */
    }
    grpc_channel_args all = {.num_args = n, .args = args};
    grpc_channel *created = grpc_channel_create(channel->target, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return created;
}

static grpc_channel *create_with_tls(struct vt_rpc_channel *channel)
{
    uint64_t generation = 0;
    grpc_channel_credentials *credentials = vt__tls_channel_credentials(channel->tls, &generation);
    atomic_store_explicit(&channel->generation, generation, memory_order_relaxed);
    return create(channel, TLS_CONNECT_MS, credentials);
}

/* ---- renewal ---- */

static bool is_connected(grpc_channel *channel)
{
    return grpc_channel_check_connectivity_state(channel, 1) == GRPC_CHANNEL_READY;
}

/* Begins a change when the files are new, ends one when the new channel is connected or the old one
 * is not. */
static void renew(struct vt_rpc_channel *channel)
{
    pthread_rwlock_wrlock(&channel->lock);
    if (vt_rpc_tls_generation(channel->tls) !=
        atomic_load_explicit(&channel->generation, memory_order_relaxed)) {
        if (channel->next != NULL)
            grpc_channel_destroy(channel->next);
        channel->next = create_with_tls(channel);
    }
    if (channel->next != NULL && (is_connected(channel->next) || !is_connected(channel->grpc))) {
        grpc_channel_destroy(channel->grpc);
        channel->grpc = channel->next;
        channel->next = NULL;
    }
    atomic_store_explicit(&channel->changing, channel->next != NULL, memory_order_relaxed);
    pthread_rwlock_unlock(&channel->lock);
}

static bool wants_renewal(const struct vt_rpc_channel *channel)
{
    return atomic_load_explicit(&channel->changing, memory_order_relaxed) ||
           vt_rpc_tls_generation(channel->tls) !=
               atomic_load_explicit(&channel->generation, memory_order_relaxed);
}

static grpc_call *create_call(grpc_channel *channel, grpc_completion_queue *queue, const char *path,
                              int64_t deadline_ns)
{
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_call *call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                               method, NULL, vt__timespec(deadline_ns), NULL);
    grpc_slice_unref(method);
    return call;
}

grpc_call *vt__client_call_create(struct vt_rpc_channel *channel, grpc_completion_queue *queue,
                                  const char *path, int64_t deadline_ns)
{
    if (channel->tls == NULL)
        return create_call(channel->grpc, queue, path, deadline_ns);
    if (wants_renewal(channel))
        renew(channel);
    pthread_rwlock_rdlock(&channel->lock);
    grpc_call *call = create_call(channel->grpc, queue, path, deadline_ns);
    pthread_rwlock_unlock(&channel->lock);
    return call;
}

/* ---- life ---- */

/* Several addresses are no name to check: then the first one's host is, for all of them. */
static struct vt_err init_tls(struct vt_rpc_channel *channel,
                              const struct vt_rpc_channel_options *options)
{
    char first_host[HOST_BYTES];
    const char *name = options->server_name;
    if (name == NULL && channel->is_several) {
        vt__target_first_host(options->target, first_host, sizeof first_host);
        name = first_host;
    }
    channel->tls = options->tls;
    channel->server_name = name != NULL ? strdup(name) : NULL;
    VT_CHECK(name == NULL || channel->server_name != NULL, VT_EXHAUSTED, "no memory for a channel");
    channel->grpc = create_with_tls(channel);
    return vt_ok();
}

static struct vt_err init(struct vt_rpc_channel *channel,
                          const struct vt_rpc_channel_options *options)
{
    char target[VT__TARGET_BYTES];
    VT_TRY(vt__target_for_grpc(options->target, target, sizeof target, &channel->is_several));
    channel->target = strdup(target);
    VT_CHECK(channel->target != NULL, VT_EXHAUSTED, "no memory for a channel");
    if (options->tls != NULL)
        return init_tls(channel, options);
    channel->grpc = create(channel, CONNECT_MS, grpc_insecure_credentials_create());
    return vt_ok();
}

struct vt_err vt_rpc_channel_open(const struct vt_rpc_channel_options *options,
                                  struct vt_rpc_channel **ret)
{
    VT_CHECK(options->target != NULL && options->target[0] != '\0', VT_INVALID, "an empty address");
    struct vt_rpc_channel *channel = calloc(1, sizeof *channel);
    VT_CHECK(channel != NULL, VT_EXHAUSTED, "no memory for a channel");
    vt__grpc_acquire();
    pthread_rwlock_init(&channel->lock, NULL);
    struct vt_err err = init(channel, options);
    if (vt_failed(err))
        vt_rpc_channel_free(channel);
    else
        *ret = channel;
    return err;
}

struct vt_err vt_rpc_channel_new(const char *target, struct vt_rpc_channel **ret)
{
    return vt_rpc_channel_open(&(struct vt_rpc_channel_options){.target = target}, ret);
}

void vt_rpc_channel_free(struct vt_rpc_channel *channel)
{
    if (channel == NULL)
        return;
    if (channel->grpc != NULL)
        grpc_channel_destroy(channel->grpc);
    if (channel->next != NULL)
        grpc_channel_destroy(channel->next);
    vt__grpc_release();
    pthread_rwlock_destroy(&channel->lock);
    free(channel->target);
    free(channel->server_name);
    free(channel);
}
