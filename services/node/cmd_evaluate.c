/*
 * `vitrine evaluate`: trains one algorithm on the train part and ranks for the test part, twice:
 * from each user's whole history, and in the form that serves (the newest events only, folded in at
 * request time). Prints a table, or with --json one object with the keys that scripts know.
 */
#include "models/algorithm/choose.h"
#include "models/dataset/interactions.h"
#include "models/dataset/split.h"
#include "models/eval/eval.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "services/common/base/clock.h"
#include "services/common/base/memory.h"
#include "services/common/base/options.h"
#include "services/common/base/progress.h"
#include "services/common/base/table.h"
#include "services/node/command.h"
#include "services/node/commands.h"
#include "services/node/event_weights.h"
#include "services/node/training_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct evaluate_options {
    const char *data_dir, *train_path, *test_path, *protocol, *algorithm;
    struct vt_option_list settings, weights, values;
    double test_share, half_life_days;
    uint32_t k, history_max, threads;
    uint64_t seed, memory_bytes; /* memory 0: what is available */
    bool json;
};

#define AT(field_) offsetof(struct evaluate_options, field_)
static const struct vt_option option_table[] = {
    {.name = "data",
     .kind = VT_OPTION_TEXT,
     .offset = AT(data_dir),
     .argument = "DIR",
     .help = "evaluate on the events of this folder",
     .flag_only = true},
    {.name = "train",
     .kind = VT_OPTION_TEXT,
     .offset = AT(train_path),
     .argument = "FILE",
     .help = "adjacency file: a line per user, 'user item item …'",
     .flag_only = true},
    {.name = "test",
     .kind = VT_OPTION_TEXT,
     .offset = AT(test_path),
     .argument = "FILE",
     .help = "adjacency file of what is to be found",
     .flag_only = true},
    {.name = "protocol",
     .kind = VT_OPTION_CHOICE,
     .offset = AT(protocol),
     .argument = "NAME",
     .help = "how the test part is made; adjacency with --test, else time",
     .choices = "adjacency|time|leave-one-out|random",
     .flag_only = true},
    {.name = "test-share",
     .kind = VT_OPTION_F64,
     .offset = AT(test_share),
     .argument = "SHARE",
     .help = "of time and random: this share is the test part",
     .fallback = "0.1",
     .min = 0.001,
     .max = 0.9,
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
     .help = "a setting of the algorithm"},
    {.name = "half-life",
     .kind = VT_OPTION_F64,
     .offset = AT(half_life_days),
     .argument = "DAYS",
     .help = "an event counts half after so many days; 0: for ever",
     .fallback = "0",
     .min = 0,
     .max = 36500,
     .flag_only = true},
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
    {.name = "k",
     .kind = VT_OPTION_U32,
     .offset = AT(k),
     .argument = "N",
     .help = "length of the lists",
     .fallback = "20",
     .min = 1,
     .max = VT_EVAL_K_MAX,
     .flag_only = true},
    {.name = "history",
     .kind = VT_OPTION_U32,
     .offset = AT(history_max),
     .argument = "N",
     .help = "newest events of a customer that serving knows",
     .fallback = "200",
     .min = 1,
     .max = 100000,
     .flag_only = true},
    {.name = "seed",
     .kind = VT_OPTION_U64,
     .offset = AT(seed),
     .argument = "N",
     .help = "of the first factors and of random splits",
     .fallback = "1",
     .flag_only = true},
    {.name = "threads",
     .kind = VT_OPTION_U32,
     .offset = AT(threads),
     .argument = "N",
     .help = "0: one per CPU; the results are the same",
     .fallback = "0",
     .min = 0,
     .max = VT_THREADS_MAX,
     .flag_only = true},
    {.name = "memory",
     .kind = VT_OPTION_SIZE,
     .offset = AT(memory_bytes),
     .argument = "SIZE",
     .help = "what training may take; the choice of the data goes by it too",
     .flag_only = true},
    {.name = "json",
     .kind = VT_OPTION_BOOL,
     .offset = AT(json),
     .help = "print one JSON object",
     .flag_only = true},
};

static const struct vt_options_spec options_spec = {
    .command = "vitrine evaluate",
    .summary = "trains an algorithm on one part of the data and measures how well it finds the "
               "other",
    .example = "vitrine evaluate --train train.txt --test test.txt --algorithm ials "
               "--set factors=64 --json",
    .options = option_table,
    .n_options = sizeof option_table / sizeof option_table[0],
    .layered = true,
};

