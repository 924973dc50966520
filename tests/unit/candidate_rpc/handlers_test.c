/* GetCandidates through the loopback, in front of the real domain with a small model. */
#include "services/candidate/handlers.h"
#include "services/candidate/wire.h"
#include "services/common/base/clock.h"
#include "services/common/base/log.h"
#include "services/common/pb/pb.h"
#include "services/common/rpc/loopback.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"
#include "vitrine/v1/candidate.pb-c.h"

#include <stdio.h>
#include <string.h>

#define PATH "/vitrine.v1.CandidateService/GetCandidates"
static const struct vt_history_event bought = {
    .item = 1, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = INT64_C(1700000000000)};

static unsigned char memory[1 << 20];
static struct vt_arena arena;
static char *folder;
static struct vt_bundle_set *bundles;
static struct vt_item_table *items;
static struct vt_clock_fake clock_fake;
static struct vt_candidate_service *service;

static void describe_items(const struct content *content)
{
    for (unsigned row = 0; row < CONTENT_ITEMS; row++) {
        char id[16];
        snprintf(id, sizeof id, "sku-%u", content->numbers[row]);
        struct vt_item item = {
            .number = content->numbers[row], .id = vt_slice_str(id), .stock = -1};
        assert_ok(vt_item_table_upsert(items, &item));
    }
    vt_item_table_refresh_popular(items);
}

static int begin(void **state)
{
    (void)state;
    struct content content;
    vt_log_set_level(VT_LOG_ERROR);
    vt_arena_init(&arena, memory, sizeof memory);
    vt_clock_fake_init(&clock_fake, bought.time_ms + 1);
    content_init(&content, "v1");
    folder = vt_test_folder_new();
    assert_ok(vt_bundle_write(folder, &content.view, NULL));
    assert_ok(vt_bundle_publish(folder, "v1", NULL));
    assert_ok(vt_bundle_set_open(folder, NULL, NULL, &bundles));
    assert_ok(vt_item_table_new(&items));
    describe_items(&content);
    return vt_failed(vt_candidate_service_new(bundles, items, &clock_fake.clock, NULL, &service));
}

static int end(void **state)
{
    (void)state;
    vt_candidate_service_free(service);
    vt_bundle_set_close(bundles);
    vt_item_table_free(items);
    vt_test_folder_remove(folder);
    return 0;
}

static struct vt_rpc_loopback_result call(struct vt_slice body)
{
    struct vt_rpc_loopback_options options = {.service = service};
    options.methods = vt_candidate_rpc_methods(&options.n_methods);
    return vt_rpc_loopback_call(&options, PATH, body, &arena);
}

static struct vt_rpc_loopback_result ask(const struct vt_candidate_query *query)
{
    struct vt_slice body;
    assert_ok(vt_wire_candidate_query_encode(query, &arena, &body));
    return call(body);
}

static void the_answer_over_the_call_is_that_of_the_domain(void **state)
{
    (void)state;
    struct vt_candidate_query query = {.history = &bought, .n_history = 1, .n = 10};
    struct vt_request request = {.arena = &arena, .deadline_ns = INT64_MAX};
    struct vt_candidate_list expected, got;
    struct vt_rpc_loopback_result result = ask(&query);
    assert_ok(result.err);
    assert_ok(vt_wire_candidate_list_decode(result.body, &arena, NULL, &got));
    assert_ok(vt_candidate_get(service, &request, &query, &expected));
    assert_int_equal(got.n, CONTENT_ITEMS - 1); /* all but what was bought */
    assert_int_equal(got.n, expected.n);
    assert_true(vt_slice_equal(got.version, vt_slice_str("v1")));
    for (uint32_t i = 0; i < got.n; i++) {
        assert_int_equal(got.candidates[i].item, expected.candidates[i].item);
        assert_int_equal(got.candidates[i].because, expected.candidates[i].because);
        assert_int_equal(got.candidates[i].sources, expected.candidates[i].sources);
        assert_memory_equal(got.candidates[i].scores, expected.candidates[i].scores,
                            sizeof got.candidates[i].scores);
    }
}

static void the_version_in_service_can_be_pinned(void **state)
{
    (void)state;
    struct vt_candidate_query query = {.n = 2, .version = vt_slice_str("v1")};
    assert_ok(ask(&query).err);
}

static void another_version_is_refused_and_the_present_one_named(void **state)
{
    (void)state;
    struct vt_candidate_query query = {.n = 2, .version = vt_slice_str("v7")};
    struct vt_rpc_loopback_result result = ask(&query);
    assert_code(result.err, VT_PRECONDITION);
    assert_non_null(strstr(result.message, "v1"));
}

static void n_outside_its_limits_is_refused_by_name(void **state)
{
    (void)state;
    static const uint32_t wrong[] = {0, VT_CANDIDATES_MAX + 1};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct vt_rpc_loopback_result result = ask(&(struct vt_candidate_query){.n = wrong[i]});
        assert_code(result.err, VT_INVALID);
        assert_non_null(strstr(result.message, "n: "));
    }
    assert_ok(ask(&(struct vt_candidate_query){.n = VT_CANDIDATES_MAX}).err);
}

static void only_what_passes_the_filter_is_answered(void **state)
{
    (void)state;
    struct vt_candidate_query query = {.history = &bought,
                                       .n_history = 1,
                                       .n = 10,
                                       .filter = vt_slice_str("id in (\"sku-4\", \"sku-7\")")};
    struct vt_candidate_list all, got;
    struct vt_rpc_loopback_result result = ask(&query);
    assert_ok(result.err);
    assert_ok(vt_wire_candidate_list_decode(result.body, &arena, NULL, &got));
    query.filter = vt_slice("", 0);
    assert_ok(vt_wire_candidate_list_decode(ask(&query).body, &arena, NULL, &all));
    uint32_t n_expected = 0;
    for (uint32_t i = 0; i < all.n; i++)
        if (all.candidates[i].item == 4 || all.candidates[i].item == 7)
            assert_int_equal(got.candidates[n_expected++].item, all.candidates[i].item);
    assert_true(n_expected > 0 && n_expected < all.n);
    assert_int_equal(got.n, n_expected);
}

static void a_wrong_filter_is_refused_by_place(void **state)
{
    (void)state;
    struct vt_candidate_query query = {.n = 2, .filter = vt_slice_str("stock > 0 and pricee < 3")};
    struct vt_rpc_loopback_result result = ask(&query);
    assert_code(result.err, VT_INVALID);
    assert_string_equal(result.message,
                        "filter: unknown field 'pricee' at 15, did you mean 'price'?");
}

static void broken_bytes_are_the_callers_mistake(void **state)
{
    (void)state;
    assert_code(call(vt_slice("\x0A\x7F", 2)).err, VT_INVALID);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_answer_over_the_call_is_that_of_the_domain),
        CASE(the_version_in_service_can_be_pinned),
        CASE(another_version_is_refused_and_the_present_one_named),
        CASE(n_outside_its_limits_is_refused_by_name),
        CASE(only_what_passes_the_filter_is_answered),
        CASE(a_wrong_filter_is_refused_by_place),
        CASE(broken_bytes_are_the_callers_mistake),
    };
    return cmocka_run_group_tests_name("candidate_rpc/handlers", tests, NULL, NULL);
}
