/* The command `compare`: two targets in turn, or two reports; ratios with their bounds. */
#include "loadtest/compare.h"
#include "loadtest/load.h"
#include "loadtest/report_json.h"
#include "loadtest/report_page.h"
#include "loadtest/run.h"
#include "services/common/base/chart.h"
#include "services/common/base/html.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

struct compare_options {
    struct run_options run;
    uint32_t rounds;
    const char *const *names; /* the two, as they were given */
};

static const char *verdict(const struct ratio *ratio)
{
    return ratio->differs ? "differs" : "within noise";
}

/* ---- for people ---- */

static void print_text(const struct compare_options *options, const struct comparison *comparison)
{
    printf("A: %s\nB: %s\n%-8s %12s %12s %8s   %s\n", options->names[0], options->names[1], "", "A",
           "B", "B / A", "95 % bound");
    for (int metric = 0; metric < N_COMPARE_METRICS; metric++) {
        const struct ratio *ratio = &comparison->ratios[metric];
        printf("%-8s %12.1f %12.1f %8.3f   %.3f to %.3f, %s\n",
               compare_name((enum compare_metric)metric), ratio->a, ratio->b, ratio->value,
               ratio->low, ratio->high, verdict(ratio));
    }
    printf("goodput a second, latencies in microseconds; %u rounds of A, %u of B, %s\n",
           comparison->sides[0].n, comparison->sides[1].n,
           comparison->paired ? "in turn"
                              : "each a part of its own run: the bound knows nothing of what else "
                                "changed between the runs");
}

static void warn(const struct comparison *comparison)
{
    for (int side = 0; side < 2; side++) {
        const struct compare_side *of = &comparison->sides[side];
        if (of->limited)
            fprintf(stderr, "vitrine-load: %c: the generator measured itself, not the target\n",
                    'A' + side);
        if (of->failed + of->degraded > 0)
            fprintf(stderr, "vitrine-load: %c: %llu calls failed, %llu were degraded\n", 'A' + side,
                    (unsigned long long)of->failed, (unsigned long long)of->degraded);
    }
}

/* ---- for programs ---- */

/* Where there are too few rounds there is no bound. */
static json_t *bound(double value)
{
    return isfinite(value) && value > 0 ? json_real(value) : json_null();
}

static json_t *side_json(const char *name, const struct compare_side *side)
{
    return json_pack("{s:s,s:i,s:I,s:I,s:b}", "name", name, "rounds", (int)side->n, "failed",
                     (json_int_t)side->failed, "degraded", (json_int_t)side->degraded, "limited",
                     side->limited);
}

static void print_json(const struct compare_options *options, const struct comparison *comparison)
{
    json_t *metrics = json_object();
    for (int metric = 0; metric < N_COMPARE_METRICS; metric++) {
        const struct ratio *ratio = &comparison->ratios[metric];
        json_object_set_new(metrics, compare_name((enum compare_metric)metric),
                            json_pack("{s:f,s:f,s:f,s:o,s:o,s:b}", "a", ratio->a, "b", ratio->b,
                                      "ratio", ratio->value, "low", bound(ratio->low), "high",
                                      bound(ratio->high), "differs", ratio->differs));
    }
    report_json_print(json_pack("{s:b,s:o,s:o,s:o}", "in_turn", comparison->paired, "a",
                                side_json(options->names[0], &comparison->sides[0]), "b",
                                side_json(options->names[1], &comparison->sides[1]), "metrics",
                                metrics));
}

/* ---- the page ---- */

static void print_page_table(const struct comparison *comparison, FILE *out)
{
    fputs("<table><tr><th></th><th class='n'>A</th><th class='n'>B</th><th class='n'>B / A</th>"
          "<th class='n'>from</th><th class='n'>to</th><th></th></tr>",
          out);
    for (int metric = 0; metric < N_COMPARE_METRICS; metric++) {
        const struct ratio *ratio = &comparison->ratios[metric];
        fprintf(out,
                "<tr><td>%s</td><td class='n'>%.1f</td><td class='n'>%.1f</td><td class='n'>%.3f"
                "</td><td class='n'>%.3f</td><td class='n'>%.3f</td><td>%s</td></tr>",
                compare_name((enum compare_metric)metric), ratio->a, ratio->b, ratio->value,
                ratio->low, ratio->high, verdict(ratio));
    }
    fputs("</table>", out);
}

