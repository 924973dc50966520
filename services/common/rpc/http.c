/* libmicrohttpd with one thread: pages are small and asked for every few seconds. */
#include "services/common/rpc/http.h"

#include "services/common/base/metrics.h"
#include "services/common/base/process_metrics.h"
#include "services/common/rpc/accept.h"
#include "services/common/rpc/dial.h"
#include "services/common/rpc/tls_files.h"
#include "services/common/rpc/tls_internal.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_TIMEOUT_S = 15, CONNECTION_BYTES = 32 * 1024, REASON_BYTES = 256 };

struct vt_http_server {
    struct MHD_Daemon *daemon;
    struct vt_http_options options; /* borrows all but listen and grpc_target */
    char *grpc_target;              /* owned */
};

/* ---- pages ---- */

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
                             struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection, unsigned status,
                                  const char *text)
{
    return reply(connection, status, "text/plain; charset=utf-8",
                 MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                 MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result show_metrics(struct vt_http_server *server,
                                    struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        return reply_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    vt_metrics_render(server->options.metrics, out);
    vt_process_metrics_render(out);
    fclose(out);
    return reply(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                 MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result show_live(struct vt_http_server *server, struct MHD_Connection *connection)
{
    char text[REASON_BYTES];
    bool outdated;
    struct vt_err err = vt_rpc_dial_self(server->grpc_target, server->options.tls, &outdated);
    if (!vt_failed(err))
        return reply_text(
            connection, MHD_HTTP_OK,
            outdated ? "alive, but the certificate is out of date: nobody new can connect\n"
                     : "ok\n");
    snprintf(text, sizeof text, "the gRPC port %s does not answer: %s\n", server->grpc_target,
             err.what);
    return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static enum MHD_Result show_ready(struct vt_http_server *server, struct MHD_Connection *connection)
{
    char reason[REASON_BYTES] = "", text[REASON_BYTES + 16];
    const struct vt_http_options *options = &server->options;
    if (options->is_ready == NULL || options->is_ready(options->ready_ctx, reason, sizeof reason))
        return reply_text(connection, MHD_HTTP_OK, "ready\n");
    snprintf(text, sizeof text, "not ready: %s\n", reason);
    return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static const struct {
    const char *path;
    enum MHD_Result (*show)(struct vt_http_server *server, struct MHD_Connection *connection);
} pages[] = {
    {"/metrics", show_metrics},
    {"/livez", show_live},
    {"/readyz", show_ready},
};
enum { N_PAGES = sizeof pages / sizeof pages[0] };

static enum MHD_Result refuse_verb(struct MHD_Connection *connection)
{
    static const char text[] = "only GET\n";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof text - 1, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", response);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *verb, const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    (void)version;
    (void)upload;
    if (*upload_len > 0) { /* a body nobody wants: read it away, then answer */
        *upload_len = 0;
        return MHD_YES;
    }
    if (*state == NULL) { /* first of two or more calls: only the headers are there */
        *state = ctx;
        return MHD_YES;
    }
    if (strcmp(verb, MHD_HTTP_METHOD_GET) != 0 && strcmp(verb, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse_verb(connection);
    for (int i = 0; i < N_PAGES; i++)
        if (strcmp(path, pages[i].path) == 0)
            return pages[i].show(ctx, connection);
    return reply_text(connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /livez and /readyz\n");
}

/* ---- life ---- */

/* "host:port" with a numeric host, IPv6 in brackets. */
static struct vt_err resolve(const char *listen, struct addrinfo **ret_address)
{
    char host[64];
    const char *colon = strrchr(listen, ':');
    VT_CHECK(colon != NULL && colon > listen && (size_t)(colon - listen) < sizeof host, VT_INVALID,
             "not an address of the form host:port");
    const char *from = listen[0] == '[' ? listen + 1 : listen;
    size_t len = (size_t)(colon - from) - (listen[0] == '[' ? 1 : 0);
    memcpy(host, from, len);
    host[len] = '\0';
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    VT_CHECK(getaddrinfo(host, colon + 1, &hints, ret_address) == 0, VT_INVALID,
             "not an address of the form host:port");
    return vt_ok();
}

static struct vt_err listen_on(struct vt_http_server *server, const char *listen)
{
    struct addrinfo *address = NULL;
    VT_TRY(resolve(listen, &address));
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL;
    if (address->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, address->ai_addr,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)VT_HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_END);
    freeaddrinfo(address);
    VT_CHECK(server->daemon != NULL, VT_UNAVAILABLE, "cannot listen");
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    if (info != NULL)
        vt__accept_exempt(info->listen_fd);
    return vt_ok();
}

struct vt_err vt_http_server_start(const struct vt_http_options *options, struct vt_diag *diag,
                                   struct vt_http_server **ret_server)
{
    struct vt_http_server *server = calloc(1, sizeof *server);
    VT_CHECK(server != NULL, VT_EXHAUSTED, "no memory for the HTTP server");
    server->options = *options;
    server->grpc_target = strdup(options->grpc_target);
    struct vt_err err = server->grpc_target != NULL ? listen_on(server, options->listen)
                                                    : VT_ERR(VT_EXHAUSTED, "no memory");
    if (vt_failed(err)) {
        vt_diag_set(diag, "http", "cannot serve HTTP on %s: %s; choose another address",
                    options->listen, err.code == VT_UNAVAILABLE ? "it is taken" : err.what);
        vt_http_server_stop(server);
        return err;
    }
    *ret_server = server;
    return vt_ok();
}

uint16_t vt_http_server_port(const struct vt_http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info != NULL ? info->port : 0;
}

void vt_http_server_stop(struct vt_http_server *server)
{
    if (server == NULL)
        return;
    vt__accept_exempt(-1);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    free(server->grpc_target);
    free(server);
}
