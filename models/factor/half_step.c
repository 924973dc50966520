/*
 * A half-step of iALS holds one side fixed and solves each row of the other:
 *
 *   (α·YᵀY + Σ |w| y yᵀ + λ_u I) x = Σ_{w>0} w y,   λ_u = λ (Σ |w| + α·n)^ν
 *
 * A negative w is a dislike: an observation of preference 0 with confidence |w| (docs/models.md).
 * Rows are independent, so threads take fixed blocks of them and the bytes do not depend on how
 * many there are. Solvers work in float (factors are); a row that one cannot solve is solved again
 * by fold-in, in double. The loss costs nothing: each solver knows its row's objective, and the sum
 * over items, plus the users' regularisation, is the whole.
 */
#include "models/factor/exchange.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <string.h>

uint32_t vt__half_step_blocks(uint32_t n_rows)
{
    return (n_rows + VT__BLOCK_ROWS - 1) / VT__BLOCK_ROWS;
}

size_t vt__half_step_scratch_bytes(const struct vt__row_solver *solver,
                                   const struct vt__sizes *sizes)
{
    size_t own = vt_fold_in_scratch_bytes(sizes->dim), its = solver->scratch_bytes(sizes);
    size_t most = own > its ? own : its;
    return (most + VT__FACTOR_ALIGNMENT - 1) / VT__FACTOR_ALIGNMENT * VT__FACTOR_ALIGNMENT;
}

/* Σ |w|, as four sums: none waits for the one before. */
static double sum_of_sizes(const float *values, uint32_t n)
{
    double sums[4] = {0};
    uint32_t e = 0;
    for (; e + 4 <= n; e += 4)
        for (uint32_t k = 0; k < 4; k++)
            sums[k] += fabs((double)values[e + k]);
    for (; e < n; e++)
        sums[0] += fabs((double)values[e]);
    return sums[0] + sums[1] + sums[2] + sums[3];
}

static struct vt__row row_at(const struct vt__half_step *step, uint32_t row)
{
    const struct vt__training *training = step->training;
    uint64_t start = step->matrix->starts[row];
    struct vt__row found = {
        .columns = step->matrix->columns + start,
        .values = step->matrix->values + start,
        .n = (uint32_t)(step->matrix->starts[row + 1] - start),
    };
    found.weight = sum_of_sizes(found.values, found.n);
    found.lambda =
        training->options->regularization *
        pow(found.weight + training->unobserved_weight * (double)step->fixed_share->n_rows,
            training->options->regularization_exponent);
    return found;
}

static bool all_finite(const float *vector, uint32_t dim)
{
    for (uint32_t d = 0; d < dim; d++)
        if (!isfinite(vector[d]))
            return false;
    return true;
}

/* Σ |w| (p − x·y)² + x·G·x + λ x·x from the definition, in double. */
static double objective_at(const struct vt__half_step *step, const struct vt__row *row,
                           const float *x)
{
    uint32_t dim = step->fixed->dim;
    const double *gram = step->training->gram.values;
    double sum = 0;
    for (uint32_t e = 0; e < row->n; e++) {
        double wanted = row->values[e] > 0 ? 1 : 0;
        double rest = wanted - vt_score_dot(vt__factors_row(step->fixed, row->columns[e]), x, dim);
        sum += fabs((double)row->values[e]) * rest * rest;
    }
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j < dim; j++)
            sum += (double)x[i] * gram[i * dim + j] * (double)x[j];
    return sum + row->lambda * vt_score_dot(x, x, dim);
}

/* The solution in double, for equations too ill-conditioned for float. */
static bool solve_in_double(const struct vt__half_step *step, const struct vt__row *row,
                            void *scratch, float *x, double *ret_objective)
{
    const struct vt__training *training = step->training;
    struct vt_fold_in_model model = {
        .item_factors = step->fixed->values,
        .gram = training->gram.values,
        .n_items = step->fixed_share->n_rows,
        .dim = step->fixed->dim,
        .row_stride = step->fixed->stride,
        .regularization = training->options->regularization,
        .regularization_exponent = training->options->regularization_exponent,
        .unobserved_weight = training->unobserved_weight,
    };
    memset(x, 0, step->fixed->stride * sizeof *x);
    if (vt_failed(vt_fold_in(&model, row->columns, row->values, row->n, scratch, x)))
        return false;
    *ret_objective = objective_at(step, row, x);
    return isfinite(*ret_objective);
}

