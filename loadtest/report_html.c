/*
 * The page about one load: what was asked, what came back, how long it took by percentile, what
 * happened when, what the server said of itself meanwhile, and how late the generator was. One
 * file, nothing loaded from anywhere, drawn in SVG.
 */
#include "loadtest/report_html.h"

#include "loadtest/report_page.h"
#include "services/common/base/html.h"
#include "services/common/rpc/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_A_NINE = 24, NINES_DRAWN = 6, PERCENTILE_POINTS = POINTS_A_NINE * NINES_DRAWN };
static const char *const colors[] = {"var(--hue)", "var(--hue2)", "var(--good)", "var(--fair)",
                                     "var(--poor)"};

/* ---- head ---- */

static void print_setup(const struct generator_options *options, const struct load_result *result,
                        FILE *out)
{
    fputs("<h1>Load on ", out);
    vt_html_text(vt_slice_str(options->target), out);
    fputs("</h1><p>", out);
    if (options->rate > 0)
        fprintf(out, "Open loop, %s arrivals, %g calls a second",
                options->poisson ? "Poisson" : "evenly spaced", options->rate);
    else
        fprintf(out, "Closed loop, %u calls always under way on each connection",
                options->concurrency);
    fprintf(out,
            " for %g&#8239;s after %g&#8239;s of warm-up; %u connections, %u threads, seed %llu.",
            result->elapsed_s, (double)options->warmup_ms * 1e-3, options->connections,
            options->threads, (unsigned long long)options->seed);
    fputs(options->rate > 0
              ? " Latency counts from the moment a call was due, not from when it was "
                "sent.</p>"
              : " Latencies of a closed loop hide queueing.</p>",
          out);
}

static void print_trust(const struct load_result *result, double rate, FILE *out)
{
    const char *doubt = load_result_doubt(result, rate);
    if (doubt != NULL)
        fprintf(
            out,
            "<section><h2 class='poor'>The generator measured itself</h2><p>%s. These figures are "
            "an upper bound of the target's latency; lower the rate or use another "
            "machine.</p></section>",
            doubt);
}

static void print_cards(const struct load_result *result, FILE *out)
{
    uint64_t n_errors = load_result_n_errors(&result->all);
    fputs("<div class='cards'>", out);
    page_card("good answers a second", "", out, "%.4g", load_result_goodput(result));
    page_card_us("median", load_result_quantile_us(result, 0.5), out);
    page_card_us("p99", load_result_quantile_us(result, 0.99), out);
    page_card_us("p99.9", load_result_quantile_us(result, 0.999), out);
    page_card("failed, degraded", n_errors + result->all.degraded > 0 ? "poor" : "good", out,
              "%llu, %llu", (unsigned long long)n_errors, (unsigned long long)result->all.degraded);
    fputs("</div>", out);
}

/* ---- latency by percentile ---- */

struct percentiles {
    double shares[PERCENTILE_POINTS], us[N_CALL_KINDS + 2][PERCENTILE_POINTS];
};

/* Up to where fewer than one value is left. */
static uint32_t fill_percentiles(const struct histogram *histogram, const double *shares,
                                 double *us)
{
    uint32_t n = 0;
    for (; n < PERCENTILE_POINTS && (1 - shares[n]) * (double)histogram->n >= 1; n++)
        us[n] = (double)histogram_quantile(histogram, shares[n]) * 1e-3;
    return n;
}

static struct vt_plot_series percentile_series(struct percentiles *percentiles, uint32_t row,
                                               const char *name, const struct histogram *histogram)
{
    return (struct vt_plot_series){
        .name = name,
        .color = colors[row % (sizeof colors / sizeof colors[0])],
        .xs = percentiles->shares,
        .ys = percentiles->us[row],
        .n = fill_percentiles(histogram, percentiles->shares, percentiles->us[row])};
}

static uint32_t add_kinds(const struct load_result *result, struct percentiles *percentiles,
                          struct vt_plot_series *series)
{
    uint32_t n = 0;
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        if (result->kinds[kind].ok > 0) {
            series[n] = percentile_series(percentiles, n, workload_name((enum call_kind)kind),
                                          &result->kinds[kind].latency);
            n++;
        }
    return n;
}

