/*
 * The order of work: cut, learn, measure, decide. Both versions of the past are trained by the
 * recipe of the version that will serve, so the ranker meets in use what it has learnt on: sources
 * that have not seen what they are asked about.
 */
#include "services/node/ranker_learn.h"

#include "models/dataset/mix.h"
#include "services/node/ranker_examples.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERIODS = 3, CUSTOMERS_MIN = 50 /* with a hit among their candidates: fewer are chance */ };
#define SURE 0.05 /* p below which a gain is not chance */

void vt_ranker_boost_options(struct vt_boost_options *ret_options)
{
    vt_boost_options_default(ret_options);
    ret_options->rounds = 60;
    ret_options->depth = 4;
    ret_options->learning_rate = 0.1;
}

void vt_ranker_free(struct vt_ranker *ranker)
{
    vt_boosted_free(&ranker->boosted);
    vt_calibration_free(&ranker->calibration);
    *ranker = (struct vt_ranker){0};
}

uint64_t vt_ranker_memory_bytes(uint64_t n_interactions)
{
    const uint64_t row = (VT_RANK_FEATURES_MAX + 2) * sizeof(float);
    const uint64_t rows = (uint64_t)VT_RANKER_PEOPLE_MAX * VT_RANKER_CANDIDATES;
    /* Periods, people and their sorted copies; rows with XGBoost's own of them. */
    return n_interactions * (3 * sizeof(struct vt_interaction) + 32) + 3 * rows * row;
}

/* ---- periods ---- */

struct periods {
    struct vt_interaction *list; /* owned: one period after the other */
    uint64_t ends[PERIODS];
    int64_t now_ms[PERIODS]; /* the newest event up to the end of each */
};

struct timed {
    int64_t time_ms;
    uint64_t place;
};

