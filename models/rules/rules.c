/*
 * From itemsets to rules: each set of two items or more gives a rule for each of its items as the
 * consequent. The count of the rest of the set is looked up in a hash table of all sets; every
 * subset of a frequent set is frequent, so it is there.
 */
#include "models/rules/rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define RULES_MAX_DEFAULT (UINT64_C(4) << 20)
enum { FIRST_RULES = 1024 };

/* Open addressing; a slot holds 1 + the number of a set. */
struct set_index {
    const struct vt_itemsets *itemsets;
    uint32_t *slots;
    uint64_t mask;
};

void vt_rule_options_default(struct vt_rule_options *ret_options)
{
    *ret_options = (struct vt_rule_options){.confidence = 0.5, .rules_max = RULES_MAX_DEFAULT};
    vt_itemset_options_default(&ret_options->itemsets);
}

void vt_rules_free(struct vt_rules *rules)
{
    if (rules == NULL)
        return;
    vt_itemsets_free(&rules->itemsets);
    free(rules->rules);
    *rules = (struct vt_rules){0};
}

/* ---- counts of sets ---- */

static uint64_t hash_of(const uint32_t *items, uint32_t n)
{
    return XXH3_64bits(items, n * sizeof *items);
}

static uint32_t length_of(const struct vt_itemsets *itemsets, uint32_t set)
{
    return (uint32_t)(itemsets->starts[set + 1] - itemsets->starts[set]);
}

static struct vt_err index_sets(const struct vt_itemsets *itemsets, struct set_index *ret_index)
{
    struct set_index index = {.itemsets = itemsets, .mask = 1};
    while (index.mask < 2 * (uint64_t)itemsets->n)
        index.mask *= 2;
    index.slots = calloc((size_t)index.mask, sizeof *index.slots);
    VT_CHECK(index.slots != NULL, VT_EXHAUSTED, "out of memory for rules");
    index.mask--;
    for (uint32_t set = 0; set < itemsets->n; set++) {
        uint64_t at = hash_of(&itemsets->items[itemsets->starts[set]], length_of(itemsets, set));
        while (index.slots[at & index.mask] != 0)
            at++;
        index.slots[at & index.mask] = set + 1;
    }
    *ret_index = index;
    return vt_ok();
}

static uint32_t count_of(const struct set_index *index, const uint32_t *items, uint32_t n)
{
    const struct vt_itemsets *itemsets = index->itemsets;
    for (uint64_t at = hash_of(items, n);; at++) {
        VT_ASSERT(index->slots[at & index->mask] != 0);
        uint32_t set = index->slots[at & index->mask] - 1;
        if (length_of(itemsets, set) == n &&
            memcmp(&itemsets->items[itemsets->starts[set]], items, n * sizeof *items) == 0)
            return itemsets->counts[set];
    }
}

/* ---- rules ---- */

static uint32_t without(const uint32_t *items, uint32_t n, uint32_t item, uint32_t *ret_rest)
{
    uint32_t n_rest = 0;
    for (uint32_t i = 0; i < n; i++)
        if (items[i] != item)
            ret_rest[n_rest++] = items[i];
    return n_rest;
}

static struct vt_rule make_rule(const struct set_index *index, uint32_t set, uint32_t consequent)
{
    const struct vt_itemsets *itemsets = index->itemsets;
    uint32_t rest[VT_ITEMSET_LENGTH_MAX];
    uint32_t n_rest = without(&itemsets->items[itemsets->starts[set]], length_of(itemsets, set),
                              consequent, rest);
    double n = itemsets->n_baskets, n_both = itemsets->counts[set];
    double n_antecedent = count_of(index, rest, n_rest);
    double n_consequent = count_of(index, &consequent, 1);
    double confidence = n_both / n_antecedent;
    return (struct vt_rule){
        .itemset = set,
        .consequent = consequent,
        .n_both = itemsets->counts[set],
        .support = n_both / n,
        .confidence = confidence,
        .lift = n_both * n / (n_antecedent * n_consequent),
        .conviction =
            n_both < n_antecedent ? (1 - n_consequent / n) / (1 - confidence) : (double)INFINITY,
    };
}

