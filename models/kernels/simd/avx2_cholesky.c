/*
 * Normal equations with AVX2 and FMA: the symmetric rank-k update and the Cholesky solution, for
 * the 16 to a few hundred unknowns of a factor vector, where a BLAS spends much of its time on
 * copying and dispatch. Both work on tiles of four rows and sixteen columns that stay in eight
 * registers while the third dimension runs; the triangle is the upper one, so that every vector
 * load is along a row.
 *
 * The factorisation UᵀU goes by panels of eight rows: what earlier rows take off is one tile update
 * (each element is read and written once), then the 8 × 8 corner is factored, then the rest of the
 * panel is divided by it, eight columns in eight registers. The pivots are kept as reciprocals:
 * substitution multiplies.
 */
#include "models/kernels/simd/avx2.h"
#include "models/kernels/simd/avx2_training.h"

#if VT_HAVE_AVX2_KERNELS

#include <immintrin.h>
#include <math.h>
#include <stddef.h>

#define TARGET_AVX2 __attribute__((target("avx2,fma")))

enum { TILE_ROWS = 4, TILE_COLUMNS = 16, PANEL = 8, DIM_MAX = 4096 };

/* What a tile is made of: target[i][j] ± Σ_k left[k][i] · right[k][j]. */
struct tile_source {
    const float *left, *right;
    size_t n, stride;
};

/* Four rows and sixteen columns of the target; `sign` is 1 or -1, known when compiled. */
TARGET_AVX2 static inline __attribute__((always_inline)) void
add_tile(struct tile_source source, const int sign, float *target, size_t target_stride)
{
    __m256 sums[TILE_ROWS][2];
#pragma GCC unroll 4
    for (size_t i = 0; i < TILE_ROWS; i++) {
        sums[i][0] = _mm256_loadu_ps(target + i * target_stride);
        sums[i][1] = _mm256_loadu_ps(target + i * target_stride + 8);
    }
    for (size_t k = 0; k < source.n; k++) {
        __m256 right[2] = {_mm256_loadu_ps(source.right), _mm256_loadu_ps(source.right + 8)};
#pragma GCC unroll 4
        for (size_t i = 0; i < TILE_ROWS; i++) {
            __m256 left = _mm256_broadcast_ss(source.left + i);
            for (size_t half = 0; half < 2; half++)
                sums[i][half] = sign > 0 ? _mm256_fmadd_ps(left, right[half], sums[i][half])
                                         : _mm256_fnmadd_ps(left, right[half], sums[i][half]);
        }
        source.left += source.stride;
        source.right += source.stride;
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < TILE_ROWS; i++) {
        _mm256_storeu_ps(target + i * target_stride, sums[i][0]);
        _mm256_storeu_ps(target + i * target_stride + 8, sums[i][1]);
    }
}

TARGET_AVX2 void vt__avx2_gram_upper_f32(const struct vt_rows_f32 *rows, float *upper)
{
    for (uint32_t i = 0; i < rows->dim; i += TILE_ROWS)
        for (uint32_t j = i / TILE_COLUMNS * TILE_COLUMNS; j < rows->dim; j += TILE_COLUMNS)
            add_tile(
                (struct tile_source){rows->values + i, rows->values + j, rows->n, rows->stride}, 1,
                upper + (size_t)i * rows->dim + j, rows->dim);
}

/* ---- Cholesky ---- */

/* Takes off the panel at row `first` what the rows above it say. Columns begin at a multiple of
 * sixteen: what lies below the diagonal there is never read. */
TARGET_AVX2 static void update_panel(float *upper, uint32_t dim, uint32_t first)
{
    for (uint32_t i = first; i < first + PANEL; i += TILE_ROWS)
        for (uint32_t j = first / TILE_COLUMNS * TILE_COLUMNS; j < dim; j += TILE_COLUMNS)
            add_tile((struct tile_source){upper + i, upper + j, first, dim}, -1,
                     upper + (size_t)i * dim + j, dim);
}

