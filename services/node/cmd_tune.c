/*
 * `vitrine tune`: looks for an algorithm's settings by successive halving on a part of the data
 * that is split off and never shown to training. Each measured trial is in a journal beside the
 * output, so a tuning that was killed goes on where it was. What comes out is a file for `--config`
 * of train and evaluate.
 */
#include "models/algorithm/algorithm.h"
#include "models/dataset/interactions.h"
#include "models/dataset/mix.h"
#include "models/dataset/split.h"
#include "models/eval/eval.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "models/train/fingerprint.h"
#include "models/tune/halving.h"
#include "models/tune/journal.h"
#include "models/tune/space.h"
#include "services/common/base/clock.h"
#include "services/common/base/options.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/training_data.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tune_options {
    const char *data_dir, *train_path, *algorithm, *out_path;
    int64_t time_ms;
    uint64_t seed;
    uint32_t trials, threads, k;
    bool json;
};

#define AT(field_) offsetof(struct tune_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "tune on the events of this folder; the newest tenth is what is to be found",
     .flag_only = true},
    {.name = "train",
     .kind = VT_OPTION_TEXT,
     .offset = AT(train_path),
     .argument = "FILE",
     .help = "tune on an adjacency file; a tenth of its pairs is what is to be found",
     .flag_only = true},
    {.name = "algorithm",
     .kind = VT_OPTION_TEXT,
     .offset = AT(algorithm),
     .argument = "NAME",
     .help = "ials, ease, graph, sharpened or itemcf; auto and blend tune themselves",
     .fallback = "ials",
     .flag_only = true},
    {.name = "trials",
     .kind = VT_OPTION_U32,
     .offset = AT(trials),
     .argument = "N",
     .help = "how many settings are tried, the defaults first",
     .fallback = "27",
     .min = 1,
     .max = VT_TUNE_TRIALS_MAX,
     .flag_only = true},
    {.name = "time",
     .kind = VT_OPTION_DURATION,
     .offset = AT(time_ms),
     .argument = "TIME",
     .help = "no new trial begins after so long; the same command goes on later",
     .fallback = "10m",
     .flag_only = true},
    {.name = "out",
     .kind = VT_OPTION_TEXT,
     .offset = AT(out_path),
     .argument = "FILE",
     .help = "the best settings, for --config of train and evaluate; FILE.journal beside it",
     .fallback = "tuned.yaml",
     .flag_only = true},
    {.name = "k",
     .kind = VT_OPTION_U32,
     .offset = AT(k),
     .argument = "N",
     .help = "length of the lists that are measured",
     .fallback = "20",
     .min = 1,
     .max = VT_EVAL_K_MAX,
     .flag_only = true},
    {.name = "seed",
     .kind = VT_OPTION_U64,
     .offset = AT(seed),
     .argument = "N",
     .help = "of the trials, the split and the first factors",
     .fallback = "1",
     .flag_only = true},
    {.name = "threads",
     .kind = VT_OPTION_U32,
     .offset = AT(threads),
     .argument = "N",
     .help = "0: one per CPU; the result is the same",
     .fallback = "0",
     .min = 0,
     .max = VT_THREADS_MAX,
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine tune",
    .summary = "looks for the settings of an algorithm that find held-back events best",
    .example = "vitrine tune --data DIR --algorithm ials --trials 27 --out tuned.yaml",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
};

struct tuning {
    const struct tune_options *options;
    const struct vt_algorithm *algorithm;
    const struct vt_tune_axis *axes;
    struct vt_split split;
    struct vt_tune_journal journal;
    struct vt_tune_result best;
    int64_t until_ns;
    uint32_t n_measured, n_known;
};

/* ---- what is tuned ---- */