static int older_first(const void *a, const void *b)
{
    const struct timed *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static struct vt_err order_by_time(const struct vt_ranker_input *input, struct periods *periods)
{
    struct timed *order = malloc((input->n + 1) * sizeof *order);
    VT_CHECK(order != NULL, VT_EXHAUSTED, "out of memory for the periods of a ranker");
    for (uint64_t i = 0; i < input->n; i++)
        order[i] = (struct timed){input->interactions[i].time_ms, i};
    qsort(order, input->n, sizeof *order, older_first);
    for (uint64_t i = 0; i < input->n; i++)
        periods->list[i] = input->interactions[order[i].place];
    free(order);
    uint64_t n_period = (uint64_t)((double)input->n * input->options->test_share);
    periods->ends[0] = input->n - 2 * n_period;
    periods->ends[1] = input->n - n_period;
    periods->ends[2] = input->n;
    return vt_ok();
}

/* By pair, so that repeats of a pair stay together. */
static unsigned period_of(const struct vt_ranker_input *input, const struct vt_interaction *pair)
{
    uint64_t hash =
        vt_mix64(vt_mix64(input->options->algorithm_options.seed ^ pair->user) + pair->item);
    double place = (double)(hash >> 11) * 0x1p-53, share = input->options->test_share;
    return place < share ? 2 : place < 2 * share ? 1 : 0;
}

static void order_by_hash(const struct vt_ranker_input *input, struct periods *periods)
{
    uint64_t at = 0;
    for (unsigned period = 0; period < PERIODS; period++) {
        for (uint64_t i = 0; i < input->n; i++)
            if (period_of(input, &input->interactions[i]) == period)
                periods->list[at++] = input->interactions[i];
        periods->ends[period] = at;
    }
}

static struct vt_err cut(const struct vt_ranker_input *input, struct periods *ret)
{
    int64_t newest_ms = 0;
    uint64_t at = 0;
    ret->list = malloc((input->n + 1) * sizeof *ret->list);
    VT_CHECK(ret->list != NULL, VT_EXHAUSTED, "out of memory for the periods of a ranker");
    if (input->options->protocol == VT_PROTOCOL_TIME)
        VT_TRY(order_by_time(input, ret));
    else
        order_by_hash(input, ret);
    for (unsigned period = 0; period < PERIODS; period++) {
        for (; at < ret->ends[period]; at++)
            newest_ms = ret->list[at].time_ms > newest_ms ? ret->list[at].time_ms : newest_ms;
        ret->now_ms[period] = newest_ms;
    }
    return vt_ok();
}

/* ---- a moment: the end of one period, and what the next says of it ---- */

static struct vt_err open_past(const struct vt_ranker_input *input, const struct periods *periods,
                               unsigned period, const struct vt_bundle_ranker *ranker,
                               struct vt_diag *diag, struct vt_ranker_past *ret_past)
{
    const struct vt_ranker_past_input past = {
        .known = periods->list,
        .n_known = periods->ends[period],
        .catalog = input->catalog,
        .now_ms = periods->now_ms[period],
        .options = input->options,
        .settled = input->settled,
        .ranker = ranker,
        .folder = input->folder,
    };
    return vt_ranker_past_open(&past, diag, ret_past);
}

static struct vt_err find_people(const struct vt_ranker_input *input, const struct periods *periods,
                                 unsigned period, struct vt_ranker_people *ret_people)
{
    const uint64_t end = periods->ends[period];
    const struct vt_ranker_people_options options = {
        .event_weights = input->options->dataset.event_weights,
        .history_max = input->options->served_history_max,
        .people_max = VT_RANKER_PEOPLE_MAX,
        .seed = input->options->algorithm_options.seed,
    };
    return vt_ranker_people_make(periods->list, end, periods->list + end,
                                 periods->ends[period + 1] - end, &options, ret_people);
}

/* ---- learning ---- */

static bool on_round(void *ctx, uint32_t done, uint32_t total)
{
    const struct vt_train_options *options = ctx;
    options->progress(options->progress_ctx, "learning to rank", done, total);
    return options->stop_wanted == NULL || !options->stop_wanted(options->progress_ctx);
}

static bool has_both_kinds(const struct vt_boost_examples *examples)
{
    uint32_t n_wanted = 0;
    for (uint32_t row = 0; row < examples->n_rows; row++)
        n_wanted += examples->labels[row] > 0 ? 1 : 0;
    return n_wanted > 0 && n_wanted < examples->n_rows;
}

static struct vt_err calibrate(const struct vt_boost_examples *examples, struct vt_diag *diag,
                               struct vt_ranker *ranker)
{
    if (!has_both_kinds(examples))
        return vt_ok();
    float *scores = calloc(examples->n_rows, sizeof *scores);
    VT_CHECK(scores != NULL, VT_EXHAUSTED, "out of memory for a calibration");
    vt_trees_predict(&ranker->boosted.trees, examples->features, examples->n_rows,
                     examples->n_features, scores);
    struct vt_err err =
        vt_calibration_fit(scores, examples->labels, examples->n_rows, diag, &ranker->calibration);
    free(scores);
    return err;
}

static struct vt_err check_enough(uint32_t n_customers, struct vt_diag *diag)
{
    if (n_customers >= CUSTOMERS_MIN)
        return vt_ok();
    vt_diag_set(diag, "ranker",
                "%" PRIu32 " customers wanted a candidate afterwards, %d are needed", n_customers,
                CUSTOMERS_MIN);
    return VT_ERR(VT_INVALID, "too few examples for a ranker");
}

static struct vt_err learn_trees(const struct vt_ranker_input *input,
                                 const struct vt_ranker_examples *examples, struct vt_diag *diag,
                                 struct vt_ranker *ranker)
{
    struct vt_boost_options boost;
    const struct vt_boost_examples *choose = &examples->part[VT_RANKER_CHOOSE];
    VT_TRY(check_enough(examples->part[VT_RANKER_LEARN].n_groups, diag));
    vt_ranker_boost_options(&boost);
    boost.seed = input->options->algorithm_options.seed;
    boost.progress = input->options->progress != NULL ? on_round : NULL;
    boost.progress_ctx = (void *)(uintptr_t)input->options; /* only read there */
    VT_TRY(vt_boost_train(&examples->part[VT_RANKER_LEARN], has_both_kinds(choose) ? choose : NULL,
                          &boost, diag, &ranker->boosted));
    ranker->features = examples->features;
    ranker->n_customers = examples->part[VT_RANKER_LEARN].n_groups;
    return calibrate(&examples->part[VT_RANKER_CALIBRATE], diag, ranker);
}

static struct vt_err learn_from(const struct vt_ranker_input *input, const struct periods *periods,
                                const struct vt_ranker_past *past, struct vt_diag *diag,
                                struct vt_ranker *ranker)
{
    struct vt_ranker_people people = {0};
    struct vt_ranker_examples examples = {0};
    VT_TRY(find_people(input, periods, 0, &people));
    struct vt_err err = vt_ranker_examples_make(
        past, &people, input->options->algorithm_options.threads, diag, &examples);
    vt_ranker_people_free(&people);
    if (!vt_failed(err))
        err = learn_trees(input, &examples, diag, ranker);
    vt_ranker_examples_free(&examples);
    return err;
}

static struct vt_err learn(const struct vt_ranker_input *input, const struct periods *periods,
                           struct vt_diag *diag, struct vt_ranker *ranker)
{
    struct vt_ranker_past past;
    VT_TRY(open_past(input, periods, 0, NULL, diag, &past));
    struct vt_err err = learn_from(input, periods, &past, diag, ranker);
    vt_ranker_past_close(&past);
    return err;
}

/* ---- measuring ---- */

static struct vt_err measure_on(const struct vt_ranker_input *input, const struct periods *periods,
                                const struct vt_ranker_past *past, struct vt_ranker *ranker)
{
    struct vt_ranker_people people = {0};
    VT_TRY(find_people(input, periods, 1, &people));
    ranker->n_measured = people.n;
    struct vt_err err =
        vt_ranker_measure(past, &people, &ranker->calibration, input->options->k,
                          input->options->algorithm_options.threads, &ranker->measured);
    vt_ranker_people_free(&people);
    return err;
}

static struct vt_err measure(const struct vt_ranker_input *input, const struct periods *periods,
                             struct vt_diag *diag, struct vt_ranker *ranker)
{
    const struct vt_bundle_ranker part = vt_ranker_part(ranker);
    struct vt_ranker_past past;
    VT_TRY(open_past(input, periods, 1, &part, diag, &past));
    struct vt_err err = measure_on(input, periods, &past, ranker);
    vt_ranker_past_close(&past);
    return err;
}

/* ---- deciding ---- */

static void tell(const struct vt_ranker_input *input, const char *text)
{
    if (input->options->notice != NULL)
        input->options->notice(input->options->progress_ctx, text);
}

static void decide(const struct vt_ranker_input *input, struct vt_ranker *ranker)
{
    const struct vt_paired_difference *ndcg = &ranker->measured.ndcg;
    const bool better =
        ranker->n_measured > 0 && ndcg->p_better < SURE && ranker->measured.recall.p_worse >= SURE;
    char line[VT_DIAG_TEXT_BYTES];
    ranker->serves = better || input->keep_losing;
    snprintf(line, sizeof line,
             "ranker: %" PRIu32 " trees on %" PRIu32 " features, learnt from %" PRIu32
             " customers; of %" PRIu32
             " afterwards ndcg %.4f with it, %.4f without: %+.4f (95 %% %+.4f to %+.4f): %s",
             ranker->boosted.trees.n_trees, ranker->features.n, ranker->n_customers,
             ranker->n_measured, ndcg->mean_a, ndcg->mean_b, ndcg->difference.mean,
             ndcg->difference.low, ndcg->difference.high,
             better           ? "it serves"
             : ranker->serves ? "no sure gain, kept by --no-gate"
                              : "no sure gain, the version goes without");
    tell(input, line);
}

static struct vt_err run(const struct vt_ranker_input *input, struct periods *periods,
                         struct vt_diag *diag, struct vt_ranker *ranker)
{
    char line[VT_DIAG_TEXT_BYTES];
    VT_TRY(cut(input, periods));
    struct vt_err err = learn(input, periods, diag, ranker);
    if (err.code == VT_INVALID || err.code == VT_PRECONDITION) { /* too little data */
        snprintf(line, sizeof line, "no ranker: %s. %.200s", err.what,
                 diag != NULL ? diag->text : "");
        tell(input, line);
        vt_diag_clear(diag);
        vt_ranker_free(ranker);
        return vt_ok();
    }
    VT_TRY(err);
    VT_TRY(measure(input, periods, diag, ranker));
    decide(input, ranker);
    return vt_ok();
}

struct vt_err vt_ranker_learn(const struct vt_ranker_input *input, struct vt_diag *diag,
                              struct vt_ranker *ret_ranker)
{
    struct periods periods = {0};
    struct vt_ranker ranker = {0};
    struct vt_err err = run(input, &periods, diag, &ranker);
    free(periods.list);
    if (vt_failed(err))
        vt_ranker_free(&ranker);
    else
        *ret_ranker = ranker;
    return err;
}

/* ---- into the version ---- */

struct vt_bundle_ranker vt_ranker_part(const struct vt_ranker *ranker)
{
    const struct vt_trees *trees = &ranker->boosted.trees;
    return (struct vt_bundle_ranker){
        .n_trees = trees->n_trees,
        .starts = trees->starts,
        .nodes = trees->nodes,
        .values = trees->values,
        .features = ranker->features,
        .calibration = ranker->calibration.scores, /* probabilities stand behind them */
        .n_knots = ranker->calibration.n,
    };
}

static void add_metric(struct vt_train_result *result, const char *name, double value)
{
    if (isnan(value) || result->view.n_metrics == VT_BUNDLE_METRICS_MAX)
        return;
    struct vt_bundle_metric *metric = &result->metrics[result->view.n_metrics++];
    snprintf(metric->name, sizeof metric->name, "%s", name);
    metric->value = value;
}

void vt_ranker_put(const struct vt_ranker *ranker, struct vt_train_result *result)
{
    const struct vt_ranker_measured *measured = &ranker->measured;
    if (ranker->n_customers == 0)
        return;
    add_metric(result, "ranker_ndcg", measured->ndcg.mean_a);
    add_metric(result, "ranker_recall", measured->recall.mean_a);
    add_metric(result, "ranker_blend_ndcg", measured->ndcg.mean_b);
    add_metric(result, "ranker_blend_recall", measured->recall.mean_b);
    add_metric(result, "ranker_calibration_error", measured->calibration_error);
    add_metric(result, "ranker_customers", ranker->n_customers);
    add_metric(result, "ranker_trees", ranker->serves ? ranker->boosted.trees.n_trees : 0);
    if (ranker->serves)
        result->view.ranker = vt_ranker_part(ranker);
}
