/* RecommendationService through the loopback, in front of a domain that only notes what it was
 * asked: what reaches the domain, what is refused before, and how an answer looks outside. */
#include "services/common/pb/pb.h"
#include "services/common/rpc/loopback.h"
#include "services/ranking/handlers.h"
#include "services/ranking/ranking.h"
#include "services/ranking/wire.h"
#include "tests/testlib/testlib.h"
#include "vitrine/v1/recommendation.pb-c.h"

#include <stdio.h>
#include <string.h>

static struct vt_ranking_query asked;
static bool was_asked;
static struct vt_ranking_answer answer;
static struct vt_err answer_err;

void vt_ranking_run(struct vt_ranking_service *service, struct vt_request *request,
                    const struct vt_ranking_query *query, vt_ranking_answer_fn done, void *ctx)
{
    (void)service;
    (void)request;
    asked = *query;
    was_asked = true;
    done(ctx, answer_err, vt_failed(answer_err) ? NULL : &answer);
}

static unsigned char memory[4 << 20];
static struct vt_arena arena;

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    asked = (struct vt_ranking_query){0};
    was_asked = false;
    answer = (struct vt_ranking_answer){0};
    answer_err = vt_ok();
    return 0;
}

static struct vt_rpc_loopback_result call_bytes(const char *method, struct vt_slice body)
{
    char path[128];
    struct vt_rpc_loopback_options options = {0};
    options.methods = vt_ranking_rpc_methods(&options.n_methods);
    snprintf(path, sizeof path, "/vitrine.v1.RecommendationService/%s", method);
    return vt_rpc_loopback_call(&options, path, body, &arena);
}

static struct vt_rpc_loopback_result call(const char *method, const ProtobufCMessage *message)
{
    struct vt_slice body;
    assert_ok(vt_pb_encode(message, &arena, &body));
    return call_bytes(method, body);
}

/* n ids of `len` bytes. */
static char **ids(size_t n, size_t len)
{
    char **list = vt_arena_array(&arena, n, sizeof *list);
    for (size_t i = 0; i < n; i++) {
        list[i] = vt_arena_alloc(&arena, len + 1);
        memset(list[i], 'x', len);
        list[i][len] = '\0';
    }
    return list;
}

/* ---- what is refused, and in which words ---- */

typedef Vitrine__V1__RecommendRequest recommend_request;

static void n_zero(recommend_request *m)
{
    m->n = 0;
}
static void n_over(recommend_request *m)
{
    m->n = 201;
}
static void n_huge(recommend_request *m)
{
    m->n = UINT32_MAX;
}
static void customer_over(recommend_request *m)
{
    m->customer_id = ids(1, 129)[0];
}
static void visitor_over(recommend_request *m)
{
    m->visitor_id = ids(1, 129)[0];
}
static void placement_over(recommend_request *m)
{
    m->placement = ids(1, 129)[0];
}
static void context_over(recommend_request *m)
{
    m->context_item_ids = ids(101, 1);
    m->n_context_item_ids = 101;
}
static void context_empty_id(recommend_request *m)
{
    m->context_item_ids = ids(2, 0);
    m->n_context_item_ids = 2;
}
static void exclude_over(recommend_request *m)
{
    m->exclude_item_ids = ids(1001, 1);
    m->n_exclude_item_ids = 1001;
}
static void exclude_long_id(recommend_request *m)
{
    m->exclude_item_ids = ids(3, 131);
    m->n_exclude_item_ids = 3;
}
static void diversity_unknown(recommend_request *m)
{
    m->diversity = (Vitrine__V1__DiversityLevel)5;
}
static void customer_broken_utf8(recommend_request *m)
{
    m->customer_id = (char *)"a\xff";
}

