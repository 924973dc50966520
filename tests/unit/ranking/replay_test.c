/*
 * An answer is made, the catalog changes beyond recognition, and the token still tells the same
 * answer, bit for bit: over random requests, histories, candidates, placements and all three modes,
 * with a version that has factors and trees.
 */
#include "services/common/base/clock.h"
#include "services/ranking/decision_log.h"
#include "services/ranking/replay.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_ITEMS = 90,
    DIM = 3,
    ARENA_BYTES = 4 << 20,
    N_HISTORY = 30,
    N_SHOWN = 12,
    ROUNDS = 60,
    PATH_BYTES = 512
};
#define NOW_MS INT64_C(1700000000000)
#define DAY_MS INT64_C(86400000)

static const char *const configurations[] = {
    "",
    "campaigns: {summer: {items: [sku-3, sku-40, sku-41, sku-77]}}\n"
    "placements:\n"
    "  home:\n"
    "    pins: [{item: sku-9, place: 2}, {item: sku-39, place: 3}]\n"
    "    boosts: [{category: tea, by: 1.7}, {brand: b1, by: 0.4}]\n"
    "    caps: [{per: brand, at-most: 3}, {per: price, tiers: [20, 50], at-most: 5}]\n"
    "    campaigns: [summer]\n"
    "    slots: [1, 4]\n"
    "    exploration: {quota: 0.3, new-for: 30d, until-events: 500, prior: [1, 20], seed: 9}\n"
    "    diversity: high\n"
    "    shown: {at-most: 3, within: 24h}\n",
    "placements:\n"
    "  home:\n"
    "    viewed: show\n"
    "    sources: {popular: {weight: 0.7}, ranker: {weight: 0}}\n"
    "    variants: group\n"
    "    exploration: {quota: 0.15, new-for: 90d, until-events: 5000, prior: [2, 9], seed: 1}\n",
};
enum { N_CONFIGURATIONS = sizeof configurations / sizeof configurations[0] };

struct fixture {
    char *folder, data[PATH_BYTES], decisions[PATH_BYTES], placements[PATH_BYTES];
    struct vt_bundle_set *bundles;
    struct vt_item_table *items;
    struct vt_clock_fake clock;
    struct vt_decision_log *log;
    struct vt_ranking_service *service;
    struct vt_arena arena, again;
    struct vt_diag diag;
    struct vt_request request;
    uint64_t random;

    struct vt_history_event history[N_HISTORY];
    struct vt_candidate candidates[N_ITEMS];
    uint32_t n_history, n_candidates;
    uint32_t shown[N_SHOWN];    /* told where it is asked for */
    uint32_t n_barred_as_shown; /* of all replays */
    bool consent, no_candidates;
    struct vt_err err;
    struct vt_ranking_answer answer;
};

static uint32_t pick(struct fixture *fixture, uint32_t n)
{
    fixture->random = fixture->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(fixture->random >> 33) % n;
}

static double uniform(struct fixture *fixture)
{
    return (double)pick(fixture, 1U << 30) / (1U << 30);
}

static void profile_get(void *self, struct vt_request *request, const struct vt_profile_key *key,
                        uint32_t max_events, int64_t deadline_ns, vt_profile_view_fn done,
                        void *ctx)
{
    (void)request, (void)max_events, (void)deadline_ns;
    struct fixture *fixture = self;
    done(ctx, vt_ok(),
         &(struct vt_profile_view){.found = true,
                                   .customer_number = 77,
                                   .consent = fixture->consent,
                                   .events = fixture->history,
                                   .n_events = fixture->n_history,
                                   .shown = fixture->shown,
                                   .n_shown = key->shown.at_least != 0 ? N_SHOWN : 0});
}

static void candidate_get(void *self, struct vt_request *request,
                          const struct vt_candidate_query *query, int64_t deadline_ns,
                          vt_candidate_list_fn done, void *ctx)
{
    (void)deadline_ns, (void)query;
    struct fixture *fixture = self;
    if (fixture->no_candidates) {
        done(ctx, VT_ERR(VT_UNAVAILABLE, "fake"), NULL);
        return;
    }
    struct vt_candidate *copy = vt_arena_array(request->arena, N_ITEMS, sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, fixture->candidates, sizeof fixture->candidates);
    done(ctx, vt_ok(),
         &(struct vt_candidate_list){
             .candidates = copy, .n = fixture->n_candidates, .version = vt_slice_str("many")});
}

