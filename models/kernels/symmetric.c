/*
 * Symmetric matrices by tiles, and their inverse. The sweep keeps one invariant: after step k the
 * tiles hold, for the pivots swept so far (p) and the rest (r),
 *
 *   | −(A_pp)⁻¹                |
 *   |  A_rp·(A_pp)⁻¹   A_rr − A_rp·(A_pp)⁻¹·A_pr |
 *
 * so the pivot of a step is a diagonal tile of the Schur complement, the one that Cholesky would
 * factor, and after the last step the whole is −A⁻¹. A step has three parts with a join between:
 * invert the pivot (one thread), form the column of tiles times that inverse, update every tile. A
 * tile is updated by one thread, step after step, so its bytes do not depend on how many there are.
 * Nothing but the pivot is touched twice in a step; all the arithmetic is tile products, which stay
 * in the second cache.
 */
#include "models/kernels/symmetric.h"

#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"

#include <stdlib.h>
#include <string.h>

static uint32_t tiles_of_side(uint32_t n)
{
    return (n + VT_TILE - 1) / VT_TILE;
}

uint64_t vt_symmetric_bytes(uint32_t n)
{
    uint64_t n_tiles = tiles_of_side(n);
    return n_tiles * (n_tiles + 1) / 2 * VT_TILE_FLOATS * sizeof(float);
}

uint64_t vt_symmetric_invert_bytes(uint32_t n)
{
    uint64_t panel_tiles = 2 * (uint64_t)tiles_of_side(n) + 1;
    return panel_tiles * VT_TILE_FLOATS * sizeof(float) + VT_TILE_FLOATS * sizeof(double);
}

struct vt_err vt_symmetric_init(uint32_t n, struct vt_symmetric *ret_matrix)
{
    VT_CHECK(n > 0 && n <= VT_SYMMETRIC_MAX, VT_INVALID, "a symmetric matrix of no size, or huge");
    struct vt_symmetric matrix = {.n = n, .n_tiles = tiles_of_side(n)};
    matrix.tiles = calloc(vt_symmetric_bytes(n) / sizeof(float), sizeof(float));
    VT_CHECK(matrix.tiles != NULL, VT_EXHAUSTED, "out of memory for a symmetric matrix");
    *ret_matrix = matrix;
    return vt_ok();
}

void vt_symmetric_fini(struct vt_symmetric *matrix)
{
    free(matrix->tiles);
    *matrix = (struct vt_symmetric){0};
}

/* ---- the inverse ---- */

struct sweep {
    struct vt_symmetric *matrix;
    uint32_t pivot;        /* of this step */
    float *columns;        /* n_tiles tiles: the pivot's column before the step */
    float *products;       /* n_tiles tiles: that column times the pivot's inverse */
    float *pivot_inverse;  /* a tile */
    double *pivot_scratch; /* a tile */
};

void vt_tile_transpose(const float *restrict tile, float *restrict ret_tile)
{
    enum { STRIP = 16 }; /* a cache line of floats */
    for (uint32_t strip = 0; strip < VT_TILE; strip += STRIP)
        for (uint32_t r = 0; r < VT_TILE; r++)
            for (uint32_t c = strip; c < strip + STRIP; c++)
                ret_tile[(size_t)c * VT_TILE + r] = tile[(size_t)r * VT_TILE + c];
}

static bool invert_pivot(struct sweep *sweep)
{
    const float *tile = vt_symmetric_tile(sweep->matrix, sweep->pivot, sweep->pivot);
    for (size_t e = 0; e < VT_TILE_FLOATS; e++)
        sweep->pivot_scratch[e] = (double)tile[e];
    if (!vt_kernels()->invert_f64(sweep->pivot_scratch, VT_TILE))
        return false;
    for (size_t r = 0; r < VT_TILE; r++)
        for (size_t c = 0; c <= r; c++) {
            float value = (float)sweep->pivot_scratch[r * VT_TILE + c];
            sweep->pivot_inverse[r * VT_TILE + c] = value;
            sweep->pivot_inverse[c * VT_TILE + r] = value;
        }
    return true;
}

/* Tile i of the pivot's column, whichever half keeps it, and its product with the inverse. */
static void form_column(void *ctx, uint32_t i, uint32_t thread)
{
    (void)thread;
    struct sweep *sweep = ctx;
    float *column = sweep->columns + (size_t)i * VT_TILE_FLOATS;
    if (i == sweep->pivot)
        return;
    if (i > sweep->pivot)
        memcpy(column, vt_symmetric_tile(sweep->matrix, i, sweep->pivot),
               VT_TILE_FLOATS * sizeof *column);
    else
        vt_tile_transpose(vt_symmetric_tile(sweep->matrix, sweep->pivot, i), column);
    vt_kernels()->matmul_nt_f32(column, VT_TILE, VT_TILE, sweep->pivot_inverse, VT_TILE, VT_TILE,
                                VT_TILE, sweep->products + (size_t)i * VT_TILE_FLOATS, VT_TILE);
}