static Vitrine__V1__Identity identity;
static void identity_without_type(recommend_request *m)
{
    vitrine__v1__identity__init(&identity);
    identity.id = (char *)"4711";
    m->identity = &identity;
}
static void identity_over(recommend_request *m)
{
    identity_without_type(m);
    identity.type = VITRINE__V1__IDENTITY_TYPE__IDENTITY_TYPE_DEVICE;
    identity.id = ids(1, 129)[0];
}
static void address_in_clear(recommend_request *m)
{
    identity_without_type(m);
    identity.type = VITRINE__V1__IDENTITY_TYPE__IDENTITY_TYPE_EMAIL_HASH;
    identity.id = (char *)"ann@example.com";
}

static void recommend_refuses_what_breaks_a_limit_and_says_where(void **state)
{
    (void)state;
    const struct {
        void (*spoil)(recommend_request *message);
        enum vt_code code;
        const char *message;
    } rows[] = {
        {n_zero, VT_INVALID, "n: 0, must be 1 to 200"},
        {n_over, VT_INVALID, "n: 201, must be 1 to 200"},
        {n_huge, VT_INVALID, "n: 4294967295, must be 1 to 200"},
        {customer_over, VT_INVALID, "customer_id: 129 bytes, at most 128"},
        {visitor_over, VT_INVALID, "visitor_id: 129 bytes, at most 128"},
        {placement_over, VT_INVALID, "placement: 129 bytes, at most 128"},
        {context_over, VT_INVALID, "context_item_ids: 101 given, at most 100"},
        {context_empty_id, VT_INVALID, "context_item_ids[0]: empty, must be 1 to 128 bytes"},
        {exclude_over, VT_INVALID, "exclude_item_ids: 1001 given, at most 1000"},
        {exclude_long_id, VT_INVALID, "exclude_item_ids[0]: 131 bytes, at most 128"},
        {diversity_unknown, VT_INVALID, "diversity: 5, must be 0 to 4"},
        {customer_broken_utf8, VT_INVALID, "customer_id"},
        {identity_without_type, VT_INVALID, "identity: type: 0 is no type of id"},
        {identity_over, VT_INVALID, "identity: id: 129 bytes, at most 128"},
        {address_in_clear, VT_INVALID, "identity: id: an e-mail address in clear"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Vitrine__V1__RecommendRequest message = VITRINE__V1__RECOMMEND_REQUEST__INIT;
        message.n = 10;
        rows[i].spoil(&message);
        struct vt_rpc_loopback_result result = call("Recommend", &message.base);
        assert_int_equal(result.err.code, rows[i].code);
        if (strncmp(result.message, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("row %zu: '%s', not '%s'", i, result.message, rows[i].message);
        assert_false(was_asked);
    }
}

static void recommend_passes_everything_at_its_limit(void **state)
{
    (void)state;
    Vitrine__V1__RecommendRequest message = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    message.n = 200;
    message.customer_id = ids(1, 128)[0];
    message.visitor_id = ids(1, 128)[0];
    identity_over(&message);
    identity.id = identity.channel = ids(1, 128)[0];
    message.placement = ids(1, 128)[0];
    message.context_item_ids = ids(100, 128);
    message.n_context_item_ids = 100;
    message.exclude_item_ids = ids(1000, 128);
    message.n_exclude_item_ids = 1000;
    message.diversity = VITRINE__V1__DIVERSITY_LEVEL__DIVERSITY_LEVEL_HIGH;
    message.filter = (char *)"price < 30";
    message.explain = message.return_details = message.include_seen = 1;
    assert_ok(call("Recommend", &message.base).err);
    assert_true(was_asked);
    assert_int_equal(asked.mode, VT_RANKING_RECOMMEND);
    assert_int_equal(asked.n, 200);
    assert_int_equal(asked.n_context_ids, 100);
    assert_int_equal(asked.n_exclude_ids, 1000);
    assert_int_equal(asked.diversity, 4);
    assert_int_equal(asked.filter.len, strlen("price < 30")); /* the call's memory is gone */
    assert_int_equal(asked.who.customer_id.len, 128);
    assert_int_equal(asked.who.identity.type, VT_IDENTITY_DEVICE);
    assert_int_equal(asked.who.identity.channel.len, 128);
    assert_true(asked.explain && asked.return_details && asked.include_seen);
}

static void rank_wants_1_to_1000_items(void **state)
{
    (void)state;
    const struct {
        size_t n;
        enum vt_code code;
    } rows[] = {{0, VT_INVALID}, {1, VT_OK}, {1000, VT_OK}, {1001, VT_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Vitrine__V1__RankRequest message = VITRINE__V1__RANK_REQUEST__INIT;
        message.item_ids = ids(rows[i].n, 3);
        message.n_item_ids = rows[i].n;
        assert_code(call("Rank", &message.base).err, rows[i].code);
    }
    assert_int_equal(asked.mode, VT_RANKING_RANK);
    assert_int_equal(asked.n_rank_ids, 1000);
}

static void similar_items_wants_1_to_100_items(void **state)
{
    (void)state;
    const struct {
        size_t n;
        enum vt_code code;
    } rows[] = {{0, VT_INVALID}, {1, VT_OK}, {100, VT_OK}, {101, VT_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Vitrine__V1__SimilarItemsRequest message = VITRINE__V1__SIMILAR_ITEMS_REQUEST__INIT;
        message.n = 5;
        message.item_ids = ids(rows[i].n, 3);
        message.n_item_ids = rows[i].n;
        assert_code(call("SimilarItems", &message.base).err, rows[i].code);
    }
    assert_int_equal(asked.mode, VT_RANKING_SIMILAR);
    assert_int_equal(asked.n_context_ids, 100);
}

/* ---- bytes that are no message ---- */

static void bad_bytes_are_refused_before_the_domain_sees_them(void **state)
{
    (void)state;
    static char oversized[(256 << 10) + 1];
    const struct {
        const char *method;
        struct vt_slice body;
        enum vt_code code;
    } rows[] = {
        {"Recommend",
         vt_slice("\x12\x05"
                  "ab",
                  4),
         VT_INVALID}, /* truncated string */
        {"Recommend",
         vt_slice("\x12\x03"
                  "a\0b",
                  5),
         VT_INVALID},                                               /* NUL inside an id */
        {"Recommend", vt_slice("\x12\x02\xc0\x80", 4), VT_INVALID}, /* overlong UTF-8 */
        {"Recommend", vt_slice("\x0f", 1), VT_INVALID},             /* wire type 7 */
        {"Recommend",
         vt_slice("\x2a\x01"
                  "x",
                  3),
         VT_INVALID}, /* n is no string */
        {"Recommend", vt_slice(oversized, sizeof oversized), VT_EXHAUSTED},
        {"Recommendation", vt_slice(NULL, 0), VT_UNIMPLEMENTED}, /* no such method */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vt_rpc_loopback_result result = call_bytes(rows[i].method, rows[i].body);
        if (result.err.code != rows[i].code)
            fail_msg("row %zu: %s: %s", i, vt_code_name(result.err.code), result.message);
        assert_true(result.message[0] != '\0');
        assert_false(was_asked);
    }
}

/* ---- answers ---- */

static void fill_answer(struct vt_ranked_item *item)
{
    *item = (struct vt_ranked_item){
        .id = vt_slice_str("mug-1"),
        .number = 7,
        .score = 0x1.fffffffffffffp-3,
        .reason = vt_slice_str("because you bought Blue mug"),
        .sources = 1U << VT_SOURCE_FACTOR | 1U << VT_SOURCE_POPULAR,
        .title = vt_slice_str("Red mug"),
        .currency_code = vt_slice_str("EUR"),
        .price = 12.5,
    };
    item->source_scores[VT_SOURCE_FACTOR] = -0.1;
    item->source_scores[VT_SOURCE_POPULAR] = 3;
    answer = (struct vt_ranking_answer){
        .items = item,
        .n = 1,
        .model_version = vt_slice_str("v1"),
        .attribution_token = vt_slice_str("token"),
        .degraded_reason = "no profile in time",
    };
}

/* The three responses are encoded by one function: their field numbers must stay the same. */
static void an_answer_reads_the_same_as_each_of_the_three_responses(void **state)
{
    (void)state;
    struct vt_ranked_item item;
    struct vt_slice body;
    fill_answer(&item);
    assert_ok(vt_wire_answer_encode(&answer, &arena, &body));
    const ProtobufCMessageDescriptor *types[] = {&vitrine__v1__recommend_response__descriptor,
                                                 &vitrine__v1__rank_response__descriptor,
                                                 &vitrine__v1__similar_items_response__descriptor};
    for (size_t i = 0; i < 3; i++) {
        ProtobufCMessage *message = NULL;
        struct vt_slice again;
        struct vt_diag diag = {0};
        assert_ok(vt_pb_decode(types[i], body, &arena, &diag, &message));
        assert_int_equal(message->n_unknown_fields, 0);
        assert_ok(vt_pb_encode(message, &arena, &again));
        assert_true(vt_slice_equal(body, again));
    }
}

static void recommend_returns_scores_bit_for_bit_with_sources_and_reason(void **state)
{
    (void)state;
    struct vt_ranked_item item;
    fill_answer(&item);
    Vitrine__V1__RecommendRequest message = VITRINE__V1__RECOMMEND_REQUEST__INIT;
    message.n = 1;
    struct vt_rpc_loopback_result result = call("Recommend", &message.base);
    assert_ok(result.err);
    Vitrine__V1__RecommendResponse *response = NULL;
    struct vt_diag diag = {0};
    assert_ok(vt_pb_decode(&vitrine__v1__recommend_response__descriptor, result.body, &arena, &diag,
                           &response));
    assert_int_equal(response->n_items, 1);
    const Vitrine__V1__RecommendedItem *got = response->items[0];
    assert_string_equal(got->id, "mug-1");
    assert_memory_equal(&got->score, &item.score, sizeof item.score);
    assert_string_equal(got->reason, "because you bought Blue mug");
    assert_int_equal(got->n_sources, 2);
    assert_int_equal(got->sources[0]->source, VT_SOURCE_FACTOR);
    assert_int_equal(got->sources[1]->source, VT_SOURCE_POPULAR);
    assert_true(response->degraded);
    assert_string_equal(response->degraded_reason, "no profile in time");
    assert_string_equal(response->attribution_token, "token");
}

static void a_failure_of_the_domain_keeps_its_code(void **state)
{
    (void)state;
    answer_err = VT_ERR(VT_NOT_FOUND, "none of the items is known");
    Vitrine__V1__SimilarItemsRequest message = VITRINE__V1__SIMILAR_ITEMS_REQUEST__INIT;
    message.n = 1;
    message.item_ids = ids(1, 3);
    message.n_item_ids = 1;
    struct vt_rpc_loopback_result result = call("SimilarItems", &message.base);
    assert_code(result.err, VT_NOT_FOUND);
    assert_string_equal(result.message, "none of the items is known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(recommend_refuses_what_breaks_a_limit_and_says_where, begin),
        cmocka_unit_test_setup(recommend_passes_everything_at_its_limit, begin),
        cmocka_unit_test_setup(rank_wants_1_to_1000_items, begin),
        cmocka_unit_test_setup(similar_items_wants_1_to_100_items, begin),
        cmocka_unit_test_setup(bad_bytes_are_refused_before_the_domain_sees_them, begin),
        cmocka_unit_test_setup(an_answer_reads_the_same_as_each_of_the_three_responses, begin),
        cmocka_unit_test_setup(recommend_returns_scores_bit_for_bit_with_sources_and_reason, begin),
        cmocka_unit_test_setup(a_failure_of_the_domain_keeps_its_code, begin),
    };
    return cmocka_run_group_tests_name("ranking_rpc/handlers", tests, NULL, NULL);
}