/* Everything one run holds. */
struct evaluation_run {
    const struct evaluate_options *options;
    const struct vt_algorithm *algorithm; /* NULL: until the data are read, nobody said which */
    struct vt_choice choice;              /* of the data then */
    struct vt_algorithm_options algorithm_options;
    struct vt_dataset_options dataset;
    struct vt_interactions interactions;
    struct vt_catalog catalog; /* empty with --train FILE */
    uint64_t n_train;          /* of `interactions`, in the adjacency protocol */
    struct vt_split split;
    struct vt_trained trained;
    struct vt_metrics_at_k full, served;
    struct vt_progress progress;
    double iteration_s[VT_IALS_ITERATIONS_MAX];
    uint32_t n_iterations;
    int64_t iteration_started_ns;
    double train_s, score_s, loss;
};

static int64_t now_ns(void)
{
    return vt_clock_monotonic_ns(vt_clock_system());
}

static double seconds_since(int64_t started_ns)
{
    return (double)(now_ns() - started_ns) / 1e9;
}

/* ---- what was asked ---- */

static struct vt_err refuse_usage(struct vt_diag *diag, const char *field, const char *text)
{
    vt_diag_set(diag, field, "%s", text);
    return VT_ERR(VT_INVALID, "wrong usage");
}

static struct vt_err check_sources(const struct evaluate_options *options, struct vt_diag *diag)
{
    if ((options->data_dir != NULL) == (options->train_path != NULL))
        return refuse_usage(diag, "data", "give either --data DIR or --train FILE");
    if (options->data_dir != NULL && options->test_path != NULL)
        return refuse_usage(diag, "test", "--test goes with --train");
    if (options->data_dir == NULL && (options->weights.n > 0 || options->half_life_days > 0))
        return refuse_usage(diag, "weight",
                            "an adjacency file has no event types and no times: --weight and "
                            "--half-life go with --data");
    bool adjacency = options->protocol != NULL && strcmp(options->protocol, "adjacency") == 0;
    if (options->test_path != NULL && options->protocol != NULL && !adjacency)
        return refuse_usage(diag, "protocol", "with --test FILE the protocol is adjacency");
    if (options->test_path == NULL && adjacency)
        return refuse_usage(diag, "protocol", "the adjacency protocol needs --train and --test");
    return vt_ok();
}

static struct vt_err choose_algorithm(struct evaluation_run *run, struct vt_diag *diag)
{
    const struct evaluate_options *options = run->options;
    vt_algorithm_options_default(&run->algorithm_options);
    run->algorithm_options.seed = options->seed;
    run->algorithm_options.threads = vt_threads_resolve(options->threads);
    run->algorithm_options.memory_bytes = options->memory_bytes;
    return vt_choose_by_words(options->algorithm, options->settings.items, options->settings.n,
                              diag, &run->algorithm_options, &run->algorithm);
}

/* Where nobody said which: by the train part. */
static struct vt_err choose_by_data(struct evaluation_run *run, struct vt_diag *diag)
{
    const struct vt_sparse *train = &run->split.train;
    const struct vt_shape shape = {train->n_rows, train->n_cols, train->n_entries};
    if (run->algorithm != NULL)
        return vt_ok();
    run->algorithm_options.memory_bytes =
        vt_choice_memory_bytes(run->options->memory_bytes, vt_memory_available_bytes());
    vt_choose_by_data(&shape, run->algorithm_options.memory_bytes, &run->choice);
    fprintf(stderr, "%s\n", run->choice.line);
    return vt_settled_apply(&run->choice.recipe, diag, &run->algorithm, &run->algorithm_options);
}

static struct vt_err choose_dataset(struct evaluation_run *run, struct vt_diag *diag)
{
    vt_dataset_options_default(&run->dataset);
    run->dataset.history_max = run->options->history_max;
    run->dataset.decay_half_life_days = run->options->half_life_days;
    if (run->options->train_path != NULL)
        VT_TRY(vt_event_weights_check_file(&run->options->weights, &run->options->values,
                                           run->options->half_life_days, diag));
    VT_TRY(vt_value_exponents_set(&run->options->values, diag, &run->dataset));
    return vt_event_weights_set(&run->options->weights, diag, &run->dataset);
}

static enum vt_protocol protocol_of(const struct evaluate_options *options)
{
    if (options->test_path != NULL)
        return VT_PROTOCOL_ADJACENCY;
    if (options->protocol != NULL && strcmp(options->protocol, "leave-one-out") == 0)
        return VT_PROTOCOL_LEAVE_ONE_OUT;
    if (options->protocol != NULL && strcmp(options->protocol, "random") == 0)
        return VT_PROTOCOL_RANDOM;
    return VT_PROTOCOL_TIME;
}

