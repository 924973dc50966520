/* The row of a candidate: each feature against its formula, what is missing, and that a part of the
 * features gives the same numbers as all of them. */
#include "models/rank/row.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
#define NOW_MS (INT64_C(1700000000000))

static double price_of(const void *ctx, uint32_t item)
{
    const double *prices = ctx;
    return prices[item];
}

/* Items 1 and 2 cost 10 and 40, 3 has no price; the event without an item is a search. */
static struct vt_rank_customer customer(void)
{
    static const double prices[] = {0, 10, 40, 0};
    const struct vt_history_event events[] = {
        {.item = 1, .time_ms = NOW_MS - 3 * DAY_MS},
        {.item = 0, .time_ms = NOW_MS - 4 * DAY_MS},
        {.item = 3, .time_ms = NOW_MS - 5 * DAY_MS},
        {.item = 2, .time_ms = NOW_MS - 9 * DAY_MS},
    };
    struct vt_rank_customer made;
    vt_rank_customer_make(events, 4, NOW_MS, price_of, prices, &made);
    return made;
}

static struct vt_rank_candidate candidate(double model, double kernel)
{
    struct vt_rank_candidate made = {.price = 80, .create_time_ms = NOW_MS - 6 * DAY_MS};
    for (unsigned s = 0; s < VT_RANK_SCORE_COUNT; s++)
        made.scores[s] = (double)NAN;
    made.scores[VT_RANK_SCORE_MODEL] = model;
    made.scores[VT_RANK_SCORE_KERNEL] = kernel;
    return made;
}

static float value(const struct vt_rank_candidate *of, const struct vt_rank_bests *bests,
                   const char *name)
{
    struct vt_rank_features one = {.n = 1};
    struct vt_rank_customer who = customer();
    float row = 0;
    assert_true(vt_rank_feature_find(name, &one.ids[0]));
    vt_rank_rows(&one, &who, bests, of, 1, &row);
    return row;
}

static void assert_near(float is, double wanted)
{
    assert_true(fabs((double)is - wanted) <= 1e-6 * fabs(wanted));
}

static void each_feature_is_its_formula(void **state)
{
    (void)state;
    const struct vt_rank_candidate list[] = {candidate(1.5, -4), candidate(-3, (double)NAN)};
    struct vt_rank_bests bests = {0};
    vt_rank_bests_add(list, 1, &bests); /* in parts */
    vt_rank_bests_add(list + 1, 1, &bests);
    assert_near(value(&list[0], &bests, "model"), 1.5);
    assert_near(value(&list[0], &bests, "model_of_best"), 0.5);
    assert_near(value(&list[1], &bests, "model_of_best"), -1);
    assert_near(value(&list[0], &bests, "kernel_of_best"), -1);
    assert_near(value(&list[0], &bests, "price"), log(80));
    assert_near(value(&list[0], &bests, "price_to_customer"), log(80 / 20.0)); /* 20² = 10 · 40 */
    assert_near(value(&list[0], &bests, "customer_price"), log(20));
    assert_near(value(&list[0], &bests, "age"), log(1 + 6.0));
    assert_near(value(&list[0], &bests, "customer_events"), log(1 + 3.0));
    assert_near(value(&list[0], &bests, "customer_recency"), log(1 + 3.0));
}

static void what_is_not_known_is_missing(void **state)
{
    (void)state;
    struct vt_rank_candidate unknown = candidate(1, (double)NAN);
    struct vt_rank_bests bests = {0};
    unknown.price = 0;
    unknown.create_time_ms = NOW_MS + 1; /* imported after the moment that is asked about */
    vt_rank_bests_add(&unknown, 1, &bests);
    static const char *const missing[] = {"kernel", "kernel_of_best",   "trending", "price",
                                          "age",    "price_to_customer"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        assert_true(isnan(value(&unknown, &bests, missing[i])));
}

static void times_of_a_plain_file_are_no_times(void **state)
{
    (void)state;
    const struct vt_history_event place_in_a_line = {.item = 1, .time_ms = 7};
    const double prices[] = {0, 0};
    struct vt_rank_customer made;
    vt_rank_customer_make(&place_in_a_line, 1, NOW_MS, price_of, prices, &made);
    assert_true(isnan(made.recency_log));
    assert_true(isnan(made.mean_price_log));
    vt_rank_customer_make(NULL, 0, NOW_MS, price_of, prices, &made);
    assert_true(isnan(made.recency_log));
    assert_true(made.events_log <= 0 && made.events_log >= 0);
}

static void a_choice_of_features_has_the_numbers_of_all(void **state)
{
    (void)state;
    struct vt_rank_features all, some = {.n = 0};
    const struct vt_rank_candidate list[] = {candidate(1.5, -4), candidate(-3, 2)};
    const struct vt_rank_customer who = customer();
    struct vt_rank_bests bests = {0};
    float whole[2 * VT_RANK_FEATURES_MAX], part[2 * VT_RANK_FEATURES_MAX];
    vt_rank_features_all(&all);
    for (uint32_t f = all.n; f-- > 0;) /* the other way round, every second */
        if (f % 2 == 0)
            some.ids[some.n++] = all.ids[f];
    vt_rank_bests_add(list, 2, &bests);
    vt_rank_rows(&all, &who, &bests, list, 2, whole);
    vt_rank_rows(&some, &who, &bests, list, 2, part);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t f = 0; f < some.n; f++)
            assert_memory_equal(&part[i * some.n + f], &whole[i * all.n + some.ids[f]],
                                sizeof(float));
}

static void every_name_leads_back_to_its_feature(void **state)
{
    (void)state;
    struct vt_rank_features all;
    uint8_t id = 0;
    vt_rank_features_all(&all);
    for (uint32_t f = 0; f < all.n; f++) {
        assert_true(vt_rank_feature_find(vt_rank_feature_name(all.ids[f]), &id));
        assert_int_equal(id, all.ids[f]);
        assert_true(strlen(vt_rank_feature_name(id)) < VT_RANK_FEATURE_NAME_BYTES);
    }
    assert_false(vt_rank_feature_find("next_purchase", &id));
    for (unsigned s = 0; s < VT_RANK_SCORE_COUNT; s++)
        assert_true(vt_rank_features_use(&all, s));
    assert_false(vt_rank_features_use(&(struct vt_rank_features){0}, VT_RANK_SCORE_MODEL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_feature_is_its_formula),
        cmocka_unit_test(what_is_not_known_is_missing),
        cmocka_unit_test(times_of_a_plain_file_are_no_times),
        cmocka_unit_test(a_choice_of_features_has_the_numbers_of_all),
        cmocka_unit_test(every_name_leads_back_to_its_feature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
