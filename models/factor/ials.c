/*
 * iALS: its options, its memory and its iterations; half_step.c has the equations. An iteration
 * solves all users, then all items, so that what is left is a pair in which the items fit the
 * users, and a customer's vector is one more half-step, made at request time (fold_in.c).
 *
 * With a group (docs/adr/0095) each rank has a run of users and one of items, and goes through the
 * same iterations with its own; the sums over a side, and the factors of others that its rows name,
 * are exchanged within half_step.c. Rank 0 alone sees the caller.
 */
#include "models/factor/distribute.h"
#include "models/factor/exchange.h"
#include "models/kernels/parallel.h"

#include <math.h>
#include <stdlib.h>

static const struct vt__row_solver *const solvers[VT_IALS_SOLVERS] = {
    [VT_IALS_CHOLESKY] = &vt__solver_cholesky,
    [VT_IALS_CG] = &vt__solver_cg,
    [VT_IALS_SUBSPACE] = &vt__solver_subspace,
};

/* Chosen on validation parts split off the train files, never on a test file: docs/models.md. */
#define DEFAULT_REGULARIZATION 0.01
#define DEFAULT_UNOBSERVED_RATIO 5.0

void vt_ials_options_default(struct vt_ials_options *ret_options)
{
    *ret_options = (struct vt_ials_options){
        .factors = 64,
        .iterations = 16,
        .solver = VT_IALS_CG,
        .cg_steps = 2,
        .block_size = 32,
        .regularization = DEFAULT_REGULARIZATION,
        .regularization_exponent = 1.0,
        .init_stddev = 0.1,
        .seed = 1,
    };
}

/* What counts is the weight of all unobserved pairs against that of the observed ones. */
double vt_ials_unobserved_weight(const struct vt_ials_options *options,
                                 const struct vt_sparse *matrix)
{
    if (options->unobserved_weight > 0)
        return options->unobserved_weight;
    double cells = (double)matrix->n_rows * (double)matrix->n_cols;
    double weight = DEFAULT_UNOBSERVED_RATIO * (double)matrix->n_entries / cells;
    return weight < 1 ? weight : 1;
}

/* ---- iterations ---- */

static struct vt_err solve_users(struct vt__training *training, const struct vt__row_solver *solver,
                                 double ret_loss[2])
{
    struct vt__half_step step = {.training = training,
                                 .solver = solver,
                                 .matrix = &training->by_user,
                                 .fixed = &training->items,
                                 .target = &training->users,
                                 .fixed_share = &training->item_share,
                                 .target_share = &training->user_share,
                                 .exchange = training->for_users,
                                 .cold = !solver->remembers_users};
    return vt__half_step_run(&step, ret_loss);
}

static struct vt_err solve_items(struct vt__training *training, double ret_loss[2])
{
    struct vt__half_step step = {.training = training,
                                 .solver = training->solver,
                                 .matrix = &training->by_item,
                                 .fixed = &training->users,
                                 .target = &training->items,
                                 .fixed_share = &training->user_share,
                                 .target_share = &training->item_share,
                                 .exchange = training->for_items};
    return vt__half_step_run(&step, ret_loss);
}

/* Items from elsewhere without their users: these are found exactly first where the solver would go
 * on from them. */
static const struct vt__row_solver *users_solver(const struct vt__training *training, bool is_first)
{
    bool items_alone = training->starts_with_items && !training->starts_with_users;
    bool misses_users = training->solver->remembers_users && items_alone;
    return is_first && misses_users ? &vt__solver_cholesky : training->solver;
}

static struct vt_ials_progress report_of(const struct vt__training *training)
{
    const bool alone = training->group == NULL;
    return (struct vt_ials_progress){
        .iterations = training->options->iterations,
        .item_factors = alone ? training->items.values : training->whole_items.values,
        .user_factors = alone ? training->users.values : NULL,
        .n_items = training->item_share.n_rows,
        .n_users = training->user_share.n_rows,
        .dim = training->items.dim,
        .row_stride = training->items.stride,
        .unobserved_weight = training->unobserved_weight,
    };
}

/* Shows rank 0's caller the iteration; what it says holds for all. */
static struct vt_err show(const struct vt__training *training,
                          const struct vt_ials_progress *report, bool *ret_go_on)
{
    const struct vt_ials_options *options = training->options;
    const struct vt_group *group = training->group;
    bool go_on = true;
    if (group != NULL && training->is_watched)
        VT_TRY(vt__collect_factors(group, &training->item_share, &training->items,
                                   training->whole_items.values));
    if (options->progress != NULL)
        go_on = options->progress(options->progress_ctx, report);
    if (group != NULL)
        VT_TRY(vt_group_broadcast(group, &go_on, sizeof go_on));
    *ret_go_on = go_on;
    return vt_ok();
}