static void plot_percentiles(const struct generator_options *options,
                             const struct load_result *result, struct percentiles *percentiles,
                             FILE *out)
{
    struct vt_plot_series series[N_CALL_KINDS + 1];
    for (int i = 0; i < PERCENTILE_POINTS; i++)
        percentiles->shares[i] = 1 - pow(10, -(double)i / POINTS_A_NINE);
    uint32_t n = add_kinds(result, percentiles, series);
    if (options->rate > 0) {
        series[n] = percentile_series(percentiles, N_CALL_KINDS, "own lateness", &result->lag);
        series[n].color = "var(--soft)";
        series[n].dashed = true;
        n++;
    }
    const struct vt_plot plot = {.x = {"share of the calls", VT_PLOT_NINES, VT_PLOT_PERCENT, 0, 0},
                                 .y = {"latency", VT_PLOT_LOG, VT_PLOT_US, 0, 0},
                                 .series = series,
                                 .n_series = n,
                                 .wide = true};
    page_plot(
        "Latency by percentile",
        "Every label on the lower axis leaves out a tenth of the calls that the one before it "
        "leaves "
        "out. Values are rounded up by at most 0.8&#8239;%. The dashed line is how late the "
        "generator "
        "itself sent: where it comes near the others, they say more about the generator than about "
        "the target.",
        &plot, out);
}

/* ---- over time ---- */

enum { OVER_P50, OVER_P99, OVER_MAX, OVER_SENT, OVER_FAILED, OVER_DEGRADED, N_OVER };

struct over_time {
    double t_s[TIMELINE_SLOTS_MAX], ys[N_OVER][TIMELINE_SLOTS_MAX];
    uint32_t n;
};

static void fill_slot(const struct timeline *timeline, uint32_t i, struct over_time *over)
{
    const struct timeline_slot *slot = &timeline->slots[i];
    const double slot_s = (double)timeline->slot_ns * 1e-9;
    over->t_s[i] = (i + 0.5) * slot_s;
    over->ys[OVER_P50][i] = (double)timeline_slot_quantile(slot, 0.5) * 1e-3;
    over->ys[OVER_P99][i] = (double)timeline_slot_quantile(slot, 0.99) * 1e-3;
    over->ys[OVER_MAX][i] = (double)slot->max_ns * 1e-3;
    over->ys[OVER_SENT][i] = (double)slot->sent / slot_s;
    over->ys[OVER_FAILED][i] = (double)slot->failed / slot_s;
    over->ys[OVER_DEGRADED][i] = (double)slot->degraded / slot_s;
}

static struct vt_plot_series over_series(const struct over_time *over, int row, const char *name,
                                         const char *color)
{
    return (struct vt_plot_series){
        .name = name, .color = color, .xs = over->t_s, .ys = over->ys[row], .n = over->n};
}

static void plot_over_time(const struct over_time *over, double elapsed_s, FILE *out)
{
    const struct vt_plot_series latencies[] = {over_series(over, OVER_MAX, "worst", "var(--soft)"),
                                               over_series(over, OVER_P99, "p99", "var(--hue2)"),
                                               over_series(over, OVER_P50, "median", "var(--hue)")};
    struct vt_plot_series calls[] = {over_series(over, OVER_SENT, "due", "var(--hue)"),
                                     over_series(over, OVER_DEGRADED, "degraded", "var(--fair)"),
                                     over_series(over, OVER_FAILED, "failed", "var(--poor)")};
    const struct vt_plot_axis time = {"time since the warm-up", VT_PLOT_LINEAR, VT_PLOT_SECONDS, 0,
                                      elapsed_s};
    calls[1].area = calls[2].area = true;
    page_plot("Latency over time",
              "By the moment a call was due: a pause of the server stands where it was, with every "
              "call that waited for its end.",
              &(const struct vt_plot){.x = time,
                                      .y = {"latency", VT_PLOT_LOG, VT_PLOT_US, 0, 0},
                                      .series = latencies,
                                      .n_series = 3,
                                      .wide = true},
              out);
    page_plot("Calls over time",
              "Calls that were due, and those of them that failed or came back "
              "degraded.",
              &(const struct vt_plot){.x = time,
                                      .y = {"calls a second", VT_PLOT_LINEAR, VT_PLOT_NUMBER, 0, 0},
                                      .series = calls,
                                      .n_series = 3,
                                      .wide = true},
              out);
}

