/*
 * The server's life: registering, binding, threads, and above all the order of stopping. Each
 * serving thread owns a completion queue, its pools of calls and arenas, and posts slots for every
 * method on its queue; a call stays on the thread where it arrived. What threads share is immutable
 * after _start, or atomic, or the list of live streams behind a mutex that unary calls never take.
 */
#include "services/common/rpc/server.h"

#include "services/common/base/metrics.h"
#include "services/common/rpc/accept.h"
#include "services/common/rpc/handshake.h"
#include "services/common/rpc/listen.h"
#include "services/common/rpc/server_internal.h"
#include "services/common/rpc/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    SLOTS_PER_METHOD = 32, /* posted per thread: calls that may arrive between two events */
    METHODS_MAX = 128,
    DEFAULT_MAX_IN_FLIGHT = 1024,
    DEFAULT_ARENA_BYTES = 256 * 1024,
    PING_INTERVAL_MIN_MS = 5000, /* callers that ping more often are cut off */
    HANDSHAKE_MS = 10000,        /* from accept to the first SETTINGS; gRPC's own is two minutes */
    /* A caller that vanished without a word holds its descriptor no longer than these two. */
    KEEPALIVE_MS = 60000,
    KEEPALIVE_TIMEOUT_MS = 20000,
};

/* ---- before start ---- */

static struct vt_err copy_text(const char *text, const char **ret_copy)
{
    if (text == NULL)
        return vt_ok();
    *ret_copy = strdup(text);
    VT_CHECK(*ret_copy != NULL, VT_EXHAUSTED, "no memory for a server");
    return vt_ok();
}

static void apply_defaults(struct vt_rpc_server_options *options)
{
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->n_threads == 0)
        options->n_threads = n_cores > 0 ? (unsigned)n_cores : 1;
    if (options->max_in_flight == 0)
        options->max_in_flight = DEFAULT_MAX_IN_FLIGHT;
    if (options->arena_bytes < sizeof(struct vt__arena_block))
        options->arena_bytes = DEFAULT_ARENA_BYTES;
}

static struct vt_err init(struct vt_rpc_server *server, const struct vt_rpc_server_options *options)
{
    server->options = *options;
    server->options.listen = server->options.admin_path = NULL;
    apply_defaults(&server->options);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&server->mutex, NULL);
    vt__grpc_acquire();
    VT_TRY(copy_text(options->listen, &server->options.listen));
    VT_TRY(copy_text(options->admin_path, &server->options.admin_path));
    server->methods = calloc(METHODS_MAX, sizeof *server->methods);
    VT_CHECK(server->methods != NULL, VT_EXHAUSTED, "no memory for a server");
    VT_TRY(vt__health_new(server, &server->health));
    VT_TRY(vt__reflection_new(server, &server->reflection));
    VT_TRY(vt_rpc_server_add(server, vt__health_methods, VT__N_HEALTH_METHODS, server->health));
    return vt_rpc_server_add(server, vt__reflection_methods, VT__N_REFLECTION_METHODS,
                             server->reflection);
}

struct vt_err vt_rpc_server_new(const struct vt_rpc_server_options *options,
                                struct vt_rpc_server **ret_server)
{
    struct vt_rpc_server *server = calloc(1, sizeof *server);
    VT_CHECK(server != NULL, VT_EXHAUSTED, "no memory for a server");
    struct vt_err err = init(server, options);
    if (vt_failed(err)) {
        vt_rpc_server_free(server);
        return err;
    }
    *ret_server = server;
    return vt_ok();
}

struct vt_err vt_rpc_server_add(struct vt_rpc_server *server, const struct vt_rpc_method *methods,
                                size_t n_methods, void *service)
{
    VT_CHECK(!server->started, VT_PRECONDITION, "methods are added before the server starts");
    VT_CHECK(n_methods < METHODS_MAX - server->n_methods, VT_EXHAUSTED, "too many methods");
    for (size_t i = 0; i < n_methods; i++)
        server->methods[server->n_methods++] =
            (struct vt__method){.row = &methods[i], .service = service};
    return vt_ok();
}

struct vt_slice vt__service_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash > path ? vt_slice(path + 1, (size_t)(slash - path - 1))
                                         : vt_slice_str("");
}

bool vt__server_has_service(const struct vt_rpc_server *server, struct vt_slice name)
{
    for (size_t i = 0; i < server->n_methods; i++)
        if (server->methods[i].row != &vt__catch_all &&
            vt_slice_equal(vt__service_of(server->methods[i].row->path), name))
            return true;
    return false;
}

/* ---- metrics ---- */

