/* Counts by window, channel, segment and category by hand; trends that are there, and steady items
 * that are none. */
#include "models/popularity/demand.h"
#include "models/popularity/groups.h"
#include "models/popularity/trends.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define NOW_MS (INT64_C(1700000000000))

static struct vt_interaction view(uint64_t user, uint32_t item, int64_t days_ago, uint16_t channel)
{
    return (struct vt_interaction){.user = user,
                                   .item = item,
                                   .type = VT_EVENT_VIEW,
                                   .channel = channel,
                                   .value = 1,
                                   .time_ms = NOW_MS - days_ago * DAY_MS};
}

struct shop {
    struct vt_dataset dataset;
    struct vt_demand demand;
};

static struct shop open_shop(const struct vt_interaction *events, uint64_t n)
{
    struct shop shop;
    struct vt_dataset_options options;
    vt_dataset_options_default(&options);
    for (int type = 0; type < VT_EVENT_TYPE_COUNT; type++)
        options.event_weights[type] = type == VT_EVENT_VIEW ? 1 : 0;
    assert_ok(vt_dataset_build(events, n, &options, NULL, &shop.dataset));
    assert_ok(vt_demand_build(events, n, &shop.dataset, options.event_weights, &shop.demand));
    return shop;
}

static void close_shop(struct shop *shop)
{
    vt_demand_free(&shop->demand);
    vt_dataset_free(&shop->dataset);
}

static void assert_near(float value, double expected)
{
    assert_true(fabs((double)value - expected) < 1e-6);
}

static void a_customer_counts_once_for_an_item(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {view(1, 10, 0, 0), view(1, 10, 0, 0), view(2, 10, 0, 0),
                                            view(1, 20, 0, 0)};
    struct shop shop = open_shop(events, 4);
    float popularity[2];
    vt_demand_popularity(&shop.demand, NULL, NULL, 0, popularity);
    assert_near(popularity[0], 2.0 / 3 + 1.0 / 2);
    assert_near(popularity[1], 1.0 / 2);
    close_shop(&shop);
}

static void events_fade_by_half_lives(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {view(1, 10, 0, 0), view(2, 20, 30, 0)};
    struct shop shop = open_shop(events, 2);
    float popularity[2];
    vt_demand_popularity(&shop.demand, NULL, NULL, 30, popularity);
    assert_near(popularity[0], 1.0 / 2);
    assert_near(popularity[1], 0.5 / 1.5);
    close_shop(&shop);
}

/* ---- groups ---- */

static struct vt_groups train_groups(const struct shop *shop, const struct vt_catalog *catalog,
                                     uint32_t per_group)
{
    struct vt_groups groups;
    struct vt_group_options options;
    vt_group_options_default(&options);
    options.per_group = per_group;
    options.half_life_days = 0;
    assert_ok(vt_groups_train(&shop->demand, &shop->dataset, catalog, &options, &groups));
    return groups;
}

/* The items of a group as "10 20", by their numbers. */
static const char *list_of(const struct shop *shop, const struct vt_groups *groups, uint64_t key)
{
    static char text[256];
    text[0] = '\0';
    for (uint32_t g = 0; g < groups->n; g++) {
        assert_true(g == 0 || groups->keys[g] > groups->keys[g - 1]);
        for (uint64_t i = groups->starts[g]; groups->keys[g] == key && i < groups->starts[g + 1];
             i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u",
                     text[0] != '\0' ? " " : "", shop->dataset.item_ids[groups->columns[i]]);
    }
    return text;
}

static void groups_hold_their_own_items_best_first(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {
        view(1, 10, 0, 1),  view(2, 10, 0, 1),  view(3, 20, 5, 2),   view(4, 30, 20, 2),
        view(5, 30, 20, 2), view(6, 30, 20, 2), view(7, 40, 100, 1),
    };
    struct shop shop = open_shop(events, 7);
    struct vt_groups groups = train_groups(&shop, NULL, 10);
    assert_string_equal(list_of(&shop, &groups, vt_group_key_number("window", 1)), "10");
    assert_string_equal(list_of(&shop, &groups, vt_group_key_number("window", 7)), "10 20");
    assert_string_equal(list_of(&shop, &groups, vt_group_key_number("window", 30)), "30 10 20");
    assert_string_equal(list_of(&shop, &groups, vt_group_key_number("channel", 1)), "10 40");
    assert_string_equal(list_of(&shop, &groups, vt_group_key_number("channel", 2)), "30 20");
    assert_string_equal(list_of(&shop, &groups, vt_group_key("segment", vt_slice_str("new"))),
                        "30 10 20 40");
    assert_string_equal(list_of(&shop, &groups, vt_group_key("segment", vt_slice_str("heavy"))),
                        "");
    vt_groups_free(&groups);
    close_shop(&shop);
}

