/* The rule of who may call, apart from any connection; and that a refused call reaches no handler.
 */
#include "services/common/rpc/access.h"
#include "services/common/rpc/loopback.h"
#include "tests/testlib/testlib.h"

#include <string.h>

static unsigned n_handled, roles_seen;

static void handle(struct vt_rpc_call *call, void *service)
{
    (void)service;
    n_handled++;
    roles_seen = vt_rpc_call_roles(call);
    vt_rpc_call_reply(call, vt_slice_str("x"));
}

static const struct vt_rpc_method methods[] = {
    {.path = "/t.T/Shop",
     .handler = handle,
     .max_request_bytes = 8,
     .roles = VT_CALLER_STOREFRONT | VT_CALLER_OPERATOR},
    {.path = "/t.T/Train", .handler = handle, .max_request_bytes = 8, .roles = VT_CALLER_TRAINER},
    {.path = "/t.T/Serve", .handler = handle, .max_request_bytes = 8, .roles = VT_CALLER_SERVICE},
    {.path = "/t.T/Forgotten", .handler = handle, .max_request_bytes = 8},
};

static struct vt_rpc_loopback_result call_with(const char *path,
                                               struct vt_rpc_loopback_options options)
{
    static unsigned char memory[4096];
    struct vt_arena arena;
    vt_arena_init(&arena, memory, sizeof memory);
    options.methods = methods;
    options.n_methods = sizeof methods / sizeof methods[0];
    n_handled = roles_seen = 0;
    return vt_rpc_loopback_call(&options, path, vt_slice_str(""), &arena);
}

static struct vt_rpc_loopback_result call_as(const char *path, unsigned roles, const char *chosen)
{
    const struct vt_rpc_metadata metadata = {"vitrine-role", vt_slice_str(chosen)};
    return call_with(path, (struct vt_rpc_loopback_options){.certified = true,
                                                            .roles = roles,
                                                            .metadata = &metadata,
                                                            .n_metadata = chosen != NULL ? 1 : 0});
}

static void assert_refused(struct vt_rpc_loopback_result result, enum vt_code code,
                           const char *part_of_text)
{
    assert_code(result.err, code);
    assert_int_equal(n_handled, 0);
    if (strstr(result.message, part_of_text) == NULL)
        fail_msg("'%s' does not say '%s'", result.message, part_of_text);
}

static void a_role_in_common_is_enough(void **state)
{
    (void)state;
    assert_ok(call_as("/t.T/Shop", VT_CALLER_OPERATOR, NULL).err);
    assert_int_equal(n_handled, 1);
    assert_int_equal(roles_seen, VT_CALLER_OPERATOR);
    assert_ok(call_as("/t.T/Train", VT_CALLER_STOREFRONT | VT_CALLER_TRAINER, NULL).err);
}

static void a_refusal_names_the_method_and_both_sets_of_roles(void **state)
{
    (void)state;
    assert_refused(call_as("/t.T/Shop", VT_CALLER_TRAINER | VT_CALLER_MARKETER, NULL), VT_DENIED,
                   "/t.T/Shop may not be called as trainer, marketer; the roles that may: "
                   "storefront, operator");
}

static void a_method_without_roles_is_for_the_admin_socket(void **state)
{
    (void)state;
    assert_refused(call_as("/t.T/Forgotten", VT_CALLER_ANY, NULL), VT_DENIED, "admin.sock");
    assert_refused(call_with("/t.T/Forgotten", (struct vt_rpc_loopback_options){0}), VT_DENIED,
                   "admin.sock");
    assert_ok(call_with("/t.T/Forgotten", (struct vt_rpc_loopback_options){.local = true}).err);
    assert_int_equal(roles_seen, VT_CALLER_ANY);
}

static void a_certificate_without_role_is_nobody(void **state)
{
    (void)state;
    assert_refused(call_as("/t.T/Shop", 0, NULL), VT_UNAUTHENTICATED, "vitrine://role/");
    assert_refused(call_as("/t.T/Shop", 0, "storefront"), VT_UNAUTHENTICATED, "vitrine://role/");
}

