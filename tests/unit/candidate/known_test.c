/* Sources that name items: what was looked at, what is due, what a campaign wants; and budgets. */
#include "models/popularity/groups.h"
#include "services/candidate/candidate.h"
#include "services/candidate/sources_known.h"
#include "services/common/base/clock.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROWS = 12, N_ITEMS = 14, ARENA_BYTES = 1 << 20 };
#define DAY_MS INT64_C(86400000)
#define NOW_MS (INT64_C(20000) * DAY_MS + 3600000)

/* Items 1 … 12 have rows, popular in this order; 13 and 14 are newer. Item 5 is sold out. */
struct fixture {
    char *folder;
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    struct vt_clock_fake clock;
    struct vt_candidate_service *service;
    struct vt_arena arena;
    struct vt_diag diag;
    struct vt_request request;
    uint32_t budgets[VT_SOURCE_COUNT];
};

static void write_bundle(const char *folder)
{
    static uint32_t numbers[N_ROWS];
    static float popularity[N_ROWS], rebuy[N_ROWS * VT_BUNDLE_REBUY_COLUMNS];
    static const uint64_t starts[] = {0, 3};
    static const uint32_t columns[] = {8, 4, 6}; /* items 9, 5 and 7 */
    static const float values[] = {8, 6, 2};
    static uint64_t keys[1];
    for (uint32_t row = 0; row < N_ROWS; row++) {
        numbers[row] = row + 1;
        popularity[row] = (float)(N_ROWS - row);
    }
    /* Item 1 is bought every 30 days by half of its buyers; 2 is durable. */
    rebuy[0] = 30;
    rebuy[1] = .4F;
    rebuy[2] = .5F;
    keys[0] = vt_group_key_number("window", 7);
    struct vt_bundle_view view = {.version = "v1",
                                  .parent = "",
                                  .algorithm = "popular",
                                  .blas = "",
                                  .n_items = N_ROWS,
                                  .item_numbers = numbers,
                                  .popularity = popularity,
                                  .rebuy = rebuy,
                                  .groups = {keys, {1, starts, columns, values}}};
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        view.event_weights[type] = vt_event_type_default_weight(type);
    struct vt_diag diag = {0};
    assert_ok(vt_bundle_write(folder, &view, &diag));
    assert_ok(vt_bundle_publish(folder, "v1", &diag));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->folder = vt_test_folder_new();
    write_bundle(fixture->folder);
    vt_clock_fake_init(&fixture->clock, NOW_MS);
    assert_ok(vt_bundle_set_open(fixture->folder, NULL, NULL, &fixture->bundles));
    assert_ok(vt_item_table_new(&fixture->items));
    for (uint32_t number = 1; number <= N_ITEMS; number++) {
        char id[16];
        (void)snprintf(id, sizeof id, "sku-%u", number);
        const struct vt_item item = {.number = number,
                                     .id = vt_slice_str(id),
                                     .price = (double)number,
                                     .stock = number == 5 ? 0 : -1};
        assert_ok(vt_item_table_upsert(fixture->items, &item));
    }
    assert_ok(vt_candidate_service_new(fixture->bundles, fixture->items, &fixture->clock.clock,
                                       NULL, &fixture->service));
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    fixture->request = (struct vt_request){
        .arena = &fixture->arena, .diag = &fixture->diag, .deadline_ns = INT64_MAX};
    vt_candidate_budgets_default(fixture->budgets);
    *state = fixture;
    return 0;
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

static struct vt_history_event event(uint32_t item, enum vt_event_type type, int64_t days_ago)
{
    return (struct vt_history_event){
        .item = item, .type = (uint16_t)type, .value = 1, .time_ms = NOW_MS - days_ago * DAY_MS};
}

/* Only the source under test finds anything. */
static void allow_only(struct fixture *fixture, enum vt_source source, uint32_t budget)
{
    memset(fixture->budgets, 0, sizeof fixture->budgets);
    fixture->budgets[source] = budget;
}

static struct vt_candidate_list get(struct fixture *fixture, struct vt_candidate_query query)
{
    struct vt_candidate_list list = {0};
    query.n = 100;
    query.budgets = fixture->budgets;
    assert_ok(vt_candidate_get(fixture->service, &fixture->request, &query, &list));
    return list;
}

static const struct vt_candidate *find(const struct vt_candidate_list *list, uint32_t item)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->candidates[i].item == item)
            return &list->candidates[i];
    return NULL;
}

static double score_of(const struct vt_candidate_list *list, uint32_t item, enum vt_source source)
{
    const struct vt_candidate *candidate = find(list, item);
    if (candidate == NULL || (candidate->sources >> source & 1) == 0)
        return 0;
    return candidate->scores[source];
}