/* ---- tables ---- */

static void print_cell_us(const struct histogram *latency, double q, FILE *out)
{
    fputs("<td class='n'>", out);
    page_us((double)histogram_quantile(latency, q) * 1e-3, out);
    fputs("</td>", out);
}

static void print_row(const char *name, const struct call_counts *counts, FILE *out)
{
    fprintf(out, "<tr><td>%s</td><td class='n'>", name);
    vt_html_number(counts->sent, out);
    fputs("</td><td class='n'>", out);
    vt_html_number(counts->ok, out);
    fputs("</td><td class='n'>", out);
    vt_html_number(counts->degraded, out);
    fputs("</td>", out);
    print_cell_us(&counts->latency, 0.5, out);
    print_cell_us(&counts->latency, 0.9, out);
    print_cell_us(&counts->latency, 0.99, out);
    print_cell_us(&counts->latency, 0.999, out);
    print_cell_us(&counts->latency, 1, out);
    fputs("<td>", out);
    for (int code = 0; code < VT_CODE_COUNT; code++)
        if (counts->errors[code] > 0)
            fprintf(out, "%llu %s ", (unsigned long long)counts->errors[code],
                    vt_rpc_status_name(vt_rpc_status_from_code((enum vt_code)code)));
    fputs("</td></tr>", out);
}

static void print_calls(const struct load_result *result, FILE *out)
{
    fputs("<section><h2>Calls</h2><table><tr><th></th><th class='n'>sent</th><th class='n'>OK</th>"
          "<th class='n'>degraded</th><th class='n'>p50</th><th class='n'>p90</th><th class='n'>p99"
          "</th><th class='n'>p99.9</th><th class='n'>worst</th><th>errors</th></tr>",
          out);
    for (int kind = 0; kind < N_CALL_KINDS; kind++)
        if (result->kinds[kind].sent > 0)
            print_row(workload_name((enum call_kind)kind), &result->kinds[kind], out);
    print_row("all", &result->all, out);
    fputs("</table></section>", out);
}

static void print_generator(const struct load_result *result, FILE *out)
{
    fputs("<section><h2>The generator</h2><table><tr><th>sent late by, median</th><td>", out);
    page_us((double)histogram_quantile(&result->lag, 0.5) * 1e-3, out);
    fputs("</td><th>p99</th><td>", out);
    page_us((double)histogram_quantile(&result->lag, 0.99) * 1e-3, out);
    fputs("</td><th>worst</th><td>", out);
    page_us((double)result->lag.max * 1e-3, out);
    fprintf(out,
            "</td></tr><tr><th>not sent</th><td>%llu</td><th>busiest thread</th><td>%.0f&#8239;%%"
            "</td><th>all cores of its machine</th><td>%.0f&#8239;%%</td></tr></table></section>",
            (unsigned long long)result->unsent, result->busy * 100, result->machine_busy * 100);
}

/* ---- the server's metrics ---- */

/* Differences a second of a counter: xs and ys have a point less than the looks. */
static void plot_track(const struct scrape *scrape, enum scrape_track track, bool counter,
                       const char *title, struct vt_plot_axis y, FILE *out)
{
    double xs[SCRAPE_POINTS_MAX], ys[SCRAPE_POINTS_MAX];
    uint32_t n = 0;
    const double *values = scrape->tracks[track];
    if (!scrape->has_track[track])
        return;
    for (uint32_t i = counter ? 1 : 0; i < scrape->n_points; i++, n++) {
        double gap_s = i > 0 ? scrape->t_s[i] - scrape->t_s[i - 1] : 1;
        xs[n] = scrape->t_s[i];
        ys[n] = !counter ? values[i] : gap_s > 0.2 ? (values[i] - values[i - 1]) / gap_s : NAN;
    }
    const struct vt_plot_series series = {.color = "var(--hue)", .xs = xs, .ys = ys, .n = n};
    const struct vt_plot plot = {
        .x = {"time since the start", VT_PLOT_LINEAR, VT_PLOT_SECONDS, 0, 0},
        .y = y,
        .series = &series,
        .n_series = 1};
    page_plot(title, "", &plot, out);
}