/* Anything may be true of an item, and something else the next time. */
static void describe_items(struct fixture *fixture)
{
    static const char *const brands[] = {"b0", "b1", "b2", "b3"}, *const kinds[] = {"tea", "mugs"};
    for (uint32_t number = 1; number <= N_ITEMS; number++) {
        char id[16], title[24], group[16];
        (void)snprintf(id, sizeof id, "sku-%u", number);
        (void)snprintf(title, sizeof title, "Item %u", pick(fixture, 1000));
        (void)snprintf(group, sizeof group, "g%u", pick(fixture, 20));
        const struct vt_attribute attributes[] = {{vt_slice_str("group"), vt_slice_str(group)}};
        const struct vt_item item = {
            .number = number,
            .id = vt_slice_str(id),
            .title = vt_slice_str(title),
            .brand = vt_slice_str(brands[pick(fixture, 4)]),
            .categories = {vt_slice_str("shop"), vt_slice_str(kinds[pick(fixture, 2)])},
            .n_categories = 2,
            .price = 1 + 90 * uniform(fixture),
            .stock = pick(fixture, 6) == 0 ? 0 : -1,
            .create_time_ms = NOW_MS - (int64_t)pick(fixture, 100) * DAY_MS,
            .attributes = attributes,
            .n_attributes = 1,
        };
        assert_ok(vt_item_table_upsert(fixture->items, &item));
        vt_item_table_set_count(fixture->items, number, (float)pick(fixture, 1000));
    }
    vt_item_table_refresh_popular(fixture->items);
}

