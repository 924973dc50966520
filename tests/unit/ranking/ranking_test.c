/* The state machine against ports that are late, failing, or odd: one answer on every path. */
#include "services/common/base/clock.h"
#include "services/ranking/ranking.h"
#include "services/ranking/token.h"
#include "tests/testlib/testlib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ITEMS = 30, ARENA_BYTES = 1 << 20 };
#define NOW_MS INT64_C(1700000000000)

/* Both ports and the caller. */
struct fixture {
    char *folder;
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    struct vt_clock_fake clock;
    struct vt_ranking_service *service;
    struct vt_arena arena;
    struct vt_diag diag;
    atomic_bool cancelled;
    struct vt_request request;

    enum vt_code profile_code, candidate_code;
    bool precondition_once, cancel_in_profile, no_consent;
    struct vt_history_event history[2];
    struct vt_shown_limit limit_seen;
    uint32_t shown[2], n_shown;
    struct vt_candidate candidates[10];
    uint32_t n_candidates;
    uint32_t n_profile_asked, n_candidate_asked;
    int64_t profile_deadline_ns, candidate_deadline_ns;
    uint32_t n_history_seen;

    /* With `late` the ports keep their continuations, as those of other processes do. */
    bool late;
    vt_profile_view_fn profile_done;
    vt_candidate_list_fn candidate_done;
    void *profile_ctx, *candidate_ctx;

    uint32_t n_done;
    struct vt_err err;
    struct vt_ranking_answer answer;
};

static void answer_profile(struct fixture *fixture, vt_profile_view_fn done, void *ctx)
{
    struct vt_profile_view view = {.found = true,
                                   .customer_number = 77,
                                   .consent = !fixture->no_consent,
                                   .events = fixture->history,
                                   .n_events = 2,
                                   .shown = fixture->shown,
                                   .n_shown = fixture->n_shown};
    if (fixture->profile_code != VT_OK)
        done(ctx, VT_ERR(fixture->profile_code, "fake"), NULL);
    else
        done(ctx, vt_ok(), &view);
}

static void profile_get(void *self, struct vt_request *request, const struct vt_profile_key *key,
                        uint32_t max_events, int64_t deadline_ns, vt_profile_view_fn done,
                        void *ctx)
{
    (void)request, (void)max_events;
    struct fixture *fixture = self;
    fixture->limit_seen = key->shown;
    fixture->n_profile_asked++;
    fixture->profile_deadline_ns = deadline_ns;
    fixture->profile_done = done;
    fixture->profile_ctx = ctx;
    if (fixture->cancel_in_profile)
        atomic_store(&fixture->cancelled, true);
    if (!fixture->late)
        answer_profile(fixture, done, ctx);
}

static void answer_candidates(struct fixture *fixture, bool refuse, vt_candidate_list_fn done,
                              void *ctx)
{
    struct vt_candidate_list list = {.candidates = fixture->candidates,
                                     .n = fixture->n_candidates,
                                     .version = vt_slice_str("v1")};
    if (refuse)
        done(ctx, VT_ERR(VT_PRECONDITION, "fake"), NULL);
    else if (fixture->candidate_code != VT_OK)
        done(ctx, VT_ERR(fixture->candidate_code, "fake"), NULL);
    else
        done(ctx, vt_ok(), &list);
}

static void candidate_get(void *self, struct vt_request *request,
                          const struct vt_candidate_query *query, int64_t deadline_ns,
                          vt_candidate_list_fn done, void *ctx)
{
    (void)request;
    struct fixture *fixture = self;
    bool refuse = fixture->precondition_once && fixture->n_candidate_asked == 0;
    fixture->n_candidate_asked++;
    fixture->candidate_deadline_ns = deadline_ns;
    fixture->n_history_seen = query->n_history;
    fixture->candidate_done = done;
    fixture->candidate_ctx = ctx;
    if (!fixture->late)
        answer_candidates(fixture, refuse, done, ctx);
}

static void keep_answer(void *ctx, struct vt_err err, const struct vt_ranking_answer *answer)
{
    struct fixture *fixture = ctx;
    fixture->n_done++;
    fixture->err = err;
    if (answer != NULL)
        fixture->answer = *answer;
}

