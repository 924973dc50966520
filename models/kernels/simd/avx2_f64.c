/*
 * Small normal equations in double with AVX2 and FMA: what folding a history into a factor vector
 * takes at each request. At 64 unknowns and 50 events a BLAS spends more on locks, copying and
 * dispatch than on the arithmetic. Same plan as avx2_cholesky.c with half as many lanes: tiles of
 * four rows and eight columns stay in eight registers while the third dimension runs; the solution
 * goes by panels of four rows of the upper triangle, which the given lower one is mirrored to, so
 * that every vector load is along a row. Larger shapes, and those that are no multiple of a tile,
 * go to the BLAS, whose blocking for the caches pays there.
 */
#include "models/kernels/simd/avx2_f64.h"

#include "models/kernels/blas/blas.h"
#include "models/kernels/simd/avx2.h"

#if VT_HAVE_AVX2_KERNELS

#include <immintrin.h>
#include <math.h>
#include <stddef.h>

#define TARGET_AVX2 __attribute__((target("avx2,fma")))

enum { TILE_ROWS = 4, TILE_COLUMNS = 8, LANES = 4, PANEL = 4 };
enum { SMALL_DIM_MAX = 128, SMALL_ROWS_MAX = 64 }; /* 64 KiB of rows: within the second cache */

/* What a tile is made of: target[i][j] ± Σ_k left[k][i] · right[k][j]. */
struct tile_source {
    const double *left, *right;
    size_t n, stride;
};

/* Four rows and eight columns of the target; `sign` is 1 or -1, known when compiled. */
TARGET_AVX2 static inline __attribute__((always_inline)) void
add_tile(struct tile_source source, const int sign, double *target, size_t target_stride)
{
    __m256d sums[TILE_ROWS][2];
#pragma GCC unroll 4
    for (size_t i = 0; i < TILE_ROWS; i++) {
        sums[i][0] = _mm256_loadu_pd(target + i * target_stride);
        sums[i][1] = _mm256_loadu_pd(target + i * target_stride + LANES);
    }
    for (size_t k = 0; k < source.n; k++) {
        __m256d right[2] = {_mm256_loadu_pd(source.right), _mm256_loadu_pd(source.right + LANES)};
#pragma GCC unroll 4
        for (size_t i = 0; i < TILE_ROWS; i++) {
            __m256d left = _mm256_broadcast_sd(source.left + i);
            for (size_t half = 0; half < 2; half++)
                sums[i][half] = sign > 0 ? _mm256_fmadd_pd(left, right[half], sums[i][half])
                                         : _mm256_fnmadd_pd(left, right[half], sums[i][half]);
        }
        source.left += source.stride;
        source.right += source.stride;
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < TILE_ROWS; i++) {
        _mm256_storeu_pd(target + i * target_stride, sums[i][0]);
        _mm256_storeu_pd(target + i * target_stride + LANES, sums[i][1]);
    }
}

static bool is_small(uint32_t dim)
{
    return dim <= SMALL_DIM_MAX && dim % TILE_COLUMNS == 0;
}

/* Tiles on the diagonal also write above it, where the contract promises nothing is touched: they
 * are made aside, and their lower triangle is added. */
TARGET_AVX2 static void add_diagonal_tile(struct tile_source source, double *target, size_t dim)
{
    double aside[TILE_ROWS * TILE_COLUMNS] = {0};
    size_t first_row = (size_t)(source.left - source.right);
    add_tile(source, 1, aside, TILE_COLUMNS);
    for (size_t i = 0; i < TILE_ROWS; i++)
        for (size_t j = 0; j <= first_row + i; j++)
            target[i * dim + j] += aside[i * TILE_COLUMNS + j];
}

TARGET_AVX2 void vt__avx2_gram_add_f64(const double *rows, uint32_t n_rows, uint32_t dim,
                                       double *lower)
{
    if (!is_small(dim) || n_rows > SMALL_ROWS_MAX) {
        vt__blas_gram_add_f64(rows, n_rows, dim, lower);
        return;
    }
    for (size_t i = 0; i < dim; i += TILE_ROWS)
        for (size_t j = 0; j <= i; j += TILE_COLUMNS) {
            const struct tile_source source = {rows + i, rows + j, n_rows, dim};
            if (j + TILE_COLUMNS <= i)
                add_tile(source, 1, lower + i * dim + j, dim);
            else
                add_diagonal_tile(source, lower + i * dim + j, dim);
        }
}

/* ---- Cholesky ---- */

/* The upper triangle becomes the lower one's mirror, four by four. */
TARGET_AVX2 static void mirror(double *matrix, size_t dim)
{
    for (size_t i = 0; i < dim; i += LANES)
        for (size_t j = 0; j <= i; j += LANES) {
            const double *from = matrix + i * dim + j;
            double *to = matrix + j * dim + i;
            __m256d a = _mm256_loadu_pd(from), b = _mm256_loadu_pd(from + dim);
            __m256d c = _mm256_loadu_pd(from + 2 * dim), d = _mm256_loadu_pd(from + 3 * dim);
            __m256d ab_even = _mm256_unpacklo_pd(a, b), ab_odd = _mm256_unpackhi_pd(a, b);
            __m256d cd_even = _mm256_unpacklo_pd(c, d), cd_odd = _mm256_unpackhi_pd(c, d);
            _mm256_storeu_pd(to, _mm256_permute2f128_pd(ab_even, cd_even, 0x20));
            _mm256_storeu_pd(to + dim, _mm256_permute2f128_pd(ab_odd, cd_odd, 0x20));
            _mm256_storeu_pd(to + 2 * dim, _mm256_permute2f128_pd(ab_even, cd_even, 0x31));
            _mm256_storeu_pd(to + 3 * dim, _mm256_permute2f128_pd(ab_odd, cd_odd, 0x31));
        }
}

