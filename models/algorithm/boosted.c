/*
 * The learned ranker as a family: sources trained on what was before a split propose candidates,
 * boosted trees learn to put those first that came after it, and at use the same sources, trained
 * on everything, propose and the trees rank. So that nothing leaks, no source has seen a label, and
 * the customers of training, of choosing the number of trees, of calibration and of its measure
 * are different ones. The split is a seeded share of each customer's items: a matrix knows no time.
 * Ranking of what is no candidate goes on behind the candidates by the sum of the sources.
 */
#include "models/algorithm/boosted_internal.h"
#include "models/dataset/part.h"
#include "models/kernels/parallel.h"
#include "models/rank/calibration.h"

#include <math.h>
#include <stdlib.h>

enum { ONE_ITEM_IN = 5 };

struct boosted {
    struct vt__sources sources;
    struct vt_boosted ranker;
    struct vt_calibration calibration; /* empty: too few examples of both kinds */
};

/* ---- use ---- */

/* The others behind the worst candidate, as far as their sums are below its. */
static void spread(const struct vt__candidates *at, uint32_t n_items, double *ret_scores)
{
    double lowest = 0, last_sum = at->n > 0 ? at->hits[at->n - 1].score : 0;
    for (uint32_t i = 0; i < at->n; i++)
        lowest = i == 0 || (double)at->scores[i] < lowest ? (double)at->scores[i] : lowest;
    for (uint32_t item = 0; item < n_items; item++)
        ret_scores[item] = lowest - 1 + (at->sums[item] - last_sum);
    for (uint32_t i = 0; i < at->n; i++)
        ret_scores[at->hits[i].row] = (double)at->scores[i];
}

static struct vt_err boosted_score(const void *self, const struct vt_weighted_history *history,
                                   void *scratch, double *ret_scores)
{
    const struct boosted *model = self;
    const struct vt_rank_history known = {history->columns, history->weights, history->n};
    struct vt__candidates at;
    VT_TRY(vt__sources_candidates(&model->sources, &known, scratch, &at));
    vt_trees_predict(&model->ranker.trees, at.rows, at.n, model->ranker.n_features, at.scores);
    spread(&at, model->sources.pool.n_items, ret_scores);
    for (uint32_t e = 0; e < history->n; e++)
        ret_scores[history->columns[e]] = (double)NAN; /* never again */
    return vt_ok();
}

static void boosted_free(void *self)
{
    struct boosted *model = self;
    vt__sources_free(&model->sources);
    vt_boosted_free(&model->ranker);
    vt_calibration_free(&model->calibration);
    free(model);
}

/* ---- training ---- */

static bool comes_after(const void *ctx, uint32_t user, uint32_t item, float value)
{
    (void)value;
    return vt_part_hash(*(const uint64_t *)ctx + user, item, ONE_ITEM_IN);
}

static bool has_both_kinds(const struct vt_boost_examples *examples)
{
    uint32_t n_wanted = 0;
    for (uint32_t row = 0; row < examples->n_rows; row++)
        n_wanted += examples->labels[row] > 0 ? 1 : 0;
    return n_wanted > 0 && n_wanted < examples->n_rows;
}

/* Fits on one part and measures on another. */
static struct vt_err calibrate(struct boosted *model, const struct vt_boost_examples *fit,
                               const struct vt_boost_examples *measured, struct vt_diag *diag,
                               float *scores, double *ret_error)
{
    const struct vt_trees *trees = &model->ranker.trees;
    vt_trees_predict(trees, fit->features, fit->n_rows, fit->n_features, scores);
    VT_TRY(vt_calibration_fit(scores, fit->labels, fit->n_rows, diag, &model->calibration));
    vt_trees_predict(trees, measured->features, measured->n_rows, measured->n_features, scores);
    for (uint32_t row = 0; row < measured->n_rows; row++)
        scores[row] = vt_calibration_apply(&model->calibration, scores[row]);
    return vt_calibration_error(scores, measured->labels, measured->n_rows, ret_error);
}

static struct vt_err calibrate_if_enough(struct boosted *model, const struct vt__examples *examples,
                                         struct vt_diag *diag, double *ret_error)
{
    const struct vt_boost_examples *fit = &examples->part[VT__PART_CALIBRATION];
    const struct vt_boost_examples *measured = &examples->part[VT__PART_MEASURE];
    if (!has_both_kinds(fit) || measured->n_rows == 0)
        return vt_ok();
    uint32_t n = fit->n_rows > measured->n_rows ? fit->n_rows : measured->n_rows;
    float *scores = calloc(n, sizeof *scores);
    VT_CHECK(scores != NULL, VT_EXHAUSTED, "out of memory for a calibration");
    struct vt_err err = calibrate(model, fit, measured, diag, scores, ret_error);
    free(scores);
    return err;
}

static bool on_round(void *ctx, uint32_t done, uint32_t total)
{
    const struct vt_algorithm_options *options = ctx;
    return options->progress(options->progress_ctx, done, total, 0);
}

