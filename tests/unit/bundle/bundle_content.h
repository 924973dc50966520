#ifndef VT_TESTS_UNIT_BUNDLE_BUNDLE_CONTENT_H
#define VT_TESTS_UNIT_BUNDLE_BUNDLE_CONTENT_H

#include "models/bundle/bundle.h"

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
}

#endif
