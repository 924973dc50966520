/* The boosted ranker: XGBoost's bits, what it learns, what it refuses. */
#include "models/dataset/mix.h"
#include "models/rank/boost.h"
#include "models/rank/xgboost.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 40, GROUP_ROWS = 25, ROWS = GROUPS * GROUP_ROWS, FEATURES = 5 };

struct sample {
    float features[ROWS][FEATURES], labels[ROWS];
    uint32_t sizes[GROUPS];
};

static float uniform(uint64_t *seed)
{
    *seed += VT_MIX64_STEP;
    return (float)(vt_mix64(*seed) >> 40) / (float)(1 << 24);
}

/* Wanted is what has a large first feature and a small second one; the last is often missing. */
static struct vt_boost_examples fill(struct sample *sample, uint64_t seed)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        float *features = sample->features[row];
        for (uint32_t f = 0; f < FEATURES; f++)
            features[f] = 4 * uniform(&seed) - 2;
        sample->labels[row] = features[0] - features[1] + uniform(&seed) > 2;
        if (uniform(&seed) < 0.4F)
            features[4] = NAN;
    }
    for (uint32_t group = 0; group < GROUPS; group++)
        sample->sizes[group] = GROUP_ROWS;
    return (struct vt_boost_examples){.features = &sample->features[0][0],
                                      .labels = sample->labels,
                                      .group_sizes = sample->sizes,
                                      .n_rows = ROWS,
                                      .n_groups = GROUPS,
                                      .n_features = FEATURES};
}

static struct vt_boost_options few_rounds(void)
{
    struct vt_boost_options options;
    vt_boost_options_default(&options);
    options.rounds = 30;
    options.depth = 5;
    options.leaf_weight = 0.01;
    return options;
}

/* Rows that training never saw: values of the training's thresholds, huge ones, NaN. */
static void flattened_trees_have_xgboosts_bits(void **state)
{
    (void)state;
    enum { PROBES = 3000 };
    static struct sample sample;
    static float probes[PROBES][FEATURES], theirs[PROBES], ours[PROBES];
    struct vt_boost_examples examples = fill(&sample, 1);
    struct vt_boost_options options = few_rounds();
    struct vt__booster *booster;
    struct vt_boosted flat;
    const char *text;
    size_t len;
    uint64_t seed = 99;
    for (uint32_t p = 0; p < PROBES; p++)
        for (uint32_t f = 0; f < FEATURES; f++) {
            float u = uniform(&seed);
            probes[p][f] = u < 0.2F    ? NAN
                           : u < 0.3F  ? sample.features[p % ROWS][f]
                           : u < 0.35F ? 1e30F * (uniform(&seed) - 0.5F)
                                       : 5 * uniform(&seed) - 2.5F;
        }
    assert_ok(vt__booster_train(&examples, &options, NULL, &booster));
    assert_ok(vt__booster_json(booster, NULL, &text, &len));
    assert_ok(vt__boosted_flatten(text, len, NULL, &flat));
    assert_ok(vt__booster_predict(booster, &probes[0][0], PROBES, FEATURES, NULL, theirs));
    vt_trees_predict(&flat.trees, &probes[0][0], PROBES, FEATURES, ours);
    assert_memory_equal(theirs, ours, sizeof ours);
    assert_true(flat.trees.n_trees == options.rounds && flat.n_nodes > 5 * options.rounds);
    vt_boosted_free(&flat);
    vt__booster_free(booster);
}

static void it_orders_what_it_never_saw(void **state)
{
    (void)state;
    static struct sample sample, unseen;
    static float scores[ROWS];
    struct vt_boost_examples train = fill(&sample, 1), test = fill(&unseen, 2);
    struct vt_boost_options options = few_rounds();
    struct vt_boosted boosted;
    assert_ok(vt_boost_train(&train, NULL, &options, NULL, &boosted));
    assert_true(isnan(boosted.validation_ndcg));
    assert_true(vt_ranking_ndcg(&test, scores, 5) < 0.4); /* all 0: by place */
    vt_trees_predict(&boosted.trees, test.features, ROWS, FEATURES, scores);
    assert_true(vt_ranking_ndcg(&test, scores, 5) > 0.85);
    vt_boosted_free(&boosted);
}

