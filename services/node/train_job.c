/*
 * One training, step by step. The lock is taken first and held to the end, so that two trainers
 * never meet; what serves stays mapped meanwhile, for the gate to compare with.
 */
#include "services/node/train_job.h"

#include "models/group/group.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "models/train/fingerprint.h"
#include "models/train/need.h"
#include "services/common/base/clock.h"
#include "services/common/base/file.h"
#include "services/common/base/memory.h"
#include "services/node/event_weights.h"
#include "services/node/training_data.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Only factors have a place to begin from. */
static struct vt_err check_warm(const struct vt_train_command *command,
                                const struct vt_algorithm *algorithm, struct vt_diag *diag)
{
    const char *name = vt_algorithm_name(algorithm);
    if (!command->warm || strcmp(name, "ials") == 0)
        return vt_ok();
    vt_diag_set(diag, "warm",
                "--warm begins with the factors of the serving version; %s has none to begin with. "
                "Leave it out",
                name);
    return VT_ERR(VT_INVALID, "the algorithm has no warm start");
}

/* What several ranks can do together. */
static struct vt_err check_divides(const struct vt_train_command *command,
                                   const struct vt_algorithm *algorithm, struct vt_diag *diag)
{
    const char *name = vt_algorithm_name(algorithm);
    if (strcmp(name, "ials") != 0) {
        vt_diag_set(diag, "algorithm", "--mpi divides the training of ials; %s has no such form",
                    name);
        return VT_ERR(VT_INVALID, "the algorithm trains on one machine");
    }
    if (command->every_ms == 0)
        return vt_ok();
    vt_diag_set(diag, "every", "--mpi trains once; let cron start mpirun for a schedule");
    return VT_ERR(VT_INVALID, "--every and --mpi exclude each other");
}

/* What was said; `train->algorithm` is NULL when that leaves it to the data. */
static struct vt_err choose_by_words(const struct vt_train_command *command, struct vt_diag *diag,
                                     struct vt_train_options *train)
{
    const bool only_factors = command->warm || command->mpi;
    const char *name = command->algorithm == NULL && only_factors ? "ials" : command->algorithm;
    VT_TRY(vt_choose_by_words(name, command->settings.items, command->settings.n, diag,
                              &train->algorithm_options, &train->algorithm));
    if (train->algorithm == NULL)
        return vt_ok();
    VT_TRY(vt_train_check_serves(train->algorithm, diag));
    return check_warm(command, train->algorithm, diag);
}

struct vt_err vt_train_job_choose(struct vt_train_job *job, struct vt_diag *diag)
{
    const struct vt_train_command *command = job->command;
    struct vt_train_options *train = &job->train;
    vt_train_options_default(train);
    VT_TRY(choose_by_words(command, diag, train));
    train->algorithm_options.seed = command->seed;
    train->algorithm_options.threads = vt_threads_resolve(command->threads);
    train->algorithm_options.memory_bytes =
        command->memory_bytes > 0 ? command->memory_bytes : vt_memory_available_bytes();
    train->patience = command->patience;
    train->warm = command->warm;
    train->checkpoint_dir = command->data_dir;
    train->checkpoint_every_ms = command->checkpoint_every_ms;
    train->dataset.decay_half_life_days = command->half_life_days;
    if (command->train_path != NULL)
        VT_TRY(vt_event_weights_check_file(&command->weights, &command->values,
                                           command->half_life_days, diag));
    VT_TRY(vt_event_weights_set(&command->weights, diag, &train->dataset));
    VT_TRY(vt_value_exponents_set(&command->values, diag, &train->dataset));
    if (command->ranker)
        VT_TRY(vt_boost_check(diag)); /* before hours of training, not after */
    train->algorithm_options.ials.group = job->group;
    return job->group != NULL ? check_divides(command, train->algorithm, diag) : vt_ok();
}

