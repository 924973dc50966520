/*
 * An explanation for people: one line an item with where its score comes from, largest share first,
 * and the rules; then what is not in the list and why.
 */
#include "services/client/print.h"
#include "services/common/base/event.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 400 };

/* A text that grows and is cut where it would not fit. */
struct text {
    char bytes[TEXT_BYTES];
    size_t len;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text->bytes + text->len, sizeof text->bytes - text->len, format, arguments);
    va_end(arguments);
    if (n > 0)
        text->len += (size_t)n < sizeof text->bytes - text->len
                         ? (size_t)n
                         : sizeof text->bytes - 1 - text->len;
}

/* The part of the largest share that is smaller than `below`; NULL: none is left. */
static const Vitrine__V1__ScorePart *next_part(const Vitrine__V1__ExplainedItem *item, size_t *used)
{
    const Vitrine__V1__ScorePart *best = NULL;
    size_t at = 0;
    for (size_t p = 0; p < item->n_parts; p++)
        if ((*used >> p & 1) == 0 && item->parts[p]->share != 0 &&
            (best == NULL || fabs(item->parts[p]->share) > fabs(best->share))) {
            best = item->parts[p];
            at = p;
        }
    *used |= (size_t)1 << at;
    return best;
}

static void put_parts(struct vt_table *table, const Vitrine__V1__ExplainedItem *item)
{
    struct text text = {.len = 0};
    size_t used = 0;
    const Vitrine__V1__ScorePart *part;
    while ((part = next_part(item, &used)) != NULL) {
        char name[32];
        vt__source_name(part->source, name);
        add(&text, "%s%s %.0f %%", text.len > 0 ? ", " : "", name, 100 * part->share);
    }
    vt_table_cell(table, vt_slice_str(text.bytes));
}

static void add_rule(struct text *text, const Vitrine__V1__FiredRule *rule)
{
    add(text, "%s%s", text->len > 0 ? ", " : "", rule->rule);
    if (rule->place != 0)
        add(text, " %u", rule->place);
    if (rule->factor != 0)
        add(text, " ×%.2f", rule->factor);
    if (rule->propensity != 0)
        add(text, " (1 in %.1f)", 1 / rule->propensity);
}

static void put_rules(struct vt_table *table, const Vitrine__V1__ExplainedItem *item)
{
    struct text text = {.len = 0};
    for (size_t r = 0; r < item->n_rules; r++)
        add_rule(&text, item->rules[r]);
    if (item->nearest != 0)
        add(&text, "%salike %.2f", text.len > 0 ? ", " : "", item->nearest);
    vt_table_cell(table, vt_slice_str(text.bytes));
}

static void put_miss(struct vt_table *table, const Vitrine__V1__ExplainedItem *item)
{
    if (strcmp(item->missed_by, "score") == 0)
        vt_table_cellf(table, "%.4f short", item->short_of);
    else
        vt_table_cell(table, vt_slice_str(item->missed_by));
}

static void print_list(const Vitrine__V1__ExplainResponse *answer)
{
    static const char *const heads[] = {">#",     "item",  "title", ">score",
                                        ">blend", "parts", "rules", "why"};
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < answer->n_items && i < answer->response->n_items; i++) {
        const Vitrine__V1__ExplainedItem *item = answer->items[i];
        vt_table_cellf(table, "%u", item->place);
        vt_table_cell(table, vt_slice_str(item->id));
        vt_table_cell(table, vt_slice_str(answer->response->items[i]->title));
        vt_table_cellf(table, "%.4f", item->score);
        vt_table_cellf(table, "%.4f", item->blend);
        put_parts(table, item);
        put_rules(table, item);
        vt_table_cell(table, vt_slice_str(answer->response->items[i]->reason));
    }
    vt_table_print(table, stdout);
    vt_table_free(table);
}

static void print_misses(const Vitrine__V1__ExplainResponse *answer)
{
    static const char *const heads[] = {"not in the list", "because", ">score",
                                        ">blend",          "parts",   "rules"};
    if (answer->n_misses == 0)
        return;
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    for (size_t i = 0; i < answer->n_misses; i++) {
        const Vitrine__V1__ExplainedItem *item = answer->misses[i];
        vt_table_cell(table, vt_slice_str(item->id));
        put_miss(table, item);
        vt_table_cellf(table, "%.4f", item->score);
        vt_table_cellf(table, "%.4f", item->blend);
        put_parts(table, item);
        put_rules(table, item);
    }
    putchar('\n');
    vt_table_print(table, stdout);
    vt_table_free(table);
}

static void print_outcomes(const Vitrine__V1__ExplainResponse *answer)
{
    static const char *const heads[] = {"what came of it", "item", ">#", "when (UTC)", ">revenue"};
    if (answer->n_outcomes > 0) {
        struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
        for (size_t i = 0; i < answer->n_outcomes; i++) {
            const Vitrine__V1__Outcome *outcome = answer->outcomes[i];
            const char *type = vt_event_type_name(outcome->type);
            vt_table_cell(table, vt_slice_str(type != NULL ? type : "?"));
            vt_table_cell(table, vt_slice_str(outcome->item_id));
            vt_table_cellf(table, "%u", outcome->place);
            vt__put_time(table, outcome->time != NULL ? (time_t)outcome->time->seconds : 0);
            vt_table_cellf(table, "%.2f %s", outcome->revenue, outcome->currency_code);
        }
        putchar('\n');
        vt_table_print(table, stdout);
        vt_table_free(table);
    }
    if (answer->outcomes_incomplete[0] != '\0')
        printf("\nwhat came of it: %s\n", answer->outcomes_incomplete);
}

void vt__print_explained(const Vitrine__V1__ExplainResponse *answer)
{
    if (answer->response == NULL)
        return;
    const Vitrine__V1__RecommendResponse *response = answer->response;
    print_list(answer);
    print_misses(answer);
    print_outcomes(answer);
    printf(
        "\n%s at placement %s, %u candidates, %u events of history, model %s, configuration %s\n",
        answer->call, answer->placement, answer->candidates, answer->history_events,
        response->model_version[0] != '\0' ? response->model_version : "none",
        answer->configuration);
    if (response->degraded)
        printf("degraded: %s\n", response->degraded_reason);
    puts(answer->exact ? "made again exactly as it was"
                       : "NOT EXACT: what was made again is not what was answered then");
}
