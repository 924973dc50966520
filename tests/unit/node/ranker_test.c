/* The learned ranker from events to trees: what people are made of, that no row knows what came
 * after its moment, the same bytes for any number of threads, that it learns what is there to
 * learn, and that the rows that serving makes are those that it learnt on. */
#include "models/dataset/mix.h"
#include "services/node/ranker_examples.h"
#include "services/node/ranker_learn.h"
#include "services/ranking/ranking.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
#define BEGIN_MS INT64_C(1700000000000)
enum { CUSTOMERS = 300, DAYS = 30, NEW_A_DAY = 8, ITEMS = DAYS * NEW_A_DAY, FRESH_DAYS = 6 };

/* ---- a storefront in which the age of goods decides ---- */

static double uniform(uint64_t *seed)
{
    *seed += VT_MIX64_STEP;
    return (double)(vt_mix64(*seed) >> 11) * 0x1p-53;
}

static uint32_t first_day_of(uint32_t item)
{
    return (item - 1) / NEW_A_DAY;
}

/* Everybody buys one thing a day, of one of two tastes and not older than FRESH_DAYS. The sources
 * know what was bought, which is rather what is old; only the age tells what is wanted next. With
 * `later_differs` the last fifth of the days is bought at random. */
static struct vt_interactions storefront(bool later_differs)
{
    struct vt_interactions events = {0};
    uint64_t seed = 7;
    for (uint32_t day = 0; day < DAYS; day++)
        for (uint32_t customer = 1; customer <= CUSTOMERS; customer++) {
            const bool random = later_differs && day >= DAYS * 8 / 10;
            const uint32_t n_items = (day + 1) * NEW_A_DAY;
            uint32_t item = 0;
            do
                item = 1 + (uint32_t)(uniform(&seed) * n_items);
            while (!random && (item % 2 != customer % 2 || first_day_of(item) + FRESH_DAYS <= day));
            const struct vt_interaction event = {.user = customer,
                                                 .item = item,
                                                 .type = VT_EVENT_PURCHASE,
                                                 .value = 1,
                                                 .time_ms = BEGIN_MS + day * DAY_MS + customer};
            assert_ok(vt_interactions_append(&events, &event));
        }
    return events;
}

static struct vt_catalog dated_catalog(void)
{
    struct vt_catalog catalog = {0};
    for (uint32_t number = 1; number <= ITEMS; number++) {
        char id[16];
        (void)snprintf(id, sizeof id, "sku-%u", number);
        const struct vt_catalog_item item = {.number = number,
                                             .id = vt_slice_str(id),
                                             .title = vt_slice_str(id),
                                             .create_time_ms =
                                                 BEGIN_MS + first_day_of(number) * DAY_MS};
        assert_ok(vt_catalog_append(&catalog, &item));
    }
    return catalog;
}

static struct vt_train_options small_options(uint32_t threads)
{
    struct vt_train_options options;
    vt_train_options_default(&options);
    options.algorithm_options.ials.factors = 8;
    options.algorithm_options.ials.iterations = 4;
    options.algorithm_options.threads = threads;
    options.test_share = 0.2;
    options.k = 5;
    return options;
}

struct made {
    struct vt_ranker_past past;
    struct vt_ranker_people people;
    struct vt_ranker_examples examples;
};

/* Examples at the moment at which `share` of the events had happened. */
static void make_examples(const struct vt_interactions *events, const struct vt_catalog *catalog,
                          double share, uint32_t threads, const struct vt_bundle_ranker *ranker,
                          const char *folder, struct made *ret)
{
    const struct vt_settled no_search = {0};
    const struct vt_train_options options = small_options(threads);
    const uint64_t n_known = (uint64_t)((double)events->n * share);
    char path[512];
    (void)snprintf(path, sizeof path, "%s/past-%u", folder, threads);
    const struct vt_ranker_past_input past = {.known = events->list,
                                              .n_known = n_known,
                                              .catalog = catalog,
                                              .now_ms = events->list[n_known - 1].time_ms,
                                              .options = &options,
                                              .settled = &no_search,
                                              .ranker = ranker,
                                              .folder = path};
    const struct vt_ranker_people_options people = {.event_weights = options.dataset.event_weights,
                                                    .history_max = VT_HISTORY_MAX,
                                                    .people_max = CUSTOMERS,
                                                    .seed = 1};
    assert_ok(vt_ranker_past_open(&past, NULL, &ret->past));
    assert_ok(vt_ranker_people_make(events->list, n_known, events->list + n_known,
                                    events->n - n_known, &people, &ret->people));
    assert_ok(vt_ranker_examples_make(&ret->past, &ret->people, threads, NULL, &ret->examples));
}

