/* A query and a list come through the wire as they went in, and each limit holds at its value. */
#include "services/candidate/wire.h"
#include "services/common/pb/pb.h"
#include "services/common/wire/parts.h"
#include "tests/testlib/testlib.h"
#include "vitrine/v1/candidate.pb-c.h"

#include <math.h>

static unsigned char memory[2 << 20];
static struct vt_arena arena;
static struct vt_history_event history[VT_HISTORY_MAX + 1];
static uint32_t numbers[VT_CANDIDATES_MAX + 1];

static int begin(void **state)
{
    (void)state;
    vt_arena_init(&arena, memory, sizeof memory);
    for (uint32_t i = 0; i <= VT_HISTORY_MAX; i++)
        history[i] = (struct vt_history_event){.item = i + 1,
                                               .type = (uint16_t)(1 + i % 17),
                                               .channel = (uint16_t)(i * 300),
                                               .value = 0.1F * (float)i,
                                               .time_ms = INT64_C(1700000000123) - i};
    for (uint32_t i = 0; i <= VT_CANDIDATES_MAX; i++)
        numbers[i] = UINT32_MAX - i;
    return 0;
}

static uint32_t budgets[VT_SOURCE_COUNT] = {0, VT_CANDIDATES_MAX, 7, 0, 5};

static struct vt_candidate_query full_query(void)
{
    return (struct vt_candidate_query){
        .history = history,
        .n_history = VT_HISTORY_MAX,
        .context = numbers,
        .n_context = VT_CONTEXT_MAX,
        .exclude = numbers,
        .n_exclude = VT_EXCLUDE_MAX,
        .n = VT_CANDIDATES_MAX,
        .version = vt_slice_str("20260101-000000-0001"),
        .score_only = numbers,
        .n_score_only = VT_SCORE_ITEMS_MAX,
        .similar = true,
        .include_seen = true,
        .include_viewed = true,
        .include_bought = true,
        .budgets = budgets,
        .groups = (1U << VT_CANDIDATE_GROUP_COUNT) - 1,
        .campaign = numbers,
        .n_campaign = VT_CAMPAIGN_MAX,
    };
}

static struct vt_err round_trip(const struct vt_candidate_query *query, struct vt_diag *diag,
                                struct vt_candidate_query *ret_query)
{
    struct vt_slice body;
    assert_ok(vt_wire_candidate_query_encode(query, &arena, &body));
    return vt_wire_candidate_query_decode(body, &arena, diag, ret_query);
}

static void query_comes_back_equal_with_every_list_at_its_limit(void **state)
{
    (void)state;
    struct vt_candidate_query query = full_query(), got;
    struct vt_diag diag = {0};
    assert_ok(round_trip(&query, &diag, &got));
    assert_int_equal(got.n_history, query.n_history);
    for (uint32_t i = 0; i < query.n_history; i++) {
        assert_int_equal(got.history[i].item, history[i].item);
        assert_int_equal(got.history[i].type, history[i].type);
        assert_int_equal(got.history[i].channel, history[i].channel);
        assert_memory_equal(&got.history[i].value, &history[i].value, sizeof(float));
        assert_int_equal(got.history[i].time_ms, history[i].time_ms);
    }
    assert_int_equal(got.n_context, query.n_context);
    assert_memory_equal(got.context, numbers, sizeof(uint32_t) * query.n_context);
    assert_int_equal(got.n_exclude, query.n_exclude);
    assert_memory_equal(got.exclude, numbers, sizeof(uint32_t) * query.n_exclude);
    assert_int_equal(got.n_score_only, query.n_score_only);
    assert_true(got.include_viewed && got.include_bought);
    assert_memory_equal(got.budgets, budgets, sizeof budgets);
    assert_int_equal(got.groups, query.groups);
    assert_int_equal(got.n_campaign, query.n_campaign);
    assert_memory_equal(got.campaign, numbers, sizeof(uint32_t) * query.n_campaign);
    assert_int_equal(got.n, query.n);
    assert_true(vt_slice_equal(got.version, query.version));
    assert_true(got.similar && got.include_seen);
}

static void query_over_a_limit_is_refused_with_the_field(void **state)
{
    (void)state;
    struct vt_candidate_query rows[6];
    const char *fields[] = {
        "history", "context_item_numbers", "exclude_item_numbers", "score_item_numbers", "n", "n"};
    for (size_t i = 0; i < 6; i++)
        rows[i] = full_query();
    rows[0].n_history++;
    rows[1].n_context++;
    rows[2].n_exclude++;
    rows[3].n_score_only++;
    rows[4].n++;
    rows[5].n = 0;
    for (size_t i = 0; i < 6; i++) {
        struct vt_diag diag = {0};
        struct vt_candidate_query got;
        assert_code(round_trip(&rows[i], &diag, &got), VT_INVALID);
        assert_string_equal(diag.field, fields[i]);
    }
}

