/*
 * The row solver by conjugate gradients (Hestenes, Stiefel 1952; for iALS Takács, Pilászy and Tikk,
 * "Applications of the conjugate gradient method for implicit feedback collaborative filtering",
 * 2011): a few steps, for an item from its row as it was. A user begins from nothing and takes two
 * steps more: so the items are all that an iteration hands to the next, and a checkpoint without
 * any customer's row goes on to the same bytes. The row's neighbours are gathered once and stay in
 * the cache; each step is one pass over them, and the last half a pass, because its residual is of
 * no use any more.
 *
 * Both sides' factors are first turned into the eigenbasis of the Gram matrix. There it is a
 * diagonal, so its product costs nothing beside a pass, and with the diagonal of Σ z zᵀ it makes a
 * preconditioner that knows all of the Gram matrix (adr/0091).
 *
 * The objective falls by a step's length times r·M⁻¹r exactly, so it is followed from its value at
 * the start.
 */
#include "models/factor/neighbours.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct scratch {
    float *diagonal, *inverse;  /* of G + λI; of the preconditioner M. stride each, as the rest */
    float *residual, *scaled;   /* b − A·x; M⁻¹ times that, or the diagonal times a vector */
    float *direction, *product; /* p; Z Zᵀ·p with the sign turned */
    float *neighbours;
};
enum {
    N_VECTORS = 6,
    COLD_STEPS = 2, /* more, from nothing: adr/0090 */
};

static size_t cg_scratch_bytes(const struct vt__sizes *sizes)
{
    size_t neighbours =
        vt__neighbours_floats(sizes->stride, vt__neighbours_capacity(sizes->stride));
    return (neighbours + (size_t)N_VECTORS * sizes->stride) * sizeof(float);
}

static struct scratch scratch_split(float *memory, size_t stride)
{
    return (struct scratch){
        .diagonal = memory,
        .inverse = memory + stride,
        .residual = memory + 2 * stride,
        .scaled = memory + 3 * stride,
        .direction = memory + 4 * stride,
        .product = memory + 5 * stride,
        .neighbours = memory + N_VECTORS * stride,
    };
}

static struct vt_err cg_prepare(struct vt__half_step *step)
{
    struct vt__gram *gram = &step->training->gram;
    VT_TRY(vt__gram_decompose(step->fixed, gram));
    vt__factors_rotate(step->fixed, gram->basis, step->training->n_threads);
    if (!step->cold)
        vt__factors_rotate(step->target, gram->basis, step->training->n_threads);
    return vt_ok();
}

/* The equations of one row while they are solved. */
struct equations {
    const struct vt__half_step *step;
    const struct vt__row *row;
    struct scratch scratch;
    struct vt__neighbours neighbours;
    uint32_t stride;
};

/* One pass over the neighbours: ret_sum += Σ (t − z·vector) z, returns Σ (t − z·vector)²; in the
 * first t is the target, later 0. */
static double pass(const struct equations *equations, bool is_first, const float *vector,
                   float *ret_sum)
{
    double squares = 0;
    for (uint32_t first = 0; first < equations->row->n; first += VT__SLICE_ROWS) {
        struct vt__slice slice = vt__neighbours_slice(&equations->neighbours, first, is_first);
        squares += vt_kernels()->residual_f32(&slice.rows, is_first ? slice.targets : NULL, vector,
                                              NULL, ret_sum);
    }
    return squares;
}

/* scaled = diagonal·v; returns Σ diagonal · v². */
static double scale_by_diagonal(const struct equations *equations, const float *vector)
{
    const struct scratch *scratch = &equations->scratch;
    for (uint32_t d = 0; d < equations->stride; d++)
        scratch->scaled[d] = scratch->diagonal[d] * vector[d];
    return vt_score_dot(scratch->scaled, vector, equations->stride);
}

