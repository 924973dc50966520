/*
 * The kernels of training in plain C. Sums are double, so that a fast variant is compared with
 * something better than itself. The eigenvalues are Jacobi's: slow, short, and accurate to the last
 * bits of each.
 */
#include "models/kernels/ref/ref_training.h"

#include "models/kernels/ref/ref.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- eigenvalues: cyclic Jacobi (Golub, Van Loan, "Matrix Computations", 8.5) ---- */

enum { SWEEPS_MAX = 60 };

struct rotation {
    double cosine, sine;
};

/* Of the rows p and q of an n-column matrix. */
static void rotate_rows(double *matrix, uint32_t dim, uint32_t p, uint32_t q, struct rotation by)
{
    double *row_p = matrix + (size_t)p * dim, *row_q = matrix + (size_t)q * dim;
    for (uint32_t k = 0; k < dim; k++) {
        double at_p = row_p[k], at_q = row_q[k];
        row_p[k] = by.cosine * at_p - by.sine * at_q;
        row_q[k] = by.sine * at_p + by.cosine * at_q;
    }
}

static void rotate_columns(double *matrix, uint32_t dim, uint32_t p, uint32_t q, struct rotation by)
{
    for (uint32_t k = 0; k < dim; k++) {
        double *row = matrix + (size_t)k * dim;
        double at_p = row[p], at_q = row[q];
        row[p] = by.cosine * at_p - by.sine * at_q;
        row[q] = by.sine * at_p + by.cosine * at_q;
    }
}

/* What makes the element p, q zero. */
static struct rotation rotation_of(const double *matrix, uint32_t dim, uint32_t p, uint32_t q)
{
    double element = matrix[(size_t)p * dim + q];
    double theta = (matrix[(size_t)q * dim + q] - matrix[(size_t)p * dim + p]) / (2 * element);
    double tangent = copysign(1, theta) / (fabs(theta) + sqrt(theta * theta + 1));
    double cosine = 1 / sqrt(tangent * tangent + 1);
    return (struct rotation){cosine, tangent * cosine};
}

/* False once every element beside the diagonal is nothing beside the two diagonal ones. */
static bool sweep(double *matrix, double *vectors, uint32_t dim)
{
    bool changed = false;
    for (uint32_t p = 0; p < dim; p++)
        for (uint32_t q = p + 1; q < dim; q++) {
            double size = fabs(matrix[(size_t)p * dim + p]) + fabs(matrix[(size_t)q * dim + q]);
            if (!(fabs(matrix[(size_t)p * dim + q]) > 1e-17 * size))
                continue;
            struct rotation rotation = rotation_of(matrix, dim, p, q);
            rotate_rows(matrix, dim, p, q, rotation);
            rotate_columns(matrix, dim, p, q, rotation);
            rotate_rows(vectors, dim, p, q, rotation);
            changed = true;
        }
    return changed;
}

static void put_ascending(const double *matrix, double *vectors, uint32_t dim, double *ret_values)
{
    for (uint32_t i = 0; i < dim; i++)
        ret_values[i] = matrix[(size_t)i * dim + i];
    for (uint32_t i = 0; i < dim; i++) {
        uint32_t least = i;
        for (uint32_t j = i + 1; j < dim; j++)
            least = ret_values[j] < ret_values[least] ? j : least;
        double value = ret_values[i];
        ret_values[i] = ret_values[least];
        ret_values[least] = value;
        for (uint32_t k = 0; k < dim; k++) {
            double at = vectors[(size_t)i * dim + k];
            vectors[(size_t)i * dim + k] = vectors[(size_t)least * dim + k];
            vectors[(size_t)least * dim + k] = at;
        }
    }
}

bool vt__ref_eigen_f64(double *symmetric, uint32_t dim, double *ret_values)
{
    double *vectors = calloc((size_t)dim * dim, sizeof *vectors);
    if (vectors == NULL)
        return false;
    for (uint32_t i = 0; i < dim; i++)
        vectors[(size_t)i * dim + i] = 1;
    int sweeps = 0;
    while (sweeps < SWEEPS_MAX && sweep(symmetric, vectors, dim))
        sweeps++;
    put_ascending(symmetric, vectors, dim, ret_values);
    memcpy(symmetric, vectors, (size_t)dim * dim * sizeof *vectors);
    free(vectors);
    return sweeps < SWEEPS_MAX;
}

/* ---- a row's neighbours ---- */

void vt__ref_gather_f32(const float *factors, uint32_t dim, const uint32_t *columns,
                        const float *weights, uint32_t n, float *ret_rows, float *ret_targets)
{
    uint32_t n_padded = (n + VT_KERNEL_ROWS_STEP - 1) / VT_KERNEL_ROWS_STEP * VT_KERNEL_ROWS_STEP;
    for (uint32_t e = 0; e < n; e++) {
        const float *source = factors + (size_t)columns[e] * dim;
        float root = sqrtf(fabsf(weights[e]));
        for (uint32_t d = 0; d < dim; d++)
            ret_rows[(size_t)e * dim + d] = root * source[d];
        ret_targets[e] = weights[e] > 0 ? root : 0;
    }
    memset(ret_rows + (size_t)n * dim, 0, (size_t)(n_padded - n) * dim * sizeof *ret_rows);
    memset(ret_targets + n, 0, (n_padded - n) * sizeof *ret_targets);
}

double vt__ref_residual_f32(const struct vt_rows_f32 *rows, const float *targets,
                            const float *vector, float *ret_residuals, float *ret_sum)
{
    double squares = 0;
    for (uint32_t r = 0; r < rows->n; r++) {
        const float *row = rows->values + (size_t)r * rows->stride;
        double residual = targets != NULL ? (double)targets[r] : 0;
        if (vector != NULL)
            residual -= vt__ref_dot(row, vector, rows->dim);
        squares += residual * residual;
        if (ret_residuals != NULL)
            ret_residuals[r] = (float)residual;
        for (uint32_t d = 0; ret_sum != NULL && d < rows->dim; d++)
            ret_sum[d] += (float)(residual * (double)row[d]);
    }
    return squares;
}

/* ---- normal equations ---- */

void vt__ref_gram_upper_f32(const struct vt_rows_f32 *rows, float *upper)
{
    for (uint32_t i = 0; i < rows->dim; i++)
        for (uint32_t j = i; j < rows->dim; j++) {
            double sum = upper[(size_t)i * rows->dim + j];
            for (uint32_t r = 0; r < rows->n; r++) {
                const float *row = rows->values + (size_t)r * rows->stride;
                sum += (double)row[i] * (double)row[j];
            }
            upper[(size_t)i * rows->dim + j] = (float)sum;
        }
}

bool vt__ref_solve_upper_f32(float *upper, uint32_t dim, float *rhs)
{
    for (uint32_t i = 0; i < dim; i++)
        for (uint32_t j = 0; j < i; j++)
            upper[(size_t)i * dim + j] = upper[(size_t)j * dim + i];
    return vt__ref_solve_f32(upper, dim, rhs);
}
