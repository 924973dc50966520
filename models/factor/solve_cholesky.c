/*
 * The exact row solver: the normal equations are built by rank-k updates of a slice of neighbours
 * at a time, and solved by Cholesky. At the minimum of a quadratic its value is Σ t² − b·x, so the
 * objective costs one dot product.
 */
#include "models/factor/neighbours.h"

#include <string.h>

struct scratch {
    float *normal;     /* stride × stride; the upper triangle */
    float *rhs;        /* stride */
    float *neighbours; /* a slice */
};

static size_t cholesky_scratch_bytes(const struct vt__sizes *sizes)
{
    return ((size_t)sizes->stride * (sizes->stride + 1) +
            vt__neighbours_floats(sizes->stride, VT__SLICE_ROWS)) *
           sizeof(float);
}

static struct scratch scratch_split(float *memory, size_t stride)
{
    return (struct scratch){
        .normal = memory,
        .rhs = memory + stride * stride,
        .neighbours = memory + stride * (stride + 1),
    };
}

/* Adds Σ z zᵀ to the equations and Σ t z to the right side; returns Σ t². */
static double add_neighbours(const struct vt__neighbours *neighbours, const struct scratch *scratch)
{
    double squares = 0;
    for (uint32_t first = 0; first < neighbours->row->n; first += VT__SLICE_ROWS) {
        struct vt__slice slice = vt__neighbours_slice(neighbours, first, true);
        vt_kernels()->gram_upper_f32(&slice.rows, scratch->normal);
        squares += vt_kernels()->residual_f32(&slice.rows, slice.targets, NULL, NULL, scratch->rhs);
    }
    return squares;
}

static bool cholesky_solve(const struct vt__half_step *step, const struct vt__row *row,
                           void *memory, float *x, double *ret_objective)
{
    const struct vt__factors *fixed = step->fixed;
    size_t stride = fixed->stride;
    struct scratch scratch = scratch_split(memory, stride);
    struct vt__neighbours neighbours =
        vt__neighbours_of(step, row, VT__SLICE_ROWS, scratch.neighbours);
    memcpy(scratch.normal, step->training->gram.padded, stride * stride * sizeof *scratch.normal);
    memset(scratch.rhs, 0, stride * sizeof *scratch.rhs);
    double squares = add_neighbours(&neighbours, &scratch);
    for (size_t d = 0; d < fixed->dim; d++)
        scratch.normal[d * stride + d] += (float)row->lambda;
    for (size_t d = fixed->dim; d < stride; d++)
        scratch.normal[d * stride + d] = 1; /* unknowns of the padding: 1·x = 0 */
    memcpy(x, scratch.rhs, stride * sizeof *x);
    if (!vt_kernels()->solve_upper_f32(scratch.normal, fixed->stride, x))
        return false;
    *ret_objective = squares - vt_score_dot(scratch.rhs, x, fixed->stride);
    return true;
}

const struct vt__row_solver vt__solver_cholesky = {
    .name = "cholesky",
    .scratch_bytes = cholesky_scratch_bytes,
    .solve = cholesky_solve,
};
