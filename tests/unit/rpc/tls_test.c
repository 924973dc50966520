/*
 * Servers and channels over TLS, with real certificates: who gets in, as whom, and that renewed
 * files are used without a lost call. The watching thread, the serving threads and the callers run
 * at once: run under ThreadSanitizer, too (pthread_create).
 */
#include "services/common/base/metrics.h"
#include "services/common/rpc/client.h"
#include "services/common/rpc/server.h"
#include "services/common/rpc/tls.h"
#include "tests/testlib/certs.h"
#include "tests/testlib/testlib.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 512, POLL_MS = 2, CALL_MS = 10000, N_CALLERS = 4, N_RENEWALS = 12 };

struct fixture {
    char *folder;
    struct vt_metrics *metrics;
    struct vt_rpc_tls *tls; /* the server's */
    struct vt_rpc_server *server;
    char target[64];
};

static const struct vt_test_certificate server_certificate = {
    .name = "server",
    .issuer = "ca",
    .alternatives = "URI:vitrine://role/service,DNS:cell.test,IP:127.0.0.1",
    .purposes = "serverAuth,clientAuth"};

static void tell_roles(struct vt_rpc_call *call, void *service)
{
    (void)service;
    char text[VT_RPC_ROLES_TEXT_BYTES];
    vt_rpc_roles_text(vt_rpc_call_roles(call), text);
    vt_rpc_call_reply(call, vt_slice_str(text));
}

static const struct vt_rpc_method methods[] = {
    {.path = "/t.T/Any", .handler = tell_roles, .max_request_bytes = 8, .roles = VT_CALLER_ANY},
    {.path = "/t.T/Shop",
     .handler = tell_roles,
     .max_request_bytes = 8,
     .roles = VT_CALLER_STOREFRONT},
    {.path = "/t.T/Admin", .handler = tell_roles, .max_request_bytes = 8},
};

static void make(const struct fixture *fixture, const char *name, const char *issuer,
                 const char *alternatives)
{
    vt_test_certificate_make(fixture->folder,
                             &(struct vt_test_certificate){
                                 .name = name, .issuer = issuer, .alternatives = alternatives});
}