void vt_train_job_fini(struct vt_train_job *job)
{
    vt_train_result_free(&job->result);
    vt_ranker_free(&job->ranker);
    vt_bundle_release(job->parent);
    vt_interactions_free(&job->interactions);
    vt_catalog_free(&job->catalog);
}

/* ---- what there is ---- */

static struct vt_err read_file(struct vt_train_job *job, struct vt_diag *diag)
{
    vt_training_data_weigh_adjacency(&job->train.dataset);
    job->train.protocol = VT_PROTOCOL_RANDOM; /* the file has no times to split by */
    return vt_adjacency_read(job->command->train_path, diag, &job->interactions);
}

static struct vt_err read_interactions(struct vt_train_job *job, struct vt_diag *diag)
{
    if (job->command->train_path != NULL)
        return read_file(job, diag);
    return vt_training_data_read(job->command->data_dir, diag, &job->interactions, &job->catalog);
}

static struct vt_train_input input_of(const struct vt_train_job *job)
{
    return (struct vt_train_input){
        .interactions = job->interactions.list, .n = job->interactions.n, .catalog = &job->catalog};
}

/* A serving version that cannot be read does not stop its replacement. */
static void open_parent(struct vt_train_job *job)
{
    char version[VT_VERSION_BYTES_MAX];
    struct vt_err err = vt_bundle_current(job->command->data_dir, NULL, version);
    if (!vt_failed(err))
        err = vt_bundle_open(job->command->data_dir, version, true, NULL, &job->parent);
    if (vt_failed(err) && err.code != VT_NOT_FOUND)
        fputs("the serving version cannot be read: the new one is judged without it\n", stderr);
    job->train.parent = vt_failed(err) ? NULL : vt_bundle_view(job->parent);
}

/* Rank 0 has the events, the matrix and all items beside its part; what the others need falls with
 * their number. */
static void tell_ranks(const struct vt_train_job *job, const struct vt_train_need *need)
{
    if (need->rank_memory_bytes > 0)
        fprintf(stderr,
                "that is rank 0; each of the other %" PRIu32 " ranks up to %.1f MiB of memory\n",
                job->group->n_ranks - 1, (double)need->rank_memory_bytes / (1 << 20));
}

static void tell_need(const struct vt_train_job *job, const struct vt_shape *shape,
                      const struct vt_train_need *need)
{
    fprintf(stderr,
            "%" PRIu64 " events of %" PRIu64 " customers and %" PRIu64
            " items; training needs up to %.0f MiB of memory and about %.0f s, on %" PRIu32
            " threads\n",
            shape->n_interactions, shape->n_users, shape->n_items,
            (double)need->memory_bytes / (1 << 20), need->seconds < 1 ? 1 : need->seconds,
            job->train.algorithm_options.threads);
}

/* A warm start that cannot be is told, since it costs time and not the model. */
static void tell_cold(const struct vt_train_job *job)
{
    const struct vt_bundle_view *parent = job->train.parent;
    if (!job->train.warm || vt_train_warm_possible(&job->train))
        return;
    if (parent == NULL)
        fputs("--warm: nothing serves yet, so training begins from nothing\n", stderr);
    else
        fprintf(stderr,
                "--warm: version %s is %s with %" PRIu32
                " factors, to be made is ials with %" PRIu32 ": training begins from nothing\n",
                parent->version, parent->algorithm, parent->dim,
                job->train.algorithm_options.ials.factors);
}

/* Where nobody said which: by the matrix that training will be of, which is built for it once more
 * and let go, since events that repeat each other or count nothing say nothing of its density. */
