/*
 * Training in two passes over the same data. The first sees the past only, up to the held-out
 * newest part, and is measured in the form that serves: from each customer's newest events. The
 * second sees everything and becomes the model. Item neighbours and popularity are always made:
 * they are sources of candidates beside the factors, and what is left when there are none.
 */
#include "models/factor/moments.h"
#include "models/kernels/kernels.h"
#include "models/popularity/popularity.h"
#include "models/train/report_data.h"
#include "models/train/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vt_train_options_default(struct vt_train_options *ret_options)
{
    *ret_options = (struct vt_train_options){
        .algorithm = vt_algorithm_find("ials", NULL),
        .served_history_max = VT_HISTORY_MAX,
        .protocol = VT_PROTOCOL_TIME,
        .test_share = 0.1,
        .k = 20,
        .patience = 6,
        .checkpoint_every_ms = 10000,
    };
    vt_algorithm_options_default(&ret_options->algorithm_options);
    vt_dataset_options_default(&ret_options->dataset);
}

void vt_train_result_free(struct vt_train_result *result)
{
    vt_trained_free(&result->trained);
    vt_ials_model_free(result->imported);
    free(result->imported);
    vt_item_kernel_free(&result->neighbors);
    vt_dataset_free(&result->dataset);
    vt_held_out_free(&result->held_out);
    vt_train_goods_free(&result->goods);
    free(result->factor_moments);
    free(result->popularity);
    free(result->page);
    *result = (struct vt_train_result){0};
}

/* ---- the model of everything ---- */

static struct vt_err check_enough(const struct vt_dataset *dataset, struct vt_diag *diag)
{
    const struct vt_sparse *matrix = &dataset->matrix;
    if (matrix->n_entries > 0 && matrix->n_rows >= 2 && matrix->n_cols >= 2)
        return vt_ok();
    vt_diag_set(
        diag, "",
        "too little to learn from: %" PRIu32 " customers, %" PRIu32 " items, %" PRIu64
        " interactions that count; at least 2 customers and 2 items are needed%s. Import more "
        "events and train again; what serves now stays",
        matrix->n_rows, matrix->n_cols, matrix->n_entries,
        matrix->n_rows >= 2 && matrix->n_cols >= 2
            ? ", and one event of a type whose weight is above 0 (--weight)"
            : "");
    return VT_ERR(VT_PRECONDITION, "too little to learn from");
}

static struct vt_err build_dataset(const struct vt_interaction *interactions, uint64_t n,
                                   const struct vt_train_options *options, struct vt_diag *diag,
                                   struct vt_train_result *result)
{
    if (n > 0)
        VT_TRY(vt_dataset_build(interactions, n, &options->dataset, diag, &result->dataset));
    return check_enough(&result->dataset, diag);
}

/* The item neighbours stand beside every family: similar items and reasons come from them. */
static struct vt_err train_neighbors(const struct vt_sparse *matrix,
                                     const struct vt_train_options *options, struct vt_diag *diag,
                                     struct vt_train_result *result)
{
    struct vt_neighbor_options neighbor = options->algorithm_options.neighbor;
    neighbor.threads = options->algorithm_options.threads;
    if (result->trained.neighbors != NULL)
        return vt_ok();
    return vt_neighbor_train(matrix, &neighbor, diag, &result->neighbors);
}

/* A warm training of everything, where the measured one had to be cold: the factors only have to
 * follow what is new. The gate compares what comes of it. */
static uint32_t warm_iterations(const struct vt_held_out *held_out, uint32_t measured)
{
    return held_out->parent_has_seen ? (measured + 1) / 2 : measured;
}

/* Factors, with checkpoints on the way. */
static struct vt_err train_factors(const struct vt_train_options *options, struct vt__stage *stage,
                                   struct vt_diag *diag, struct vt_train_result *result)
{
    const struct vt_dataset *dataset = &result->dataset;
    struct vt__watch watch = {.options = options,
                              .stage = stage,
                              .matrix = &dataset->matrix,
                              .checkpoint_name = VT__CHECKPOINT_FINAL,
                              .iterations = options->algorithm_options.ials.iterations};
    float *warm = NULL;
    if (vt_train_warm_possible(options)) {
        VT_TRY(vt__warm_start(options->parent, dataset->item_ids, dataset->matrix.n_cols, &warm));
        watch.start_items = warm;
        watch.start_stride = options->parent->factor_stride;
    }
    struct vt_err err = vt__watch_begin(&watch);
    if (!vt_failed(err))
        err = vt__watch_train(&watch, diag, &result->trained);
    vt__watch_fini(&watch);
    free(warm);
    return err;
}