static void write_version(struct fixture *fixture)
{
    static const uint32_t starts[] = {0, 5};
    static const uint32_t nodes[] = {0, 1, 2, 1, 0, 0, 0, 0, 1, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const float values[] = {0, -1, 3, 2, 1};
    static _Alignas(64) float factors[N_ITEMS * CONTENT_STRIDE];
    uint32_t numbers[N_ITEMS];
    float popularity[N_ITEMS];
    double gram[DIM * DIM] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    for (uint32_t i = 0; i < N_ITEMS; i++) {
        numbers[i] = i + 1;
        popularity[i] = 1;
        for (int d = 0; d < DIM; d++)
            factors[i * CONTENT_STRIDE + (size_t)d] = (float)uniform(fixture) - .5F;
    }
    struct vt_bundle_view view = {
        .version = "many",
        .parent = "",
        .algorithm = "ials",
        .blas = "",
        .n_items = N_ITEMS,
        .item_numbers = numbers,
        .dim = DIM,
        .factor_stride = CONTENT_STRIDE,
        .item_factors = factors,
        .gram = gram,
        .regularization = .1,
        .unobserved_weight = .1,
        .popularity = popularity,
        .ranker = {.n_trees = 1, .starts = starts, .nodes = nodes, .values = values}};
    view.ranker.features.n = 2;
    assert_true(vt_rank_feature_find("model", &view.ranker.features.ids[0]));
    assert_true(vt_rank_feature_find("price", &view.ranker.features.ids[1]));
    assert_ok(vt_bundle_write(fixture->folder, &view, NULL));
}

static void write_placements(struct fixture *fixture, unsigned configuration)
{
    FILE *file = fopen(fixture->placements, "w");
    assert_non_null(file);
    assert_true(fputs(configurations[configuration], file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_ok(vt_ranking_load_placements(fixture->service, fixture->placements, &fixture->diag));
}

static void open_services(struct fixture *fixture)
{
    struct vt_decision_log_options log = {.folder = fixture->decisions,
                                          .sample = 1,
                                          .keep_ms = DAY_MS,
                                          .space_bytes = 64 << 20,
                                          .n_threads = 1,
                                          .clock = &fixture->clock.clock};
    memset(log.key, 7, sizeof log.key);
    assert_ok(vt_decision_log_open(&log, &fixture->diag, &fixture->log));
    struct vt_ranking_options options = {.profile = {.self = fixture, .get = profile_get},
                                         .candidate = {.self = fixture, .get = candidate_get},
                                         .bundles = fixture->bundles,
                                         .items = fixture->items,
                                         .clock = &fixture->clock.clock,
                                         .decisions = fixture->log,
                                         .diversity = 2};
    options.source_weights[VT_SOURCE_FACTOR] = 1;
    options.source_weights[VT_SOURCE_MODEL] = 1;
    options.source_weights[VT_SOURCE_RANKER] = 1;
    options.source_weights[VT_SOURCE_POPULAR] = .1F;
    memset(options.token_key, 7, sizeof options.token_key);
    assert_ok(vt_ranking_service_new(&options, &fixture->service));
}

static void close_services(struct fixture *fixture)
{
    vt_ranking_service_free(fixture->service);
    vt_decision_log_close(fixture->log);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->random = 12;
    fixture->consent = true;
    fixture->folder = vt_test_folder_new();
    (void)snprintf(fixture->decisions, PATH_BYTES, "%s/decisions", fixture->folder);
    (void)snprintf(fixture->placements, PATH_BYTES, "%s/placements.yaml", fixture->folder);
    vt_clock_fake_init(&fixture->clock, NOW_MS);
    assert_ok(vt_item_table_new(&fixture->items));
    describe_items(fixture);
    write_version(fixture);
    assert_ok(vt_bundle_set_open(fixture->folder, NULL, NULL, &fixture->bundles));
    assert_ok(vt_bundle_set_activate(fixture->bundles, "many", &fixture->diag));
    open_services(fixture);
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    assert_true(vt_arena_init_owned(&fixture->again, ARENA_BYTES));
    fixture->request = (struct vt_request){
        .diag = &fixture->diag, .deadline_ns = vt_clock_monotonic_ns(&fixture->clock.clock) + 8000};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    close_services(fixture);
    vt_bundle_set_close(fixture->bundles);
    vt_item_table_free(fixture->items);
    vt_arena_fini(&fixture->arena);
    vt_arena_fini(&fixture->again);
    vt_test_folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static void keep_answer(void *ctx, struct vt_err err, const struct vt_ranking_answer *answer)
{
    struct fixture *fixture = ctx;
    fixture->err = err;
    if (answer != NULL)
        fixture->answer = *answer;
}

static void invent_ports(struct fixture *fixture)
{
    static const enum vt_source sources[] = {VT_SOURCE_FACTOR, VT_SOURCE_MODEL, VT_SOURCE_POPULAR,
                                             VT_SOURCE_RECENTLY_VIEWED};
    fixture->n_history = pick(fixture, N_HISTORY);
    for (uint32_t e = 0; e < fixture->n_history; e++)
        fixture->history[e] = (struct vt_history_event){
            .item = 1 + pick(fixture, N_ITEMS),
            .type = (uint16_t)(1 + pick(fixture, VT_EVENT_TYPE_COUNT - 1)),
            .channel = (uint16_t)pick(fixture, 300),
            .value = (float)pick(fixture, 5),
            .time_ms = NOW_MS - (int64_t)e * pick(fixture, 1000000)};
    for (uint32_t i = 0; i < N_SHOWN; i++)
        fixture->shown[i] = 1 + pick(fixture, N_ITEMS);
    fixture->n_candidates = 0;
    for (uint32_t item = 1; item <= N_ITEMS; item++) {
        struct vt_candidate candidate = {.item = item, .because = pick(fixture, N_ITEMS)};
        for (unsigned s = 0; s < sizeof sources / sizeof sources[0]; s++)
            if (pick(fixture, s == 3 ? 9 : 2) == 0) {
                candidate.sources |= 1U << sources[s];
                candidate.scores[sources[s]] = uniform(fixture) - .3;
            }
        if (candidate.sources != 0 && pick(fixture, 4) != 0)
            fixture->candidates[fixture->n_candidates++] = candidate;
    }
    fixture->no_candidates = pick(fixture, 10) == 0;
}

static struct vt_ranking_query invent_query(struct fixture *fixture, struct vt_slice *ids,
                                            char texts[][16])
{
    for (uint32_t i = 0; i < 40; i++) {
        (void)snprintf(texts[i], 16, "sku-%u", 1 + pick(fixture, N_ITEMS + 10));
        ids[i] = vt_slice_str(texts[i]);
    }
    static const enum vt_ranking_mode modes[] = {VT_RANKING_RECOMMEND, VT_RANKING_RECOMMEND,
                                                 VT_RANKING_RANK, VT_RANKING_SIMILAR};
    static const char *const filters[] = {"", "", "price < 60", "category = \"tea\" and stock > 0"};
    struct vt_ranking_query query = {
        .mode = modes[pick(fixture, 4)],
        .placement = vt_slice_str(pick(fixture, 3) != 0 ? "home" : ""),
        .who = {.customer_id = vt_slice_str(pick(fixture, 4) != 0 ? "ann" : "")},
        .context_ids = ids,
        .n_context_ids = pick(fixture, 3),
        .exclude_ids = ids + 3,
        .n_exclude_ids = pick(fixture, 5),
        .filter = vt_slice_str(filters[pick(fixture, 4)]),
        .n = 1 + pick(fixture, 40),
        .diversity = pick(fixture, 5),
        .explain = pick(fixture, 2) != 0,
        .include_seen = pick(fixture, 4) == 0,
    };
    if (query.mode == VT_RANKING_RANK) {
        query.rank_ids = ids + 8;
        query.n = query.n_rank_ids = 1 + pick(fixture, 30);
    }
    if (query.mode == VT_RANKING_SIMILAR)
        query.n_context_ids = 8;
    return query;
}

static void ask(struct fixture *fixture, const struct vt_ranking_query *query)
{
    vt_arena_reset(&fixture->arena);
    fixture->request.arena = &fixture->arena;
    fixture->err = VT_ERR(VT_INTERNAL, "never answered");
    vt_ranking_run(fixture->service, &fixture->request, query, keep_answer, fixture);
    assert_ok(fixture->err);
}

static struct vt_err replay(struct fixture *fixture, struct vt_replay *ret_replay)
{
    struct vt_request request = fixture->request;
    vt_arena_reset(&fixture->again);
    vt_diag_clear(&fixture->diag);
    request.arena = &fixture->again;
    return vt_replay_make(fixture->service, &request, fixture->answer.attribution_token,
                          ret_replay);
}

static void assert_replays(struct fixture *fixture)
{
    struct vt_replay made;
    assert_ok(replay(fixture, &made));
    assert_true(made.exact);
    assert_int_equal(made.answer.n, fixture->answer.n);
    for (uint32_t i = 0; i < made.answer.n; i++) {
        const struct vt_ranked_item *now = &made.answer.items[i], *then = &fixture->answer.items[i];
        assert_int_equal(now->number, then->number);
        assert_memory_equal(&now->score, &then->score, sizeof now->score);
        assert_int_equal(now->rules, then->rules);
        assert_int_equal(now->boosts, then->boosts);
        assert_int_equal(now->sources, then->sources);
        assert_memory_equal(now->source_scores, then->source_scores, sizeof now->source_scores);
        assert_true(vt_slice_equal(now->id, then->id));
    }
    assert_int_equal(made.answer.n_drops, fixture->answer.n_drops);
    assert_int_equal(made.answer.n_shown, fixture->answer.n_shown);
    for (uint32_t b = 0; b < made.trace.n_barred; b++)
        fixture->n_barred_as_shown += made.trace.barred[b].bar == VT_BAR_SHOWN;
    assert_int_equal(made.trace.n + made.trace.n_barred, made.decision.n_candidates);
    vt_replay_release(&made);
}

static void any_answer_is_made_again_whatever_the_catalog_became(void **state)
{
    struct fixture *fixture = *state;
    char texts[40][16];
    struct vt_slice ids[40];
    uint32_t by_mode[3] = {0}, n_rules = 0, n_drops = 0, n_items = 0;
    for (unsigned c = 0; c < N_CONFIGURATIONS; c++) {
        write_placements(fixture, c);
        for (unsigned round = 0; round < ROUNDS; round++) {
            invent_ports(fixture);
            const struct vt_ranking_query query = invent_query(fixture, ids, texts);
            ask(fixture, &query);
            by_mode[query.mode]++;
            n_items += fixture->answer.n;
            n_drops += fixture->answer.n_drops;
            for (uint32_t i = 0; i < fixture->answer.n; i++)
                n_rules |= fixture->answer.items[i].rules;
            describe_items(fixture);
            vt_clock_fake_advance_ms(&fixture->clock, 1000);
            assert_replays(fixture);
        }
    }
    /* The rounds were about something. */
    assert_true(by_mode[0] > 20 && by_mode[1] > 20 && by_mode[2] > 20);
    assert_true(n_items > 1000 && n_drops > 20 && fixture->n_barred_as_shown > 20);
    assert_int_equal(n_rules & 31, 1 << VT_RULE_PIN | 1 << VT_RULE_SLOT | 1 << VT_RULE_EXPLORE |
                                       1 << VT_RULE_BOOST | 1 << VT_RULE_BURY);
}

static void ask_for_home(struct fixture *fixture)
{
    invent_ports(fixture);
    fixture->no_candidates = false;
    ask(fixture, &(struct vt_ranking_query){.mode = VT_RANKING_RECOMMEND,
                                            .who = {.customer_id = vt_slice_str("ann")},
                                            .placement = vt_slice_str("home"),
                                            .n = 10});
}

static void a_restart_keeps_what_was_recorded(void **state)
{
    struct fixture *fixture = *state;
    ask_for_home(fixture);
    close_services(fixture);
    open_services(fixture);
    assert_replays(fixture);
}

static void other_placements_say_that_they_differ(void **state)
{
    struct fixture *fixture = *state;
    struct vt_replay made;
    ask_for_home(fixture);
    write_placements(fixture, 1);
    assert_code(replay(fixture, &made), VT_PRECONDITION);
    assert_ok(vt_ranking_load_placements(fixture->service, NULL, NULL));
    assert_replays(fixture); /* as they were */
}

static void without_consent_there_is_no_token_and_no_record(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before = 0, after = 0;
    assert_ok(vt_decision_files_expire(fixture->decisions, 0, NULL, &before));
    fixture->consent = false;
    ask_for_home(fixture);
    assert_int_equal(fixture->answer.attribution_token.len, 0);
    close_services(fixture);
    assert_ok(vt_decision_files_expire(fixture->decisions, 0, NULL, &after));
    assert_int_equal(before, after);
    open_services(fixture);
}

static void an_erased_customers_answer_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct vt_replay made;
    const uint64_t others[] = {5, 76, 78}, ann[] = {77};
    uint64_t n = 9;
    ask_for_home(fixture);
    assert_ok(vt_decision_log_forget(fixture->log, others, 3, NULL, &n));
    assert_int_equal(n, 0);
    assert_replays(fixture);
    assert_ok(vt_decision_log_forget(fixture->log, ann, 1, NULL, &n));
    assert_int_equal(n, 1);
    assert_code(replay(fixture, &made), VT_NOT_FOUND);
    assert_ok(vt_decision_log_forget(fixture->log, ann, 1, NULL, &n));
    assert_int_equal(n, 0);
    ask_for_home(fixture); /* an answer that was under way */
    assert_code(replay(fixture, &made), VT_NOT_FOUND);
}

static void old_answers_have_expired(void **state)
{
    struct fixture *fixture = *state;
    struct vt_replay made;
    ask_for_home(fixture);
    assert_replays(fixture); /* it is written by now, at its time */
    vt_clock_fake_advance_ms(&fixture->clock, DAY_MS);
    assert_replays(fixture);
    vt_clock_fake_advance_ms(&fixture->clock, 1);
    assert_code(replay(fixture, &made), VT_NOT_FOUND);
}

static void a_forged_token_is_invalid(void **state)
{
    struct fixture *fixture = *state;
    struct vt_replay made;
    ask_for_home(fixture);
    char forged[VT_TOKEN_BYTES_MAX];
    memcpy(forged, fixture->answer.attribution_token.data, fixture->answer.attribution_token.len);
    forged[9] = forged[9] == 'A' ? 'B' : 'A';
    fixture->answer.attribution_token.data = forged;
    assert_code(replay(fixture, &made), VT_INVALID);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(any_answer_is_made_again_whatever_the_catalog_became),
        CASE(a_restart_keeps_what_was_recorded),
        CASE(other_placements_say_that_they_differ),
        CASE(without_consent_there_is_no_token_and_no_record),
        CASE(an_erased_customers_answer_says_so),
        CASE(old_answers_have_expired),
        CASE(a_forged_token_is_invalid),
    };
    return cmocka_run_group_tests_name("ranking/replay", tests, NULL, NULL);
}
