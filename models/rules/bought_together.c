/*
 * Pair counts by rows: the baskets of an item are read and their items counted in a dense
 * accumulator of the thread. A row depends on the matrix alone, so any thread may take it; rows are
 * handed out in small blocks because a few items stand in most baskets.
 */
#include "models/rules/bought_together.h"

#include "models/dataset/wilson.h"
#include "models/index/top.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS_PER_BLOCK = 32, BOTH_MIN_DEFAULT = 2 };
#define Z_ONE_SIDED_95 1.645

/* One thread's. */
struct accumulator {
    uint32_t *n_both;  /* by column, zero between rows */
    uint32_t *touched; /* columns that are not zero */
    uint32_t n_touched;
    struct vt_index_hit *hits; /* per_item */
};

struct training {
    const struct vt_sparse *baskets;
    struct vt_sparse by_item;
    struct vt_bought_together_options options;
    struct accumulator *accumulators;
    uint32_t n_threads;
    struct vt_index_hit *best; /* n_items × per_item */
    uint32_t *n_best;          /* n_items */
};

void vt_bought_together_options_default(struct vt_bought_together_options *ret_options)
{
    *ret_options = (struct vt_bought_together_options){.per_item = VT_BOUGHT_TOGETHER_DEFAULT,
                                                       .n_both_min = BOTH_MIN_DEFAULT,
                                                       .z = Z_ONE_SIDED_95,
                                                       .lift_min = 1};
}

void vt_bought_together_free(struct vt_bought_together *together)
{
    if (together == NULL)
        return;
    free(together->starts);
    free(together->columns);
    free(together->values);
    *together = (struct vt_bought_together){0};
}

/* ---- one row ---- */

static uint32_t n_baskets_of(const struct training *training, uint32_t item)
{
    return (uint32_t)(training->by_item.starts[item + 1] - training->by_item.starts[item]);
}

static void count_row(const struct training *training, struct accumulator *accumulator,
                      uint32_t item)
{
    const struct vt_sparse *baskets = training->baskets, *by_item = &training->by_item;
    for (uint64_t b = by_item->starts[item]; b < by_item->starts[item + 1]; b++) {
        uint32_t basket = by_item->columns[b];
        for (uint64_t e = baskets->starts[basket]; e < baskets->starts[basket + 1]; e++) {
            uint32_t other = baskets->columns[e];
            if (accumulator->n_both[other]++ == 0)
                accumulator->touched[accumulator->n_touched++] = other;
        }
    }
}

/* 0: the pair does not count. */
static double pair_value(const struct training *training, uint32_t item, uint32_t other,
                         uint32_t n_both)
{
    const struct vt_bought_together_options *options = &training->options;
    if (other == item || n_both < options->n_both_min)
        return 0;
    double sure = vt_wilson_lower(n_both, n_baskets_of(training, item), options->z);
    double share = (double)n_baskets_of(training, other) / (double)training->baskets->n_rows;
    return sure > options->lift_min * share ? sure : 0;
}

static void train_row(struct training *training, struct accumulator *accumulator, uint32_t item)
{
    struct vt_top top = {.hits = accumulator->hits, .capacity = training->options.per_item};
    count_row(training, accumulator, item);
    for (uint32_t i = 0; i < accumulator->n_touched; i++) {
        uint32_t other = accumulator->touched[i];
        double value = pair_value(training, item, other, accumulator->n_both[other]);
        /* Judged as it will be stored, so that equal floats stand by column. */
        if ((float)value > 0)
            vt_top_offer(&top, (struct vt_index_hit){(double)(float)value, other});
        accumulator->n_both[other] = 0;
    }
    accumulator->n_touched = 0;
    vt_top_sort(&top);
    struct vt_index_hit *best = &training->best[(size_t)item * training->options.per_item];
    for (uint32_t i = 0; i < top.n; i++)
        best[i] = top.hits[i];
    training->n_best[item] = top.n;
}

static void train_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct training *training = ctx;
    uint32_t first = block * ROWS_PER_BLOCK, n_items = training->baskets->n_cols;
    uint32_t end = n_items - first < ROWS_PER_BLOCK ? n_items : first + ROWS_PER_BLOCK;
    for (uint32_t item = first; item < end; item++)
        train_row(training, &training->accumulators[thread], item);
}

/* ---- the whole ---- */