static void same_examples_same_trees(void **state)
{
    (void)state;
    static struct sample sample, held_out;
    struct vt_boost_examples train = fill(&sample, 1), validation = fill(&held_out, 2);
    struct vt_boost_options options = few_rounds();
    options.row_share = 0.7;
    options.feature_share = 0.6;
    struct vt_boosted first, second;
    assert_ok(vt_boost_train(&train, &validation, &options, NULL, &first));
    assert_ok(vt_boost_train(&train, &validation, &options, NULL, &second));
    assert_int_equal(first.n_nodes, second.n_nodes);
    assert_memory_equal(first.trees.nodes, second.trees.nodes,
                        first.n_nodes * VT_TREES_NODE_WORDS * sizeof(uint32_t));
    assert_memory_equal(first.trees.values, second.trees.values, first.n_nodes * sizeof(float));
    vt_boosted_free(&first);
    vt_boosted_free(&second);
}

/* The prefix that is kept has the best ndcg of all prefixes on the validation part. */
static void the_best_prefix_on_validation_is_kept(void **state)
{
    (void)state;
    static struct sample sample, held_out;
    static float scores[ROWS];
    struct vt_boost_examples train = fill(&sample, 1), validation = fill(&held_out, 2);
    struct vt_boost_options options = few_rounds();
    struct vt_boosted all, kept;
    options.learning_rate = 1; /* so that late trees do harm */
    assert_ok(vt_boost_train(&train, NULL, &options, NULL, &all));
    assert_ok(vt_boost_train(&train, &validation, &options, NULL, &kept));
    double best = -1;
    uint32_t best_n = 0;
    for (uint32_t n = 1; n <= all.trees.n_trees; n++) {
        struct vt_trees prefix = all.trees;
        prefix.n_trees = n;
        vt_trees_predict(&prefix, validation.features, ROWS, FEATURES, scores);
        double ndcg = vt_ranking_ndcg(&validation, scores, VT_BOOST_NDCG_AT);
        if (ndcg > best) {
            best = ndcg;
            best_n = n;
        }
    }
    assert_int_equal(kept.trees.n_trees, best_n);
    assert_true(fabs(kept.validation_ndcg - best) < 1e-12);
    assert_true(best_n < options.rounds);
    vt_boosted_free(&all);
    vt_boosted_free(&kept);
}

static void ndcg_is_that_of_the_definition(void **state)
{
    (void)state;
    static float labels[] = {0, 1, 0, 1, 1, 0, 0};
    static uint32_t sizes[] = {5, 2}; /* the second has nothing wanted: left out */
    const struct vt_boost_examples examples = {
        .labels = labels, .group_sizes = sizes, .n_rows = 7, .n_groups = 2};
    static const float scores[] = {0.9F, 0.5F, 0.5F, 0.1F, 0.7F, 1, 2};
    /* order: 0, 4, 1, 2, 3 */
    double expected = (1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4));
    assert_true(fabs(vt_ranking_ndcg(&examples, scores, 4) - expected) < 1e-12);
    assert_true(fabs(vt_ranking_ndcg(&examples, scores, 1)) < 1e-12);
}

/* ---- bad input ---- */

static void assert_refused(const struct vt_boost_examples *examples,
                           const struct vt_boost_options *options, const char *where)
{
    struct vt_diag diag = {0};
    struct vt_boosted boosted;
    assert_code(vt_boost_train(examples, NULL, options, &diag, &boosted), VT_INVALID);
    assert_non_null(strstr(diag.field, where));
    assert_true(diag.text[0] != '\0');
}

static void examples_of_one_class_are_refused(void **state)
{
    (void)state;
    static struct sample sample;
    struct vt_boost_examples examples = fill(&sample, 1);
    struct vt_boost_options options = few_rounds();
    memset(sample.labels, 0, sizeof sample.labels);
    assert_refused(&examples, &options, "examples");
    for (uint32_t row = 0; row < ROWS; row++)
        sample.labels[row] = 1;
    assert_refused(&examples, &options, "examples");
}

static void bad_features_and_labels_are_refused_with_their_place(void **state)
{
    (void)state;
    static struct sample sample;
    struct vt_boost_examples examples = fill(&sample, 1);
    struct vt_boost_options options = few_rounds();
    sample.features[17][3] = -INFINITY;
    assert_refused(&examples, &options, "examples[17].features[3]");
    for (uint32_t row = 0; row < ROWS; row++)
        sample.features[row][3] = NAN;
    assert_refused(&examples, &options, "features[3]");
    fill(&sample, 1);
    static const float labels[] = {-1, 32, NAN, INFINITY};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        sample.labels[9] = labels[i];
        assert_refused(&examples, &options, "examples[9].label");
    }
}

