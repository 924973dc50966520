/*
 * Isotonic regression by pooling: rows by score, each its own block; a block whose mean is below
 * that of the block before it (or is too small to stand for itself) is merged into it, until the
 * means ascend. One pass with a stack.
 */
#include "models/rank/calibration.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct row {
    float score;
    uint32_t place;
    double label; /* 0 or 1 */
};

/* Some rows beside each other in the order of scores. */
struct block {
    double n, score_sum, label_sum;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->score < y->score || x->score > y->score)
        return x->score < y->score ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Owned rows in the order of scores; NULL without memory. */
static struct row *ordered(const float *scores, const float *labels, uint32_t n)
{
    struct row *rows = malloc(((size_t)n + 1) * sizeof *rows);
    for (uint32_t i = 0; rows != NULL && i < n; i++)
        rows[i] = (struct row){scores[i], i, labels[i] > 0 ? 1 : 0};
    if (rows != NULL)
        qsort(rows, n, sizeof *rows, compare_rows);
    return rows;
}

static bool must_merge(const struct block *before, const struct block *block)
{
    return before->n < VT_CALIBRATION_ROWS_MIN ||
           before->label_sum * block->n >= block->label_sum * before->n;
}

static void merge(struct block *into, const struct block *block)
{
    into->n += block->n;
    into->score_sum += block->score_sum;
    into->label_sum += block->label_sum;
}

/* Equal scores are one block from the beginning: their order means nothing. Returns how many
 * blocks there are. */
static uint32_t pool(const struct row *rows, uint32_t n, struct block *ret_blocks)
{
    uint32_t n_blocks = 0;
    for (uint32_t i = 0; i < n;) {
        struct block block = {0};
        float score = rows[i].score;
        for (; i < n && !(rows[i].score > score); i++)
            merge(&block, &(struct block){1, (double)rows[i].score, rows[i].label});
        while (n_blocks > 0 && must_merge(&ret_blocks[n_blocks - 1], &block)) {
            merge(&block, &ret_blocks[n_blocks - 1]);
            n_blocks--;
        }
        ret_blocks[n_blocks++] = block;
    }
    if (n_blocks > 1 && ret_blocks[n_blocks - 1].n < VT_CALIBRATION_ROWS_MIN) {
        merge(&ret_blocks[n_blocks - 2], &ret_blocks[n_blocks - 1]);
        n_blocks--;
    }
    return n_blocks;
}

static struct vt_err check(const float *scores, const float *labels, uint32_t n,
                           struct vt_diag *diag)
{
    uint32_t n_wanted = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!isfinite(scores[i])) {
            vt_diag_set(diag, "scores", "score %u is not finite", i);
            return VT_ERR(VT_INVALID, "a score to calibrate is not finite");
        }
        n_wanted += labels[i] > 0 ? 1 : 0;
    }
    if (n_wanted == 0 || n_wanted == n) {
        vt_diag_set(diag, "labels", "of %u rows %u are wanted: calibration needs both kinds", n,
                    n_wanted);
        return VT_ERR(VT_INVALID, "the labels to calibrate on have one class only");
    }
    return vt_ok();
}

static struct vt_err fit(const struct row *rows, uint32_t n, struct block *blocks,
                         struct vt_calibration *ret)
{
    uint32_t n_blocks = pool(rows, n, blocks);
    float *memory = calloc(n_blocks, 2 * sizeof *memory);
    VT_CHECK(memory != NULL, VT_EXHAUSTED, "out of memory for a calibration");
    for (uint32_t b = 0; b < n_blocks; b++) {
        memory[b] = (float)(blocks[b].score_sum / blocks[b].n);
        memory[n_blocks + b] = (float)(blocks[b].label_sum / blocks[b].n);
    }
    *ret = (struct vt_calibration){n_blocks, memory, memory + n_blocks, memory};
    return vt_ok();
}

struct vt_err vt_calibration_fit(const float *scores, const float *labels, uint32_t n,
                                 struct vt_diag *diag, struct vt_calibration *ret_calibration)
{
    VT_TRY(check(scores, labels, n, diag));
    struct row *rows = ordered(scores, labels, n);
    struct block *blocks = calloc(n, sizeof *blocks);
    struct vt_err err = rows != NULL && blocks != NULL
                            ? fit(rows, n, blocks, ret_calibration)
                            : VT_ERR(VT_EXHAUSTED, "out of memory for a calibration");
    free(rows);
    free(blocks);
    return err;
}

void vt_calibration_free(struct vt_calibration *calibration)
{
    free(calibration->memory);
    *calibration = (struct vt_calibration){0};
}

float vt_calibration_apply(const struct vt_calibration *calibration, float score)
{
    const float *knots = calibration->scores, *values = calibration->probabilities;
    uint32_t low = 0, high = calibration->n; /* the first knot above the score is in [low, high] */
    if (isnan(score))
        return score;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (knots[middle] > score)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == 0 || low == calibration->n)
        return values[low == 0 ? 0 : low - 1];
    float way = (score - knots[low - 1]) / (knots[low] - knots[low - 1]);
    return values[low - 1] + way * (values[low] - values[low - 1]);
}

struct vt_err vt_calibration_error(const float *probabilities, const float *labels, uint32_t n,
                                   double *ret_error)
{
    VT_CHECK(n > 0, VT_INVALID, "no rows to measure a calibration on");
    for (uint32_t i = 0; i < n; i++)
        VT_CHECK(!isnan(probabilities[i]), VT_INVALID, "a probability is NaN");
    struct row *rows = ordered(probabilities, labels, n);
    VT_CHECK(rows != NULL, VT_EXHAUSTED, "out of memory for a calibration");
    double error = 0;
    for (uint32_t bin = 0; bin < VT_CALIBRATION_BINS; bin++) {
        double difference = 0;
        uint64_t begin = (uint64_t)n * bin / VT_CALIBRATION_BINS;
        uint64_t end = (uint64_t)n * (bin + 1) / VT_CALIBRATION_BINS;
        for (uint64_t i = begin; i < end; i++)
            difference += (double)rows[i].score - rows[i].label;
        error += fabs(difference) / n;
    }
    free(rows);
    *ret_error = error;
    return vt_ok();
}
