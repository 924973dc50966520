/* Where a port without TLS may be opened. Literal addresses and "localhost" only: other names would
 * ask a resolver. */
#include "services/common/rpc/listen.h"
#include "services/common/rpc/server.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static void loopback_addresses_and_unix_sockets_pass(void **state)
{
    (void)state;
    static const char *const good[] = {
        "127.0.0.1:7400",   "127.0.0.1:0",           "127.255.255.254:1",
        "[::1]:7400",       "localhost:7400",        "ipv4:127.0.0.1:7400",
        "ipv6:[::1]:7400",  "dns:///127.0.0.1:1",    "[::ffff:127.0.0.1]:1",
        "unix:/tmp/x.sock", "unix-abstract:vitrine", "127.1:7400",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct vt_diag diag = {0};
        assert_ok(vt_rpc_listen_check(good[i], &diag));
    }
}

static void whatever_the_network_reaches_is_refused_with_what_to_do(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0.0.0.0:7400", "[::]:7400",           ":7400",       "",
        "10.0.0.7:1",   "[fe80::1]:1",         "0:7400",      "ipv4:0.0.0.0:7400",
        "128.0.0.1:1",  "[::ffff:10.0.0.7]:1", "ipv6:[::]:1", "126.255.255.255:1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vt_diag diag = {0};
        assert_code(vt_rpc_listen_check(bad[i], &diag), VT_DENIED);
        assert_string_equal(diag.field, "listen");
        assert_non_null(strstr(diag.text, "--tls-cert"));
        assert_non_null(strstr(diag.text, "127.0.0.1"));
    }
}

static void a_host_nobody_knows_is_no_address(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    assert_code(vt_rpc_listen_check("[::g]:7400", &diag), VT_INVALID);
    char longest[300];
    memset(longest, 'a', sizeof longest);
    memcpy(longest + sizeof longest - 5, ":740", 5);
    assert_code(vt_rpc_listen_check(longest, &diag), VT_INVALID);
}

static struct vt_err start_on(const char *listen, bool from_anywhere, struct vt_diag *diag)
{
    struct vt_rpc_server *server = NULL;
    const struct vt_rpc_server_options options = {
        .listen = listen, .n_threads = 1, .plaintext_from_anywhere = from_anywhere};
    assert_ok(vt_rpc_server_new(&options, &server));
    struct vt_err err = vt_rpc_server_start(server, diag);
    vt_rpc_server_free(server);
    return err;
}

static void a_server_does_not_open_what_is_refused(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    assert_code(start_on("0.0.0.0:0", false, &diag), VT_DENIED);
    assert_ok(start_on("0.0.0.0:0", true, &diag));
    assert_ok(start_on("127.0.0.1:0", false, &diag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_addresses_and_unix_sockets_pass),
        cmocka_unit_test(whatever_the_network_reaches_is_refused_with_what_to_do),
        cmocka_unit_test(a_host_nobody_knows_is_no_address),
        cmocka_unit_test(a_server_does_not_open_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
