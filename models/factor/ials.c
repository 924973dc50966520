/*
 * iALS by exact normal equations. A half-step holds one side fixed and solves each row of the
 * other:
 *
 *   (α·YᵀY + Σ |w| y yᵀ + λ_u I) x = Σ_{w>0} w y,   λ_u = λ (Σ |w| + α·n)^ν
 *
 * A negative w is a dislike: an observation of preference 0 with confidence |w| (docs/models.md).
 * Rows are independent, so threads take fixed blocks of them and the bytes do not depend on how
 * many there are. A row's neighbours are gathered once into a packed buffer, scaled by √w, and go
 * through one symmetric rank-k update; everything then stays in cache. The equations are float
 * (factors are), except the Gram matrix, which is summed in double over fixed blocks in order. A
 * row that float cannot solve is solved again by fold-in, in double.
 *
 * The loss costs nothing: at the minimum of a row's quadratic its value is Σ_{w>0} w − b·x, and the
 * sum over items, plus the users' regularisation, is the whole objective.
 */
#include "models/factor/ials.h"

#include "models/dataset/mix.h"
#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SOLVE_ROWS = 16,       /* rows of a block: small, so that heavy rows do not make threads wait */
    GATHER_ROWS = 256,     /* neighbours of one rank-k update: 64 KiB at dim 64 */
    GRAM_ROWS_MIN = 1024,  /* rows of a block of the Gram sum … */
    GRAM_BLOCKS_MAX = 64,  /* … of which there are at most so many, to bound the partial sums */
    STRIDE_MULTIPLE = 16,  /* 64 bytes */
    FACTOR_ALIGNMENT = 64, /* bytes */
};

/* Chosen on validation parts split off the train files, never on a test file: docs/models.md. */
#define DEFAULT_REGULARIZATION 0.01
#define DEFAULT_UNOBSERVED_RATIO 5.0

void vt_ials_options_default(struct vt_ials_options *ret_options)
{
    *ret_options = (struct vt_ials_options){
        .factors = 64,
        .iterations = 16,
        .regularization = DEFAULT_REGULARIZATION,
        .regularization_exponent = 1.0,
        .init_stddev = 0.1,
        .seed = 1,
    };
}

/* What counts is the weight of all unobserved pairs against that of the observed ones. */
static double auto_unobserved_weight(const struct vt_sparse *matrix)
{
    double cells = (double)matrix->n_rows * (double)matrix->n_cols;
    double weight = DEFAULT_UNOBSERVED_RATIO * (double)matrix->n_entries / cells;
    return weight < 1 ? weight : 1;
}

/* ---- one side's factors ---- */

struct factors {
    float *values; /* n_rows × stride, owned */
    uint32_t n_rows, dim, stride;
};

static float *row_of(const struct factors *factors, uint32_t row)
{
    return factors->values + (size_t)row * factors->stride;
}

static struct vt_err factors_allocate(uint32_t n_rows, uint32_t dim, struct factors *ret_factors)
{
    uint32_t stride = (dim + STRIDE_MULTIPLE - 1) / STRIDE_MULTIPLE * STRIDE_MULTIPLE;
    size_t size = (size_t)n_rows * stride * sizeof(float);
    float *values = aligned_alloc(FACTOR_ALIGNMENT, size > 0 ? size : FACTOR_ALIGNMENT);
    VT_CHECK(values != NULL, VT_EXHAUSTED, "out of memory for the factors");
    memset(values, 0, size);
    *ret_factors = (struct factors){values, n_rows, dim, stride};
    return vt_ok();
}

/* splitmix64 as a hash of a counter: any element without the others. */
static uint64_t random_bits(uint64_t seed, uint64_t counter)
{
    return vt_mix64(seed + (counter + 1) * VT_MIX64_STEP);
}

/* Nearly normal with variance 1: twelve uniform numbers less six. Only integer and exact double
 * arithmetic, so that every machine starts from the same bits. */
static double random_normal(uint64_t seed, uint64_t counter)
{
    uint64_t sum = 0;
    for (uint64_t draw = 0; draw < 3; draw++) {
        uint64_t bits = random_bits(seed, 3 * counter + draw);
        for (int part = 0; part < 4; part++)
            sum += (bits >> (16 * part)) & 0xffff;
    }
    return (double)sum / 65536.0 - 6.0;
}

static void factors_randomise(struct factors *factors, double stddev, uint64_t seed)
{
    double scale = stddev / sqrt((double)factors->dim);
    for (uint32_t row = 0; row < factors->n_rows; row++)
        for (uint32_t d = 0; d < factors->dim; d++)
            row_of(factors, row)[d] =
                (float)(scale * random_normal(seed, (uint64_t)row * factors->dim + d));
}

