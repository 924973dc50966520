/*
 * How good the version is, and for whom. Intervals are 95 % of a bootstrap over customers
 * (models/eval/significance.h): two segments whose intervals overlap may be alike. The metrics are
 * of the measured model, which has not seen what it is asked for.
 */
#include "models/report/report_internal.h"
#include "services/common/base/chart.h"
#include "services/common/base/html.h"

#include <inttypes.h>
#include <math.h>

/* ---- the figures at the top ---- */

static void card(const char *name, double value, const char *format, const char *note, FILE *out)
{
    fputs("<section><p>", out);
    fputs(name, out);
    fputs("</p><div class='value'>", out);
    char text[32];
    snprintf(text, sizeof text, "%.*f", format[0] == 'p' ? 1 : 4, value);
    fputs(text, out);
    fputs(format[0] == 'p' ? "&#8239;%" : "", out);
    fprintf(out, "</div><p class='small'>%s</p></section>", note);
}

static void interval_card(const char *name, const struct vt_bundle_view *view, const char *metric,
                          const struct vt_interval *interval, FILE *out)
{
    char note[96] = "held-out customers";
    double value;
    if (!vt__report_metric(view->metrics, view->n_metrics, metric, &value))
        return;
    if (interval->n > 0)
        snprintf(note, sizeof note, "95&#8239;%% between %.4f and %.4f", interval->low,
                 interval->high);
    card(name, value, "number", note, out);
}

/* Against what everybody would get without a model. */
static void baseline_card(const struct vt_bundle_view *view, FILE *out)
{
    double ndcg, popular;
    char note[64];
    if (!vt__report_metric(view->metrics, view->n_metrics, "ndcg", &ndcg) ||
        !vt__report_metric(view->metrics, view->n_metrics, "popularity_ndcg", &popular) ||
        !(popular > 0))
        return;
    snprintf(note, sizeof note, "of the most popular items’ NDCG, %.4f", popular);
    card("against popularity", 100 * ndcg / popular, "percent", note, out);
}

static void coverage_card(const struct vt_bundle_view *view, FILE *out)
{
    double coverage;
    if (vt__report_metric(view->metrics, view->n_metrics, "coverage", &coverage))
        card("coverage", 100 * coverage, "percent", "of the items stand in somebody’s list", out);
}

void vt__report_cards(const struct vt_bundle_view *view, const struct vt_report_data *data,
                      FILE *out)
{
    const struct vt_report_quality *all = &data->quality.all;
    if (view->n_metrics == 0) {
        fputs("<section><p>Not measured: there were too few events to hold some out, or the "
              "factors were brought from elsewhere.</p></section>",
              out);
        return;
    }
    fputs("<div class='cards'>", out);
    interval_card("recall", view, "recall", &all->recall, out);
    interval_card("NDCG", view, "ndcg", &all->ndcg, out);
    baseline_card(view, out);
    coverage_card(view, out);
    fputs("</div>", out);
}

/* ---- how training went ---- */

static void curve_section(const char *title, const struct vt_chart_line *line, FILE *out)
{
    bool any = false;
    for (uint32_t i = 0; i < line->n; i++)
        any = any || (isfinite(line->ys[i]) && line->ys[i] >= line->gap_below);
    if (!any)
        return;
    fprintf(out, "<section><h2>%s</h2>", title);
    vt_chart_line(line, out);
    fputs("</section>", out);
}

void vt__report_curves(const struct vt_bundle_view *view, FILE *out)
{
    double xs[VT_BUNDLE_CURVE_MAX], loss[VT_BUNDLE_CURVE_MAX], ndcg[VT_BUNDLE_CURVE_MAX];
    if (view->n_curve < 2 || view->n_curve > VT_BUNDLE_CURVE_MAX)
        return;
    for (uint32_t i = 0; i < view->n_curve; i++) {
        const double *point = view->curve + (uint64_t)i * VT_BUNDLE_CURVE_COLUMNS;
        xs[i] = point[0];
        loss[i] = point[1];
        ndcg[i] = point[2];
    }
    fputs("<div class='two'>", out);
    curve_section("Loss",
                  &(struct vt_chart_line){"iteration", "objective", xs, loss, view->n_curve,
                                          -INFINITY, false},
                  out);
    curve_section("Held-out NDCG while training",
                  &(struct vt_chart_line){"iteration", "NDCG", xs, ndcg, view->n_curve, 0, true},
                  out);
    fputs("</div>", out);
}

/* ---- for whom ---- */

