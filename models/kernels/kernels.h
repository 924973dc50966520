#ifndef VT_KERNELS_KERNELS_H
#define VT_KERNELS_KERNELS_H

#include "services/common/base/diag.h"
#include "services/common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Some columns of a packed matrix: n rows of dim floats, stride floats apart. Borrowed. */
struct vt_rows_f32 {
    const float *values;
    uint32_t n, dim, stride;
};

/*
 * Rows of bytes for the exact search (models/index), in blocks laid out for the vector unit: of
 * VT_SCAN_ROWS rows, VT_SCAN_STEP neighbouring dimensions of each row stand together, then those of
 * the next row; after all rows the next dimensions. Byte value b stands for the number b − 128.
 */
enum { VT_SCAN_ROWS = 32, VT_SCAN_STEP = 4 };
struct vt_scan {
    const uint8_t *values; /* n_blocks × n_steps × VT_SCAN_ROWS × VT_SCAN_STEP; 64-byte aligned */
    const float *scales;   /* n_blocks × VT_SCAN_ROWS; finite, not below 0 */
    uint32_t n_blocks, n_steps;
    const int8_t *query; /* n_steps × VT_SCAN_STEP; −63 to 63, so that no 16-bit sum saturates */
};

/*
 * The inner loops of the models, as a table of function pointers: `ref` is plain C and always
 * right, `blas` takes OpenBLAS and the SIMD of this CPU. Row-major everywhere; `row_stride` counts
 * elements. Immutable, any thread, no allocation by us, no alignment needed.
 *
 * Two families, not to be mixed (docs/numerics.md):
 *   - dot, dots: THE score. Double accumulation in 8 lanes, fixed reduction tree; every variant
 *     returns the same bits (finite input; NaN stays NaN), so rankings agree everywhere.
 *   - the rest: fast, right up to rounding; the bits depend on the variant, never on threads.
 */
struct vt_kernels {
    const char *name;

    /* Σ a[i]·b[i], i < dim. */
    double (*dot)(const float *a, const float *b, uint32_t dim);
    /* ret_scores[r] = dot(row r of rows, query). rows: n_rows × dim. */
    void (*dots)(const float *rows, uint32_t n_rows, uint32_t row_stride, const float *query,
                 uint32_t dim, double *ret_scores);

    /* ret[r] ≈ dot(row r of rows, query), in float: only proposes candidates. */
    void (*matvec_f32)(const float *rows, uint32_t n_rows, uint32_t row_stride, const float *query,
                       uint32_t dim, float *ret);
    /* ret[i·ret_stride + j] ≈ dot(row i of a, row j of b), in float. a: n_a × dim, b: n_b × dim. */
    void (*matmul_nt_f32)(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                          uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                          uint32_t ret_stride);
    /* ret[i·ret_stride + j] ≈ Σ_r a[i][r]·b[r][j], in float. a: n_a × dim, b: dim × n_b. */
    void (*matmul_nn_f32)(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                          uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                          uint32_t ret_stride);
    /* ret[i·ret_stride + j] ≈ Σ_r a[r][i]·b[r][j], in float. a: dim × n_a, b: dim × n_b. */
    void (*matmul_tn_f32)(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                          uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                          uint32_t ret_stride);
    /* ret −= what matmul_nt_f32 gives. */
    void (*matmul_nt_sub_f32)(const float *a, uint32_t n_a, uint32_t a_stride, const float *b,
                              uint32_t n_b, uint32_t b_stride, uint32_t dim, float *ret,
                              uint32_t ret_stride);

    /* lower += rowsᵀ·rows. rows: n_rows × dim, packed; lower: dim × dim, only j ≤ i is touched. */
    void (*gram_add_f32)(const float *rows, uint32_t n_rows, uint32_t dim, float *lower);
    void (*gram_add_f64)(const double *rows, uint32_t n_rows, uint32_t dim, double *lower);