static struct vt_rpc_tls *open_tls(const struct fixture *fixture, const char *name, const char *ca,
                                   uint32_t poll_ms)
{
    char cert[PATH_BYTES], key[PATH_BYTES], authority[PATH_BYTES];
    struct vt_diag diag = {0};
    struct vt_rpc_tls *tls = NULL;
    snprintf(cert, sizeof cert, "%s/%s.pem", fixture->folder, name);
    snprintf(key, sizeof key, "%s/%s.key", fixture->folder, name);
    snprintf(authority, sizeof authority, "%s/%s.pem", fixture->folder, ca);
    bool serves = strcmp(name, "server") == 0;
    assert_ok(
        vt_rpc_tls_new(&(struct vt_rpc_tls_options){.cert = cert,
                                                    .key = key,
                                                    .ca = authority,
                                                    .serves = serves,
                                                    .poll_ms = poll_ms,
                                                    .metrics = serves ? fixture->metrics : NULL},
                       &diag, &tls));
    return tls;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct vt_diag diag = {0};
    fixture->folder = vt_test_folder_new();
    make(fixture, "ca", NULL, NULL);
    vt_test_certificate_make(fixture->folder, &server_certificate);
    assert_ok(vt_metrics_new(&fixture->metrics));
    fixture->tls = open_tls(fixture, "server", "ca", POLL_MS);
    assert_ok(vt_rpc_server_new(&(struct vt_rpc_server_options){.listen = "127.0.0.1:0",
                                                                .n_threads = 2,
                                                                .drain_grace_ms = 1000,
                                                                .metrics = fixture->metrics,
                                                                .tls = fixture->tls},
                                &fixture->server));
    assert_ok(
        vt_rpc_server_add(fixture->server, methods, sizeof methods / sizeof methods[0], NULL));
    assert_ok(vt_rpc_server_start(fixture->server, &diag));
    snprintf(fixture->target, sizeof fixture->target, "127.0.0.1:%u",
             vt_rpc_server_port(fixture->server));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    vt_rpc_server_free(fixture->server);
    vt_rpc_tls_free(fixture->tls);
    vt_metrics_free(fixture->metrics);
    vt_test_folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static struct vt_err call_on(struct vt_rpc_channel *channel, const char *path, char reply[256],
                             struct vt_diag *diag)
{
    char memory[1024];
    struct vt_arena arena;
    struct vt_slice body;
    const struct vt_rpc_call_options options = {.timeout_ms = CALL_MS};
    vt_arena_init(&arena, memory, sizeof memory);
    VT_TRY(vt_rpc_client_call(channel, path, vt_slice_str(""), &options, &arena, diag, &body));
    snprintf(reply, 256, "%.*s", (int)body.len, (const char *)body.data);
    return vt_ok();
}

static struct vt_rpc_channel *open_channel(const struct fixture *fixture, struct vt_rpc_tls *tls,
                                           const char *server_name)
{
    struct vt_rpc_channel *channel = NULL;
    assert_ok(vt_rpc_channel_open(&(struct vt_rpc_channel_options){.target = fixture->target,
                                                                   .tls = tls,
                                                                   .server_name = server_name},
                                  &channel));
    return channel;
}

/* One call on a connection of its own. */
static struct vt_err call_once(const struct fixture *fixture, struct vt_rpc_tls *tls,
                               const char *server_name, const char *path, char reply[256],
                               struct vt_diag *diag)
{
    struct vt_rpc_channel *channel = open_channel(fixture, tls, server_name);
    struct vt_err err = call_on(channel, path, reply, diag);
    vt_rpc_channel_free(channel);
    return err;
}

static struct vt_err call_as(const struct fixture *fixture, const char *name, const char *path,
                             char reply[256], struct vt_diag *diag)
{
    struct vt_rpc_tls *tls = open_tls(fixture, name, "ca", 0);
    struct vt_err err = call_once(fixture, tls, NULL, path, reply, diag);
    vt_rpc_tls_free(tls);
    return err;
}

/* ---- who gets in ---- */

static void a_certificate_says_which_methods_its_holder_may_call(void **state)
{
    const struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256];
    make(fixture, "shop", "ca", "URI:vitrine://role/storefront");
    make(fixture, "both", "ca", "URI:vitrine://role/trainer,URI:vitrine://role/storefront");
    make(fixture, "trainer", "ca", "URI:vitrine://role/trainer");
    assert_ok(call_as(fixture, "shop", "/t.T/Shop", reply, &diag));
    assert_string_equal(reply, "storefront");
    assert_ok(call_as(fixture, "both", "/t.T/Shop", reply, &diag));
    assert_string_equal(reply, "storefront, trainer");
    assert_code(call_as(fixture, "trainer", "/t.T/Shop", reply, &diag), VT_DENIED);
    assert_string_equal(diag.text,
                        "/t.T/Shop may not be called as trainer; the roles that may: storefront");
    assert_code(call_as(fixture, "both", "/t.T/Admin", reply, &diag), VT_DENIED);
    assert_code(call_as(fixture, "shop", "/t.T/None", reply, &diag), VT_UNIMPLEMENTED);
}

static void a_certificate_without_role_is_a_strangers(void **state)
{
    const struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256];
    make(fixture, "none", "ca", "DNS:shop.test,URI:spiffe://x/storefront,URI:vitrine://role/root");
    const struct vt_counter *refused = vt_metrics_counter(
        fixture->metrics, "vitrine_tls_handshakes_failed_total", "", "reason=\"no_role\"");
    assert_code(call_as(fixture, "none", "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    assert_code(call_as(fixture, "none", "/grpc.health.v1.Health/Check", reply, &diag),
                VT_UNAVAILABLE);
    assert_true(vt_counter_value(refused) >= 2);
}

static void refusals_are_counted(void **state)
{
    const struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256];
    const struct vt_counter *denied =
        vt_metrics_counter(fixture->metrics, "grpc_server_handled_total", "",
                           "grpc_type=\"unary\",grpc_service=\"t.T\",grpc_method=\"Shop\","
                           "grpc_code=\"PermissionDenied\"");
    make(fixture, "trainer", "ca", "URI:vitrine://role/trainer");
    for (int i = 0; i < 3; i++)
        assert_code(call_as(fixture, "trainer", "/t.T/Shop", reply, &diag), VT_DENIED);
    assert_int_equal(vt_counter_value(denied), 3);
}

