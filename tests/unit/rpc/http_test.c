/* The operator's pages, asked over a socket as a probe would. */
#include "services/common/base/metrics.h"
#include "services/common/rpc/http.h"
#include "services/common/rpc/server.h"
#include "services/common/rpc/tls.h"
#include "tests/testlib/certs.h"
#include "tests/testlib/testlib.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct vt_metrics *metrics;
    struct vt_rpc_server *server;
    struct vt_http_server *http;
    atomic_bool ready;
    char reply[65536];
};

static bool is_ready(void *ctx, char *reason, size_t reason_size)
{
    const struct fixture *fixture = ctx;
    snprintf(reason, reason_size, "no model yet");
    return atomic_load(&fixture->ready);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct vt_diag diag = {0};
    char target[64];
    assert_ok(vt_metrics_new(&fixture->metrics));
    assert_ok(vt_rpc_server_new(&(struct vt_rpc_server_options){.listen = "127.0.0.1:0",
                                                                .n_threads = 1,
                                                                .metrics = fixture->metrics},
                                &fixture->server));
    assert_ok(vt_rpc_server_start(fixture->server, &diag));
    snprintf(target, sizeof target, "127.0.0.1:%u", vt_rpc_server_port(fixture->server));
    assert_ok(vt_http_server_start(&(struct vt_http_options){.listen = "127.0.0.1:0",
                                                             .metrics = fixture->metrics,
                                                             .grpc_target = target,
                                                             .is_ready = is_ready,
                                                             .ready_ctx = fixture},
                                   &diag, &fixture->http));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    vt_http_server_stop(fixture->http);
    vt_rpc_server_free(fixture->server);
    vt_metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

/* The status code; the whole reply is in fixture->reply. */
static int ask(struct fixture *fixture, const char *verb, const char *path)
{
    char request[256];
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(vt_http_server_port(fixture->http)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int n = snprintf(request, sizeof request,
                     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", verb, path);
    assert_int_equal(send(fd, request, (size_t)n, 0), n);
    for (ssize_t got;
         (got = recv(fd, fixture->reply + len, sizeof fixture->reply - 1 - len, 0)) > 0;)
        len += (size_t)got;
    fixture->reply[len] = '\0';
    close(fd);
    int status = 0;
    assert_int_equal(sscanf(fixture->reply, "HTTP/1.1 %d", &status), 1);
    return status;
}

static void metrics_are_in_prometheus_text(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET", "/metrics"), 200);
    assert_non_null(strstr(fixture->reply, "text/plain; version=0.0.4"));
    assert_non_null(strstr(fixture->reply, "# TYPE grpc_server_handled_total counter"));
    assert_non_null(strstr(fixture->reply, "# TYPE grpc_server_handling_seconds histogram"));
}

static void liveness_follows_the_grpc_port(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET", "/livez"), 200);
    vt_rpc_server_drain(fixture->server, 0);
    assert_int_equal(ask(fixture, "GET", "/livez"), 503);
    assert_non_null(strstr(fixture->reply, "does not answer"));
}

static void readiness_says_why_not(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET", "/readyz"), 503);
    assert_non_null(strstr(fixture->reply, "not ready: no model yet"));
    atomic_store(&fixture->ready, true);
    assert_int_equal(ask(fixture, "GET", "/readyz"), 200);
}

static void other_paths_and_verbs_are_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, "GET", "/"), 404);
    assert_int_equal(ask(fixture, "POST", "/metrics"), 405);
    assert_non_null(strstr(fixture->reply, "Allow: GET, HEAD"));
    assert_int_equal(ask(fixture, "HEAD", "/readyz"), 503);
}

static void bad_and_taken_addresses_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    struct vt_http_server *second;
    char taken[64];
    struct vt_http_options options = {.listen = "nonsense", .grpc_target = "127.0.0.1:1"};
    assert_code(vt_http_server_start(&options, &diag, &second), VT_INVALID);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", vt_http_server_port(fixture->http));
    options.listen = taken;
    assert_code(vt_http_server_start(&options, &diag, &second), VT_UNAVAILABLE);
    assert_non_null(strstr(diag.text, taken));
}

/* /livez of a server on a port where nobody listens, whose callers' authority ends that day. */
static int live_with_authority_until(struct fixture *fixture, int day)
{
    char *folder = vt_test_folder_new();
    char ca[512];
    struct vt_diag diag = {0};
    struct vt_rpc_tls *tls = NULL;
    struct vt_http_server *plain = fixture->http;
    vt_test_certificate_make(
        folder, &(struct vt_test_certificate){.name = "ca", .from_day = -9, .until_day = day});
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    assert_ok(vt_rpc_tls_new(&(struct vt_rpc_tls_options){.ca = ca}, &diag, &tls));
    assert_ok(vt_http_server_start(&(struct vt_http_options){.listen = "127.0.0.1:0",
                                                             .metrics = fixture->metrics,
                                                             .grpc_target = "127.0.0.1:1",
                                                             .tls = tls},
                                   &diag, &fixture->http));
    int status = ask(fixture, "GET", "/livez");
    vt_http_server_stop(fixture->http);
    fixture->http = plain;
    vt_rpc_tls_free(tls);
    vt_test_folder_remove(folder);
    return status;
}

static void a_certificate_out_of_date_is_no_reason_to_restart(void **state)
{
    assert_int_equal(live_with_authority_until(*state, 9), 503);
    assert_int_equal(live_with_authority_until(*state, -2), 200);
    assert_non_null(strstr(((struct fixture *)*state)->reply, "out of date"));
}

#define CASE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(metrics_are_in_prometheus_text),
        CASE(liveness_follows_the_grpc_port),
        CASE(a_certificate_out_of_date_is_no_reason_to_restart),
        CASE(readiness_says_why_not),
        CASE(other_paths_and_verbs_are_refused),
        CASE(bad_and_taken_addresses_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
