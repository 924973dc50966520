/*
 * `vitrine verify`: is everything in a data folder whole? The store is read from a checkpoint, so
 * the command works beside a running server and disturbs it by what it reads alone. The models are
 * listed before the checkpoint is taken: every item that one of them knows is then in the copy.
 */
#include "models/bundle/bundle.h"
#include "services/common/base/clock.h"
#include "services/common/base/options.h"
#include "services/common/base/progress.h"
#include "services/common/base/request.h"
#include "services/common/base/table.h"
#include "services/node/checkpoint.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/profile/audit.h"
#include "services/profile/profile.h"
#include "services/profile/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ITEM_ARENA_BYTES = 64 * 1024, PATH_BYTES = 4096, TOLD_MAX = 20 };

struct verify_options {
    const char *data_dir;
    bool json;
};

#define AT(field_) offsetof(struct verify_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "the data folder; its server may run",
     .required = true,
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine verify",
    .summary = "Read everything in a data folder and check every sequence and reference.",
    .example = "vitrine verify --data data",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

static const char TODO_STORE[] = "look at `vitrine doctor`; else restore a backup";
static const char TODO_MODEL[] = "activate another version or train again; then remove this one";
static const char TODO_AUDIT[] = "keep the file, and compare it with the one in the last backup";

struct verify_run {
    const struct verify_options *options;
    struct vt_progress progress;
    struct vt_verify_result result;
    json_t *findings;
    char (*versions)[VT_VERSION_BYTES_MAX]; /* owned */
    uint32_t n_versions;
    struct vt_arena arena; /* of one item */
};

/* ---- findings ---- */

static void on_finding(void *ctx, const struct vt_verify_finding *finding)
{
    struct verify_run *run = ctx;
    json_array_append_new(run->findings, json_pack("{s:s, s:s, s:s}", "check", finding->check,
                                                   "what", finding->what, "do", finding->todo));
}

static struct vt_verify_check *begin_check(struct verify_run *run, const char *name)
{
    VT_ASSERT(run->result.n_checks < VT_VERIFY_CHECKS_MAX);
    struct vt_verify_check *check = &run->result.checks[run->result.n_checks++];
    *check = (struct vt_verify_check){.name = name};
    return check;
}

static void add_finding(struct verify_run *run, struct vt_verify_check *check, const char *what,
                        const char *todo)
{
    run->result.problems++;
    if (check->problems++ < TOLD_MAX)
        on_finding(run, &(struct vt_verify_finding){check->name, what, todo});
}

/* A failure of the thing under test: what `diag` says, else the error's own words. */
static void add_failure(struct verify_run *run, struct vt_verify_check *check, struct vt_err err,
                        const struct vt_diag *diag, const char *todo)
{
    char what[VT_DIAG_FIELD_BYTES + VT_DIAG_TEXT_BYTES + 4];
    const char *text = diag->text[0] != '\0' ? diag->text : err.what;
    snprintf(what, sizeof what, "%s%s%s", diag->field, diag->field[0] != '\0' ? ": " : "", text);
    add_finding(run, check, what, todo);
}

static void on_progress(void *ctx, uint64_t rows, uint64_t estimate)
{
    struct verify_run *run = ctx;
    if (run->progress.total != estimate)
        vt_progress_begin(&run->progress, stderr, "verifying", "rows", estimate);
    vt_progress_update(&run->progress, rows);
}

/* ---- models ---- */

static bool knows_item(struct verify_run *run, struct vt_profile *profile, uint32_t number)
{
    struct vt_request request = {.arena = &run->arena, .deadline_ns = INT64_MAX};
    struct vt_item item;
    bool found = false;
    vt_arena_reset(&run->arena);
    struct vt_err err =
        vt_profile_get_item(profile, &request, vt_slice(NULL, 0), number, &item, &found);
    return vt_failed(err) || found; /* damage was told where the items were read */
}

static void check_items(struct verify_run *run, struct vt_verify_check *check,
                        struct vt_profile *profile, const struct vt_bundle_view *view)
{
    char what[160];
    for (uint32_t row = 0; row < view->n_items; row++) {
        if (knows_item(run, profile, view->item_numbers[row]))
            continue;
        snprintf(what, sizeof what, "%s: item %u of the model is not in the store", view->version,
                 view->item_numbers[row]);
        add_finding(run, check, what, TODO_MODEL);
    }
}

