/* ModelService through the loopback, over a data folder that has no model yet, or a few. */
#include "services/common/base/log.h"
#include "services/common/pb/pb.h"
#include "services/common/rpc/loopback.h"
#include "services/model/handlers.h"
#include "services/model/wire.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"
#include "vitrine/v1/model.pb-c.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned char memory[1 << 20];
static struct vt_arena arena;
static struct vt_diag diag;
static char *folder;
static struct vt_bundle_set *bundles;
static struct vt_model_rpc *rpc;

static int begin(void **state)
{
    (void)state;
    vt_log_set_level(VT_LOG_ERROR);
    vt_arena_init(&arena, memory, sizeof memory);
    folder = vt_test_folder_new();
    assert_ok(vt_bundle_set_open(folder, NULL, &diag, &bundles));
    assert_ok(vt_model_rpc_new(folder, bundles, &rpc));
    return 0;
}

static int end(void **state)
{
    (void)state;
    vt_model_rpc_free(rpc);
    vt_bundle_set_close(bundles);
    vt_test_folder_remove(folder);
    return 0;
}

static struct vt_rpc_loopback_result call(const char *method, const ProtobufCMessage *message)
{
    char path[64];
    struct vt_slice body;
    struct vt_rpc_loopback_options options = {.service = rpc};
    options.methods = vt_model_rpc_methods(&options.n_methods);
    snprintf(path, sizeof path, "/vitrine.v1.ModelService/%s", method);
    assert_ok(vt_pb_encode(message, &arena, &body));
    return vt_rpc_loopback_call(&options, path, body, &arena);
}

static void without_a_model_active_is_absent_and_the_list_empty(void **state)
{
    (void)state;
    Vitrine__V1__GetActiveRequest ask = VITRINE__V1__GET_ACTIVE_REQUEST__INIT;
    Vitrine__V1__ListVersionsRequest list = VITRINE__V1__LIST_VERSIONS_REQUEST__INIT;
    struct vt_rpc_loopback_result result = call("GetActive", &ask.base);
    assert_ok(result.err);
    assert_int_equal(result.body.len, 0);
    result = call("ListVersions", &list.base);
    assert_ok(result.err);
    assert_int_equal(result.body.len, 0);
}