static void factors_copy(struct factors *factors, const float *values, uint32_t stride)
{
    for (uint32_t row = 0; row < factors->n_rows; row++)
        memcpy(row_of(factors, row), values + (size_t)row * stride, factors->dim * sizeof *values);
}

/* ---- training ---- */

/* What one thread writes to. */
struct solve_scratch {
    float *normal;   /* dim × dim */
    float *gathered; /* GATHER_ROWS × dim */
    float *rhs;      /* dim; survives the solver */
    float *solution; /* dim */
    void *fold_in;
};

struct training {
    const struct vt_ials_options *options;
    double unobserved_weight;
    uint32_t dim, n_threads;
    struct factors users, items;
    struct vt_sparse by_user, by_item; /* by_user borrows the caller's arrays */
    double *gram;                      /* dim × dim lower, scaled */
    float *gram_f32;
    double *gram_parts; /* GRAM_BLOCKS_MAX × dim² */
    double *loss_parts; /* for each solve block: fit and regularisation */
    unsigned char *memory;
    struct solve_scratch *scratch; /* n_threads */
};

/* A half-step: `target` rows are solved from the rows of `fixed` that `matrix` names. */
struct half_step {
    struct training *training;
    const struct vt_sparse *matrix;
    const struct factors *fixed;
    struct factors *target;
    atomic_bool failed; /* relaxed: read after the join */
};

static double lambda_of(const struct training *training, double weight_sum, uint32_t n_fixed)
{
    return training->options->regularization *
           pow(weight_sum + training->unobserved_weight * (double)n_fixed,
               training->options->regularization_exponent);
}

static void gather_row(const float *source, float weight, uint32_t dim, float *restrict gathered,
                       float *restrict rhs)
{
    float root = sqrtf(fabsf(weight)), pull = weight > 0 ? weight : 0;
    for (uint32_t d = 0; d < dim; d++) {
        gathered[d] = root * source[d];
        rhs[d] += pull * source[d];
    }
}

/* Σ |w| of a row, by sign. */
struct known {
    double wanted, unwanted;
};

/* Normal equations of one row in the scratch, without λ. */
static struct known build_equations(const struct half_step *step, uint32_t row,
                                    const struct solve_scratch *scratch)
{
    const struct vt_kernels *kernels = vt_kernels();
    uint32_t dim = step->training->dim, n_gathered = 0;
    struct known known = {0, 0};
    memcpy(scratch->normal, step->training->gram_f32, (size_t)dim * dim * sizeof(float));
    memset(scratch->rhs, 0, dim * sizeof(float));
    for (uint64_t e = step->matrix->starts[row]; e < step->matrix->starts[row + 1]; e++) {
        float weight = step->matrix->values[e];
        gather_row(row_of(step->fixed, step->matrix->columns[e]), weight, dim,
                   scratch->gathered + (size_t)n_gathered * dim, scratch->rhs);
        *(weight > 0 ? &known.wanted : &known.unwanted) += fabs((double)weight);
        if (++n_gathered == GATHER_ROWS) {
            kernels->gram_add_f32(scratch->gathered, n_gathered, dim, scratch->normal);
            n_gathered = 0;
        }
    }
    if (n_gathered > 0)
        kernels->gram_add_f32(scratch->gathered, n_gathered, dim, scratch->normal);
    return known;
}

static struct vt_fold_in_model fold_in_of(const struct half_step *step)
{
    const struct training *training = step->training;
    return (struct vt_fold_in_model){
        .item_factors = step->fixed->values,
        .gram = training->gram,
        .n_items = step->fixed->n_rows,
        .dim = training->dim,
        .row_stride = step->fixed->stride,
        .regularization = training->options->regularization,
        .regularization_exponent = training->options->regularization_exponent,
        .unobserved_weight = training->unobserved_weight,
    };
}

/* The solution in double, for equations too ill-conditioned for float. */
static bool solve_again(const struct half_step *step, uint32_t row,
                        const struct solve_scratch *scratch)
{
    struct vt_fold_in_model model = fold_in_of(step);
    uint64_t start = step->matrix->starts[row];
    uint32_t n = (uint32_t)(step->matrix->starts[row + 1] - start);
    return !vt_failed(vt_fold_in(&model, step->matrix->columns + start,
                                 step->matrix->values + start, n, scratch->fold_in,
                                 row_of(step->target, row)));
}