static void print_page(const struct compare_options *options, const struct comparison *comparison,
                       FILE *out)
{
    struct vt_chart_row rows[N_COMPARE_METRICS];
    uint32_t n = 0;
    for (int metric = 0; metric < N_COMPARE_METRICS; metric++) {
        const struct ratio *ratio = &comparison->ratios[metric];
        if (isfinite(ratio->high))
            rows[n++] = (struct vt_chart_row){compare_name((enum compare_metric)metric),
                                              ratio->value, ratio->low, ratio->high};
    }
    vt_html_begin("vitrine-load compare", out);
    fputs("<h1>Comparison</h1><p>A: ", out);
    vt_html_text(vt_slice_str(options->names[0]), out);
    fputs("</p><p>B: ", out);
    vt_html_text(vt_slice_str(options->names[1]), out);
    fputs("</p><section><h2>B by A</h2>", out);
    vt_chart_intervals("B / A, with its 95&#8239;% bound", rows, n, out);
    print_page_table(comparison, out);
    fprintf(
        out,
        "<p class='small'>Goodput a second, latencies in microseconds; %u rounds of A and %u of "
        "B, %s. The bound covers what varied between the rounds.</p></section>",
        comparison->sides[0].n, comparison->sides[1].n,
        comparison->paired ? "in turn" : "each a part of its own run");
    vt_html_end(out);
}

static struct vt_err write_page(const struct compare_options *options,
                                const struct comparison *comparison, struct vt_diag *diag)
{
    FILE *out = NULL;
    VT_TRY(page_open(options->run.html, diag, &out));
    print_page(options, comparison, out);
    return page_close(options->run.html, out, diag);
}

/* ---- the command ---- */

static struct vt_err compare_live(const struct compare_options *options, struct vt_diag *diag,
                                  struct comparison *ret_comparison)
{
    struct run run = {0};
    struct run_options first = options->run;
    first.target = options->names[0]; /* who lists the catalog */
    struct vt_err err = run_prepare(&first, diag, &run);
    if (!vt_failed(err))
        err = run_parse_rate(options->run.rate, &run.generator.rate);
    if (!vt_failed(err))
        err = compare_targets(&run.generator, options->names, options->rounds, ret_comparison);
    run_fini(&run);
    return err;
}

static struct vt_err report(const struct compare_options *options,
                            const struct comparison *comparison, struct vt_diag *diag)
{
    if (options->run.json)
        print_json(options, comparison);
    else
        print_text(options, comparison);
    warn(comparison);
    return options->run.html != NULL ? write_page(options, comparison, diag) : vt_ok();
}

static int run_compare(const struct compare_options *options)
{
    struct vt_diag diag = {0};
    struct comparison comparison;
    bool files = access(options->names[0], R_OK) == 0 && access(options->names[1], R_OK) == 0;
    struct vt_err err = files ? compare_reports(options->names, &diag, &comparison)
                              : compare_live(options, &diag, &comparison);
    if (!vt_failed(err))
        err = report(options, &comparison, &diag);
    if (vt_failed(err))
        run_print_error(err, &diag);
    return !vt_failed(err)          ? LOAD_EXIT_DONE
           : err.code == VT_INVALID ? LOAD_EXIT_USAGE
                                    : LOAD_EXIT_FAILED;
}

#define FIELD(name_) offsetof(struct compare_options, name_)
static const struct vt_option table[] = {
    {"rate", VT_OPTION_TEXT, FIELD(run.rate), "PER_S|max", "calls a second; max: closed loop",
     .fallback = "100"},
    {"rounds", VT_OPTION_U32, FIELD(rounds), "N", "of each, in turn", .fallback = "6", .min = 1,
     .max = COMPARE_ROUNDS_MAX},
    RUN_OPTIONS(struct compare_options, run, "5s"),
    {"mix", VT_OPTION_TEXT, FIELD(run.mix), "CALL=WEIGHT,…",
     "of recommend, rank, similar, events, profile", .fallback = "recommend=1"},
};
static const struct vt_options_spec spec = {
    .command = "vitrine-load compare",
    .summary = "Loads two targets in turn, or reads two --json reports, and tells their ratios.",
    .example = "vitrine-load compare 127.0.0.1:7400 127.0.0.1:7500 --rate 1000 --rounds 6",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .positional = "A B",
    .min_positional = 2,
    .max_positional = 2,
};

int load_compare(int argc, char **argv)
{
    struct compare_options options = {0};
    struct vt_options parsed = {0};
    struct vt_diag diag = {0};
    bool help = false;
    int exit_status = LOAD_EXIT_USAGE;
    if (vt_failed(vt_options_parse(&spec, argc, argv, &options, &parsed, &help, &diag)))
        fprintf(stderr, "%s: %s%s%s\n", spec.command, diag.field, diag.field[0] != '\0' ? ": " : "",
                diag.text);
    else if (help)
        exit_status = LOAD_EXIT_DONE;
    else {
        options.names = parsed.positional;
        exit_status = run_compare(&options);
    }
    vt_options_fini(&parsed);
    return exit_status;
}