static struct vt_err choose(struct tuning *tuning, struct vt_diag *diag)
{
    const struct tune_options *options = tuning->options;
    if ((options->data_dir != NULL) == (options->train_path != NULL)) {
        vt_diag_set(diag, "data", "give either --data DIR or --train FILE");
        return VT_ERR(VT_INVALID, "wrong usage");
    }
    tuning->algorithm = vt_algorithm_find(options->algorithm, diag);
    VT_CHECK(tuning->algorithm != NULL, VT_INVALID, "unknown algorithm");
    tuning->axes = vt_tune_space(options->algorithm);
    if (tuning->axes != NULL)
        return vt_ok();
    vt_diag_set(diag, "algorithm",
                "%s has nothing to tune by hand; ials, ease, graph, sharpened and itemcf have",
                options->algorithm);
    return VT_ERR(VT_INVALID, "nothing to tune");
}

static struct vt_err read_data(struct tuning *tuning, struct vt_diag *diag)
{
    const struct tune_options *options = tuning->options;
    struct vt_split_options split = {
        .protocol = options->data_dir != NULL ? VT_PROTOCOL_TIME : VT_PROTOCOL_RANDOM,
        .test_share = 0.1,
        .seed = options->seed,
    };
    struct vt_interactions interactions = {0};
    vt_dataset_options_default(&split.dataset);
    split.dataset.history_max = VT_HISTORY_MAX;
    if (options->train_path != NULL)
        vt_training_data_weigh_adjacency(&split.dataset);
    struct vt_err err = options->data_dir != NULL
                            ? vt_training_data_read(options->data_dir, diag, &interactions, NULL)
                            : vt_adjacency_read(options->train_path, diag, &interactions);
    if (!vt_failed(err))
        err = vt_split_make(interactions.list, interactions.n, 0, &split, diag, &tuning->split);
    vt_interactions_free(&interactions);
    return err;
}

static struct vt_err open_journal(struct tuning *tuning, struct vt_diag *diag)
{
    const struct vt_sparse *train = &tuning->split.train;
    char path[4096], about[256];
    snprintf(path, sizeof path, "%s.journal", tuning->options->out_path);
    const uint64_t of_what = vt_train_matrix_fingerprint(train) ^
                             vt_mix64(vt_train_matrix_fingerprint(&tuning->split.test));
    snprintf(about, sizeof about,
             "vitrine tune 2: %s, seed %" PRIu64 ", k %" PRIu32 ", %" PRIu32 " users, %" PRIu32
             " items, %" PRIu64 " + %" PRIu64 " pairs, data %016" PRIx64,
             tuning->options->algorithm, tuning->options->seed, tuning->options->k, train->n_rows,
             train->n_cols, train->n_entries, tuning->split.test.n_entries, of_what);
    return vt_tune_journal_open(path, about, diag, &tuning->journal);
}

/* ---- one trial ---- */

static struct vt_err options_of(const struct tuning *tuning, uint32_t trial, struct vt_diag *diag,
                                struct vt_algorithm_options *ret_options)
{
    char settings[VT_TUNE_AXES_MAX][VT_TUNE_SETTING_BYTES];
    vt_algorithm_options_default(ret_options);
    ret_options->seed = tuning->options->seed;
    ret_options->threads = vt_threads_resolve(tuning->options->threads);
    const uint32_t n = vt_tune_trial(tuning->axes, trial, tuning->options->seed, settings);
    for (uint32_t i = 0; i < n; i++)
        VT_TRY(vt_algorithm_set(tuning->algorithm, settings[i], diag, ret_options));
    return vt_ok();
}

/* The price of a rung: iterations of iALS. The kernels have none: they are measured on fewer
 * customers, every 9th, every 3rd, all. */
static void cheapen(uint32_t rung, struct vt_algorithm_options *options)
{
    for (uint32_t r = rung + 1; r < VT_TUNE_RUNGS; r++)
        options->ials.iterations = (options->ials.iterations + 1) / 2;
}

