/*
 * After the model itself: purchases are cut into baskets and paired, the events are sorted once and
 * counted by window and group, the catalog's texts become terms and a map to the factors. Times of
 * a plain file are places in a line, so what asks for days is left out there.
 */
#include "models/train/goods.h"

#include "models/popularity/trends.h"
#include "models/rules/baskets.h"
#include "models/train/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void vt_train_goods_free(struct vt_train_goods *goods)
{
    vt_bought_together_free(&goods->together);
    vt_groups_free(&goods->groups);
    vt_rebuy_free(&goods->rebuy);
    vt_content_model_free(&goods->content);
    vt_content_map_free(&goods->map);
    free(goods->trending);
    *goods = (struct vt_train_goods){0};
}

uint64_t vt_train_goods_memory_bytes(uint64_t n, uint64_t n_items, uint64_t dim, uint64_t threads)
{
    struct vt_content_options content;
    vt_content_options_default(&content);
    uint64_t purchases = n * (2 * sizeof(struct vt_interaction) + 2 * 8);
    uint64_t demand = n * sizeof(struct vt_demand_event);
    uint64_t pairs = n_items * VT_BOUGHT_TOGETHER_DEFAULT * 24;
    uint64_t solving = threads * content.terms_max * 16 * 4 * sizeof(double);
    uint64_t map = content.terms_max * (dim + 16) * sizeof(float) + n_items * 64 * 8;
    return purchases + demand + pairs + solving + map;
}

/* ---- what is told of it ---- */

static void add_metric(struct vt_train_result *result, const char *name, double value)
{
    VT_ASSERT(result->view.n_metrics < VT_BUNDLE_METRICS_MAX);
    struct vt_bundle_metric *metric = &result->metrics[result->view.n_metrics++];
    snprintf(metric->name, sizeof metric->name, "%s", name);
    metric->value = value;
}

static void add_parameter(struct vt_train_result *result, const char *name, const char *value)
{
    VT_ASSERT(result->view.n_parameters < VT_BUNDLE_PARAMETERS_MAX);
    struct vt_bundle_parameter *parameter = &result->parameters[result->view.n_parameters++];
    snprintf(parameter->name, sizeof parameter->name, "%s", name);
    snprintf(parameter->value, sizeof parameter->value, "%s", value);
}

/* ---- bought together ---- */

static struct vt_err pair_purchases(const struct vt_train_input *input,
                                    const struct vt_train_options *options, struct vt_diag *diag,
                                    struct vt_train_result *result)
{
    const struct vt_dataset *dataset = &result->dataset;
    struct vt_bought_together_options together;
    struct vt_basket_options cutting;
    struct vt_baskets baskets = {0};
    vt_bought_together_options_default(&together);
    vt_basket_options_default(&cutting);
    together.threads = options->algorithm_options.threads;
    VT_TRY(vt_baskets_cut(input->interactions, input->n, &cutting, dataset->item_ids,
                          dataset->matrix.n_cols, &baskets));
    struct vt_err err = vt_ok();
    if (baskets.matrix.n_entries > 0)
        err = vt_bought_together_train(&baskets.matrix, &together, diag, &result->goods.together);
    vt_baskets_free(&baskets);
    return err;
}

static void view_together(struct vt_train_result *result)
{
    const struct vt_bought_together *together = &result->goods.together;
    if (together->n_items == 0 || together->starts[together->n_items] == 0)
        return;
    result->view.bought_together =
        (struct vt_csr){together->n_items, together->starts, together->columns, together->values};
    add_metric(result, "bought_together_pairs", (double)together->starts[together->n_items]);
}

/* ---- demand ---- */

static struct vt_err find_trends(const struct vt_demand *demand, struct vt_diag *diag,
                                 struct vt_train_goods *goods)
{
    struct vt_trend_options options;
    vt_trend_options_default(&options);
    goods->trending = calloc((size_t)demand->n_items + 1, sizeof *goods->trending);
    VT_CHECK(goods->trending != NULL, VT_EXHAUSTED, "out of memory for trends");
    return vt_trends_find(demand, &options, diag, goods->trending, &goods->n_trending);
}

static struct vt_err count_demand(const struct vt_train_input *input,
                                  const struct vt_train_options *options, struct vt_diag *diag,
                                  struct vt_train_result *result)
{
    struct vt_demand demand;
    struct vt_group_options groups;
    vt_group_options_default(&groups);
    if (result->dataset.last_time_ms < VT_EVENT_TIME_MIN_MS)
        return vt_ok(); /* no real times */
    VT_TRY(vt_demand_build(input->interactions, input->n, &result->dataset,
                           options->dataset.event_weights, &demand));
    struct vt_err err = find_trends(&demand, diag, &result->goods);
    if (!vt_failed(err))
        err = vt_groups_train(&demand, &result->dataset, input->catalog, &groups,
                              &result->goods.groups);
    vt_demand_free(&demand);
    return err;
}

