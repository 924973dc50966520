/*
 * What a try costs, in seconds of one core. What is tried must be the same on a slow and on a fast
 * machine, so this is arithmetic on the shape of the data; the rates are those of an AMD EPYC
 * (Zen, AVX2, two of its cores) with tests/perf/sparse_data.py's 40,000 × 40,000 × 560,000, where a
 * flop of sparse rows, of a heap and of a matrix product differ by two orders. They need not be
 * right elsewhere: they keep the families in proportion, and tell about how long it takes.
 */
#include "models/algorithm/auto_search.h"
#include "models/algorithm/ease_search.h"

#include <math.h>

/* Core seconds for each … */
#define IALS_GFLOP (1.0 / 20)     /* of vt_ials_train */
#define SCORE_FLOP (1.0 / 5e9)    /* of factors, read from memory */
#define FOLD_IN_FLOP (1.0 / 20e9) /* of a small Cholesky */
#define EASE_ITEMS_GFLOP (1.0 / 10)
#define EASE_NEAR_GFLOP (1.0 / 70) /* its count is a bound: supports are rarely full */
#define PRODUCT_FLOP (1.0 / 20e9)  /* of a matrix product of sixteen rows */
#define CELL 1.4e-8                /* of a kernel's row: made, and offered to the best */
#define SPARSE_FLOP (1.0 / 2.2e9)  /* of P applied to sixteen rows */
#define SVD_CELL 1e-6              /* a row of either side in a vector */
#define PAIR 2e-8                  /* of items that a user has */
#define ITEM 2e-5                  /* a row of neighbours */
#define SCAN 1e-8                  /* an item that is ranked */

static double train_graph(const struct vt_shape *shape, const struct vt_graph_options *graph)
{
    const double items = (double)shape->n_items, rows = items + (double)shape->n_users;
    return 2.0 * graph->vectors * items * items * PRODUCT_FLOP + items * items * CELL +
           4.0 * graph->sharpenings * (double)shape->n_interactions * items * SPARSE_FLOP +
           rows * graph->vectors * SVD_CELL;
}

/* Long histories have most of the pairs: twice the square of the mean. */
static double train_itemcf(const struct vt_shape *shape)
{
    const double entries = (double)shape->n_interactions;
    return 2 * entries * entries / (double)shape->n_users * PAIR + (double)shape->n_items * ITEM;
}

static double ease_core_seconds(const struct vt_ease_plan *plan)
{
    return plan->gflop * (plan->form == VT_EASE_ITEMS ? EASE_ITEMS_GFLOP : EASE_NEAR_GFLOP);
}

static double train_ease(const struct vt_shape *shape, const struct vt_algorithm_options *options)
{
    struct vt_ease_options ease = options->ease;
    ease.memory_bytes = options->memory_bytes;
    const struct vt_ease_plan plan =
        vt_ease_plan(shape->n_users, shape->n_items, shape->n_interactions, &ease);
    return ease_core_seconds(&plan);
}

static double ease_tries(const struct vt_shape *shape, const struct vt_algorithm_options *options)
{
    struct vt_ease_options ease = options->ease;
    ease.memory_bytes = options->memory_bytes;
    if (ease.regularization > 0)
        return 0;
    const struct vt_ease_plan plan =
        vt__ease_search_plan(shape->n_users, shape->n_items, shape->n_interactions, &ease);
    return ease_core_seconds(&plan);
}

static double train_family(enum vt_blend_family family, const struct vt_shape *shape,
                           const struct vt_algorithm_options *options)
{
    switch (family) {
    case VT_BLEND_IALS:
        return vt__blend_family(family)->need(shape, options).gflop * IALS_GFLOP;
    case VT_BLEND_EASE:
        return train_ease(shape, options);
    case VT_BLEND_SHARPENED:
        return train_graph(shape, &options->sharpened);
    case VT_BLEND_GRAPH:
        return train_graph(shape, &options->graph);
    case VT_BLEND_ITEMCF:
        return train_itemcf(shape);
    default:
        return 0;
    }
}

double vt__auto_core_seconds(enum vt_blend_family family, const struct vt_shape *shape,
                             uint32_t n_held, const struct vt_algorithm_options *options)
{
    const double items = (double)shape->n_items, dim = options->ials.factors;
    double user = items * SCAN;
    if (family == VT_BLEND_IALS)
        user += 2 * items * dim * SCORE_FLOP + pow(dim, 3) * FOLD_IN_FLOP;
    return train_family(family, shape, options) + n_held * user;
}

/* Trained by itself, and asked by n_held users. */
static double core_seconds_of_part(enum vt_blend_family family, const struct vt_shape *shape,
                                   uint32_t n_held, const struct vt_algorithm_options *options)
{
    return vt__auto_core_seconds(family, shape, n_held, options) +
           (family == VT_BLEND_EASE ? ease_tries(shape, options) : 0);
}

static double core_seconds_of_blend(const struct vt_shape *shape,
                                    const struct vt_algorithm_options *options)
{
    const bool finds = options->blend.weights == VT_BLEND_FOUND;
    const uint32_t users = shape->n_users < UINT32_MAX ? (uint32_t)shape->n_users : UINT32_MAX;
    const uint32_t held = users < options->blend.held_users ? users : options->blend.held_users;
    double sum = 0;
    for (int f = 0; f < VT_BLEND_FAMILIES; f++)
        if (fabs(options->blend.weight[f]) > 0)
            sum += core_seconds_of_part((enum vt_blend_family)f, shape, finds ? held : 0, options);
    return finds ? 2 * sum : sum;
}

double vt__core_seconds(const struct vt__family *family, const struct vt_shape *shape,
                        const struct vt_algorithm_options *options)
{
    if (family == &vt__family_blend)
        return core_seconds_of_blend(shape, options);
    for (int f = VT_BLEND_EASE; f < VT_BLEND_FAMILIES; f++)
        if (family == vt__blend_family((enum vt_blend_family)f))
            return core_seconds_of_part((enum vt_blend_family)f, shape, 0, options);
    return 0;
}