static void check_version(struct verify_run *run, struct vt_verify_check *check,
                          struct vt_profile *profile, const char *version)
{
    struct vt_diag diag = {0};
    struct vt_bundle *bundle;
    check->rows++;
    run->result.rows++;
    struct vt_err err = vt_bundle_open(run->options->data_dir, version, true, &diag, &bundle);
    if (vt_failed(err)) {
        char what[VT_VERSION_BYTES_MAX + VT_DIAG_TEXT_BYTES + 4];
        snprintf(what, sizeof what, "%s: %s", version, diag.text[0] != '\0' ? diag.text : err.what);
        add_finding(run, check, what, TODO_MODEL);
        return;
    }
    if (profile != NULL)
        check_items(run, check, profile, vt_bundle_view(bundle));
    vt_bundle_release(bundle);
}

static void check_pointer(struct verify_run *run, struct vt_verify_check *check, const char *name,
                          struct vt_err (*read)(const char *data_dir, struct vt_diag *diag,
                                                char *ret_version))
{
    char version[VT_VERSION_BYTES_MAX], what[160];
    struct vt_diag diag = {0};
    struct vt_err err = read(run->options->data_dir, &diag, version);
    if (err.code == VT_NOT_FOUND)
        return; /* no model yet, or none before */
    if (vt_failed(err)) {
        add_failure(run, check, err, &diag, "vitrine models activate VERSION writes it anew");
        return;
    }
    for (uint32_t i = 0; i < run->n_versions; i++)
        if (strcmp(run->versions[i], version) == 0)
            return;
    snprintf(what, sizeof what, "%s names %s, which is not there", name, version);
    add_finding(run, check, what, "vitrine models activate VERSION names another one");
}

static void check_models(struct verify_run *run, struct vt_profile *profile)
{
    struct vt_verify_check *check = begin_check(run, "models");
    for (uint32_t i = 0; i < run->n_versions; i++)
        check_version(run, check, profile, run->versions[i]);
    check_pointer(run, check, "CURRENT", vt_bundle_current);
    check_pointer(run, check, "PREVIOUS", vt_bundle_previous);
}

/* ---- the audit log ---- */

static void check_audit(struct verify_run *run)
{
    struct vt_verify_check *check = begin_check(run, "audit.log");
    char path[PATH_BYTES];
    struct vt_diag diag = {0};
    uint64_t n_entries = 0;
    snprintf(path, sizeof path, "%s/audit.log", run->options->data_dir);
    struct vt_err err = vt_audit_read(path, &diag, NULL, NULL, &n_entries);
    check->rows = n_entries;
    run->result.rows += n_entries;
    if (vt_failed(err) && err.code != VT_NOT_FOUND)
        add_failure(run, check, err, &diag, TODO_AUDIT);
}

/* ---- the whole ---- */

static struct vt_err check_copy(struct verify_run *run, const struct vt_checkpoint *checkpoint,
                                uint64_t acknowledged)
{
    struct vt_profile_options options = {
        .data_dir = checkpoint->data_dir, .clock = vt_clock_system(), .read_only = true};
    const struct vt_verify_options verify = {
        .acknowledged = acknowledged, .found = on_finding, .progress = on_progress, .ctx = run};
    struct vt_diag diag = {0};
    struct vt_profile *profile = NULL;
    struct vt_err err = vt_profile_open(&options, &diag, &profile);
    if (vt_failed(err)) {
        add_failure(run, begin_check(run, "store"), err, &diag, TODO_STORE);
    } else {
        err = vt_profile_verify(profile, &verify, &run->result);
        if (vt_failed(err)) {
            vt_profile_close(profile);
            return err;
        }
    }
    check_models(run, profile);
    vt_profile_close(profile);
    return vt_ok();
}

/* Without a copy of the store the rest is still checked. */
static struct vt_err check_without_store(struct verify_run *run, struct vt_err err,
                                         const struct vt_diag *diag)
{
    if (err.code != VT_CORRUPT)
        return err;
    add_failure(run, begin_check(run, "store"), err, diag, TODO_STORE);
    check_models(run, NULL);
    return vt_ok();
}

