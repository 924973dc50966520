/*
 * `vitrine train`: events → model → gate → CURRENT. Says beforehand how much memory it will take,
 * reports progress on standard error, and ends with a table of what was made. A failure at any step
 * leaves what serves in place.
 */
#include "models/dataset/interactions.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "models/train/train.h"
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/base/options.h"
#include "services/common/base/progress.h"
#include "services/common/base/table.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/training_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct train_command_options {
    const char *data_dir, *train_path, *algorithm;
    struct vt_option_list settings;
    double half_life_days;
    uint32_t threads;
    uint64_t seed;
    bool no_publish, no_gate, json;
};

#define AT(field_) offsetof(struct train_command_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "the data folder: events come from here, the model goes there",
     .required = true,
     .flag_only = true},
    {.name = "train",
     .kind = VT_OPTION_TEXT,
     .offset = AT(train_path),
     .argument = "FILE",
     .help = "take an adjacency file instead of the folder's events",
     .flag_only = true},
    {.name = "algorithm",
     .kind = VT_OPTION_TEXT,
     .offset = AT(algorithm),
     .argument = "NAME",
     .help = "how the model is made; see docs/models.md",
     .fallback = "ials",
     .flag_only = true},
    {.name = "set",
     .kind = VT_OPTION_LIST,
     .offset = AT(settings),
     .argument = "KEY=VALUE",
     .help = "a setting of the algorithm; may be repeated",
     .flag_only = true},
    {.name = "half-life",
     .kind = VT_OPTION_F64,
     .offset = AT(half_life_days),
     .argument = "DAYS",
     .help = "an event counts half after so many days; 0: for ever",
     .fallback = "0",
     .min = 0,
     .max = 36500,
     .flag_only = true},
    {.name = "seed",
     .kind = VT_OPTION_U64,
     .offset = AT(seed),
     .argument = "N",
     .help = "of the first factors",
     .fallback = "1",
     .flag_only = true},
    {.name = "threads",
     .kind = VT_OPTION_U32,
     .offset = AT(threads),
     .argument = "N",
     .help = "0: one per CPU; the model is the same",
     .fallback = "0",
     .min = 0,
     .max = VT_THREADS_MAX,
     .flag_only = true},
    {.name = "no-publish",
     .kind = VT_OPTION_BOOL,
     .offset = AT(no_publish),
     .help = "write the version, but let the old one serve",
     .flag_only = true},
    {.name = "no-gate",
     .kind = VT_OPTION_BOOL,
     .offset = AT(no_gate),
     .help = "publish even when it measures worse than what serves",
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine train",
    .summary = "makes a model from the events of a data folder and puts it into service",
    .example = "vitrine train --data DIR --set factors=64",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

/* Everything one run holds. */
struct train_run {
    const struct train_command_options *options;
    struct vt_train_options train;
    struct vt_interactions interactions;
    struct vt_catalog catalog; /* empty with --train FILE */
    struct vt_train_result result;
    struct vt_progress progress;
    const char *stage; /* whose bar is open; NULL: none */
    uint32_t stage_done;
    int64_t started_ns;
    double train_s;
    bool published;
};

static struct vt_err choose_options(struct train_run *run, struct vt_diag *diag)
{
    const struct train_command_options *options = run->options;
    vt_train_options_default(&run->train);
    run->train.algorithm = vt_algorithm_find(options->algorithm, diag);
    VT_CHECK(run->train.algorithm != NULL, VT_INVALID, "unknown algorithm");
    run->train.algorithm_options.seed = options->seed;
    run->train.algorithm_options.threads = vt_threads_resolve(options->threads);
    run->train.dataset.decay_half_life_days = options->half_life_days;
    for (size_t i = 0; i < options->settings.n; i++)
        VT_TRY(vt_algorithm_set(run->train.algorithm, options->settings.items[i], diag,
                                &run->train.algorithm_options));
    return vt_ok();
}

static struct vt_err read_file(struct train_run *run, struct vt_diag *diag)
{
    vt_training_data_weigh_adjacency(&run->train.dataset);
    run->train.protocol = VT_PROTOCOL_RANDOM; /* the file has no times to split by */
    return vt_adjacency_read(run->options->train_path, diag, &run->interactions);
}

static struct vt_err read_interactions(struct train_run *run, struct vt_diag *diag)
{
    if (run->options->train_path != NULL)
        return read_file(run, diag);
    return vt_training_data_read(run->options->data_dir, diag, &run->interactions, &run->catalog);
}

static void tell_memory(const struct train_run *run)
{
    struct vt_ids ids;
    if (vt_failed(vt_ids_collect(run->interactions.list, run->interactions.n, &ids)))
        return; /* training will say it better */
    uint64_t bytes =
        vt_train_memory_bytes(&run->train, run->interactions.n, ids.n_users, ids.n_items);
    fprintf(stderr,
            "%" PRIu64 " events of %" PRIu32 " customers and %" PRIu32
            " items; training needs up to %.0f MiB of memory, on %u threads\n",
            run->interactions.n, ids.n_users, ids.n_items, (double)bytes / (1 << 20),
            run->train.algorithm_options.threads);
    vt_ids_free(&ids);
}

static void close_stage(struct train_run *run)
{
    if (run->stage != NULL)
        vt_progress_end(&run->progress, run->stage_done);
    run->stage = NULL;
}

static void on_progress(void *ctx, const char *stage, uint32_t done, uint32_t total)
{
    struct train_run *run = ctx;
    if (run->stage != stage) {
        close_stage(run);
        vt_progress_begin(&run->progress, stderr, stage, "iterations", total);
        run->stage = stage;
    }
    run->stage_done = done;
    vt_progress_update(&run->progress, done);
}

/* A serving version that cannot be read does not stop its replacement. */
static struct vt_err check_gate(const struct train_run *run, struct vt_diag *diag)
{
    char version[VT_VERSION_BYTES_MAX];
    struct vt_gate_options gate;
    struct vt_bundle *parent = NULL;
    vt_gate_options_default(&gate);
    struct vt_err err = vt_bundle_current(run->options->data_dir, NULL, version);
    if (!vt_failed(err))
        err = vt_bundle_open(run->options->data_dir, version, false, NULL, &parent);
    const struct vt_bundle_view *view = vt_failed(err) ? NULL : vt_bundle_view(parent);
    err = vt_gate_check(&run->result.view, view, &gate, diag);
    vt_bundle_release(parent);
    return err;
}

static struct vt_err store(struct train_run *run, struct vt_diag *diag)
{
    bool publish = !run->options->no_publish;
    if (publish && !run->options->no_gate)
        VT_TRY(check_gate(run, diag));
    VT_TRY(vt_train_store(run->options->data_dir, vt_clock_unix_ms(vt_clock_system()), publish,
                          diag, &run->result));
    run->published = publish;
    return vt_ok();
}

static struct vt_err train_locked(struct train_run *run, struct vt_diag *diag)
{
    VT_TRY(read_interactions(run, diag));
    if (run->interactions.n > 0)
        tell_memory(run);
    run->train.progress = on_progress;
    run->train.progress_ctx = run;
    const struct vt_train_input input = {
        .interactions = run->interactions.list, .n = run->interactions.n, .catalog = &run->catalog};
    struct vt_err err = vt_train_run(&input, &run->train, diag, &run->result);
    close_stage(run);
    VT_TRY(err);
    int64_t now_ns = vt_clock_monotonic_ns(vt_clock_system());
    run->train_s = (double)(now_ns - run->started_ns) / 1e9;
    return store(run, diag);
}

/* Events come from a folder that is there; only with --train may the model's folder be new. */
static struct vt_err find_folder(const struct train_command_options *options, struct vt_diag *diag)
{
    struct stat info;
    if (options->train_path != NULL)
        return vt_folder_create(options->data_dir, diag);
    if (stat(options->data_dir, &info) == 0 && S_ISDIR(info.st_mode))
        return vt_ok();
    vt_diag_set(diag, options->data_dir, "no such folder; `vitrine import --data %s` makes it",
                options->data_dir);
    return VT_ERR(VT_NOT_FOUND, "the data folder is missing");
}

static struct vt_err train_all(struct train_run *run, struct vt_diag *diag)
{
    int lock;
    run->started_ns = vt_clock_monotonic_ns(vt_clock_system());
    VT_TRY(find_folder(run->options, diag));
    VT_TRY(vt_kernels_check(diag));
    VT_TRY(vt_train_lock(run->options->data_dir, diag, &lock));
    struct vt_err err = train_locked(run, diag);
    vt_train_unlock(lock);
    return err;
}

static struct vt_err print_json(const struct train_run *run)
{
    const struct vt_bundle_view *view = &run->result.view;
    json_t *metrics = json_object();
    for (uint32_t i = 0; i < view->n_metrics; i++)
        json_object_set_new(metrics, view->metrics[i].name, json_real(view->metrics[i].value));
    return vt_command_print_json(json_pack(
        "{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:f, s:I, s:o}", "version", view->version, "parent",
        view->parent, "published", (int)run->published, "algorithm", view->algorithm, "users",
        (json_int_t)view->n_users, "items", (json_int_t)view->n_items, "interactions",
        (json_int_t)view->n_interactions, "train_s", run->train_s, "threads",
        (json_int_t)run->train.algorithm_options.threads, "metrics", metrics));
}

static void print_metrics(const struct vt_bundle_view *view)
{
    static const char *const heads[] = {"measured on held-out events", ">value"};
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    for (uint32_t i = 0; i < view->n_metrics; i++) {
        vt_table_cell(table, vt_slice_str(view->metrics[i].name));
        vt_table_cellf(table, "%.4f", view->metrics[i].value);
    }
    vt_table_print(table, stdout);
    vt_table_free(table);
}

static struct vt_err print_table(const struct train_run *run)
{
    const struct vt_bundle_view *view = &run->result.view;
    printf("%s from %" PRIu64 " customers, %" PRIu32 " items, %" PRIu64
           " interactions in %.1f s\n\n",
           view->algorithm, view->n_users, view->n_items, view->n_interactions, run->train_s);
    if (view->n_metrics > 0)
        print_metrics(view);
    else
        puts("too few events to hold some out: not measured");
    printf("\nversion %s %s\n", view->version,
           run->published ? "serves now" : "is written, and does not serve (--no-publish)");
    return vt_ok();
}

static int run_and_tell(struct train_run *run)
{
    struct vt_diag diag = {0};
    struct vt_err err = choose_options(run, &diag);
    if (vt_failed(err))
        return vt_command_refuse(options_spec.command, err, &diag);
    err = train_all(run, &diag);
    if (!vt_failed(err))
        err = run->options->json ? print_json(run) : print_table(run);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

static int run_train(void *target, const struct vt_options *options)
{
    (void)options;
    struct train_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return vt_command_fail(options_spec.command, VT_ERR(VT_EXHAUSTED, "out of memory"), NULL);
    run->options = target;
    int status = run_and_tell(run);
    vt_train_result_free(&run->result);
    vt_interactions_free(&run->interactions);
    vt_catalog_free(&run->catalog);
    free(run);
    return status;
}

int vt_cmd_train(int argc, char **argv)
{
    struct train_command_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_train);
}