static void categories_come_from_the_catalog(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {view(1, 10, 0, 0), view(2, 20, 0, 0), view(3, 20, 0, 0),
                                            view(4, 30, 0, 0)};
    struct vt_catalog catalog = {0};
    struct vt_slice tea = vt_slice_str("tea"), cups = vt_slice_str("cups");
    assert_ok(vt_catalog_append(
        &catalog,
        &(struct vt_catalog_item){.number = 10, .categories = {tea, tea}, .n_categories = 2}));
    assert_ok(vt_catalog_append(
        &catalog,
        &(struct vt_catalog_item){.number = 20, .categories = {tea, cups}, .n_categories = 2}));
    struct shop shop = open_shop(events, 4);
    struct vt_groups groups = train_groups(&shop, &catalog, 10);
    assert_string_equal(list_of(&shop, &groups, vt_group_key("category", tea)), "20 10");
    assert_string_equal(list_of(&shop, &groups, vt_group_key("category", cups)), "20");
    vt_groups_free(&groups);
    groups = train_groups(&shop, &catalog, 1);
    assert_string_equal(list_of(&shop, &groups, vt_group_key("category", tea)), "20");
    vt_groups_free(&groups);
    vt_catalog_free(&catalog);
    close_shop(&shop);
}

static void a_group_has_a_longest_list(void **state)
{
    (void)state;
    const struct vt_interaction events[] = {view(1, 10, 0, 0), view(2, 20, 0, 0)};
    struct shop shop = open_shop(events, 2);
    struct vt_groups groups = train_groups(&shop, NULL, VT_GROUP_ITEMS_MAX);
    vt_groups_free(&groups);
    const struct vt_group_options too_long = {.per_group = VT_GROUP_ITEMS_MAX + 1};
    assert_code(vt_groups_train(&shop.demand, &shop.dataset, NULL, &too_long, &groups), VT_INVALID);
    close_shop(&shop);
}

static void segments_begin_at_their_limits(void **state)
{
    (void)state;
    assert_string_equal(vt_segment_of(VT_SEGMENT_LIGHT_ITEMS - 1), "new");
    assert_string_equal(vt_segment_of(VT_SEGMENT_LIGHT_ITEMS), "light");
    assert_string_equal(vt_segment_of(VT_SEGMENT_REGULAR_ITEMS - 1), "light");
    assert_string_equal(vt_segment_of(VT_SEGMENT_REGULAR_ITEMS), "regular");
    assert_string_equal(vt_segment_of(VT_SEGMENT_HEAVY_ITEMS - 1), "regular");
    assert_string_equal(vt_segment_of(VT_SEGMENT_HEAVY_ITEMS), "heavy");
}

/* ---- trends ---- */

enum { WEEKS = 5, ITEMS = 30 };

/* `per_week[w]` customers of each item in week w (0: the newest), but `last` of item 1 in the
 * newest week and `past` in each other; all of them different customers. */
static struct shop busy_shop(const uint32_t per_week[WEEKS], uint32_t last, uint32_t past)
{
    static struct vt_interaction events[200000];
    uint64_t n = 0;
    for (uint32_t item = 1; item <= ITEMS; item++)
        for (uint32_t week = 0; week < WEEKS; week++) {
            uint32_t n_customers = item > 1 ? per_week[week] : week == 0 ? last : past;
            for (uint32_t c = 0; c < n_customers; c++, n++)
                events[n] = view(n, item, 7 * week + c % 7, 0);
        }
    assert_true(n < sizeof events / sizeof events[0]);
    return open_shop(events, n);
}

