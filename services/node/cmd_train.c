/*
 * `vitrine train`: events → model → gate → CURRENT, once or by a schedule. What it is told and what
 * it prints; the work is train_job.c and train_schedule.c.
 */
#include "models/kernels/parallel.h"
#include "services/common/base/log.h"
#include "services/common/base/options.h"
#include "services/common/base/table.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/train_ranks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define AT(field_) offsetof(struct vt_train_command, field_)
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
     .help = "how the model is made; not given: chosen by the data, see docs/models.md"},
    {.name = "set",
     .kind = VT_OPTION_LIST,
     .offset = AT(settings),
     .argument = "KEY=VALUE",
     .help = "a setting of the algorithm; may be repeated"},
    {.name = "weight",
     .kind = VT_OPTION_LIST,
     .offset = AT(weights),
     .argument = "TYPE=NUMBER",
     .help = "what an event of a type counts (purchase=5, view=0); may be repeated",
     .flag_only = true},
    {.name = "value",
     .kind = VT_OPTION_LIST,
     .offset = AT(values),
     .argument = "TYPE=NUMBER",
     .help = "an event's value (quantity, stars) enters its weight to this power, 0 to 1",
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
    {.name = "memory",
     .kind = VT_OPTION_SIZE,
     .offset = AT(memory_bytes),
     .argument = "SIZE",
     .help = "what training may take; more is refused beforehand; default: what is available",
     .flag_only = true},
    {.name = "keep",
     .kind = VT_OPTION_U32,
     .offset = AT(keep),
     .argument = "N",
     .help = "versions that stay on disk, besides the serving one and the one before",
     .fallback = "10",
     .min = 1,
     .max = 10000,
     .flag_only = true},
    {.name = "patience",
     .kind = VT_OPTION_U32,
     .offset = AT(patience),
     .argument = "N",
     .help = "of ials: end when N iterations brought held-out customers nothing; 0: do all",
     .fallback = "6",
     .min = 0,
     .max = 1000,
     .flag_only = true},
    {.name = "ranker",
     .kind = VT_OPTION_BOOL,
     .offset = AT(ranker),
     .help = "learn to order candidates from later events; kept where it measures better",
     .flag_only = true},
    {.name = "warm",
     .kind = VT_OPTION_BOOL,
     .offset = AT(warm),
     .help = "of ials: begin with the factors of the version that serves",
     .flag_only = true},
    {.name = "checkpoint-every",
     .kind = VT_OPTION_DURATION,
     .offset = AT(checkpoint_every_ms),
     .argument = "TIME",
     .help = "of ials: how much work a kill may cost",
     .fallback = "10s",
     .flag_only = true},
    {.name = "every",
     .kind = VT_OPTION_DURATION,
     .offset = AT(every_ms),
     .argument = "TIME",
     .help = "train again and again, \"1h\"; skips when nothing is new; SIGTERM ends it",
     .flag_only = true},
    {.name = "mpi",
     .kind = VT_OPTION_BOOL,
     .offset = AT(mpi),
     .help = "of ials: one training by all ranks of `mpirun -n N vitrine train --mpi`",
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
    .layered = true,
};

/* What the gate compared, a line each. */
static json_t *opinion_json(const struct vt_gate_opinion *opinion)
{
    json_t *lines = json_array();
    for (uint32_t i = 0; i < opinion->n; i++)
        json_array_append_new(lines, json_string(opinion->lines[i]));
    return lines;
}

static struct vt_err print_json(const struct vt_train_job *job)
{
    const struct vt_bundle_view *view = &job->result.view;
    json_t *metrics = json_object();
    for (uint32_t i = 0; i < view->n_metrics; i++)
        json_object_set_new(metrics, view->metrics[i].name, json_real(view->metrics[i].value));
    json_t *object = json_pack(
        "{s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:f, s:I, s:o, s:o}", "version", view->version,
        "parent", view->parent, "published", (int)job->published, "algorithm", view->algorithm,
        "users", (json_int_t)view->n_users, "items", (json_int_t)view->n_items, "interactions",
        (json_int_t)view->n_interactions, "train_s", job->seconds, "threads",
        (json_int_t)job->train.algorithm_options.threads, "metrics", metrics, "gate",
        opinion_json(&job->opinion));
    if (job->train.chosen != NULL)
        json_object_set_new(object, "chosen", json_string(job->train.chosen));
    return vt_command_print_json(object);
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

static struct vt_err print_table(const struct vt_train_job *job)
{
    const struct vt_bundle_view *view = &job->result.view;
    printf("%s from %" PRIu64 " customers, %" PRIu32 " items, %" PRIu64
           " interactions in %.1f s\n\n",
           view->algorithm, view->n_users, view->n_items, view->n_interactions, job->seconds);
    if (view->n_metrics > 0)
        print_metrics(view);
    else
        puts("too few events to hold some out: not measured");
    for (uint32_t i = 0; i < job->opinion.n; i++)
        printf("%s%s\n", i == 0 ? "\n" : "", job->opinion.lines[i]);
    printf("\nversion %s %s\n", view->version,
           job->published ? "serves now" : "is written, and does not serve (--no-publish)");
    return vt_ok();
}

static int train_once(struct vt_train_job *job)
{
    struct vt_diag diag = {0};
    struct vt_err err = vt_train_job_choose(job, &diag);
    if (vt_failed(err))
        return vt_command_refuse(options_spec.command, err, &diag);
    if (job->command->every_ms > 0)
        return vt_train_schedule_run(job->command);
    vt_log_set_level(VT_LOG_WARN); /* versions of the past are opened on the way: nobody's news */
    err = vt_train_job_run(job, &diag);
    if (!vt_failed(err))
        err = job->command->json ? print_json(job) : print_table(job);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

static int run_train(void *target, const struct vt_options *options)
{
    (void)options;
    struct vt_train_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return vt_command_fail(options_spec.command, VT_ERR(VT_EXHAUSTED, "out of memory"), NULL);
    job->command = target;
    int status = job->command->mpi ? vt_train_ranks_run(job, train_once) : train_once(job);
    vt_train_job_fini(job);
    free(job);
    return status;
}

int vt_cmd_train(int argc, char **argv)
{
    struct vt_train_command options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_train);
}
