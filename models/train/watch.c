/*
 * Watching a training of factors. After every second iteration the watched customers are asked, as
 * serving would ask: a Gram matrix of the factors as they are, a fold-in for each, every item
 * scored. The best factors are kept, since the iterations that show that it got no better come
 * after them. A training that ends early, or is resumed, has the same bytes as one that was told to
 * do so many iterations: nothing here changes what an iteration computes.
 */
#include "models/train/watch.h"

#include "models/dataset/split.h"
#include "models/train/factor_gram.h"
#include "models/train/fingerprint.h"
#include "models/train/served.h"
#include "services/common/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURE_EVERY = 2 };

bool vt__watch_can(const struct vt_algorithm *algorithm)
{
    return strcmp(vt_algorithm_name(algorithm), "ials") == 0;
}

void vt__watch_fini(struct vt__watch *watch)
{
    vt_train_checkpoint_free(&watch->state);
}

static void tell(const struct vt__watch *watch, const char *text)
{
    if (watch->options->notice != NULL)
        watch->options->notice(watch->options->progress_ctx, text);
}

/* ---- resuming ---- */

static bool is_ours(const struct vt__watch *watch, const struct vt_train_checkpoint *checkpoint)
{
    return checkpoint->fingerprint == watch->state.fingerprint &&
           checkpoint->n_items == watch->matrix->n_cols &&
           checkpoint->dim == watch->options->algorithm_options.ials.factors &&
           (checkpoint->complete || checkpoint->iteration < watch->iterations) &&
           (!checkpoint->complete || checkpoint->best != NULL || watch->held_out == NULL);
}

static void tell_resumed(const struct vt__watch *watch)
{
    char text[160];
    snprintf(text, sizeof text, "%s: going on from its checkpoint after iteration %" PRIu32,
             watch->stage->name, watch->state.iteration);
    tell(watch, text);
}

static void take_up(struct vt__watch *watch, struct vt_train_checkpoint *checkpoint)
{
    if (!is_ours(watch, checkpoint)) {
        tell(watch, "the checkpoint of another training (other events or settings) is ignored");
        vt_train_checkpoint_free(checkpoint);
        return;
    }
    watch->state = *checkpoint;
    for (uint32_t i = 0; i < watch->state.curve.n; i++)
        if (watch->state.curve.points[i].held_out_ndcg > watch->best_ndcg)
            watch->best_ndcg = watch->state.curve.points[i].held_out_ndcg;
    tell_resumed(watch);
}

static void find_checkpoint(struct vt__watch *watch)
{
    struct vt_diag diag = {0};
    struct vt_train_checkpoint checkpoint;
    struct vt_err err = vt_train_checkpoint_read(watch->path, &diag, &checkpoint);
    if (!vt_failed(err))
        take_up(watch, &checkpoint);
    else if (err.code != VT_NOT_FOUND)
        tell(watch, diag.text[0] != '\0' ? diag.text : "a checkpoint cannot be read: ignored");
}

static uint64_t fingerprint_of(const struct vt__watch *watch)
{
    const struct vt_train_options *options = watch->options;
    /* A training that ended would go on with more iterations, or more patience. */
    const float ends[] = {(float)watch->iterations, (float)options->patience};
    uint64_t fingerprint = vt_train_factors_fingerprint(watch->matrix, options->algorithm,
                                                        &options->algorithm_options);
    fingerprint = vt_train_mix_floats(fingerprint, ends, sizeof ends / sizeof ends[0]);
    /* A warm start is another training than a cold one, and from other factors another again. */
    return watch->start_items != NULL
               ? vt_train_mix_floats(fingerprint, watch->start_items,
                                     (uint64_t)watch->matrix->n_cols * watch->start_stride)
               : fingerprint;
}

struct vt_err vt__watch_begin(struct vt__watch *watch)
{
    const char *dir = watch->options->checkpoint_dir;
    watch->err = vt_ok();
    watch->best_ndcg = -1;
    watch->written_ns = vt_clock_monotonic_ns(vt_clock_system());
    watch->state.fingerprint = fingerprint_of(watch);
    if (dir == NULL)
        return vt_ok();
    int n = snprintf(watch->path, sizeof watch->path, "%s/%s", dir, watch->checkpoint_name);
    VT_CHECK(n > 0 && (size_t)n < sizeof watch->path, VT_INVALID,
             "path of the data folder is too long");
    find_checkpoint(watch);
    return vt_ok();
}