/* ---- reading, training, ranking ---- */

static struct vt_err read_files(struct evaluation_run *run, struct vt_diag *diag)
{
    VT_TRY(vt_adjacency_read(run->options->train_path, diag, &run->interactions));
    run->n_train = run->interactions.n;
    if (run->options->test_path != NULL)
        VT_TRY(vt_adjacency_read(run->options->test_path, diag, &run->interactions));
    return vt_ok();
}

static struct vt_err read_data(struct evaluation_run *run, struct vt_diag *diag)
{
    struct vt_split_options split = {
        .protocol = protocol_of(run->options),
        .test_share = run->options->test_share,
        .seed = run->options->seed,
        .dataset = run->dataset,
    };
    if (run->options->data_dir != NULL) {
        VT_TRY(
            vt_training_data_read(run->options->data_dir, diag, &run->interactions, &run->catalog));
    } else {
        VT_TRY(read_files(run, diag));
        vt_training_data_weigh_adjacency(&split.dataset);
    }
    struct vt_err err = vt_split_make(run->interactions.list, run->interactions.n, run->n_train,
                                      &split, diag, &run->split);
    vt_interactions_free(&run->interactions);
    return err;
}

static bool on_iteration(void *ctx, uint32_t done, uint32_t total, double loss)
{
    struct evaluation_run *run = ctx;
    if (run->n_iterations < VT_IALS_ITERATIONS_MAX)
        run->iteration_s[run->n_iterations++] = seconds_since(run->iteration_started_ns);
    run->progress.total = total;
    run->loss = loss;
    vt_progress_update(&run->progress, done);
    run->iteration_started_ns = now_ns();
    return true;
}

