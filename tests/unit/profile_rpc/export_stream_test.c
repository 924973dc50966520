/* ExportCustomer through the loopback, on a real store. */
#include "services/common/pb/pb.h"
#include "services/common/rpc/loopback.h"
#include "services/profile/audit.h"
#include "services/profile/handlers.h"
#include "tests/unit/profile/fixture.h"
#include "vitrine/v1/profile.pb-c.h"

static const unsigned char audit_key[VT_AUDIT_KEY_BYTES] = "a key for tests";

struct shell {
    struct fixture *f;
    struct vt_profile_rpc *rpc;
    struct vt_arena arena;
    unsigned n_lines, stop_after; /* 0: never */
    char first[256], last[256];
};
static struct shell shell;

static int begin(void **state)
{
    assert_int_equal(fixture_setup(state), 0);
    shell = (struct shell){.f = *state};
    shell.f->options.audit_key = audit_key;
    fixture_open(shell.f);
    assert_true(vt_arena_init_owned(&shell.arena, 4 << 20));
    return vt_failed(vt_profile_rpc_new(shell.f->profile, NULL, &shell.rpc));
}

static int end(void **state)
{
    vt_profile_rpc_free(shell.rpc);
    vt_arena_fini(&shell.arena);
    return fixture_teardown(state);
}

static bool on_message(void *ctx, struct vt_slice body)
{
    (void)ctx;
    Vitrine__V1__ExportCustomerResponse *message = NULL;
    vt_arena_reset(&shell.arena);
    assert_ok(vt_pb_decode(&vitrine__v1__export_customer_response__descriptor, body, &shell.arena,
                           NULL, &message));
    if (shell.n_lines++ == 0)
        snprintf(shell.first, sizeof shell.first, "%s", message->json_line);
    snprintf(shell.last, sizeof shell.last, "%s", message->json_line);
    return shell.n_lines != shell.stop_after;
}

static struct vt_rpc_loopback_result export_as(const Vitrine__V1__ExportCustomerRequest *request,
                                               unsigned roles)
{
    struct vt_slice body;
    struct vt_rpc_loopback_options options = {.service = shell.rpc,
                                              .on_message = on_message,
                                              .local = roles == 0,
                                              .certified = roles != 0,
                                              .roles = roles};
    options.methods = vt_profile_rpc_methods(&options.n_methods);
    shell.n_lines = 0;
    assert_ok(vt_pb_encode(&request->base, &shell.f->arena, &body));
    return vt_rpc_loopback_call(&options, "/vitrine.v1.ProfileService/ExportCustomer", body,
                                &shell.f->arena);
}

static struct vt_rpc_loopback_result export_of(const char *customer, unsigned roles)
{
    Vitrine__V1__ExportCustomerRequest request = VITRINE__V1__EXPORT_CUSTOMER_REQUEST__INIT;
    request.customer_id = (char *)customer;
    return export_as(&request, roles);
}

static void write_views(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct vt_event event = fixture_event(shell.f, VT_EVENT_VIEW, "ann", "mug");
        event.time_ms -= i;
        fixture_write(shell.f, event);
    }
}

static void every_line_is_a_message(void **state)
{
    (void)state;
    write_views(20);
    assert_ok(export_of("ann", VT_CALLER_OPERATOR).err);
    /* export, customer, identity, history and events, audit, end */
    assert_int_equal(shell.n_lines, 3 + 20 + 20 + 1 + 1);
    assert_non_null(strstr(shell.first, "{\"record\":\"export\""));
    assert_string_equal(shell.last, "{\"record\":\"end\",\"lines\":44}");
}

static void an_identity_of_another_type_names_the_customer(void **state)
{
    (void)state;
    struct vt_event event = fixture_event(shell.f, VT_EVENT_VIEW, "", "mug");
    event.visitor_id = vt_slice_str("v1");
    fixture_write(shell.f, event);
    Vitrine__V1__Identity identity = VITRINE__V1__IDENTITY__INIT;
    identity.type = VITRINE__V1__IDENTITY_TYPE__IDENTITY_TYPE_VISITOR;
    identity.id = "v1";
    Vitrine__V1__ExportCustomerRequest request = VITRINE__V1__EXPORT_CUSTOMER_REQUEST__INIT;
    request.identity = &identity;
    assert_ok(export_as(&request, VT_CALLER_OPERATOR).err);
    assert_true(shell.n_lines > 3);
    assert_code(export_of("v1", VT_CALLER_OPERATOR).err, VT_NOT_FOUND); /* no member's id */
}

static void nobody_named_is_invalid_and_nobody_known_not_found(void **state)
{
    (void)state;
    struct vt_rpc_loopback_result result = export_of("", VT_CALLER_OPERATOR);
    assert_code(result.err, VT_INVALID);
    assert_non_null(strstr(result.message, "customer_id: empty"));
    result = export_of("ann", VT_CALLER_OPERATOR);
    assert_code(result.err, VT_NOT_FOUND);
    assert_null(strstr(result.message, "ann")); /* messages end up in logs */
    assert_int_equal(shell.n_lines, 0);
}

static void only_operators_and_the_admin_socket_may(void **state)
{
    (void)state;
    write_views(1);
    for (unsigned role = 0; role < VT_RPC_N_ROLES; role++) {
        bool may = 1U << role == VT_CALLER_OPERATOR;
        assert_code(export_of("ann", 1U << role).err, may ? VT_OK : VT_DENIED);
        assert_int_equal(shell.n_lines != 0, may);
    }
    assert_ok(export_of("ann", 0).err);
}

static struct vt_err take_entry(void *ctx, const struct vt_audit_entry *entry)
{
    snprintf(ctx, 64, "%s", entry->actor);
    return vt_ok();
}

static void the_audit_log_says_in_which_role(void **state)
{
    (void)state;
    static const struct {
        unsigned roles;
        const char *actor;
    } rows[] = {{VT_CALLER_OPERATOR, "operator"},
                {VT_CALLER_OPERATOR | VT_CALLER_TRAINER, "trainer, operator"},
                {0, "admin socket"}};
    char path[512], actor[64];
    uint64_t n_entries = 0;
    write_views(1);
    snprintf(path, sizeof path, "%s/audit.log", shell.f->folder);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(export_of("ann", rows[i].roles).err);
        assert_ok(vt_audit_read(path, NULL, take_entry, actor, &n_entries));
        assert_string_equal(actor, rows[i].actor);
        assert_int_equal(n_entries, i + 1);
    }
}

static void a_caller_that_goes_away_ends_it(void **state)
{
    (void)state;
    write_views(50);
    shell.stop_after = 5;
    assert_code(export_of("ann", VT_CALLER_OPERATOR).err, VT_CANCELLED);
    assert_int_equal(shell.n_lines, 5);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_line_is_a_message),
        TEST(an_identity_of_another_type_names_the_customer),
        TEST(nobody_named_is_invalid_and_nobody_known_not_found),
        TEST(only_operators_and_the_admin_socket_may),
        TEST(the_audit_log_says_in_which_role),
        TEST(a_caller_that_goes_away_ends_it),
    };
    return cmocka_run_group_tests_name("profile_rpc/export_stream", tests, NULL, NULL);
}
