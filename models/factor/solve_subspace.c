/*
 * iALS++ (Rendle, Krichene, Zhang, Koren, "iALS++: Speeding up Matrix Factorization with Subspace
 * Optimization", 2021): the dimensions are taken in blocks, and a row is solved exactly within one
 * block after the other, from the row as it was. The residual of every observed pair is kept while
 * that goes on, so a block of size b costs b·n for its gradient and residuals and b²·n/2 for its
 * equations, where the whole costs d²·n/2.
 *
 * The paper goes through all rows for a block before it takes the next, and keeps a prediction for
 * each pair of the matrix. The other side being fixed, rows know nothing of each other, so all
 * blocks of one row in turn give the same factors; the residuals are then those of one row, and its
 * neighbours are gathered once.
 */
#include "models/factor/neighbours.h"

#include <string.h>

struct scratch {
    float *normal;    /* block × block; the upper triangle */
    float *gradient;  /* block: half the descent of the objective */
    float *move;      /* block: what was added to x last */
    float *residuals; /* t − z·x of every entry of the row, padded as a slice is */
    float *neighbours;
};

static uint32_t block_max(const struct vt__sizes *sizes)
{
    uint32_t size = sizes->options->block_size;
    return size < sizes->stride ? size : sizes->stride;
}

static size_t subspace_scratch_bytes(const struct vt__sizes *sizes)
{
    size_t block = block_max(sizes), stride = sizes->stride;
    return (block * (block + 2) + sizes->row_max + VT__SLICE_ROWS +
            vt__neighbours_floats((uint32_t)stride, vt__neighbours_capacity((uint32_t)stride))) *
           sizeof(float);
}

/* One row while it is solved. */
struct descent {
    const struct vt__half_step *step;
    const struct vt__row *row;
    struct scratch scratch;
    struct vt__neighbours neighbours;
    uint32_t stride, block_size;
    float *x;
};

/* Some dimensions, and those that were moved before them (0 of them: none yet). */
struct block {
    uint32_t at, size, last_at, last_size;
};

static struct descent descent_of(const struct vt__half_step *step, const struct vt__row *row,
                                 float *memory, float *x)
{
    uint32_t stride = step->fixed->stride, size = step->training->options->block_size;
    size_t block = size < stride ? size : stride;
    struct descent descent = {
        .step = step, .row = row, .stride = stride, .block_size = (uint32_t)block, .x = x};
    descent.scratch.normal = memory;
    descent.scratch.gradient = memory + block * block;
    descent.scratch.move = descent.scratch.gradient + block;
    descent.scratch.neighbours = descent.scratch.move + block;
    uint32_t capacity = vt__neighbours_capacity(stride);
    descent.scratch.residuals =
        descent.scratch.neighbours + vt__neighbours_floats(stride, capacity);
    descent.neighbours = vt__neighbours_of(step, row, capacity, descent.scratch.neighbours);
    return descent;
}

static struct vt_rows_f32 columns_of(struct vt_rows_f32 rows, uint32_t at, uint32_t size)
{
    rows.values += at;
    rows.dim = size;
    return rows;
}

/* Sets the gradient of the block to −(G·x + λx), and its equations to G + λI. */
static void begin_block(const struct descent *descent, const struct block *block)
{
    const struct scratch *scratch = &descent->scratch;
    size_t stride = descent->stride, size = block->size, at = block->at;
    const float *gram = descent->step->training->gram.padded + at * stride;
    const struct vt_rows_f32 gram_rows = {gram, block->size, descent->stride, descent->stride};
    float lambda = (float)descent->row->lambda;
    vt_kernels()->residual_f32(&gram_rows, NULL, descent->x, scratch->gradient, NULL);
    for (size_t i = 0; i < size; i++) {
        bool padding = at + i >= descent->step->fixed->dim;
        scratch->gradient[i] -= lambda * descent->x[at + i];
        memcpy(scratch->normal + i * size, gram + i * stride + at, size * sizeof *gram);
        scratch->normal[i * size + i] += padding ? 1 : lambda;
    }
}

/* One pass over the neighbours: residuals after the last move, and what they add to the gradient
 * and the equations of this block. Returns Σ residual². */
static double add_neighbours(const struct descent *descent, const struct block *block)
{
    const struct vt_kernels *kernels = vt_kernels();
    const struct scratch *scratch = &descent->scratch;
    bool is_first = block->last_size == 0;
    double squares = 0;
    for (uint32_t first = 0; first < descent->row->n; first += VT__SLICE_ROWS) {
        struct vt__slice slice = vt__neighbours_slice(&descent->neighbours, first, is_first);
        float *residuals = scratch->residuals + first;
        struct vt_rows_f32 moved =
            columns_of(slice.rows, block->last_at, is_first ? descent->stride : block->last_size);
        struct vt_rows_f32 rows = columns_of(slice.rows, block->at, block->size);
        squares += kernels->residual_f32(&moved, is_first ? slice.targets : residuals,
                                         is_first ? descent->x : scratch->move, residuals, NULL);
        kernels->residual_f32(&rows, residuals, NULL, NULL, scratch->gradient);
        kernels->gram_upper_f32(&rows, scratch->normal);
    }
    return squares;
}

/* Moves x to the minimum within the block; false when float cannot. */
static bool move(const struct descent *descent, const struct block *block, double *ret_fall)
{
    const struct scratch *scratch = &descent->scratch;
    memcpy(scratch->move, scratch->gradient, block->size * sizeof *scratch->move);
    if (!vt_kernels()->solve_upper_f32(scratch->normal, block->size, scratch->move))
        return false;
    for (uint32_t i = 0; i < block->size; i++)
        descent->x[block->at + i] += scratch->move[i];
    *ret_fall = vt_score_dot(scratch->gradient, scratch->move, block->size);
    return true;
}

/* x·(G·x + λx) at the start. */
static double quadratic_part(const struct descent *descent)
{
    double sum = descent->row->lambda * vt_score_dot(descent->x, descent->x, descent->stride);
    const float *gram = descent->step->training->gram.padded;
    for (uint32_t d = 0; d < descent->stride; d++)
        sum += (double)descent->x[d] *
               vt_score_dot(gram + (size_t)d * descent->stride, descent->x, descent->stride);
    return sum;
}

static bool subspace_solve(const struct vt__half_step *step, const struct vt__row *row,
                           void *memory, float *x, double *ret_objective)
{
    const struct descent descent = descent_of(step, row, memory, x);
    double objective = quadratic_part(&descent), fall;
    struct block block = {0};
    for (uint32_t at = 0; at < descent.stride; at += descent.block_size) {
        uint32_t left = descent.stride - at;
        block.at = at;
        block.size = left < descent.block_size ? left : descent.block_size;
        begin_block(&descent, &block);
        double squares = add_neighbours(&descent, &block);
        if (at == 0)
            objective += squares;
        if (!move(&descent, &block, &fall))
            return false;
        objective -= fall;
        block.last_at = block.at;
        block.last_size = block.size;
    }
    *ret_objective = objective;
    return true;
}

const struct vt__row_solver vt__solver_subspace = {
    .name = "subspace",
    .remembers_users = true,
    .scratch_bytes = subspace_scratch_bytes,
    .solve = subspace_solve,
};