static bool all_finite(const float *vector, uint32_t dim)
{
    for (uint32_t d = 0; d < dim; d++)
        if (!isfinite(vector[d]))
            return false;
    return true;
}

/* Solves one row; adds its loss and its regularisation. */
static bool solve_row(const struct half_step *step, uint32_t row,
                      const struct solve_scratch *scratch, double *loss)
{
    const struct vt_kernels *kernels = vt_kernels();
    uint32_t dim = step->training->dim;
    float *solution = row_of(step->target, row);
    if (step->matrix->starts[row] == step->matrix->starts[row + 1]) {
        memset(solution, 0, dim * sizeof *solution);
        return true;
    }
    struct known known = build_equations(step, row, scratch);
    double lambda = lambda_of(step->training, known.wanted + known.unwanted, step->fixed->n_rows);
    for (uint32_t d = 0; d < dim; d++)
        scratch->normal[(size_t)d * dim + d] += (float)lambda;
    memcpy(scratch->solution, scratch->rhs, dim * sizeof *solution);
    if (kernels->solve_f32(scratch->normal, dim, scratch->solution) &&
        all_finite(scratch->solution, dim))
        memcpy(solution, scratch->solution, dim * sizeof *solution);
    else if (!solve_again(step, row, scratch))
        return false;
    loss[0] += known.wanted - kernels->dot(scratch->rhs, solution, dim);
    loss[1] += lambda * kernels->dot(solution, solution, dim);
    return true;
}

static void solve_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct half_step *step = ctx;
    struct training *training = step->training;
    double *loss = training->loss_parts + 2 * (size_t)block;
    uint32_t end = (block + 1) * SOLVE_ROWS;
    if (end > step->target->n_rows)
        end = step->target->n_rows;
    loss[0] = loss[1] = 0;
    for (uint32_t row = block * SOLVE_ROWS; row < end; row++)
        if (!solve_row(step, row, &training->scratch[thread], loss))
            atomic_store_explicit(&step->failed, true, memory_order_relaxed);
}

static uint32_t n_solve_blocks(uint32_t n_rows)
{
    return (n_rows + SOLVE_ROWS - 1) / SOLVE_ROWS;
}

/* ---- Gram matrix: α Σ y yᵀ ---- */

struct gram_work {
    struct training *training;
    const struct factors *factors;
    uint32_t rows_per_block;
};

static void gram_block(void *ctx, uint32_t block, uint32_t thread)
{
    struct gram_work *work = ctx;
    struct training *training = work->training;
    uint32_t dim = training->dim, row = block * work->rows_per_block;
    uint32_t end = row + work->rows_per_block;
    if (end > work->factors->n_rows)
        end = work->factors->n_rows;
    double *part = training->gram_parts + (size_t)block * dim * dim;
    /* Half as many doubles fit where GATHER_ROWS floats do. */
    double *gathered = (double *)(void *)training->scratch[thread].gathered;
    memset(part, 0, (size_t)dim * dim * sizeof *part);
    while (row < end) {
        uint32_t n = 0;
        for (; n < GATHER_ROWS / 2 && row < end; n++, row++)
            for (uint32_t d = 0; d < dim; d++)
                gathered[(size_t)n * dim + d] = (double)row_of(work->factors, row)[d];
        vt_kernels()->gram_add_f64(gathered, n, dim, part);
    }
}

static void compute_gram(struct training *training, const struct factors *factors)
{
    uint32_t rows_per_block = (factors->n_rows + GRAM_BLOCKS_MAX - 1) / GRAM_BLOCKS_MAX;
    if (rows_per_block < GRAM_ROWS_MIN)
        rows_per_block = GRAM_ROWS_MIN;
    uint32_t n_blocks = (factors->n_rows + rows_per_block - 1) / rows_per_block;
    struct gram_work work = {training, factors, rows_per_block};
    vt_parallel(n_blocks, training->n_threads, gram_block, &work);
    for (uint32_t i = 0; i < training->dim; i++)
        for (uint32_t j = 0; j <= i; j++) {
            size_t at = (size_t)i * training->dim + j;
            size_t mirror = (size_t)j * training->dim + i;
            double sum = 0;
            for (uint32_t block = 0; block < n_blocks; block++)
                sum += training->gram_parts[(size_t)block * training->dim * training->dim + at];
            training->gram[at] = training->gram[mirror] = training->unobserved_weight * sum;
            training->gram_f32[at] = training->gram_f32[mirror] = (float)training->gram[at];
        }
}

