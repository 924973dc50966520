/*
 * The scorecard for programs: one JSON object. Names are contracts (docs/data-quality.md).
 */
#include "services/common/base/time_text.h"
#include "services/ingest/ingest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *whole(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static json_t *text(const char *value)
{
    json_t *string = json_string(value);
    return string != NULL ? string : json_string("(not UTF-8)");
}

static json_t *rows_json(const struct vt_row_counts *rows)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "read", whole(rows->read), "accepted",
                     whole(rows->accepted), "duplicates", whole(rows->duplicates), "review",
                     whole(rows->review), "rejected", whole(rows->rejected), "dropped",
                     whole(rows->dropped));
}

static json_t *files_json(const struct vt_ingest_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->n_files; i++) {
        const struct vt_ingest_file *file = &result->files[i];
        json_array_append_new(
            list, json_pack("{s:o,s:s,s:o,s:o,s:o,s:o,s:o}", "path", text(file->path), "format",
                            file->format, "lines", whole(file->lines), "blank", whole(file->blank),
                            "rows", rows_json(&file->rows), "review_file",
                            file->review_path[0] != '\0' ? text(file->review_path) : json_null(),
                            "reject_file",
                            file->reject_path[0] != '\0' ? text(file->reject_path) : json_null()));
    }
    return list;
}

static json_t *examples_json(const struct vt_ingest_result *result, const struct vt_tally *tally)
{
    json_t *list = json_array();
    for (size_t i = 0; i < VT_EXAMPLES_MAX && i < tally->n; i++)
        json_array_append_new(list, json_pack("{s:o,s:o,s:o}", "file",
                                              text(result->files[tally->examples[i].file].path),
                                              "line", whole(tally->examples[i].line), "text",
                                              text(tally->examples[i].text)));
    return list;
}

static json_t *rules_json(const struct vt_ingest_result *result)
{
    static const char *const actions[] = {
        [VT_RULE_NOTE] = "note",
        [VT_RULE_HOLD] = "review",
        [VT_RULE_DUPLICATE] = "duplicate",
        [VT_RULE_DROP] = "drop",
    };
    json_t *list = json_array();
    for (unsigned i = 0; i < VT_RULE_COUNT; i++) {
        const struct vt_rule_info *info = vt_rule_info((enum vt_rule)i);
        if (result->rules[i].n == 0)
            continue;
        json_array_append_new(
            list,
            json_pack("{s:s,s:s,s:s,s:i,s:o,s:s,s:o}", "rule", info->name, "dimension",
                      vt_dimension_name(info->dimension), "action", actions[info->action],
                      "penalty", (int)info->penalty, "count", whole(result->rules[i].n), "summary",
                      info->summary, "examples", examples_json(result, &result->rules[i])));
    }
    return list;
}

static json_t *scores_json(const struct vt_ingest_result *result)
{
    json_t *scores = json_object();
    for (unsigned d = 0; d < VT_DIMENSION_COUNT; d++)
        json_object_set_new(scores, vt_dimension_name((enum vt_dimension)d),
                            json_pack("{s:f,s:o,s:o}", "percent", result->scores[d].percent,
                                      "passed", whole(result->scores[d].passed), "checked",
                                      whole(result->scores[d].checked)));
    json_object_set_new(scores, "all", json_real(result->score));
    return scores;
}

static json_t *store_json(const struct vt_sink_counts *s)
{
    return json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "events_written", whole(s->events_written),
        "events_known", whole(s->events_known), "events_refused", whole(s->events_refused),
        "items_inserted", whole(s->items_inserted), "items_updated", whole(s->items_updated),
        "items_unchanged", whole(s->items_unchanged), "customers_inserted",
        whole(s->customers_inserted), "customers_updated", whole(s->customers_updated),
        "customers_unchanged", whole(s->customers_unchanged), "channels", whole(s->channels));
}

static json_t *accepted_json(const struct vt_ingest_result *result)
{
    json_t *accepted = json_object();
    for (unsigned kind = 0; kind < VT_RECORD_KIND_COUNT; kind++)
        json_object_set_new(accepted, vt_record_kind_name((enum vt_record_kind)kind),
                            whole(result->kinds[kind]));
    json_object_set_new(accepted, "derived_items", whole(result->derived_items));
    json_object_set_new(accepted, "derived_customers", whole(result->derived_customers));
    return accepted;
}

static json_t *event_time(int64_t time_ms)
{
    char printed[VT_TIME_TEXT_BYTES];
    if (time_ms == 0)
        return json_null();
    vt_time_print(time_ms, printed);
    return json_string(printed);
}

void vt_report_json(const struct vt_ingest_result *result, FILE *out)
{
    json_t *report = json_pack(
        "{s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:s,s:f,s:f,s:f}", "written", result->written,
        "rows", rows_json(&result->rows), "scores", scores_json(result), "files",
        files_json(result), "rules", rules_json(result), "rejected_examples",
        examples_json(result, &result->rejects), "refused_examples",
        examples_json(result, &result->refused), "accepted", accepted_json(result), "store",
        store_json(&result->store), "first_event", event_time(result->first_event_ms), "last_event",
        event_time(result->last_event_ms), "currency", result->currency, "read_s", result->read_s,
        "clean_s", result->clean_s, "write_s", result->write_s);
    if (report != NULL)
        json_dumpf(report, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(report);
}
