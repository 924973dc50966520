/*
 * `vitrine import`: reads files, cleans them, writes what is good and prints the scorecard.
 * Standard output carries the scorecard (or with --json one object), standard error the progress.
 */
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/base/options.h"
#include "services/common/base/progress.h"
#include "services/ingest/ingest.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/import_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct import_options {
    const char *data_dir, *format, *timezone, *currency, *type, *encoding, *report;
    struct vt_option_list maps, rates;
    uint32_t min_quality;
    bool keep_duplicates, keep_returns, dry_run, json;
};

#define AT(field_) offsetof(struct import_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "the data folder; made when it is missing",
     .flag_only = true},
    {.name = "format",
     .kind = VT_OPTION_CHOICE,
     .offset = AT(format),
     .argument = "NAME",
     .help = "found by itself when not given",
     .choices = "jsonl|csv|movielens|online-retail|adjacency",
     .flag_only = true},
    {.name = "map",
     .kind = VT_OPTION_LIST,
     .offset = AT(maps),
     .argument = "FIELD=COLUMN",
     .help = "csv: which column holds a field; may be repeated",
     .flag_only = true},
    {.name = "type",
     .kind = VT_OPTION_TEXT,
     .offset = AT(type),
     .argument = "NAME",
     .help = "of events that tell none: view, purchase …",
     .flag_only = true},
    {.name = "timezone",
     .kind = VT_OPTION_TEXT,
     .offset = AT(timezone),
     .argument = "ZONE",
     .help = "of times without one, such as Europe/London; else the format's, or UTC",
     .flag_only = true},
    {.name = "currency",
     .kind = VT_OPTION_TEXT,
     .offset = AT(currency),
     .argument = "CODE",
     .help = "of amounts without one; else the format's",
     .flag_only = true},
    {.name = "rate",
     .kind = VT_OPTION_LIST,
     .offset = AT(rates),
     .argument = "CODE=RATE",
     .help = "converts: EUR=0.86 says that one EUR is 0.86 of --currency; may be repeated",
     .flag_only = true},
    {.name = "encoding",
     .kind = VT_OPTION_CHOICE,
     .offset = AT(encoding),
     .argument = "NAME",
     .help = "of the text; else the format's (movielens: latin-1), or utf-8",
     .choices = "utf-8|latin-1|windows-1252",
     .flag_only = true},
    {.name = "min-quality",
     .kind = VT_OPTION_U32,
     .offset = AT(min_quality),
     .argument = "N",
     .help = "rows below wait in DIR/review",
     .fallback = "50",
     .min = 0,
     .max = 100,
     .flag_only = true},
    {.name = "keep-duplicates",
     .kind = VT_OPTION_BOOL,
     .offset = AT(keep_duplicates),
     .help = "equal rows are different events",
     .flag_only = true},
    {.name = "keep-returns",
     .kind = VT_OPTION_BOOL,
     .offset = AT(keep_returns),
     .help = "returns stay events and cancel no purchase",
     .flag_only = true},
    {.name = "dry-run",
     .kind = VT_OPTION_BOOL,
     .offset = AT(dry_run),
     .help = "judge everything, write nothing",
     .flag_only = true},
    {.name = "report",
     .kind = VT_OPTION_TEXT,
     .offset = AT(report),
     .argument = "FILE",
     .help = "the scorecard as a page (.html) or for programs (.json)",
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec spec = {
    .command = "vitrine import",
    .summary = "Clean, map and load data, and say how good it was.",
    .example = "vitrine import --data data --report report.html demo/",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
    .positional = "FILE...",
    .min_positional = 1,
    .max_positional = VT_INGEST_FILES_MAX,
};

/* ---- progress: a bar for each phase ---- */
struct phases {
    struct vt_progress progress;
    const char *phase; /* being shown, or NULL */
    uint64_t done;
};

static void end_phase(struct phases *phases)
{
    if (phases->phase != NULL)
        vt_progress_end(&phases->progress, phases->done);
    phases->phase = NULL;
}

static void on_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    struct phases *phases = ctx;
    bool reading = strcmp(phase, "reading") == 0;
    if (phases->phase == NULL || strcmp(phases->phase, phase) != 0 ||
        phases->progress.total != total) {
        end_phase(phases);
        phases->phase = phase;
        vt_progress_begin(&phases->progress, stderr, phase, reading ? "bytes" : "records", total);
    }
    phases->done = done;
    vt_progress_update(&phases->progress, done);
}

/* ---- options ---- */
static struct vt_err parse_rate(const char *text, struct vt_diag *diag,
                                struct vt_ingest_rate *ret_rate)
{
    char *end = NULL;
    const char *equals = strchr(text, '=');
    double rate = equals != NULL ? strtod(equals + 1, &end) : 0;
    if (equals == NULL || equals - text != 3 || end == equals + 1 || *end != '\0' ||
        !(rate > 0 && rate < 1e9)) {
        vt_diag_set(diag, "--rate", "'%s' is not CODE=RATE, such as EUR=0.86", text);
        return VT_ERR(VT_INVALID, "bad rate");
    }
    memcpy(ret_rate->code, text, 3);
    ret_rate->code[3] = '\0';
    ret_rate->rate = rate;
    return vt_ok();
}