/* Rows that are not measured are emptied; owned. */
static struct vt_err thin_test(const struct vt_sparse *test, uint32_t rung,
                               struct vt_sparse *ret_thin)
{
    struct vt_sparse thin = *test;
    uint32_t every = 1;
    for (uint32_t r = rung + 1; r < VT_TUNE_RUNGS; r++)
        every *= VT_TUNE_KEEP_ONE_OF;
    thin.starts = calloc((size_t)test->n_rows + 1, sizeof *thin.starts);
    thin.columns = malloc((size_t)(test->n_entries + 1) * sizeof *thin.columns);
    thin.values = malloc((size_t)(test->n_entries + 1) * sizeof *thin.values);
    if (thin.starts == NULL || thin.columns == NULL || thin.values == NULL) {
        vt_sparse_free(&thin);
        return VT_ERR(VT_EXHAUSTED, "out of memory for tuning");
    }
    thin.n_entries = 0;
    for (uint32_t user = 0; user < test->n_rows; user++) {
        for (uint64_t e = test->starts[user]; user % every == 0 && e < test->starts[user + 1];
             e++) {
            thin.columns[thin.n_entries] = test->columns[e];
            thin.values[thin.n_entries++] = test->values[e];
        }
        thin.starts[user + 1] = thin.n_entries;
    }
    *ret_thin = thin;
    return vt_ok();
}

static struct vt_err measure_model(const struct tuning *tuning, const struct vt_trained *trained,
                                   uint32_t rung, double *ret_value)
{
    struct vt_sparse test;
    struct vt_metrics_at_k metrics;
    VT_TRY(thin_test(&tuning->split.test, rung, &test));
    const struct vt_eval_options eval = {.train = &tuning->split.train,
                                         .histories = &tuning->split.served,
                                         .test = &test,
                                         .k = tuning->options->k,
                                         .threads = tuning->options->threads};
    struct vt_err err = vt_evaluate(&trained->recommender, &eval, &metrics);
    vt_sparse_free(&test);
    if (!vt_failed(err))
        *ret_value = (metrics.recall + metrics.ndcg) / 2;
    return err;
}

/* Settings without a finite model are a bad trial, not the end. */
static struct vt_err train_and_measure(const struct tuning *tuning, uint32_t trial, uint32_t rung,
                                       struct vt_diag *diag, double *ret_value)
{
    struct vt_algorithm_options options;
    struct vt_trained trained = {0};
    VT_TRY(options_of(tuning, trial, diag, &options));
    cheapen(rung, &options);
    struct vt_err err =
        vt_algorithm_train(tuning->algorithm, &tuning->split.train, &options, diag, &trained);
    if (err.code == VT_CORRUPT) {
        *ret_value = (double)NAN;
        return vt_ok();
    }
    if (!vt_failed(err))
        err = measure_model(tuning, &trained, rung, ret_value);
    vt_trained_free(&trained);
    return err;
}

static struct vt_err measure(void *ctx, uint32_t trial, uint32_t rung, struct vt_diag *diag,
                             double *ret_value, bool *ret_stop)
{
    struct tuning *tuning = ctx;
    if (vt_tune_journal_has(&tuning->journal, trial, rung, ret_value)) {
        tuning->n_known++;
        return vt_ok();
    }
    *ret_stop =
        tuning->n_measured > 0 && vt_clock_monotonic_ns(vt_clock_system()) >= tuning->until_ns;
    if (*ret_stop)
        return vt_ok();
    VT_TRY(train_and_measure(tuning, trial, rung, diag, ret_value));
    tuning->n_measured++;
    const struct vt_tune_result result = {trial, rung, *ret_value};
    return vt_tune_journal_add(&tuning->journal, &result);
}

/* ---- telling ---- */

static void put_settings(const struct tuning *tuning, uint32_t trial, const char *before, FILE *out)
{
    char settings[VT_TUNE_AXES_MAX][VT_TUNE_SETTING_BYTES];
    const uint32_t n = vt_tune_trial(tuning->axes, trial, tuning->options->seed, settings);
    for (uint32_t i = 0; i < n; i++)
        fprintf(out, "%s%s", before, settings[i]);
}

