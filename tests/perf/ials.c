/*
 * vitrine-bench ials: training alone, without the ranking that `vitrine evaluate` adds: seconds of
 * each iteration, and the multiply-adds that the solver's formula asks for (ials.h) as a share of
 * what OpenBLAS reaches at a matrix product just before.
 */
#include "models/algorithm/algorithm.h"
#include "models/dataset/interactions.h"
#include "models/kernels/parallel.h"
#include "services/common/base/clock.h"
#include "services/node/command.h"
#include "services/node/training_data.h"
#include "tests/perf/bench.h"
#include "tests/perf/sgemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct ials_options {
    const char *train_path;
    struct vt_option_list settings;
    uint32_t threads;
};

#define AT(field_) offsetof(struct ials_options, field_)
static const struct vt_option option_table[] = {
    {.name = "train",
     .kind = VT_OPTION_TEXT,
     .offset = AT(train_path),
     .argument = "FILE",
     .help = "adjacency file: a line per user, 'user item item …'",
     .required = true,
     .flag_only = true},
    {.name = "set",
     .kind = VT_OPTION_LIST,
     .offset = AT(settings),
     .argument = "KEY=VALUE",
     .help = "a setting of iALS; may be repeated",
     .flag_only = true},
    {.name = "threads",
     .kind = VT_OPTION_U32,
     .offset = AT(threads),
     .argument = "N",
     .help = "0: one per CPU",
     .fallback = "0",
     .min = 0,
     .max = VT_THREADS_MAX,
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine-bench ials",
    .summary = "measures the training of iALS, as seconds and as a share of a matrix product",
    .example = "vitrine-bench ials --train train.txt --set factors=128 --threads 2",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

struct ials_run {
    struct vt_algorithm_options algorithm;
    const struct vt_algorithm *family;
    int64_t started_ns;
    json_t *seconds, *losses;
};

static bool on_iteration(void *ctx, uint32_t done, uint32_t total, double loss)
{
    struct ials_run *run = ctx;
    (void)done;
    (void)total;
    int64_t now_ns = vt_clock_monotonic_ns(vt_clock_system());
    json_array_append_new(run->seconds, json_real((double)(now_ns - run->started_ns) / 1e9));
    json_array_append_new(run->losses, json_real(loss));
    run->started_ns = now_ns;
    return true;
}

static struct vt_err choose(struct ials_run *run, const struct ials_options *options,
                            struct vt_diag *diag)
{
    run->family = vt_algorithm_find("ials", diag);
    vt_algorithm_options_default(&run->algorithm);
    run->algorithm.threads = vt_threads_resolve(options->threads);
    run->algorithm.progress = on_iteration;
    run->algorithm.progress_ctx = run;
    for (size_t i = 0; i < options->settings.n; i++)
        VT_TRY(vt_algorithm_set(run->family, options->settings.items[i], diag, &run->algorithm));
    return vt_ok();
}

static struct vt_err read_matrix(const char *path, struct vt_diag *diag,
                                 struct vt_dataset *ret_dataset)
{
    struct vt_interactions interactions = {0};
    struct vt_dataset_options options;
    vt_dataset_options_default(&options);
    vt_training_data_weigh_adjacency(&options);
    struct vt_err err = vt_adjacency_read(path, diag, &interactions);
    if (!vt_failed(err))
        err = vt_dataset_build(interactions.list, interactions.n, &options, diag, ret_dataset);
    vt_interactions_free(&interactions);
    return err;
}

static long peak_kib(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0;
}

static struct vt_err train_and_tell(struct ials_run *run, const struct vt_sparse *matrix,
                                    long read_kib, struct vt_diag *diag)
{
    struct vt_trained trained = {0};
    double sgemm = bench_sgemm_gflops(run->algorithm.threads);
    const struct vt_shape shape = {matrix->n_rows, matrix->n_cols, matrix->n_entries};
    struct vt_need need = vt_algorithm_need(run->family, &shape, &run->algorithm);
    run->seconds = json_array();
    run->losses = json_array();
    run->started_ns = vt_clock_monotonic_ns(vt_clock_system());
    VT_TRY(vt_algorithm_train(run->family, matrix, &run->algorithm, diag, &trained));
    vt_trained_free(&trained);
    return vt_command_print_json(
        json_pack("{s:I, s:I, s:I, s:o, s:o, s:f, s:f, s:I, s:I, s:I}", "users",
                  (json_int_t)matrix->n_rows, "items", (json_int_t)matrix->n_cols, "interactions",
                  (json_int_t)matrix->n_entries, "iteration_s", run->seconds, "loss", run->losses,
                  "gflop_per_iteration", need.gflop / run->algorithm.ials.iterations,
                  "sgemm_gflops", sgemm, "read_kib", (json_int_t)read_kib, "peak_kib",
                  (json_int_t)peak_kib(), "threads", (json_int_t)run->algorithm.threads));
}

static int run_ials(void *target, const struct vt_options *parsed)
{
    (void)parsed;
    const struct ials_options *options = target;
    struct vt_diag diag = {0};
    struct ials_run run = {0};
    struct vt_dataset dataset = {0};
    struct vt_err err = choose(&run, options, &diag);
    if (!vt_failed(err))
        err = read_matrix(options->train_path, &diag, &dataset);
    if (!vt_failed(err))
        err = train_and_tell(&run, &dataset.matrix, peak_kib(), &diag);
    vt_dataset_free(&dataset);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

int bench_ials(int argc, char **argv)
{
    struct ials_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_ials);
}