static struct vt_err fill_options(const struct import_options *told, struct vt_diag *diag,
                                  struct vt_ingest_options *ret)
{
    VT_CHECK(told->rates.n <= VT_INGEST_RATES_MAX, VT_INVALID, "more than 32 --rate");
    for (size_t i = 0; i < told->rates.n; i++)
        VT_TRY(parse_rate(told->rates.items[i], diag, &ret->rates[ret->n_rates++]));
    for (size_t i = 0; i < told->maps.n; i++)
        if (strchr(told->maps.items[i], '=') == NULL) {
            vt_diag_set(diag, "--map", "'%s' is not FIELD=COLUMN", told->maps.items[i]);
            return VT_ERR(VT_INVALID, "bad map");
        }
    ret->format = told->format;
    ret->maps = told->maps.items;
    ret->timezone = told->timezone;
    ret->currency = told->currency;
    ret->type = told->type;
    ret->encoding = told->encoding;
    ret->keep_duplicates = told->keep_duplicates;
    ret->keep_returns = told->keep_returns;
    ret->min_quality = (uint8_t)told->min_quality;
    ret->aside_dir = told->dry_run ? NULL : told->data_dir;
    ret->now_ms = vt_clock_unix_ms(vt_clock_system());
    return vt_ok();
}

/* ---- the report file ---- */
static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static struct vt_err write_report(const char *path, const struct vt_ingest_result *result,
                                  struct vt_diag *diag)
{
    char *content = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&content, &len);
    VT_CHECK(memory != NULL, VT_EXHAUSTED, "out of memory");
    if (ends_with(path, ".html"))
        vt_report_html(result, memory);
    else
        vt_report_json(result, memory);
    struct vt_err err = fclose(memory) == 0
                            ? vt_file_write_atomic(path, vt_slice(content, len), diag)
                            : VT_ERR(VT_EXHAUSTED, "out of memory");
    free(content);
    return err;
}

/* ---- the work ---- */
static struct vt_err import_files(const struct import_options *told,
                                  const struct vt_ingest_options *options, struct vt_diag *diag,
                                  struct vt_ingest_result *ret_result)
{
    if (told->dry_run)
        return vt_ingest_run(options, NULL, diag, ret_result);
    struct vt_import_sink *sink = NULL;
    VT_TRY(vt_import_sink_open(told->data_dir, diag, &sink));
    if (vt_import_sink_is_remote(sink))
        fprintf(stderr, "a server holds %s: writing through it\n", told->data_dir);
    struct vt_ingest_sink port = vt_import_sink_port(sink);
    struct vt_err err = vt_ingest_run(options, &port, diag, ret_result);
    vt_import_sink_close(sink);
    return err;
}

/* A file of which not one row could be read is the wrong file, or has the wrong --format. */
static struct vt_err check_readable(const struct vt_ingest_result *result, struct vt_diag *diag)
{
    for (size_t i = 0; i < result->n_files; i++) {
        const struct vt_ingest_file *file = &result->files[i];
        if (file->rows.read == 0 || file->rows.rejected < file->rows.read)
            continue;
        vt_diag_set(diag, file->path,
                    "not one of %llu rows could be read as %s: is it the right file, and --format?",
                    (unsigned long long)file->rows.read, file->format);
        return VT_ERR(VT_INVALID, "a file without a readable row");
    }
    return vt_ok();
}

static struct vt_err run_import(const struct import_options *told,
                                struct vt_ingest_options *options, struct vt_diag *diag)
{
    struct vt_ingest_result result = {0};
    struct phases phases = {0};
    options->progress = on_progress;
    options->progress_ctx = &phases;
    struct vt_err err = import_files(told, options, diag, &result);
    end_phase(&phases);
    if (!vt_failed(err) && told->report != NULL)
        err = write_report(told->report, &result, diag);
    if (!vt_failed(err)) {
        (told->json ? vt_report_json : vt_report_text)(&result, stdout);
        err = check_readable(&result, diag);
    } else if (result.rows.read > 0 && err.code != VT_CORRUPT) {
        fputs("vitrine import: not all that could be read was written; importing again completes "
              "it\n",
              stderr);
    }
    vt_ingest_result_fini(&result);
    return err;
}

static int import(void *target, const struct vt_options *parsed)
{
    const struct import_options *told = target;
    struct vt_ingest_options options = {0};
    struct vt_diag diag = {0};
    char **paths = NULL;
    if (told->data_dir == NULL && !told->dry_run)
        return vt_command_refuse(spec.command,
                                 VT_ERR(VT_INVALID, "--data DIR is needed (or --dry-run)"), NULL);
    if (told->report != NULL && !ends_with(told->report, ".html") &&
        !ends_with(told->report, ".json"))
        return vt_command_refuse(
            spec.command, VT_ERR(VT_INVALID, "--report FILE must end in .html or .json"), NULL);
    struct vt_err err = fill_options(told, &diag, &options);
    if (vt_failed(err))
        return vt_command_refuse(spec.command, err, &diag);
    err =
        vt_ingest_expand(parsed->positional, parsed->n_positional, &diag, &paths, &options.n_paths);
    options.paths = (const char *const *)paths;
    if (!vt_failed(err))
        err = run_import(told, &options, &diag);
    vt_ingest_paths_free(paths, options.n_paths);
    return vt_failed(err) ? vt_command_fail(spec.command, err, &diag) : VT_EXIT_DONE;
}

int vt_cmd_import(int argc, char **argv)
{
    struct import_options options = {0};
    return vt_command_run(&spec, argc, argv, &options, import);
}