static void told(void *ctx, const struct vt_tune_result *now, const struct vt_tune_result *best)
{
    struct tuning *tuning = ctx;
    fprintf(stderr, "rung %" PRIu32 " of %d, trial %" PRIu32 ":", now->rung + 1, VT_TUNE_RUNGS,
            now->trial);
    put_settings(tuning, now->trial, " ", stderr);
    fprintf(stderr, "%s: %.4f; best so far %.4f (trial %" PRIu32 ", rung %" PRIu32 ")\n",
            now->trial == 0 ? " defaults" : "", now->value, best->value, best->trial,
            best->rung + 1);
}

static struct vt_err write_config(const struct tuning *tuning, struct vt_diag *diag)
{
    const struct tune_options *options = tuning->options;
    FILE *out = fopen(options->out_path, "w");
    if (out == NULL) {
        vt_diag_set(diag, options->out_path, "cannot be written");
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "the settings cannot be written");
    }
    fprintf(out,
            "# vitrine tune: mean of recall and ndcg at %" PRIu32 " %.4f on what was held back\n"
            "algorithm: %s\n",
            options->k, tuning->best.value, options->algorithm);
    if (tuning->best.trial > 0)
        fputs("set:", out);
    put_settings(tuning, tuning->best.trial, "\n  - ", out);
    fputs("\n", out);
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return VT_ERR_SYS(VT_UNAVAILABLE, errno, "the settings cannot be written");
    return vt_ok();
}

static struct vt_err print_result(const struct tuning *tuning)
{
    char settings[VT_TUNE_AXES_MAX][VT_TUNE_SETTING_BYTES];
    const uint32_t n =
        vt_tune_trial(tuning->axes, tuning->best.trial, tuning->options->seed, settings);
    if (!tuning->options->json) {
        printf("%s: %.4f with%s", tuning->options->algorithm, tuning->best.value,
               n == 0 ? " the defaults" : "");
        put_settings(tuning, tuning->best.trial, " ", stdout);
        printf("\nwritten to %s, for `vitrine train --config %s`\n", tuning->options->out_path,
               tuning->options->out_path);
        return vt_ok();
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(settings[i]));
    return vt_command_print_json(
        json_pack("{s:s, s:f, s:I, s:I, s:o, s:I, s:I, s:s}", "algorithm",
                  tuning->options->algorithm, "value", tuning->best.value, "trial",
                  (json_int_t)tuning->best.trial, "rung", (json_int_t)tuning->best.rung + 1,
                  "settings", list, "measured", (json_int_t)tuning->n_measured, "known",
                  (json_int_t)tuning->n_known, "out", tuning->options->out_path));
}

static struct vt_err run_all(struct tuning *tuning, struct vt_diag *diag)
{
    const struct vt_tune_options halving = {
        .n_trials = tuning->options->trials, .measure = measure, .told = told, .ctx = tuning};
    tuning->until_ns =
        vt_clock_monotonic_ns(vt_clock_system()) + tuning->options->time_ms * INT64_C(1000000);
    VT_TRY(vt_kernels_check(diag));
    VT_TRY(read_data(tuning, diag));
    VT_TRY(open_journal(tuning, diag));
    VT_TRY(vt_tune_halve(&halving, diag, &tuning->best));
    return write_config(tuning, diag);
}

static int run_tune(void *target, const struct vt_options *options)
{
    (void)options;
    struct tuning tuning = {.options = target};
    struct vt_diag diag = {0};
    struct vt_err err = choose(&tuning, &diag);
    if (vt_failed(err))
        return vt_command_refuse(options_spec.command, err, &diag);
    err = run_all(&tuning, &diag);
    if (!vt_failed(err))
        err = print_result(&tuning);
    vt_tune_journal_close(&tuning.journal);
    vt_split_free(&tuning.split);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

int vt_cmd_tune(int argc, char **argv)
{
    struct tune_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_tune);
}