static void a_gateway_acts_as_the_outside_role_it_names(void **state)
{
    (void)state;
    assert_ok(call_as("/t.T/Shop", VT_CALLER_GATEWAY, "storefront").err);
    assert_int_equal(roles_seen, VT_CALLER_STOREFRONT);
    assert_refused(call_as("/t.T/Train", VT_CALLER_GATEWAY, "storefront"), VT_DENIED,
                   "may not be called as storefront");
    assert_refused(call_as("/t.T/Shop", VT_CALLER_GATEWAY, NULL), VT_DENIED, "as gateway");
    assert_refused(call_as("/t.T/Serve", VT_CALLER_GATEWAY, "service"), VT_DENIED,
                   "may not act as service");
}

static void nobody_else_can_gain_by_naming_a_role(void **state)
{
    (void)state;
    for (unsigned own = 0; own < VT_RPC_N_ROLES; own++)
        for (unsigned named = 0; named < VT_RPC_N_ROLES; named++) {
            if (own == named || 1U << own == VT_CALLER_GATEWAY)
                continue;
            assert_refused(call_as("/t.T/Shop", 1U << own, vt_rpc_role_name(named)), VT_DENIED,
                           "vitrine-role");
        }
}

static void a_caller_with_several_roles_may_choose_one(void **state)
{
    (void)state;
    unsigned both = VT_CALLER_STOREFRONT | VT_CALLER_TRAINER;
    assert_ok(call_as("/t.T/Shop", both, "storefront").err);
    assert_refused(call_as("/t.T/Shop", both, "trainer"), VT_DENIED, "called as trainer;");
    assert_refused(call_as("/t.T/Shop", both, "operator"), VT_DENIED, "may not act as operator");
}

static void trusted_callers_may_narrow_themselves(void **state)
{
    (void)state;
    const struct vt_rpc_metadata trainer = {"vitrine-role", vt_slice_str("trainer")};
    struct vt_rpc_loopback_options options = {.metadata = &trainer, .n_metadata = 1};
    assert_ok(call_with("/t.T/Train", options).err);
    assert_refused(call_with("/t.T/Shop", options), VT_DENIED, "as trainer");
    options.local = true; /* the admin socket's rights, too, can be laid down */
    assert_refused(call_with("/t.T/Forgotten", options), VT_DENIED, "admin.sock");
}

static void words_that_are_no_role_are_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"", "root", "Storefront", "storefront,operator", "admin"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_refused(call_as("/t.T/Shop", VT_CALLER_GATEWAY, words[i]), VT_DENIED, "is no role");
}

static void two_choices_are_refused(void **state)
{
    (void)state;
    const struct vt_rpc_metadata both[] = {{"vitrine-role", vt_slice_str("storefront")},
                                           {"vitrine-role", vt_slice_str("storefront")}};
    struct vt_rpc_loopback_options options = {
        .certified = true, .roles = VT_CALLER_GATEWAY, .metadata = both, .n_metadata = 2};
    assert_refused(call_with("/t.T/Shop", options), VT_DENIED, "at most one");
}

static void uris_of_certificates_give_roles_by_their_exact_name(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        unsigned roles;
    } rows[] = {
        {"vitrine://role/storefront", VT_CALLER_STOREFRONT},
        {"vitrine://role/read-only", VT_CALLER_READ_ONLY},
        {"vitrine://role/gateway", VT_CALLER_GATEWAY},
        {"vitrine://role/", 0},
        {"vitrine://role/storefront/", 0},
        {"vitrine://role/storefront?x", 0},
        {"vitrine://roles/storefront", 0},
        {"VITRINE://role/storefront", 0},
        {"spiffe://shop/role/storefront", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(vt__access_roles_of_uri(vt_slice_str(rows[i].uri)), rows[i].roles);
    assert_int_equal(vt__access_roles_of_uri(vt_slice("vitrine://role/operator\0", 24)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_in_common_is_enough),
        cmocka_unit_test(a_refusal_names_the_method_and_both_sets_of_roles),
        cmocka_unit_test(a_method_without_roles_is_for_the_admin_socket),
        cmocka_unit_test(a_certificate_without_role_is_nobody),
        cmocka_unit_test(a_gateway_acts_as_the_outside_role_it_names),
        cmocka_unit_test(nobody_else_can_gain_by_naming_a_role),
        cmocka_unit_test(a_caller_with_several_roles_may_choose_one),
        cmocka_unit_test(trusted_callers_may_narrow_themselves),
        cmocka_unit_test(words_that_are_no_role_are_refused),
        cmocka_unit_test(two_choices_are_refused),
        cmocka_unit_test(uris_of_certificates_give_roles_by_their_exact_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