static struct vt_err check_options(const struct vt_bought_together_options *options,
                                   struct vt_diag *diag)
{
    if (options->per_item < 1 || options->per_item > VT_BOUGHT_TOGETHER_MAX) {
        vt_diag_set(diag, "per_item", "%u pairs an item; 1 to %d", options->per_item,
                    VT_BOUGHT_TOGETHER_MAX);
        return VT_ERR(VT_INVALID, "pairs an item are out of range");
    }
    bool fine = options->z >= 0 && options->lift_min >= 0 && isfinite(options->z) &&
                isfinite(options->lift_min);
    VT_CHECK(fine, VT_INVALID, "z and lift_min are numbers of 0 or more");
    return vt_ok();
}

static struct vt_err allocate(struct training *training)
{
    size_t n_items = training->baskets->n_cols, per_item = training->options.per_item;
    VT_TRY(vt_sparse_transpose(training->baskets, &training->by_item));
    training->best = calloc(n_items * per_item + 1, sizeof *training->best);
    training->n_best = calloc(n_items + 1, sizeof *training->n_best);
    training->accumulators = calloc(training->n_threads, sizeof *training->accumulators);
    bool whole =
        training->best != NULL && training->n_best != NULL && training->accumulators != NULL;
    for (uint32_t t = 0; whole && t < training->n_threads; t++) {
        struct accumulator *accumulator = &training->accumulators[t];
        accumulator->n_both = calloc(n_items + 1, sizeof *accumulator->n_both);
        accumulator->touched = calloc(n_items + 1, sizeof *accumulator->touched);
        accumulator->hits = calloc(per_item, sizeof *accumulator->hits);
        whole = accumulator->n_both != NULL && accumulator->touched != NULL &&
                accumulator->hits != NULL;
    }
    VT_CHECK(whole, VT_EXHAUSTED, "out of memory for what is bought together");
    return vt_ok();
}

static void release(struct training *training)
{
    for (uint32_t t = 0; training->accumulators != NULL && t < training->n_threads; t++) {
        free(training->accumulators[t].n_both);
        free(training->accumulators[t].touched);
        free(training->accumulators[t].hits);
    }
    free(training->accumulators);
    free(training->best);
    free(training->n_best);
    vt_sparse_free(&training->by_item);
}

static struct vt_err pack(const struct training *training, struct vt_bought_together *ret_together)
{
    struct vt_bought_together together = {.n_items = training->baskets->n_cols};
    uint64_t n = 0;
    for (uint32_t item = 0; item < together.n_items; item++)
        n += training->n_best[item];
    together.starts = calloc((size_t)together.n_items + 1, sizeof *together.starts);
    together.columns = calloc((size_t)n + 1, sizeof *together.columns);
    together.values = calloc((size_t)n + 1, sizeof *together.values);
    if (together.starts == NULL || together.columns == NULL || together.values == NULL) {
        vt_bought_together_free(&together);
        return VT_ERR(VT_EXHAUSTED, "out of memory for what is bought together");
    }
    uint64_t at = 0;
    for (uint32_t item = 0; item < together.n_items; item++) {
        const struct vt_index_hit *best =
            &training->best[(size_t)item * training->options.per_item];
        for (uint32_t i = 0; i < training->n_best[item]; i++, at++) {
            together.columns[at] = best[i].row;
            together.values[at] = (float)best[i].score;
        }
        together.starts[item + 1] = at;
    }
    *ret_together = together;
    return vt_ok();
}

struct vt_err vt_bought_together_train(const struct vt_sparse *baskets,
                                       const struct vt_bought_together_options *options,
                                       struct vt_diag *diag,
                                       struct vt_bought_together *ret_together)
{
    VT_TRY(check_options(options, diag));
    struct training training = {.baskets = baskets, .options = *options};
    if (training.options.per_item > baskets->n_cols && baskets->n_cols > 0)
        training.options.per_item = baskets->n_cols;
    training.n_threads = vt_threads_resolve(options->threads);
    struct vt_err err = allocate(&training);
    if (!vt_failed(err)) {
        uint32_t n_blocks =
            baskets->n_cols / ROWS_PER_BLOCK + (baskets->n_cols % ROWS_PER_BLOCK != 0);
        vt_parallel(n_blocks, training.n_threads, train_block, &training);
        err = pack(&training, ret_together);
    }
    release(&training);
    return err;
}
