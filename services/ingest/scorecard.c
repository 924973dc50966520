/*
 * The numbers of the scorecard. Each dimension's percentage is the share of rows that none of its
 * rules caught; rules that cost nothing (a currency assumed, a zone assumed) are told and lower
 * nothing. A rejected row fails validity, the only thing that can be said of it.
 */
#include "services/ingest/scorecard.h"

#include <stdio.h>

#include "services/ingest/fields.h"

void vt_tally_add(struct vt_tally *tally, uint32_t file, uint64_t line, struct vt_slice text)
{
    if (tally->n++ >= VT_EXAMPLES_MAX)
        return;
    struct vt_example *example = &tally->examples[tally->n - 1];
    example->file = file;
    example->line = line;
    size_t len = text.len < sizeof example->text - 4 ? text.len : sizeof example->text - 4;
    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    snprintf(example->text, sizeof example->text, "%.*s%s", (int)len, text.data,
             len < text.len ? "…" : "");
}

static struct vt_slice describe(const struct vt_record *record, enum vt_rule rule, char buffer[160])
{
    for (const struct vt_flaw *flaw = record->flaws; flaw != NULL; flaw = flaw->next)
        if (flaw->rule == rule && flaw->text.len > 0) {
            snprintf(buffer, 160, "%s: %.*s", flaw->field, (int)(flaw->text.len & 0x7f),
                     flaw->text.data);
            return vt_slice_str(buffer);
        }
    if (record->kind == VT_RECORD_EVENT) {
        const struct vt_event_row *row = record->of.event;
        const char *type = vt_event_type_name(row->event.type);
        snprintf(buffer, 160, "%s of %g × %.*s %.*s", type != NULL ? type : "event",
                 row->event.quantity, (int)row->event.item_id.len & 0x7f, row->event.item_id.data,
                 (int)row->title.len & 0x3f, row->title.data);
    } else if (record->kind == VT_RECORD_ITEM) {
        const struct vt_item *item = &record->of.item->item;
        snprintf(buffer, 160, "%.*s %.*s", (int)item->id.len & 0x7f, item->id.data,
                 (int)item->title.len & 0x3f, item->title.data);
    } else if (record->kind == VT_RECORD_CUSTOMER) {
        return record->of.customer->id;
    } else {
        return record->of.channel->id;
    }
    return vt_slice_str(buffer);
}

static bool rule_lowers(enum vt_rule rule)
{
    const struct vt_rule_info *info = vt_rule_info(rule);
    return info->penalty > 0 || info->action != VT_RULE_NOTE;
}

static void count_rules(const struct vt_record *record, struct vt_ingest_result *result)
{
    char buffer[160];
    bool failed[VT_DIMENSION_COUNT] = {[VT_VALIDITY] = record->fate == VT_FATE_REFUSED};
    enum vt_rule rule;
    for (uint64_t rest = record->rules; vt_rules_next(&rest, &rule);) {
        if (result->rules[rule].n < VT_EXAMPLES_MAX)
            vt_tally_add(&result->rules[rule], record->file, record->line,
                         describe(record, rule, buffer));
        else
            result->rules[rule].n++;
        if (rule_lowers(rule))
            failed[vt_rule_info(rule)->dimension] = true;
    }
    for (unsigned d = 0; d < VT_DIMENSION_COUNT; d++) {
        result->scores[d].checked++;
        result->scores[d].passed += !failed[d];
    }
}

static void count_fate(const struct vt_record *record, struct vt_row_counts *rows)
{
    uint64_t *const by_fate[VT_FATE_COUNT] = {
        [VT_FATE_ACCEPTED] = &rows->accepted, [VT_FATE_DUPLICATE] = &rows->duplicates,
        [VT_FATE_REVIEW] = &rows->review,     [VT_FATE_DROPPED] = &rows->dropped,
        [VT_FATE_REFUSED] = &rows->rejected,
    };
    rows->read++;
    (*by_fate[record->fate])++;
}

static void count_fields(const struct vt_record *record, struct vt_ingest_result *result)
{
    result->rows_of_kind[record->kind]++;
    for (unsigned i = 0; i < VT_FIELDS_MAX; i++)
        result->filled[record->kind][i] += record->fields >> i & 1;
}

static int month_of(int64_t time_ms)
{
    /* civil months from days, as in times.c: March-based years of 400-year eras */
    int64_t days = time_ms / 86400000 + 719468, era = days / 146097, doe = days % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t month = (5 * (doe - (365 * yoe + yoe / 4 - yoe / 100)) + 2) / 153;
    return (int)((era * 400 + yoe) * 12 + month + 2);
}

static void count_month(const struct vt_record *record, struct vt_ingest_result *result)
{
    if (record->kind != VT_RECORD_EVENT || record->fate != VT_FATE_ACCEPTED)
        return;
    int64_t time_ms = record->of.event->event.time_ms;
    if (result->first_event_ms == 0 || time_ms < result->first_event_ms)
        result->first_event_ms = time_ms;
    if (time_ms > result->last_event_ms)
        result->last_event_ms = time_ms;
    result->months[(month_of(time_ms) - 2000 * 12) % VT_MONTHS_MAX]++;
}

static void count_derived(const struct vt_record *record, struct vt_ingest_result *result)
{
    result->derived_items += record->kind == VT_RECORD_ITEM;
    result->derived_customers += record->kind == VT_RECORD_CUSTOMER;
    enum vt_rule rule;
    char buffer[160];
    for (uint64_t rest = record->rules; vt_rules_next(&rest, &rule);)
        vt_tally_add(&result->rules[rule], record->file, record->line,
                     describe(record, rule, buffer));
}

static void finish_scores(struct vt_ingest_result *result)
{
    result->score = 0;
    result->scores[VT_VALIDITY].checked += result->rejects.n;
    for (unsigned d = 0; d < VT_DIMENSION_COUNT; d++) {
        struct vt_dimension_score *score = &result->scores[d];
        score->percent =
            score->checked > 0 ? 100.0 * (double)score->passed / (double)score->checked : 100;
        result->score += score->percent / VT_DIMENSION_COUNT;
    }
    result->first_month = 2000 * 12;
}

void vt_scorecard_fill(const struct vt_dataset *dataset, struct vt_ingest_result *result)
{
    for (size_t i = 0; i < dataset->n; i++) {
        const struct vt_record *record = &dataset->records[i];
        if (record->fate == VT_FATE_ACCEPTED)
            result->kinds[record->kind]++;
        if (record->derived) {
            count_derived(record, result);
            continue;
        }
        count_fate(record, &result->rows);
        count_fate(record, &result->files[record->file].rows);
        count_rules(record, result);
        count_fields(record, result);
        count_month(record, result);
        unsigned bin = record->quality * VT_QUALITY_BINS / 101u;
        result->quality[bin]++;
    }
    finish_scores(result);
}
