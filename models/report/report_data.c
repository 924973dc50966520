/*
 * What the version was trained on: how much, when, which events, and how unevenly: histories and
 * popularity both span decades, so their histograms have a column for each power of two.
 */
#include "models/report/report_internal.h"
#include "services/common/base/chart.h"
#include "services/common/base/html.h"

#include <inttypes.h>

static void count_row(const char *name, uint64_t n, FILE *out)
{
    fprintf(out, "<tr><td>%s</td><td class='n'>", name);
    vt_html_number(n, out);
    fputs("</td></tr>", out);
}

static void summary(const struct vt_bundle_view *view, const struct vt_report_data *data, FILE *out)
{
    fputs("<section><h2>Data</h2><table>", out);
    count_row("customers", view->n_users, out);
    count_row("items", view->n_items, out);
    if (data->n_events > 0)
        count_row("events read", data->n_events, out);
    count_row("customer–item pairs that count", view->n_interactions, out);
    if (view->n_users > 0 && view->n_items > 0) {
        double pairs = (double)view->n_interactions;
        fprintf(out,
                "<tr><td>density</td><td class='n'>%.3g&#8239;%%</td></tr><tr><td>items a "
                "customer</td><td class='n'>%.1f</td></tr><tr><td>customers an item</td><td "
                "class='n'>%.1f</td></tr>",
                100 * pairs / (double)view->n_users / (double)view->n_items,
                pairs / (double)view->n_users, pairs / (double)view->n_items);
    }
    if (data->timed)
        fprintf(out, "<tr><td>days between first and last event</td><td class='n'>%.0f</td></tr>",
                (double)(view->last_time_ms - view->first_time_ms) / 86400000.0);
    fputs("</table></section>", out);
}

static void event_section(const struct vt_report_data *data, FILE *out)
{
    struct vt_chart_bar bars[VT_EVENT_TYPE_COUNT];
    uint32_t n = 0;
    for (unsigned type = 0; type < VT_EVENT_TYPE_COUNT; type++) {
        const char *name = vt_event_type_name(type);
        if (data->events[type] > 0)
            bars[n++] = (struct vt_chart_bar){
                type == VT_EVENT_UNSPECIFIED || name == NULL ? "untyped" : name,
                data->events[type]};
    }
    if (n == 0)
        return;
    fputs("<section><h2>Events by type</h2>", out);
    vt_chart_bars(bars, n, out);
    fputs("</section>", out);
}

static uint32_t last_bin(const uint64_t *bins)
{
    uint32_t n = VT_REPORT_BINS;
    while (n > 0 && bins[n - 1] == 0)
        n--;
    return n;
}

static void histogram(const char *title, const char *x_label, const char *y_label,
                      const uint64_t *bins, FILE *out)
{
    char names[VT_REPORT_BINS][16];
    const char *pointers[VT_REPORT_BINS];
    double counts[VT_REPORT_BINS];
    const uint32_t n = last_bin(bins);
    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = UINT32_C(1) << i;
        snprintf(names[i], sizeof names[i], from < 1024 ? "%" PRIu32 : "%" PRIu32 "k",
                 from < 1024 ? from : from / 1024);
        pointers[i] = names[i];
        counts[i] = (double)bins[i];
    }
    fprintf(out, "<section><h2>%s</h2>", title);
    vt_chart_columns(&(struct vt_chart_columns){x_label, y_label, pointers, counts, NULL, n, false},
                     out);
    fputs("</section>", out);
}

void vt__report_data_section(const struct vt_bundle_view *view, const struct vt_report_data *data,
                             FILE *out)
{
    fputs("<div class='two'>", out);
    summary(view, data, out);
    event_section(data, out);
    fputs("</div><div class='two'>", out);
    histogram("Length of histories", "items of a customer, from … to below its double", "customers",
              data->history_bins, out);
    histogram("Popularity of items", "customers of an item, from … to below its double", "items",
              data->popularity_bins, out);
    fputs("</div>", out);
}