/* The corner 4 × 4, row by row; what is right of a pivot is divided by its root. NaN fails too. */
TARGET_AVX2 static bool factor_corner(double *corner, size_t dim, double reciprocals[PANEL])
{
    for (size_t i = 0; i < PANEL; i++) {
        double *row = corner + i * dim;
        if (!(row[i] > 0))
            return false;
        reciprocals[i] = 1 / sqrt(row[i]);
        __m256d scaled = _mm256_mul_pd(_mm256_loadu_pd(row), _mm256_set1_pd(reciprocals[i]));
        _mm256_storeu_pd(row, scaled);
        for (size_t below = i + 1; below < PANEL; below++) {
            __m256d target = _mm256_loadu_pd(corner + below * dim);
            target = _mm256_fnmadd_pd(_mm256_broadcast_sd(row + below), scaled, target);
            _mm256_storeu_pd(corner + below * dim, target);
        }
    }
    return true;
}

/* Four columns right of the corner: X = U⁻ᵀ·A, in registers. */
TARGET_AVX2 static inline void divide_columns(const double *corner, size_t dim,
                                              const double reciprocals[PANEL], double *columns)
{
    __m256d rows[PANEL];
#pragma GCC unroll 4
    for (size_t i = 0; i < PANEL; i++)
        rows[i] = _mm256_loadu_pd(columns + i * dim);
#pragma GCC unroll 4
    for (size_t i = 0; i < PANEL; i++) {
        rows[i] = _mm256_mul_pd(rows[i], _mm256_broadcast_sd(reciprocals + i));
        _mm256_storeu_pd(columns + i * dim, rows[i]);
#pragma GCC unroll 4
        for (size_t below = i + 1; below < PANEL; below++)
            rows[below] = _mm256_fnmadd_pd(_mm256_broadcast_sd(corner + i * dim + below), rows[i],
                                           rows[below]);
    }
}

/* The panel's four unknowns of Uᵀ·y = rhs, and what they take off the later ones. */
TARGET_AVX2 static void substitute_forward(const double *panel, size_t dim, size_t first,
                                           const double reciprocals[PANEL], double *rhs)
{
    for (size_t i = 0; i < PANEL; i++) {
        rhs[first + i] *= reciprocals[i];
        for (size_t j = i + 1; j < PANEL; j++)
            rhs[first + j] -= panel[i * dim + first + j] * rhs[first + i];
    }
    for (size_t j = first + PANEL; j < dim; j += LANES) {
        __m256d sum = _mm256_loadu_pd(rhs + j);
#pragma GCC unroll 4
        for (size_t i = 0; i < PANEL; i++)
            sum = _mm256_fnmadd_pd(_mm256_broadcast_sd(rhs + first + i),
                                   _mm256_loadu_pd(panel + i * dim + j), sum);
        _mm256_storeu_pd(rhs + j, sum);
    }
}

/* Σ row[j]·x[j] of the columns from `first`, in four lanes that meet in a fixed tree. */
TARGET_AVX2 static double known_part(const double *row, const double *x, size_t first, size_t dim)
{
    __m256d sums = _mm256_setzero_pd();
    for (size_t j = first; j < dim; j += LANES)
        sums = _mm256_fmadd_pd(_mm256_loadu_pd(row + j), _mm256_loadu_pd(x + j), sums);
    __m128d pairs = _mm_add_pd(_mm256_castpd256_pd128(sums), _mm256_extractf128_pd(sums, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pairs, _mm_unpackhi_pd(pairs, pairs)));
}

/* The panel's four unknowns of U·x = y, the later ones being known. */
TARGET_AVX2 static void substitute_back(const double *panel, size_t dim, size_t first,
                                        const double reciprocals[PANEL], double *rhs)
{
    for (size_t i = PANEL; i-- > 0;) {
        const double *row = panel + i * dim;
        double sum = rhs[first + i] - known_part(row, rhs, first + PANEL, dim);
        for (size_t j = i + 1; j < PANEL; j++)
            sum -= row[first + j] * rhs[first + j];
        rhs[first + i] = sum * reciprocals[i];
    }
}

/* What the rows above a panel take off it. Columns begin at a multiple of a tile: what lies below
 * the diagonal there is never read again. */
TARGET_AVX2 static void update_panel(double *upper, size_t dim, size_t first)
{
    for (size_t j = first / TILE_COLUMNS * TILE_COLUMNS; j < dim; j += TILE_COLUMNS)
        add_tile((struct tile_source){upper + first, upper + j, first, dim}, -1,
                 upper + first * dim + j, dim);
}

TARGET_AVX2 bool vt__avx2_solve_f64(double *lower, uint32_t dim, double *rhs)
{
    double reciprocals[SMALL_DIM_MAX];
    if (!is_small(dim))
        return vt__blas_solve_f64(lower, dim, rhs);
    mirror(lower, dim);
    for (size_t first = 0; first < dim; first += PANEL) {
        double *panel = lower + first * dim;
        update_panel(lower, dim, first);
        if (!factor_corner(panel + first, dim, reciprocals + first))
            return false;
        for (size_t j = first + PANEL; j < dim; j += LANES)
            divide_columns(panel + first, dim, reciprocals + first, panel + j);
        substitute_forward(panel, dim, first, reciprocals + first, rhs);
    }
    for (size_t first = dim; first > 0; first -= PANEL)
        substitute_back(lower + (first - PANEL) * dim, dim, first - PANEL,
                        reciprocals + first - PANEL, rhs);
    return true;
}

#else
typedef int vt__avx2_f64_not_on_this_architecture; /* ISO C forbids an empty file */
#endif