/* A family that searches has done so for the measured training: the same recipe makes the model of
 * everything, so what was measured is what serves, and the search is paid for once. */
static struct vt_err train_plain(const struct vt_train_options *options, struct vt__stage *stage,
                                 struct vt_diag *diag, struct vt_train_result *result)
{
    const struct vt_algorithm *algorithm = options->algorithm;
    struct vt_algorithm_options training = vt__observed_by(stage, options);
    if (result->settled.n_settings > 0)
        VT_TRY(vt_settled_apply(&result->settled, diag, &algorithm, &training));
    VT_TRY(vt__train_stage(stage, algorithm, &result->dataset.matrix, &training, diag,
                           &result->trained));
    if (result->settled.n_settings == 0) /* too few events to measure on */
        result->settled = result->trained.settled;
    return vt_ok();
}

static struct vt_err train_model(const struct vt_train_options *options, struct vt__stage *stage,
                                 struct vt_diag *diag, struct vt_train_result *result)
{
    return vt__watch_can(options->algorithm) ? train_factors(options, stage, diag, result)
                                             : train_plain(options, stage, diag, result);
}

static struct vt_err train_sources(const struct vt_train_options *options, struct vt__stage *stage,
                                   struct vt_diag *diag, struct vt_train_result *result)
{
    const struct vt_sparse *matrix = &result->dataset.matrix;
    VT_TRY(train_model(options, stage, diag, result));
    VT_TRY(train_neighbors(matrix, options, diag, result));
    result->popularity = calloc(matrix->n_cols, sizeof *result->popularity);
    VT_CHECK(result->popularity != NULL, VT_EXHAUSTED, "out of memory for popularity");
    return vt_popularity_train(matrix, result->popularity);
}

/* ---- the content of the bundle ---- */

static void add_text(void *ctx, const char *name, const char *value)
{
    struct vt_train_result *result = ctx;
    VT_ASSERT(result->view.n_parameters < VT_BUNDLE_PARAMETERS_MAX);
    struct vt_bundle_parameter *parameter = &result->parameters[result->view.n_parameters++];
    snprintf(parameter->name, sizeof parameter->name, "%s", name);
    snprintf(parameter->value, sizeof parameter->value, "%s", value);
}

static void add_parameter(struct vt_train_result *result, const char *name, double value)
{
    char text[VT_SETTING_BYTES];
    snprintf(text, sizeof text, "%.15g", value);
    add_text(result, name, text);
}

/* What a search came to, so that `--algorithm` and `--set` make the same again. */
static void add_settled(struct vt_train_result *result)
{
    const struct vt_settled *settled = &result->settled;
    add_text(result, "settled_on", settled->algorithm);
    for (uint32_t i = 0; i < settled->n_settings; i++) {
        const char *setting = settled->settings[i], *value = strchr(setting, '=') + 1;
        char key[VT_SETTING_BYTES];
        snprintf(key, sizeof key, "%.*s", (int)(value - 1 - setting), setting);
        add_text(result, key, value);
    }
}

static void add_parameters(struct vt_train_result *result, const struct vt_train_options *options)
{
    if (result->settled.n_settings > 0)
        add_settled(result);
    else
        vt_algorithm_settings(options->algorithm, &options->algorithm_options, add_text, result);
    if (options->chosen != NULL)
        add_text(result, "chosen", options->chosen);
    add_parameter(result, "seed", (double)options->algorithm_options.seed);
    add_parameter(result, "test_share", options->test_share);
    add_parameter(result, "k", options->k);
}

static struct vt_err add_moments(const struct vt_train_options *options,
                                 struct vt_train_result *result)
{
    const struct vt_ials_model *factors = result->trained.factors;
    if (factors == NULL)
        return vt_ok();
    const struct vt_factor_rows rows = {factors->item_factors, factors->n_items, factors->dim,
                                        factors->row_stride};
    result->factor_moments =
        calloc((size_t)(rows.dim + 1) * rows.dim, sizeof *result->factor_moments);
    VT_CHECK(result->factor_moments != NULL, VT_EXHAUSTED, "out of memory for moments");
    return vt_factor_moments(&rows, options->algorithm_options.threads, result->factor_moments);
}