static void describe_items(struct vt_item_table *items)
{
    for (uint32_t number = 1; number <= N_ITEMS; number++) {
        char id[16], title[16];
        (void)snprintf(id, sizeof id, "sku-%u", number);
        (void)snprintf(title, sizeof title, "Item %u", number);
        struct vt_item item = {.number = number,
                               .id = vt_slice_str(id),
                               .title = vt_slice_str(title),
                               .stock = number == 5 ? 0 : -1,
                               .price = 2.5};
        assert_ok(vt_item_table_upsert(items, &item));
        vt_item_table_set_count(items, number, (float)(N_ITEMS - number));
    }
    vt_item_table_refresh_popular(items);
}

static void set_candidates(struct fixture *fixture)
{
    fixture->n_candidates = 10;
    for (uint32_t i = 0; i < 10; i++) {
        fixture->candidates[i] =
            (struct vt_candidate){.item = 20 - i, .sources = 1U << VT_SOURCE_FACTOR};
        const uint32_t pair = i / 2; /* two candidates of one score */
        fixture->candidates[i].scores[VT_SOURCE_FACTOR] = (double)pair;
    }
    fixture->candidates[9].because = 1;
    fixture->history[0] = (struct vt_history_event){
        .item = 1, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = NOW_MS};
    fixture->history[1] = (struct vt_history_event){
        .item = 2, .type = VT_EVENT_VIEW, .value = 1, .time_ms = NOW_MS - 1};
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->folder = vt_test_folder_new();
    vt_clock_fake_init(&fixture->clock, NOW_MS);
    assert_ok(vt_bundle_set_open(fixture->folder, NULL, NULL, &fixture->bundles));
    assert_ok(vt_item_table_new(&fixture->items));
    describe_items(fixture->items);
    set_candidates(fixture);
    struct vt_ranking_options options = {.profile = {.self = fixture, .get = profile_get},
                                         .candidate = {.self = fixture, .get = candidate_get},
                                         .bundles = fixture->bundles,
                                         .items = fixture->items,
                                         .clock = &fixture->clock.clock,
                                         .diversity = 1};
    options.source_weights[VT_SOURCE_FACTOR] = 1;
    memset(options.token_key, 7, sizeof options.token_key);
    assert_ok(vt_ranking_service_new(&options, &fixture->service));
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    fixture->request =
        (struct vt_request){.arena = &fixture->arena,
                            .diag = &fixture->diag,
                            .deadline_ns = vt_clock_monotonic_ns(&fixture->clock.clock) + 8000,
                            .cancelled = &fixture->cancelled};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    vt_ranking_service_free(fixture->service);
    vt_bundle_set_close(fixture->bundles);
    vt_item_table_free(fixture->items);
    vt_arena_fini(&fixture->arena);
    vt_test_folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static void run(struct fixture *fixture, const struct vt_ranking_query *query)
{
    vt_ranking_run(fixture->service, &fixture->request, query, keep_answer, fixture);
    assert_int_equal(fixture->n_done, 1);
}

static void recommend(struct fixture *fixture, uint32_t n)
{
    run(fixture, &(struct vt_ranking_query){.mode = VT_RANKING_RECOMMEND,
                                            .who = {.customer_id = vt_slice_str("ann")},
                                            .placement = vt_slice_str("home"),
                                            .n = n,
                                            .explain = true});
}

static void assert_id(const struct fixture *fixture, uint32_t place, const char *id)
{
    assert_true(vt_slice_equal(fixture->answer.items[place].id, vt_slice_str(id)));
}

static void recommend_orders_by_score_and_breaks_ties_by_number(void **state)
{
    struct fixture *fixture = *state;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.n, 3);
    assert_id(fixture, 0, "sku-11");
    assert_id(fixture, 1, "sku-12");
    assert_id(fixture, 2, "sku-13");
    assert_null(fixture->answer.degraded_reason);
    assert_true(vt_slice_equal(fixture->answer.model_version, vt_slice_str("v1")));
    assert_true(
        vt_slice_equal(fixture->answer.items[0].reason, vt_slice_str("because you bought Item 1")));
}

