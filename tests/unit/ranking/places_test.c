/* Each rule of a placement against what it should leave, and random rules against a naive list. */
#include "services/common/base/clock.h"
#include "services/ranking/places.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_ITEMS = 40, ARENA_BYTES = 1 << 20 };
#define NOW_MS INT64_C(1700000000000)
#define DAY_MS INT64_C(86400000)

static const char *const brands[] = {"Acme", "Blue", "Core", ""};
static const char *const kinds[] = {"tea", "mugs", "pots"};

/* A catalogue, the candidates of one request in order of number, and the placement under test. */
struct fixture {
    struct vt_item_table *items;
    struct vt_arena arena;
    struct vt_request request;
    struct vt_ranking_service service;
    struct vt_placement placement;
    struct vt__run run;
    struct vt_sight sight;
    struct vt_candidate candidates[N_ITEMS];
    struct vt__scored scored[N_ITEMS + VT__PLACES_EXTRA(N_ITEMS)];
    uint32_t n_scored;
    struct vt__places places;
    uint32_t listed[N_ITEMS], n_listed;
    const struct vt__scored *at[N_ITEMS];
};

static void describe(struct vt_item_table *items, uint32_t number)
{
    char id[16], group[16];
    (void)snprintf(id, sizeof id, "sku-%u", number);
    (void)snprintf(group, sizeof group, "g%u", number / 2);
    const struct vt_attribute attributes[] = {{vt_slice_str("group"), vt_slice_str(group)}};
    const struct vt_item item = {
        .number = number,
        .id = vt_slice_str(id),
        .brand = vt_slice_str(brands[number % 4]),
        .categories = {vt_slice_str("shop"), vt_slice_str(kinds[number % 3])},
        .n_categories = 2,
        .price = (double)number,
        .stock = number == 39 ? 0 : -1,
        .create_time_ms = number > 30 ? NOW_MS - DAY_MS : NOW_MS - 100 * DAY_MS,
        .attributes = attributes,
        .n_attributes = 1,
    };
    assert_ok(vt_item_table_upsert(items, &item));
    vt_item_table_set_count(items, number, (float)(N_ITEMS - number));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_ok(vt_item_table_new(&fixture->items));
    for (uint32_t number = 1; number < N_ITEMS; number++)
        describe(fixture->items, number);
    vt_item_table_refresh_popular(fixture->items);
    assert_true(vt_arena_init_owned(&fixture->arena, ARENA_BYTES));
    vt_placement_default(&fixture->placement);
    fixture->request.arena = &fixture->arena;
    fixture->service.options.items = fixture->items;
    fixture->sight.items = fixture->items;
    fixture->run = (struct vt__run){.sight = &fixture->sight,
                                    .service = &fixture->service,
                                    .request = &fixture->request,
                                    .placement = &fixture->placement,
                                    .now_ms = NOW_MS};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    vt_item_table_free(fixture->items);
    vt_arena_fini(&fixture->arena);
    free(fixture);
    return 0;
}

/* The first n items as candidates, the lower the number the better. */
static void offer(struct fixture *fixture, uint32_t n)
{
    fixture->n_scored = n;
    for (uint32_t i = 0; i < n; i++) {
        fixture->candidates[i] = (struct vt_candidate){.item = i + 1};
        fixture->scored[i] = (struct vt__scored){.candidate = &fixture->candidates[i],
                                                 .row = UINT32_MAX,
                                                 .score = 1 - .02 * i,
                                                 .factor = 1};
    }
}

static void list(struct fixture *fixture, uint32_t n, bool fill)
{
    const struct vt__places_options options = {
        fixture->scored, fixture->n_scored, n, 1, NULL, fill};
    unsigned ticket = vt_item_table_enter(fixture->items);
    assert_ok(vt__places_init(&fixture->places, &fixture->run, &options));
    for (fixture->n_listed = 0;;) {
        const struct vt__scored *scored = NULL;
        assert_ok(vt__places_next(&fixture->places, &scored));
        if (scored == NULL)
            break;
        fixture->at[fixture->n_listed] = scored;
        fixture->listed[fixture->n_listed++] = scored->candidate->item;
    }
    vt_item_table_leave(fixture->items, ticket);
}

