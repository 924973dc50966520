/*
 * What no service can beat on this machine: an echo server on the bare gRPC C core with the same
 * queue and thread per core as ours and nothing else: no pools, limits, deadlines, metrics,
 * decoding. It is the one program outside services/common/rpc that includes <grpc/…>, because our
 * layers are what it is compared with. Every method is answered with the same bytes: the unary
 * calls of the contract are registered (their request arrives with the call, as in our server),
 * anything else falls to the catch-all. Only Health/Check has an answer of its own, so that a
 * gateway that asks it will pass calls on; with certificates it is the service that such a gateway
 * expects. It runs until SIGINT or SIGTERM.
 */
#include "loadtest/load.h"
#include "services/common/base/file.h"
#include "services/common/base/options.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 256, REPLY_BYTES_MIN = 5, REPLY_BYTES_MAX = 1 << 20, FILLER_FIELD = 100 };
enum { PEM_MAX_BYTES = 1 << 20 };

struct floor_options {
    const char *listen;
    const char *tls_cert, *tls_key, *tls_ca; /* all or none */
    uint32_t reply_bytes, threads;
};

struct floor_server {
    grpc_server *grpc;
    grpc_slice echo, healthy;
};

struct floor_queue {
    struct floor_server *server;
    grpc_completion_queue *queue;
    pthread_t thread;
};

/* A slot, then a call, then a slot again. */
struct slot {
    struct floor_queue *owner;
    void *method;            /* NULL: the catch-all */
    grpc_slice *reply_bytes; /* borrows one of the server's */
    grpc_call *call;
    gpr_timespec deadline;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *request, *reply;
    int cancelled;
    bool answering;
};

static const char *const paths[] = {
    "/vitrine.v1.RecommendationService/Recommend",
    "/vitrine.v1.RecommendationService/Rank",
    "/vitrine.v1.RecommendationService/SimilarItems",
    "/vitrine.v1.EventService/WriteEvents",
};
enum { N_PATHS = sizeof paths / sizeof paths[0] };
static const char health_path[] = "/grpc.health.v1.Health/Check";
static const char health_reply[] = {1 << 3, 1}; /* HealthCheckResponse: status SERVING */

/* False once the server is shutting down: then the slot is let go. */
static bool post(struct slot *slot)
{
    struct floor_queue *owner = slot->owner;
    slot->answering = false;
    slot->metadata.count = 0;
    grpc_call_error error;
    if (slot->method != NULL)
        error = grpc_server_request_registered_call(
            owner->server->grpc, slot->method, &slot->call, &slot->deadline, &slot->metadata,
            &slot->request, owner->queue, owner->queue, slot);
    else
        error = grpc_server_request_call(owner->server->grpc, &slot->call, &slot->details,
                                         &slot->metadata, owner->queue, owner->queue, slot);
    return error == GRPC_CALL_OK;
}

static void answer(struct slot *slot)
{
    grpc_op ops[4] = {{.op = GRPC_OP_RECV_CLOSE_ON_SERVER},
                      {.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
    slot->reply = grpc_raw_byte_buffer_create(slot->reply_bytes, 1);
    slot->answering = true;
    ops[0].data.recv_close_on_server.cancelled = &slot->cancelled;
    ops[2].data.send_message.send_message = slot->reply;
    ops[3].data.send_status_from_server.status = GRPC_STATUS_OK;
    VT_ASSERT(grpc_call_start_batch(slot->call, ops, 4, slot, NULL) == GRPC_CALL_OK);
}

static void release(struct slot *slot)
{
    if (slot->method == NULL) {
        grpc_call_details_destroy(&slot->details);
        grpc_call_details_init(&slot->details);
    }
    grpc_byte_buffer_destroy(slot->request);
    grpc_byte_buffer_destroy(slot->reply);
    slot->request = slot->reply = NULL;
    grpc_call_unref(slot->call);
}

static void slot_free(struct slot *slot)
{
    grpc_metadata_array_destroy(&slot->metadata);
    grpc_call_details_destroy(&slot->details);
    free(slot);
}

static void advance(struct slot *slot, bool ok)
{
    if (!slot->answering && ok) {
        answer(slot);
        return;
    }
    if (slot->answering)
        release(slot);
    if ((!ok && !slot->answering) || !post(slot))
        slot_free(slot);
}

static void *serve(void *argument)
{
    struct floor_queue *owner = argument;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(owner->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type != GRPC_OP_COMPLETE)
            return NULL;
        if (event.tag != owner) /* the owner itself is the tag of the shutdown */
            advance(event.tag, event.success != 0);
        else
            grpc_completion_queue_shutdown(owner->queue);
    }
}

static void post_slots(struct floor_queue *owner, void *method, grpc_slice *reply_bytes)
{
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = calloc(1, sizeof *slot);
        VT_ASSERT(slot != NULL);
        slot->owner = owner;
        slot->method = method;
        slot->reply_bytes = reply_bytes;
        grpc_metadata_array_init(&slot->metadata);
        grpc_call_details_init(&slot->details);
        if (!post(slot))
            slot_free(slot);
    }
}