static void reasons_are_in_the_language_that_was_asked_for(void **state)
{
    static const struct {
        const char *code, *reason;
    } rows[] = {
        {"zh", "因为您购买了“Item 1”"},         {"zh-CN", "因为您购买了“Item 1”"},
        {"ZH-Hans-SG", "因为您购买了“Item 1”"}, {"en-GB", "because you bought Item 1"},
        {"zhx", "because you bought Item 1"},   {"fr", "because you bought Item 1"},
    };
    struct fixture *fixture = *state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        fixture->n_done = 0;
        run(fixture, &(struct vt_ranking_query){.mode = VT_RANKING_RECOMMEND,
                                                .who = {.customer_id = vt_slice_str("ann")},
                                                .language = vt_slice_str(rows[r].code),
                                                .n = 3,
                                                .explain = true});
        assert_ok(fixture->err);
        assert_true(vt_slice_equal(fixture->answer.items[0].reason, vt_slice_str(rows[r].reason)));
    }
}

static void steps_get_their_share_of_the_deadline(void **state)
{
    struct fixture *fixture = *state;
    int64_t now_ns = vt_clock_monotonic_ns(&fixture->clock.clock);
    recommend(fixture, 3);
    assert_int_equal(fixture->profile_deadline_ns - now_ns, 2000);
    assert_int_equal(fixture->candidate_deadline_ns - now_ns, 4000);
}

static void failing_profile_degrades_to_an_answer_without_history(void **state)
{
    struct fixture *fixture = *state;
    fixture->profile_code = VT_DEADLINE;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_non_null(fixture->answer.degraded_reason);
    assert_int_equal(fixture->n_history_seen, 0);
    assert_int_equal(fixture->answer.n, 3);
}

static void failing_candidates_degrade_to_popular_items_not_seen(void **state)
{
    struct fixture *fixture = *state;
    fixture->candidate_code = VT_UNAVAILABLE;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_non_null(fixture->answer.degraded_reason);
    assert_id(fixture, 0, "sku-3"); /* 1 bought, 2 viewed */
    assert_id(fixture, 1, "sku-4");
    assert_id(fixture, 2, "sku-6"); /* 5 is sold out */
}

static void both_services_away_still_gives_n_items(void **state)
{
    struct fixture *fixture = *state;
    fixture->profile_code = VT_UNAVAILABLE;
    fixture->candidate_code = VT_DEADLINE;
    recommend(fixture, 10);
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.n, 10);
    assert_id(fixture, 0, "sku-1");
}

static void a_refused_pin_is_asked_once_more_without_it(void **state)
{
    struct fixture *fixture = *state;
    fixture->precondition_once = true;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_int_equal(fixture->n_candidate_asked, 2);
    assert_null(fixture->answer.degraded_reason);
}

static void a_pin_refused_twice_degrades(void **state)
{
    struct fixture *fixture = *state;
    fixture->candidate_code = VT_PRECONDITION;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_int_equal(fixture->n_candidate_asked, 2);
    assert_non_null(fixture->answer.degraded_reason);
}

static void an_invalid_customer_is_the_callers_error(void **state)
{
    struct fixture *fixture = *state;
    fixture->profile_code = VT_INVALID;
    recommend(fixture, 3);
    assert_code(fixture->err, VT_INVALID);
    assert_int_equal(fixture->n_candidate_asked, 0);
}

static void cancelled_request_stops_before_the_next_step(void **state)
{
    struct fixture *fixture = *state;
    fixture->cancel_in_profile = true;
    recommend(fixture, 3);
    assert_code(fixture->err, VT_CANCELLED);
    assert_int_equal(fixture->n_candidate_asked, 0);
}

/* Begins a call whose query is gone, and its memory used for something else, when the ports
 * answer. */
static void begin_late(struct fixture *fixture)
{
    struct vt_ranking_query query = {
        .mode = VT_RANKING_RECOMMEND, .who = {.customer_id = vt_slice_str("ann")}, .n = 3};
    fixture->late = true;
    vt_ranking_run(fixture->service, &fixture->request, &query, keep_answer, fixture);
    memset(&query, 0xAA, sizeof query);
}

