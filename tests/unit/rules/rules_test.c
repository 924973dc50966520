/* Itemsets and rules against every subset counted by hand, and against the counts that arules
 * documents for its groceries. */
#include "models/rules/basket_file.h"
#include "models/rules/bought_together.h"
#include "models/rules/rules.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RANDOM_ITEMS = 10, RANDOM_BASKETS = 60 };

/* Seeded baskets: item i stands in a basket about i times in 12. */
struct random_baskets {
    uint64_t starts[RANDOM_BASKETS + 1];
    uint32_t columns[RANDOM_BASKETS * RANDOM_ITEMS];
    uint32_t masks[RANDOM_BASKETS]; /* the same as bits */
    float values[RANDOM_BASKETS * RANDOM_ITEMS];
    struct vt_sparse matrix;
};

static void make_random(struct random_baskets *baskets, uint32_t seed)
{
    uint32_t n = 0, state = seed;
    memset(baskets, 0, sizeof *baskets);
    for (uint32_t b = 0; b < RANDOM_BASKETS; b++) {
        for (uint32_t item = 0; item < RANDOM_ITEMS; item++) {
            state = state * 1664525 + 1013904223;
            if ((state >> 16) % 12 > item)
                continue;
            baskets->columns[n] = item;
            baskets->values[n++] = 1;
            baskets->masks[b] |= 1U << item;
        }
        baskets->starts[b + 1] = n;
    }
    baskets->matrix = (struct vt_sparse){RANDOM_BASKETS,  RANDOM_ITEMS,     n,
                                         baskets->starts, baskets->columns, baskets->values};
}

static uint32_t count_mask(const struct random_baskets *baskets, uint32_t mask)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b < RANDOM_BASKETS; b++)
        n += (baskets->masks[b] & mask) == mask;
    return n;
}

static uint32_t mask_of(const struct vt_itemsets *itemsets, uint32_t set)
{
    uint32_t mask = 0;
    for (uint64_t i = itemsets->starts[set]; i < itemsets->starts[set + 1]; i++) {
        assert_true(i == itemsets->starts[set] || itemsets->items[i] > itemsets->items[i - 1]);
        mask |= 1U << itemsets->items[i];
    }
    return mask;
}

static void itemsets_are_those_of_counting_every_subset(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        bool found[1 << RANDOM_ITEMS] = {false};
        struct vt_itemset_options options;
        struct vt_itemsets itemsets;
        vt_itemset_options_default(&options);
        options.support = 0.15;
        make_random(&baskets, seed);
        assert_ok(vt_itemsets_mine(&baskets.matrix, &options, NULL, &itemsets));
        for (uint32_t set = 0; set < itemsets.n; set++) {
            uint32_t mask = mask_of(&itemsets, set);
            assert_false(found[mask]); /* each once */
            found[mask] = true;
            assert_int_equal(itemsets.counts[set], count_mask(&baskets, mask));
        }
        for (uint32_t mask = 1; mask < 1U << RANDOM_ITEMS; mask++)
            assert_int_equal(found[mask], count_mask(&baskets, mask) >= 9); /* .15 × 60 */
        vt_itemsets_free(&itemsets);
    }
}

static void sets_stay_within_the_length(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    struct vt_itemset_options options;
    struct vt_itemsets itemsets;
    vt_itemset_options_default(&options);
    options.support = 0.15;
    options.length_max = 2;
    make_random(&baskets, 1);
    assert_ok(vt_itemsets_mine(&baskets.matrix, &options, NULL, &itemsets));
    uint32_t n_pairs = 0;
    for (uint32_t set = 0; set < itemsets.n; set++) {
        assert_true(itemsets.starts[set + 1] - itemsets.starts[set] <= 2);
        n_pairs += itemsets.starts[set + 1] - itemsets.starts[set] == 2;
    }
    assert_true(n_pairs > 0);
    vt_itemsets_free(&itemsets);
}

static void too_many_itemsets_are_refused_with_advice(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    struct vt_itemset_options options;
    struct vt_itemsets itemsets;
    make_random(&baskets, 1);
    vt_itemset_options_default(&options);
    options.support = 0.15;
    assert_ok(vt_itemsets_mine(&baskets.matrix, &options, NULL, &itemsets));
    options.itemsets_max = itemsets.n;
    vt_itemsets_free(&itemsets);
    assert_ok(vt_itemsets_mine(&baskets.matrix, &options, NULL, &itemsets));
    vt_itemsets_free(&itemsets);
    struct vt_diag diag = {0};
    options.itemsets_max--;
    assert_code(vt_itemsets_mine(&baskets.matrix, &options, &diag, &itemsets), VT_EXHAUSTED);
    assert_non_null(strstr(diag.text, "higher support"));
}

