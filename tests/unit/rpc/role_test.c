/* The names of roles and of sets of them. */
#include "services/common/rpc/role.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static void every_role_has_a_name_that_parses_back(void **state)
{
    (void)state;
    unsigned all = 0;
    for (unsigned i = 0; i < VT_RPC_N_ROLES; i++) {
        assert_int_equal(vt_rpc_role_parse(vt_slice_str(vt_rpc_role_name(i))), 1U << i);
        all |= 1U << i;
    }
    assert_int_equal(all, VT_CALLER_ANY);
}

static void other_names_are_no_role(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      "Storefront", "storefront ", "storefronts",
                                        "store", "read_only"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(vt_rpc_role_parse(vt_slice_str(wrong[i])), 0);
    assert_int_equal(vt_rpc_role_parse(vt_slice("operator\0", 9)), 0);
}

static void a_set_is_told_by_its_names(void **state)
{
    (void)state;
    char text[VT_RPC_ROLES_TEXT_BYTES];
    assert_string_equal(vt_rpc_roles_text(0, text), "nobody");
    assert_string_equal(vt_rpc_roles_text(VT_CALLER_READ_ONLY, text), "read-only");
    assert_string_equal(vt_rpc_roles_text(VT_CALLER_ANY, text),
                        "storefront, trainer, operator, marketer, read-only, service, gateway");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_has_a_name_that_parses_back),
        cmocka_unit_test(other_names_are_no_role),
        cmocka_unit_test(a_set_is_told_by_its_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
