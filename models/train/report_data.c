/*
 * What the report about a version needs and only its training has: the events as they were read,
 * the measured lists, the version before. Gathered at the end of training, before the arrays are
 * given back; the page itself is written when the version has its name (publish.c).
 */
#include "models/train/report_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void count_events(const struct vt_train_input *input, struct vt_report_data *report)
{
    report->n_events = input->n;
    for (uint64_t i = 0; i < input->n; i++) {
        unsigned type = input->interactions[i].type;
        report->events[type < VT_EVENT_TYPE_COUNT ? type : VT_EVENT_UNSPECIFIED]++;
    }
}

static struct vt_err count_shapes(const struct vt_sparse *matrix, struct vt_report_data *report)
{
    uint64_t *customers = calloc((size_t)matrix->n_cols + 1, sizeof *customers);
    VT_CHECK(customers != NULL, VT_EXHAUSTED, "out of memory for the report");
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        customers[matrix->columns[e]]++;
    for (uint32_t row = 0; row < matrix->n_rows; row++)
        if (matrix->starts[row + 1] > matrix->starts[row])
            report->history_bins[vt_report_bin(matrix->starts[row + 1] - matrix->starts[row])]++;
    for (uint32_t item = 0; item < matrix->n_cols; item++)
        if (customers[item] > 0)
            report->popularity_bins[vt_report_bin(customers[item])]++;
    free(customers);
    return vt_ok();
}

static void copy_parent(const struct vt_bundle_view *view, struct vt_report_parent *parent)
{
    snprintf(parent->version, sizeof parent->version, "%s", view->version);
    snprintf(parent->algorithm, sizeof parent->algorithm, "%s", view->algorithm);
    parent->n_users = view->n_users;
    parent->n_interactions = view->n_interactions;
    parent->n_items = view->n_items;
    parent->n_metrics = view->n_metrics;
    parent->n_parameters = view->n_parameters;
    if (view->n_metrics > 0)
        memcpy(parent->metrics, view->metrics, view->n_metrics * sizeof *view->metrics);
    if (view->n_parameters > 0)
        memcpy(parent->parameters, view->parameters, view->n_parameters * sizeof *view->parameters);
}

static void add_metric(struct vt_train_result *result, const char *name, double value)
{
    VT_ASSERT(result->view.n_metrics < VT_BUNDLE_METRICS_MAX);
    struct vt_bundle_metric *metric = &result->metrics[result->view.n_metrics++];
    snprintf(metric->name, sizeof metric->name, "%s", name);
    metric->value = value;
}

static void add_intervals(struct vt_train_result *result)
{
    const struct vt_report_quality *all = &result->report.quality.all;
    add_metric(result, "recall_low", all->recall.low);
    add_metric(result, "recall_high", all->recall.high);
    add_metric(result, "ndcg_low", all->ndcg.low);
    add_metric(result, "ndcg_high", all->ndcg.high);
}

struct vt_err vt__train_report(const struct vt_train_input *input,
                               const struct vt_train_options *options,
                               struct vt_train_result *result)
{
    struct vt_report_data *report = &result->report;
    count_events(input, report);
    VT_TRY(count_shapes(&result->dataset.matrix, report));
    report->timed = options->protocol == VT_PROTOCOL_TIME && result->view.last_time_ms > 0;
    if (options->parent != NULL)
        copy_parent(options->parent, &report->parent);
    if (vt_held_out_any(&result->held_out) && result->held_out.lists != NULL) {
        VT_TRY(vt__train_report_quality(&result->held_out, options, &report->quality));
        report->measured = true;
        add_intervals(result);
    }
    return vt__train_report_examples(input, options, result);
}

void vt_train_result_note(struct vt_train_result *result, const char *text)
{
    struct vt_report_data *report = &result->report;
    if (report->n_notes < VT_REPORT_NOTES_MAX)
        snprintf(report->notes[report->n_notes++], sizeof report->notes[0], "%s", text);
}