static void activate_refuses_what_is_no_version(void **state)
{
    (void)state;
    char longest[VT_VERSION_BYTES_MAX], too_long[VT_VERSION_BYTES_MAX + 1];
    memset(longest, 'v', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(too_long, 'v', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    const struct {
        const char *version;
        enum vt_code code;
    } rows[] = {
        {"", VT_INVALID},    {"../live", VT_INVALID}, {".hidden", VT_INVALID}, {"a/b", VT_INVALID},
        {"v 1", VT_INVALID}, {too_long, VT_INVALID},  {longest, VT_NOT_FOUND}, {"v1", VT_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int validate_only = 0; validate_only < 2; validate_only++) {
            Vitrine__V1__ActivateRequest message = VITRINE__V1__ACTIVATE_REQUEST__INIT;
            message.version = (char *)rows[i].version;
            message.validate_only = validate_only;
            assert_code(call("Activate", &message.base).err, rows[i].code);
        }
}

static void rollback_with_nothing_before_is_a_wrong_state(void **state)
{
    (void)state;
    Vitrine__V1__RollbackRequest message = VITRINE__V1__ROLLBACK_REQUEST__INIT;
    assert_code(call("Rollback", &message.base).err, VT_PRECONDITION);
}

static void list_refuses_a_page_over_the_limit_and_a_token_of_another_list(void **state)
{
    (void)state;
    Vitrine__V1__ListVersionsRequest message = VITRINE__V1__LIST_VERSIONS_REQUEST__INIT;
    message.page_size = 1001;
    assert_code(call("ListVersions", &message.base).err, VT_INVALID);
    message.page_size = 1000;
    assert_ok(call("ListVersions", &message.base).err);
    message.page_token = (char *)"SQAAAAAAAAAB";
    assert_code(call("ListVersions", &message.base).err, VT_INVALID);
}

static void version_comes_through_the_wire_with_its_metrics(void **state)
{
    (void)state;
    const struct vt_bundle_metric metrics[] = {{"recall", 0.281}, {"ndcg", 0.265}};
    struct vt_bundle_view view = {.version = "v2",
                                  .parent = "v1",
                                  .algorithm = "ials",
                                  .create_time_ms = INT64_C(1700000000001),
                                  .n_users = 3,
                                  .n_items = 4,
                                  .n_interactions = 5,
                                  .metrics = metrics,
                                  .n_metrics = 2};
    struct vt_model_version version = {.view = &view, .version = "v2", .active = true};
    Vitrine__V1__ActivateResponse *got = NULL; /* the same bytes as GetActive and Rollback */
    struct vt_slice body;
    assert_ok(vt_wire_version_encode(&version, &arena, &body));
    assert_ok(vt_pb_decode(&vitrine__v1__activate_response__descriptor, body, &arena, &diag, &got));
    assert_string_equal(got->version->parent, "v1");
    assert_true(got->version->active);
    assert_int_equal(got->version->create_time->seconds, 1700000000);
    assert_int_equal(got->version->n_metrics, 2);
    assert_string_equal(got->version->metrics[1]->key, "ndcg");
    assert_memory_equal(&got->version->metrics[1]->value, &metrics[1].value, sizeof(double));
}

/* ---- with models ---- */

static void write_version(const char *version)
{
    struct content content;
    content_init(&content, version);
    assert_ok(vt_bundle_write(folder, &content.view, &diag));
}

/* v1 and then v2 came into service; v3 is there and was not chosen. */
static int begin_with_models(void **state)
{
    (void)begin(state);
    write_version("v1");
    write_version("v2");
    write_version("v3");
    assert_ok(vt_bundle_set_activate(bundles, "v1", &diag));
    assert_ok(vt_bundle_set_activate(bundles, "v2", &diag));
    return 0;
}

static void damage(const char *version)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/bundles/%s/gram.arr", folder, version);
    assert_int_equal(truncate(path, 70), 0);
}

static struct vt_rpc_loopback_result activate(const char *version, bool validate_only)
{
    Vitrine__V1__ActivateRequest message = VITRINE__V1__ACTIVATE_REQUEST__INIT;
    message.version = (char *)version;
    message.validate_only = validate_only;
    return call("Activate", &message.base);
}

static struct vt_rpc_loopback_result roll_back(bool validate_only)
{
    Vitrine__V1__RollbackRequest message = VITRINE__V1__ROLLBACK_REQUEST__INIT;
    message.validate_only = validate_only;
    return call("Rollback", &message.base);
}

/* GetActive, Activate and Rollback answer alike. */
static void assert_version(struct vt_rpc_loopback_result result, const char *version)
{
    Vitrine__V1__GetActiveResponse *got = NULL;
    assert_ok(result.err);
    assert_ok(vt_pb_decode(&vitrine__v1__get_active_response__descriptor, result.body, &arena,
                           &diag, &got));
    assert_non_null(got->version);
    assert_string_equal(got->version->version, version);
    assert_int_equal(got->version->items, CONTENT_ITEMS);
}

/* In this process, for who asks, and for the next start. */
static void assert_active(const char *version)
{
    Vitrine__V1__GetActiveRequest ask = VITRINE__V1__GET_ACTIVE_REQUEST__INIT;
    char current[VT_VERSION_BYTES_MAX];
    assert_version(call("GetActive", &ask.base), version);
    assert_ok(vt_bundle_current(folder, &diag, current));
    assert_string_equal(current, version);
}

static void activate_puts_a_version_into_service(void **state)
{
    (void)state;
    assert_version(activate("v3", false), "v3");
    assert_active("v3");
    assert_version(activate("v1", false), "v1");
    assert_active("v1");
}

static void rollback_returns_to_what_served_before(void **state)
{
    (void)state;
    assert_version(roll_back(false), "v1");
    assert_active("v1");
}

static void validate_only_tells_what_would_serve_and_changes_nothing(void **state)
{
    (void)state;
    assert_version(activate("v3", true), "v3");
    assert_active("v2");
    assert_version(roll_back(true), "v1");
    assert_active("v2");
}

static void a_damaged_version_is_refused_and_the_old_one_serves(void **state)
{
    (void)state;
    damage("v3");
    for (int validate_only = 0; validate_only < 2; validate_only++) {
        struct vt_rpc_loopback_result result = activate("v3", validate_only);
        assert_code(result.err, VT_PRECONDITION);
        assert_non_null(strstr(result.message, "gram.arr"));
        assert_active("v2");
    }
    damage("v1");
    assert_code(roll_back(false).err, VT_PRECONDITION);
    assert_active("v2");
}

static void versions_are_listed_newest_first_page_by_page_with_their_damage(void **state)
{
    (void)state;
    Vitrine__V1__ListVersionsRequest ask = VITRINE__V1__LIST_VERSIONS_REQUEST__INIT;
    Vitrine__V1__ListVersionsResponse *got = NULL;
    damage("v1");
    ask.page_size = 2;
    struct vt_rpc_loopback_result result = call("ListVersions", &ask.base);
    assert_ok(result.err);
    assert_ok(vt_pb_decode(&vitrine__v1__list_versions_response__descriptor, result.body, &arena,
                           &diag, &got));
    assert_int_equal(got->n_versions, 2);
    assert_string_equal(got->versions[0]->version, "v3");
    assert_false(got->versions[0]->active);
    assert_string_equal(got->versions[1]->version, "v2");
    assert_true(got->versions[1]->active);
    assert_string_equal(got->versions[1]->damage, "");
    ask.page_token = got->next_page_token;
    result = call("ListVersions", &ask.base);
    assert_ok(result.err);
    assert_ok(vt_pb_decode(&vitrine__v1__list_versions_response__descriptor, result.body, &arena,
                           &diag, &got));
    assert_int_equal(got->n_versions, 1);
    assert_string_equal(got->versions[0]->version, "v1");
    assert_non_null(strstr(got->versions[0]->damage, "gram.arr"));
    assert_string_equal(got->next_page_token, "");
}

#define WITH_MODELS(name_) cmocka_unit_test_setup_teardown(name_, begin_with_models, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_model_active_is_absent_and_the_list_empty, begin,
                                        end),
        cmocka_unit_test_setup_teardown(activate_refuses_what_is_no_version, begin, end),
        cmocka_unit_test_setup_teardown(rollback_with_nothing_before_is_a_wrong_state, begin, end),
        cmocka_unit_test_setup_teardown(
            list_refuses_a_page_over_the_limit_and_a_token_of_another_list, begin, end),
        cmocka_unit_test_setup_teardown(version_comes_through_the_wire_with_its_metrics, begin,
                                        end),
        WITH_MODELS(activate_puts_a_version_into_service),
        WITH_MODELS(rollback_returns_to_what_served_before),
        WITH_MODELS(validate_only_tells_what_would_serve_and_changes_nothing),
        WITH_MODELS(a_damaged_version_is_refused_and_the_old_one_serves),
        WITH_MODELS(versions_are_listed_newest_first_page_by_page_with_their_damage),
    };
    return cmocka_run_group_tests_name("model_rpc/handlers", tests, NULL, NULL);
}