static void ports_may_answer_after_run_has_returned(void **state)
{
    struct fixture *fixture = *state;
    begin_late(fixture);
    assert_int_equal(fixture->n_candidate_asked, 0); /* its history is not there yet */
    answer_profile(fixture, fixture->profile_done, fixture->profile_ctx);
    assert_int_equal(fixture->n_candidate_asked, 1);
    assert_int_equal(fixture->n_history_seen, 2);
    assert_int_equal(fixture->n_done, 0);
    answer_candidates(fixture, false, fixture->candidate_done, fixture->candidate_ctx);
    assert_int_equal(fixture->n_done, 1);
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.n, 3);
    assert_id(fixture, 0, "sku-11");
    assert_null(fixture->answer.degraded_reason);
}

static void a_slow_profile_leaves_less_time_for_the_candidates(void **state)
{
    struct fixture *fixture = *state;
    begin_late(fixture);
    int64_t asked_ns = vt_clock_monotonic_ns(&fixture->clock.clock);
    fixture->request.deadline_ns = asked_ns + INT64_C(8000000);
    vt_clock_fake_advance_ms(&fixture->clock, 6);
    answer_profile(fixture, fixture->profile_done, fixture->profile_ctx);
    int64_t now_ns = vt_clock_monotonic_ns(&fixture->clock.clock);
    assert_true(fixture->candidate_deadline_ns > now_ns);
    assert_true(fixture->candidate_deadline_ns < fixture->request.deadline_ns);
    answer_candidates(fixture, false, fixture->candidate_done, fixture->candidate_ctx);
    assert_int_equal(fixture->n_done, 1);
}

static void a_late_refusal_of_the_pin_is_asked_again_and_ends_once(void **state)
{
    struct fixture *fixture = *state;
    begin_late(fixture);
    answer_profile(fixture, fixture->profile_done, fixture->profile_ctx);
    answer_candidates(fixture, true, fixture->candidate_done, fixture->candidate_ctx);
    assert_int_equal(fixture->n_candidate_asked, 2);
    assert_int_equal(fixture->n_done, 0);
    answer_candidates(fixture, true, fixture->candidate_done, fixture->candidate_ctx);
    assert_int_equal(fixture->n_candidate_asked, 2);
    assert_int_equal(fixture->n_done, 1);
    assert_non_null(fixture->answer.degraded_reason);
    assert_int_equal(fixture->answer.n, 3);
}

static void a_caller_who_goes_while_candidates_are_made_gets_no_list(void **state)
{
    struct fixture *fixture = *state;
    begin_late(fixture);
    answer_profile(fixture, fixture->profile_done, fixture->profile_ctx);
    atomic_store(&fixture->cancelled, true);
    answer_candidates(fixture, false, fixture->candidate_done, fixture->candidate_ctx);
    assert_int_equal(fixture->n_done, 1);
    assert_code(fixture->err, VT_CANCELLED);
    assert_int_equal(fixture->answer.n, 0);
}

static void without_consent_no_history_is_used(void **state)
{
    struct fixture *fixture = *state;
    fixture->no_consent = true;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_int_equal(fixture->n_history_seen, 0);
}

/* A token would tie the answer to the person whose events bring it back. */
static void without_consent_there_is_no_token(void **state)
{
    struct fixture *fixture = *state;
    fixture->no_consent = true;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.n, 3);
    assert_int_equal(fixture->answer.attribution_token.len, 0);
}

static void unknown_consent_gives_no_token_either(void **state)
{
    struct fixture *fixture = *state;
    fixture->profile_code = VT_DEADLINE;
    recommend(fixture, 3);
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.attribution_token.len, 0);
}

static void without_consent_reasons_name_nothing_of_the_past(void **state)
{
    struct fixture *fixture = *state;
    fixture->no_consent = true;
    recommend(fixture, 10);
    for (uint32_t i = 0; i < fixture->answer.n; i++)
        assert_null(memmem(fixture->answer.items[i].reason.data,
                           fixture->answer.items[i].reason.len, "you ", 4));
}