    /* Solves A·x = rhs for the symmetric positive definite A whose lower triangle is given, by
     * Cholesky; x replaces rhs, the triangle is overwritten. False: A is not positive definite. */
    bool (*solve_f32)(float *lower, uint32_t dim, float *rhs);
    bool (*solve_f64)(double *lower, uint32_t dim, double *rhs);
    /* lower ← the lower triangle of the inverse of the symmetric positive definite A whose lower
     * triangle is given; the strict upper one is not looked at and undefined afterwards. False: A
     * is not positive definite. */
    bool (*invert_f64)(double *lower, uint32_t dim);

    /* The eigenvalues of a symmetric matrix (both triangles given), ascending; row j of `symmetric`
     * becomes the unit eigenvector of ret_values[j], its sign as it comes. False: no convergence,
     * or memory. May allocate. */
    bool (*eigen_f64)(double *symmetric, uint32_t dim, double *ret_values);

    /* For each row of the blocks p = (float)(the exact sum of products of its numbers and the
     * query's) · its scale, rounded once. Bit i of ret_masks[b] is clear where p of row i of block
     * b is below thresholds[b]; ret_products, unless NULL, gets each p: n_blocks × VT_SCAN_ROWS.
     * The same bits from every variant. */
    void (*scan)(const struct vt_scan *scan, const float *thresholds, uint32_t *ret_masks,
                 float *ret_products);

    /* What factors are trained with. Every dim and stride here is a multiple of VT_KERNEL_DIM_STEP;
     * callers pad with zeros. */

    /* ret_rows[e] = √|weights[e]| · row columns[e] of factors, ret_targets[e] = √weights[e] where
     * that is above 0, else 0; both go on with zeros up to a multiple of VT_KERNEL_ROWS_STEP rows.
     * factors: rows of dim; ret_rows: packed. */
    void (*gather_f32)(const float *factors, uint32_t dim, const uint32_t *columns,
                       const float *weights, uint32_t n, float *ret_rows, float *ret_targets);
    /* e[r] = targets[r] − dot(row r, vector); ret_residuals[r] = e[r]; ret_sum += Σ e[r]·row r;
     * returns Σ e[r]². NULL for targets or vector: zeros; for a result: not wanted. ret_residuals
     * may be `targets`. Rows up to the next multiple of VT_KERNEL_ROWS_STEP must be there, zero and
     * of target 0, as gather_f32 leaves them. */
    double (*residual_f32)(const struct vt_rows_f32 *rows, const float *targets,
                           const float *vector, float *ret_residuals, float *ret_sum);
    /* upper += rowsᵀ·rows. upper: dim × dim; where j ≥ i; the rest may be overwritten. */
    void (*gram_upper_f32)(const struct vt_rows_f32 *rows, float *upper);
    /* As solve_f32, with the upper triangle given; what is below it may be overwritten. A NaN in it
     * may go unseen, and is in the solution then. */
    bool (*solve_upper_f32)(float *upper, uint32_t dim, float *rhs);
};

enum { VT_KERNEL_LANES = 8, VT_KERNEL_DIM_STEP = 16, VT_KERNEL_ROWS_STEP = 8 };

/* The best table for this CPU; the same pointer for the life of the process. */
const struct vt_kernels *vt_kernels(void);
/* "ref", "blas" (plain C score), "blas-avx2" or "blas-avx512"; NULL when unknown or this CPU cannot
 * run it. */
const struct vt_kernels *vt_kernels_find(const char *name);

/* The defined score of two vectors of `dim` floats. Fetch the table once where it is called in a
 * loop over many rows (`dots`). */
static inline double vt_score_dot(const float *a, const float *b, uint32_t dim)
{
    return vt_kernels()->dot(a, b, dim);
}

/* VT_PRECONDITION when the OpenBLAS that was loaded cannot be called from several threads (Debian's
 * libopenblas0-serial gives wrong results then); `diag` names the package that can. Once at start.
 */
VT_MUST_USE struct vt_err vt_kernels_check(struct vt_diag *diag);
/* "SkylakeX", "Haswell" …: the kernels that OpenBLAS chose, what OPENBLAS_CORETYPE would force. The
 * bytes of a trained model depend on it. A literal. */
const char *vt_kernels_blas_core(void);

#endif