/* The corner 8 × 8, row by row; what is right of a pivot is divided by its root. NaN fails too. */
TARGET_AVX2 static bool factor_corner(float *corner, uint32_t dim, float reciprocals[PANEL])
{
    for (size_t i = 0; i < PANEL; i++) {
        float *row = corner + i * dim;
        if (!(row[i] > 0))
            return false;
        reciprocals[i] = 1 / sqrtf(row[i]);
        __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(row), _mm256_set1_ps(reciprocals[i]));
        _mm256_storeu_ps(row, scaled);
        for (size_t below = i + 1; below < PANEL; below++) {
            __m256 by = _mm256_broadcast_ss(row + below);
            __m256 target = _mm256_loadu_ps(corner + below * dim);
            _mm256_storeu_ps(corner + below * dim, _mm256_fnmadd_ps(by, scaled, target));
        }
    }
    return true;
}

/* Eight columns right of the corner: X = U⁻ᵀ·A, in registers. */
TARGET_AVX2 static inline void divide_columns(const float *corner, uint32_t dim,
                                              const float reciprocals[PANEL], float *columns)
{
    __m256 rows[PANEL];
#pragma GCC unroll 8
    for (size_t i = 0; i < PANEL; i++)
        rows[i] = _mm256_loadu_ps(columns + i * dim);
#pragma GCC unroll 8
    for (size_t i = 0; i < PANEL; i++) {
        rows[i] = _mm256_mul_ps(rows[i], _mm256_broadcast_ss(reciprocals + i));
        _mm256_storeu_ps(columns + i * dim, rows[i]);
#pragma GCC unroll 8
        for (size_t below = i + 1; below < PANEL; below++)
            rows[below] = _mm256_fnmadd_ps(_mm256_broadcast_ss(corner + i * dim + below), rows[i],
                                           rows[below]);
    }
}

/* The panel's eight unknowns of Uᵀ·y = rhs, and what they take off the later ones. */
TARGET_AVX2 static void substitute_forward(const float *panel, uint32_t dim, uint32_t first,
                                           const float reciprocals[PANEL], float *rhs)
{
    for (uint32_t i = 0; i < PANEL; i++) {
        rhs[first + i] *= reciprocals[i];
        for (uint32_t j = i + 1; j < PANEL; j++)
            rhs[first + j] -= panel[(size_t)i * dim + first + j] * rhs[first + i];
    }
    for (uint32_t j = first + PANEL; j < dim; j += 8) {
        __m256 sum = _mm256_loadu_ps(rhs + j);
#pragma GCC unroll 8
        for (uint32_t i = 0; i < PANEL; i++)
            sum = _mm256_fnmadd_ps(_mm256_broadcast_ss(rhs + first + i),
                                   _mm256_loadu_ps(panel + (size_t)i * dim + j), sum);
        _mm256_storeu_ps(rhs + j, sum);
    }
}

/* The panel's eight unknowns of U·x = y, the later ones being known. */
TARGET_AVX2 static void substitute_back(const float *panel, uint32_t dim, uint32_t first,
                                        const float reciprocals[PANEL], float *rhs)
{
    const struct vt_rows_f32 right = {panel + first + PANEL, PANEL, dim - first - PANEL, dim};
    vt__avx2_residual_f32(&right, rhs + first, rhs + first + PANEL, rhs + first, NULL);
    for (uint32_t i = PANEL; i-- > 0;) {
        float sum = rhs[first + i];
        for (uint32_t j = i + 1; j < PANEL; j++)
            sum -= panel[(size_t)i * dim + first + j] * rhs[first + j];
        rhs[first + i] = sum * reciprocals[i];
    }
}

TARGET_AVX2 bool vt__avx2_solve_upper_f32(float *upper, uint32_t dim, float *rhs)
{
    float reciprocals[DIM_MAX];
    if (dim > DIM_MAX)
        return false;
    for (uint32_t first = 0; first < dim; first += PANEL) {
        float *panel = upper + (size_t)first * dim;
        update_panel(upper, dim, first);
        if (!factor_corner(panel + first, dim, reciprocals + first))
            return false;
        for (uint32_t j = first + PANEL; j < dim; j += 8)
            divide_columns(panel + first, dim, reciprocals + first, panel + j);
        substitute_forward(panel, dim, first, reciprocals + first, rhs);
    }
    for (uint32_t first = dim; first > 0; first -= PANEL)
        substitute_back(upper + (size_t)(first - PANEL) * dim, dim, first - PANEL,
                        reciprocals + first - PANEL, rhs);
    return true;
}

#else
typedef int vt__avx2_cholesky_not_on_this_architecture; /* ISO C forbids an empty file */
#endif