static bool is_listed(const struct fixture *fixture, const char *id)
{
    for (uint32_t i = 0; i < fixture->answer.n; i++)
        if (vt_slice_equal(fixture->answer.items[i].id, vt_slice_str(id)))
            return true;
    return false;
}

static void disliked_items_never_fill_a_list_up(void **state)
{
    struct fixture *fixture = *state;
    fixture->history[1].type = VT_EVENT_DISLIKE; /* of item 2, among the most popular */
    fixture->history[0] = (struct vt_history_event){
        .item = 18, .type = VT_EVENT_RATING, .value = 1, .time_ms = NOW_MS}; /* a candidate */
    run(fixture, &(struct vt_ranking_query){.mode = VT_RANKING_RECOMMEND,
                                            .who = {.customer_id = vt_slice_str("ann")},
                                            .n = N_ITEMS,
                                            .include_seen = true});
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.n, N_ITEMS - 3); /* one is sold out */
    assert_false(is_listed(fixture, "sku-2"));
    assert_false(is_listed(fixture, "sku-18"));
    assert_true(is_listed(fixture, "sku-1"));
}

static void load_placements(struct fixture *fixture, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/placements.yaml", fixture->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_ok(vt_ranking_load_placements(fixture->service, path, &fixture->diag));
}

static void what_was_shown_often_enough_is_offered_no_more(void **state)
{
    struct fixture *fixture = *state;
    load_placements(fixture, "placements: {home: {shown: {at-most: 3, within: 24h}}}");
    fixture->shown[0] = 12; /* a candidate */
    fixture->shown[1] = 3;  /* the most popular that was not seen, to fill up with */
    fixture->n_shown = 2;
    recommend(fixture, N_ITEMS);
    assert_ok(fixture->err);
    assert_int_equal(fixture->limit_seen.at_least, 3);
    assert_int_equal(fixture->limit_seen.within_ms, 24 * 3600000);
    assert_id(fixture, 0, "sku-11");
    assert_id(fixture, 1, "sku-13");
    assert_false(is_listed(fixture, "sku-12"));
    assert_false(is_listed(fixture, "sku-3"));
    assert_int_equal(fixture->answer.n, N_ITEMS - 5); /* two seen, two shown, one sold out */
    assert_int_equal(fixture->answer.n_shown, 2);
}

static void a_pin_is_shown_however_often_it_was(void **state)
{
    struct fixture *fixture = *state;
    load_placements(fixture, "placements: {home: {shown: {at-most: 3, within: 24h}, "
                             "pins: [{item: sku-12, place: 1}]}}");
    fixture->shown[0] = 12;
    fixture->n_shown = 1;
    recommend(fixture, 5);
    assert_id(fixture, 0, "sku-12");
}

static void without_the_rule_or_consent_nothing_is_capped(void **state)
{
    struct fixture *fixture = *state;
    fixture->shown[0] = 12;
    fixture->n_shown = 1;
    recommend(fixture, 3); /* a port that tells more than it was asked */
    assert_int_equal(fixture->limit_seen.at_least, 0);
    assert_id(fixture, 1, "sku-12");
    load_placements(fixture, "placements: {home: {shown: {at-most: 3, within: 24h}}}");
    fixture->no_consent = true;
    fixture->n_done = 0;
    recommend(fixture, 3);
    assert_id(fixture, 1, "sku-12");
    assert_int_equal(fixture->answer.n_shown, 0);
}

static void a_callers_own_list_is_ranked_whatever_was_shown(void **state)
{
    struct fixture *fixture = *state;
    const struct vt_slice ids[] = {vt_slice_str("sku-12"), vt_slice_str("sku-11")};
    load_placements(fixture, "placements: {home: {shown: {at-most: 3, within: 24h}}}");
    fixture->shown[0] = 12;
    fixture->n_shown = 1;
    run(fixture, &(struct vt_ranking_query){.mode = VT_RANKING_RANK,
                                            .who = {.customer_id = vt_slice_str("ann")},
                                            .placement = vt_slice_str("home"),
                                            .rank_ids = ids,
                                            .n_rank_ids = 2});
    assert_ok(fixture->err);
    assert_int_equal(fixture->limit_seen.at_least, 0);
    assert_int_equal(fixture->answer.n, 2);
    assert_true(is_listed(fixture, "sku-12"));
}