/* Solves one row; adds its objective and its regularisation. */
static bool solve_row(const struct vt__half_step *step, uint32_t row_index, void *scratch,
                      double loss[2])
{
    float *x = vt__factors_row(step->target, row_index);
    struct vt__row row = row_at(step, row_index);
    double objective;
    if (row.n == 0) {
        memset(x, 0, step->target->stride * sizeof *x);
        return true;
    }
    if (step->cold)
        memset(x, 0, step->target->stride * sizeof *x);
    if (!(step->solver->solve(step, &row, scratch, x, &objective) && isfinite(objective) &&
          all_finite(x, step->target->dim)) &&
        !solve_in_double(step, &row, scratch, x, &objective))
        return false;
    loss[0] += objective;
    loss[1] += row.lambda * vt_score_dot(x, x, step->target->dim);
    return true;
}

/* A block of the run at hand. */
static void solve_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct vt__half_step *step = ctx;
    struct vt__training *training = step->training;
    const uint32_t first = step->first_row + block * VT__BLOCK_ROWS;
    uint32_t end = step->end_row - first < VT__BLOCK_ROWS ? step->end_row : first + VT__BLOCK_ROWS;
    double *loss = training->loss_parts + 2 * (size_t)(first / VT__BLOCK_ROWS);
    loss[0] = loss[1] = 0;
    for (uint32_t row = first; row < end; row++)
        if (!solve_row(step, row, training->arena + thread * training->scratch_bytes, loss))
            atomic_store_explicit(&step->failed, true, memory_order_relaxed);
}

static void solve_rows(struct vt__half_step *step, uint32_t first, uint32_t end)
{
    step->first_row = first;
    step->end_row = end;
    if (first < end)
        vt_parallel(vt__half_step_blocks(end - first), step->training->n_threads, solve_block,
                    step);
}

/* A run after the other, from the rows of other ranks that it names. */
static struct vt_err solve_runs(struct vt__half_step *step)
{
    struct vt__exchange *exchange = step->exchange;
    struct vt__factors *own = step->fixed, block = *own;
    block.values = exchange->block;
    block.n_rows = exchange->block_rows;
    for (uint32_t round = 0; round < exchange->n_rounds; round++) {
        VT_TRY(vt__exchange_fetch(step->training->group, exchange, round, own, step->fixed_share));
        step->fixed = &block;
        if (round < exchange->n_runs)
            solve_rows(step, exchange->run_rows[round], exchange->run_rows[round + 1]);
        step->fixed = own;
    }
    return vt_ok();
}

/* The sum over all rows of the side: of blocks by units, of units in order. */
static struct vt_err add_loss(const struct vt__half_step *step, double ret_loss[2])
{
    const struct vt__share *share = step->target_share;
    const struct vt__training *training = step->training;
    const uint32_t first = vt__share_first(share) / VT__BLOCK_ROWS;
    const uint32_t n_blocks = vt__half_step_blocks(step->target->n_rows);
    double units[VT__UNITS_MAX][2] = {0};
    size_t bounds[VT_GROUP_RANKS_MAX + 1];
    for (uint32_t block = 0; block < n_blocks; block++)
        for (int part = 0; part < 2; part++)
            units[(first + block) / (share->rows_per_unit / VT__BLOCK_ROWS)][part] +=
                training->loss_parts[2 * (size_t)block + (size_t)part];
    vt__share_unit_bounds(share, sizeof units[0], bounds);
    if (training->group != NULL)
        VT_TRY(vt_group_all_gather(training->group, bounds, units));
    ret_loss[0] = ret_loss[1] = 0;
    for (uint32_t unit = 0; unit < share->n_units; unit++)
        for (int part = 0; part < 2; part++)
            ret_loss[part] += units[unit][part];
    return vt_ok();
}

struct vt_err vt__half_step_run(struct vt__half_step *step, double ret_loss[2])
{
    struct vt__training *training = step->training;
    VT_TRY(vt__gram_compute(step->fixed, step->fixed_share, training->group,
                            training->unobserved_weight, training->n_threads, &training->gram));
    if (step->solver->prepare != NULL)
        VT_TRY(step->solver->prepare(step));
    if (step->exchange != NULL)
        VT_TRY(solve_runs(step));
    else
        solve_rows(step, 0, step->target->n_rows);
    VT_CHECK(!atomic_load_explicit(&step->failed, memory_order_relaxed), VT_CORRUPT,
             "iALS: a row's equations have no finite solution; raise regularization");
    return add_loss(step, ret_loss);
}
