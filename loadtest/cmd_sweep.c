/* The command `sweep`: a load at rising rates, the knee, and the picture. */
#include "loadtest/load.h"
#include "loadtest/report_html.h"
#include "loadtest/report_json.h"
#include "loadtest/run.h"

#include <stdio.h>

struct sweep_options {
    struct run_options run;
    const char *svg;
    double max_rate, p99_factor;
    uint32_t n_steps, n_closer;
};

static void tell(void *ctx, const struct sweep_step *step)
{
    (void)ctx;
    fprintf(stderr, "%8.0f/s offered, %8.0f/s good, p50 %7.0f us, p99 %7.0f us%s%s\n", step->rate,
            step->goodput, step->p50_us, step->p99_us, step->held ? "" : "  lost",
            step->limited ? " (the generator was late)" : "");
}

static json_t *step_json(const struct sweep_step *step)
{
    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I,s:b,s:b}", "rate", step->rate, "goodput",
                     step->goodput, "p50_us", step->p50_us, "p90_us", step->p90_us, "p99_us",
                     step->p99_us, "p999_us", step->p999_us, "lag_p99_us", step->lag_p99_us,
                     "errors", (json_int_t)step->errors, "degraded", (json_int_t)step->degraded,
                     "held", step->held, "limited", step->limited);
}

static void print_json(const struct sweep *sweep)
{
    json_t *steps = json_array();
    for (uint32_t i = 0; i < sweep->n_steps; i++)
        json_array_append_new(steps, step_json(&sweep->steps[i]));
    report_json_print(json_pack("{s:f,s:f,s:o}", "knee", sweep->knee, "closed_loop",
                                sweep->closed_rate, "steps", steps));
}

static struct vt_err report(const struct sweep_options *options, const struct run *run,
                            const struct sweep *sweep, struct vt_diag *diag)
{
    if (options->run.json)
        print_json(sweep);
    else
        printf("knee at %.0f/s (closed loop: %.0f/s), %u steps\n", sweep->knee, sweep->closed_rate,
               sweep->n_steps);
    if (options->run.html != NULL)
        VT_TRY(report_html_sweep(options->run.html, &run->generator, sweep, diag));
    return options->svg != NULL ? report_svg_sweep(options->svg, sweep, diag) : vt_ok();
}

static int run_sweep(const struct sweep_options *options)
{
    const struct sweep_plan plan = {options->max_rate, options->p99_factor, options->n_steps,
                                    options->n_closer};
    struct vt_diag diag = {0};
    struct run run = {0};
    struct sweep sweep;
    struct vt_err err = run_prepare(&options->run, &diag, &run);
    if (!vt_failed(err))
        err = sweep_run(&run.generator, &plan, options->run.json ? NULL : tell, NULL, &sweep);
    if (!vt_failed(err))
        err = report(options, &run, &sweep, &diag);
    if (vt_failed(err))
        run_print_error(err, &diag);
    run_fini(&run);
    return !vt_failed(err)          ? LOAD_EXIT_DONE
           : err.code == VT_INVALID ? LOAD_EXIT_USAGE
                                    : LOAD_EXIT_FAILED;
}

enum { LADDER_MAX = SWEEP_STEPS_MAX / 2, CLOSER_MAX = SWEEP_STEPS_MAX / 4 };
#define FIELD(name_) offsetof(struct sweep_options, name_)
static const struct vt_option table[] = {
    RUN_OPTIONS(struct sweep_options, run, "5s"),
    {"mix", VT_OPTION_TEXT, FIELD(run.mix), "CALL=WEIGHT,…",
     "of recommend, rank, similar, events, profile", .fallback = "recommend=1"},
    {"max-rate", VT_OPTION_F64, FIELD(max_rate), "PER_S",
     "the highest step; 0: a tenth above what a closed loop reaches", .fallback = "0", .min = 0,
     .max = 1e7},
    {"steps", VT_OPTION_U32, FIELD(n_steps), "N", "of the ladder", .fallback = "12", .min = 2,
     .max = LADDER_MAX},
    {"closer", VT_OPTION_U32, FIELD(n_closer), "N", "more looks around the knee", .fallback = "3",
     .min = 0, .max = CLOSER_MAX},
    {"p99-factor", VT_OPTION_F64, FIELD(p99_factor), "X",
     "held means: a p99 of at most X times the lowest step's", .fallback = "10", .min = 1,
     .max = 1e6},
    {"svg", VT_OPTION_TEXT, FIELD(svg), "FILE", "also write the picture alone", .fallback = NULL},
};
static const struct vt_options_spec spec = {
    .command = "vitrine-load sweep",
    .summary = "Raises the rate to find the knee, and draws throughput against latency.",
    .example = "vitrine-load sweep --target 127.0.0.1:7400 --duration 5s --html sweep.html",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
};

int load_sweep(int argc, char **argv)
{
    struct sweep_options options = {0};
    struct vt_options parsed = {0};
    struct vt_diag diag = {0};
    bool help = false;
    int exit_status = LOAD_EXIT_USAGE;
    if (vt_failed(vt_options_parse(&spec, argc, argv, &options, &parsed, &help, &diag)))
        fprintf(stderr, "%s: %s%s%s\n", spec.command, diag.field, diag.field[0] != '\0' ? ": " : "",
                diag.text);
    else
        exit_status = help ? LOAD_EXIT_DONE : run_sweep(&options);
    vt_options_fini(&parsed);
    return exit_status;
}