static const struct vt_history_event looked[] = {
    {.item = 4, .type = VT_EVENT_VIEW, .value = 1, .time_ms = NOW_MS - 1},
    {.item = 13, .type = VT_EVENT_CLICK, .value = 1, .time_ms = NOW_MS - 2},
    {.item = 4, .type = VT_EVENT_VIEW, .value = 1, .time_ms = NOW_MS - 3},
    {.item = 6, .type = VT_EVENT_CART, .value = 1, .time_ms = NOW_MS - 4},
    {.item = 6, .type = VT_EVENT_VIEW, .value = 1, .time_ms = NOW_MS - 5},
    {.item = 5, .type = VT_EVENT_VIEW, .value = 1, .time_ms = NOW_MS - 6},
    {.item = 7, .type = VT_EVENT_IMPRESSION, .value = 1, .time_ms = NOW_MS - 7},
    {.item = 8, .type = VT_EVENT_DISLIKE, .value = 1, .time_ms = NOW_MS - 8},
    {.item = 9, .type = VT_EVENT_VIEW, .value = 1, .time_ms = NOW_MS - 9},
};
#define LOOKED .history = looked, .n_history = sizeof looked / sizeof looked[0]

static void recently_viewed_is_newest_first_and_not_what_was_taken(void **state)
{
    struct fixture *fixture = *state;
    allow_only(fixture, VT_SOURCE_RECENTLY_VIEWED, 20);
    struct vt_candidate_list list = get(fixture, (struct vt_candidate_query){LOOKED});
    assert_int_equal(list.n, 3); /* not the cart's, the sold out, the shown, the disliked */
    assert_float_equal(score_of(&list, 4, VT_SOURCE_RECENTLY_VIEWED), 1, 1e-7);
    assert_float_equal(score_of(&list, 13, VT_SOURCE_RECENTLY_VIEWED), .5, 1e-7);
    assert_float_equal(score_of(&list, 9, VT_SOURCE_RECENTLY_VIEWED), 1. / 3, 1e-7);
}

static void recently_viewed_keeps_its_budget_and_what_the_page_shows(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t context[] = {4};
    allow_only(fixture, VT_SOURCE_RECENTLY_VIEWED, 1);
    struct vt_candidate_list list =
        get(fixture, (struct vt_candidate_query){LOOKED, .context = context, .n_context = 1});
    assert_int_equal(list.n, 1);
    assert_int_equal(list.candidates[0].item, 13);
}

static void known_items_pass_the_filter_like_others(void **state)
{
    struct fixture *fixture = *state;
    struct vt_candidate_query query = {LOOKED, .filter = vt_slice_str("price > 8")};
    allow_only(fixture, VT_SOURCE_RECENTLY_VIEWED, 20);
    struct vt_candidate_list list = get(fixture, query);
    assert_int_equal(list.n, 2);
    assert_null(find(&list, 4));
}

static void usually_what_was_seen_is_not_found_again(void **state)
{
    struct fixture *fixture = *state;
    struct vt_candidate_list list = get(fixture, (struct vt_candidate_query){LOOKED});
    assert_null(find(&list, 4));
    assert_null(find(&list, 6));
    assert_non_null(find(&list, 7));
}

static void viewed_and_bought_are_let_in_each_for_itself(void **state)
{
    struct fixture *fixture = *state;
    struct vt_candidate_list list =
        get(fixture, (struct vt_candidate_query){LOOKED, .include_viewed = true});
    assert_non_null(find(&list, 4));
    assert_null(find(&list, 6));
    assert_null(find(&list, 8)); /* a dislike holds whatever is let in */
    list = get(fixture, (struct vt_candidate_query){LOOKED, .include_bought = true});
    assert_null(find(&list, 4));
    assert_null(find(&list, 6)); /* it was viewed, too */
    list = get(fixture,
               (struct vt_candidate_query){LOOKED, .include_bought = true, .include_viewed = true});
    assert_non_null(find(&list, 6));
}

static void an_item_is_proposed_again_when_it_is_due(void **state)
{
    struct fixture *fixture = *state;
    allow_only(fixture, VT_SOURCE_BUY_AGAIN, 20);
    for (int64_t days = 0; days <= 90; days++) {
        const struct vt_history_event bought[] = {event(1, VT_EVENT_PURCHASE, days)};
        struct vt_candidate_list list =
            get(fixture, (struct vt_candidate_query){.history = bought, .n_history = 1});
        long double z = logl((long double)days / 30) / .4L;
        double wanted = days < 15 ? 0 : (double)(.5L * expl(-.5L * z * z));
        assert_int_equal(list.n, wanted > 0);
        assert_float_equal(score_of(&list, 1, VT_SOURCE_BUY_AGAIN), wanted, 1e-6);
    }
}