static void assert_list(const struct fixture *fixture, const uint32_t *items, uint32_t n)
{
    assert_int_equal(fixture->n_listed, n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(fixture->listed[i], items[i]);
}

static struct vt_sku sku(const char *id)
{
    return (struct vt_sku){.id = vt_slice_str(id)};
}

static void without_rules_the_best_stand_first(void **state)
{
    struct fixture *fixture = *state;
    offer(fixture, 10);
    list(fixture, 4, false);
    assert_list(fixture, (const uint32_t[]){1, 2, 3, 4}, 4);
}

/* ---- pins ---- */

static void a_pin_stands_at_its_place_and_nowhere_else(void **state)
{
    struct fixture *fixture = *state;
    struct vt_pin pins[] = {{sku("sku-9"), 2}, {sku("sku-20"), 4}};
    fixture->placement.pins = pins;
    fixture->placement.n_pins = 2;
    offer(fixture, 10); /* 20 is no candidate */
    list(fixture, 5, false);
    assert_list(fixture, (const uint32_t[]){1, 9, 2, 20, 3}, 5);
    assert_true((fixture->at[1]->rules >> VT_RULE_PIN & 1) != 0);
    assert_true((fixture->at[3]->rules >> VT_RULE_PIN & 1) != 0);
    assert_int_equal(fixture->at[0]->rules, 0);
}

static void a_pin_that_may_not_be_shown_leaves_its_place_to_the_best(void **state)
{
    struct fixture *fixture = *state;
    struct vt_pin pins[] = {{sku("sku-39"), 1}, {sku("nobody-knows"), 2}, {sku("sku-5"), 3}};
    uint32_t excluded[] = {5};
    fixture->placement.pins = pins;
    fixture->placement.n_pins = 3;
    fixture->run.exclude = excluded;
    fixture->run.n_exclude = 1;
    offer(fixture, 4);
    list(fixture, 4, false);
    assert_list(fixture, (const uint32_t[]){1, 2, 3, 4}, 4); /* 39 is sold out */
}

static void pins_of_a_list_that_ends_early_close_up(void **state)
{
    struct fixture *fixture = *state;
    struct vt_pin pins[] = {{sku("sku-8"), 9}, {sku("sku-9"), 7}};
    fixture->placement.pins = pins;
    fixture->placement.n_pins = 2;
    offer(fixture, 2);
    list(fixture, 10, false);
    assert_list(fixture, (const uint32_t[]){1, 2, 9, 8}, 4);
}

static void a_pin_beyond_the_list_is_an_item_like_others(void **state)
{
    struct fixture *fixture = *state;
    struct vt_pin pins[] = {{sku("sku-1"), 6}};
    fixture->placement.pins = pins;
    fixture->placement.n_pins = 1;
    offer(fixture, 5);
    list(fixture, 3, false);
    assert_list(fixture, (const uint32_t[]){1, 2, 3}, 3);
}

/* ---- boosts and buries ---- */

static void boosts_multiply_and_say_which_they_were(void **state)
{
    struct fixture *fixture = *state;
    const struct vt_slice tea = vt_slice_str("tea"), blue = vt_slice_str("Blue");
    struct vt_boost boosts[3] = {{.factor = 1.5}, {.factor = 4}, {.factor = .1}};
    for (int b = 0; b < 3; b++)
        vt_match_init(&boosts[b].match);
    boosts[0].match.categories = &tea;
    boosts[0].match.n_categories = 1;
    boosts[1].match.brands = &blue;
    boosts[1].match.n_brands = 1;
    boosts[2].match.price_below = 3;
    fixture->placement.boosts = boosts;
    fixture->placement.n_boosts = 3;
    offer(fixture, 12);
    list(fixture, 12, false);
    /* Brand Blue: 1, 5, 9. Tea: 3, 6, 9, 12. Below 3: 1, 2. */
    assert_list(fixture, (const uint32_t[]){9, 5, 3, 6, 12, 4, 7, 8, 10, 11, 1, 2}, 12);
    assert_int_equal(fixture->at[0]->boosts, 3);
    assert_true(fabs(fixture->at[0]->score - 6 * (1 - .02 * 8)) < 1e-12);
    assert_true((fixture->at[0]->rules >> VT_RULE_BOOST & 1) != 0);
    assert_true((fixture->at[11]->rules >> VT_RULE_BURY & 1) != 0);
    assert_int_equal(fixture->at[10]->boosts, 6); /* Blue and cheap: 4 · .1 */
    assert_true((fixture->at[10]->rules >> VT_RULE_BURY & 1) != 0);
}

static void a_filter_says_what_a_rule_is_about(void **state)
{
    struct fixture *fixture = *state;
    struct vt_boost boost = {.factor = 10};
    vt_match_init(&boost.match);
    assert_ok(vt_filter_compile(vt_slice_str("category = \"tea\" and price > 5"), &fixture->arena,
                                NULL, &boost.match.filter));
    fixture->placement.boosts = &boost;
    fixture->placement.n_boosts = 1;
    offer(fixture, 12);
    list(fixture, 5, false);
    assert_list(fixture, (const uint32_t[]){6, 9, 12, 1, 2}, 5);
}

static void a_boost_lifts_a_score_below_zero_too(void **state)
{
    struct fixture *fixture = *state;
    const struct vt_slice blue = vt_slice_str("Blue");
    struct vt_boost boost = {.factor = 4};
    vt_match_init(&boost.match);
    boost.match.brands = &blue;
    boost.match.n_brands = 1;
    fixture->placement.boosts = &boost;
    fixture->placement.n_boosts = 1;
    offer(fixture, 2);
    fixture->scored[0].score = -1; /* Blue: −.25 */
    fixture->scored[1].score = -.5;
    list(fixture, 2, false);
    assert_list(fixture, (const uint32_t[]){1, 2}, 2);
}

/* ---- caps ---- */

static struct vt_cap cap_of(enum vt_cap_group per, uint32_t at_most)
{
    struct vt_cap cap = {.per = per, .at_most = at_most};
    vt_match_init(&cap.match);
    return cap;
}

static void a_cap_per_brand_lets_nobody_fill_the_list(void **state)
{
    struct fixture *fixture = *state;
    struct vt_cap cap = cap_of(VT_CAP_BRAND, 1);
    fixture->placement.caps = &cap;
    fixture->placement.n_caps = 1;
    offer(fixture, 16);
    list(fixture, 6, false);
    /* No brand, no group: 3, 7, 11 are free. */
    assert_list(fixture, (const uint32_t[]){1, 2, 3, 4, 7, 11}, 6);
    assert_int_equal(fixture->places.n_drops, 5); /* 5, 6, 8, 9, 10 */
    assert_int_equal(fixture->places.drops[0].item, 5);
}

static void a_cap_goes_by_the_narrowest_category(void **state)
{
    struct fixture *fixture = *state;
    struct vt_cap cap = cap_of(VT_CAP_CATEGORY, 2);
    fixture->placement.caps = &cap;
    fixture->placement.n_caps = 1;
    offer(fixture, 12);
    list(fixture, 12, false);
    assert_list(fixture, (const uint32_t[]){1, 2, 3, 4, 5, 6}, 6);
}

static void price_tiers_are_half_open(void **state)
{
    struct fixture *fixture = *state;
    struct vt_cap cap = cap_of(VT_CAP_PRICE, 1);
    cap.tiers[0] = 3;
    cap.tiers[1] = 5;
    cap.n_tiers = 2;
    fixture->placement.caps = &cap;
    fixture->placement.n_caps = 1;
    offer(fixture, 12);
    list(fixture, 12, false);
    assert_list(fixture, (const uint32_t[]){1, 3, 5}, 3); /* prices equal the numbers */
}

static void one_variant_of_a_product_is_enough(void **state)
{
    struct fixture *fixture = *state;
    struct vt_cap cap = cap_of(VT_CAP_ATTRIBUTE, 1);
    cap.attribute = vt_slice_str("group");
    fixture->placement.caps = &cap;
    fixture->placement.n_caps = 1;
    offer(fixture, 9);
    list(fixture, 9, false);
    assert_list(fixture, (const uint32_t[]){1, 2, 4, 6, 8}, 5); /* 2 3, 4 5, 6 7, 8 9 */
}

static void pins_count_and_are_not_refused(void **state)
{
    struct fixture *fixture = *state;
    struct vt_pin pins[] = {{sku("sku-3"), 1}, {sku("sku-2"), 2}};
    struct vt_cap cap = cap_of(VT_CAP_ATTRIBUTE, 1);
    cap.attribute = vt_slice_str("group");
    fixture->placement.caps = &cap;
    fixture->placement.n_caps = 1;
    fixture->placement.pins = pins;
    fixture->placement.n_pins = 2;
    offer(fixture, 6);
    list(fixture, 5, false);
    assert_list(fixture, (const uint32_t[]){3, 2, 1, 4, 6}, 5);
}

static void filling_up_keeps_to_the_caps(void **state)
{
    struct fixture *fixture = *state;
    struct vt_cap cap = cap_of(VT_CAP_CATEGORY, 1);
    fixture->placement.caps = &cap;
    fixture->placement.n_caps = 1;
    offer(fixture, 1); /* mugs */
    list(fixture, 10, true);
    assert_list(fixture, (const uint32_t[]){1, 2, 3}, 3);
}

static void filling_up_goes_by_popularity_then_number(void **state)
{
    struct fixture *fixture = *state;
    uint32_t excluded[] = {1};
    fixture->run.exclude = excluded;
    fixture->run.n_exclude = 1;
    fixture->n_scored = 0;
    list(fixture, N_ITEMS, true);
    assert_int_equal(fixture->n_listed, N_ITEMS - 3); /* without 0, 1 and the sold out */
    assert_int_equal(fixture->listed[0], 2);
}

/* ---- campaigns ---- */

static void slots_take_the_best_of_the_campaign_that_runs(void **state)
{
    struct fixture *fixture = *state;
    uint32_t campaign[] = {7, 5, 30};
    fixture->run.campaign = campaign;
    fixture->run.n_campaign = 3;
    fixture->placement.slots[0] = 2;
    fixture->placement.slots[1] = 3;
    fixture->placement.slots[2] = 4;
    fixture->placement.slots[3] = 5;
    fixture->placement.n_slots = 4;
    offer(fixture, 8); /* 30 was found by no source */
    list(fixture, 5, false);
    assert_list(fixture, (const uint32_t[]){1, 5, 7, 30, 2}, 5);
    assert_true((fixture->at[3]->rules >> VT_RULE_SLOT & 1) != 0);
    assert_int_equal(fixture->at[4]->rules, 0);
}

static void a_campaign_runs_from_its_first_day_to_before_its_last(void **state)
{
    struct fixture *fixture = *state;
    struct vt_sku items[] = {sku("sku-4"), sku("sku-4"), sku("unknown"), sku("sku-2")};
    struct vt_campaign campaign = {
        .items = items, .n_items = 4, .from_ms = NOW_MS, .until_ms = NOW_MS + DAY_MS};
    uint32_t numbers[VT_PLACEMENT_CAMPAIGN_ITEMS_MAX];
    fixture->placement.campaigns[0] = &campaign;
    fixture->placement.n_campaigns = 1;
    unsigned ticket = vt_item_table_enter(fixture->items);
    static const struct {
        int64_t after_ms;
        uint32_t n;
    } rows[] = {{-1, 0}, {0, 2}, {DAY_MS - 1, 2}, {DAY_MS, 0}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
        assert_int_equal(vt__running_campaigns(&fixture->placement, fixture->items,
                                               NOW_MS + rows[row].after_ms, numbers),
                         rows[row].n);
    vt_item_table_leave(fixture->items, ticket);
    assert_int_equal(atomic_load(&items[0].number), 4);
    assert_int_equal(atomic_load(&items[2].number), 0);
}

/* ---- against a naive list ---- */

/* What the rules say, item by item over the whole order, without pools or swaps. */
static uint32_t naive_list(const struct fixture *fixture, const struct vt_cap *cap, uint32_t n_max,
                           const uint32_t *pin_at, uint32_t *ret_items)
{
    uint32_t n = 0, n_of[N_ITEMS] = {0};
    for (uint32_t place = 1; place <= n_max; place++) {
        uint32_t item = pin_at[place];
        for (uint32_t next = 1; item == 0 && next <= fixture->n_scored; next++) {
            bool used = false;
            for (uint32_t i = 0; i < n; i++)
                used |= ret_items[i] == next;
            for (uint32_t p = 1; p <= n_max; p++)
                used |= pin_at[p] == next;
            if (!used && n_of[next % 3] < cap->at_most)
                item = next;
        }
        if (item == 0)
            return n;
        n_of[item % 3]++;
        ret_items[n++] = item;
    }
    return n;
}

static void random_pins_and_caps_equal_the_naive_list(void **state)
{
    struct fixture *fixture = *state;
    struct vt__random random = {11};
    char ids[2][16];
    for (int round = 0; round < 500; round++) {
        uint32_t n = 1 + (uint32_t)(vt__random_next(&random) % 12), pin_at[16] = {0};
        struct vt_cap cap = cap_of(VT_CAP_CATEGORY, 1 + (uint32_t)(vt__random_next(&random) % 4));
        struct vt_pin pins[2];
        uint32_t items[2], wanted[N_ITEMS];
        for (uint32_t p = 0; p < 2; p++) {
            items[p] = 1 + p * 15 + (uint32_t)(vt__random_next(&random) % 15);
            uint32_t place = 1 + p * 4 + (uint32_t)(vt__random_next(&random) % 4);
            (void)snprintf(ids[p], sizeof ids[p], "sku-%u", items[p]);
            pins[p] = (struct vt_pin){sku(ids[p]), place};
            if (place <= n)
                pin_at[place] = items[p];
        }
        fixture->placement.caps = &cap;
        fixture->placement.n_caps = 1;
        fixture->placement.pins = pins;
        fixture->placement.n_pins = 2;
        vt_arena_reset(&fixture->arena);
        offer(fixture, 38);
        uint32_t n_wanted = naive_list(fixture, &cap, n, pin_at, wanted);
        list(fixture, n, false);
        assert_true(fixture->n_listed >= n_wanted); /* pins behind the end close up */
        for (uint32_t i = 0; i < n_wanted; i++)
            assert_int_equal(fixture->listed[i], wanted[i]);
    }
}

/* ---- exploration ---- */

static void the_quota_is_kept_and_its_items_are_new(void **state)
{
    struct fixture *fixture = *state;
    fixture->placement.exploration.quota = .2;
    fixture->run.query.explain = true;
    offer(fixture, 38);
    list(fixture, 10, false);
    uint32_t n_explored = 0;
    for (uint32_t i = 0; i < 10; i++) {
        if ((fixture->at[i]->rules >> VT_RULE_EXPLORE & 1) == 0)
            continue;
        n_explored++;
        assert_true(fixture->listed[i] > 30);
        assert_true(fixture->at[i]->propensity > 0 && fixture->at[i]->propensity < 1);
        assert_true(i == 3 || i == 6);
    }
    assert_int_equal(n_explored, 2);
}

static void the_same_hour_shows_the_same_and_another_something_else(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first[10], n_other = 0;
    fixture->placement.exploration.quota = .3;
    offer(fixture, 38);
    list(fixture, 10, false);
    memcpy(first, fixture->listed, sizeof first);
    for (int hour = 0; hour < 20; hour++) {
        vt_arena_reset(&fixture->arena);
        fixture->run.now_ms = NOW_MS + hour * INT64_C(3600000);
        offer(fixture, 38);
        list(fixture, 10, false);
        n_other += memcmp(first, fixture->listed, sizeof first) != 0;
        assert_true(hour > 0 || n_other == 0);
    }
    assert_true(n_other > 10);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(without_rules_the_best_stand_first),
        CASE(a_pin_stands_at_its_place_and_nowhere_else),
        CASE(a_pin_that_may_not_be_shown_leaves_its_place_to_the_best),
        CASE(pins_of_a_list_that_ends_early_close_up),
        CASE(a_pin_beyond_the_list_is_an_item_like_others),
        CASE(boosts_multiply_and_say_which_they_were),
        CASE(a_filter_says_what_a_rule_is_about),
        CASE(a_boost_lifts_a_score_below_zero_too),
        CASE(a_cap_per_brand_lets_nobody_fill_the_list),
        CASE(a_cap_goes_by_the_narrowest_category),
        CASE(price_tiers_are_half_open),
        CASE(one_variant_of_a_product_is_enough),
        CASE(pins_count_and_are_not_refused),
        CASE(filling_up_keeps_to_the_caps),
        CASE(filling_up_goes_by_popularity_then_number),
        CASE(slots_take_the_best_of_the_campaign_that_runs),
        CASE(a_campaign_runs_from_its_first_day_to_before_its_last),
        CASE(random_pins_and_caps_equal_the_naive_list),
        CASE(the_quota_is_kept_and_its_items_are_new),
        CASE(the_same_hour_shows_the_same_and_another_something_else),
    };
    return cmocka_run_group_tests_name("ranking/places", tests, NULL, NULL);
}
