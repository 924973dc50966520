/*
 * The numbers of the scorecard. Each dimension's percentage is the share of rows that none of its
 * rules caught; rules that cost nothing (a currency assumed, a zone assumed) are told and lower
 * nothing. A rejected row fails validity, the only thing that can be said of it.
 */
#include "services/ingest/scorecard.h"

#include "services/ingest/fields.h"
#include "services/ingest/times.h"

#include <stdio.h>

enum { FIRST_MONTH = 2000 * 12 }; /* January 2000; see VT_EVENT_TIME_MIN_MS */

/* At most so many bytes of it, never a part of a character. */
static struct vt_slice cut(struct vt_slice text, size_t bytes_max)
{
    size_t len = text.len < bytes_max ? text.len : bytes_max;
    while (len > 0 && len < text.len && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--;
    return vt_slice(text.data, len);
}

void vt_tally_add(struct vt_tally *tally, uint32_t file, uint64_t line, struct vt_slice text)
{
    if (tally->n++ >= VT_EXAMPLES_MAX)
        return;
    struct vt_example *example = &tally->examples[tally->n - 1];
    example->file = file;
    example->line = line;
    struct vt_slice shown = cut(text, sizeof example->text - sizeof "…");
    snprintf(example->text, sizeof example->text, "%.*s%s", (int)shown.len, shown.data,
             shown.len < text.len ? "…" : "");
}

/* What an example shows of each part: together more than its 96 bytes, whatever is short. */
enum { ID_SHOWN_BYTES = 48, TITLE_SHOWN_BYTES = 64, DESCRIPTION_BYTES = 192 };

static struct vt_slice describe_event(const struct vt_event_row *row,
                                      char buffer[DESCRIPTION_BYTES])
{
    const char *type = vt_event_type_name(row->event.type);
    struct vt_slice id = cut(row->event.item_id, ID_SHOWN_BYTES);
    struct vt_slice title = cut(row->title, TITLE_SHOWN_BYTES);
    snprintf(buffer, DESCRIPTION_BYTES, "%s of %g × %.*s %.*s", type != NULL ? type : "event",
             row->event.quantity, (int)id.len, id.data, (int)title.len, title.data);
    return vt_slice_str(buffer);
}

static struct vt_slice describe_item(const struct vt_item *item, char buffer[DESCRIPTION_BYTES])
{
    struct vt_slice id = cut(item->id, ID_SHOWN_BYTES), title = cut(item->title, TITLE_SHOWN_BYTES);
    snprintf(buffer, DESCRIPTION_BYTES, "%.*s %.*s", (int)id.len, id.data, (int)title.len,
             title.data);
    return vt_slice_str(buffer);
}

/* What was wrong with the value, where there is one; else what the row is about. */
static struct vt_slice describe(const struct vt_record *record, enum vt_rule rule,
                                char buffer[DESCRIPTION_BYTES])
{
    for (const struct vt_flaw *flaw = record->flaws; flaw != NULL; flaw = flaw->next)
        if (flaw->rule == rule && flaw->text.len > 0) {
            struct vt_slice text = cut(flaw->text, sizeof((struct vt_example *)0)->text);
            snprintf(buffer, DESCRIPTION_BYTES, "%s: %.*s", flaw->field, (int)text.len, text.data);
            return vt_slice_str(buffer);
        }
    if (record->kind == VT_RECORD_EVENT)
        return describe_event(record->of.event, buffer);
    if (record->kind == VT_RECORD_ITEM)
        return describe_item(&record->of.item->item, buffer);
    return record->kind == VT_RECORD_CUSTOMER ? record->of.customer->id : record->of.channel->id;
}

static bool rule_lowers(enum vt_rule rule)
{
    const struct vt_rule_info *info = vt_rule_info(rule);
    return info->penalty > 0 || info->action != VT_RULE_NOTE;
}

static void count_rules(const struct vt_record *record, struct vt_ingest_result *result)
{
    char buffer[DESCRIPTION_BYTES];
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

static void count_month(const struct vt_record *record, struct vt_ingest_result *result)
{
    if (record->kind != VT_RECORD_EVENT || record->fate != VT_FATE_ACCEPTED)
        return;
    int64_t time_ms = record->of.event->event.time_ms;
    if (result->first_event_ms == 0 || time_ms < result->first_event_ms)
        result->first_event_ms = time_ms;
    if (time_ms > result->last_event_ms)
        result->last_event_ms = time_ms;
    int month = vt_time_month(time_ms) - FIRST_MONTH; /* accepted events are not before 2000 */
    result->months[month < VT_MONTHS_MAX ? month : VT_MONTHS_MAX - 1]++;
}

static void count_derived(const struct vt_record *record, struct vt_ingest_result *result)
{
    result->derived_items += record->kind == VT_RECORD_ITEM;
    result->derived_customers += record->kind == VT_RECORD_CUSTOMER;
    enum vt_rule rule;
    char buffer[DESCRIPTION_BYTES];
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
    result->first_month = FIRST_MONTH;
}

void vt_scorecard_fill(const struct vt_record_set *set, struct vt_ingest_result *result)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_record *record = &set->records[i];
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
