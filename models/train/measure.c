/*
 * The training that is measured: without what is held out, and in the form that serves, from each
 * customer's newest events. Its answers by customer are kept, for the gate to compare with.
 */
#include "models/eval/eval.h"
#include "models/train/recipe.h"
#include "models/train/watch.h"

#include <stdio.h>
#include <stdlib.h>

bool vt__stage_stops(struct vt__stage *stage)
{
    stage->stopped =
        stage->stopped || (stage->stop_wanted != NULL && stage->stop_wanted(stage->ctx));
    return stage->stopped;
}

static bool on_iteration(void *ctx, uint32_t done, uint32_t total, double loss)
{
    struct vt__stage *stage = ctx;
    (void)loss;
    if (stage->fn != NULL)
        stage->fn(stage->ctx, stage->name, done, total);
    return !vt__stage_stops(stage);
}

struct vt_algorithm_options vt__observed_by(struct vt__stage *stage,
                                            const struct vt_train_options *options)
{
    struct vt_algorithm_options observed = options->algorithm_options;
    observed.progress = on_iteration;
    observed.progress_ctx = stage;
    return observed;
}

struct vt_err vt__train_stage(const struct vt__stage *stage, const struct vt_algorithm *algorithm,
                              const struct vt_sparse *matrix,
                              const struct vt_algorithm_options *options, struct vt_diag *diag,
                              struct vt_trained *ret_trained)
{
    struct vt_trained trained = {0};
    VT_TRY(vt_algorithm_train(algorithm, matrix, options, diag, &trained));
    if (stage->stopped) {
        vt_trained_free(&trained);
        return VT_ERR(VT_CANCELLED, "training was told to stop");
    }
    *ret_trained = trained;
    return vt_ok();
}

static void add_metric(struct vt_train_result *result, const char *name, double value)
{
    VT_ASSERT(result->view.n_metrics < VT_BUNDLE_METRICS_MAX);
    struct vt_bundle_metric *metric = &result->metrics[result->view.n_metrics++];
    snprintf(metric->name, sizeof metric->name, "%s", name);
    metric->value = value;
}

static void add_metrics(struct vt_train_result *result, const struct vt_metrics_at_k *measured)
{
    add_metric(result, "recall", measured->recall);
    add_metric(result, "ndcg", measured->ndcg);
    add_metric(result, "precision", measured->precision);
    add_metric(result, "hit_rate", measured->hit_rate);
    add_metric(result, "map", measured->map);
    add_metric(result, "coverage", measured->coverage);
    add_metric(result, "diversity", measured->diversity);
    add_metric(result, "novelty", measured->novelty);
    add_metric(result, "test_users", measured->n_users);
}

static struct vt_eval_options eval_options(const struct vt_train_options *options,
                                           const struct vt_held_out *held_out)
{
    return (struct vt_eval_options){
        .train = &held_out->split.train,
        .histories = &held_out->split.served,
        .test = &held_out->split.test,
        .k = options->k,
        .threads = options->algorithm_options.threads,
    };
}

/* Any family: trained, then asked. */
static struct vt_err measure_plain(const struct vt_train_options *options, struct vt__stage *stage,
                                   struct vt_diag *diag, const struct vt_eval_options *eval,
                                   struct vt_train_result *result,
                                   struct vt_metrics_at_k *ret_measured)
{
    const struct vt_algorithm_options training = vt__observed_by(stage, options);
    struct vt_trained trained = {0};
    VT_TRY(vt__train_stage(stage, options->algorithm, eval->train, &training, diag, &trained));
    struct vt_err err = vt_evaluate(&trained.recommender, eval, ret_measured);
    result->settled = trained.settled;
    vt_trained_free(&trained);
    return err;
}

static struct vt_err run_watch(struct vt__watch *watch, struct vt_diag *diag,
                               const struct vt_eval_options *eval,
                               struct vt_metrics_at_k *ret_measured)
{
    struct vt_trained trained = {0};
    VT_TRY(vt__watch_begin(watch));
    struct vt_err err = vt__watch_train(watch, diag, &trained);
    vt_trained_free(&trained);
    return vt_failed(err) ? err : vt__watch_evaluate(watch, eval, ret_measured);
}

/* Factors: with a curve, an early end and a checkpoint; the best of them are asked. */
static struct vt_err measure_watched(const struct vt_train_options *options,
                                     struct vt__stage *stage, struct vt_diag *diag,
                                     const struct vt_eval_options *eval,
                                     struct vt_train_result *result,
                                     struct vt_metrics_at_k *ret_measured, uint32_t *ret_iterations)
{
    const struct vt_held_out *held_out = &result->held_out;
    struct vt__watch watch = {.options = options,
                              .stage = stage,
                              .matrix = &held_out->split.train,
                              .held_out = held_out,
                              .checkpoint_name = VT__CHECKPOINT_MEASURED,
                              .iterations = options->algorithm_options.ials.iterations};
    float *warm = NULL;
    if (vt_train_warm_possible(options) && !held_out->parent_has_seen) {
        VT_TRY(vt__warm_start(options->parent, held_out->split.ids.item_ids,
                              held_out->split.ids.n_items, &warm));
        watch.start_items = warm;
        watch.start_stride = options->parent->factor_stride;
    }
    struct vt_err err = run_watch(&watch, diag, eval, ret_measured);
    if (!vt_failed(err)) {
        result->curve = watch.state.curve;
        *ret_iterations = watch.state.best_iteration;
    }
    vt__watch_fini(&watch);
    free(warm);
    return err;
}

