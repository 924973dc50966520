/*
 * User-CF from an inverted index: the users of each item of the history are met one by one, so the
 * cost is that of the history's items and not of all users. It keeps every user's row, which is why
 * it is a yardstick and not something a storefront serves.
 */
#include "models/neighbor/user_neighbors.h"

#include "models/index/top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scratch {
    double *sums;              /* n_users */
    struct vt_index_hit *hits; /* the nearest */
    uint32_t *n_common;        /* n_users */
};

void vt_user_neighbors_options_default(struct vt_user_neighbors_options *ret_options)
{
    *ret_options = (struct vt_user_neighbors_options){.neighbors = 200, .shrinkage = 10};
}

static struct vt_err check_options(const struct vt_user_neighbors_options *options,
                                   struct vt_diag *diag)
{
    if (options->neighbors == 0 || options->neighbors > VT_USER_NEIGHBORS_MAX) {
        vt_diag_set(diag, "neighbors", "neighbors is %u, must be 1 to %d", options->neighbors,
                    VT_USER_NEIGHBORS_MAX);
        return VT_ERR(VT_INVALID, "neighbors is out of range");
    }
    if (!(options->shrinkage >= 0) || !isfinite(options->shrinkage)) {
        vt_diag_set(diag, "shrinkage", "shrinkage must be a number of 0 or more");
        return VT_ERR(VT_INVALID, "shrinkage is out of range");
    }
    return vt_ok();
}

static double norm_of(const float *values, uint64_t n)
{
    double squares = 0;
    for (uint64_t e = 0; e < n; e++)
        squares += (double)values[e] * (double)values[e];
    return sqrt(squares);
}

static struct vt_err build(const struct vt_sparse *matrix, struct vt_user_neighbors *model)
{
    VT_TRY(vt_sparse_transpose(matrix, &model->by_item));
    VT_TRY(vt_sparse_transpose(&model->by_item, &model->by_user));
    model->norms = calloc(matrix->n_rows, sizeof *model->norms);
    VT_CHECK(model->norms != NULL, VT_EXHAUSTED, "out of memory for user neighbours");
    for (uint32_t user = 0; user < matrix->n_rows; user++)
        model->norms[user] = norm_of(matrix->values + matrix->starts[user],
                                     matrix->starts[user + 1] - matrix->starts[user]);
    return vt_ok();
}

struct vt_err vt_user_neighbors_build(const struct vt_sparse *matrix,
                                      const struct vt_user_neighbors_options *options,
                                      struct vt_diag *diag, struct vt_user_neighbors *ret_model)
{
    VT_TRY(check_options(options, diag));
    VT_CHECK(matrix->n_entries > 0, VT_INVALID, "no interactions to find neighbours in");
    struct vt_user_neighbors model = {.options = *options};
    if (model.options.neighbors > matrix->n_rows)
        model.options.neighbors = matrix->n_rows;
    struct vt_err err = build(matrix, &model);
    if (vt_failed(err))
        vt_user_neighbors_free(&model);
    else
        *ret_model = model;
    return err;
}

void vt_user_neighbors_free(struct vt_user_neighbors *model)
{
    vt_sparse_free(&model->by_user);
    vt_sparse_free(&model->by_item);
    free(model->norms);
    *model = (struct vt_user_neighbors){0};
}

size_t vt_user_neighbors_scratch_bytes(const struct vt_user_neighbors *model)
{
    return model->by_user.n_rows * (sizeof(double) + sizeof(uint32_t)) +
           model->options.neighbors * sizeof(struct vt_index_hit);
}

static struct scratch split_scratch(const struct vt_user_neighbors *model, void *memory)
{
    struct scratch scratch = {.sums = memory};
    scratch.hits = (struct vt_index_hit *)(void *)(scratch.sums + model->by_user.n_rows);
    scratch.n_common = (uint32_t *)(void *)(scratch.hits + model->options.neighbors);
    return scratch;
}

static void meet_users(const struct vt_user_neighbors *model, const uint32_t *columns,
                       const float *weights, uint32_t n, struct scratch *scratch)
{
    for (uint32_t h = 0; h < n; h++)
        for (uint64_t e = model->by_item.starts[columns[h]];
             e < model->by_item.starts[columns[h] + 1]; e++) {
            scratch->n_common[model->by_item.columns[e]]++;
            scratch->sums[model->by_item.columns[e]] +=
                (double)weights[h] * (double)model->by_item.values[e];
        }
}

/* Best first. */
static struct vt_top choose_nearest(const struct vt_user_neighbors *model, double history_norm,
                                    const struct scratch *scratch)
{
    struct vt_top top = {.hits = scratch->hits, .capacity = model->options.neighbors};
    for (uint32_t user = 0; user < model->by_user.n_rows; user++) {
        double common = scratch->n_common[user], sum = scratch->sums[user];
        if (sum > 0)
            vt_top_offer(
                &top, (struct vt_index_hit){.score = sum / (history_norm * model->norms[user]) *
                                                     common / (common + model->options.shrinkage),
                                            .row = user});
    }
    vt_top_sort(&top);
    return top;
}

void vt_user_neighbors_score(const struct vt_user_neighbors *model, const uint32_t *columns,
                             const float *weights, uint32_t n, void *scratch_memory,
                             double *ret_scores)
{
    struct scratch scratch = split_scratch(model, scratch_memory);
    memset(scratch.sums, 0, model->by_user.n_rows * sizeof *scratch.sums);
    memset(scratch.n_common, 0, model->by_user.n_rows * sizeof *scratch.n_common);
    memset(ret_scores, 0, model->by_user.n_cols * sizeof *ret_scores);
    meet_users(model, columns, weights, n, &scratch);
    struct vt_top top = choose_nearest(model, norm_of(weights, n), &scratch);
    for (uint32_t t = 0; t < top.n; t++)
        for (uint64_t e = model->by_user.starts[top.hits[t].row];
             e < model->by_user.starts[top.hits[t].row + 1]; e++)
            ret_scores[model->by_user.columns[e]] +=
                top.hits[t].score * (double)model->by_user.values[e];
}