/* One half-step; adds up its loss parts in block order. */
static struct vt_err run_half_step(struct training *training, const struct vt_sparse *matrix,
                                   const struct factors *fixed, struct factors *target,
                                   double ret_loss[2])
{
    struct half_step step = {
        .training = training, .matrix = matrix, .fixed = fixed, .target = target};
    uint32_t n_blocks = n_solve_blocks(target->n_rows);
    compute_gram(training, fixed);
    vt_parallel(n_blocks, training->n_threads, solve_block, &step);
    VT_CHECK(!atomic_load_explicit(&step.failed, memory_order_relaxed), VT_CORRUPT,
             "iALS: a row's equations have no finite solution; raise regularization");
    ret_loss[0] = ret_loss[1] = 0;
    for (uint32_t block = 0; block < n_blocks; block++) {
        ret_loss[0] += training->loss_parts[2 * (size_t)block];
        ret_loss[1] += training->loss_parts[2 * (size_t)block + 1];
    }
    return vt_ok();
}

static struct vt_err iterate(struct training *training, double *ret_loss)
{
    const struct vt_ials_options *options = training->options;
    struct vt_ials_progress report = {.iterations = options->iterations,
                                      .item_factors = training->items.values,
                                      .n_items = training->items.n_rows,
                                      .dim = training->dim,
                                      .row_stride = training->items.stride};
    bool go_on = true;
    for (uint32_t i = options->first_iteration + 1; i <= report.iterations && go_on; i++) {
        double user_loss[2], item_loss[2];
        VT_TRY(run_half_step(training, &training->by_user, &training->items, &training->users,
                             user_loss));
        VT_TRY(run_half_step(training, &training->by_item, &training->users, &training->items,
                             item_loss));
        report.iteration = i;
        report.loss = item_loss[0] + user_loss[1];
        VT_CHECK(isfinite(report.loss), VT_CORRUPT, "iALS: the loss is not finite");
        go_on = options->progress == NULL || options->progress(options->progress_ctx, &report);
    }
    *ret_loss = report.loss;
    return vt_ok();
}

/* ---- memory ---- */

static size_t scratch_bytes(uint32_t dim)
{
    size_t floats = ((size_t)dim + GATHER_ROWS + 2) * dim;
    size_t bytes = floats * sizeof(float) + vt_fold_in_scratch_bytes(dim) + 2 * FACTOR_ALIGNMENT;
    return bytes / FACTOR_ALIGNMENT * FACTOR_ALIGNMENT;
}

/* Parts in the order of their alignment: doubles first. */
static void scratch_split(unsigned char *memory, uint32_t dim, struct solve_scratch *ret_scratch)
{
    ret_scratch->fold_in = memory;
    memory += vt_fold_in_scratch_bytes(dim);
    ret_scratch->gathered = (float *)(void *)memory;
    ret_scratch->normal = ret_scratch->gathered + (size_t)GATHER_ROWS * dim;
    ret_scratch->rhs = ret_scratch->normal + (size_t)dim * dim;
    ret_scratch->solution = ret_scratch->rhs + dim;
}

static struct vt_err allocate_scratch(struct training *training)
{
    size_t cells = (size_t)training->dim * training->dim, each = scratch_bytes(training->dim);
    uint32_t n_rows = training->users.n_rows > training->items.n_rows ? training->users.n_rows
                                                                      : training->items.n_rows;
    training->gram = calloc(cells, sizeof *training->gram);
    training->gram_f32 = calloc(cells, sizeof *training->gram_f32);
    training->gram_parts = calloc(GRAM_BLOCKS_MAX * cells, sizeof *training->gram_parts);
    training->loss_parts = calloc(2 * (size_t)n_solve_blocks(n_rows), sizeof(double));
    training->scratch = calloc(training->n_threads, sizeof *training->scratch);
    training->memory = aligned_alloc(FACTOR_ALIGNMENT, training->n_threads * each);
    VT_CHECK(training->gram != NULL && training->gram_f32 != NULL && training->gram_parts != NULL &&
                 training->loss_parts != NULL && training->scratch != NULL &&
                 training->memory != NULL,
             VT_EXHAUSTED, "out of memory for training");
    for (uint32_t t = 0; t < training->n_threads; t++)
        scratch_split(training->memory + t * each, training->dim, &training->scratch[t]);
    return vt_ok();
}