static struct vt_err find_rhythms(const struct vt_train_input *input,
                                  struct vt_train_result *result)
{
    struct vt_rebuy_options options;
    vt_rebuy_options_default(&options);
    if (result->dataset.last_time_ms < VT_EVENT_TIME_MIN_MS)
        return vt_ok(); /* no real times */
    return vt_rebuy_find(input->interactions, input->n, &result->dataset, &options,
                         &result->goods.rebuy);
}

_Static_assert((int)VT_REBUY_COLUMNS == (int)VT_BUNDLE_REBUY_COLUMNS, "the bundle's are these");
static void view_rhythms(struct vt_train_result *result)
{
    const struct vt_rebuy *rebuy = &result->goods.rebuy;
    if (rebuy->n_rhythms == 0)
        return;
    result->view.rebuy = rebuy->values;
    add_metric(result, "rebuy_items", rebuy->n_rhythms);
}

static void view_demand(struct vt_train_result *result)
{
    const struct vt_groups *groups = &result->goods.groups;
    if (result->goods.n_trending > 0)
        result->view.trending = result->goods.trending;
    if (result->goods.trending != NULL)
        add_metric(result, "trending_items", result->goods.n_trending);
    if (groups->n > 0)
        result->view.groups = (struct vt_bundle_groups){
            groups->keys, {groups->n, groups->starts, groups->columns, groups->values}};
}

/* ---- content ---- */

static struct vt_err map_content(const struct vt_train_input *input,
                                 const struct vt_content_options *options, const float *certainties,
                                 struct vt_diag *diag, struct vt_train_result *result)
{
    const struct vt_bundle_view *view = &result->view;
    struct vt_train_goods *goods = &result->goods;
    struct vt_content_reader *reader = NULL;
    struct vt_sparse content = {0};
    VT_TRY(vt_content_reader_new(goods->content.language, diag, &reader));
    struct vt_err err = vt_content_matrix(reader, &goods->content.space, input->catalog,
                                          view->item_numbers, view->n_items, &content);
    const struct vt_content_map_input map = {.content = &content,
                                             .factors = view->item_factors,
                                             .dim = view->dim,
                                             .row_stride = view->factor_stride,
                                             .certainties = certainties};
    if (!vt_failed(err))
        err = vt_content_map_train(&map, options, diag, &goods->map);
    vt_sparse_free(&content);
    vt_content_reader_free(reader);
    return err;
}

/* How many customers each item's factor comes from. */
static struct vt_err count_certainties(const struct vt_sparse *matrix, float **ret_certainties)
{
    float *certainties = calloc((size_t)matrix->n_cols + 1, sizeof *certainties);
    VT_CHECK(certainties != NULL, VT_EXHAUSTED, "out of memory for content");
    for (uint64_t i = 0; i < matrix->n_entries; i++)
        certainties[matrix->columns[i]]++;
    for (uint32_t item = 0; item < matrix->n_cols; item++)
        certainties[item] = vt_content_certainty((double)certainties[item]);
    *ret_certainties = certainties;
    return vt_ok();
}

static struct vt_err learn_content(const struct vt_train_input *input,
                                   const struct vt_train_options *options, struct vt_diag *diag,
                                   struct vt_train_result *result)
{
    struct vt_content_options content;
    float *certainties = NULL;
    vt_content_options_default(&content);
    content.threads = options->algorithm_options.threads;
    if (input->catalog == NULL || input->catalog->n == 0)
        return vt_ok();
    VT_TRY(vt_content_train(input->catalog, &content, diag, &result->goods.content));
    if (result->goods.content.space.n_terms == 0 || result->view.item_factors == NULL)
        return vt_ok();
    VT_TRY(count_certainties(&result->dataset.matrix, &certainties));
    struct vt_err err = map_content(input, &content, certainties, diag, result);
    free(certainties);
    return err;
}

/* A map that explains nothing of what was held out is worse than none, and not kept. */
static void view_content(struct vt_train_result *result)
{
    const struct vt_train_goods *goods = &result->goods;
    char ridge[VT_BUNDLE_VALUE_BYTES];
    if (goods->content.space.n_terms == 0)
        return;
    result->view.content = (struct vt_bundle_content){
        .n_terms = goods->content.space.n_terms,
        .terms = goods->content.terms,
        .idf = goods->content.idf,
        .map = goods->map.explained > 0 ? goods->map.rows : NULL,
    };
    add_parameter(result, "content_language", goods->content.language);
    if (goods->map.rows == NULL)
        return;
    snprintf(ridge, sizeof ridge, "%.15g", goods->map.ridge);
    add_parameter(result, "content_ridge", ridge);
    add_metric(result, "content_explained", goods->map.explained);
}

struct vt_err vt__train_goods(const struct vt_train_input *input,
                              const struct vt_train_options *options, struct vt_diag *diag,
                              struct vt_train_result *result)
{
    VT_TRY(pair_purchases(input, options, diag, result));
    view_together(result);
    VT_TRY(count_demand(input, options, diag, result));
    view_demand(result);
    VT_TRY(find_rhythms(input, result));
    view_rhythms(result);
    VT_TRY(learn_content(input, options, diag, result));
    view_content(result);
    return vt_ok();
}