static struct vt_err append(struct vt_rules *rules, uint64_t *capacity, const struct vt_rule *rule)
{
    if (rules->n == *capacity) {
        uint64_t larger = *capacity > 0 ? 2 * *capacity : FIRST_RULES;
        struct vt_rule *grown = realloc(rules->rules, (size_t)larger * sizeof *grown);
        VT_CHECK(grown != NULL, VT_EXHAUSTED, "out of memory for rules");
        rules->rules = grown;
        *capacity = larger;
    }
    rules->rules[rules->n++] = *rule;
    return vt_ok();
}

static struct vt_err refuse_size(const struct vt_rule_options *options, struct vt_diag *diag)
{
    vt_diag_set(diag, "confidence",
                "more than %llu rules at support %g and confidence %g; ask for a higher support or "
                "confidence",
                (unsigned long long)options->rules_max, options->itemsets.support,
                options->confidence);
    return VT_ERR(VT_EXHAUSTED, "too many rules");
}

static struct vt_err make_rules(const struct set_index *index,
                                const struct vt_rule_options *options, struct vt_diag *diag,
                                struct vt_rules *rules)
{
    const struct vt_itemsets *itemsets = index->itemsets;
    uint64_t capacity = 0;
    for (uint32_t set = 0; set < itemsets->n; set++)
        for (uint64_t i = itemsets->starts[set];
             length_of(itemsets, set) > 1 && i < itemsets->starts[set + 1]; i++) {
            struct vt_rule rule = make_rule(index, set, itemsets->items[i]);
            if (rule.confidence < options->confidence)
                continue;
            if (rules->n == options->rules_max)
                return refuse_size(options, diag);
            VT_TRY(append(rules, &capacity, &rule));
        }
    return vt_ok();
}

static int by_lift(const void *left, const void *right)
{
    const struct vt_rule *a = left, *b = right;
    if (a->lift > b->lift || a->lift < b->lift)
        return a->lift > b->lift ? -1 : 1;
    if (a->n_both != b->n_both)
        return a->n_both > b->n_both ? -1 : 1;
    if (a->itemset != b->itemset)
        return a->itemset < b->itemset ? -1 : 1;
    return a->consequent < b->consequent ? -1 : a->consequent > b->consequent;
}

struct vt_err vt_rules_find(const struct vt_sparse *baskets, const struct vt_rule_options *options,
                            struct vt_diag *diag, struct vt_rules *ret_rules)
{
    if (!(options->confidence >= 0) || !(options->confidence <= 1)) {
        vt_diag_set(diag, "confidence", "confidence is %g; a share of 0 to 1", options->confidence);
        return VT_ERR(VT_INVALID, "confidence is out of range");
    }
    struct vt_rules rules = {0};
    struct set_index index = {0};
    VT_TRY(vt_itemsets_mine(baskets, &options->itemsets, diag, &rules.itemsets));
    struct vt_err err = index_sets(&rules.itemsets, &index);
    if (!vt_failed(err))
        err = make_rules(&index, options, diag, &rules);
    free(index.slots);
    if (vt_failed(err)) {
        vt_rules_free(&rules);
        return err;
    }
    if (rules.n > 0)
        qsort(rules.rules, (size_t)rules.n, sizeof *rules.rules, by_lift);
    *ret_rules = rules;
    return vt_ok();
}

uint32_t vt_rule_antecedent(const struct vt_rules *rules, const struct vt_rule *rule,
                            uint32_t ret_items[VT_ITEMSET_LENGTH_MAX])
{
    const struct vt_itemsets *itemsets = &rules->itemsets;
    return without(&itemsets->items[itemsets->starts[rule->itemset]],
                   length_of(itemsets, rule->itemset), rule->consequent, ret_items);
}