static struct vt_err measure_algorithm(const struct vt_train_options *options,
                                       struct vt__stage *stage, struct vt_diag *diag,
                                       struct vt_train_result *result, uint32_t *ret_iterations)
{
    struct vt_held_out *held_out = &result->held_out;
    struct vt_eval_options eval = eval_options(options, held_out);
    struct vt_metrics_at_k measured;
    held_out->lists =
        malloc(((size_t)eval.test->n_rows * options->k + 1) * sizeof *held_out->lists);
    VT_CHECK(held_out->lists != NULL, VT_EXHAUSTED, "out of memory for the measured lists");
    eval.lists = held_out->lists;
    eval.per_user = (struct vt_per_user_metrics){held_out->recall, held_out->ndcg};
    VT_TRY(vt__watch_can(options->algorithm)
               ? measure_watched(options, stage, diag, &eval, result, &measured, ret_iterations)
               : measure_plain(options, stage, diag, &eval, result, &measured));
    add_metrics(result, &measured);
    return vt_ok();
}

/* What everybody gets without a model: the least that a model must beat. */
static struct vt_err measure_baseline(const struct vt_train_options *options, struct vt_diag *diag,
                                      struct vt_train_result *result)
{
    const struct vt_eval_options eval = eval_options(options, &result->held_out);
    struct vt_metrics_at_k measured;
    struct vt_trained trained = {0};
    VT_TRY(vt_algorithm_train(vt_algorithm_find("popularity", NULL), &result->held_out.split.train,
                              &options->algorithm_options, diag, &trained));
    struct vt_err err = vt_evaluate(&trained.recommender, &eval, &measured);
    vt_trained_free(&trained);
    if (!vt_failed(err)) {
        add_metric(result, "popularity_recall", measured.recall);
        add_metric(result, "popularity_ndcg", measured.ndcg);
    }
    return err;
}

/* ---- the serving version's recipe ---- */

static struct vt_err ask_recipe(const struct vt_train_options *options,
                                const struct vt_trained *trained, struct vt_held_out *held_out)
{
    const size_t n = held_out->split.test.n_rows;
    struct vt_eval_options eval = eval_options(options, held_out);
    struct vt_metrics_at_k metrics;
    held_out->parent_recall = malloc((n + 1) * sizeof(double));
    held_out->parent_ndcg = malloc((n + 1) * sizeof(double));
    VT_CHECK(held_out->parent_recall != NULL && held_out->parent_ndcg != NULL, VT_EXHAUSTED,
             "out of memory for the serving version's recipe");
    eval.test = &held_out->judged;
    eval.per_user = (struct vt_per_user_metrics){held_out->parent_recall, held_out->parent_ndcg};
    return vt_evaluate(&trained->recommender, &eval, &metrics);
}

/* What serves has seen what is held out, and was made otherwise: only its recipe, trained as the
 * measured model was, can be compared fairly. */
static struct vt_err measure_parent_recipe(const struct vt_train_options *options,
                                           struct vt__stage *stage, struct vt_diag *diag,
                                           struct vt_train_result *result)
{
    const struct vt_algorithm *algorithm;
    struct vt_algorithm_options recipe;
    struct vt_trained trained = {0};
    struct vt_held_out *held_out = &result->held_out;
    if (!held_out->parent_has_seen || vt__recipe_is(options->parent, &result->settled, options) ||
        !vt__recipe_of(options->parent, options, &algorithm, &recipe))
        return vt_ok();
    stage->name = "measuring the serving version's recipe";
    recipe.progress = on_iteration;
    recipe.progress_ctx = stage;
    VT_TRY(vt__train_stage(stage, algorithm, &held_out->split.train, &recipe, diag, &trained));
    struct vt_err err = ask_recipe(options, &trained, held_out);
    vt_trained_free(&trained);
    return err;
}

struct vt_err vt__measure(const struct vt_train_input *input,
                          const struct vt_train_options *options, struct vt__stage *stage,
                          struct vt_diag *diag, struct vt_train_result *result,
                          uint32_t *ret_iterations)
{
    const struct vt_held_out_options held_out = {
        .protocol = options->protocol,
        .test_share = options->test_share,
        .dataset = options->dataset,
        .served_history_max = options->served_history_max,
        .seed = options->algorithm_options.seed,
        .watch = vt__watch_can(options->algorithm) && options->patience > 0,
        .parent_last_time_ms = options->parent != NULL ? options->parent->last_time_ms : 0,
    };
    VT_TRY(vt_held_out_make(input->interactions, input->n, &held_out, &result->held_out));
    if (!vt_held_out_any(&result->held_out))
        return vt_ok();
    VT_TRY(measure_algorithm(options, stage, diag, result, ret_iterations));
    VT_TRY(measure_parent_recipe(options, stage, diag, result));
    return measure_baseline(options, diag, result);
}
