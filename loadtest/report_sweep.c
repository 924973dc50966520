/* The page, and the picture, of a sweep: throughput against latency, with the knee. */
#include "loadtest/report_html.h"
#include "loadtest/report_page.h"
#include "services/common/base/html.h"

/* A file for documents cannot take its colours from a page. */
static const char SVG_STYLE[] =
    "<style>:root{--ink:#1c2430;--soft:#667085;--line:#e4e7ec;--paper:#fff;--hue:#3056d3;"
    "--hue2:#d9772b;--poor:#c4362f;--good:#1b8a5a}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#98a2b3;--line:#2b3442;"
    "--paper:#171d27;--hue:#7d9bff;--hue2:#f2a15f;--poor:#f0736b;--good:#3cc48a}}"
    "text{fill:var(--soft);font:12px system-ui,sans-serif}.ink{fill:var(--ink)}"
    ".grid{stroke:var(--line)}</style><rect width='100%' height='100%' fill='var(--paper)'/>";

enum { SWEEP_P50, SWEEP_P99, SWEEP_P999, SWEEP_LAG, N_SWEEP_ROWS };

struct curves {
    double goodput[SWEEP_STEPS_MAX], us[N_SWEEP_ROWS][SWEEP_STEPS_MAX];
    uint32_t n;
};

static void fill_curves(const struct sweep *sweep, struct curves *curves)
{
    curves->n = sweep->n_steps;
    for (uint32_t i = 0; i < sweep->n_steps; i++) {
        const struct sweep_step *step = &sweep->steps[i];
        curves->goodput[i] = step->rate;
        curves->us[SWEEP_P50][i] = step->p50_us;
        curves->us[SWEEP_P99][i] = step->p99_us;
        curves->us[SWEEP_P999][i] = step->p999_us;
        curves->us[SWEEP_LAG][i] = step->lag_p99_us;
    }
}

static void draw(const struct sweep *sweep, FILE *out)
{
    struct curves curves;
    fill_curves(sweep, &curves);
    const struct vt_plot_series series[] = {
#define ROW(row_, name_, color_, dots_, dashed_)                                                   \
    {.name = name_,                                                                                \
     .color = color_,                                                                              \
     .xs = curves.goodput,                                                                         \
     .ys = curves.us[row_],                                                                        \
     .n = curves.n,                                                                                \
     .dots = dots_,                                                                                \
     .dashed = dashed_}
        ROW(SWEEP_P999, "p99.9", "var(--poor)", true, false),
        ROW(SWEEP_P99, "p99", "var(--hue2)", true, false),
        ROW(SWEEP_P50, "median", "var(--hue)", true, false),
        ROW(SWEEP_LAG, "own lateness, p99", "var(--soft)", false, true)};
    const struct vt_plot_mark knee = {sweep->knee, "knee"};
    const struct vt_plot plot = {
        .x = {"calls a second, offered", VT_PLOT_LINEAR, VT_PLOT_NUMBER, 0, 0},
        .y = {"latency", VT_PLOT_LOG, VT_PLOT_US, 0, 0},
        .series = series,
        .n_series = N_SWEEP_ROWS,
        .marks = &knee,
        .n_marks = sweep->knee > 0 ? 1 : 0,
        .wide = true};
    vt_plot(&plot, out);
}

static void print_step(const struct sweep_step *step, FILE *out)
{
    fprintf(out, "<tr><td class='n'>%.0f</td><td class='n'>%.0f</td>", step->rate, step->goodput);
    const double latencies[] = {step->p50_us, step->p90_us, step->p99_us, step->p999_us,
                                step->lag_p99_us};
    for (size_t i = 0; i < sizeof latencies / sizeof latencies[0]; i++) {
        fputs("<td class='n'>", out);
        page_us(latencies[i], out);
        fputs("</td>", out);
    }
    fprintf(out,
            "<td class='n'>%llu</td><td class='n'>%llu</td><td class='n'>%.0f&#8239;%%</td>"
            "<td class='%s'>%s%s</td></tr>",
            (unsigned long long)step->errors, (unsigned long long)step->degraded,
            step->machine_busy * 100, step->held ? "good" : "poor", step->held ? "held" : "lost",
            step->limited ? ", generator late" : "");
}

static void print_steps(const struct sweep *sweep, FILE *out)
{
    fputs(
        "<section><h2>Steps</h2><table><tr><th class='n'>offered/s</th><th class='n'>good/s</th>"
        "<th class='n'>p50</th><th class='n'>p90</th><th class='n'>p99</th><th class='n'>p99.9</th>"
        "<th class='n'>own p99</th><th class='n'>errors</th><th class='n'>degraded</th>"
        "<th class='n'>machine</th><th></th></tr>",
        out);
    for (uint32_t i = 0; i < sweep->n_steps; i++)
        print_step(&sweep->steps[i], out);
    fputs("</table></section>", out);
}

static void print_page(const struct generator_options *options, const struct sweep *sweep,
                       FILE *out)
{
    vt_html_begin("vitrine-load sweep", out);
    fputs("<h1>Sweep of ", out);
    vt_html_text(vt_slice_str(options->target), out);
    fprintf(out,
            "</h1><p>Open loop, %g&#8239;s a step after %g&#8239;s of warm-up; %u connections, %u "
            "threads, seed %llu.</p><div class='cards'>",
            (double)options->duration_ms * 1e-3, (double)options->warmup_ms * 1e-3,
            options->connections, options->threads, (unsigned long long)options->seed);
    page_card("knee, calls a second", sweep->knee > 0 ? "good" : "poor", out, "%.0f", sweep->knee);
    if (sweep->closed_rate > 0)
        page_card("closed loop, calls a second", "", out, "%.0f", sweep->closed_rate);
    fputs("</div><section><h2>Latency against throughput</h2>", out);
    draw(sweep, out);
    fputs("<p class='small'>The knee is the highest rate that was answered in full and without "
          "errors, with a p99 near the lowest rate's. Where the dashed line comes near the others "
          "the generator was at its limit, not the target.</p></section>",
          out);
    print_steps(sweep, out);
    vt_html_end(out);
}

struct vt_err report_html_sweep(const char *path, const struct generator_options *options,
                                const struct sweep *sweep, struct vt_diag *diag)
{
    FILE *out = NULL;
    VT_TRY(page_open(path, diag, &out));
    print_page(options, sweep, out);
    return page_close(path, out, diag);
}

/* The plot's own <svg> stands inside of one that has a size, colours and paper. */
struct vt_err report_svg_sweep(const char *path, const struct sweep *sweep, struct vt_diag *diag)
{
    FILE *out = NULL;
    VT_TRY(page_open(path, diag, &out));
    fputs("<svg xmlns='http://www.w3.org/2000/svg' viewBox='-16 -12 1052 288' width='1052'>", out);
    fputs(SVG_STYLE, out);
    draw(sweep, out);
    fputs("</svg>\n", out);
    return page_close(path, out, diag);
}