static void rank_puts_the_disliked_last(void **state)
{
    struct fixture *fixture = *state;
    const struct vt_slice ids[] = {vt_slice_str("sku-11"), vt_slice_str("sku-14"),
                                   vt_slice_str("sku-13")};
    fixture->n_candidates = 3;
    fixture->candidates[0].item = 13;
    fixture->candidates[1].item = 14;
    fixture->candidates[2].item = 11; /* has the best score */
    fixture->history[1] = (struct vt_history_event){
        .item = 11, .type = VT_EVENT_DISLIKE, .value = 1, .time_ms = NOW_MS};
    run(fixture, &(struct vt_ranking_query){.mode = VT_RANKING_RANK,
                                            .who = {.customer_id = vt_slice_str("ann")},
                                            .rank_ids = ids,
                                            .n_rank_ids = 3});
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.n, 3);
    assert_id(fixture, 0, "sku-13");
    assert_id(fixture, 2, "sku-11");
}

static void nobody_is_not_asked_for(void **state)
{
    struct fixture *fixture = *state;
    run(fixture, &(struct vt_ranking_query){.mode = VT_RANKING_RECOMMEND, .n = 3});
    assert_ok(fixture->err);
    assert_int_equal(fixture->n_profile_asked, 0);
}

static void short_lists_are_filled_while_items_can_be_recommended(void **state)
{
    struct fixture *fixture = *state;
    fixture->n_candidates = 2;
    recommend(fixture, 200);
    assert_int_equal(fixture->answer.n, N_ITEMS - 3); /* two seen, one sold out */
    for (uint32_t i = 0; i < fixture->answer.n; i++)
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(fixture->answer.items[i].number, fixture->answer.items[j].number);
}

static void n_is_judged_at_its_limits(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t wrong[] = {0, VT_RECOMMEND_N_MAX + 1};
    for (size_t i = 0; i < 2; i++) {
        fixture->n_done = 0;
        recommend(fixture, wrong[i]);
        assert_code(fixture->err, VT_INVALID);
        assert_string_equal(fixture->diag.field, "n");
    }
    fixture->n_done = 0;
    recommend(fixture, VT_RECOMMEND_N_MAX);
    assert_ok(fixture->err);
}

static void rank_keeps_every_sku_and_puts_unknown_ones_last(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice ids[] = {vt_slice_str("nope"), vt_slice_str("sku-20"), vt_slice_str("sku-11"),
                             vt_slice_str("nope"), vt_slice_str("sku-11")};
    fixture->candidates[1] = fixture->candidates[9];
    fixture->n_candidates = 2;
    run(fixture,
        &(struct vt_ranking_query){.mode = VT_RANKING_RANK, .rank_ids = ids, .n_rank_ids = 5});
    assert_ok(fixture->err);
    assert_int_equal(fixture->answer.n, 3);
    assert_id(fixture, 0, "sku-11");
    assert_id(fixture, 1, "sku-20");
    assert_id(fixture, 2, "nope");
    assert_true(fixture->answer.items[2].score == 0.0);
}

static void rank_fills_details_without_candidates_too(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice ids[] = {vt_slice_str("sku-11"), vt_slice_str("nope")};
    fixture->candidate_code = VT_UNAVAILABLE;
    run(fixture,
        &(struct vt_ranking_query){
            .mode = VT_RANKING_RANK, .rank_ids = ids, .n_rank_ids = 2, .return_details = true});
    assert_ok(fixture->err);
    assert_non_null(fixture->answer.degraded_reason);
    assert_id(fixture, 0, "sku-11");
    assert_true(vt_slice_equal(fixture->answer.items[0].title, vt_slice_str("Item 11")));
    assert_int_equal(fixture->answer.items[1].title.len, 0);
}

static void similar_to_nothing_known_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct vt_slice ids[] = {vt_slice_str("nope")};
    run(fixture, &(struct vt_ranking_query){
                     .mode = VT_RANKING_SIMILAR, .context_ids = ids, .n_context_ids = 1, .n = 3});
    assert_code(fixture->err, VT_NOT_FOUND);
    assert_non_null(strstr(fixture->diag.text, "nope"));
}