/* ---- asking the watched customers ---- */

/* Factors as a bundle would hold them. `gram` is dim × dim, owned by the caller. */
static struct vt_bundle_view view_of(const struct vt__watch *watch, const float *items,
                                     const double *gram)
{
    const struct vt_ials_options *ials = &watch->options->algorithm_options.ials;
    return (struct vt_bundle_view){
        .algorithm = "ials",
        .n_items = watch->state.n_items,
        .item_numbers = watch->held_out->split.ids.item_ids,
        .dim = watch->state.dim,
        .factor_stride = watch->state.row_stride,
        .item_factors = items,
        .gram = gram,
        .regularization = ials->regularization,
        .regularization_exponent = ials->regularization_exponent,
        .unobserved_weight = watch->unobserved_weight,
    };
}

static struct vt_err evaluate(const struct vt__watch *watch, const float *items,
                              const struct vt_eval_options *eval,
                              struct vt_metrics_at_k *ret_metrics)
{
    const struct vt_ids *ids = &watch->held_out->split.ids;
    const struct vt_factor_rows rows = {items, watch->state.n_items, watch->state.dim,
                                        watch->state.row_stride};
    struct vt_served served = {0};
    double *gram;
    VT_TRY(vt__factor_gram(&rows, watch->unobserved_weight, &gram));
    const struct vt_bundle_view view = view_of(watch, items, gram);
    struct vt_err err =
        vt_served_init(&served, &view, VT_SERVED_FACTOR, ids->item_ids, ids->n_items);
    const struct vt_recommender recommender = vt_served_recommender(&served);
    if (!vt_failed(err))
        err = vt_evaluate(&recommender, eval, ret_metrics);
    vt_served_fini(&served);
    free(gram);
    return err;
}

struct vt_err vt__watch_evaluate(const struct vt__watch *watch, const struct vt_eval_options *eval,
                                 struct vt_metrics_at_k *ret_metrics)
{
    return evaluate(watch, watch->state.best, eval, ret_metrics);
}

static struct vt_err ask_watched(struct vt__watch *watch, const float *items, double *ret_ndcg)
{
    const struct vt_eval_options eval = {
        .train = &watch->held_out->split.train,
        .histories = &watch->held_out->split.served,
        .test = &watch->held_out->watched,
        .k = watch->options->k,
        .threads = watch->options->algorithm_options.threads,
    };
    struct vt_metrics_at_k metrics;
    VT_TRY(evaluate(watch, items, &eval, &metrics));
    *ret_ndcg = metrics.ndcg;
    return vt_ok();
}

static struct vt_err keep_best(struct vt__watch *watch, const struct vt_ials_progress *progress)
{
    const size_t n = (size_t)progress->n_items * progress->row_stride;
    if (watch->state.best == NULL)
        watch->state.best = malloc(n * sizeof *watch->state.best);
    VT_CHECK(watch->state.best != NULL, VT_EXHAUSTED, "out of memory for the best factors");
    memcpy(watch->state.best, progress->item_factors, n * sizeof *watch->state.best);
    watch->state.best_iteration = progress->iteration;
    return vt_ok();
}

static bool has_watched(const struct vt__watch *watch)
{
    return watch->held_out != NULL && watch->held_out->watched.n_rows > 0;
}

/* The point of this iteration; measured at every second one and at the last. */
static struct vt_err add_point(struct vt__watch *watch, const struct vt_ials_progress *progress)
{
    const bool is_last = progress->iteration == progress->iterations;
    double ndcg = -1;
    if (has_watched(watch) && (is_last || progress->iteration % MEASURE_EVERY == 0)) {
        VT_TRY(ask_watched(watch, progress->item_factors, &ndcg));
        if (ndcg > watch->best_ndcg) {
            watch->best_ndcg = ndcg;
            VT_TRY(keep_best(watch, progress));
        }
    }
    if (watch->state.curve.n < VT_BUNDLE_CURVE_MAX)
        watch->state.curve.points[watch->state.curve.n++] =
            (struct vt_curve_point){progress->iteration, progress->loss, ndcg};
    return vt_ok();
}