/* What a family that searches tried and chose. */
static void on_tell(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static struct vt_err train(struct evaluation_run *run, struct vt_diag *diag)
{
    int64_t started_ns = now_ns();
    vt_progress_begin(&run->progress, stderr, "training", "iterations", 0);
    run->iteration_started_ns = started_ns;
    run->algorithm_options.progress = on_iteration;
    run->algorithm_options.progress_ctx = run;
    run->algorithm_options.catalog = &run->catalog;
    run->algorithm_options.item_ids = run->split.ids.item_ids;
    run->algorithm_options.tell = on_tell;
    VT_TRY(vt_algorithm_train(run->algorithm, &run->split.train, &run->algorithm_options, diag,
                              &run->trained));
    if (run->n_iterations > 0)
        vt_progress_end(&run->progress, run->n_iterations);
    run->train_s = seconds_since(started_ns);
    if (run->trained.note[0] != '\0')
        fprintf(stderr, "%s\n", run->trained.note);
    return vt_ok();
}

/* Both passes. Whose newest events are all that there are has the same list in both. */
static struct vt_err rank_twice(struct evaluation_run *run, uint32_t *lists)
{
    struct vt_eval_options options = {
        .train = &run->split.train,
        .test = &run->split.test,
        .k = run->options->k,
        .threads = run->algorithm_options.threads,
        .lists = lists,
    };
    int64_t started_ns = now_ns();
    VT_TRY(vt_evaluate(&run->trained.recommender, &options, &run->full));
    run->score_s = seconds_since(started_ns);
    options.histories = &run->split.served;
    options.lists = NULL;
    options.known_lists = lists;
    return vt_evaluate(&run->trained.recommender, &options, &run->served);
}

static struct vt_err rank(struct evaluation_run *run)
{
    uint32_t *lists = calloc((size_t)run->split.test.n_rows * run->options->k + 1, sizeof *lists);
    VT_CHECK(lists != NULL, VT_EXHAUSTED, "out of memory for the lists");
    struct vt_err err = rank_twice(run, lists);
    free(lists);
    return err;
}

static struct vt_err run_all(struct evaluation_run *run, struct vt_diag *diag)
{
    VT_TRY(vt_kernels_check(diag));
    VT_TRY(read_data(run, diag));
    VT_TRY(choose_by_data(run, diag));
    VT_TRY(train(run, diag));
    return rank(run);
}

/* ---- telling ---- */

static double peak_mib(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024 : 0;
}

static json_t *iterations_json(const struct evaluation_run *run)
{
    json_t *seconds = json_array();
    for (uint32_t i = 0; i < run->n_iterations; i++)
        json_array_append_new(seconds, json_real(run->iteration_s[i]));
    return seconds;
}

static struct vt_err print_json(const struct evaluation_run *run)
{
    const struct vt_metrics_at_k *full = &run->full;
    const struct vt_sparse *train = &run->split.train;
    json_t *object = json_pack(
        "{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f,"
        " s:f, s:f, s:o, s:f, s:I, s:I, s:I, s:I}",
        "algorithm", vt_algorithm_name(run->algorithm), "users", (json_int_t)train->n_rows, "items",
        (json_int_t)train->n_cols, "interactions", (json_int_t)train->n_entries, "recall",
        full->recall, "ndcg", full->ndcg, "precision", full->precision, "hit_rate", full->hit_rate,
        "map", full->map, "coverage", full->coverage, "diversity", full->diversity, "novelty",
        full->novelty, "served_recall", run->served.recall, "served_ndcg", run->served.ndcg,
        "train_s", run->train_s, "peak_mib", peak_mib(), "iteration_s", iterations_json(run),
        "score_s", run->score_s, "threads", (json_int_t)run->algorithm_options.threads, "seed",
        (json_int_t)run->options->seed, "k", (json_int_t)run->options->k, "test_users",
        (json_int_t)full->n_users);
    if (run->trained.calibration_error > 0)
        json_object_set_new(object, "calibration_error", json_real(run->trained.calibration_error));
    if (run->choice.note[0] != '\0')
        json_object_set_new(object, "chosen", json_string(run->choice.note));
    return vt_command_print_json(object);
}

static void put_row(struct vt_table *table, const char *name, double value, const char *meaning)
{
    vt_table_cell(table, vt_slice_str(name));
    vt_table_cellf(table, "%.4f", value);
    vt_table_cell(table, vt_slice_str(meaning));
}

static void print_measures(const struct vt_metrics_at_k *full)
{
    static const char *const heads[] = {"measure", ">value", "meaning"};
    struct vt_table *table = vt_table_new(heads, sizeof heads / sizeof heads[0]);
    put_row(table, "recall", full->recall, "of a user's test items, the share that is in the list");
    put_row(table, "ndcg", full->ndcg, "the same, hits at the top counting more");
    put_row(table, "precision", full->precision, "of the list, the share that is a hit");
    put_row(table, "hit rate", full->hit_rate, "of the users, the share with a hit");
    put_row(table, "map", full->map, "mean average precision");
    put_row(table, "coverage", full->coverage, "of the items, the share in anybody's list");
    put_row(table, "diversity", full->diversity, "1 - mean cosine of the items of a list");
    put_row(table, "novelty", full->novelty, "bits; higher is less popular");
    vt_table_print(table, stdout);
    vt_table_free(table);
}

static struct vt_err print_table(const struct evaluation_run *run)
{
    const struct vt_sparse *train = &run->split.train;
    printf("%s on %u users, %u items, %llu interactions; lists of %u for %u users\n\n",
           vt_algorithm_name(run->algorithm), train->n_rows, train->n_cols,
           (unsigned long long)train->n_entries, run->options->k, run->full.n_users);
    print_measures(&run->full);
    printf("\nas served, from the newest %u events: recall %.4f, ndcg %.4f\n",
           run->options->history_max, run->served.recall, run->served.ndcg);
    if (run->trained.calibration_error > 0)
        printf("probabilities are off by %.4f on average (expected calibration error)\n",
               run->trained.calibration_error);
    printf("trained in %.2f s, ranked in %.2f s on %u threads, peak memory %.0f MiB\n",
           run->train_s, run->score_s, run->algorithm_options.threads, peak_mib());
    return vt_ok();
}

static int run_and_tell(struct evaluation_run *run)
{
    struct vt_diag diag = {0};
    struct vt_err err = check_sources(run->options, &diag);
    if (!vt_failed(err))
        err = choose_algorithm(run, &diag);
    if (!vt_failed(err))
        err = choose_dataset(run, &diag);
    if (vt_failed(err))
        return vt_command_refuse(options_spec.command, err, &diag);
    err = run_all(run, &diag);
    if (!vt_failed(err))
        err = run->options->json ? print_json(run) : print_table(run);
    return vt_failed(err) ? vt_command_fail(options_spec.command, err, &diag) : VT_EXIT_DONE;
}

static int run_evaluate(void *target, const struct vt_options *options)
{
    (void)options;
    struct evaluation_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return vt_command_fail(options_spec.command, VT_ERR(VT_EXHAUSTED, "out of memory"), NULL);
    run->options = target;
    int status = run_and_tell(run);
    vt_trained_free(&run->trained);
    vt_split_free(&run->split);
    vt_interactions_free(&run->interactions);
    vt_catalog_free(&run->catalog);
    free(run);
    return status;
}

int vt_cmd_evaluate(int argc, char **argv)
{
    struct evaluate_options options = {0};
    return vt_command_run(&options_spec, argc, argv, &options, run_evaluate);
}
