/* Candidates from a real, small bundle: two taste clusters of ten items each. */
#include "services/candidate/candidate.h"
#include "services/candidate/scratch.h"
#include "services/candidate/taste.h"
#include "services/common/base/clock.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROWS = 20, DIM = 2, STRIDE = 16, NEW_ITEM = 21, ARENA_BYTES = 1 << 20 };
#define NOW_MS INT64_C(1700000000000)

struct fixture {
    char *folder;
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    struct vt_clock_fake clock;
    struct vt_candidate_service *service;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
};

static void write_bundle(const char *folder, bool with_neighbors)
{
    static _Alignas(64) float factors[N_ROWS * STRIDE];
    static uint32_t numbers[N_ROWS];
    static float popularity[N_ROWS];
    static double gram[DIM * DIM];
    for (uint32_t r = 0; r < N_ROWS; r++) {
        numbers[r] = r + 1;
        popularity[r] = (float)(N_ROWS - r);
        factors[r * STRIDE + (r >= N_ROWS / 2)] = 1 + 0.01F * (float)r;
    }
    for (uint32_t r = 0; r < N_ROWS; r++)
        for (uint32_t i = 0; i < DIM * DIM; i++)
            gram[i] +=
                .1 * (double)factors[r * STRIDE + i / DIM] * (double)factors[r * STRIDE + i % DIM];
    struct vt_bundle_view view = {.version = "v1",
                                  .parent = "",
                                  .algorithm = "ials",
                                  .blas = "",
                                  .n_items = N_ROWS,
                                  .item_numbers = numbers,
                                  .dim = DIM,
                                  .factor_stride = STRIDE,
                                  .item_factors = factors,
                                  .gram = gram,
                                  .regularization = .1,
                                  .unobserved_weight = .1,
                                  .popularity = popularity};
    /* 1 and 2 are neighbours of 3; 2 and 4 are neighbours of 15 */
    static uint64_t starts[N_ROWS + 1];
    static const uint32_t columns[] = {0, 1, 1, 3};
    static const float similarities[] = {0.5F, 0.5F, 0.5F, 0.4F};
    for (uint32_t r = 0; r < N_ROWS; r++)
        starts[r + 1] = r < 2 ? 0 : r < 14 ? 2 : 4;
    if (with_neighbors)
        view.neighbors = (struct vt_csr){N_ROWS, starts, columns, similarities};
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        view.event_weights[type] = vt_event_type_default_weight(type);
    struct vt_diag diag = {0};
    assert_ok(vt_bundle_write(folder, &view, &diag));
    assert_ok(vt_bundle_publish(folder, "v1", &diag));
}

static void describe_items(struct vt_item_table *items)
{
    for (uint32_t number = 1; number <= NEW_ITEM; number++) {
        char id[16];
        (void)snprintf(id, sizeof id, "sku-%u", number);
        struct vt_item item = {
            .number = number, .id = vt_slice_str(id), .stock = number == 12 ? 0 : -1};
        assert_ok(vt_item_table_upsert(items, &item));
        vt_item_table_set_count(items, number, (float)number);
    }
    vt_item_table_refresh_popular(items);
}

enum model { NO_MODEL, FACTORS, FACTORS_AND_NEIGHBORS };

static int set_up_with(void **state, enum model model)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->folder = vt_test_folder_new();
    if (model != NO_MODEL)
        write_bundle(fixture->folder, model == FACTORS_AND_NEIGHBORS);
    vt_clock_fake_init(&fixture->clock, NOW_MS);
    assert_ok(vt_bundle_set_open(fixture->folder, NULL, NULL, &fixture->bundles));
    assert_ok(vt_item_table_new(&fixture->items));
    describe_items(fixture->items);
    assert_ok(vt_candidate_service_new(fixture->bundles, fixture->items, &fixture->clock.clock,
                                       NULL, &fixture->service));
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    fixture->request = (struct vt_request){
        .arena = &fixture->arena, .diag = &fixture->diag, .deadline_ns = INT64_MAX};
    *state = fixture;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, FACTORS);
}

static int set_up_with_neighbors(void **state)
{
    return set_up_with(state, FACTORS_AND_NEIGHBORS);
}

