/*
 * Row i of the kernel needs the users of item i and what else they took: two steps through the
 * matrix and its transpose into a dense accumulator, one accumulator per thread. A row depends on
 * nothing but the matrix and is added up in the order of users, so the bytes do not depend on which
 * thread took it. Rows are cut into
 * blocks small enough that a few heavy items do not keep one thread busy at the end.
 */
#include "models/neighbor/neighbor.h"

#include "models/index/top.h"
#include "models/kernels/parallel.h"
#include "models/neighbor/kernel_rows.h"
#include "models/neighbor/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_PER_BLOCK = 32 };

/* One thread's scratch. */
struct accumulator {
    double *sums;       /* n_items, zero between rows */
    uint32_t *n_common; /* n_items, zero between rows */
    uint32_t *touched;  /* columns that are not zero */
    uint32_t n_touched;
    struct vt_index_hit *hits; /* neighbors: the best so far */
};

struct training {
    const struct vt_sparse *matrix;
    struct vt__similarity similarity;
    struct vt_neighbor_options options;
    struct accumulator *accumulators;
    uint32_t n_threads;
    struct vt_kernel_rows rows;
};

void vt_neighbor_options_default(struct vt_neighbor_options *ret_options)
{
    *ret_options =
        (struct vt_neighbor_options){.neighbors = 100, .shrinkage = 10, .user_items_max = 5000};
}

/* ---- one row ---- */

static uint64_t row_length(const struct vt_sparse *matrix, uint32_t row)
{
    return matrix->starts[row + 1] - matrix->starts[row];
}

static void add_user(const struct training *training, struct accumulator *accumulator,
                     uint32_t user, double weight)
{
    const struct vt_sparse *matrix = &training->similarity.right;
    for (uint64_t i = matrix->starts[user]; i < matrix->starts[user + 1]; i++) {
        uint32_t column = matrix->columns[i];
        if (accumulator->n_common[column]++ == 0)
            accumulator->touched[accumulator->n_touched++] = column;
        accumulator->sums[column] += weight * (double)matrix->values[i];
    }
}

static float similarity(const struct training *training, const struct accumulator *accumulator,
                        uint32_t row, uint32_t column)
{
    double norms = training->similarity.row_norms[row] * training->similarity.column_norms[column];
    double common = accumulator->n_common[column];
    if (!(norms > 0))
        return 0;
    double shrink = common / (common + training->options.shrinkage);
    return (float)(accumulator->sums[column] / norms * shrink);
}

static void train_row(struct training *training, struct accumulator *accumulator, uint32_t row)
{
    const struct vt_sparse *by_item = &training->similarity.left;
    struct vt_top top = {.hits = accumulator->hits, .capacity = training->options.neighbors};
    for (uint64_t i = by_item->starts[row]; i < by_item->starts[row + 1]; i++)
        if (vt__user_counts(&training->options, row_length(training->matrix, by_item->columns[i])))
            add_user(training, accumulator, by_item->columns[i], (double)by_item->values[i]);
    for (uint32_t i = 0; i < accumulator->n_touched; i++) {
        uint32_t column = accumulator->touched[i];
        float value = similarity(training, accumulator, row, column);
        if (column != row && value > 0)
            vt_top_offer(&top, (struct vt_index_hit){.score = (double)value, .row = column});
        accumulator->sums[column] = 0;
        accumulator->n_common[column] = 0;
    }
    accumulator->n_touched = 0;
    vt_kernel_rows_keep(&training->rows, row, &top);
}

static void train_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct training *training = ctx;
    uint32_t first = block * ROWS_PER_BLOCK, n_items = training->matrix->n_cols;
    uint32_t end = n_items - first < ROWS_PER_BLOCK ? n_items : first + ROWS_PER_BLOCK;
    for (uint32_t row = first; row < end; row++)
        train_row(training, &training->accumulators[thread], row);
}

/* ---- the whole ---- */

static bool alloc_accumulator(struct accumulator *accumulator, uint32_t n_items, uint32_t neighbors)
{
    accumulator->sums = calloc(n_items, sizeof *accumulator->sums);
    accumulator->n_common = calloc(n_items, sizeof *accumulator->n_common);
    accumulator->touched = calloc(n_items, sizeof *accumulator->touched);
    accumulator->hits = calloc(neighbors, sizeof *accumulator->hits);
    return accumulator->sums != NULL && accumulator->n_common != NULL &&
           accumulator->touched != NULL && accumulator->hits != NULL;
}

static struct vt_err alloc_training(struct training *training)
{
    uint32_t n_items = training->matrix->n_cols;
    VT_TRY(vt__similarity_init(training->matrix, &training->options, &training->similarity));
    VT_TRY(vt_kernel_rows_init(n_items, training->options.neighbors, &training->rows));
    training->accumulators = calloc(training->n_threads, sizeof *training->accumulators);
    bool whole = training->accumulators != NULL;
    for (uint32_t i = 0; whole && i < training->n_threads; i++)
        whole = alloc_accumulator(&training->accumulators[i], n_items, training->options.neighbors);
    VT_CHECK(whole, VT_EXHAUSTED, "out of memory for item neighbours");
    return vt_ok();
}

static void free_training(struct training *training)
{
    for (uint32_t i = 0; training->accumulators != NULL && i < training->n_threads; i++) {
        free(training->accumulators[i].sums);
        free(training->accumulators[i].n_common);
        free(training->accumulators[i].touched);
        free(training->accumulators[i].hits);
    }
    free(training->accumulators);
    vt_kernel_rows_fini(&training->rows);
    vt__similarity_fini(&training->similarity);
}

static struct vt_err check_options(const struct vt_neighbor_options *options, struct vt_diag *diag)
{
    if (options->neighbors == 0 || options->neighbors > VT_NEIGHBORS_MAX) {
        vt_diag_set(diag, "neighbors", "neighbors is %u, must be 1 to %d", options->neighbors,
                    VT_NEIGHBORS_MAX);
        return VT_ERR(VT_INVALID, "neighbors is out of range");
    }
    if (options->similarity >= VT_SIMILARITY_COUNT) {
        vt_diag_set(diag, "similarity", "similarity is none of those there are");
        return VT_ERR(VT_INVALID, "similarity is out of range");
    }
    if (!(options->shrinkage >= 0) || !isfinite(options->shrinkage)) {
        vt_diag_set(diag, "shrinkage", "shrinkage must be a number of 0 or more");
        return VT_ERR(VT_INVALID, "shrinkage is out of range");
    }
    return vt_ok();
}

struct vt_err vt_neighbor_train(const struct vt_sparse *matrix,
                                const struct vt_neighbor_options *options, struct vt_diag *diag,
                                struct vt_item_kernel *ret_model)
{
    VT_TRY(check_options(options, diag));
    VT_CHECK(matrix->n_cols > 0, VT_INVALID, "no items to find neighbours of");
    struct training training = {.matrix = matrix, .options = *options};
    if (training.options.neighbors > matrix->n_cols)
        training.options.neighbors = matrix->n_cols;
    training.n_threads = vt_threads_resolve(options->threads);
    struct vt_err err = alloc_training(&training);
    if (!vt_failed(err)) {
        vt_parallel((matrix->n_cols + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK, training.n_threads,
                    train_block, &training);
        vt_kernel_rows_finish(&training.rows, ret_model);
    }
    free_training(&training);
    return err;
}
