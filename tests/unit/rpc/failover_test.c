/* Lists of addresses: what gRPC is told, and what is refused. */
#include "services/common/rpc/failover.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static void assert_target(const char *target, const char *expected, bool expect_several)
{
    char got[VT__TARGET_BYTES];
    bool is_several = !expect_several;
    assert_ok(vt__target_for_grpc(target, got, sizeof got, &is_several));
    assert_string_equal(got, expected);
    assert_int_equal(is_several, expect_several);
}

static void assert_refused(const char *target)
{
    char got[VT__TARGET_BYTES];
    bool is_several;
    assert_code(vt__target_for_grpc(target, got, sizeof got, &is_several), VT_INVALID);
}

static void one_address_stays_as_it_is(void **state)
{
    (void)state;
    assert_target("127.0.0.1:7400", "127.0.0.1:7400", false);
    assert_target("shop.internal:7400", "shop.internal:7400", false);
    assert_target("unix:/run/x.sock", "unix:/run/x.sock", false);
}

static void lists_name_their_family(void **state)
{
    (void)state;
    assert_target("10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", true);
    assert_target("[::1]:1,[::2]:2", "ipv6:[::1]:1,[::2]:2", true);
    assert_target("ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", true);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    assert_refused("a:1,b:2");
    assert_refused("10.0.0.1:1,b:2");
    assert_refused("10.0.0.1:1,[::1]:2");
    assert_refused("10.0.0.1:1,");
    assert_refused(",10.0.0.1:1");
}

/* "1:1,1:1,…" of n addresses. */
static const char *list_of(int n)
{
    static char list[VT__TARGETS_MAX * 4 + 8];
    list[0] = '\0';
    for (int i = 0; i < n; i++)
        strcat(list, i == 0 ? "1:1" : ",1:1");
    return list;
}

static void sixteen_addresses_are_the_most(void **state)
{
    (void)state;
    char got[VT__TARGET_BYTES];
    bool is_several;
    assert_ok(vt__target_for_grpc(list_of(VT__TARGETS_MAX), got, sizeof got, &is_several));
    assert_refused(list_of(VT__TARGETS_MAX + 1));
}

static void the_first_host_is_the_name(void **state)
{
    (void)state;
    char host[64];
    vt__target_first_host("10.0.0.1:7400,10.0.0.2:7400", host, sizeof host);
    assert_string_equal(host, "10.0.0.1");
    vt__target_first_host("[::1]:7400,[::2]:7400", host, sizeof host);
    assert_string_equal(host, "::1");
    vt__target_first_host("ipv4:10.0.0.1:1,10.0.0.2:1", host, sizeof host);
    assert_string_equal(host, "10.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_stays_as_it_is),
        cmocka_unit_test(lists_name_their_family),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(sixteen_addresses_are_the_most),
        cmocka_unit_test(the_first_host_is_the_name),
    };
    return cmocka_run_group_tests_name("rpc/failover", tests, NULL, NULL);
}