static struct vt_err choose_by_data(struct vt_train_job *job, struct vt_diag *diag)
{
    struct vt_train_options *train = &job->train;
    struct vt_dataset dataset = {0};
    if (train->algorithm != NULL)
        return vt_ok();
    if (job->interactions.n > 0)
        VT_TRY(vt_dataset_build(job->interactions.list, job->interactions.n, &train->dataset, diag,
                                &dataset));
    job->pairs =
        (struct vt_shape){dataset.matrix.n_rows, dataset.matrix.n_cols, dataset.matrix.n_entries};
    vt_dataset_free(&dataset);
    vt_choose_by_data(
        &job->pairs,
        vt_choice_memory_bytes(job->command->memory_bytes, train->algorithm_options.memory_bytes),
        &job->choice);
    fprintf(stderr, "%s\n", job->choice.line);
    train->chosen = job->choice.note;
    return vt_settled_apply(&job->choice.recipe, diag, &train->algorithm,
                            &train->algorithm_options);
}

/* Before any work: what it takes, and whether that is there. */
static struct vt_err check_need(struct vt_train_job *job, struct vt_diag *diag)
{
    struct vt_ids ids;
    if (job->interactions.n == 0)
        return vt_ok(); /* training will say it better */
    VT_TRY(vt_ids_collect(job->interactions.list, job->interactions.n, &ids));
    const struct vt_shape shape = {
        .n_users = ids.n_users, .n_items = ids.n_items, .n_interactions = job->interactions.n};
    vt_ids_free(&ids);
    struct vt_train_need need =
        vt_train_need(&job->train, &shape, job->group != NULL ? job->group->n_ranks : 1);
    if (job->pairs.n_interactions > 0) /* time goes by pairs, where they were counted */
        need.seconds = vt_train_need(&job->train, &job->pairs, 1).seconds;
    if (job->command->ranker) { /* two more trainings, beside what the first one made */
        need.memory_bytes += need.memory_bytes + vt_ranker_memory_bytes(shape.n_interactions);
        need.seconds *= 2;
    }
    tell_need(job, &shape, &need);
    tell_ranks(job, &need);
    return vt_train_need_check(&job->train, &shape, &need,
                               job->train.algorithm_options.memory_bytes, diag);
}

/* ---- progress ---- */

static void close_stage(struct vt_train_job *job)
{
    if (job->stage != NULL)
        vt_progress_end(&job->progress, job->stage_done);
    job->stage = NULL;
}

static void on_progress(void *ctx, const char *stage, uint32_t done, uint32_t total)
{
    struct vt_train_job *job = ctx;
    if (job->stage != stage) {
        close_stage(job);
        vt_progress_begin(&job->progress, stderr, stage, "iterations", total);
        job->stage = stage;
    }
    job->stage_done = done;
    vt_progress_update(&job->progress, done);
}

static void on_notice(void *ctx, const char *text)
{
    close_stage(ctx);
    fprintf(stderr, "%s\n", text);
}

static bool on_stop(void *ctx)
{
    struct vt_train_job *job = ctx;
    return job->stop_wanted != NULL && job->stop_wanted(job->stop_ctx);
}

/* ---- the steps ---- */

static struct vt_err judge(struct vt_train_job *job, struct vt_diag *diag)
{
    struct vt_gate_options options;
    const struct vt_gate_input input = {.content = &job->result.view,
                                        .parent = job->train.parent,
                                        .held_out = &job->result.held_out,
                                        .dataset = &job->result.dataset};
    vt_gate_options_default(&options);
    options.k = job->train.k;
    options.threads = job->train.algorithm_options.threads;
    options.seed = job->train.algorithm_options.seed;
    return vt_gate_check(&input, &options, diag, &job->opinion);
}

static struct vt_err store(struct vt_train_job *job, struct vt_diag *diag)
{
    const struct vt_train_command *command = job->command;
    struct vt_err err = command->no_publish || command->no_gate ? vt_ok() : judge(job, diag);
    if (err.code == VT_PRECONDITION)
        vt_train_checkpoints_remove(command->data_dir); /* the same model would be refused again */
    VT_TRY(err);
    for (uint32_t i = 0; i < job->opinion.n; i++)
        vt_train_result_note(&job->result, job->opinion.lines[i]);
    VT_TRY(vt_train_store(command->data_dir, vt_clock_unix_ms(vt_clock_system()),
                          !command->no_publish, diag, &job->result));
    vt_train_checkpoints_remove(command->data_dir);
    job->published = !command->no_publish;
    return vt_bundle_prune(command->data_dir, command->keep, diag, NULL);
}