static void fill_factors(struct vt_bundle_view *view, const struct vt_ials_model *model)
{
    view->dim = model->dim;
    view->factor_stride = model->row_stride;
    view->item_factors = model->item_factors;
    view->gram = model->gram;
    view->regularization = model->regularization;
    view->regularization_exponent = model->regularization_exponent;
    view->unobserved_weight = model->unobserved_weight;
}

static struct vt_csr csr_of(const struct vt_item_kernel *kernel)
{
    return (struct vt_csr){kernel->n_items, kernel->starts, kernel->columns, kernel->values};
}

static void fill_view(struct vt_train_result *result, const struct vt_train_options *options)
{
    struct vt_bundle_view *view = &result->view;
    const struct vt_dataset *dataset = &result->dataset;
    add_parameters(result, options);
    view->version = result->version;
    view->parent = result->parent;
    view->algorithm = vt_algorithm_name(options->algorithm);
    view->blas = vt_kernels_blas_core();
    view->n_users = dataset->matrix.n_rows;
    view->n_interactions = dataset->matrix.n_entries;
    view->n_items = dataset->matrix.n_cols;
    view->item_numbers = dataset->item_ids;
    view->first_time_ms = dataset->first_time_ms;
    view->last_time_ms = dataset->last_time_ms;
    view->decay_half_life_days = options->dataset.decay_half_life_days;
    memcpy(view->event_weights, options->dataset.event_weights, sizeof view->event_weights);
    memcpy(view->value_exponents, options->dataset.value_exponents, sizeof view->value_exponents);
    view->neighbors =
        csr_of(result->trained.neighbors != NULL ? result->trained.neighbors : &result->neighbors);
    view->popularity = result->popularity;
    view->metrics = result->metrics;
    view->parameters = result->parameters;
    view->mix = (struct vt_bundle_mix){
        .factor = result->trained.mix.weight[VT_MEMBER_FACTOR],
        .kernel = result->trained.mix.weight[VT_MEMBER_KERNEL],
        .neighbor = result->trained.mix.weight[VT_MEMBER_NEIGHBOR],
        .popular = result->trained.mix.weight[VT_MEMBER_POPULAR],
    };
    view->kernel_name = "";
    if (result->trained.kernel != NULL) {
        view->kernel = csr_of(result->trained.kernel);
        view->kernel_name = vt_algorithm_name(options->algorithm);
    }
    if (result->trained.factors != NULL)
        fill_factors(view, result->trained.factors);
    view->factor_moments = result->factor_moments;
    view->curve = &result->curve.points[0].iteration;
    view->n_curve = result->curve.n;
}

static struct vt_err run_stages(const struct vt_train_input *input,
                                const struct vt_train_options *options, struct vt__stage *stage,
                                struct vt_diag *diag, struct vt_train_result *result)
{
    VT_TRY(build_dataset(input->interactions, input->n, options, diag, result));
    struct vt_train_options rest = *options;
    uint32_t *iterations = &rest.algorithm_options.ials.iterations;
    stage->name = "measuring on held-out events";
    VT_TRY(vt__measure(input, options, stage, diag, result, iterations));
    if (vt_train_warm_possible(options))
        *iterations = warm_iterations(&result->held_out, *iterations);
    stage->name = "training on all events";
    VT_TRY(train_sources(&rest, stage, diag, result));
    VT_TRY(add_moments(&rest, result));
    fill_view(result, &rest);
    VT_TRY(vt__train_goods(input, &rest, diag, result));
    return vt__train_report(input, &rest, result);
}

struct vt_err vt_train_check_serves(const struct vt_algorithm *algorithm, struct vt_diag *diag)
{
    if (vt_algorithm_serves(algorithm))
        return vt_ok();
    vt_diag_set(diag, "algorithm",
                "%s is there for comparison in `vitrine evaluate`: it cannot "
                "serve. Choose another",
                vt_algorithm_name(algorithm));
    return VT_ERR(VT_INVALID, "the algorithm cannot serve");
}

struct vt_err vt_train_run(const struct vt_train_input *input,
                           const struct vt_train_options *options, struct vt_diag *diag,
                           struct vt_train_result *ret_result)
{
    struct vt__stage stage = {
        .fn = options->progress, .stop_wanted = options->stop_wanted, .ctx = options->progress_ctx};
    VT_TRY(vt_train_check_serves(options->algorithm, diag));
    struct vt_err err = run_stages(input, options, &stage, diag, ret_result);
    if (vt_failed(err))
        vt_train_result_free(ret_result);
    return err;
}