static struct vt_err learn(const struct vt__examples *examples,
                           const struct vt_algorithm_options *options, struct vt_diag *diag,
                           struct boosted *model, double *ret_error)
{
    struct vt_boost_options boost = options->boosted.boost;
    const struct vt_boost_examples *validation = &examples->part[VT__PART_VALIDATION];
    boost.seed = options->seed;
    boost.progress = options->progress != NULL ? on_round : NULL;
    boost.progress_ctx = (void *)(uintptr_t)options; /* only read there */
    VT_TRY(vt_boost_train(&examples->part[VT__PART_TRAIN],
                          has_both_kinds(validation) ? validation : NULL, &boost, diag,
                          &model->ranker));
    return calibrate_if_enough(model, examples, diag, ret_error);
}

static struct vt_err learn_from(const struct vt_sparse *before, const struct vt_sparse *after,
                                const struct vt_algorithm_options *options, struct vt_diag *diag,
                                struct boosted *model, double *ret_error)
{
    struct vt__sources sources = {0};
    struct vt__examples examples = {0};
    struct vt_err err = vt__sources_train(before, options, diag, &sources);
    if (!vt_failed(err))
        err = vt__examples_make(&sources, before, after, options, diag, &examples);
    vt__sources_free(&sources);
    if (!vt_failed(err))
        err = learn(&examples, options, diag, model, ret_error);
    vt__examples_free(&examples);
    return err;
}

static struct vt_err split_and_learn(const struct vt_sparse *matrix,
                                     const struct vt_algorithm_options *options,
                                     struct vt_diag *diag, struct boosted *model, double *ret_error)
{
    struct vt_sparse before, after;
    VT_TRY(vt_sparse_part(matrix, comes_after, &options->seed, &before, &after));
    struct vt_err err = learn_from(&before, &after, options, diag, model, ret_error);
    vt_sparse_free(&before);
    vt_sparse_free(&after);
    if (!vt_failed(err))
        err = vt__sources_train(matrix, options, diag, &model->sources);
    return err;
}

static struct vt_err boosted_train(const struct vt_sparse *matrix,
                                   const struct vt_algorithm_options *options, struct vt_diag *diag,
                                   struct vt_trained *ret_trained)
{
    double calibration_error = 0;
    struct boosted *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_err err = split_and_learn(matrix, options, diag, model, &calibration_error);
    if (vt_failed(err)) {
        boosted_free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "boosted",
                        .self = model,
                        .scratch_bytes = vt__candidates_bytes(&model->sources),
                        .score = boosted_score},
        .calibration_error = calibration_error,
        .model = model,
        .free_model = boosted_free,
    };
    return vt_ok();
}

/* The sources twice, the examples, and XGBoost's copy and histograms of them. */
static struct vt_need boosted_need(const struct vt_shape *shape,
                                   const struct vt_algorithm_options *options)
{
    struct vt_need need = vt__sources_need(shape, options);
    const uint64_t most = 2 * (uint64_t)options->boosted.users;
    const double users = (double)(shape->n_users < most ? shape->n_users : most);
    const double rows = users * options->boosted.candidates;
    const double features = vt_rank_n_features(VT_RANK_SOURCES_MAX);
    need.memory_bytes += (uint64_t)(rows * (3 * features * sizeof(float) + 64) +
                                    24.0 * (double)shape->n_interactions);
    need.gflop = 2 * need.gflop + rows * features * options->boosted.boost.rounds * 8 / 1e9;
    return need;
}

#define AT(field_) offsetof(struct vt_algorithm_options, boosted.field_)

const struct vt__family vt__family_boosted = {
    .name = "boosted",
    .summary = "boosted trees over the other families' candidates (for evaluation)",
    .settings =
        (const struct vt__setting[]){
            {"rounds", VT__SETTING_U32, AT(boost.rounds), 1, VT_TREES_MAX, NULL},
            {"depth", VT__SETTING_U32, AT(boost.depth), 1, VT_BOOST_DEPTH_MAX, NULL},
            {"learning_rate", VT__SETTING_F64, AT(boost.learning_rate), 1e-6, 1, NULL},
            {"leaf_weight", VT__SETTING_F64, AT(boost.leaf_weight), 0, 1e6, NULL},
            {"l2", VT__SETTING_F64, AT(boost.l2), 0, 1e6, NULL},
            {"row_share", VT__SETTING_F64, AT(boost.row_share), 0.01, 1, NULL},
            {"feature_share", VT__SETTING_F64, AT(boost.feature_share), 0.01, 1, NULL},
            {"candidates", VT__SETTING_U32, AT(candidates), 1, VT_RANK_CANDIDATES_MAX, NULL},
            {"users", VT__SETTING_U32, AT(users), 10, 1e6, NULL},
            {0}},
    .serves = false,
    .train = boosted_train,
    .need = boosted_need,
};
