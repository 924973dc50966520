/*
 * Item-CF as a family: the neighbours of the history, added up.
 */
#include "models/algorithm/algorithm_internal.h"
#include "models/kernels/parallel.h"

#include <stdlib.h>

static struct vt_err itemcf_score(const void *self, const struct vt_weighted_history *history,
                                  void *scratch, double *ret_scores)
{
    (void)scratch;
    vt_item_kernel_score(self, history->columns, history->weights, history->n, ret_scores);
    return vt_ok();
}

static void itemcf_free(void *model)
{
    vt_item_kernel_free(model);
    free(model);
}

static struct vt_err itemcf_train(const struct vt_sparse *matrix,
                                  const struct vt_algorithm_options *options, struct vt_diag *diag,
                                  struct vt_trained *ret_trained)
{
    struct vt_item_kernel *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_neighbor_options neighbor = options->neighbor;
    neighbor.threads = options->threads;
    struct vt_err err = vt_neighbor_train(matrix, &neighbor, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = "itemcf", .self = model, .score = itemcf_score},
        .neighbors = model,
        .mix = {.weight = {[VT_MEMBER_NEIGHBOR] = 1}},
        .model = model,
        .free_model = itemcf_free,
    };
    return vt_ok();
}

static struct vt_need itemcf_need(const struct vt_shape *shape,
                                  const struct vt_algorithm_options *options)
{
    const double per_user = (double)shape->n_interactions / (double)shape->n_users;
    const double threads = vt_threads_resolve(options->threads);
    return (struct vt_need){
        .memory_bytes = (uint64_t)((double)shape->n_items * options->neighbor.neighbors * 16 +
                                   12.0 * (double)shape->n_interactions +
                                   threads * 16 * (double)shape->n_items),
        .gflop = 2 * (double)shape->n_interactions * per_user / 1e9,
    };
}

#define AT(field_) offsetof(struct vt_algorithm_options, neighbor.field_)

const struct vt__family vt__family_itemcf = {
    .name = "itemcf",
    .summary = "items that the same customers took",
    .settings =
        (const struct vt__setting[]){
            {"similarity", VT__SETTING_CHOICE, AT(similarity), 0, 0,
             "cosine|bm25|tfidf|conditional"},
            {"neighbors", VT__SETTING_U32, AT(neighbors), 1, VT_NEIGHBORS_MAX, NULL},
            {"shrinkage", VT__SETTING_F64, AT(shrinkage), 0, 1e6, NULL},
            {"user_items_max", VT__SETTING_U32, AT(user_items_max), 0, UINT32_MAX, NULL},
            {0}},
    .serves = true,
    .train = itemcf_train,
    .need = itemcf_need,
};