static void durable_goods_are_not_proposed_again(void **state)
{
    struct fixture *fixture = *state;
    const struct vt_history_event bought[] = {event(2, VT_EVENT_PURCHASE, 30),
                                              event(14, VT_EVENT_PURCHASE, 30),
                                              event(1, VT_EVENT_CART, 30)};
    allow_only(fixture, VT_SOURCE_BUY_AGAIN, 20);
    struct vt_candidate_list list =
        get(fixture, (struct vt_candidate_query){.history = bought, .n_history = 3});
    assert_int_equal(list.n, 0);
}

static void somebodys_own_rhythm_counts_before_the_products(void **state)
{
    struct fixture *fixture = *state;
    const struct vt_history_event bought[] = {
        event(1, VT_EVENT_PURCHASE, 8),  event(1, VT_EVENT_ORDER, 8),
        event(1, VT_EVENT_PURCHASE, 18), event(14, VT_EVENT_PURCHASE, 20),
        event(1, VT_EVENT_PURCHASE, 26), event(14, VT_EVENT_PURCHASE, 40),
        event(14, VT_EVENT_PURCHASE, 60)};
    allow_only(fixture, VT_SOURCE_BUY_AGAIN, 20);
    struct vt_candidate_list list =
        get(fixture, (struct vt_candidate_query){.history = bought, .n_history = 7});
    assert_int_equal(list.n, 2);
    assert_float_equal(score_of(&list, 1, VT_SOURCE_BUY_AGAIN), vt__rebuy_timing(8, 9, .5), 1e-6);
    assert_float_equal(score_of(&list, 14, VT_SOURCE_BUY_AGAIN), 1, 1e-6);
    assert_int_equal(list.candidates[0].item, 14);
}

static void campaigns_give_what_may_be_shown(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t campaign[] = {14, 5, 3, 4, 99};
    allow_only(fixture, VT_SOURCE_CAMPAIGN, 20);
    struct vt_candidate_list list =
        get(fixture, (struct vt_candidate_query){LOOKED, .campaign = campaign, .n_campaign = 5});
    assert_int_equal(list.n, 2);
    assert_int_equal(list.candidates[0].item, 14);
    assert_int_equal(list.candidates[1].item, 3);
    assert_float_equal(score_of(&list, 3, VT_SOURCE_CAMPAIGN), 1, 0);
}

static void a_group_scores_against_its_best(void **state)
{
    struct fixture *fixture = *state;
    allow_only(fixture, VT_SOURCE_GROUP, 20);
    struct vt_candidate_list list =
        get(fixture, (struct vt_candidate_query){.groups = 1U << VT_CANDIDATE_GROUP_WEEK});
    assert_int_equal(list.n, 2);
    assert_float_equal(score_of(&list, 9, VT_SOURCE_GROUP), 1, 1e-7);
    assert_float_equal(score_of(&list, 7, VT_SOURCE_GROUP), .25, 1e-7);
    list = get(fixture, (struct vt_candidate_query){.groups = 1U << VT_CANDIDATE_GROUP_MONTH});
    assert_int_equal(list.n, 0);
}

static void a_budget_bounds_what_a_source_finds(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t budget = 0; budget <= 5; budget++) {
        allow_only(fixture, VT_SOURCE_POPULAR, budget);
        struct vt_candidate_list list = get(fixture, (struct vt_candidate_query){0});
        assert_int_equal(list.n, budget);
        for (uint32_t i = 0; i < budget; i++)
            assert_int_equal(list.candidates[i].item, i < 4 ? i + 1 : 6);
    }
    allow_only(fixture, VT_SOURCE_NEW_ARRIVAL, 1);
    struct vt_candidate_list list = get(fixture, (struct vt_candidate_query){0});
    assert_int_equal(list.n, 1);
    assert_int_equal(list.candidates[0].item, 14);
}

static void more_campaign_items_than_the_limit_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static uint32_t campaign[VT_CAMPAIGN_MAX + 1];
    struct vt_candidate_list list;
    struct vt_candidate_query query = {.n = 1, .campaign = campaign, .n_campaign = VT_CAMPAIGN_MAX};
    assert_ok(vt_candidate_get(fixture->service, &fixture->request, &query, &list));
    query.n_campaign++;
    assert_code(vt_candidate_get(fixture->service, &fixture->request, &query, &list), VT_INVALID);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(recently_viewed_is_newest_first_and_not_what_was_taken),
        CASE(recently_viewed_keeps_its_budget_and_what_the_page_shows),
        CASE(known_items_pass_the_filter_like_others),
        CASE(usually_what_was_seen_is_not_found_again),
        CASE(viewed_and_bought_are_let_in_each_for_itself),
        CASE(an_item_is_proposed_again_when_it_is_due),
        CASE(durable_goods_are_not_proposed_again),
        CASE(somebodys_own_rhythm_counts_before_the_products),
        CASE(campaigns_give_what_may_be_shown),
        CASE(a_group_scores_against_its_best),
        CASE(a_budget_bounds_what_a_source_finds),
        CASE(more_campaign_items_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests_name("candidate/known", tests, NULL, NULL);
}