static void strangers_do_not_get_through_the_handshake(void **state)
{
    const struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256], ca[PATH_BYTES];
    /* Of an authority that the server does not know; it takes the server's for good. */
    make(fixture, "own", NULL, NULL);
    make(fixture, "stranger", "own", "URI:vitrine://role/storefront");
    assert_code(call_as(fixture, "stranger", "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    vt_test_certificate_make(
        fixture->folder,
        &(struct vt_test_certificate){
            .name = "shop", .issuer = "ca", .alternatives = "URI:vitrine://role/storefront"});
    struct vt_rpc_tls *nobody = NULL;
    snprintf(ca, sizeof ca, "%s/ca.pem", fixture->folder);
    assert_ok(vt_rpc_tls_new(&(struct vt_rpc_tls_options){.ca = ca}, &diag, &nobody));
    assert_code(call_once(fixture, nobody, NULL, "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    vt_rpc_tls_free(nobody);
    assert_code(call_once(fixture, NULL, NULL, "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    assert_ok(call_as(fixture, "shop", "/t.T/Any", reply, &diag));
}

static void a_channel_verifies_who_serves(void **state)
{
    const struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256];
    make(fixture, "shop", "ca", "URI:vitrine://role/storefront");
    struct vt_rpc_tls *tls = open_tls(fixture, "shop", "ca", 0);
    assert_ok(call_once(fixture, tls, NULL, "/t.T/Any", reply, &diag)); /* IP:127.0.0.1 */
    assert_ok(call_once(fixture, tls, "cell.test", "/t.T/Any", reply, &diag));
    assert_code(call_once(fixture, tls, "other.test", "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    vt_rpc_tls_free(tls);
    make(fixture, "own", NULL, NULL);
    make(fixture, "suspicious", "own", "URI:vitrine://role/storefront");
    tls = open_tls(fixture, "suspicious", "own", 0);
    assert_code(call_once(fixture, tls, NULL, "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    vt_rpc_tls_free(tls);
}

/* ---- renewal ---- */

static void wait_for_generation(const struct vt_rpc_tls *tls, uint64_t generation)
{
    while (vt_rpc_tls_generation(tls) < generation)
        sched_yield();
}

static const struct vt_counter *reloads(const struct fixture *fixture, const char *result)
{
    return vt_metrics_counter(fixture->metrics, "vitrine_tls_reloads_total", "", result);
}

static void a_new_certificate_serves_new_connections(void **state)
{
    struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256];
    make(fixture, "shop", "ca", "URI:vitrine://role/storefront");
    struct vt_rpc_tls *tls = open_tls(fixture, "shop", "ca", 0);
    assert_code(call_once(fixture, tls, "renamed.test", "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    struct vt_test_certificate renamed = server_certificate;
    renamed.alternatives = "URI:vitrine://role/service,DNS:renamed.test";
    vt_test_certificate_make(fixture->folder, &renamed);
    wait_for_generation(fixture->tls, 2);
    assert_ok(call_once(fixture, tls, "renamed.test", "/t.T/Any", reply, &diag));
    assert_code(call_once(fixture, tls, "cell.test", "/t.T/Any", reply, &diag), VT_UNAVAILABLE);
    /* Twice when the first look that let it rest fell between its two files. */
    assert_in_range(vt_counter_value(reloads(fixture, "result=\"taken\"")), 1, 2);
    vt_rpc_tls_free(tls);
}

static void replace_key(const struct fixture *fixture, const char *text)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/server.key", fixture->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void broken_files_leave_the_old_certificate_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256];
    make(fixture, "shop", "ca", "URI:vitrine://role/storefront");
    struct vt_rpc_tls *tls = open_tls(fixture, "shop", "ca", 0);
    replace_key(fixture, "not a key\n");
    while (vt_counter_value(reloads(fixture, "result=\"refused\"")) == 0)
        sched_yield();
    assert_int_equal(vt_rpc_tls_generation(fixture->tls), 1);
    assert_ok(call_once(fixture, tls, "cell.test", "/t.T/Any", reply, &diag));
    vt_test_certificate_make(fixture->folder, &server_certificate);
    wait_for_generation(fixture->tls, 2);
    assert_ok(call_once(fixture, tls, "cell.test", "/t.T/Any", reply, &diag));
    vt_rpc_tls_free(tls);
}

static void a_channel_shows_its_renewed_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct vt_diag diag = {0};
    char reply[256];
    make(fixture, "caller", "ca", "URI:vitrine://role/storefront");
    struct vt_rpc_tls *tls = open_tls(fixture, "caller", "ca", POLL_MS);
    struct vt_rpc_channel *channel = open_channel(fixture, tls, NULL);
    assert_ok(call_on(channel, "/t.T/Any", reply, &diag));
    assert_string_equal(reply, "storefront");
    make(fixture, "caller", "ca", "URI:vitrine://role/marketer");
    wait_for_generation(tls, 2);
    do /* the old connection serves until the new one stands */
        assert_ok(call_on(channel, "/t.T/Any", reply, &diag));
    while (strcmp(reply, "marketer") != 0);
    vt_rpc_channel_free(channel);
    vt_rpc_tls_free(tls);
}

struct caller {
    const struct fixture *fixture;
    struct vt_rpc_channel *shared; /* NULL: a new connection for each call */
    struct vt_rpc_tls *tls;
    atomic_bool *stop;
    uint64_t n_calls, n_failed;
    pthread_t thread;
};

/* A connection took longer than an attempt may: no renewal does that, a busy machine does. */
static bool was_slow(const struct vt_diag *diag)
{
    return strstr(diag->text, "connection attempt timed out") != NULL;
}

static void *call_and_call(void *arg)
{
    struct caller *caller = arg;
    char reply[256];
    struct vt_diag diag = {0};
    while (!atomic_load(caller->stop)) {
        struct vt_err err =
            caller->shared != NULL
                ? call_on(caller->shared, "/t.T/Shop", reply, &diag)
                : call_once(caller->fixture, caller->tls, NULL, "/t.T/Shop", reply, &diag);
        caller->n_calls++;
        if (vt_failed(err) && !was_slow(&diag) && caller->n_failed++ == 0)
            print_error("a call failed: %s: %s\n", vt_code_name(err.code), diag.text);
    }
    return NULL;
}

/* Both sides get new certificates again and again, while half of the callers share a channel and
 * half connect anew for each call. */
static void renewals_under_load_lose_no_call(void **state)
{
    struct fixture *fixture = *state;
    atomic_bool stop = false;
    struct caller callers[N_CALLERS];
    make(fixture, "shop", "ca", "URI:vitrine://role/storefront");
    struct vt_rpc_tls *tls = open_tls(fixture, "shop", "ca", POLL_MS);
    struct vt_rpc_channel *shared = open_channel(fixture, tls, NULL);
    for (int i = 0; i < N_CALLERS; i++) {
        callers[i] = (struct caller){
            .fixture = fixture, .shared = i % 2 == 0 ? shared : NULL, .tls = tls, .stop = &stop};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_and_call, &callers[i]), 0);
    }
    for (uint64_t i = 2; i < 2 + N_RENEWALS; i++) {
        vt_test_certificate_make(fixture->folder, &server_certificate);
        make(fixture, "shop", "ca", "URI:vitrine://role/storefront");
        wait_for_generation(fixture->tls, i);
        wait_for_generation(tls, i);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < N_CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_true(callers[i].n_calls > 0);
        assert_int_equal(callers[i].n_failed, 0);
    }
    vt_rpc_channel_free(shared);
    vt_rpc_tls_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_certificate_says_which_methods_its_holder_may_call, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_certificate_without_role_is_a_strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(strangers_do_not_get_through_the_handshake, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_channel_verifies_who_serves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_certificate_serves_new_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_files_leave_the_old_certificate_in_use, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_channel_shows_its_renewed_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(renewals_under_load_lose_no_call, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
