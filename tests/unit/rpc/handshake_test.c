/* What is read from gRPC's log of failed handshakes, and counted. */
#include "services/common/rpc/handshake.h"
#include "tests/testlib/testlib.h"

static void reasons_are_told_apart(void **state)
{
    (void)state;
#define SSL_ERROR "Handshake failed with fatal error SSL_ERROR_SSL: error:0A0000C7:SSL routines::"
    assert_int_equal(vt__handshake_failure_of(SSL_ERROR "peer did not return a certificate."),
                     VT__HANDSHAKE_NO_CERTIFICATE);
    assert_int_equal(vt__handshake_failure_of(SSL_ERROR "certificate verify failed."),
                     VT__HANDSHAKE_UNTRUSTED);
    assert_int_equal(
        vt__handshake_failure_of("Handshake failed with fatal error SSL_ERROR_SSL: "
                                 "error:40800001:lib(129)::certificate names no role."),
        VT__HANDSHAKE_NO_ROLE);
    assert_int_equal(vt__handshake_failure_of(SSL_ERROR "wrong version number."),
                     VT__HANDSHAKE_NOT_TLS);
    assert_int_equal(vt__handshake_failure_of(SSL_ERROR "http request."), VT__HANDSHAKE_NOT_TLS);
    assert_int_equal(vt__handshake_failure_of(SSL_ERROR "unsupported protocol."),
                     VT__HANDSHAKE_VERSION);
    assert_int_equal(vt__handshake_failure_of(SSL_ERROR "tlsv13 alert certificate required."),
                     VT__HANDSHAKE_ALERT);
    assert_int_equal(vt__handshake_failure_of(SSL_ERROR "something new."), VT__HANDSHAKE_OTHER);
#undef SSL_ERROR
}

static void other_messages_are_not_counted(void **state)
{
    (void)state;
    assert_int_equal(vt__handshake_failure_of(""), VT__N_HANDSHAKE_FAILURES);
    assert_int_equal(vt__handshake_failure_of("certificate verify failed"),
                     VT__N_HANDSHAKE_FAILURES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_told_apart),
        cmocka_unit_test(other_messages_are_not_counted),
    };
    return cmocka_run_group_tests_name("rpc/handshake", tests, NULL, NULL);
}