/* From 100 µs, where an answer from memory lies, to the longest deadline anybody sets. */
static const double seconds_bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                        0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
enum { N_SECONDS_BOUNDS = sizeof seconds_bounds / sizeof seconds_bounds[0] };

static const char *kind_name(enum vt_rpc_kind kind)
{
    static const char *const names[] = {
        [VT_RPC_UNARY] = "unary",
        [VT_RPC_SERVER_STREAM] = "server_stream",
        [VT_RPC_BATCH_STREAM] = "server_stream",
        [VT_RPC_BIDI_STREAM] = "bidi_stream",
    };
    return names[kind];
}

static void register_metrics(struct vt_metrics *metrics, struct vt__method *method)
{
    char labels[512], with_code[600];
    struct vt_slice service = vt__service_of(method->row->path);
    const char *slash = strrchr(method->row->path, '/');
    snprintf(labels, sizeof labels, "grpc_type=\"%s\",grpc_service=\"%.*s\",grpc_method=\"%s\"",
             kind_name(method->row->kind), (int)service.len, service.data, slash + 1);
    method->started =
        vt_metrics_counter(metrics, "grpc_server_started_total", "Calls that arrived.", labels);
    method->seconds = vt_metrics_histogram(metrics, "grpc_server_handling_seconds",
                                           "Time from arrival to answer.", labels, seconds_bounds,
                                           N_SECONDS_BOUNDS);
    for (int code = 0; code < VT_CODE_COUNT; code++) {
        const char *name = vt_rpc_status_name(vt_rpc_status_from_code((enum vt_code)code));
        snprintf(with_code, sizeof with_code, "%s,grpc_code=\"%s\"", labels, name);
        method->handled[code] = vt_metrics_counter(metrics, "grpc_server_handled_total",
                                                   "Calls answered, by status.", with_code);
    }
}

/* ---- start ---- */

static void answer_unknown(struct vt_rpc_call *call, void *service)
{
    (void)service;
    vt_diag_set(vt_rpc_call_request(call)->diag, "",
                "no such method here; list what there is by reflection (grpcurl … list)");
    vt_rpc_call_fail(call, VT_ERR(VT_UNIMPLEMENTED, "unknown method"));
}

/* Whatever is not registered ends here; without it such calls would hang to their deadline. */
const struct vt_rpc_method vt__catch_all = {
    .path = "/other/other",
    .handler = answer_unknown,
    .kind = VT_RPC_UNARY,
    .roles = VT_CALLER_ANY,
};

static int largest_request(const struct vt_rpc_server *server)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < server->n_methods; i++)
        if (server->methods[i].row->max_request_bytes > largest)
            largest = server->methods[i].row->max_request_bytes;
    return largest < INT32_MAX ? (int)largest : INT32_MAX;
}

static grpc_arg int_arg(const char *key, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_server *create_grpc_server(const struct vt_rpc_server *server)
{
    grpc_arg args[] = {
        int_arg(GRPC_ARG_ALLOW_REUSEPORT, 0), /* a second server shall fail, not share the port */
        int_arg(GRPC_ARG_MAX_METADATA_SIZE, VT__METADATA_BYTES_MAX),
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, largest_request(server)),
        int_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MIN_MS),
        int_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0), /* else an idle caller gets only two */
        /* Identity only: a request limit holds for what arrives, not for what it unpacks to. */
        int_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE),
    };
    grpc_channel_args all = {.num_args = sizeof args / sizeof args[0], .args = args};
    return grpc_server_create(&all, NULL);
}

/* Takes the credentials. */
static struct vt_err bind_address(struct vt_rpc_server *server, const char *address,
                                  grpc_server_credentials *credentials, int *ret_port,
                                  struct vt_diag *diag)
{
    int port = grpc_server_add_http2_port(server->grpc, address, credentials);
    grpc_server_credentials_release(credentials);
    if (port == 0) {
        vt_diag_set(diag, "listen",
                    "cannot listen on %s: the port is taken, or the address is not of this "
                    "machine; choose another, or stop the process that has it",
                    address);
        return VT_ERR(VT_UNAVAILABLE, "cannot listen");
    }
    *ret_port = port;
    return vt_ok();
}

static struct vt_err bind_port(struct vt_rpc_server *server, int *ret_port, struct vt_diag *diag)
{
    const struct vt_rpc_server_options *options = &server->options;
    if (options->tls == NULL && !options->plaintext_from_anywhere)
        VT_TRY(vt_rpc_listen_check(options->listen, diag));
    grpc_server_credentials *credentials =
        options->tls != NULL ? vt__tls_server_credentials(&server->tls_port, options->tls)
                             : grpc_insecure_server_credentials_create();
    return bind_address(server, options->listen, credentials, ret_port, diag);
}