static struct vt_err verify_all(struct verify_run *run, struct vt_diag *diag)
{
    struct vt_checkpoint checkpoint;
    struct stat info;
    uint64_t acknowledged = 0;
    if (stat(run->options->data_dir, &info) != 0) {
        vt_diag_set(diag, run->options->data_dir, "no such folder");
        return VT_ERR(VT_NOT_FOUND, "the data folder is missing");
    }
    VT_CHECK(vt_arena_init_owned(&run->arena, ITEM_ARENA_BYTES), VT_EXHAUSTED, "out of memory");
    VT_TRY(vt_bundle_list(run->options->data_dir, &run->versions, &run->n_versions));
    vt_err_ignore(vt_profile_acknowledged(run->options->data_dir, NULL, &acknowledged),
                  "a damaged mark keeps the store from opening, which is told");
    struct vt_err err = vt_checkpoint_take_any(run->options->data_dir, diag, &checkpoint);
    if (vt_failed(err)) {
        VT_TRY(check_without_store(run, err, diag));
    } else {
        err = check_copy(run, &checkpoint, acknowledged);
        vt_checkpoint_drop(&checkpoint);
        VT_TRY(err);
    }
    check_audit(run);
    return vt_ok();
}

/* ---- printing ---- */

static struct vt_err print_json(struct verify_run *run)
{
    json_t *checks = json_array();
    for (uint32_t i = 0; i < run->result.n_checks; i++) {
        const struct vt_verify_check *check = &run->result.checks[i];
        json_array_append_new(checks, json_pack("{s:s, s:I, s:I}", "check", check->name, "rows",
                                                (json_int_t)check->rows, "problems",
                                                (json_int_t)check->problems));
    }
    return vt_command_print_json(json_pack(
        "{s:b, s:I, s:I, s:I, s:o, s:O}", "whole", run->result.problems == 0, "sequence",
        (json_int_t)run->result.sequence, "rows", (json_int_t)run->result.rows, "problems",
        (json_int_t)run->result.problems, "checks", checks, "findings", run->findings));
}

static void print_findings(const struct verify_run *run)
{
    size_t i;
    json_t *finding;
    json_array_foreach(run->findings, i, finding)
    {
        printf("\n%s: %s\n    to do: %s\n", json_string_value(json_object_get(finding, "check")),
               json_string_value(json_object_get(finding, "what")),
               json_string_value(json_object_get(finding, "do")));
    }
}

static void print_text(const struct verify_run *run)
{
    static const char *const heads[] = {"check", ">rows", ">problems"};
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    for (uint32_t i = 0; i < run->result.n_checks; i++) {
        vt_table_cell(table, vt_slice_str(run->result.checks[i].name));
        vt_table_cellf(table, "%" PRIu64, run->result.checks[i].rows);
        vt_table_cellf(table, "%" PRIu64, run->result.checks[i].problems);
    }
    vt_table_print(table, stdout);
    vt_table_free(table);
    print_findings(run);
    if (run->result.problems == 0)
        printf("\n%s is whole, up to sequence %" PRIu64 "\n", run->options->data_dir,
               run->result.sequence);
    else
        printf("\n%s: %" PRIu64 " problems\n", run->options->data_dir, run->result.problems);
}

static struct vt_err run_and_tell(struct verify_run *run, struct vt_diag *diag)
{
    VT_TRY(verify_all(run, diag));
    if (run->progress.total != 0)
        vt_progress_end(&run->progress, run->result.rows);
    if (run->options->json)
        return print_json(run);
    print_text(run);
    return vt_ok();
}

static int run_verify(void *target, const struct vt_options *options)
{
    struct verify_run run = {.options = target, .findings = json_array()};
    struct vt_diag diag = {0};
    (void)options;
    struct vt_err err = run_and_tell(&run, &diag);
    int status = vt_failed(err)             ? vt_command_fail(options_spec.command, err, &diag)
                 : run.result.problems == 0 ? VT_EXIT_DONE
                                            : VT_EXIT_FAILED;
    json_decref(run.findings);
    free(run.versions);
    vt_arena_fini(&run.arena);
    return status;
}

int vt_cmd_verify(int argc, char **argv)
{
    struct verify_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_verify);
}
