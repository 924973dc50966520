/* The file of placements: what it may say, what is inherited, and where a mistake is. */
#include "services/ranking/placement.h"
#include "tests/testlib/testlib.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 512 };

static char *folder;
static char path[PATH_BYTES];

static int begin(void **state)
{
    (void)state;
    folder = vt_test_folder_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    vt_test_folder_remove(folder);
    return 0;
}

static struct vt_err load(const char *text, struct vt_diag *diag,
                          struct vt_placements **ret_placements)
{
    struct vt_placement base;
    (void)snprintf(path, sizeof path, "%s/placements.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    vt_placement_default(&base);
    base.weights[VT_SOURCE_FACTOR] = 1;
    return vt_placements_load(path, &base, diag, ret_placements);
}

static struct vt_placements *load_ok(const char *text)
{
    struct vt_diag diag = {0};
    struct vt_placements *placements = NULL;
    struct vt_err err = load(text, &diag, &placements);
    if (vt_failed(err))
        fail_msg("%s", diag.text);
    return placements;
}

static void nothing_configured_is_one_default(void **state)
{
    (void)state;
    struct vt_placement base;
    struct vt_placements *placements = NULL;
    vt_placement_default(&base);
    assert_ok(vt_placements_load(NULL, &base, NULL, &placements));
    assert_int_equal(placements->n_placements, 1);
    assert_ptr_equal(vt_placements_find(placements, vt_slice_str("home")),
                     &placements->placements[0]);
    vt_published_release(&placements->published);
    placements = load_ok("");
    assert_int_equal(placements->n_placements, 1);
    vt_published_release(&placements->published);
}

static void everything_that_can_be_said_is_read(void **state)
{
    (void)state;
    struct vt_placements *placements = load_ok(
        "campaigns:\n"
        "  summer: {items: [a, b], from: 2024-02-29, until: 2024-03-01}\n"
        "placements:\n"
        "  home:\n"
        "    sources:\n"
        "      trending: {weight: 0.5, budget: 7}\n"
        "      group: {of: [category, week]}\n"
        "    diversity: high\n"
        "    viewed: show\n"
        "    bought: hide\n"
        "    pins: [{item: a, place: 3}]\n"
        "    boosts: [{category: tea, attribute: {colour: [red, blue]}, by: 1.5}]\n"
        "    caps: [{per: brand, at-most: 2}, {per: price, tiers: [10, 20], at-most: 4},\n"
        "           {brand: [x, y], price-from: 1, price-below: 9, at-most: 1}]\n"
        "    variants: group_id\n"
        "    shown: {at-most: 3, within: 24h}\n"
        "    campaigns: [summer]\n"
        "    slots: [2, 5]\n"
        "    exploration: {quota: 0.1, new-for: 7d, until-events: 5, prior: [2, 30], seed: 9}\n");
    const struct vt_placement *home = vt_placements_find(placements, vt_slice_str("home"));
    assert_true(vt_slice_equal(home->name, vt_slice_str("home")));
    assert_float_equal(home->weights[VT_SOURCE_TRENDING], .5, 0);
    assert_int_equal(home->budgets[VT_SOURCE_TRENDING], 7);
    assert_int_equal(home->groups,
                     1U << VT_CANDIDATE_GROUP_CATEGORY | 1U << VT_CANDIDATE_GROUP_WEEK);
    assert_int_equal(home->diversity, 4);
    assert_true(home->show_viewed && !home->show_bought);
    assert_int_equal(home->pins[0].place, 3);
    assert_int_equal(home->boosts[0].match.n_values, 2);
    assert_float_equal(home->boosts[0].factor, 1.5, 0);
    assert_int_equal(home->n_caps, 4);
    assert_int_equal(home->caps[1].n_tiers, 2);
    assert_int_equal(home->caps[2].match.n_brands, 2);
    assert_true(home->caps[3].variants);
    assert_int_equal(home->shown.at_least, 3);
    assert_int_equal(home->shown.within_ms, 24 * 3600000);
    assert_int_equal(home->slots[1], 5);
    assert_ptr_equal(home->campaigns[0], &placements->campaigns[0]);
    assert_int_equal(placements->campaigns[0].from_ms, INT64_C(1709164800000));
    assert_int_equal(placements->campaigns[0].until_ms, INT64_C(1709251200000));
    assert_float_equal(home->exploration.prior_misses, 30, 0);
    assert_int_equal(home->exploration.new_for_ms, INT64_C(7) * 86400000);
    vt_published_release(&placements->published);
}

static void placements_begin_as_the_default_and_replace_what_they_name(void **state)
{
    (void)state;
    struct vt_placements *placements = load_ok("placements:\n"
                                               "  cart: {caps: [{per: category, at-most: 1}]}\n"
                                               "  home: {variants: other, diversity: none,\n"
                                               "         shown: {at-most: 9, within: 1h}}\n"
                                               "  e-mail: {shown: any}\n"
                                               "  default:\n"
                                               "    shown: {at-most: 2, within: 1d}\n"
                                               "    diversity: medium\n"
                                               "    caps: [{per: brand, at-most: 2}]\n"
                                               "    variants: group_id\n");
    const struct vt_placement *cart = vt_placements_find(placements, vt_slice_str("cart"));
    const struct vt_placement *home = vt_placements_find(placements, vt_slice_str("home"));
    const struct vt_placement *rest = vt_placements_find(placements, vt_slice_str("no such"));
    assert_int_equal(cart->diversity, 3);
    assert_int_equal(cart->shown.at_least, 2);
    assert_int_equal(vt_placements_find(placements, vt_slice_str("e-mail"))->shown.at_least, 0);
    assert_int_equal(home->shown.at_least, 9);
    assert_int_equal(cart->n_caps, 2);
    assert_true(vt_slice_equal(cart->caps[0].attribute, vt_slice_str("group_id")));
    assert_int_equal(cart->caps[1].per, VT_CAP_CATEGORY);
    assert_int_equal(home->diversity, 1);
    assert_int_equal(home->n_caps, 2);
    assert_int_equal(home->caps[0].per, VT_CAP_BRAND);
    assert_true(vt_slice_equal(home->caps[1].attribute, vt_slice_str("other")));
    assert_ptr_equal(rest, &placements->placements[0]);
    assert_float_equal(rest->weights[VT_SOURCE_FACTOR], 1, 0);
    vt_published_release(&placements->published);
}

static void mistakes_are_refused_where_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t line;
        const char *says;
    } rows[] = {
        {"placement: {}", 1, "did you mean 'placements'?"},
        {"placements:\n  home:\n    divresity: low", 3, "did you mean 'diversity'?"},
        {"placements:\n  home:\n    diversity: lwo", 3, "did you mean 'low'?"},
        {"placements:\n  home:\n    sources: {trendng: {weight: 1}}", 3,
         "did you mean 'trending'?"},
        {"placements:\n  home:\n    sources:\n      trending: {weight: -1}", 4, "from 0 to 100"},
        {"placements:\n  home:\n    sources:\n      trending: {budget: 201}", 4, "from 0 to 200"},
        {"placements:\n  home:\n    sources:\n      trending: {of: [week]}", 4, "only the source"},
        {"placements:\n  home:\n    sources:\n      group: {of: [weak]}", 4,
         "did you mean 'week'?"},
        {"placements:\n  home:\n    pins:\n      - {item: a}", 4, "needs both"},
        {"placements:\n  home:\n    pins: [{item: a, place: 201}]", 3, "from 1 to 200"},
        {"placements:\n  home:\n    pins: [{item: a, place: 1}, {item: b, place: 1}]", 3,
         "has a pin already"},
        {"placements:\n  home:\n    boosts: [{by: 2}]", 3, "every item"},
        {"placements:\n  home:\n    boosts:\n      - {filter: 'prise < 3', by: 2}", 4,
         "did you mean"},
        {"placements:\n  home:\n    boosts: [{brand: x}]", 3, "'by' is missing"},
        {"placements:\n  home:\n    boosts: [{brand: x, by: 0}]", 3, "from 0.01 to 100"},
        {"placements:\n  home:\n    caps: [{per: brand}]", 3, "'at-most' is missing"},
        {"placements:\n  home:\n    caps: [{at-most: 3}]", 3, "the whole list"},
        {"placements:\n  home:\n    caps: [{per: attribute, at-most: 3}]", 3, "go together"},
        {"placements:\n  home:\n    caps: [{per: price, tiers: [5, 5], at-most: 3}]", 3,
         "that rise"},
        {"placements:\n  home:\n    shown: {at-most: 3}", 3, "needs both"},
        {"placements:\n  home:\n    shown: {within: 24h}", 3, "needs both"},
        {"placements:\n  home:\n    shown: always", 3, "needs both"},
        {"placements:\n  home:\n    shown: {at-most: 0, within: 24h}", 3, "from 1 to 100"},
        {"placements:\n  home:\n    shown: {at-most: 101, within: 24h}", 3, "from 1 to 100"},
        {"placements:\n  home:\n    shown:\n      at-most: 3\n      within: 24", 5, "such as 10m"},
        {"placements:\n  home:\n    shown: {at-most: 3, within: 366d}", 3, "at most 365d"},
        {"placements:\n  home:\n    shown: {at-mots: 3, within: 24h}", 3,
         "did you mean 'at-most'?"},
        {"placements:\n  home:\n    slots: [1]", 2, "without 'campaigns'"},
        {"campaigns: {summer: {items: [a]}}\nplacements:\n  home:\n    campaigns: [sumer]", 4,
         "did you mean 'summer'?"},
        {"campaigns:\n  summer: {items: [a], from: 2026-02-29}", 2, "not a day"},
        {"campaigns:\n  summer: {items: [a], from: 2026-02-02, until: 2026-02-01}", 2,
         "before it begins"},
        {"campaigns:\n  summer: {}", 2, "needs items"},
        {"placements:\n  home: {exploration: {quota: 0.6}}", 2, "from 0 to 0.5"},
        {"placements:\n  home: {exploration: {new-for: 2y}}", 2, "such as 10m"},
        {"placements:\n  home: {diversity: low}\n  home: {}", 3, "already"},
        {"placements: [home]", 1, "expected a map"},
        {"placements: &a {home: {}}", 1, "anchors"},
        {"- a", 1, "key: value"},
        {"a: [", 2, ""},
        {"placements: {}\n---\nplacements: {}", 2, "second document"},
    };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        struct vt_diag diag = {0};
        struct vt_placements *placements = NULL;
        char where[PATH_BYTES + 32];
        assert_code(load(rows[row].text, &diag, &placements), VT_INVALID);
        (void)snprintf(where, sizeof where, "%s:%" PRIu64 ":", path, rows[row].line);
        if (strstr(diag.text, rows[row].says) == NULL || strstr(diag.text, where) == NULL)
            fail_msg("row %zu: '%s' should say '%s' at %s", row, diag.text, rows[row].says, where);
        assert_null(placements);
    }
}

/* The limit itself is fine, one more is not. */
static void limits_hold_at_their_edge(void **state)
{
    (void)state;
    for (uint32_t n = VT_PINS_MAX; n <= VT_PINS_MAX + 1; n++) {
        char text[4096] = "placements:\n  home:\n    pins:\n";
        struct vt_diag diag = {0};
        struct vt_placements *placements = NULL;
        for (uint32_t p = 1; p <= n; p++) {
            size_t len = strlen(text);
            (void)snprintf(text + len, sizeof text - len, "      - {item: s%u, place: %u}\n", p, p);
        }
        struct vt_err err = load(text, &diag, &placements);
        assert_int_equal(err.code, n <= VT_PINS_MAX ? VT_OK : VT_INVALID);
        if (placements != NULL)
            vt_published_release(&placements->published);
    }
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_configured_is_one_default),
        CASE(everything_that_can_be_said_is_read),
        CASE(placements_begin_as_the_default_and_replace_what_they_name),
        CASE(mistakes_are_refused_where_they_stand),
        CASE(limits_hold_at_their_edge),
    };
    return cmocka_run_group_tests_name("ranking/placement", tests, NULL, NULL);
}