/* The preconditioner takes Σ z zᵀ for a multiple of G: the neighbours for a sample of all rows. */
static void set_diagonals(const struct equations *equations)
{
    const struct vt__training *training = equations->step->training;
    const struct scratch *scratch = &equations->scratch;
    double all = training->unobserved_weight * (double)equations->step->fixed_share->n_rows;
    float lambda = (float)equations->row->lambda, share = (float)(equations->row->weight / all);
    for (uint32_t d = 0; d < equations->stride; d++) {
        float eigenvalue = training->gram.eigenvalues[d];
        scratch->diagonal[d] = eigenvalue + lambda;
        scratch->inverse[d] = 1 / (eigenvalue * (1 + share) + lambda);
    }
}

/* scaled = M⁻¹·residual; returns their product. */
static double precondition(const struct equations *equations)
{
    const struct scratch *scratch = &equations->scratch;
    for (uint32_t d = 0; d < equations->stride; d++)
        scratch->scaled[d] = scratch->inverse[d] * scratch->residual[d];
    return vt_score_dot(scratch->residual, scratch->scaled, equations->stride);
}

/* residual = b − A·x, direction = M⁻¹·residual; returns the objective at x. */
static double begin(const struct equations *equations, const float *x)
{
    const struct scratch *scratch = &equations->scratch;
    size_t bytes = equations->stride * sizeof *x;
    memset(scratch->residual, 0, bytes);
    double objective = pass(equations, true, equations->step->cold ? NULL : x, scratch->residual) +
                       scale_by_diagonal(equations, x);
    for (uint32_t d = 0; d < equations->stride; d++)
        scratch->residual[d] -= scratch->scaled[d];
    return objective;
}

/* One step along the direction; returns by how much the objective falls. `product` may be NULL at
 * the last one: the residual is not followed then. */
static double descend(const struct equations *equations, double slope, float *product, float *x)
{
    const struct scratch *scratch = &equations->scratch;
    const float *direction = scratch->direction;
    if (product != NULL)
        memset(product, 0, equations->stride * sizeof *product);
    double curvature =
        pass(equations, false, direction, product) + scale_by_diagonal(equations, direction);
    if (!(curvature > 0))
        return 0;
    float length = (float)(slope / curvature);
    for (uint32_t d = 0; d < equations->stride; d++)
        x[d] += length * direction[d];
    for (uint32_t d = 0; product != NULL && d < equations->stride; d++)
        scratch->residual[d] -= length * (scratch->scaled[d] - product[d]);
    return slope * slope / curvature;
}

/* The slope below which a step only moves rounding: what it could lower the objective by is no more
 * than the square of a float's precision says of it, or of numbers too small for all their digits.
 * Past it slope and curvature are both noise, and a step as long as one over the other may be of
 * any length. */
static double slope_of_rounding(double objective)
{
    return fmax(objective * FLT_EPSILON * FLT_EPSILON, FLT_MIN / FLT_EPSILON);
}

static bool cg_solve(const struct vt__half_step *step, const struct vt__row *row, void *memory,
                     float *x, double *ret_objective)
{
    uint32_t stride = step->fixed->stride;
    struct equations equations = {
        .step = step, .row = row, .scratch = scratch_split(memory, stride), .stride = stride};
    const struct scratch *scratch = &equations.scratch;
    equations.neighbours =
        vt__neighbours_of(step, row, vt__neighbours_capacity(stride), scratch->neighbours);
    set_diagonals(&equations);
    double objective = begin(&equations, x);
    double slope = precondition(&equations);
    memcpy(scratch->direction, scratch->scaled, stride * sizeof *x);
    uint32_t steps = step->training->options->cg_steps + (step->cold ? COLD_STEPS : 0);
    double least = slope_of_rounding(objective);
    for (uint32_t left = steps; left > 0 && slope > least; left--) {
        objective -= descend(&equations, slope, left > 1 ? scratch->product : NULL, x);
        if (left == 1)
            break;
        double next = precondition(&equations);
        float keep = (float)(next / slope);
        for (uint32_t d = 0; d < stride; d++)
            scratch->direction[d] = scratch->scaled[d] + keep * scratch->direction[d];
        slope = next;
    }
    *ret_objective = objective;
    return true;
}

const struct vt__row_solver vt__solver_cg = {
    .name = "cg",
    .scratch_bytes = cg_scratch_bytes,
    .prepare = cg_prepare,
    .solve = cg_solve,
};
