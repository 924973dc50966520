/*
 * User-CF as a family: a yardstick for evaluation. Serving it would mean to store customers' rows
 * in the bundle, which no bundle does (docs/architecture: customer vectors are computed).
 */
#include "models/algorithm/algorithm_internal.h"

#include <stdlib.h>

static struct vt_err usercf_score(const void *self, const struct vt_weighted_history *history,
                                  void *scratch, double *ret_scores)
{
    vt_user_neighbors_score(self, history->columns, history->weights, history->n, scratch,
                            ret_scores);
    return vt_ok();
}

static void usercf_free(void *model)
{
    vt_user_neighbors_free(model);
    free(model);
}

static struct vt_err usercf_train(const struct vt_sparse *matrix,
                                  const struct vt_algorithm_options *options, struct vt_diag *diag,
                                  struct vt_trained *ret_trained)
{
    struct vt_user_neighbors *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_err err = vt_user_neighbors_build(matrix, &options->user_neighbors, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "usercf",
                        .self = model,
                        .scratch_bytes = vt_user_neighbors_scratch_bytes(model),
                        .score = usercf_score},
        .model = model,
        .free_model = usercf_free,
    };
    return vt_ok();
}

static struct vt_need usercf_need(const struct vt_shape *shape,
                                  const struct vt_algorithm_options *options)
{
    (void)options;
    return (struct vt_need){
        .memory_bytes =
            16 * shape->n_interactions + 16 * (uint64_t)(shape->n_users + shape->n_items),
        .gflop = 4 * (double)shape->n_interactions / 1e9,
    };
}

#define AT(field_) offsetof(struct vt_algorithm_options, user_neighbors.field_)

const struct vt__family vt__family_usercf = {
    .name = "usercf",
    .summary = "what the nearest customers took; for comparison",
    .settings =
        (const struct vt__setting[]){
            {"neighbors", VT__SETTING_U32, AT(neighbors), 1, VT_USER_NEIGHBORS_MAX, NULL},
            {"shrinkage", VT__SETTING_F64, AT(shrinkage), 0, 1e6, NULL},
            {0}},
    .serves = false,
    .train = usercf_train,
    .need = usercf_need,
};