static struct vt_err training_init(struct training *training, const struct vt_sparse *matrix,
                                   const struct vt_ials_options *options)
{
    *training = (struct training){
        .options = options,
        .unobserved_weight = options->unobserved_weight > 0 ? options->unobserved_weight
                                                            : auto_unobserved_weight(matrix),
        .dim = options->factors,
        .n_threads = vt_threads_resolve(options->threads),
        .by_user = *matrix,
    };
    VT_TRY(vt_sparse_transpose(matrix, &training->by_item));
    VT_TRY(factors_allocate(matrix->n_rows, options->factors, &training->users));
    VT_TRY(factors_allocate(matrix->n_cols, options->factors, &training->items));
    VT_TRY(allocate_scratch(training));
    if (options->start_items != NULL)
        factors_copy(&training->items, options->start_items, options->start_stride);
    else
        factors_randomise(&training->items, options->init_stddev, options->seed);
    return vt_ok();
}

static void training_fini(struct training *training)
{
    vt_sparse_free(&training->by_item);
    free(training->users.values);
    free(training->items.values);
    free(training->gram);
    free(training->gram_f32);
    free(training->gram_parts);
    free(training->loss_parts);
    free(training->scratch);
    free(training->memory);
}

/* Moves the items' side out of the training. */
static void take_model(struct training *training, double loss, struct vt_ials_model *ret_model)
{
    compute_gram(training, &training->items);
    *ret_model = (struct vt_ials_model){
        .n_items = training->items.n_rows,
        .dim = training->dim,
        .row_stride = training->items.stride,
        .item_factors = training->items.values,
        .gram = training->gram,
        .regularization = training->options->regularization,
        .regularization_exponent = training->options->regularization_exponent,
        .unobserved_weight = training->unobserved_weight,
        .loss = loss,
    };
    training->items.values = NULL;
    training->gram = NULL;
}

/* ---- the public side ---- */

struct range {
    const char *name;
    double value, min, max;
};

static struct vt_err check_options(const struct vt_ials_options *options, struct vt_diag *diag)
{
    const struct range ranges[] = {
        {"factors", options->factors, 1, VT_FACTORS_MAX},
        {"iterations", options->iterations, 1, VT_IALS_ITERATIONS_MAX},
        {"regularization", options->regularization, 0, 1e6},
        {"regularization_exponent", options->regularization_exponent, 0, 2},
        {"unobserved_weight", options->unobserved_weight, 0, 1e6},
        {"init_stddev", options->init_stddev, 1e-9, 1e3},
        {"first_iteration", options->first_iteration, 0, (double)options->iterations - 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (ranges[i].value >= ranges[i].min && ranges[i].value <= ranges[i].max)
            continue;
        vt_diag_set(diag, ranges[i].name, "%s is %g; it must be from %g to %g", ranges[i].name,
                    ranges[i].value, ranges[i].min, ranges[i].max);
        return VT_ERR(VT_INVALID, "an iALS option is out of range");
    }
    return vt_ok();
}

static struct vt_err check_matrix(const struct vt_sparse *matrix, struct vt_diag *diag)
{
    bool wanted = false;
    for (uint64_t e = 0; e < matrix->n_entries; e++) {
        if (fpclassify(matrix->values[e]) == FP_ZERO || !isfinite(matrix->values[e]))
            return VT_ERR(VT_INVALID, "a confidence is 0 or not a finite number");
        wanted = wanted || matrix->values[e] > 0;
    }
    if (wanted)
        return vt_ok();
    vt_diag_set(diag, "", "no customer has an event with a weight above 0: nothing to learn");
    return VT_ERR(VT_INVALID, "no interactions");
}

struct vt_err vt_ials_train(const struct vt_sparse *matrix, const struct vt_ials_options *options,
                            struct vt_diag *diag, struct vt_ials_model *ret_model)
{
    VT_TRY(check_options(options, diag));
    VT_TRY(check_matrix(matrix, diag));
    struct training training;
    double loss = 0;
    struct vt_err err = training_init(&training, matrix, options);
    if (!vt_failed(err))
        err = iterate(&training, &loss);
    if (!vt_failed(err))
        take_model(&training, loss, ret_model);
    training_fini(&training);
    return err;
}

void vt_ials_model_free(struct vt_ials_model *model)
{
    if (model == NULL)
        return;
    free(model->item_factors);
    free(model->gram);
    *model = (struct vt_ials_model){0};
}

struct vt_fold_in_model vt_ials_fold_in_model(const struct vt_ials_model *model)
{
    return (struct vt_fold_in_model){
        .item_factors = model->item_factors,
        .gram = model->gram,
        .n_items = model->n_items,
        .dim = model->dim,
        .row_stride = model->row_stride,
        .regularization = model->regularization,
        .regularization_exponent = model->regularization_exponent,
        .unobserved_weight = model->unobserved_weight,
    };
}
