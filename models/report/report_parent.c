/*
 * Metrics and parameters, beside those of the version before. The two manifests were measured each
 * on its own held-out events, so a difference here is a hint; what the gate compared on the same
 * customers is told in its own words.
 */
#include "models/report/report_internal.h"
#include "services/common/base/html.h"

#include <math.h>
#include <string.h>

static void text_cell(const char *text, FILE *out)
{
    fputs("<td class='n'>", out);
    vt_html_text(vt_slice_str(text), out);
    fputs("</td>", out);
}

static bool has_parent(const struct vt_report_data *data)
{
    return data->parent.version[0] != '\0';
}

static void metric_row(const struct vt_bundle_metric *metric, const struct vt_report_data *data,
                       FILE *out)
{
    double before;
    fputs("<tr><td>", out);
    vt_html_text(vt_slice_str(metric->name), out);
    fprintf(out, "</td><td class='n'>%.6g</td>", metric->value);
    if (!has_parent(data)) {
        fputs("</tr>", out);
        return;
    }
    if (vt__report_metric(data->parent.metrics, data->parent.n_metrics, metric->name, &before))
        fprintf(out, "<td class='n'>%.6g</td><td class='n'>%+.3g</td></tr>", before,
                metric->value - before);
    else
        fputs("<td class='n'>–</td><td></td></tr>", out);
}

static void table_head(const char *what, const struct vt_report_data *data, bool difference,
                       FILE *out)
{
    fprintf(out, "<table><tr><th>%s</th><th class='n'>this version</th>", what);
    if (has_parent(data))
        fprintf(out, "<th class='n'>the one before</th>%s",
                difference ? "<th class='n'>difference</th>" : "");
    fputs("</tr>", out);
}

static void metric_section(const struct vt_bundle_view *view, const struct vt_report_data *data,
                           FILE *out)
{
    if (view->n_metrics == 0)
        return;
    fputs("<section><h2>All metrics</h2>", out);
    table_head("metric", data, true, out);
    for (uint32_t i = 0; i < view->n_metrics; i++)
        metric_row(&view->metrics[i], data, out);
    fputs("</table></section>", out);
}

static const char *parent_value(const struct vt_report_parent *parent, const char *name)
{
    for (uint32_t i = 0; i < parent->n_parameters; i++)
        if (strcmp(parent->parameters[i].name, name) == 0)
            return parent->parameters[i].value;
    return "–";
}

static void parameter_row(const struct vt_bundle_parameter *parameter,
                          const struct vt_report_data *data, FILE *out)
{
    const char *before = parent_value(&data->parent, parameter->name);
    bool changed = has_parent(data) && strcmp(before, parameter->value) != 0;
    fputs("<tr><td>", out);
    vt_html_text(vt_slice_str(parameter->name), out);
    fputs(changed ? " <span class='tag'>changed</span></td>" : "</td>", out);
    text_cell(parameter->value, out);
    if (has_parent(data))
        text_cell(before, out);
    fputs("</tr>", out);
}

static void number_row(const char *name, double value, FILE *out)
{
    fprintf(out, "<tr><td>%s</td><td class='n'>%.6g</td></tr>", name, value);
}

static void mix_rows(const struct vt_bundle_view *view, FILE *out)
{
    const struct {
        const char *name;
        float weight;
    } members[] = {{"weight of the factors", view->mix.factor},
                   {"weight of the item kernel", view->mix.kernel},
                   {"weight of the item neighbours", view->mix.neighbor},
                   {"weight of popularity", view->mix.popular}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (fpclassify(members[i].weight) != FP_ZERO)
            number_row(members[i].name, (double)members[i].weight, out);
}

static void parameter_section(const struct vt_bundle_view *view, const struct vt_report_data *data,
                              FILE *out)
{
    fputs("<section><h2>Parameters</h2>", out);
    table_head("parameter", data, false, out);
    for (uint32_t i = 0; i < view->n_parameters; i++)
        parameter_row(&view->parameters[i], data, out);
    mix_rows(view, out);
    if (view->dim > 0) {
        number_row("regularization of the fold-in", view->regularization, out);
        number_row("unobserved weight", view->unobserved_weight, out);
    }
    fputs("</table><p class='small'>Numbers by ", out);
    vt_html_text(vt_slice_str(view->blas != NULL && view->blas[0] != '\0' ? view->blas : "–"), out);
    fputs("</p></section>", out);
}

static void notes(const struct vt_report_data *data, FILE *out)
{
    if (!has_parent(data) && data->n_notes == 0)
        return;
    fputs("<section><h2>Against the version before</h2><p>", out);
    vt_html_text(vt_slice_str(has_parent(data) ? data->parent.version : "There was none."), out);
    if (has_parent(data)) {
        fputs(", ", out);
        vt_html_text(vt_slice_str(data->parent.algorithm), out);
        fputs(", from ", out);
        vt_html_number(data->parent.n_interactions, out);
        fputs(" pairs of ", out);
        vt_html_number(data->parent.n_users, out);
        fputs(" customers and ", out);
        vt_html_number(data->parent.n_items, out);
        fputs(" items", out);
    }
    fputs("</p><ul>", out);
    for (uint32_t i = 0; i < data->n_notes; i++) {
        fputs("<li>", out);
        vt_html_text(vt_slice_str(data->notes[i]), out);
        fputs("</li>", out);
    }
    fputs("</ul></section>", out);
}

void vt__report_parent(const struct vt_bundle_view *view, const struct vt_report_data *data,
                       FILE *out)
{
    notes(data, out);
    fputs("<div class='two'>", out);
    metric_section(view, data, out);
    parameter_section(view, data, out);
    fputs("</div>", out);
}