static void a_full_arena_is_told_not_crashed_on(void **state)
{
    struct fixture *fixture = *state;
    static unsigned char little[8192];
    struct vt_arena arena;
    uint32_t n_exhausted = 0;
    for (size_t size = 0; size < sizeof little; size += 16) {
        vt_arena_init(&arena, little, size);
        fixture->request.arena = &arena;
        fixture->n_done = 0;
        recommend(fixture, 3);
        assert_true(fixture->err.code == VT_EXHAUSTED || fixture->err.code == VT_OK);
        n_exhausted += fixture->err.code == VT_EXHAUSTED;
    }
    assert_true(n_exhausted > 10);
    assert_ok(fixture->err); /* the largest was enough */
}

static void tokens_differ_and_decode_only_with_their_key(void **state)
{
    struct fixture *fixture = *state;
    unsigned char key[VT_TOKEN_KEY_BYTES];
    struct vt_token first, second;
    memset(key, 7, sizeof key);
    recommend(fixture, 1);
    struct vt_slice text = fixture->answer.attribution_token;
    assert_true(text.len <= VT_TOKEN_BYTES_MAX);
    assert_ok(vt_token_decode(key, text, &fixture->arena, &first));
    assert_true(first.time_ms == NOW_MS);
    assert_true(vt_slice_equal(first.model_version, vt_slice_str("v1")));
    fixture->n_done = 0;
    recommend(fixture, 1);
    assert_ok(vt_token_decode(key, fixture->answer.attribution_token, &fixture->arena, &second));
    assert_memory_not_equal(first.nonce, second.nonce, sizeof first.nonce);
    assert_true(first.customer_hash == second.customer_hash);
    key[0] ^= 1;
    assert_code(vt_token_decode(key, text, &fixture->arena, &first), VT_INVALID);
    key[0] ^= 1;
    for (size_t len = 0; len < text.len; len++)
        assert_code(vt_token_decode(key, vt_slice(text.data, len), &fixture->arena, &first),
                    VT_INVALID);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(recommend_orders_by_score_and_breaks_ties_by_number),
        CASE(reasons_are_in_the_language_that_was_asked_for),
        CASE(steps_get_their_share_of_the_deadline),
        CASE(failing_profile_degrades_to_an_answer_without_history),
        CASE(failing_candidates_degrade_to_popular_items_not_seen),
        CASE(both_services_away_still_gives_n_items),
        CASE(a_refused_pin_is_asked_once_more_without_it),
        CASE(a_pin_refused_twice_degrades),
        CASE(an_invalid_customer_is_the_callers_error),
        CASE(cancelled_request_stops_before_the_next_step),
        CASE(ports_may_answer_after_run_has_returned),
        CASE(a_slow_profile_leaves_less_time_for_the_candidates),
        CASE(a_late_refusal_of_the_pin_is_asked_again_and_ends_once),
        CASE(a_caller_who_goes_while_candidates_are_made_gets_no_list),
        CASE(without_consent_no_history_is_used),
        CASE(without_consent_there_is_no_token),
        CASE(unknown_consent_gives_no_token_either),
        CASE(without_consent_reasons_name_nothing_of_the_past),
        CASE(disliked_items_never_fill_a_list_up),
        CASE(what_was_shown_often_enough_is_offered_no_more),
        CASE(a_pin_is_shown_however_often_it_was),
        CASE(without_the_rule_or_consent_nothing_is_capped),
        CASE(a_callers_own_list_is_ranked_whatever_was_shown),
        CASE(rank_puts_the_disliked_last),
        CASE(nobody_is_not_asked_for),
        CASE(short_lists_are_filled_while_items_can_be_recommended),
        CASE(n_is_judged_at_its_limits),
        CASE(rank_keeps_every_sku_and_puts_unknown_ones_last),
        CASE(rank_fills_details_without_candidates_too),
        CASE(similar_to_nothing_known_is_not_found),
        CASE(a_full_arena_is_told_not_crashed_on),
        CASE(tokens_differ_and_decode_only_with_their_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