static void shapes_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    static struct sample sample;
    struct vt_boost_examples examples = fill(&sample, 1);
    struct vt_boost_options options = few_rounds();
    examples.n_rows--;
    assert_refused(&examples, &options, "examples");
    examples.n_rows = examples.n_groups = 0;
    assert_refused(&examples, &options, "examples");
    examples = fill(&sample, 1);
    options.depth = 0;
    assert_refused(&examples, &options, "depth");
    options.depth = VT_BOOST_DEPTH_MAX + 1;
    assert_refused(&examples, &options, "depth");
    options = few_rounds();
    options.learning_rate = NAN;
    assert_refused(&examples, &options, "learning_rate");
}

/* Two rows are the least there is to learn from. */
static void two_rows_train(void **state)
{
    (void)state;
    static const float features[] = {0, 1}, labels[] = {0, 1};
    static const uint32_t sizes[] = {2};
    const struct vt_boost_examples two = {features, labels, sizes, 2, 1, 1};
    struct vt_boost_options options = few_rounds();
    struct vt_boosted boosted;
    assert_ok(vt_boost_train(&two, &two, &options, NULL, &boosted));
    assert_true(boosted.trees.n_trees >= 1);
    vt_boosted_free(&boosted);
}

static bool stop_at_three(void *ctx, uint32_t done, uint32_t total)
{
    assert_int_equal(total, 30);
    *(uint32_t *)ctx = done;
    return done < 3;
}

static void progress_ends_training(void **state)
{
    (void)state;
    static struct sample sample;
    uint32_t done = 0;
    struct vt_boost_examples examples = fill(&sample, 1);
    struct vt_boost_options options = few_rounds();
    struct vt_boosted boosted;
    options.progress = stop_at_three;
    options.progress_ctx = &done;
    assert_code(vt_boost_train(&examples, NULL, &options, NULL, &boosted), VT_CANCELLED);
    assert_int_equal(done, 3);
}

/* What is no model is refused, whatever is wrong with it. */
static void text_that_is_no_model_is_refused(void **state)
{
    (void)state;
#define MODEL(tree_) "{\"learner\":{\"gradient_booster\":{\"model\":{\"trees\":[" tree_ "]}}}}"
#define TREE(left_, right_, feature_, value_)                                                      \
    MODEL("{\"left_children\":" left_ ",\"right_children\":" right_ ",\"split_indices\":" feature_ \
          ",\"split_conditions\":" value_ ",\"default_left\":[0,0,0]}")
    static const char *const wrong[] = {
        "",
        "{}",
        MODEL(""),
        MODEL("7"),
        TREE("[1,-1]", "[2,-1,-1]", "[0,0,0]", "[0.5,1,2]"),
        TREE("[1,-1,-1]", "[3,-1,-1]", "[0,0,0]", "[0.5,1,2]"), /* no node 3 */
        TREE("[0,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0.5,1,2]"), /* a ring */
        TREE("[1,-1,-1]", "[2,-1,-1]", "[256,0,0]", "[0.5,1,2]"),
        TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0.5,1e99,2]"),
    };
    static const char right[] = TREE("[1,-1,-1]", "[2,-1,-1]", "[0,0,0]", "[0.5,1,2]");
    struct vt_boosted boosted;
    assert_ok(vt__boosted_flatten(right, strlen(right), NULL, &boosted));
    vt_boosted_free(&boosted);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_code(vt__boosted_flatten(wrong[i], strlen(wrong[i]), NULL, &boosted), VT_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flattened_trees_have_xgboosts_bits),
        cmocka_unit_test(it_orders_what_it_never_saw),
        cmocka_unit_test(same_examples_same_trees),
        cmocka_unit_test(the_best_prefix_on_validation_is_kept),
        cmocka_unit_test(ndcg_is_that_of_the_definition),
        cmocka_unit_test(examples_of_one_class_are_refused),
        cmocka_unit_test(bad_features_and_labels_are_refused_with_their_place),
        cmocka_unit_test(shapes_that_do_not_add_up_are_refused),
        cmocka_unit_test(two_rows_train),
        cmocka_unit_test(progress_ends_training),
        cmocka_unit_test(text_that_is_no_model_is_refused),
    };
    return cmocka_run_group_tests_name("rank/boost", tests, NULL, NULL);
}