static void too_much_memory_is_refused(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    struct vt_itemset_options options;
    struct vt_itemsets itemsets;
    struct vt_diag diag = {0};
    make_random(&baskets, 1);
    vt_itemset_options_default(&options);
    options.memory_bytes = 30000; /* the baskets turned fit, all the sets do not */
    assert_code(vt_itemsets_mine(&baskets.matrix, &options, &diag, &itemsets), VT_EXHAUSTED);
    assert_non_null(strstr(diag.text, "bytes"));
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    make_random(&baskets, 1);
    static const double supports[] = {0, -0.1, 1.01, (double)NAN};
    for (size_t i = 0; i < sizeof supports / sizeof supports[0]; i++) {
        struct vt_itemset_options options;
        struct vt_itemsets itemsets;
        vt_itemset_options_default(&options);
        options.support = supports[i];
        assert_code(vt_itemsets_mine(&baskets.matrix, &options, NULL, &itemsets), VT_INVALID);
    }
    for (uint32_t length = 0; length <= 17; length += 17) {
        struct vt_itemset_options options;
        struct vt_itemsets itemsets;
        vt_itemset_options_default(&options);
        options.length_max = length;
        assert_code(vt_itemsets_mine(&baskets.matrix, &options, NULL, &itemsets), VT_INVALID);
    }
}

/* ---- rules ---- */

static void assert_near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-12);
}

static void measures_are_those_by_hand(void **state)
{
    (void)state;
    struct vt_basket_file file;
    struct vt_rules rules;
    struct vt_rule_options options;
    vt_rule_options_default(&options);
    options.itemsets.support = 0.4;
    options.confidence = 0;
    /* a: 4 of 5, b: 3 of 5, both: 2 of 5 */
    assert_ok(vt_basket_file_parse(vt_slice_str("a,b\na,b\na\na\nb\n"), NULL, &file));
    assert_ok(vt_rules_find(&file.baskets.matrix, &options, NULL, &rules));
    assert_int_equal(rules.n, 2);
    for (uint64_t r = 0; r < 2; r++) {
        uint32_t antecedent[VT_ITEMSET_LENGTH_MAX];
        const struct vt_rule *rule = &rules.rules[r];
        assert_int_equal(vt_rule_antecedent(&rules, rule, antecedent), 1);
        double n_from = antecedent[0] == 0 ? 4 : 3, n_to = 7 - n_from;
        assert_int_equal(antecedent[0] + rule->consequent, 1);
        assert_near(rule->support, 2.0 / 5);
        assert_near(rule->confidence, 2 / n_from);
        assert_near(rule->lift, 2.0 * 5 / (4 * 3));
        assert_near(rule->conviction, (1 - n_to / 5) / (1 - (2 / n_from)));
    }
    vt_rules_free(&rules);
    vt_basket_file_free(&file);
}

static void a_rule_without_exception_has_infinite_conviction(void **state)
{
    (void)state;
    struct vt_basket_file file;
    struct vt_rules rules;
    struct vt_rule_options options;
    vt_rule_options_default(&options);
    options.confidence = 1;
    assert_ok(vt_basket_file_parse(vt_slice_str("a,b\nb\nc\n"), NULL, &file));
    assert_ok(vt_rules_find(&file.baskets.matrix, &options, NULL, &rules));
    assert_int_equal(rules.n, 1);
    assert_int_equal(rules.rules[0].consequent, 1);
    assert_true(isinf(rules.rules[0].conviction));
    vt_rules_free(&rules);
    vt_basket_file_free(&file);
}

static void the_strongest_lift_comes_first(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    struct vt_rules rules;
    struct vt_rule_options options;
    vt_rule_options_default(&options);
    options.itemsets.support = 0.1;
    make_random(&baskets, 3);
    assert_ok(vt_rules_find(&baskets.matrix, &options, NULL, &rules));
    assert_true(rules.n > 2);
    for (uint64_t r = 1; r < rules.n; r++)
        assert_true(rules.rules[r].lift <= rules.rules[r - 1].lift);
    vt_rules_free(&rules);
}

static void too_many_rules_are_refused(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    struct vt_rules rules;
    struct vt_rule_options options;
    vt_rule_options_default(&options);
    options.itemsets.support = 0.1;
    make_random(&baskets, 3);
    assert_ok(vt_rules_find(&baskets.matrix, &options, NULL, &rules));
    options.rules_max = rules.n;
    vt_rules_free(&rules);
    assert_ok(vt_rules_find(&baskets.matrix, &options, NULL, &rules));
    vt_rules_free(&rules);
    options.rules_max--;
    assert_code(vt_rules_find(&baskets.matrix, &options, NULL, &rules), VT_EXHAUSTED);
    options.confidence = 1.1;
    assert_code(vt_rules_find(&baskets.matrix, &options, NULL, &rules), VT_INVALID);
}

/* Beside the project's folder, or where VITRINE_DATA says; NULL: not here. */
static const char *groceries_path(char path[4096])
{
    const char *folder = getenv("VITRINE_DATA");
    snprintf(path, 4096, "%s/groceries/groceries.csv", folder != NULL ? folder : "../shared/data");
    return access(path, R_OK) == 0 ? path : NULL;
}