static int set_up_without_model(void **state)
{
    return set_up_with(state, NO_MODEL);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    vt_candidate_service_free(fixture->service);
    vt_bundle_set_close(fixture->bundles);
    vt_item_table_free(fixture->items);
    vt_arena_fini(&fixture->arena);
    vt_test_folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static const struct vt_history_event bought_15 = {
    .item = 15, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = NOW_MS - 86400000};

static struct vt_candidate_list get(struct fixture *fixture, const struct vt_candidate_query *query)
{
    struct vt_candidate_list list = {0};
    assert_ok(vt_candidate_get(fixture->service, &fixture->request, query, &list));
    return list;
}

static const struct vt_candidate *find(const struct vt_candidate_list *list, uint32_t item)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->candidates[i].item == item)
            return &list->candidates[i];
    return NULL;
}

static void history_brings_its_cluster_without_seen_or_sold_out_items(void **state)
{
    struct vt_candidate_list list =
        get(*state, &(struct vt_candidate_query){.history = &bought_15, .n_history = 1, .n = 30});
    assert_null(find(&list, 15));
    assert_null(find(&list, 12));
    const struct vt_candidate *alike = find(&list, 20), *other = find(&list, 1);
    assert_non_null(alike);
    assert_non_null(other);
    assert_true(alike->scores[VT_SOURCE_FACTOR] > other->scores[VT_SOURCE_FACTOR] + .1);
    assert_int_equal(alike->because, 15);
}

static void new_items_come_without_a_row(void **state)
{
    struct vt_candidate_list list = get(*state, &(struct vt_candidate_query){.n = 30});
    const struct vt_candidate *fresh = find(&list, NEW_ITEM);
    assert_non_null(fresh);
    assert_true((fresh->sources & 1U << VT_SOURCE_NEW_ARRIVAL) != 0);
    assert_true((fresh->sources & 1U << VT_SOURCE_FACTOR) == 0);
}

static void context_counts_like_a_view(void **state)
{
    uint32_t context = 15;
    struct vt_candidate_list list =
        get(*state, &(struct vt_candidate_query){.context = &context, .n_context = 1, .n = 30});
    assert_null(find(&list, 15));
    assert_int_equal(find(&list, 20)->because, 15);
}

/* As write_bundle makes them. */
static double share_in(uint32_t taste_item, float weight, uint32_t item)
{
    uint32_t half = N_ROWS / 2;
    if ((taste_item > half) != (item > half))
        return 0;
    return (double)weight * (double)(1 + 0.01F * (float)(taste_item - 1)) *
           (double)(1 + 0.01F * (float)(item - 1));
}

static uint32_t speaks_most(const struct vt__taste *taste, uint32_t item)
{
    uint32_t because = 0;
    double most = 0;
    for (uint32_t i = 0; i < taste->n && i < VT__SPEAKERS_MAX; i++) {
        double share = share_in(taste->items[i], taste->weights[i], item);
        if (share > most) {
            most = share;
            because = taste->items[i];
        }
    }
    return because;
}

static void assert_named(struct fixture *fixture, const struct vt_candidate_query *query)
{
    struct vt_bundle *bundle = vt_bundle_set_current(fixture->bundles);
    struct vt__taste taste;
    assert_ok(vt__taste_make(bundle, query, &fixture->arena, &taste));
    struct vt_candidate_list list = get(fixture, query);
    assert_int_equal(list.n, N_ROWS);
    for (uint32_t i = 0; i < N_ROWS; i++)
        assert_int_equal(list.candidates[i].because, speaks_most(&taste, i + 1));
    vt_bundle_release(bundle);
    vt_arena_reset(&fixture->arena);
}

/* Of many, of all weights, the same one is named as by asking all of them. */
static void who_speaks_most_is_named(void **state)
{
    static const uint16_t types[] = {VT_EVENT_VIEW, VT_EVENT_PURCHASE, VT_EVENT_CART,
                                     VT_EVENT_FAVOURITE, VT_EVENT_CLICK};
    struct vt_history_event history[N_ROWS - 1];
    uint32_t asked[N_ROWS];
    for (uint32_t i = 0; i < N_ROWS; i++)
        asked[i] = i + 1;
    for (uint32_t i = 0; i < N_ROWS - 1; i++)
        history[i] = (struct vt_history_event){.item = 1 + (i * 7) % N_ROWS,
                                               .type = types[(i * i) % 5],
                                               .value = 1,
                                               .time_ms = NOW_MS - 86400000 * (int64_t)i};
    for (uint32_t n = 1; n < N_ROWS; n++)
        assert_named(*state, &(struct vt_candidate_query){.history = history,
                                                          .n_history = n,
                                                          .n = N_ROWS,
                                                          .score_only = asked,
                                                          .n_score_only = N_ROWS});
}