static float strength_of_item_1(const struct shop *shop, uint32_t *ret_n_trending)
{
    float strength[ITEMS];
    struct vt_trend_options options;
    vt_trend_options_default(&options);
    assert_ok(vt_trends_find(&shop->demand, &options, NULL, strength, ret_n_trending));
    return strength[0];
}

static void an_item_that_gains_trends_and_steady_ones_do_not(void **state)
{
    (void)state;
    static const uint32_t steady[WEEKS] = {50, 50, 50, 50, 50};
    uint32_t n_trending = 0;
    struct shop shop = busy_shop(steady, 150, 50);
    float strength = strength_of_item_1(&shop, &n_trending);
    assert_int_equal(n_trending, 1);
    /* tripled; surely grown by half, surely not by more than it has */
    assert_true(strength > logf(1.5F) && strength < logf(3));
    close_shop(&shop);
}

static void the_growth_of_the_store_is_no_trend(void **state)
{
    (void)state;
    static const uint32_t growing[WEEKS] = {150, 50, 50, 50, 50};
    uint32_t n_trending = 0;
    struct shop shop = busy_shop(growing, 150, 50);
    assert_true(strength_of_item_1(&shop, &n_trending) <= 0);
    assert_int_equal(n_trending, 0);
    close_shop(&shop);
}

static void a_few_customers_more_are_no_trend(void **state)
{
    (void)state;
    static const uint32_t steady[WEEKS] = {50, 50, 50, 50, 50};
    uint32_t n_trending = 0;
    struct shop shop = busy_shop(steady, 6, 2); /* tripled as well, of nearly nobody */
    assert_true(strength_of_item_1(&shop, &n_trending) <= 0);
    close_shop(&shop);
}

static void a_new_item_trends_when_many_come(void **state)
{
    (void)state;
    static const uint32_t steady[WEEKS] = {50, 50, 50, 50, 50};
    uint32_t n_trending = 0;
    struct shop shop = busy_shop(steady, 60, 0);
    assert_true(strength_of_item_1(&shop, &n_trending) > 0);
    close_shop(&shop);
}

static void one_customer_makes_no_trend(void **state)
{
    (void)state;
    static struct vt_interaction events[1000];
    for (uint32_t i = 0; i < 500; i++)
        events[i] = view(1, 10, 0, 0); /* clicks and clicks */
    for (uint32_t i = 500; i < 1000; i++)
        events[i] = view(i, 20, i % 35, 0);
    struct shop shop = open_shop(events, 1000);
    float strength[2];
    uint32_t n_trending = 0;
    struct vt_trend_options options;
    vt_trend_options_default(&options);
    assert_ok(vt_trends_find(&shop.demand, &options, NULL, strength, &n_trending));
    assert_int_equal(n_trending, 0);
    close_shop(&shop);
}

static void options_of_trends_have_limits(void **state)
{
    (void)state;
    const struct vt_interaction event = view(1, 10, 0, 0);
    struct shop shop = open_shop(&event, 1);
    float strength;
    uint32_t n_trending;
    struct vt_trend_options options;
    vt_trend_options_default(&options);
    options.windows_past = VT_TREND_WINDOWS_MAX;
    assert_ok(vt_trends_find(&shop.demand, &options, NULL, &strength, &n_trending));
    options.windows_past++;
    assert_code(vt_trends_find(&shop.demand, &options, NULL, &strength, &n_trending), VT_INVALID);
    vt_trend_options_default(&options);
    options.window_days = 0;
    assert_code(vt_trends_find(&shop.demand, &options, NULL, &strength, &n_trending), VT_INVALID);
    close_shop(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_customer_counts_once_for_an_item),
        cmocka_unit_test(events_fade_by_half_lives),
        cmocka_unit_test(groups_hold_their_own_items_best_first),
        cmocka_unit_test(categories_come_from_the_catalog),
        cmocka_unit_test(a_group_has_a_longest_list),
        cmocka_unit_test(segments_begin_at_their_limits),
        cmocka_unit_test(an_item_that_gains_trends_and_steady_ones_do_not),
        cmocka_unit_test(the_growth_of_the_store_is_no_trend),
        cmocka_unit_test(a_few_customers_more_are_no_trend),
        cmocka_unit_test(a_new_item_trends_when_many_come),
        cmocka_unit_test(one_customer_makes_no_trend),
        cmocka_unit_test(options_of_trends_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