static void update_tile(struct sweep *sweep, uint32_t i, uint32_t j)
{
    float *tile = vt_symmetric_tile(sweep->matrix, i, j);
    const float *product_i = sweep->products + (size_t)i * VT_TILE_FLOATS;
    const float *product_j = sweep->products + (size_t)j * VT_TILE_FLOATS;
    if (i == sweep->pivot && j == sweep->pivot)
        for (size_t e = 0; e < VT_TILE_FLOATS; e++)
            tile[e] = -sweep->pivot_inverse[e];
    else if (j == sweep->pivot)
        memcpy(tile, product_i, VT_TILE_FLOATS * sizeof *tile);
    else if (i == sweep->pivot)
        vt_tile_transpose(product_j, tile);
    else
        vt_kernels()->matmul_nt_sub_f32(product_i, VT_TILE, VT_TILE,
                                        sweep->columns + (size_t)j * VT_TILE_FLOATS, VT_TILE,
                                        VT_TILE, VT_TILE, tile, VT_TILE);
}

/* The longest rows first, so that no thread ends with one. */
static void update_row(void *ctx, uint32_t block, uint32_t thread)
{
    (void)thread;
    struct sweep *sweep = ctx;
    uint32_t i = sweep->matrix->n_tiles - 1 - block;
    for (uint32_t j = 0; j <= i; j++)
        update_tile(sweep, i, j);
}

static struct vt_err run_sweep(struct sweep *sweep, uint32_t n_threads,
                               vt_symmetric_progress_fn progress, void *progress_ctx)
{
    uint32_t n_tiles = sweep->matrix->n_tiles;
    for (sweep->pivot = 0; sweep->pivot < n_tiles; sweep->pivot++) {
        VT_CHECK(invert_pivot(sweep), VT_INVALID, "the matrix is not positive definite");
        vt_parallel(n_tiles, n_threads, form_column, sweep);
        vt_parallel(n_tiles, n_threads, update_row, sweep);
        VT_CHECK(progress == NULL || progress(progress_ctx, sweep->pivot + 1, n_tiles),
                 VT_CANCELLED, "ended by the caller");
    }
    return vt_ok();
}

/* Identity behind the last row: its inverse is itself, and it meets nothing. */
static void fill_up(struct vt_symmetric *matrix)
{
    for (uint32_t row = matrix->n; row < matrix->n_tiles * VT_TILE; row++)
        *vt_symmetric_at(matrix, row, row) = 1;
}

static void negate_row(void *ctx, uint32_t i, uint32_t thread)
{
    (void)thread;
    struct vt_symmetric *matrix = ctx;
    float *tiles = vt_symmetric_tile(matrix, i, 0), *diagonal = vt_symmetric_tile(matrix, i, i);
    for (size_t e = 0; e < (size_t)(i + 1) * VT_TILE_FLOATS; e++)
        tiles[e] = -tiles[e];
    for (size_t r = 0; r < VT_TILE; r++)
        for (size_t c = 0; c < r; c++)
            diagonal[c * VT_TILE + r] = diagonal[r * VT_TILE + c];
}

struct vt_err vt_symmetric_invert(struct vt_symmetric *matrix, uint32_t n_threads,
                                  vt_symmetric_progress_fn progress, void *progress_ctx)
{
    size_t panel_bytes = (size_t)matrix->n_tiles * VT_TILE_FLOATS * sizeof(float);
    struct sweep sweep = {
        .matrix = matrix,
        .columns = malloc(panel_bytes),
        .products = malloc(panel_bytes),
        .pivot_inverse = malloc(VT_TILE_FLOATS * sizeof(float)),
        .pivot_scratch = malloc(VT_TILE_FLOATS * sizeof(double)),
    };
    struct vt_err err = VT_ERR(VT_EXHAUSTED, "out of memory for an inverse");
    if (sweep.columns != NULL && sweep.products != NULL && sweep.pivot_inverse != NULL &&
        sweep.pivot_scratch != NULL) {
        fill_up(matrix);
        err = run_sweep(&sweep, n_threads, progress, progress_ctx);
    }
    if (!vt_failed(err))
        vt_parallel(matrix->n_tiles, n_threads, negate_row, matrix);
    free(sweep.columns);
    free(sweep.products);
    free(sweep.pivot_inverse);
    free(sweep.pivot_scratch);
    return err;
}

void vt_symmetric_tile_row(const struct vt_symmetric *matrix, uint32_t i, float *ret_rows)
{
    size_t stride = (size_t)matrix->n_tiles * VT_TILE;
    for (uint32_t j = 0; j <= i; j++)
        for (size_t r = 0; r < VT_TILE; r++)
            memcpy(ret_rows + r * stride + (size_t)j * VT_TILE,
                   vt_symmetric_tile(matrix, i, j) + r * VT_TILE, VT_TILE * sizeof *ret_rows);
    for (uint32_t below = i + 1; below < matrix->n_tiles; below++) {
        const float *tile = vt_symmetric_tile(matrix, below, i);
        for (size_t c = 0; c < VT_TILE; c++)
            for (size_t r = 0; r < VT_TILE; r++)
                ret_rows[r * stride + (size_t)below * VT_TILE + c] = tile[c * VT_TILE + r];
    }
}