/* ---- after each iteration ---- */

static bool is_patience_over(const struct vt__watch *watch, uint32_t iteration)
{
    const uint32_t patience = watch->options->patience;
    return has_watched(watch) && patience > 0 && watch->state.best_iteration > 0 &&
           iteration - watch->state.best_iteration >= patience;
}

static bool is_checkpoint_due(const struct vt__watch *watch, bool at_end, bool stopping)
{
    if (watch->path[0] == '\0')
        return false;
    /* At its end the measured training is kept for the second, which follows; that one has nothing
     * to go on with. */
    if (at_end)
        return watch->held_out != NULL;
    const int64_t waited_ns = vt_clock_monotonic_ns(vt_clock_system()) - watch->written_ns;
    return stopping || waited_ns >= watch->options->checkpoint_every_ms * 1000000;
}

static void write_checkpoint(struct vt__watch *watch, const struct vt_ials_progress *progress,
                             bool complete)
{
    struct vt_diag diag = {0};
    struct vt_train_checkpoint state = watch->state;
    state.items = (float *)(uintptr_t)progress->item_factors; /* only read */
    state.complete = complete;
    if (vt_failed(vt_train_checkpoint_write(watch->path, &state, &diag)))
        tell(watch, diag.text[0] != '\0' ? diag.text : "the checkpoint could not be written");
    watch->written_ns = vt_clock_monotonic_ns(vt_clock_system());
}

static struct vt_err note_iteration(struct vt__watch *watch,
                                    const struct vt_ials_progress *progress, bool *ret_go_on)
{
    watch->unobserved_weight = progress->unobserved_weight;
    watch->state.n_items = progress->n_items;
    watch->state.dim = progress->dim;
    watch->state.row_stride = progress->row_stride;
    watch->state.iteration = progress->iteration;
    VT_TRY(add_point(watch, progress));
    const bool over = is_patience_over(watch, progress->iteration);
    const bool at_end = over || progress->iteration == progress->iterations;
    if (at_end && watch->held_out != NULL && watch->state.best == NULL)
        VT_TRY(keep_best(watch, progress)); /* nobody was asked: the last is the best known */
    const bool stopping = vt__stage_stops(watch->stage);
    if (is_checkpoint_due(watch, at_end, stopping))
        write_checkpoint(watch, progress, at_end);
    *ret_go_on = !over && !stopping;
    return vt_ok();
}

static bool on_factors(void *ctx, const struct vt_ials_progress *progress)
{
    struct vt__watch *watch = ctx;
    bool go_on = false;
    watch->err = note_iteration(watch, progress, &go_on);
    return go_on && !vt_failed(watch->err);
}

/* ---- training ---- */

static struct vt_algorithm_options options_of(struct vt__watch *watch)
{
    struct vt_algorithm_options options = vt__observed_by(watch->stage, watch->options);
    struct vt_ials_options *ials = &options.ials;
    ials->iterations = watch->iterations;
    ials->progress = on_factors;
    ials->progress_ctx = watch;
    ials->start_items = watch->start_items;
    ials->start_stride = watch->start_stride;
    if (watch->state.iteration > 0) {
        ials->start_items = watch->state.items;
        ials->start_stride = watch->state.row_stride;
        ials->first_iteration = watch->state.iteration;
    }
    return options;
}

/* The weight that the options leave to the data; a completed checkpoint does not say it. */
static double weight_of_data(const struct vt__watch *watch)
{
    return vt_ials_unobserved_weight(&watch->options->algorithm_options.ials, watch->matrix);
}

struct vt_err vt__watch_train(struct vt__watch *watch, struct vt_diag *diag,
                              struct vt_trained *ret_trained)
{
    watch->unobserved_weight = weight_of_data(watch);
    if (watch->state.complete)
        return vt_ok();
    const struct vt_algorithm_options options = options_of(watch);
    struct vt_err err = vt__train_stage(watch->stage, watch->options->algorithm, watch->matrix,
                                        &options, diag, ret_trained);
    return vt_failed(err) ? err : watch->err;
}