/* One unknown field of the reply message, so that any protobuf reader can skip it. */
static grpc_slice make_reply(uint32_t n_bytes)
{
    grpc_slice slice = grpc_slice_malloc(n_bytes);
    unsigned char *bytes = GRPC_SLICE_START_PTR(slice);
    memset(bytes, 'x', n_bytes);
    unsigned char head[5] = {((FILLER_FIELD << 3 | 2) & 0x7F) | 0x80, FILLER_FIELD >> 4};
    uint32_t body = n_bytes - (uint32_t)sizeof head;
    head[2] = (unsigned char)(body | 0x80);
    head[3] = (unsigned char)(body >> 7 | 0x80);
    head[4] = (unsigned char)(body >> 14);
    memcpy(bytes, head, sizeof head);
    return slice;
}

static void *register_method(struct floor_server *server, const char *path)
{
    return grpc_server_register_method(server->grpc, path, NULL,
                                       GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
}

static void start(struct floor_server *server, struct floor_queue *queues, uint32_t n_queues)
{
    void *methods[N_PATHS];
    for (int i = 0; i < N_PATHS; i++)
        methods[i] = register_method(server, paths[i]);
    void *health = register_method(server, health_path);
    for (uint32_t i = 0; i < n_queues; i++) {
        queues[i].server = server;
        queues[i].queue = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(server->grpc, queues[i].queue, NULL);
    }
    grpc_server_start(server->grpc);
    for (uint32_t i = 0; i < n_queues; i++) {
        for (int m = 0; m < N_PATHS; m++)
            post_slots(&queues[i], methods[m], &server->echo);
        post_slots(&queues[i], health, &server->healthy);
        post_slots(&queues[i], NULL, &server->echo);
        VT_ASSERT(pthread_create(&queues[i].thread, NULL, serve, &queues[i]) == 0);
    }
}

static void stop(struct floor_server *server, struct floor_queue *queues, uint32_t n_queues)
{
    /* Each queue hears of the end with its own tag, and closes itself. */
    for (uint32_t i = 0; i < n_queues; i++)
        grpc_server_shutdown_and_notify(server->grpc, queues[i].queue, &queues[i]);
    grpc_server_cancel_all_calls(server->grpc);
    for (uint32_t i = 0; i < n_queues; i++)
        pthread_join(queues[i].thread, NULL);
    grpc_server_destroy(server->grpc);
    for (uint32_t i = 0; i < n_queues; i++)
        grpc_completion_queue_destroy(queues[i].queue);
}

/* Plaintext, or with certificates what a part of a cell asks of its callers: one of the same
 * authorities. The files are read once. */
static struct vt_err make_credentials(const struct floor_options *options, struct vt_diag *diag,
                                      grpc_server_credentials **ret_credentials)
{
    if (options->tls_cert == NULL) {
        *ret_credentials = grpc_insecure_server_credentials_create();
        return vt_ok();
    }
    char *cert = NULL, *key = NULL, *ca = NULL;
    size_t len;
    struct vt_err err = vt_file_read(options->tls_cert, PEM_MAX_BYTES, diag, &cert, &len);
    if (!vt_failed(err))
        err = vt_file_read(options->tls_key, PEM_MAX_BYTES, diag, &key, &len);
    if (!vt_failed(err))
        err = vt_file_read(options->tls_ca, PEM_MAX_BYTES, diag, &ca, &len);
    if (!vt_failed(err)) {
        grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = cert};
        *ret_credentials = grpc_ssl_server_credentials_create_ex(
            ca, &pair, 1, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, NULL);
    }
    free(cert);
    free(key);
    free(ca);
    return err;
}

/* The port, or 0. */
static int listen_on(grpc_server *grpc, const struct floor_options *options)
{
    struct vt_diag diag = {0};
    grpc_server_credentials *credentials = NULL;
    if (vt_failed(make_credentials(options, &diag, &credentials))) {
        fprintf(stderr, "vitrine-load floor: %s: %s\n", diag.field, diag.text);
        return 0;
    }
    int port = grpc_server_add_http2_port(grpc, options->listen, credentials);
    grpc_server_credentials_release(credentials);
    if (port == 0)
        fprintf(
            stderr,
            "vitrine-load floor: cannot listen on %s; is it taken? are the certificates whole?\n",
            options->listen);
    return port;
}