static void groceries_have_the_documented_counts(void **state)
{
    (void)state;
    char room[4096];
    const char *path = groceries_path(room);
    static const struct {
        double support, confidence;
        uint64_t n_rules;
    } known[] = {{0.001, 0.8, 410}, {0.001, 0.5, 5668}, {0.006, 0.25, 463}};
    struct vt_basket_file file;
    if (path == NULL) {
        puts("# skipped: ../shared/data/groceries is not here");
        skip();
    }
    assert_ok(vt_basket_file_read(path, NULL, &file));
    assert_int_equal(file.baskets.matrix.n_rows, 9835);
    assert_int_equal(file.baskets.matrix.n_cols, 169);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct vt_rules rules;
        struct vt_rule_options options;
        vt_rule_options_default(&options);
        options.itemsets.support = known[i].support;
        options.confidence = known[i].confidence;
        assert_ok(vt_rules_find(&file.baskets.matrix, &options, NULL, &rules));
        assert_int_equal(rules.n, known[i].n_rules);
        vt_rules_free(&rules);
    }
    vt_basket_file_free(&file);
}

/* ---- bought together ---- */

static struct vt_bought_together train(const struct vt_sparse *baskets, uint32_t per_item,
                                       uint32_t threads, double z)
{
    struct vt_bought_together together;
    struct vt_bought_together_options options;
    vt_bought_together_options_default(&options);
    options.per_item = per_item;
    options.threads = threads;
    options.z = z;
    assert_ok(vt_bought_together_train(baskets, &options, NULL, &together));
    return together;
}

static void pairs_beyond_chance_are_kept_best_first(void **state)
{
    (void)state;
    static char text[20000];
    size_t len = 0;
    struct vt_basket_file file;
    /* tea (column 0) goes with cups (1) mostly, with a pot (2) sometimes; bread (3) with all. */
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s\n",
                                i % 4 != 0   ? "bread"
                                : i % 8 == 0 ? "tea,cups,bread"
                                : i % 3 == 0 ? "tea,pot"
                                             : "tea,bread,cups");
    assert_ok(vt_basket_file_parse(vt_slice(text, len), NULL, &file));
    struct vt_bought_together together = train(&file.baskets.matrix, 10, 1, 1.645);
    uint32_t tea = 0, cups = 1, pot = 3;
    assert_true(vt_slice_equal(file.names[pot], vt_slice_str("pot")));
    assert_int_equal(together.starts[tea + 1] - together.starts[tea], 2);
    assert_int_equal(together.columns[together.starts[tea]], cups);
    assert_int_equal(together.columns[together.starts[tea] + 1], pot);
    vt_bought_together_free(&together);
    vt_basket_file_free(&file);
}

static void pairs_have_the_bytes_of_one_thread(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    make_random(&baskets, 5);
    struct vt_bought_together one = train(&baskets.matrix, 3, 1, 0);
    struct vt_bought_together three = train(&baskets.matrix, 3, 3, 0);
    size_t n = (size_t)one.starts[one.n_items];
    assert_true(n > 0);
    assert_memory_equal(one.starts, three.starts, (one.n_items + 1) * sizeof *one.starts);
    assert_memory_equal(one.columns, three.columns, n * sizeof *one.columns);
    assert_memory_equal(one.values, three.values, n * sizeof *one.values);
    vt_bought_together_free(&one);
    vt_bought_together_free(&three);
}

static void a_pair_list_has_a_limit(void **state)
{
    (void)state;
    static struct random_baskets baskets;
    struct vt_bought_together together;
    struct vt_bought_together_options options;
    vt_bought_together_options_default(&options);
    make_random(&baskets, 5);
    options.per_item = VT_BOUGHT_TOGETHER_MAX;
    assert_ok(vt_bought_together_train(&baskets.matrix, &options, NULL, &together));
    vt_bought_together_free(&together);
    options.per_item++;
    assert_code(vt_bought_together_train(&baskets.matrix, &options, NULL, &together), VT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(itemsets_are_those_of_counting_every_subset),
        cmocka_unit_test(sets_stay_within_the_length),
        cmocka_unit_test(too_many_itemsets_are_refused_with_advice),
        cmocka_unit_test(too_much_memory_is_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(measures_are_those_by_hand),
        cmocka_unit_test(a_rule_without_exception_has_infinite_conviction),
        cmocka_unit_test(the_strongest_lift_comes_first),
        cmocka_unit_test(too_many_rules_are_refused),
        cmocka_unit_test(groceries_have_the_documented_counts),
        cmocka_unit_test(pairs_beyond_chance_are_kept_best_first),
        cmocka_unit_test(pairs_have_the_bytes_of_one_thread),
        cmocka_unit_test(a_pair_list_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