static void print_counters(const struct scrape *scrape, FILE *out)
{
    static const char prefix[] = "grpc_server_handled_total{";
    fputs("<section><h2>Answers by the server's count</h2><table><tr><th>series</th><th class='n'>"
          "meanwhile</th></tr>",
          out);
    for (size_t i = 0; i < scrape->n_series; i++) {
        const struct scrape_series *series = &scrape->series[i];
        bool shown = strncmp(series->name, prefix, sizeof prefix - 1) == 0 ||
                     strstr(series->name, "degraded_total") != NULL;
        if (!shown || !(series->after > series->before))
            continue;
        fputs("<tr><td><code>", out);
        vt_html_text(vt_slice_str(series->name), out);
        fputs("</code></td><td class='n'>", out);
        vt_html_number((uint64_t)(series->after - series->before), out);
        fputs("</td></tr>", out);
    }
    fprintf(out,
            "</table><p class='small'>%u looks at /metrics, %u without an answer; the warm-up is "
            "counted in.</p></section>",
            scrape->n_points, scrape->n_missed);
}

static void print_server(const struct scrape *scrape, FILE *out)
{
    fputs("<div class='two'>", out);
    plot_track(scrape, SCRAPE_CPU, true, "Server: processors",
               (struct vt_plot_axis){"cores in use", VT_PLOT_LINEAR, VT_PLOT_NUMBER, 0, 0}, out);
    plot_track(scrape, SCRAPE_MEMORY, false, "Server: memory",
               (struct vt_plot_axis){"resident", VT_PLOT_LINEAR, VT_PLOT_BYTES, 0, 0}, out);
    plot_track(scrape, SCRAPE_HANDLED, true, "Server: calls",
               (struct vt_plot_axis){"answers a second", VT_PLOT_LINEAR, VT_PLOT_NUMBER, 0, 0},
               out);
    plot_track(scrape, SCRAPE_IN_FLIGHT, false, "Server: under way",
               (struct vt_plot_axis){"calls", VT_PLOT_LINEAR, VT_PLOT_NUMBER, 0, 0}, out);
    fputs("</div>", out);
    print_counters(scrape, out);
}

/* ---- the page ---- */

struct scratch {
    struct percentiles percentiles;
    struct over_time over;
};

static void print_page(const struct generator_options *options, const struct load_result *result,
                       const struct scrape *scrape, struct scratch *scratch, FILE *out)
{
    vt_html_begin("vitrine-load", out);
    print_setup(options, result, out);
    print_trust(result, options->rate, out);
    print_cards(result, out);
    plot_percentiles(options, result, &scratch->percentiles, out);
    scratch->over.n = result->timeline.n_slots;
    for (uint32_t i = 0; i < result->timeline.n_slots; i++)
        fill_slot(&result->timeline, i, &scratch->over);
    plot_over_time(&scratch->over, result->elapsed_s, out);
    print_calls(result, out);
    if (options->rate > 0)
        print_generator(result, out);
    if (scrape != NULL)
        print_server(scrape, out);
    vt_html_end(out);
}

struct vt_err report_html_run(const char *path, const struct generator_options *options,
                              const struct load_result *result, const struct scrape *scrape,
                              struct vt_diag *diag)
{
    FILE *out = NULL;
    struct scratch *scratch = calloc(1, sizeof *scratch);
    VT_CHECK(scratch != NULL, VT_EXHAUSTED, "no memory for the report");
    struct vt_err err = page_open(path, diag, &out);
    if (!vt_failed(err)) {
        print_page(options, result, scrape, scratch, out);
        err = page_close(path, out, diag);
    }
    free(scratch);
    return err;
}
