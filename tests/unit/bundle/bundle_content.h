#ifndef VT_TESTS_UNIT_BUNDLE_BUNDLE_CONTENT_H
#define VT_TESTS_UNIT_BUNDLE_BUNDLE_CONTENT_H

#include "models/bundle/bundle.h"

#include <stddef.h>
#include <string.h>

/* A small whole content for tests: 5 items, 3 factors, neighbours. */
enum { CONTENT_ITEMS = 5, CONTENT_DIM = 3, CONTENT_STRIDE = 16 };

struct content {
    struct vt_bundle_view view;
    uint32_t numbers[CONTENT_ITEMS];
    float factors[CONTENT_ITEMS * CONTENT_STRIDE];
    double gram[CONTENT_DIM * CONTENT_DIM];
    uint64_t starts[CONTENT_ITEMS + 1];
    uint32_t columns[CONTENT_ITEMS];
    float values[CONTENT_ITEMS];
    float popularity[CONTENT_ITEMS];
    uint64_t kernel_starts[CONTENT_ITEMS + 1];
    uint32_t kernel_columns[3];
    float kernel_values[3];
    double moments[(CONTENT_DIM + 1) * CONTENT_DIM];
    float trending[CONTENT_ITEMS];
    float rebuy[CONTENT_ITEMS * VT_BUNDLE_REBUY_COLUMNS];
    uint64_t group_keys[2], group_starts[3];
    uint32_t group_columns[3];
    float group_values[3];
    uint64_t terms[2];
    float idf[2], map[2 * CONTENT_STRIDE];
    uint32_t tree_starts[3], nodes[4 * 4];
    float node_values[4], calibration[4];
    double curve[2 * VT_BUNDLE_CURVE_COLUMNS];
    struct vt_bundle_metric metrics[1];
    struct vt_bundle_parameter parameters[1];
};

static inline void content_init(struct content *content, const char *version)
{
    *content = (struct content){
        .numbers = {1, 3, 4, 7, 1000},
        .gram = {2, 0, 0, 0, 2, 0, 0, 0, 2},
        .starts = {0, 2, 3, 3, 5, 5},
        .columns = {1, 2, 0, 4, 0},
        .values = {0.9F, 0.5F, 0.9F, 0.25F, 0.125F},
        .popularity = {5, 4, 3, 0, 1},
        .metrics = {{"recall", 0.25}},
        .parameters = {{"factors", "3"}},
    };
    for (unsigned row = 0; row < CONTENT_ITEMS; row++)
        for (unsigned i = 0; i < CONTENT_DIM; i++)
            content->factors[row * CONTENT_STRIDE + i] = (float)(row + 1) / (float)(i + 2);
    content->view = (struct vt_bundle_view){
        .version = version,
        .parent = "",
        .algorithm = "ials",
        .create_time_ms = INT64_C(1795385730123),
        .n_users = 11,
        .n_interactions = 42,
        .n_items = CONTENT_ITEMS,
        .item_numbers = content->numbers,
        .dim = CONTENT_DIM,
        .factor_stride = CONTENT_STRIDE,
        .item_factors = content->factors,
        .gram = content->gram,
        .regularization = 0.003,
        .regularization_exponent = 1,
        .unobserved_weight = 0.1,
        .decay_half_life_days = 30,
        .neighbors = {CONTENT_ITEMS, content->starts, content->columns, content->values},
        .popularity = content->popularity,
        .metrics = content->metrics,
        .n_metrics = 1,
        .parameters = content->parameters,
        .n_parameters = 1,
        .first_time_ms = INT64_C(1790000000000),
        .last_time_ms = INT64_C(1795000000000),
        .blas = "OpenBLAS Haswell",
    };
    content->view.event_weights[VT_EVENT_PURCHASE] = 4.5F;
    content->view.value_exponents[VT_EVENT_PURCHASE] = 0.5F;
}

/* The parts of format 2 beside the first ones. The trees: one split over two leaves, one leaf. */
static inline void content_add_parts(struct content *content)
{
    static const struct content parts = {
        .kernel_starts = {0, 2, 2, 2, 2, 3},
        .kernel_columns = {1, 4, 0},
        .kernel_values = {0.5F, -0.25F, 1},
        .moments = {1, 2, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1},
        .trending = {0, 0, 2.5F, 0, 0},
        .rebuy = {0, 0, 0, 28, .5F, .25F},
        .group_keys = {7, UINT64_MAX},
        .group_starts = {0, 2, 3},
        .group_columns = {3, 0, 4},
        .group_values = {2, 1, 5},
        .terms = {11, 12},
        .idf = {1.5F, 0},
        .map = {1, 2, 3},
        .tree_starts = {0, 3, 4},
        .nodes = {2, 1, 2, 1},
        .node_values = {0.5F, -1, 1, 0.25F},
        .calibration = {-1, 1, 0.125F, 0.625F},
        .curve = {1, 100, -1, 2, 90, 0.25},
    };
    const size_t at = offsetof(struct content, kernel_starts);
    memcpy((char *)content + at, (const char *)&parts + at, offsetof(struct content, metrics) - at);
    struct vt_bundle_view *view = &content->view;
    view->kernel_name = "ease";
    view->kernel = (struct vt_csr){CONTENT_ITEMS, content->kernel_starts, content->kernel_columns,
                                   content->kernel_values};
    view->mix = (struct vt_bundle_mix){.factor = 0.5F, .kernel = 0.5F};
    view->factor_moments = content->moments;
    view->bought_together = view->neighbors;
    view->trending = content->trending;
    view->rebuy = content->rebuy;
    view->groups = (struct vt_bundle_groups){
        content->group_keys,
        {2, content->group_starts, content->group_columns, content->group_values}};
    view->content = (struct vt_bundle_content){2, content->terms, content->idf, content->map};
    view->ranker = (struct vt_bundle_ranker){.n_trees = 2,
                                             .starts = content->tree_starts,
                                             .nodes = content->nodes,
                                             .values = content->node_values,
                                             .features = {3, {0, 2, 13}},
                                             .calibration = content->calibration,
                                             .n_knots = 2};
    view->curve = content->curve;
    view->n_curve = 2;
}

#endif