/* True when somebody answers on the Unix socket; a file that nobody listens on is stale. */
static bool socket_in_use(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool in_use = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    close(fd);
    return in_use;
}

static struct vt_err bind_admin(struct vt_rpc_server *server, struct vt_diag *diag)
{
    const char *path = server->options.admin_path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        vt_diag_set(diag, "admin_path", "%s is longer than a Unix socket's name may be (%zu bytes)",
                    path, sizeof address.sun_path - 1);
        return VT_ERR(VT_INVALID, "admin socket path is too long");
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (socket_in_use(&address)) {
        vt_diag_set(diag, "admin_path", "another process listens on %s; stop it first", path);
        return VT_ERR(VT_UNAVAILABLE, "admin socket is in use");
    }
    char target[sizeof address.sun_path + 8];
    snprintf(target, sizeof target, "unix:%s", path);
    unlink(path);
    mode_t old_mask = umask(0177); /* 0600 from its first moment */
    int ignored_port = 0;
    struct vt_err err = bind_address(server, target, grpc_local_server_credentials_create(UDS),
                                     &ignored_port, diag);
    umask(old_mask);
    return err;
}

static void on_shut_down(void *owner, bool ok)
{
    struct vt_rpc_server *server = owner;
    (void)ok;
    pthread_mutex_lock(&server->mutex);
    server->shut_down = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

static void *serve(void *argument)
{
    struct vt__worker *worker = argument;
    vt__worker_run(worker);
    return NULL;
}

static struct vt_err create_workers(struct vt_rpc_server *server)
{
    server->workers = calloc(server->options.n_threads, sizeof *server->workers);
    VT_CHECK(server->workers != NULL, VT_EXHAUSTED, "no memory for serving threads");
    for (; server->n_workers < server->options.n_threads; server->n_workers++) {
        struct vt__worker *worker = &server->workers[server->n_workers];
        worker->owed_slots = calloc(server->n_methods, sizeof *worker->owed_slots);
        VT_CHECK(worker->owed_slots != NULL, VT_EXHAUSTED, "no memory for serving threads");
        VT_TRY(vt__admission_init(&worker->admission, (uint32_t)server->n_methods));
        worker->server = server;
        vt_trace_ids_init(&worker->trace_ids);
        vt__loop_init(&worker->loop);
        grpc_server_register_completion_queue(server->grpc, worker->loop.queue, NULL);
    }
    return vt_ok();
}

static void register_methods(struct vt_rpc_server *server)
{
    server->methods[server->n_methods++] = (struct vt__method){.row = &vt__catch_all};
    for (size_t i = 0; i < server->n_methods; i++) {
        struct vt__method *method = &server->methods[i];
        register_metrics(server->options.metrics, method);
        if (method->row == &vt__catch_all)
            continue;
        method->registration = grpc_server_register_method(
            server->grpc, method->row->path, NULL,
            method->row->kind == VT_RPC_BIDI_STREAM ? GRPC_SRM_PAYLOAD_NONE
                                                    : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
            0);
        VT_ASSERT(method->registration != NULL); /* two rows with one path */
    }
    vt__admission_register(server->options.metrics, &server->admission_counts);
    server->in_flight_gauge = vt_metrics_gauge(server->options.metrics, "grpc_server_in_flight",
                                               "Calls arrived and not yet finished.", "");
}

static void post_slots(struct vt__worker *worker)
{
    for (size_t i = 0; i < worker->server->n_methods; i++)
        for (int slot = 0; slot < SLOTS_PER_METHOD; slot++)
            vt__slot_post(worker, &worker->server->methods[i]);
}

static void start_threads(struct vt_rpc_server *server)
{
    for (unsigned i = 0; i < server->n_workers; i++) {
        struct vt__worker *worker = &server->workers[i];
        int error = pthread_create(&worker->thread, NULL, serve, worker);
        /* Half the threads would leave half the queues unserved, and calls in them would hang. */
        VT_ASSERT(error == 0);
    }
}

struct vt_err vt_rpc_server_start(struct vt_rpc_server *server, struct vt_diag *diag)
{
    VT_CHECK(server->grpc == NULL, VT_PRECONDITION, "a server starts once");
    server->grpc = create_grpc_server(server);
    register_methods(server);
    vt__accept_count(server->options.metrics);
    vt__handshake_count(server->options.metrics);
    VT_TRY(create_workers(server));
    int port = 0;
    if (server->options.listen != NULL)
        VT_TRY(bind_port(server, &port, diag));
    if (server->options.admin_path != NULL)
        VT_TRY(bind_admin(server, diag));
    server->port = (uint16_t)port;
    server->shutdown_tag = (struct vt__tag){on_shut_down, server};
    grpc_server_start(server->grpc);
    for (unsigned i = 0; i < server->n_workers; i++)
        post_slots(&server->workers[i]);
    server->started = true;
    start_threads(server);
    return vt_ok();
}

uint16_t vt_rpc_server_port(const struct vt_rpc_server *server)
{
    return server->port;
}

void vt_rpc_server_set_serving(struct vt_rpc_server *server, bool serving)
{
    vt__health_set(server->health, serving);
}

/* ---- stop ---- */

static void linger(uint32_t linger_ms)
{
    struct timespec left = {.tv_sec = linger_ms / 1000, .tv_nsec = (linger_ms % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* gRPC's word that its side is done is not enough: to it a cancelled call is over, while our answer
 * of it may still be coming from another thread and needs the queue. Under the mutex. */
static bool all_done(const struct vt_rpc_server *server)
{
    return server->shut_down && atomic_load_explicit(&server->n_live, memory_order_seq_cst) == 0;
}

/* Waits until no call is left; cancels what is left at the grace deadline. */
static void wait_for_calls(struct vt_rpc_server *server)
{
    int64_t grace_ns = vt__now_ns() + (int64_t)server->options.drain_grace_ms * 1000000;
    struct timespec until = {.tv_sec = grace_ns / 1000000000, .tv_nsec = grace_ns % 1000000000};
    pthread_mutex_lock(&server->mutex);
    while (!all_done(server))
        if (pthread_cond_timedwait(&server->changed, &server->mutex, &until) == ETIMEDOUT)
            break;
    bool done = all_done(server);
    pthread_mutex_unlock(&server->mutex);
    if (done)
        return;
    grpc_server_cancel_all_calls(server->grpc);
    pthread_mutex_lock(&server->mutex);
    while (!all_done(server))
        pthread_cond_wait(&server->changed, &server->mutex);
    pthread_mutex_unlock(&server->mutex);
}

void vt_rpc_server_drain(struct vt_rpc_server *server, uint32_t linger_ms)
{
    if (!server->started || server->drained)
        return;
    vt_rpc_server_set_serving(server, false);
    linger(linger_ms);
    atomic_store_explicit(&server->stopping, true, memory_order_seq_cst);
    grpc_server_shutdown_and_notify(server->grpc, server->workers[0].loop.queue,
                                    &server->shutdown_tag);
    vt__streams_cancel(server);
    wait_for_calls(server);
    for (unsigned i = 0; i < server->n_workers; i++)
        grpc_completion_queue_shutdown(server->workers[i].loop.queue);
    for (unsigned i = 0; i < server->n_workers; i++)
        pthread_join(server->workers[i].thread, NULL);
    /* Destroying with a call alive loses it, and nothing else would show it. */
    VT_ASSERT(atomic_load_explicit(&server->n_live, memory_order_relaxed) == 0);
    if (server->options.admin_path != NULL)
        unlink(server->options.admin_path);
    server->drained = true;
}

/* gRPC wants a shutdown before the destroy, also of a server that could not bind. */
static void shut_down_unstarted(struct vt_rpc_server *server)
{
    if (server->n_workers == 0)
        return;
    server->shutdown_tag = (struct vt__tag){on_shut_down, server};
    grpc_server_shutdown_and_notify(server->grpc, server->workers[0].loop.queue,
                                    &server->shutdown_tag);
    while (!server->shut_down)
        vt_rpc_loop_run_one(&server->workers[0].loop, INT64_MAX);
}

static void free_worker(struct vt__worker *worker)
{
    vt__loop_fini(&worker->loop);
    vt__worker_free_pools(worker);
    vt__admission_fini(&worker->admission);
    free(worker->owed_slots);
}

void vt_rpc_server_free(struct vt_rpc_server *server)
{
    if (server == NULL)
        return;
    vt_rpc_server_drain(server, 0);
    if (server->grpc != NULL && !server->started)
        shut_down_unstarted(server);
    if (server->grpc != NULL)
        grpc_server_destroy(server->grpc);
    for (unsigned i = 0; i < server->n_workers; i++)
        free_worker(&server->workers[i]);
    vt__accept_forget(server->options.metrics);
    vt__handshake_forget(server->options.metrics);
    vt__health_free(server->health);
    vt__reflection_free(server->reflection);
    vt__grpc_release();
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server->workers);
    free(server->methods);
    free((void *)(uintptr_t)server->options.listen);
    free((void *)(uintptr_t)server->options.admin_path);
    free(server);
}