static void exclude_and_include_seen_are_honoured(void **state)
{
    uint32_t exclude[] = {20, NEW_ITEM};
    struct vt_candidate_list list = get(*state, &(struct vt_candidate_query){.history = &bought_15,
                                                                             .n_history = 1,
                                                                             .exclude = exclude,
                                                                             .n_exclude = 2,
                                                                             .include_seen = true,
                                                                             .n = 30});
    assert_null(find(&list, 20));
    assert_null(find(&list, NEW_ITEM));
    assert_non_null(find(&list, 15));
}

static const struct vt_history_event disliked_3[] = {
    {.item = 3, .type = VT_EVENT_DISLIKE, .value = 1, .time_ms = NOW_MS - 1000},
    {.item = 3, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = NOW_MS - 2000},
    {.item = 15, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = NOW_MS - 3000},
};

static void dislikes_stay_out_even_when_seen_items_are_wanted(void **state)
{
    struct vt_candidate_query query = {
        .history = disliked_3, .n_history = 3, .include_seen = true, .n = 30};
    struct vt_candidate_list list = get(*state, &query);
    assert_null(find(&list, 3));
    assert_non_null(find(&list, 15));
    struct vt_history_event rated = {.item = 7, .type = VT_EVENT_RATING, .value = 2, .time_ms = 1};
    query.history = &rated;
    query.n_history = 1;
    list = get(*state, &query);
    assert_null(find(&list, 7));
    rated.value = 2.5F;
    list = get(*state, &query);
    assert_non_null(find(&list, 7));
}

static void newcomers_that_are_disliked_stay_out(void **state)
{
    struct vt_history_event disliked = {
        .item = NEW_ITEM, .type = VT_EVENT_DISLIKE, .value = 1, .time_ms = NOW_MS};
    struct vt_candidate_list list =
        get(*state, &(struct vt_candidate_query){
                        .history = &disliked, .n_history = 1, .include_seen = true, .n = 30});
    assert_null(find(&list, NEW_ITEM));
    assert_true(list.n > 10);
}

static float neighbor_score(const struct vt_candidate_list *list, uint32_t item)
{
    const struct vt_candidate *candidate = find(list, item);
    assert_non_null(candidate);
    return (float)candidate->scores[VT_SOURCE_ITEM_NEIGHBOR];
}

static void neighbours_of_the_disliked_are_demoted(void **state)
{
    struct vt_candidate_query query = {.history = disliked_3 + 2, .n_history = 1, .n = 30};
    struct vt_candidate_list before = get(*state, &query);
    assert_float_equal(neighbor_score(&before, 2), 0.5F, 1e-6);
    assert_float_equal(neighbor_score(&before, 4), 0.4F, 1e-6);
    query.history = disliked_3;
    query.n_history = 3;
    struct vt_candidate_list after = get(*state, &query);
    assert_float_equal(neighbor_score(&after, 4), 0.4F, 1e-6);
    assert_float_equal(neighbor_score(&after, 2), 0.1F, 1e-6);
    assert_float_equal(neighbor_score(&after, 1), -0.4F, 1e-6);
    assert_true(find(&after, 1)->because != 3);
    assert_int_equal(after.n, before.n - 1); /* without 3, and nothing else is lost */
}

static void what_dislikes_take_is_bounded_by_the_best(void **state)
{
    const struct vt_history_event history[] = {
        {.item = 15, .type = VT_EVENT_VIEW, .value = 1, .time_ms = NOW_MS},
        {.item = 3, .type = VT_EVENT_DISLIKE, .value = 1, .time_ms = NOW_MS}};
    struct vt_candidate_list list =
        get(*state, &(struct vt_candidate_query){.history = history, .n_history = 2, .n = 30});
    assert_float_equal(neighbor_score(&list, 1), -0.075F, 1e-6);
    assert_float_equal(neighbor_score(&list, 2), -0.075F, 1e-6);
    assert_float_equal(neighbor_score(&list, 4), 0.06F, 1e-6);
}

static void dislikes_alone_leave_the_popular_list(void **state)
{
    struct vt_candidate_list list =
        get(*state, &(struct vt_candidate_query){.history = disliked_3, .n_history = 1, .n = 30});
    assert_null(find(&list, 3));
    assert_non_null(find(&list, 20));
    assert_int_equal(list.candidates[0].item, 1); /* the most popular is offered, scored down */
    assert_true(neighbor_score(&list, 1) < 0);
    assert_true((find(&list, 20)->sources >> VT_SOURCE_FACTOR & 1) == 0);
}

static void dislikes_stay_out_without_a_model(void **state)
{
    struct vt_candidate_list list =
        get(*state, &(struct vt_candidate_query){
                        .history = disliked_3, .n_history = 3, .include_seen = true, .n = 30});
    assert_null(find(&list, 3));
    assert_non_null(find(&list, 15));
}

