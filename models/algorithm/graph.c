/*
 * Graph filters as families: GF-CF, and the same sharpened. Both end as an item-item kernel.
 */
#include "models/algorithm/algorithm_internal.h"

#include <stdlib.h>

static struct vt_err graph_score(const void *self, const struct vt_weighted_history *history,
                                 void *scratch, double *ret_scores)
{
    (void)scratch;
    vt_item_kernel_score(self, history->columns, history->weights, history->n, ret_scores);
    return vt_ok();
}

static void graph_free(void *model)
{
    vt_item_kernel_free(model);
    free(model);
}

/* There is no loss: 0. */
static bool graph_progress(void *ctx, uint32_t done, uint32_t total)
{
    const struct vt_algorithm_options *options = ctx;
    return options->progress(options->progress_ctx, done, total, 0);
}

static struct vt_graph_options with_common(const struct vt_graph_options *own,
                                           const struct vt_algorithm_options *options)
{
    struct vt_graph_options graph = *own;
    graph.threads = options->threads;
    graph.seed = options->seed;
    graph.progress = options->progress != NULL ? graph_progress : NULL;
    graph.progress_ctx = (void *)(uintptr_t)options; /* only read there */
    return graph;
}

static struct vt_err train_as(const char *name, const struct vt_sparse *matrix,
                              const struct vt_graph_options *graph, struct vt_diag *diag,
                              struct vt_trained *ret_trained)
{
    struct vt_item_kernel *model = calloc(1, sizeof *model);
    VT_CHECK(model != NULL, VT_EXHAUSTED, "out of memory for the model");
    struct vt_err err = vt_graph_train(matrix, graph, diag, model);
    if (vt_failed(err)) {
        free(model);
        return err;
    }
    *ret_trained = (struct vt_trained){
        .recommender = {.name = name, .self = model, .score = graph_score},
        .kernel = model,
        .mix = {.weight = {[VT_MEMBER_KERNEL] = 1}},
        .model = model,
        .free_model = graph_free,
    };
    return vt_ok();
}

static struct vt_need need_of(const struct vt_shape *shape, const struct vt_graph_options *graph)
{
    return (struct vt_need){
        .memory_bytes =
            vt_graph_memory_bytes(shape->n_users, shape->n_items, shape->n_interactions, graph),
        .gflop = vt_graph_gflop(shape->n_users, shape->n_items, shape->n_interactions, graph),
    };
}

static struct vt_err filter_train(const struct vt_sparse *matrix,
                                  const struct vt_algorithm_options *options, struct vt_diag *diag,
                                  struct vt_trained *ret_trained)
{
    const struct vt_graph_options graph = with_common(&options->graph, options);
    return train_as("graph", matrix, &graph, diag, ret_trained);
}

static struct vt_need filter_need(const struct vt_shape *shape,
                                  const struct vt_algorithm_options *options)
{
    const struct vt_graph_options graph = with_common(&options->graph, options);
    return need_of(shape, &graph);
}

static struct vt_err sharpened_train(const struct vt_sparse *matrix,
                                     const struct vt_algorithm_options *options,
                                     struct vt_diag *diag, struct vt_trained *ret_trained)
{
    const struct vt_graph_options graph = with_common(&options->sharpened, options);
    return train_as("sharpened", matrix, &graph, diag, ret_trained);
}

static struct vt_need sharpened_need(const struct vt_shape *shape,
                                     const struct vt_algorithm_options *options)
{
    const struct vt_graph_options graph = with_common(&options->sharpened, options);
    return need_of(shape, &graph);
}

#define AT(which_, field_) offsetof(struct vt_algorithm_options, which_.field_)
#define SETTINGS(which_)                                                                           \
    {"vectors", VT__SETTING_U32, AT(which_, vectors), 0, VT_GRAPH_VECTORS_MAX, NULL},              \
        {"low_pass", VT__SETTING_F64, AT(which_, low_pass), 0, 100, NULL},                         \
        {"user_exponent", VT__SETTING_F64, AT(which_, user_exponent), 0, 2, NULL},                 \
        {"item_exponent", VT__SETTING_F64, AT(which_, item_exponent), 0, 2, NULL},                 \
        {"popularity_exponent", VT__SETTING_F64, AT(which_, popularity_exponent), -2, 2, NULL},    \
        {"neighbors", VT__SETTING_U32, AT(which_, neighbors), 1, VT_GRAPH_NEIGHBORS_MAX, NULL},    \
    {                                                                                              \
        "svd_iterations", VT__SETTING_U32, AT(which_, svd_iterations), 1, 100, NULL                \
    }

const struct vt__family vt__family_graph = {
    .name = "graph",
    .summary = "graph filter: normalised item kernel and ideal low pass (GF-CF)",
    .settings = (const struct vt__setting[]){SETTINGS(graph), {0}},
    .serves = true,
    .train = filter_train,
    .need = filter_need,
};

const struct vt__family vt__family_sharpened = {
    .name = "sharpened",
    .summary = "graph filter, blurred and sharpened (BSPM)",
    .settings =
        (const struct vt__setting[]){
            SETTINGS(sharpened),
            {"sharpening", VT__SETTING_F64, AT(sharpened, sharpening), 0, 10, NULL},
            {"sharpenings", VT__SETTING_U32, AT(sharpened, sharpenings), 0,
             VT_GRAPH_SHARPENINGS_MAX, NULL},
            {0}},
    .serves = true,
    .train = sharpened_train,
    .need = sharpened_need,
};