static void segment_chart(const struct vt_report_measured *quality, bool ndcg, FILE *out)
{
    struct vt_chart_row rows[VT_REPORT_CUSTOMERS + 1];
    const struct vt_interval *all = ndcg ? &quality->all.ndcg : &quality->all.recall;
    uint32_t n = 1;
    char label[64];
    rows[0] = (struct vt_chart_row){"all", all->mean, all->low, all->high};
    for (unsigned i = 0; i < VT_REPORT_CUSTOMERS; i++) {
        const struct vt_report_quality *segment = &quality->customers[i];
        const struct vt_interval *one = ndcg ? &segment->ndcg : &segment->recall;
        if (one->n > 0)
            rows[n++] = (struct vt_chart_row){vt_report_customers_name((enum vt_report_customers)i),
                                              one->mean, one->low, one->high};
    }
    snprintf(label, sizeof label, "%s at %" PRIu32 ", 95&#8239;%% interval",
             ndcg ? "NDCG" : "recall", quality->k);
    fprintf(out, "<section><h2>%s by customer</h2>", ndcg ? "NDCG" : "Recall");
    vt_chart_intervals(label, rows, n, out);
    fputs("</section>", out);
}

static void number_cell(double value, FILE *out)
{
    fprintf(out, "<td class='n'>%.4f</td>", value);
}

static void interval_cells(const struct vt_interval *interval, FILE *out)
{
    number_cell(interval->mean, out);
    fprintf(out, "<td class='n small'>%.4f – %.4f</td>", interval->low, interval->high);
}

static void quality_row(const char *name, const struct vt_report_quality *quality, FILE *out)
{
    if (quality->recall.n == 0)
        return;
    fprintf(out, "<tr><td>%s</td><td class='n'>", name);
    vt_html_number(quality->recall.n, out);
    fputs("</td>", out);
    interval_cells(&quality->recall, out);
    interval_cells(&quality->ndcg, out);
    fputs("</tr>", out);
}

static void customer_table(const struct vt_report_measured *quality, FILE *out)
{
    fprintf(out,
            "<section><h2>Customers, lists of %" PRIu32
            "</h2><p class='small'>By how many items of a customer the measured model was told, "
            "asked for what the customer did next.</p><table><tr><th>history</th><th "
            "class='n'>customers</th><th class='n'>recall</th><th class='n'>95&#8239;%%</th>"
            "<th class='n'>NDCG</th><th class='n'>95&#8239;%%</th></tr>",
            quality->k);
    quality_row("all", &quality->all, out);
    for (unsigned i = 0; i < VT_REPORT_CUSTOMERS; i++)
        quality_row(vt_report_customers_name((enum vt_report_customers)i), &quality->customers[i],
                    out);
    fputs("</table></section>", out);
}

static void item_table(const struct vt_report_measured *quality, FILE *out)
{
    static const char *const names[VT_REPORT_ITEMS] = {
        [VT_REPORT_HEAD] = "head: the first third of all interactions",
        [VT_REPORT_MIDDLE] = "middle: the second third",
        [VT_REPORT_TAIL] = "tail: the rest",
    };
    fputs("<section><h2>Items</h2><p class='small'>Recall of those held-out items alone: what is "
          "rarely wanted is found more rarely.</p><table><tr><th>items</th><th "
          "class='n'>items</th><th class='n'>customers</th><th class='n'>recall</th><th "
          "class='n'>95&#8239;%</th></tr>",
          out);
    for (unsigned i = 0; i < VT_REPORT_ITEMS; i++) {
        fprintf(out, "<tr><td>%s</td><td class='n'>", names[i]);
        vt_html_number(quality->n_items[i], out);
        fputs("</td><td class='n'>", out);
        vt_html_number(quality->items[i].n, out);
        fputs("</td>", out);
        interval_cells(&quality->items[i], out);
        fputs("</tr>", out);
    }
    fputs("</table></section>", out);
}

void vt__report_segments(const struct vt_report_data *data, FILE *out)
{
    if (!data->measured)
        return;
    fputs("<div class='two'>", out);
    segment_chart(&data->quality, true, out);
    segment_chart(&data->quality, false, out);
    fputs("</div>", out);
    customer_table(&data->quality, out);
    item_table(&data->quality, out);
}

/* ---- what it favours ---- */

void vt__report_favoured(const struct vt_report_data *data, FILE *out)
{
    static const char *const names[VT_REPORT_DECILES] = {"1", "2", "3", "4", "5",
                                                         "6", "7", "8", "9", "10"};
    const struct vt_report_measured *quality = &data->quality;
    if (!data->measured)
        return;
    fputs("<section><h2>What is favoured</h2><div class='two'><div>", out);
    vt_chart_columns(&(struct vt_chart_columns){"tenths of the items, least wanted to most wanted",
                                                "share", names, quality->wanted, quality->shown,
                                                VT_REPORT_DECILES, true},
                     out);
    fputs("</div><div><p><span style='color:var(--soft)'>&#9632;</span> share of the interactions "
          "<br><span style='color:var(--hue)'>&#9632;</span> share of the places in lists</p>",
          out);
    fprintf(out,
            "<p>Gini coefficient of the interactions over items: <b>%.3f</b><br>of the places in "
            "lists: <b>%.3f</b></p><p class='small'>0: every item alike, 1: all on one item. Where "
            "lists are more uneven than what customers did, the model makes the popular more "
            "popular; diversity, exploration and campaigns of the ranking work against it.</p>",
            quality->wanted_gini, quality->shown_gini);
    fputs("</div></div></section>", out);
}