static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL); /* before gRPC makes threads */
}

static int run(const struct floor_options *options)
{
    sigset_t signals;
    block_signals(&signals);
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t n_queues = options->threads > 0 ? options->threads : (uint32_t)n_cores;
    struct floor_queue *queues = calloc(n_queues, sizeof *queues);
    VT_ASSERT(queues != NULL);
    grpc_init();
    grpc_arg no_sharing = {.type = GRPC_ARG_INTEGER,
                           .key = (char *)(uintptr_t)GRPC_ARG_ALLOW_REUSEPORT,
                           .value.integer = 0};
    grpc_channel_args args = {.num_args = 1, .args = &no_sharing};
    struct floor_server server = {
        .grpc = grpc_server_create(&args, NULL),
        .echo = make_reply(options->reply_bytes),
        .healthy = grpc_slice_from_static_buffer(health_reply, sizeof health_reply)};
    int port = listen_on(server.grpc, options);
    if (port == 0)
        return LOAD_EXIT_FAILED; /* the system takes back what a failed start holds */
    start(&server, queues, n_queues);
    fprintf(stderr, "vitrine-load floor: port %d, %u queues, %u bytes a reply\n", port, n_queues,
            options->reply_bytes);
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    stop(&server, queues, n_queues);
    grpc_slice_unref(server.echo);
    free(queues);
    grpc_shutdown();
    return LOAD_EXIT_DONE;
}

static const struct vt_option table[] = {
    {"listen", VT_OPTION_TEXT, offsetof(struct floor_options, listen), "ADDR",
     "address to serve on", .fallback = "127.0.0.1:7499"},
    {"reply-bytes", VT_OPTION_U32, offsetof(struct floor_options, reply_bytes), "N",
     "size of every reply", .fallback = "1024", .min = REPLY_BYTES_MIN, .max = REPLY_BYTES_MAX},
    {"threads", VT_OPTION_U32, offsetof(struct floor_options, threads), "N",
     "queues and threads; 0: one per core", .fallback = "0", .min = 0, .max = 256},
    {"tls-cert", VT_OPTION_TEXT, offsetof(struct floor_options, tls_cert), "FILE",
     "speak TLS with this certificate, PEM; with the next two or none", .fallback = NULL},
    {"tls-key", VT_OPTION_TEXT, offsetof(struct floor_options, tls_key), "FILE",
     "its key, PEM without passphrase", .fallback = NULL},
    {"tls-ca", VT_OPTION_TEXT, offsetof(struct floor_options, tls_ca), "FILE",
     "authorities of callers' certificates, PEM", .fallback = NULL},
};

static struct vt_err check(const struct floor_options *options, struct vt_diag *diag)
{
    bool any = options->tls_cert != NULL || options->tls_key != NULL || options->tls_ca != NULL;
    bool all = options->tls_cert != NULL && options->tls_key != NULL && options->tls_ca != NULL;
    if (any == all)
        return vt_ok();
    vt_diag_set(diag, "tls-cert", "give all of --tls-cert, --tls-key and --tls-ca, or none");
    return VT_ERR(VT_INVALID, "certificate files are missing");
}

int load_floor(int argc, char **argv)
{
    static const struct vt_options_spec spec = {
        .command = "vitrine-load floor",
        .summary = "An echo server on the bare gRPC C core: what no service can beat here.",
        .example = "vitrine-load floor --listen 127.0.0.1:7499 --reply-bytes 1024",
        .options = table,
        .n_options = sizeof table / sizeof table[0],
    };
    struct floor_options options = {0};
    struct vt_options parsed = {0};
    struct vt_diag diag = {0};
    bool help = false;
    int exit_status = LOAD_EXIT_USAGE;
    struct vt_err err = vt_options_parse(&spec, argc, argv, &options, &parsed, &help, &diag);
    if (!vt_failed(err) && !help)
        err = check(&options, &diag);
    if (vt_failed(err))
        fprintf(stderr, "vitrine-load floor: %s%s%s\n", diag.field,
                diag.field[0] != '\0' ? ": " : "", diag.text);
    else
        exit_status = help ? LOAD_EXIT_DONE : run(&options);
    vt_options_fini(&parsed);
    return exit_status;
}
