#ifndef VT_RULES_RULES_H
#define VT_RULES_RULES_H

#include "models/rules/itemsets.h"

/*
 * Association rules (Agrawal and Srikant 1994): who buys all items of the antecedent also buys the
 * consequent, which is one item. With P a share of the baskets:
 *
 *   support     P(both)
 *   confidence  P(both) / P(antecedent)
 *   lift        confidence / P(consequent): 1 is chance
 *   conviction  (1 - P(consequent)) / (1 - confidence): infinite for a rule without exception
 */
struct vt_rule {
    uint32_t itemset;    /* the antecedent is this set without the consequent */
    uint32_t consequent; /* column */
    uint32_t n_both;     /* baskets */
    double support, confidence, lift, conviction;
};

struct vt_rule_options {
    struct vt_itemset_options itemsets;
    double confidence; /* at least; 0 to 1 */
    uint64_t rules_max;
};
/* Confidence .5, at most 4 million rules, vt_itemset_options_default. */
void vt_rule_options_default(struct vt_rule_options *ret_options);

struct vt_rules {
    struct vt_itemsets itemsets;
    struct vt_rule *rules;
    uint64_t n;
};
void vt_rules_free(struct vt_rules *rules); /* NULL or zeroed is allowed */

/* All rules of two items or more, highest lift first, then support, then the order of their sets.
 * Owned. VT_INVALID, VT_EXHAUSTED as vt_itemsets_mine, and over rules_max. */
VT_MUST_USE struct vt_err vt_rules_find(const struct vt_sparse *baskets,
                                        const struct vt_rule_options *options, struct vt_diag *diag,
                                        struct vt_rules *ret_rules);

/* The items of the antecedent, ascending; returns how many. */
uint32_t vt_rule_antecedent(const struct vt_rules *rules, const struct vt_rule *rule,
                            uint32_t ret_items[VT_ITEMSET_LENGTH_MAX]);

#endif
