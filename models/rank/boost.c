/*
 * Training a ranker: the examples are judged first, so that XGBoost never sees what it would answer
 * with an abort or with a tree of NaN; then come its trees, flattened and compared with its own
 * predictions; then as many of them are kept as rank the validation part best. Choosing a prefix
 * afterwards needs no callback into the library and costs one walk of the validation rows.
 */
#include "models/rank/boost.h"

#include "models/rank/xgboost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 31, NDCG_AT_MAX = 1000 };

void vt_boost_options_default(struct vt_boost_options *ret_options)
{
    *ret_options = (struct vt_boost_options){.rounds = 150,
                                             .depth = 5,
                                             .learning_rate = 0.05,
                                             .leaf_weight = 0.1,
                                             .l2 = 1,
                                             .row_share = 1,
                                             .feature_share = 1,
                                             .seed = 1};
}

struct vt_err vt_boost_check(struct vt_diag *diag)
{
    return vt__booster_check(diag);
}

void vt_boosted_free(struct vt_boosted *boosted)
{
    free(boosted->memory);
    *boosted = (struct vt_boosted){0};
}

/* ---- what is refused ---- */

static struct vt_err check_options(const struct vt_boost_options *options, struct vt_diag *diag)
{
    const struct {
        const char *field;
        bool ok;
    } checks[] = {
        {"rounds", options->rounds >= 1 && options->rounds <= VT_TREES_MAX},
        {"depth", options->depth >= 1 && options->depth <= VT_BOOST_DEPTH_MAX},
        {"learning_rate", options->learning_rate > 0 && options->learning_rate <= 1},
        {"leaf_weight", options->leaf_weight >= 0 && isfinite(options->leaf_weight)},
        {"l2", options->l2 >= 0 && isfinite(options->l2)},
        {"row_share", options->row_share > 0 && options->row_share <= 1},
        {"feature_share", options->feature_share > 0 && options->feature_share <= 1},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (!checks[i].ok) {
            vt_diag_set(diag, checks[i].field, "%s of the ranker is out of range", checks[i].field);
            return VT_ERR(VT_INVALID, "an option of the ranker is out of range");
        }
    return vt_ok();
}

static struct vt_err check_shape(const struct vt_boost_examples *examples, struct vt_diag *diag)
{
    uint64_t n = 0;
    for (uint32_t group = 0; group < examples->n_groups; group++)
        n += examples->group_sizes[group];
    if (examples->n_groups == 0 || n == 0 || n != examples->n_rows || examples->n_features == 0 ||
        examples->n_features > VT_TREES_FEATURES_MAX) {
        vt_diag_set(diag, "examples",
                    "%u groups of %ju rows for %u rows of %u features (at most %d)",
                    examples->n_groups, (uintmax_t)n, examples->n_rows, examples->n_features,
                    VT_TREES_FEATURES_MAX);
        return VT_ERR(VT_INVALID, "examples of a ranker do not add up");
    }
    return vt_ok();
}

static struct vt_err refuse_feature(uint32_t row, uint32_t feature, const char *text,
                                    struct vt_diag *diag)
{
    char where[VT_DIAG_FIELD_BYTES];
    snprintf(where, sizeof where, "examples[%u].features[%u]", row, feature);
    vt_diag_set(diag, where, "feature %u %s", feature, text);
    return VT_ERR(VT_INVALID, "a feature of a ranker's examples cannot be used");
}

static struct vt_err check_feature(const struct vt_boost_examples *examples, uint32_t feature,
                                   struct vt_diag *diag)
{
    uint32_t n_known = 0;
    for (uint32_t row = 0; row < examples->n_rows; row++) {
        float value = examples->features[(size_t)row * examples->n_features + feature];
        if (isinf(value))
            return refuse_feature(row, feature, "is infinite", diag);
        n_known += isnan(value) ? 0 : 1;
    }
    return n_known > 0 ? vt_ok()
                       : refuse_feature(0, feature, "is missing (NaN) in every example", diag);
}

static struct vt_err check_labels(const struct vt_boost_examples *examples, struct vt_diag *diag)
{
    for (uint32_t row = 0; row < examples->n_rows; row++)
        if (!(examples->labels[row] >= 0 && examples->labels[row] <= LABEL_MAX)) {
            char where[VT_DIAG_FIELD_BYTES];
            snprintf(where, sizeof where, "examples[%u].label", row);
            vt_diag_set(diag, where, "%g is not a label from 0 to %d",
                        (double)examples->labels[row], LABEL_MAX);
            return VT_ERR(VT_INVALID, "a label of a ranker's examples is out of range");
        }
    return vt_ok();
}

/* A pair to learn from: somewhere two rows of a group differ in their label. */
static struct vt_err check_pairs(const struct vt_boost_examples *examples, struct vt_diag *diag)
{
    const float *labels = examples->labels;
    bool wanted = false;
    for (uint32_t group = 0; group < examples->n_groups; group++) {
        for (uint32_t i = 0; i < examples->group_sizes[group]; i++) {
            wanted |= labels[i] > 0;
            if (labels[i] > labels[0] || labels[i] < labels[0])
                return vt_ok();
        }
        labels += examples->group_sizes[group];
    }
    vt_diag_set(diag, "examples",
                wanted ? "every candidate is wanted: there is nothing to put behind"
                       : "no candidate is wanted: there is nothing to put first");
    return VT_ERR(VT_INVALID, "the examples of a ranker have one class only");
}

static struct vt_err check_examples(const struct vt_boost_examples *examples, bool learn,
                                    struct vt_diag *diag)
{
    VT_TRY(check_shape(examples, diag));
    for (uint32_t feature = 0; learn && feature < examples->n_features; feature++)
        VT_TRY(check_feature(examples, feature, diag));
    VT_TRY(check_labels(examples, diag));
    return learn ? check_pairs(examples, diag) : vt_ok();
}

/* ---- how well rows are ordered ---- */

/* The gain of the k best rows by `keys`, ties by place: by selection, k is small. `taken` is
 * scratch. */
static double gain_of_best(const float *keys, const float *labels, uint32_t n, uint32_t k)
{
    double gain = 0, before_key = INFINITY;
    uint32_t before_place = 0;
    for (uint32_t rank = 0; rank < k && rank < n; rank++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < n; i++) {
            double key = (double)keys[i];
            bool behind = key < before_key || (key <= before_key && i > before_place) || rank == 0;
            if (behind && (best == UINT32_MAX || keys[i] > keys[best]))
                best = i;
        }
        if (best == UINT32_MAX)
            break;
        gain += (double)labels[best] / log2((double)rank + 2);
        before_key = (double)keys[best];
        before_place = best;
    }
    return gain;
}