static struct vt_err iterate(struct vt__training *training, double *ret_loss)
{
    const struct vt_ials_options *options = training->options;
    struct vt_ials_progress report = report_of(training);
    bool go_on = true;
    for (uint32_t i = options->first_iteration; i < report.iterations && go_on; i++) {
        double user_loss[2], item_loss[2];
        bool is_first = i == options->first_iteration;
        VT_TRY(solve_users(training, users_solver(training, is_first), user_loss));
        VT_TRY(solve_items(training, item_loss));
        report.iteration = i + 1;
        report.loss = item_loss[0] + user_loss[1];
        VT_CHECK(isfinite(report.loss), VT_CORRUPT, "iALS: the loss is not finite");
        VT_TRY(show(training, &report, &go_on));
    }
    *ret_loss = report.loss;
    return vt_ok();
}

/* ---- memory ---- */

static uint32_t longest_row(const struct vt_sparse *matrix)
{
    uint64_t longest = 0;
    for (uint32_t row = 0; row < matrix->n_rows; row++)
        if (matrix->starts[row + 1] - matrix->starts[row] > longest)
            longest = matrix->starts[row + 1] - matrix->starts[row];
    return (uint32_t)longest;
}

static struct vt__sizes sizes_of(const struct vt__training *training)
{
    uint32_t user_max = longest_row(&training->by_user);
    uint32_t item_max = longest_row(&training->by_item);
    return (struct vt__sizes){
        .options = training->options,
        .dim = training->items.dim,
        .stride = training->items.stride,
        .row_max = user_max > item_max ? user_max : item_max,
    };
}

static struct vt_err allocate_scratch(struct vt__training *training)
{
    struct vt__sizes sizes = sizes_of(training);
    uint32_t n_rows = training->users.n_rows > training->items.n_rows ? training->users.n_rows
                                                                      : training->items.n_rows;
    size_t exact = vt__half_step_scratch_bytes(&vt__solver_cholesky, &sizes);
    size_t own = vt__half_step_scratch_bytes(training->solver, &sizes);
    training->scratch_bytes = exact > own ? exact : own;
    VT_TRY(vt__gram_allocate(sizes.dim, training->n_threads, &training->gram));
    training->loss_parts = calloc(2 * (size_t)vt__half_step_blocks(n_rows), sizeof(double));
    training->arena =
        aligned_alloc(VT__FACTOR_ALIGNMENT, training->n_threads * training->scratch_bytes);
    VT_CHECK(training->loss_parts != NULL && training->arena != NULL, VT_EXHAUSTED,
             "out of memory for training");
    return vt_ok();
}

static void set_first_factors(struct vt__training *training)
{
    const struct vt_ials_options *options = training->options;
    if (options->start_items == NULL)
        vt__factors_randomise(&training->items, 0, options->init_stddev, options->seed);
    else
        vt__factors_copy(&training->items, options->start_items, options->start_stride);
    if (options->start_items != NULL && options->start_users != NULL)
        vt__factors_copy(&training->users, options->start_users, options->start_stride);
}

static struct vt_err begin_alone(struct vt__training *training, const struct vt_sparse *matrix,
                                 const struct vt_ials_options *options)
{
    *training = (struct vt__training){
        .options = options,
        .unobserved_weight = vt_ials_unobserved_weight(options, matrix),
        .n_threads = vt_threads_resolve(options->threads),
        .solver = solvers[options->solver],
        .starts_with_items = options->start_items != NULL,
        .starts_with_users = options->start_items != NULL && options->start_users != NULL,
        .user_share = vt__share_alone(matrix->n_rows),
        .item_share = vt__share_alone(matrix->n_cols),
        .by_user = *matrix,
    };
    VT_TRY(vt_sparse_transpose(matrix, &training->by_item));
    VT_TRY(vt__factors_allocate(matrix->n_rows, options->factors, &training->users));
    VT_TRY(vt__factors_allocate(matrix->n_cols, options->factors, &training->items));
    VT_TRY(allocate_scratch(training));
    set_first_factors(training);
    return vt_ok();
}

static void exchange_free(struct vt__exchange *exchange)
{
    if (exchange != NULL)
        vt__exchange_fini(exchange);
    free(exchange);
}

static void training_fini(struct vt__training *training)
{
    if (training->group != NULL)
        vt_sparse_free(&training->by_user);
    vt_sparse_free(&training->by_item);
    exchange_free(training->for_users);
    exchange_free(training->for_items);
    free(training->whole_items.values);
    free(training->users.values);
    free(training->items.values);
    vt__gram_free(&training->gram);
    free(training->loss_parts);
    free(training->arena);
}

