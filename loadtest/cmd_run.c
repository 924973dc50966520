/*
 * The commands that make one load and report it: `recommend`, `rank`, `similar`, `events`,
 * `profile`, and `mixed`, whose mix can be told. The same commands measure `vitrine-load floor`, so
 * a service and the ceiling stand in one table.
 */
#include "loadtest/load.h"
#include "loadtest/report_html.h"
#include "loadtest/report_json.h"
#include "loadtest/report_text.h"
#include "loadtest/run.h"

#include <stdio.h>
#include <string.h>

enum { SCRAPE_INTERVAL_MS = 1000 };

/* What a command was told, and what came of it. */
struct measured {
    const struct run_options *options;
    struct run run;
    struct load_result *result;
    struct scrape *scrape; /* NULL: not asked for */
};

static struct vt_err measure(struct measured *measured, struct vt_diag *diag)
{
    const struct run_options *options = measured->options;
    struct scraper *scraper = NULL;
    VT_TRY(run_prepare(options, diag, &measured->run));
    VT_TRY(run_parse_rate(options->rate, &measured->run.generator.rate));
    if (options->http != NULL)
        VT_TRY(scraper_start(options->http, SCRAPE_INTERVAL_MS, diag, &scraper));
    struct vt_err err = generator_run(&measured->run.generator, &measured->result);
    measured->scrape = scraper_stop(scraper);
    return err;
}

static struct vt_err report(const struct measured *measured, struct vt_diag *diag)
{
    const struct run_options *options = measured->options;
    const struct generator_options *generator = &measured->run.generator;
    if (options->json)
        report_json_print(report_json(generator, measured->result, measured->scrape));
    else
        report_text_print(generator, measured->result);
    if (options->html == NULL)
        return vt_ok();
    return report_html_run(options->html, generator, measured->result, measured->scrape, diag);
}

/* A run in which nothing was answered says nothing, so it fails. */
static int judge(const struct measured *measured)
{
    const char *doubt = load_result_doubt(measured->result, measured->run.generator.rate);
    if (doubt != NULL)
        fprintf(stderr,
                "vitrine-load: the generator measured itself: %s; lower the rate, or run it on "
                "another machine\n",
                doubt);
    bool good = measured->result->all.ok > 0 && (doubt == NULL || !measured->options->strict);
    return good ? LOAD_EXIT_DONE : LOAD_EXIT_FAILED;
}

static int run(const struct run_options *options)
{
    struct vt_diag diag = {0};
    struct measured measured = {.options = options};
    struct vt_err err = measure(&measured, &diag);
    if (!vt_failed(err))
        err = report(&measured, &diag);
    int exit_status = vt_failed(err) ? LOAD_EXIT_FAILED : judge(&measured);
    if (vt_failed(err))
        run_print_error(err, &diag);
    if (err.code == VT_INVALID)
        exit_status = LOAD_EXIT_USAGE;
    scrape_free(measured.scrape);
    load_result_free(measured.result);
    run_fini(&measured.run);
    return exit_status;
}

struct command_options {
    struct run_options run;
};
#define FIELD(name_) offsetof(struct command_options, run.name_)
static const struct vt_option table[] = {
    {"rate", VT_OPTION_TEXT, FIELD(rate), "PER_S|max", "calls a second; max: closed loop",
     .fallback = "100"},
    RUN_OPTIONS(struct command_options, run, "30s"),
    {"http", VT_OPTION_TEXT, FIELD(http), "ADDR", "the server's --http: its metrics, meanwhile",
     .fallback = NULL},
    {"strict", VT_OPTION_BOOL, FIELD(strict), NULL,
     "fail when the generator measured itself rather than the target", .flag_only = true},
    /* Last: only `mixed` has it. */
    {"mix", VT_OPTION_TEXT, FIELD(mix), "CALL=WEIGHT,…",
     "of recommend, rank, similar, events, profile",
     .fallback = "recommend=80,similar=10,events=10"},
};
enum { N_OPTIONS = sizeof table / sizeof table[0] };

#define ONE_KIND .options = table, .n_options = N_OPTIONS - 1
static const struct command {
    struct vt_options_spec spec;
    const char *mix;
} commands[] = {
    {{.command = "vitrine-load recommend",
      .summary = "Asks for recommendations at a rate; latency counts from the intended time.",
      .example = "vitrine-load recommend --target 127.0.0.1:7400 --rate 2000 --html load.html",
      ONE_KIND},
     "recommend=1"},
    {{.command = "vitrine-load rank",
      .summary = "Has lists of items ordered for customers at a rate.",
      .example = "vitrine-load rank --target 127.0.0.1:7400 --rate 500 --rank-items 50",
      ONE_KIND},
     "rank=1"},
    {{.command = "vitrine-load similar",
      .summary = "Asks for items alike to others at a rate.",
      .example = "vitrine-load similar --target 127.0.0.1:7400 --rate 1000 --skus 5000",
      ONE_KIND},
     "similar=1"},
    {{.command = "vitrine-load events",
      .summary = "Writes views of items, one a call, each on disk when it is answered.",
      .example = "vitrine-load events --target 127.0.0.1:7400 --rate 1000",
      ONE_KIND},
     "events=1"},
    {{.command = "vitrine-load profile",
      .summary = "Asks for customers' profiles at a rate.",
      .example = "vitrine-load profile --target 127.0.0.1:7400 --rate max --items 50",
      ONE_KIND},
     "profile=1"},
    {{.command = "vitrine-load mixed",
      .summary = "Makes calls of several kinds at a rate, as a storefront does.",
      .example = "vitrine-load mixed --target 127.0.0.1:7400 --rate 1000 --mix "
                 "recommend=80,similar=10,events=10",
      .options = table,
      .n_options = N_OPTIONS},
     NULL},
};

static const struct command *find(const char *name)
{
    size_t i = 0;
    while (strcmp(strchr(commands[i].spec.command, ' ') + 1, name) != 0)
        i++; /* main's table has no other name for this function */
    return &commands[i];
}

int load_run(int argc, char **argv)
{
    const struct command *command = find(argv[0]);
    struct command_options options = {.run.mix = command->mix};
    struct vt_options parsed = {0};
    struct vt_diag diag = {0};
    bool help = false;
    int exit_status = LOAD_EXIT_USAGE;
    if (vt_failed(vt_options_parse(&command->spec, argc, argv, &options, &parsed, &help, &diag)))
        fprintf(stderr, "%s: %s%s%s\n", command->spec.command, diag.field,
                diag.field[0] != '\0' ? ": " : "", diag.text);
    else
        exit_status = help ? LOAD_EXIT_DONE : run(&options.run);
    vt_options_fini(&parsed);
    return exit_status;
}
