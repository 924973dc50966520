#ifndef VT_KERNELS_SYMMETRIC_H
#define VT_KERNELS_SYMMETRIC_H

#include "services/common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A symmetric matrix of floats kept as the square tiles of its lower half: about 2·n² bytes instead
 * of 4·n². Tile (i, j), j ≤ i, holds rows [i·T, i·T + T) and columns [j·T, j·T + T), row-major; the
 * last row of tiles is filled up with an identity, which no result sees. Writers fill elements
 * (row, column ≤ row); what stands above the diagonal of a diagonal tile means nothing until
 * vt_symmetric_invert has mirrored it.
 */
enum { VT_TILE = 256, VT_TILE_FLOATS = VT_TILE * VT_TILE };

struct vt_symmetric {
    uint32_t n, n_tiles; /* of a side */
    float *tiles;        /* owned, n_tiles·(n_tiles + 1)/2 of them */
};
#define VT_SYMMETRIC_MAX (UINT32_C(1) << 20) /* a side; more is 2 TiB */

/* Memory of a matrix, and the scratch of inverting it. */
uint64_t vt_symmetric_bytes(uint32_t n);
uint64_t vt_symmetric_invert_bytes(uint32_t n);

/* Zeros. VT_INVALID for n = 0 or above VT_SYMMETRIC_MAX, VT_EXHAUSTED without memory. */
VT_MUST_USE struct vt_err vt_symmetric_init(uint32_t n, struct vt_symmetric *ret_matrix);
void vt_symmetric_fini(struct vt_symmetric *matrix); /* zeroed is allowed */

/* Tile (i, j), j ≤ i. */
static inline float *vt_symmetric_tile(const struct vt_symmetric *matrix, uint32_t i, uint32_t j)
{
    return matrix->tiles + ((size_t)i * (i + 1) / 2 + j) * VT_TILE_FLOATS;
}

/* Element (row, column), in either order. */
static inline float *vt_symmetric_at(const struct vt_symmetric *matrix, uint32_t row,
                                     uint32_t column)
{
    uint32_t low = row > column ? row : column, left = row > column ? column : row;
    return vt_symmetric_tile(matrix, low / VT_TILE, left / VT_TILE) +
           (size_t)(low % VT_TILE) * VT_TILE + left % VT_TILE;
}

/* Called after each of n_tiles steps on the caller's thread; false ends the work. */
typedef bool (*vt_symmetric_progress_fn)(void *ctx, uint32_t done, uint32_t total);

/*
 * matrix ← matrix⁻¹, in place, n³ flops, of a positive definite matrix. VT_INVALID when it
 * is not (up to rounding), VT_CANCELLED when `progress` (NULL: none) said so, VT_EXHAUSTED; the
 * contents are lost then. The same bytes for any thread count.
 *
 * Factoring, inverting the factor and multiplying it out are one sweep over the tiles (Bientinesi,
 * Gunter, van de Geijn, "Families of Algorithms Related to the Inversion of a Symmetric Positive
 * Definite Matrix", 2008): step k inverts its diagonal tile, by Cholesky and in double, and passes
 * once over all the others.
 */
VT_MUST_USE struct vt_err vt_symmetric_invert(struct vt_symmetric *matrix, uint32_t n_threads,
                                              vt_symmetric_progress_fn progress,
                                              void *progress_ctx);

/* The whole rows [i·VT_TILE, i·VT_TILE + VT_TILE) of an inverted matrix, each n_tiles·VT_TILE long:
 * ret_rows[r][c]. */
void vt_symmetric_tile_row(const struct vt_symmetric *matrix, uint32_t i, float *ret_rows);

/* ret_tile[c][r] = tile[r][c]; two tiles. */
void vt_tile_transpose(const float *restrict tile, float *restrict ret_tile);

#endif