static void free_made(struct made *made)
{
    vt_ranker_examples_free(&made->examples);
    vt_ranker_people_free(&made->people);
    vt_ranker_past_close(&made->past);
}

/* ---- people ---- */

static void people_have_their_newest_events_and_what_is_new_to_them(void **state)
{
    (void)state;
    float weights[VT_EVENT_TYPE_COUNT] = {[VT_EVENT_VIEW] = 1, [VT_EVENT_PURCHASE] = 5};
    const struct vt_interaction known[] = {
        {.user = 9, .item = 3, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 10},
        {.user = 7, .item = 1, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 10},
        {.user = 7, .item = 5, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 30},
        {.user = 7, .item = 4, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 30},
        {.user = 7, .item = 2, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 20},
    };
    const struct vt_interaction later[] = {
        {.user = 7, .item = 8, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 50},
        {.user = 7, .item = 8, .type = VT_EVENT_VIEW, .value = 1, .time_ms = 40},
        {.user = 7, .item = 1, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 50}, /* known */
        {.user = 7, .item = 6, .type = VT_EVENT_IMPRESSION, .value = 1, .time_ms = 50},
        {.user = 8, .item = 6, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 50}, /* new */
        {.user = 9, .item = 3, .type = VT_EVENT_PURCHASE, .value = 1, .time_ms = 50}, /* known */
    };
    const struct vt_ranker_people_options options = {
        .event_weights = weights, .history_max = 3, .people_max = 10, .seed = 1};
    struct vt_ranker_people people;
    assert_ok(vt_ranker_people_make(known, 5, later, 6, &options, &people));
    assert_int_equal(people.n, 1);
    assert_int_equal(people.list[0].user, 7);
    assert_int_equal(people.list[0].n_events, 3);
    const uint32_t newest[] = {4, 5, 2}; /* equal times by item; the fourth is beyond the limit */
    for (uint32_t e = 0; e < 3; e++)
        assert_int_equal(people.events[people.list[0].first + e].item, newest[e]);
    assert_int_equal(people.list[0].n_wanted, 1);
    assert_true(vt_ranker_wanted(&people, &people.list[0], 8));
    assert_false(vt_ranker_wanted(&people, &people.list[0], 1));
    vt_ranker_people_free(&people);
}

/* ---- nothing leaks ---- */

static size_t row_bytes(const struct vt_ranker_examples *examples, size_t *ret_n_rows)
{
    size_t n = 0;
    for (unsigned part = 0; part < VT_RANKER_PARTS; part++)
        n += examples->part[part].n_rows;
    *ret_n_rows = n;
    return n * examples->features.n * sizeof(float);
}

/* Rows of the people that both have, by the hash of their bytes: groups without a hit come and go
 * with the labels. Returns how many groups of `a` stand in `b` as they are. */
static uint32_t n_equal_groups(const struct vt_ranker_examples *a,
                               const struct vt_ranker_examples *b, uint32_t *ret_n_groups)
{
    uint32_t n_equal = 0, n_groups = 0;
    const struct vt_boost_examples *x = &a->part[VT_RANKER_CALIBRATE],
                                   *y = &b->part[VT_RANKER_CALIBRATE];
    size_t first = 0;
    for (uint32_t g = 0; g < x->n_groups && g < y->n_groups; g++) {
        size_t bytes = (size_t)x->group_sizes[g] * a->features.n * sizeof(float);
        n_groups++;
        n_equal += a->features.n == b->features.n && x->group_sizes[g] == y->group_sizes[g] &&
                   memcmp(x->features + first * a->features.n, y->features + first * b->features.n,
                          bytes) == 0;
        first += x->group_sizes[g];
    }
    *ret_n_groups = n_groups;
    return n_equal;
}

