/*
 * The scorecard for a terminal: scores, what became of the rows, each rule with its count and an
 * example. Columns line up in 100 characters.
 */
#include "services/common/base/time_text.h"
#include "services/ingest/ingest.h"

#include <string.h>

enum { BAR_CELLS = 20 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static void print_bar(double percent, FILE *out)
{
    unsigned filled = (unsigned)(percent / 100 * BAR_CELLS);
    for (unsigned i = 0; i < BAR_CELLS; i++)
        fputs(i < filled ? "█" : "░", out);
}

static void print_scores(const struct vt_ingest_result *result, FILE *out)
{
    fputs("\nData quality\n", out);
    for (unsigned d = 0; d < VT_DIMENSION_COUNT; d++) {
        const struct vt_dimension_score *score = &result->scores[d];
        fprintf(out, "  %-13s ", vt_dimension_name((enum vt_dimension)d));
        print_bar(score->percent, out);
        fprintf(out, " %6.2f %%  %10llu of %llu rows\n", score->percent,
                (unsigned long long)score->passed, (unsigned long long)score->checked);
    }
    fprintf(out, "  %-13s ", "all five");
    print_bar(result->score, out);
    fprintf(out, " %6.2f %%\n", result->score);
}

static void print_file(const struct vt_ingest_file *file, FILE *out)
{
    const struct vt_row_counts *rows = &file->rows;
    fprintf(out, "  %-28.28s %-13s %9llu %9llu %9llu %8llu %8llu %8llu\n", base_name(file->path),
            file->format, (unsigned long long)rows->read, (unsigned long long)rows->accepted,
            (unsigned long long)rows->duplicates, (unsigned long long)rows->dropped,
            (unsigned long long)rows->review, (unsigned long long)rows->rejected);
}

static void print_files(const struct vt_ingest_result *result, FILE *out)
{
    fprintf(out, "\n  %-28s %-13s %9s %9s %9s %8s %8s %8s\n", "file", "format", "rows", "accepted",
            "duplicate", "dropped", "review", "rejected");
    for (size_t i = 0; i < result->n_files; i++)
        print_file(&result->files[i], out);
    struct vt_ingest_file all = {.path = "all", .format = "", .rows = result->rows};
    if (result->n_files > 1)
        print_file(&all, out);
}

static void print_rule(const struct vt_ingest_result *result, enum vt_rule rule, FILE *out)
{
    static const char *const actions[] = {
        [VT_RULE_NOTE] = "note",
        [VT_RULE_HOLD] = "review",
        [VT_RULE_DUPLICATE] = "duplicate",
        [VT_RULE_DROP] = "dropped",
    };
    const struct vt_tally *tally = &result->rules[rule];
    const struct vt_rule_info *info = vt_rule_info(rule);
    if (tally->n == 0)
        return;
    fprintf(out, "  %-23s %-12s %-9s %9llu  line %llu: %.60s\n", info->name,
            vt_dimension_name(info->dimension), actions[info->action], (unsigned long long)tally->n,
            (unsigned long long)tally->examples[0].line, tally->examples[0].text);
}

static void print_rules(const struct vt_ingest_result *result, FILE *out)
{
    fprintf(out, "\n  %-23s %-12s %-9s %9s  %s\n", "rule", "dimension", "action", "rows",
            "example");
    for (unsigned rule = 0; rule < VT_RULE_COUNT; rule++)
        print_rule(result, (enum vt_rule)rule, out);
    if (result->rejects.n > 0)
        fprintf(out, "  %-23s %-12s %-9s %9llu  line %llu: %.60s\n", "unreadable", "validity",
                "rejected", (unsigned long long)result->rejects.n,
                (unsigned long long)result->rejects.examples[0].line,
                result->rejects.examples[0].text);
    if (result->refused.n > 0)
        fprintf(out, "  %-23s %-12s %-9s %9llu  line %llu: %.60s\n", "refused_by_store", "validity",
                "rejected", (unsigned long long)result->refused.n,
                (unsigned long long)result->refused.examples[0].line,
                result->refused.examples[0].text);
}

static void print_times(const struct vt_ingest_result *result, FILE *out)
{
    char first[VT_TIME_TEXT_BYTES], last[VT_TIME_TEXT_BYTES];
    if (result->last_event_ms == 0)
        return;
    vt_time_print(result->first_event_ms, first);
    vt_time_print(result->last_event_ms, last);
    fprintf(out, "\nEvents from %s to %s%s%s\n", first, last,
            result->currency[0] != '\0' ? ", amounts in " : "", result->currency);
}

static void print_store(const struct vt_ingest_result *result, FILE *out)
{
    const struct vt_sink_counts *s = &result->store;
    if (!result->written) {
        fputs("Nothing was written.\n", out);
        return;
    }
    fprintf(out,
            "Written: %llu events new, %llu known already, %llu refused; items %llu new, %llu "
            "changed, %llu as before;\n         customers %llu new, %llu changed, %llu as before; "
            "channels %llu\n",
            (unsigned long long)s->events_written, (unsigned long long)s->events_known,
            (unsigned long long)s->events_refused, (unsigned long long)s->items_inserted,
            (unsigned long long)s->items_updated, (unsigned long long)s->items_unchanged,
            (unsigned long long)s->customers_inserted, (unsigned long long)s->customers_updated,
            (unsigned long long)s->customers_unchanged, (unsigned long long)s->channels);
    if (result->rows.accepted > 0 && s->events_written + s->items_inserted + s->items_updated +
                                             s->customers_inserted + s->customers_updated ==
                                         0)
        fputs("All of it was imported before: nothing changed.\n", out);
}

static void print_asides(const struct vt_ingest_result *result, FILE *out)
{
    for (size_t i = 0; i < result->n_files; i++) {
        const struct vt_ingest_file *file = &result->files[i];
        if (file->review_path[0] != '\0')
            fprintf(out, "For review:   %s  (mend the lines, then import the file)\n",
                    file->review_path);
        if (file->reject_path[0] != '\0')
            fprintf(out, "Rejected:     %s\n", file->reject_path);
    }
}

void vt_report_text(const struct vt_ingest_result *result, FILE *out)
{
    print_files(result, out);
    print_scores(result, out);
    print_rules(result, out);
    print_times(result, out);
    if (result->derived_items + result->derived_customers > 0)
        fprintf(out, "Made from the rows: %llu items, %llu customers\n",
                (unsigned long long)result->derived_items,
                (unsigned long long)result->derived_customers);
    print_store(result, out);
    print_asides(result, out);
    fprintf(out, "Read in %.2f s, cleaned in %.2f s, written in %.2f s\n", result->read_s,
            result->clean_s, result->write_s);
}