static void score_only_answers_in_the_callers_order(void **state)
{
    uint32_t asked[] = {3, 15, 12, 999};
    struct vt_candidate_list list = get(*state, &(struct vt_candidate_query){.history = &bought_15,
                                                                             .n_history = 1,
                                                                             .score_only = asked,
                                                                             .n_score_only = 4,
                                                                             .n = 30});
    assert_int_equal(list.n, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(list.candidates[i].item, asked[i]);
}

static void similar_scores_are_cosines(void **state)
{
    uint32_t context = 15;
    struct vt_candidate_list list =
        get(*state, &(struct vt_candidate_query){
                        .context = &context, .n_context = 1, .similar = true, .n = 30});
    double cosine = find(&list, 20)->scores[VT_SOURCE_FACTOR];
    assert_true(cosine > .999 && cosine < 1.001);
    assert_null(find(&list, 15));
}

static void answers_depend_on_the_query_alone(void **state)
{
    struct fixture *fixture = *state;
    struct vt_candidate_query query = {.history = &bought_15, .n_history = 1, .n = 30};
    struct vt_candidate_list first = get(fixture, &query);
    uint32_t context = 2;
    (void)get(fixture, &(struct vt_candidate_query){.context = &context, .n_context = 1, .n = 5});
    vt_clock_fake_advance_ms(&fixture->clock, INT64_C(30) * 86400000);
    struct vt_candidate_list second = get(fixture, &query);
    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.candidates, second.candidates, first.n * sizeof *first.candidates);
}

static void an_unknown_pin_names_the_current_version(void **state)
{
    struct fixture *fixture = *state;
    struct vt_candidate_list list = {0};
    struct vt_candidate_query query = {.n = 3, .version = vt_slice_str("v0")};
    assert_code(vt_candidate_get(fixture->service, &fixture->request, &query, &list),
                VT_PRECONDITION);
    assert_non_null(strstr(fixture->diag.text, "v1"));
    query.version = vt_slice_str("v1");
    assert_true(vt_slice_equal(get(fixture, &query).version, vt_slice_str("v1")));
}

static void limits_are_held(void **state)
{
    struct fixture *fixture = *state;
    struct vt_candidate_list list = {0};
    struct vt_candidate_query query = {.n = VT_CANDIDATES_MAX + 1};
    assert_code(vt_candidate_get(fixture->service, &fixture->request, &query, &list), VT_INVALID);
    query.n = 0;
    assert_code(vt_candidate_get(fixture->service, &fixture->request, &query, &list), VT_INVALID);
    query.n = VT_CANDIDATES_MAX;
    (void)get(fixture, &query);
    fixture->request.deadline_ns = 0;
    assert_code(vt_candidate_get(fixture->service, &fixture->request, &query, &list), VT_DEADLINE);
}

static void without_a_model_popular_items_answer_degraded(void **state)
{
    struct vt_candidate_list list = get(*state, &(struct vt_candidate_query){.n = 3});
    assert_string_equal(list.degraded_reason, "no model yet");
    assert_int_equal(list.n, 3);
    assert_int_equal(list.candidates[0].item, NEW_ITEM);
    assert_int_equal(list.version.len, 0);
}

#define WITH_NEIGHBORS(name) cmocka_unit_test_setup_teardown(name, set_up_with_neighbors, tear_down)
#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(history_brings_its_cluster_without_seen_or_sold_out_items),
        CASE(new_items_come_without_a_row),
        CASE(context_counts_like_a_view),
        CASE(who_speaks_most_is_named),
        CASE(exclude_and_include_seen_are_honoured),
        CASE(dislikes_stay_out_even_when_seen_items_are_wanted),
        CASE(newcomers_that_are_disliked_stay_out),
        WITH_NEIGHBORS(neighbours_of_the_disliked_are_demoted),
        WITH_NEIGHBORS(what_dislikes_take_is_bounded_by_the_best),
        WITH_NEIGHBORS(dislikes_alone_leave_the_popular_list),
        cmocka_unit_test_setup_teardown(dislikes_stay_out_without_a_model, set_up_without_model,
                                        tear_down),
        CASE(score_only_answers_in_the_callers_order),
        CASE(similar_scores_are_cosines),
        CASE(answers_depend_on_the_query_alone),
        CASE(an_unknown_pin_names_the_current_version),
        CASE(limits_are_held),
        cmocka_unit_test_setup_teardown(without_a_model_popular_items_answer_degraded,
                                        set_up_without_model, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