/* Two futures of one past: the same rows, other labels. And the check can fail: when the version
 * knows what came later, rows differ. */
static void another_future_changes_labels_and_no_row(void **state)
{
    const struct vt_catalog catalog = dated_catalog();
    struct vt_interactions one = storefront(false), other = storefront(true);
    struct made a, b, leaking;
    uint32_t n_groups = 0;
    for (uint32_t i = 0; i < one.n * 8 / 10; i++)
        assert_memory_equal(&one.list[i], &other.list[i], sizeof one.list[i]);
    make_examples(&one, &catalog, 0.8, 2, NULL, *state, &a);
    /* The people of the other future, shown the same customers: all of them want something. */
    make_examples(&other, &catalog, 0.8, 3, NULL, *state, &b);
    uint32_t n_both = 0;
    for (uint32_t p = 0; p < a.people.n; p++)
        for (uint32_t q = 0; q < b.people.n; q++)
            n_both += a.people.list[p].user == b.people.list[q].user;
    assert_true(n_both > 100);
    /* Whoever is in both has the same history, and the candidates know nothing else. */
    struct vt_ranker_examples again;
    assert_ok(vt_ranker_examples_make(&b.past, &a.people, 1, NULL, &again));
    size_t n_rows = 0, n_rows_again = 0, bytes = row_bytes(&a.examples, &n_rows);
    assert_int_equal(bytes, row_bytes(&again, &n_rows_again));
    assert_memory_equal(a.examples.rows, again.rows, bytes);
    vt_ranker_examples_free(&again);

    make_examples(&one, &catalog, 0.99, 4, NULL, *state, &leaking);
    assert_ok(vt_ranker_examples_make(&leaking.past, &a.people, 1, NULL, &again));
    assert_true(n_equal_groups(&a.examples, &again, &n_groups) < n_groups);
    vt_ranker_examples_free(&again);
    free_made(&leaking);
    free_made(&a);
    free_made(&b);
    vt_interactions_free(&one);
    vt_interactions_free(&other);
    vt_catalog_free((struct vt_catalog *)&catalog);
}

/* ---- the bytes ---- */

static void threads_do_not_change_a_byte(void **state)
{
    struct vt_catalog catalog = dated_catalog();
    struct vt_interactions events = storefront(false);
    struct made one, three;
    make_examples(&events, &catalog, 0.8, 1, NULL, *state, &one);
    make_examples(&events, &catalog, 0.8, 3, NULL, *state, &three);
    size_t n_rows = 0, n_rows_of_three = 0, bytes = row_bytes(&one.examples, &n_rows);
    assert_int_equal(bytes, row_bytes(&three.examples, &n_rows_of_three));
    assert_memory_equal(one.examples.rows, three.examples.rows, bytes);
    assert_memory_equal(one.examples.labels, three.examples.labels, n_rows * sizeof(float));
    free_made(&one);
    free_made(&three);
    vt_interactions_free(&events);
    vt_catalog_free(&catalog);
}

/* ---- serving sees what was learnt on ---- */

static const struct made *asked;
static const struct vt_ranker_person *asked_about;

static void tell_history(void *self, struct vt_request *request, const struct vt_profile_key *key,
                         uint32_t max_events, int64_t deadline_ns, vt_profile_view_fn done,
                         void *ctx)
{
    (void)self, (void)request, (void)key, (void)max_events, (void)deadline_ns;
    const struct vt_profile_view view = {.found = true,
                                         .consent = true,
                                         .events = asked->people.events + asked_about->first,
                                         .n_events = asked_about->n_events};
    done(ctx, vt_ok(), &view);
}

struct served {
    float scores[VT_RECOMMEND_N_MAX];
    uint32_t n;
};