static struct vt_err train(struct vt_train_job *job, struct vt_diag *diag)
{
    const struct vt_train_input input = input_of(job);
    job->train.progress = on_progress;
    job->train.notice = on_notice;
    job->train.stop_wanted = on_stop;
    job->train.progress_ctx = job;
    struct vt_err err = vt_train_run(&input, &job->train, diag, &job->result);
    close_stage(job);
    return err;
}

/* Where versions of the past are for a while; a killed training leaves one behind. */
static struct vt_err ranker_folder(const struct vt_train_job *job, char ret_folder[PATH_MAX])
{
    int n = snprintf(ret_folder, PATH_MAX, "%s/train.ranker.tmp", job->command->data_dir);
    VT_CHECK(n > 0 && n < PATH_MAX, VT_INVALID, "path of the data folder is too long");
    return vt_ok();
}

/* Behind the version's own training, by its recipe. */
static struct vt_err learn_ranker(struct vt_train_job *job, struct vt_diag *diag)
{
    char folder[PATH_MAX];
    VT_TRY(ranker_folder(job, folder));
    VT_TRY(vt_folder_remove(folder, diag));
    if (!job->command->ranker)
        return vt_ok();
    const struct vt_ranker_input input = {
        .interactions = job->interactions.list,
        .n = job->interactions.n,
        .catalog = &job->catalog,
        .options = &job->train,
        .settled = &job->result.settled,
        .folder = folder,
        .keep_losing = job->command->no_gate,
    };
    struct vt_err err = vt_ranker_learn(&input, diag, &job->ranker);
    close_stage(job);
    if (!vt_failed(err))
        vt_ranker_put(&job->ranker, &job->result);
    return err;
}

static struct vt_err check_new(struct vt_train_job *job)
{
    const struct vt_train_input input = input_of(job);
    job->fingerprint = vt_train_data_fingerprint(&input, &job->train.dataset);
    job->skipped = job->known_fingerprint == job->fingerprint;
    return job->skipped ? VT_ERR(VT_PRECONDITION, "nothing new to learn from") : vt_ok();
}

static struct vt_err run_locked(struct vt_train_job *job, struct vt_diag *diag)
{
    const int64_t started_ns = vt_clock_monotonic_ns(vt_clock_system());
    VT_TRY(read_interactions(job, diag));
    VT_TRY(check_new(job));
    VT_TRY(choose_by_data(job, diag));
    VT_TRY(check_need(job, diag));
    open_parent(job);
    tell_cold(job);
    VT_TRY(train(job, diag));
    VT_TRY(learn_ranker(job, diag));
    job->seconds = (double)(vt_clock_monotonic_ns(vt_clock_system()) - started_ns) / 1e9;
    return store(job, diag);
}

/* Events come from a folder that is there; only with --train may the model's folder be new. */
static struct vt_err find_folder(const struct vt_train_command *command, struct vt_diag *diag)
{
    struct stat info;
    if (command->train_path != NULL)
        return vt_folder_create(command->data_dir, diag);
    if (stat(command->data_dir, &info) == 0 && S_ISDIR(info.st_mode))
        return vt_ok();
    vt_diag_set(diag, command->data_dir, "no such folder; `vitrine import --data %s` makes it",
                command->data_dir);
    return VT_ERR(VT_NOT_FOUND, "the data folder is missing");
}

struct vt_err vt_train_job_run(struct vt_train_job *job, struct vt_diag *diag)
{
    int lock;
    VT_TRY(find_folder(job->command, diag));
    VT_TRY(vt_kernels_check(diag));
    VT_TRY(vt_train_lock(job->command->data_dir, diag, &lock));
    struct vt_err err = run_locked(job, diag);
    vt_train_unlock(lock);
    return err;
}
