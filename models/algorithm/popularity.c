/*
 * Popularity as a family: the same list for everybody.
 */
#include "models/popularity/popularity.h"

#include "models/algorithm/algorithm_internal.h"

#include <stdlib.h>

struct popularity {
    uint32_t n_items;
    float counts[]; /* models/popularity/popularity.h */
};

static struct vt_err popularity_score(const void *self, const struct vt_weighted_history *history,
                                      void *scratch, double *ret_scores)
{
    const struct popularity *model = self;
    (void)history;
    (void)scratch;
    for (uint32_t item = 0; item < model->n_items; item++)
        ret_scores[item] = (double)model->counts[item];
    return vt_ok();
}

static struct vt_err popularity_train(const struct vt_sparse *matrix,
                                      const struct vt_algorithm_options *options,
                                      struct vt_diag *diag, struct vt_trained *ret_trained)
{
    (void)options;
    (void)diag;
    struct popularity *model =
        calloc(1, sizeof *model + (size_t)matrix->n_cols * sizeof model->counts[0]);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    model->n_items = matrix->n_cols;
    struct vt_err err = vt_popularity_train(matrix, model->counts);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "popularity", .self = model, .score = popularity_score},
        .mix = {.weight = {[VT_MEMBER_POPULAR] = 1}},
        .model = model,
        .free_model = free,
    };
    return vt_ok();
}

static struct vt_need popularity_need(const struct vt_shape *shape,
                                      const struct vt_algorithm_options *options)
{
    (void)options;
    return (struct vt_need){
        .memory_bytes = 12 * (uint64_t)shape->n_items,
        .gflop = 2 * (double)shape->n_interactions / 1e9,
    };
}

const struct vt__family vt__family_popularity = {
    .name = "popularity",
    .summary = "the most wanted items, for everybody the same",
    .settings = (const struct vt__setting[]){{0}},
    .serves = true,
    .train = popularity_train,
    .need = popularity_need,
};