static void keep_scores(void *ctx, struct vt_err err, const struct vt_ranking_answer *answer)
{
    struct served *served = ctx;
    assert_ok(err);
    for (uint32_t i = 0; i < answer->n; i++)
        if ((answer->items[i].sources >> VT_SOURCE_RANKER & 1) != 0)
            served->scores[served->n++] = (float)answer->items[i].source_scores[VT_SOURCE_RANKER];
}

/* The ranker's score of every candidate of a Recommend to the person. */
static void recommend(const struct vt_ranker_past *past, struct served *ret_served)
{
    struct vt_ranking_options options = {.profile = {.get = tell_history},
                                         .candidate = vt_candidate_local_port(past->candidates),
                                         .bundles = past->bundles,
                                         .items = past->items,
                                         .clock = &past->clock.clock};
    struct vt_ranking_service *service;
    struct vt_arena arena;
    const struct vt_ranking_query query = {
        .who = {.customer_id = vt_slice_str("c")}, .n = VT_RECOMMEND_N_MAX, .diversity = 1};
    options.source_weights[VT_SOURCE_RANKER] = 1;
    assert_true(vt_arena_init_owned(&arena, 8 << 20));
    assert_ok(vt_ranking_service_new(&options, &service));
    struct vt_request request = {.arena = &arena, .deadline_ns = INT64_MAX};
    *ret_served = (struct served){0};
    vt_ranking_run(service, &request, &query, keep_scores, ret_served);
    vt_ranking_service_free(service);
    vt_arena_fini(&arena);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* What the trees say of the person's rows as examples have them; ascending. */
static uint32_t predict_examples(const struct made *made, const struct vt_ranker_person *person,
                                 const struct vt_ranker *ranker, float *ret_scores)
{
    struct vt_ranker_people alone = made->people;
    struct vt_ranker_examples examples;
    struct vt_ranker_person copy = *person;
    uint32_t everything[ITEMS];
    for (uint32_t i = 0; i < ITEMS; i++)
        everything[i] = i + 1;
    copy.first_wanted = 0; /* so that the person's candidates are examples, whatever came later */
    copy.n_wanted = ITEMS;
    alone.wanted = everything;
    alone.list = &copy;
    alone.n = 1;
    assert_ok(vt_ranker_examples_make(&made->past, &alone, 1, NULL, &examples));
    const struct vt_boost_examples *rows = &examples.part[VT_RANKER_LEARN];
    for (uint32_t i = 0; i < rows->n_rows; i++) {
        float row[VT_RANK_FEATURES_MAX];
        for (uint32_t f = 0; f < ranker->features.n; f++) {
            row[f] = NAN;
            for (uint32_t e = 0; e < examples.features.n; e++)
                if (examples.features.ids[e] == ranker->features.ids[f])
                    row[f] = rows->features[i * examples.features.n + e];
        }
        vt_trees_predict(&ranker->boosted.trees, row, 1, ranker->features.n, &ret_scores[i]);
    }
    qsort(ret_scores, rows->n_rows, sizeof *ret_scores, by_value);
    uint32_t n = rows->n_rows;
    vt_ranker_examples_free(&examples);
    return n;
}

static void learn_trees(const struct made *made, struct vt_ranker *ranker)
{
    struct vt_boost_options boost;
    vt_ranker_boost_options(&boost);
    boost.rounds = 20;
    assert_ok(vt_boost_train(&made->examples.part[VT_RANKER_LEARN], NULL, &boost, NULL,
                             &ranker->boosted));
    ranker->features = made->examples.features;
}

static void serving_asks_about_the_rows_of_the_examples_to_the_bit(void **state)
{
    struct vt_catalog catalog = dated_catalog();
    struct vt_interactions events = storefront(false);
    struct vt_ranker ranker = {0};
    struct made made, serving;
    uint32_t n_asked = 0;
    make_examples(&events, &catalog, 0.8, 1, NULL, *state, &made);
    learn_trees(&made, &ranker);
    const struct vt_bundle_ranker part = vt_ranker_part(&ranker);
    make_examples(&events, &catalog, 0.8, 2, &part, *state, &serving);
    asked = &serving;
    for (uint32_t p = 0; p < serving.people.n && n_asked < 20; p++) {
        float expected[VT_RANKER_CANDIDATES];
        struct served served;
        asked_about = &serving.people.list[p];
        if (asked_about->hash % 10 >= 8) /* not of the part that is learnt from */
            continue;
        recommend(&serving.past, &served);
        assert_int_equal(served.n, predict_examples(&made, asked_about, &ranker, expected));
        qsort(served.scores, served.n, sizeof *served.scores, by_value);
        assert_memory_equal(served.scores, expected, served.n * sizeof *expected);
        assert_true(expected[served.n - 1] > expected[0]); /* they tell candidates apart */
        n_asked++;
    }
    assert_int_equal(n_asked, 20);
    vt_ranker_free(&ranker);
    free_made(&made);
    free_made(&serving);
    vt_interactions_free(&events);
    vt_catalog_free(&catalog);
}

/* ---- learning ---- */

static struct vt_ranker learn(const struct vt_interactions *events,
                              const struct vt_catalog *catalog, const char *folder)
{
    const struct vt_settled no_search = {0};
    const struct vt_train_options options = small_options(2);
    char path[512];
    (void)snprintf(path, sizeof path, "%s/learn", folder);
    const struct vt_ranker_input input = {.interactions = events->list,
                                          .n = events->n,
                                          .catalog = catalog,
                                          .options = &options,
                                          .settled = &no_search,
                                          .folder = path};
    struct vt_ranker ranker;
    assert_ok(vt_ranker_learn(&input, NULL, &ranker));
    return ranker;
}

static void what_only_the_age_of_goods_tells_is_learnt_and_measured(void **state)
{
    struct vt_catalog catalog = dated_catalog();
    struct vt_interactions events = storefront(false);
    struct vt_ranker ranker = learn(&events, &catalog, *state);
    assert_true(ranker.serves);
    assert_true(ranker.measured.ndcg.mean_a > 1.2 * ranker.measured.ndcg.mean_b);
    assert_true(ranker.measured.ndcg.p_better < 0.01);
    assert_true(ranker.calibration.n > 0);
    vt_ranker_free(&ranker);
    vt_interactions_free(&events);
    vt_catalog_free(&catalog);
}

/* Later customers buy at random: whatever was learnt before is worth nothing, and that is seen. */
static void what_does_not_hold_later_does_not_serve(void **state)
{
    struct vt_catalog catalog = dated_catalog();
    struct vt_interactions events = storefront(true);
    struct vt_ranker ranker = learn(&events, &catalog, *state);
    assert_true(ranker.n_customers > 0);
    assert_false(ranker.serves);
    vt_ranker_free(&ranker);
    vt_interactions_free(&events);
    vt_catalog_free(&catalog);
}

static void too_few_events_end_without_a_ranker(void **state)
{
    struct vt_catalog catalog = dated_catalog();
    struct vt_interactions events = storefront(false);
    events.n = 40;
    struct vt_ranker ranker = learn(&events, &catalog, *state);
    assert_int_equal(ranker.n_customers, 0);
    assert_false(ranker.serves);
    vt_ranker_free(&ranker);
    vt_interactions_free(&events);
    vt_catalog_free(&catalog);
}

static int make_folder(void **state)
{
    *state = vt_test_folder_new();
    return *state != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    vt_test_folder_remove(*state);
    return 0;
}

#define WITH_FOLDER(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_have_their_newest_events_and_what_is_new_to_them),
        WITH_FOLDER(another_future_changes_labels_and_no_row),
        WITH_FOLDER(threads_do_not_change_a_byte),
        WITH_FOLDER(serving_asks_about_the_rows_of_the_examples_to_the_bit),
        WITH_FOLDER(what_only_the_age_of_goods_tells_is_learnt_and_measured),
        WITH_FOLDER(what_does_not_hold_later_does_not_serve),
        WITH_FOLDER(too_few_events_end_without_a_ranker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