double vt_ranking_ndcg(const struct vt_boost_examples *examples, const float *scores, uint32_t k)
{
    double sum = 0;
    uint32_t n_groups = 0, start = 0;
    for (uint32_t group = 0; group < examples->n_groups; group++) {
        uint32_t n = examples->group_sizes[group];
        const float *labels = examples->labels + start;
        double ideal = gain_of_best(labels, labels, n, k < NDCG_AT_MAX ? k : NDCG_AT_MAX);
        if (ideal > 0) {
            sum +=
                gain_of_best(scores + start, labels, n, k < NDCG_AT_MAX ? k : NDCG_AT_MAX) / ideal;
            n_groups++;
        }
        start += n;
    }
    return n_groups > 0 ? sum / n_groups : 0;
}

/* ---- training ---- */

/* Keeps the first trees, as many as rank best; few or many by the mean of ndcg alone, the fewer on
 * a tie. Looked at after every tree. */
static struct vt_err keep_best(const struct vt_boost_examples *validation,
                               struct vt_boosted *boosted)
{
    uint32_t n = validation->n_rows, best = 0;
    float *sums = calloc(n, sizeof *sums), *adds = calloc(n, sizeof *adds);
    double best_ndcg = -1;
    for (uint32_t tree = 0; sums != NULL && adds != NULL && tree < boosted->trees.n_trees; tree++) {
        struct vt_trees one = boosted->trees;
        one.n_trees = 1;
        one.starts += tree;
        vt_trees_predict(&one, validation->features, n, validation->n_features, adds);
        for (uint32_t row = 0; row < n; row++)
            sums[row] += adds[row];
        double ndcg = vt_ranking_ndcg(validation, sums, VT_BOOST_NDCG_AT);
        if (ndcg > best_ndcg) {
            best_ndcg = ndcg;
            best = tree + 1;
        }
    }
    free(sums);
    free(adds);
    VT_CHECK(best > 0, VT_EXHAUSTED, "out of memory for the validation of a ranker");
    boosted->validation_ndcg = best_ndcg;
    boosted->trees.n_trees = best;
    boosted->n_nodes = boosted->trees.starts[best];
    return vt_ok();
}

/* XGBoost's own prediction of the training rows is the flattened trees', to the bit. */
static struct vt_err compare(struct vt__booster *booster, const struct vt_boost_examples *examples,
                             const struct vt_boosted *boosted, struct vt_diag *diag)
{
    uint32_t n = examples->n_rows;
    float *theirs = calloc(n, 2 * sizeof *theirs);
    VT_CHECK(theirs != NULL, VT_EXHAUSTED, "out of memory for predictions");
    float *ours = theirs + n;
    vt_trees_predict(&boosted->trees, examples->features, n, examples->n_features, ours);
    struct vt_err err =
        vt__booster_predict(booster, examples->features, n, examples->n_features, diag, theirs);
    if (!vt_failed(err) && memcmp(theirs, ours, n * sizeof *ours) != 0)
        err = VT_ERR(VT_INTERNAL, "flattened trees differ from XGBoost's own prediction");
    free(theirs);
    return err;
}

static struct vt_err take_trees(struct vt__booster *booster, const struct vt_boost_examples *train,
                                struct vt_diag *diag, struct vt_boosted *ret_boosted)
{
    const char *text;
    size_t len;
    VT_TRY(vt__booster_json(booster, diag, &text, &len));
    VT_TRY(vt__boosted_flatten(text, len, diag, ret_boosted));
    ret_boosted->n_features = train->n_features;
    ret_boosted->validation_ndcg = (double)NAN;
    VT_TRY(vt_trees_check(&ret_boosted->trees, ret_boosted->n_nodes, train->n_features, diag));
    return compare(booster, train, ret_boosted, diag);
}

struct vt_err vt_boost_train(const struct vt_boost_examples *train,
                             const struct vt_boost_examples *validation,
                             const struct vt_boost_options *options, struct vt_diag *diag,
                             struct vt_boosted *ret_boosted)
{
    VT_TRY(check_options(options, diag));
    VT_TRY(check_examples(train, true, diag));
    if (validation != NULL) {
        VT_TRY(check_examples(validation, false, diag));
        VT_CHECK(validation->n_features == train->n_features, VT_INVALID,
                 "the validation part of a ranker has other features");
    }
    struct vt__booster *booster;
    struct vt_boosted boosted = {0};
    VT_TRY(vt__booster_train(train, options, diag, &booster));
    struct vt_err err = take_trees(booster, train, diag, &boosted);
    vt__booster_free(booster);
    if (!vt_failed(err) && validation != NULL)
        err = keep_best(validation, &boosted);
    if (vt_failed(err)) {
        vt_boosted_free(&boosted);
        return err;
    }
    *ret_boosted = boosted;
    return vt_ok();
}
