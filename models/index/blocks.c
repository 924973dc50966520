/*
 * The byte form of the rows. Each row has its own scale, its largest magnitude over 127, and what
 * rounding to bytes loses is measured in double, not estimated: the bound of the search is then
 * right for any rows, however they were made. Descending norms let the search stop early, and put
 * rows of one size into one block, whose largest norm and error then say much about each; within
 * bands of nearly one norm, groups.c may order by direction.
 */
#include "models/index/index_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 127, OFFSET = 128, ALIGNMENT = 64 };

float vt__rounded_up(double value)
{
    float rounded = (float)value;
    return (double)rounded < value ? nextafterf(rounded, INFINITY) : rounded;
}

/* ---- order ---- */

struct ranked {
    float norm;
    uint32_t row;
};

static int by_norm(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->norm < b->norm || a->norm > b->norm)
        return a->norm > b->norm ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static struct vt_err order_rows(struct vt_index *index)
{
    uint32_t n_rows = index->rows.n_rows, n_places = index->blocks.n_blocks * VT_SCAN_ROWS;
    struct ranked *ranked = malloc(((size_t)n_rows + 1) * sizeof *ranked);
    VT_CHECK(ranked != NULL, VT_EXHAUSTED, "no memory to order the index");
    for (uint32_t r = 0; r < n_rows; r++)
        ranked[r] = (struct ranked){index->norms[r], r};
    qsort(ranked, n_rows, sizeof *ranked, by_norm);
    for (uint32_t place = 0; place < n_places; place++)
        index->blocks.rows[place] = place < n_rows ? ranked[place].row : UINT32_MAX;
    free(ranked);
    return vt_ok();
}

/* ---- bytes ---- */

static float scale_of(const float *row, uint32_t dim)
{
    float largest = 0;
    for (uint32_t d = 0; d < dim; d++)
        largest = fmaxf(largest, fabsf(row[d]));
    return largest / LEVELS;
}

static int level_of(float value, float scale)
{
    if (scale <= 0)
        return 0;
    double level = nearbyint((double)value / (double)scale);
    return (int)fmax(-LEVELS, fmin(LEVELS, level));
}

/* Writes the bytes of the row at `place` of its block; the distance of what they stand for. */
static float put_row(struct vt__blocks *blocks, uint32_t place, const float *row, uint32_t dim)
{
    float scale = scale_of(row, dim);
    size_t step_bytes = (size_t)VT_SCAN_ROWS * VT_SCAN_STEP;
    uint8_t *block = blocks->values + place / VT_SCAN_ROWS * blocks->n_steps * step_bytes;
    double square = 0;
    for (uint32_t d = 0; d < dim; d++) {
        int level = level_of(row[d], scale);
        double lost = (double)row[d] - (double)scale * level;
        square += lost * lost;
        block[d / VT_SCAN_STEP * step_bytes +
              (size_t)(place % VT_SCAN_ROWS * VT_SCAN_STEP + d % VT_SCAN_STEP)] =
            (uint8_t)(level + OFFSET);
    }
    blocks->scales[place] = scale;
    return vt__rounded_up(sqrt(square) * (1 + 0x1p-40)); /* the sum's own roundings */
}

void vt__blocks_put(struct vt__blocks *blocks, uint32_t place, const float *row, uint32_t dim,
                    float norm)
{
    struct vt__block_bound *bound = &blocks->bounds[place / VT_SCAN_ROWS];
    bound->error = fmaxf(bound->error, put_row(blocks, place, row, dim));
    bound->norm_max = fmaxf(bound->norm_max, norm);
    bound->norm_min = fminf(bound->norm_min, norm);
}

struct vt_err vt__blocks_allocate(struct vt__blocks *blocks, uint32_t n, uint32_t dim)
{
    blocks->n_blocks = (n + VT_SCAN_ROWS - 1) / VT_SCAN_ROWS;
    blocks->n_steps = (dim + VT_SCAN_STEP - 1) / VT_SCAN_STEP;
    size_t n_places = (size_t)blocks->n_blocks * VT_SCAN_ROWS;
    size_t n_values = n_places * blocks->n_steps * VT_SCAN_STEP; /* a multiple of ALIGNMENT */
    blocks->values = aligned_alloc(ALIGNMENT, n_values != 0 ? n_values : ALIGNMENT);
    blocks->scales = calloc(n_places + 1, sizeof *blocks->scales);
    blocks->rows = calloc(n_places + 1, sizeof *blocks->rows);
    blocks->bounds = calloc(blocks->n_blocks + (size_t)1, sizeof *blocks->bounds);
    VT_CHECK(blocks->values != NULL && blocks->scales != NULL && blocks->rows != NULL &&
                 blocks->bounds != NULL,
             VT_EXHAUSTED, "no memory for the index");
    memset(blocks->values, OFFSET, n_values);
    for (uint32_t block = 0; block < blocks->n_blocks; block++)
        blocks->bounds[block].norm_min = INFINITY;
    return vt_ok();
}

struct vt_err vt__blocks_make(struct vt_index *index)
{
    struct vt__blocks *blocks = &index->blocks;
    const struct vt_index_rows *rows = &index->rows;
    VT_TRY(vt__blocks_allocate(blocks, rows->n_rows, rows->dim));
    VT_TRY(order_rows(index));
    VT_TRY(vt__groups_make(index));
    for (uint32_t place = 0; place < rows->n_rows; place++) {
        uint32_t row = blocks->rows[place];
        vt__blocks_put(blocks, place, rows->factors + (size_t)row * rows->row_stride, rows->dim,
                       index->norms[row]);
    }
    return vt_ok();
}

void vt__blocks_free(struct vt__blocks *blocks)
{
    free(blocks->values);
    free(blocks->scales);
    free(blocks->rows);
    free(blocks->bounds);
}
