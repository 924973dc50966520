/*
 * The verdict: a record's quality is 100 less the penalties of the rules that caught it, and its
 * fate follows from the gravest action among them. Duplicates come first, then dropping, then
 * holding for review, then quality below the threshold.
 */
#include "services/ingest/clean.h"

static bool has_action(const struct vt_record *record, enum vt_rule_action action,
                       enum vt_rule *ret_rule)
{
    enum vt_rule rule;
    for (uint64_t rest = record->rules; vt_rules_next(&rest, &rule);)
        if (vt_rule_info(rule)->action == action) {
            *ret_rule = rule;
            return true;
        }
    return false;
}

bool vt_clean_alive(const struct vt_record *record)
{
    enum vt_rule rule;
    for (uint64_t rest = record->rules; vt_rules_next(&rest, &rule);)
        if (vt_rule_info(rule)->action != VT_RULE_NOTE)
            return false;
    return true;
}

static enum vt_rule gravest_rule(const struct vt_record *record)
{
    enum vt_rule rule, gravest = VT_RULE_NONE;
    for (uint64_t rest = record->rules; vt_rules_next(&rest, &rule);)
        if (gravest == VT_RULE_NONE || vt_rule_info(rule)->penalty > vt_rule_info(gravest)->penalty)
            gravest = rule;
    return gravest;
}

static uint8_t quality_of(const struct vt_record *record)
{
    unsigned penalty = 0;
    enum vt_rule rule;
    for (uint64_t rest = record->rules; vt_rules_next(&rest, &rule);)
        penalty += vt_rule_info(rule)->penalty;
    return (uint8_t)(penalty < 100 ? 100 - penalty : 0);
}

static enum vt_record_fate fate_of(const struct vt_record *record, uint8_t min_quality,
                                   enum vt_rule *ret_rule)
{
    *ret_rule = gravest_rule(record);
    if (has_action(record, VT_RULE_DUPLICATE, ret_rule))
        return VT_FATE_DUPLICATE;
    if (has_action(record, VT_RULE_DROP, ret_rule))
        return VT_FATE_DROPPED;
    if (has_action(record, VT_RULE_HOLD, ret_rule) || record->quality < min_quality)
        return VT_FATE_REVIEW;
    return VT_FATE_ACCEPTED;
}

void vt_clean_judge(struct vt_record_set *set, uint8_t min_quality)
{
    for (size_t i = 0; i < set->n; i++) {
        struct vt_record *record = &set->records[i];
        enum vt_rule rule = VT_RULE_NONE;
        if (record->rules != 0)
            record->quality = quality_of(record);
        record->fate = (uint8_t)fate_of(record, min_quality, &rule);
        record->decided_by = (uint8_t)rule;
    }
}