/* ---- with others ---- */

enum { EXCHANGE_ROWS_MIN = 4096 }; /* 1 MiB at dim 64: below that, rounds cost more than memory */

static struct vt_err plan_exchange(const struct vt__training *training, struct vt_sparse *matrix,
                                   const struct vt__share *fixed, struct vt__exchange **ret_planned)
{
    uint32_t rows = training->options->exchange_rows;
    if (rows == 0)
        rows = fixed->n_rows / fixed->n_ranks;
    if (training->options->exchange_rows == 0 && rows < EXCHANGE_ROWS_MIN)
        rows = EXCHANGE_ROWS_MIN;
    *ret_planned = calloc(1, sizeof **ret_planned);
    VT_CHECK(*ret_planned != NULL, VT_EXHAUSTED, "out of memory for training");
    return vt__exchange_plan(training->group, matrix, rows, training->items.stride, *ret_planned);
}

/* Both matrices' own rows; `matrix` is rank 0's, NULL elsewhere. */
static struct vt_err deal_matrices(struct vt__training *training, const struct vt_sparse *matrix)
{
    const struct vt_group *group = training->group;
    const struct vt__share *users = &training->user_share, *items = &training->item_share;
    struct vt_sparse by_item = {0};
    VT_TRY(vt__deal_rows(group, users, items->n_rows, matrix, &training->by_user));
    if (matrix != NULL)
        VT_TRY(vt_sparse_transpose(matrix, &by_item));
    struct vt_err err = vt__deal_rows(group, items, users->n_rows, matrix != NULL ? &by_item : NULL,
                                      &training->by_item);
    vt_sparse_free(&by_item);
    return err;
}

static struct vt_err deal_first_factors(struct vt__training *training)
{
    const struct vt_ials_options *options = training->options;
    const struct vt_group *group = training->group;
    if (training->starts_with_users)
        VT_TRY(vt__deal_factors(group, &training->user_share, options->start_users,
                                options->start_stride, &training->users));
    if (training->starts_with_items)
        return vt__deal_factors(group, &training->item_share, options->start_items,
                                options->start_stride, &training->items);
    vt__factors_randomise(&training->items, vt__share_first(&training->item_share),
                          options->init_stddev, options->seed);
    return vt_ok();
}

/* This rank's part of a training; keeps `job`. Every rank does the same, in this order. */
static struct vt_err take_part(struct vt__training *training, const struct vt_group *group,
                               struct vt__job *job, uint32_t threads,
                               const struct vt_sparse *matrix)
{
    const uint32_t factors = job->options.factors;
    if (group->rank != 0)
        job->options.progress = NULL;
    *training = (struct vt__training){
        .options = &job->options,
        .group = group,
        .unobserved_weight = job->unobserved_weight,
        .n_threads = vt_threads_resolve(threads),
        .solver = solvers[job->options.solver],
        .is_watched = job->is_watched,
        .starts_with_items = job->starts_with_items,
        .starts_with_users = job->starts_with_users,
        .user_share = job->user_share,
        .item_share = job->item_share,
    };
    VT_TRY(deal_matrices(training, matrix));
    VT_TRY(vt__factors_allocate(training->by_user.n_rows, factors, &training->users));
    VT_TRY(vt__factors_allocate(training->by_item.n_rows, factors, &training->items));
    if (group->rank == 0)
        VT_TRY(vt__factors_allocate(matrix->n_cols, factors, &training->whole_items));
    VT_TRY(
        plan_exchange(training, &training->by_user, &training->item_share, &training->for_users));
    VT_TRY(
        plan_exchange(training, &training->by_item, &training->user_share, &training->for_items));
    VT_TRY(allocate_scratch(training));
    return deal_first_factors(training);
}

/* Entries before each column, as a transposed matrix would begin its rows; owned, NULL without
 * memory. */
static uint64_t *column_starts(const struct vt_sparse *matrix)
{
    uint64_t *starts = calloc((size_t)matrix->n_cols + 1, sizeof *starts);
    if (starts == NULL)
        return NULL;
    for (uint64_t e = 0; e < matrix->n_entries; e++)
        starts[matrix->columns[e] + 1]++;
    for (uint32_t column = 0; column < matrix->n_cols; column++)
        starts[column + 1] += starts[column];
    return starts;
}