static void history_event_that_is_no_event_is_refused(void **state)
{
    (void)state;
    struct vt_candidate_query query = full_query(), got;
    struct vt_diag diag = {0};
    history[3].type = VT_EVENT_TYPE_COUNT;
    assert_code(round_trip(&query, &diag, &got), VT_INVALID);
    assert_string_equal(diag.field, "history[3].type");
    history[3].type = 1;
    history[5].value = NAN;
    assert_code(round_trip(&query, &diag, &got), VT_INVALID);
    assert_string_equal(diag.field, "history[5].value");
}

static void list_comes_back_equal_bit_for_bit(void **state)
{
    (void)state;
    struct vt_candidate candidates[2] = {
        {.item = 5, .because = 9, .sources = 1U << VT_SOURCE_FACTOR},
        {.item = 6, .sources = 1U << VT_SOURCE_ITEM_NEIGHBOR | 1U << VT_SOURCE_CAMPAIGN},
    };
    candidates[0].scores[VT_SOURCE_FACTOR] = nextafter(1.0, 2.0);
    candidates[1].scores[VT_SOURCE_ITEM_NEIGHBOR] = 0.0; /* a score of 0 is a score */
    candidates[1].scores[VT_SOURCE_CAMPAIGN] = -1e-300;
    struct vt_candidate_list list = {.candidates = candidates,
                                     .n = 2,
                                     .version = vt_slice_str("v2"),
                                     .degraded_reason = "no bundle yet"};
    struct vt_candidate_list got;
    struct vt_slice body;
    assert_ok(vt_wire_candidate_list_encode(&list, &arena, &body));
    assert_ok(vt_wire_candidate_list_decode(body, &arena, NULL, &got));
    assert_int_equal(got.n, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(got.candidates[i].item, candidates[i].item);
        assert_int_equal(got.candidates[i].because, candidates[i].because);
        assert_int_equal(got.candidates[i].sources, candidates[i].sources);
        assert_memory_equal(got.candidates[i].scores, candidates[i].scores,
                            sizeof candidates[i].scores);
    }
    assert_true(vt_slice_equal(got.version, list.version));
    assert_string_equal(got.degraded_reason, list.degraded_reason);
}

/* One answer of a broken peer must not spoil the order of a whole list. */
static void list_with_a_score_that_no_order_can_use_is_refused(void **state)
{
    (void)state;
    const struct {
        unsigned source;
        double score;
    } rows[] = {{VT_SOURCE_FACTOR, (double)NAN},
                {VT_SOURCE_POPULAR, (double)INFINITY},
                {VT_SOURCE_NONE, 1},
                {VT_SOURCE_COUNT, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double scores[VT_SOURCE_COUNT + 1] = {0};
        struct vt_candidate_list got = {0};
        struct vt_diag diag = {0};
        Vitrine__V1__Candidate good = VITRINE__V1__CANDIDATE__INIT;
        Vitrine__V1__Candidate bad = VITRINE__V1__CANDIDATE__INIT;
        Vitrine__V1__GetCandidatesResponse message = VITRINE__V1__GET_CANDIDATES_RESPONSE__INIT;
        struct vt_slice body;
        scores[rows[i].source] = rows[i].score;
        assert_ok(vt_wire_scores_encode(&arena, 1U << rows[i].source, scores, &bad.n_sources,
                                        &bad.sources));
        message.n_candidates = 2;
        message.candidates = (Vitrine__V1__Candidate *[]){&good, &bad};
        assert_ok(vt_pb_encode(&message.base, &arena, &body));
        assert_code(vt_wire_candidate_list_decode(body, &arena, &diag, &got), VT_INVALID);
        assert_string_equal(diag.field, "candidates[1].sources");
    }
}

static void list_that_is_not_degraded_has_no_reason(void **state)
{
    (void)state;
    struct vt_candidate_list list = {0}, got = {.degraded_reason = "left over"};
    struct vt_slice body;
    assert_ok(vt_wire_candidate_list_encode(&list, &arena, &body));
    assert_ok(vt_wire_candidate_list_decode(body, &arena, NULL, &got));
    assert_null(got.degraded_reason);
    assert_int_equal(got.n, 0);
}

static void list_that_does_not_fit_the_arena_is_exhausted(void **state)
{
    (void)state;
    static struct vt_candidate candidates[VT_CANDIDATES_MAX];
    struct vt_candidate_list list = {.candidates = candidates, .n = VT_CANDIDATES_MAX};
    struct vt_slice body;
    vt_arena_init(&arena, memory, 4096);
    assert_code(vt_wire_candidate_list_encode(&list, &arena, &body), VT_EXHAUSTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(query_comes_back_equal_with_every_list_at_its_limit, begin),
        cmocka_unit_test_setup(query_over_a_limit_is_refused_with_the_field, begin),
        cmocka_unit_test_setup(history_event_that_is_no_event_is_refused, begin),
        cmocka_unit_test_setup(list_comes_back_equal_bit_for_bit, begin),
        cmocka_unit_test_setup(list_with_a_score_that_no_order_can_use_is_refused, begin),
        cmocka_unit_test_setup(list_that_is_not_degraded_has_no_reason, begin),
        cmocka_unit_test_setup(list_that_does_not_fit_the_arena_is_exhausted, begin),
    };
    return cmocka_run_group_tests_name("candidate_rpc/wire", tests, NULL, NULL);
}