/* Rank 0: tells the others what to do, and takes its own part. */
static struct vt_err begin_together(struct vt__training *training, struct vt__job *job,
                                    const struct vt_sparse *matrix,
                                    const struct vt_ials_options *options)
{
    const double row_entries = (double)options->factors / 6; /* dim³/6 a row, dim² an entry */
    uint64_t *by_item = column_starts(matrix);
    *training = (struct vt__training){0};
    VT_CHECK(by_item != NULL, VT_EXHAUSTED, "out of memory for training");
    *job = (struct vt__job){
        .is_training = true,
        .is_watched = options->progress != NULL,
        .starts_with_items = options->start_items != NULL,
        .starts_with_users = options->start_items != NULL && options->start_users != NULL,
        .options = *options,
        .unobserved_weight = vt_ials_unobserved_weight(options, matrix),
        .user_share = vt__share_divide(options->group, matrix->n_rows, matrix->starts, row_entries),
        .item_share = vt__share_divide(options->group, matrix->n_cols, by_item, row_entries),
    };
    free(by_item);
    VT_TRY(vt__job_agree(options->group, job));
    return take_part(training, options->group, job, options->threads, matrix);
}

/* The items' side as it is served, where there is somebody to take it: on rank 0. */
static struct vt_err finish(struct vt__training *training)
{
    if (training->group != NULL)
        VT_TRY(vt__collect_factors(training->group, &training->item_share, &training->items,
                                   training->whole_items.values));
    return vt__gram_compute(&training->items, &training->item_share, training->group,
                            training->unobserved_weight, training->n_threads, &training->gram);
}

/* Moves the items' side out of the training. */
static void take_model(struct vt__training *training, double loss, struct vt_ials_model *ret_model)
{
    struct vt__factors *items = training->group != NULL ? &training->whole_items : &training->items;
    *ret_model = (struct vt_ials_model){
        .n_items = items->n_rows,
        .dim = items->dim,
        .row_stride = items->stride,
        .item_factors = items->values,
        .gram = training->gram.values,
        .regularization = training->options->regularization,
        .regularization_exponent = training->options->regularization_exponent,
        .unobserved_weight = training->unobserved_weight,
        .loss = loss,
    };
    items->values = NULL;
    training->gram.values = NULL;
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
        {"solver", options->solver, 0, VT_IALS_SOLVERS - 1},
        {"cg_steps", options->cg_steps, 1, VT_IALS_CG_STEPS_MAX},
        {"exchange_rows", options->exchange_rows, 0, UINT32_MAX},
        {"block_size", options->block_size, VT_IALS_BLOCK_STEP, VT_FACTORS_MAX},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (ranges[i].value >= ranges[i].min && ranges[i].value <= ranges[i].max)
            continue;
        vt_diag_set(diag, ranges[i].name, "%s is %g; it must be from %g to %g", ranges[i].name,
                    ranges[i].value, ranges[i].min, ranges[i].max);
        return VT_ERR(VT_INVALID, "an iALS option is out of range");
    }
    if (options->block_size % VT_IALS_BLOCK_STEP == 0)
        return vt_ok();
    vt_diag_set(diag, "block_size", "block_size is %u; it must be a multiple of %d",
                options->block_size, VT_IALS_BLOCK_STEP);
    return VT_ERR(VT_INVALID, "an iALS option is out of range");
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

static struct vt_err run(struct vt__training *training, double *ret_loss)
{
    VT_TRY(iterate(training, ret_loss));
    return finish(training);
}

struct vt_err vt_ials_train(const struct vt_sparse *matrix, const struct vt_ials_options *options,
                            struct vt_diag *diag, struct vt_ials_model *ret_model)
{
    VT_TRY(check_options(options, diag));
    VT_TRY(check_matrix(matrix, diag));
    const bool alone = options->group == NULL || options->group->n_ranks == 1;
    struct vt__training training;
    struct vt__job job;
    double loss = 0;
    struct vt_err err = alone ? begin_alone(&training, matrix, options)
                              : begin_together(&training, &job, matrix, options);
    if (!vt_failed(err))
        err = run(&training, &loss);
    if (!vt_failed(err))
        take_model(&training, loss, ret_model);
    training_fini(&training);
    return err;
}

struct vt_err vt_ials_work(const struct vt_group *group, uint32_t threads)
{
    for (;;) {
        struct vt__training training = {0};
        struct vt__job job;
        double loss;
        VT_TRY(vt__job_agree(group, &job));
        if (!job.is_training)
            return vt_ok();
        struct vt_err err = take_part(&training, group, &job, threads, NULL);
        if (!vt_failed(err))
            err = run(&training, &loss);
        training_fini(&training);
        VT_TRY(err);
    }
}

struct vt_err vt_ials_dismiss(const struct vt_group *group)
{
    struct vt__job job = {.is_training = false};
    return vt__job_agree(group, &job);
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
