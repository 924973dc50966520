/* The three row solvers against the definition, in long double, and against each other. */
#include "models/factor/ials.h"
#include "models/factor/ials_internal.h"
#include "models/factor/neighbours.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 70, ITEMS = 45, DIM = 21, STRIDE = 32 };

/* A matrix of users × items; a few entries are dislikes, a user and an item have none at all. */
static struct vt_sparse make_matrix(uint32_t n_users, uint32_t n_items, uint64_t seed)
{
    struct vt_sparse matrix = {.n_rows = n_users, .n_cols = n_items};
    size_t cells = (size_t)n_users * n_items;
    matrix.starts = calloc(n_users + 1, sizeof *matrix.starts);
    matrix.columns = calloc(cells, sizeof *matrix.columns);
    matrix.values = calloc(cells, sizeof *matrix.values);
    for (uint32_t user = 0; user < n_users; user++) {
        for (uint32_t item = 0; item < n_items; item++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            if (user == 3 || item == 5 || (seed >> 60) > (user % 3 == item % 3 ? 8U : 1U))
                continue;
            matrix.columns[matrix.n_entries] = item;
            matrix.values[matrix.n_entries++] = (seed >> 33) % 16 == 0  ? -0.8F
                                                : (seed >> 40) % 2 == 0 ? 1
                                                                        : 2.5F;
        }
        matrix.starts[user + 1] = matrix.n_entries;
    }
    return matrix;
}

static struct vt_ials_options options_of(enum vt_ials_solver solver)
{
    struct vt_ials_options options;
    vt_ials_options_default(&options);
    options.factors = DIM;
    options.iterations = 6;
    options.threads = 1;
    options.solver = solver;
    options.block_size = 16;
    return options;
}

/* ---- the definition ---- */

static long double power_of(const struct vt_ials_options *options, double alpha, long double weight,
                            uint32_t n_others)
{
    return options->regularization * powl(weight + (long double)alpha * n_others,
                                          (long double)options->regularization_exponent);
}

struct sides {
    const struct vt_sparse *matrix;
    const struct vt_ials_options *options;
    double alpha;
    const float *users, *items;
    uint32_t dim, stride;
};

static long double dot(const struct sides *sides, uint32_t user, uint32_t item)
{
    long double sum = 0;
    for (uint32_t d = 0; d < sides->dim; d++)
        sum += (long double)sides->users[(size_t)user * sides->stride + d] *
               (long double)sides->items[(size_t)item * sides->stride + d];
    return sum;
}

static long double square(const float *vector, uint32_t dim)
{
    long double sum = 0;
    for (uint32_t d = 0; d < dim; d++)
        sum += (long double)vector[d] * (long double)vector[d];
    return sum;
}

/* The whole objective of docs/models.md, pair by pair. A row without entries has no vector, and no
 * part in the sum. */
static long double objective(const struct sides *sides)
{
    const struct vt_sparse *matrix = sides->matrix;
    long double sum = 0, *item_weights = calloc(matrix->n_cols, sizeof *item_weights);
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        long double weight = 0;
        for (uint32_t item = 0; item < matrix->n_cols; item++)
            sum += (long double)sides->alpha * powl(dot(sides, user, item), 2);
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++) {
            long double size = fabsl((long double)matrix->values[e]);
            long double wanted = matrix->values[e] > 0 ? 1 : 0;
            sum += size * powl(wanted - dot(sides, user, matrix->columns[e]), 2);
            weight += size;
            item_weights[matrix->columns[e]] += size;
        }
        sum += power_of(sides->options, sides->alpha, weight, matrix->n_cols) *
               square(sides->users + (size_t)user * sides->stride, sides->dim);
    }
    for (uint32_t item = 0; item < matrix->n_cols; item++)
        sum += power_of(sides->options, sides->alpha, item_weights[item], matrix->n_rows) *
               square(sides->items + (size_t)item * sides->stride, sides->dim);
    free(item_weights);
    return sum;
}

/* Half the gradient of the objective by one item's factor d, and the sum of the sizes of its terms.
 */
static long double item_gradient(const struct sides *sides, uint32_t item, uint32_t d,
                                 long double *ret_size)
{
    const struct vt_sparse *matrix = sides->matrix;
    long double sum = 0, size = 0, weight = 0;
    for (uint32_t user = 0; user < matrix->n_rows; user++) {
        long double x = (long double)sides->users[(size_t)user * sides->stride + d];
        long double score = dot(sides, user, item), part = (long double)sides->alpha * score * x;
        for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
            if (matrix->columns[e] == item) {
                long double w = (long double)matrix->values[e];
                part += fabsl(w) * (score - (w > 0 ? 1 : 0)) * x;
                weight += fabsl(w);
            }
        sum += part;
        size += fabsl(part);
    }
    sum += power_of(sides->options, sides->alpha, weight, matrix->n_rows) *
           (long double)sides->items[(size_t)item * sides->stride + d];
    *ret_size = size;
    return sum;
}

/* ---- what training shows after each iteration ---- */

struct watch {
    const struct vt_sparse *matrix;
    const struct vt_ials_options *options;
    double alpha, last_loss;
    float users[USERS * STRIDE], items[ITEMS * STRIDE];
    uint32_t stop_after; /* 0: never */
    bool shape_differs;  /* too large to be kept */
};

static bool on_iteration(void *ctx, const struct vt_ials_progress *progress)
{
    struct watch *watch = ctx;
    const struct sides sides = {watch->matrix,          watch->options,         watch->alpha,
                                progress->user_factors, progress->item_factors, progress->dim,
                                progress->row_stride};
    long double expected = objective(&sides);
    assert_true(fabsl((long double)progress->loss - expected) < 1e-5L * expected);
    /* Conjugate gradients solve users anew and not to the end: their loss may rise by a little. */
    bool may_rise = watch->options->solver == VT_IALS_CG;
    assert_true(progress->loss <= watch->last_loss * (1 + (may_rise ? 1e-3 : 1e-6)));
    watch->last_loss = progress->loss;
    if (!watch->shape_differs) {
        assert_int_equal(progress->row_stride, STRIDE);
        memcpy(watch->users, progress->user_factors, sizeof watch->users);
        memcpy(watch->items, progress->item_factors, sizeof watch->items);
    }
    return watch->stop_after == 0 || progress->iteration < watch->stop_after;
}

static double automatic_alpha(const struct vt_sparse *matrix)
{
    double density = (double)matrix->n_entries / ((double)matrix->n_rows * (double)matrix->n_cols);
    return 5 * density < 1 ? 5 * density : 1;
}

static struct vt_ials_model train_watched(const struct vt_sparse *matrix,
                                          struct vt_ials_options *options, struct watch *watch)
{
    struct vt_ials_model model;
    watch->matrix = matrix;
    watch->options = options;
    watch->alpha =
        options->unobserved_weight > 0 ? options->unobserved_weight : automatic_alpha(matrix);
    watch->last_loss = INFINITY;
    options->progress = on_iteration;
    options->progress_ctx = watch;
    assert_ok(vt_ials_train(matrix, options, NULL, &model));
    return model;
}

static size_t items_bytes(const struct vt_ials_model *model)
{
    return (size_t)model->n_items * model->row_stride * sizeof(float);
}

/* ---- tests ---- */

static void the_loss_is_the_objective_of_the_factors_and_never_rises(void **state)
{
    (void)state;
    static struct watch watch;
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 1);
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver);
        struct vt_ials_model model = train_watched(&matrix, &options, &watch);
        vt_ials_model_free(&model);
    }
    vt_sparse_free(&matrix);
}

/* After the items' half of an iteration each item is where the objective has no slope, if its rows
 * are solved to the end: exactly, by as many steps as there are dimensions, or in one block. */
static void the_gradient_vanishes_where_rows_are_solved_to_the_end(void **state)
{
    (void)state;
    static struct watch watch;
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 2);
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver);
        options.cg_steps = 3 * DIM;
        options.block_size = STRIDE;
        struct vt_ials_model model = train_watched(&matrix, &options, &watch);
        const struct sides sides = {&matrix,     &options, watch.alpha, watch.users,
                                    watch.items, DIM,      STRIDE};
        for (uint32_t item = 0; item < ITEMS; item++)
            for (uint32_t d = 0; d < DIM; d++) {
                long double size, slope = item_gradient(&sides, item, d, &size);
                assert_true(fabsl(slope) <= 2e-5L * size + 1e-6L);
            }
        vt_ials_model_free(&model);
    }
    vt_sparse_free(&matrix);
}

/* A pair that is optimal on both sides stays: the loss of a further iteration is the same. */
static void all_solvers_end_at_the_same_loss(void **state)
{
    (void)state;
    static struct watch watch;
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 3);
    double losses[VT_IALS_SOLVERS];
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver);
        options.factors = STRIDE - 15;
        options.regularization = 0.05;
        options.iterations = 120;
        options.cg_steps = 12;
        struct vt_ials_model model = train_watched(&matrix, &options, &watch);
        losses[solver] = model.loss;
        vt_ials_model_free(&model);
    }
    assert_true(fabs(losses[VT_IALS_CG] / losses[VT_IALS_CHOLESKY] - 1) < 1e-4);
    assert_true(fabs(losses[VT_IALS_SUBSPACE] / losses[VT_IALS_CHOLESKY] - 1) < 1e-4);
    vt_sparse_free(&matrix);
}

static void any_thread_count_gives_the_same_bytes_with_every_solver(void **state)
{
    (void)state;
    static const uint32_t counts[] = {2, 3, 5};
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 4);
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver);
        struct vt_ials_model one, many;
        assert_ok(vt_ials_train(&matrix, &options, NULL, &one));
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            options.threads = counts[i];
            assert_ok(vt_ials_train(&matrix, &options, NULL, &many));
            assert_memory_equal(one.item_factors, many.item_factors, items_bytes(&one));
            assert_memory_equal(one.gram, many.gram, DIM * DIM * sizeof *one.gram);
            vt_ials_model_free(&many);
        }
        vt_ials_model_free(&one);
    }
    vt_sparse_free(&matrix);
}

static void a_checkpoint_goes_on_to_the_bytes_of_one_run(void **state)
{
    (void)state;
    static struct watch watch;
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 5);
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver), first = options_of(solver);
        struct vt_ials_model whole, resumed;
        assert_ok(vt_ials_train(&matrix, &options, NULL, &whole));
        watch.stop_after = 3;
        struct vt_ials_model stopped = train_watched(&matrix, &first, &watch);
        watch.stop_after = 0;
        options.first_iteration = 3;
        options.start_items = watch.items;
        options.start_users = solver == VT_IALS_SUBSPACE ? watch.users : NULL;
        options.start_stride = STRIDE;
        assert_ok(vt_ials_train(&matrix, &options, NULL, &resumed));
        assert_memory_equal(whole.item_factors, resumed.item_factors, items_bytes(&whole));
        vt_ials_model_free(&whole);
        vt_ials_model_free(&stopped);
        vt_ials_model_free(&resumed);
    }
    vt_sparse_free(&matrix);
}

/* A refresh knows the items of the version that serves: its first loss is near the last one of that
 * version, not near the first. */
static void items_alone_begin_where_they_ended(void **state)
{
    (void)state;
    static struct watch watch;
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 6);
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver), again = options_of(solver);
        options.iterations = 20;
        struct vt_ials_model trained = train_watched(&matrix, &options, &watch), refreshed;
        again.iterations = 1;
        again.start_items = trained.item_factors;
        again.start_stride = trained.row_stride;
        assert_ok(vt_ials_train(&matrix, &again, NULL, &refreshed));
        assert_true(refreshed.loss <= trained.loss * (1 + 1e-4));
        vt_ials_model_free(&trained);
        vt_ials_model_free(&refreshed);
    }
    vt_sparse_free(&matrix);
}

/* The residuals and products of a row that is not kept are those of one that is. */
/* Adds customers with one faint event each, on a product that nobody else knows. */
static void add_faint_pairs(struct vt_sparse *matrix, uint32_t n_pairs)
{
    size_t n_entries = matrix->n_entries + n_pairs, n_starts = matrix->n_rows + n_pairs + 1;
    matrix->starts = realloc(matrix->starts, n_starts * sizeof *matrix->starts);
    matrix->columns = realloc(matrix->columns, n_entries * sizeof *matrix->columns);
    matrix->values = realloc(matrix->values, n_entries * sizeof *matrix->values);
    for (; n_pairs > 0; n_pairs--) {
        matrix->columns[matrix->n_entries] = matrix->n_cols++;
        matrix->values[matrix->n_entries++] = 0.15F;
        matrix->starts[++matrix->n_rows] = matrix->n_entries;
    }
}

/* Both rows of such a pair shrink from iteration to iteration, until the squares of their numbers
 * are no floats any more. */
static void rows_that_fade_away_stay_faint(void **state)
{
    (void)state;
    static struct watch watch = {.shape_differs = true};
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 10);
    add_faint_pairs(&matrix, 40);
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver);
        options.iterations = 60;
        struct vt_ials_model model = train_watched(&matrix, &options, &watch);
        for (size_t i = 0; i < 40 * (size_t)model.row_stride; i++)
            assert_true(fabsf(model.item_factors[ITEMS * model.row_stride + i]) < 1e-3F);
        vt_ials_model_free(&model);
    }
    vt_sparse_free(&matrix);
}

static void a_row_too_long_to_keep_is_solved_too(void **state)
{
    (void)state;
    enum { MANY = 650, FEW = 9, WIDE = 496 };
    static struct watch watch = {.shape_differs = true};
    assert_true(vt__neighbours_capacity(WIDE) < MANY - 50);
    struct vt_sparse matrix = make_matrix(MANY, FEW, 7);
    /* Everybody has item 0. */
    for (uint32_t user = 0; user < MANY; user++)
        if (matrix.starts[user] < matrix.starts[user + 1])
            matrix.columns[matrix.starts[user]] = 0;
    for (unsigned solver = VT_IALS_CG; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver);
        options.factors = WIDE;
        options.block_size = 256;
        options.iterations = 2;
        struct vt_ials_model model = train_watched(&matrix, &options, &watch);
        vt_ials_model_free(&model);
    }
    vt_sparse_free(&matrix);
}

static void the_smallest_matrices_train(void **state)
{
    (void)state;
    static const uint32_t shapes[][2] = {{1, 1}, {1, 12}, {12, 1}, {2, 3}};
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            struct vt_sparse matrix = make_matrix(shapes[i][0], shapes[i][1], 8);
            if (matrix.n_entries == 0) {
                matrix.n_entries = matrix.starts[1] = matrix.starts[shapes[i][0]] = 1;
                for (uint32_t user = 1; user <= shapes[i][0]; user++)
                    matrix.starts[user] = 1;
            }
            for (uint64_t e = 0; e < matrix.n_entries; e++)
                matrix.values[e] = 1;
            struct vt_ials_options options = options_of(solver);
            struct vt_ials_model model;
            assert_ok(vt_ials_train(&matrix, &options, NULL, &model));
            assert_true(isfinite(model.loss));
            for (size_t at = 0; at < items_bytes(&model) / sizeof(float); at++)
                assert_true(isfinite(model.item_factors[at]));
            vt_ials_model_free(&model);
            vt_sparse_free(&matrix);
        }
}

static void weights_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    static const float wrong[] = {0, NAN, INFINITY};
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 9);
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++)
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            struct vt_ials_options options = options_of(solver);
            struct vt_ials_model model;
            float kept = matrix.values[7];
            matrix.values[7] = wrong[i];
            assert_code(vt_ials_train(&matrix, &options, NULL, &model), VT_INVALID);
            matrix.values[7] = kept;
        }
    vt_sparse_free(&matrix);
}

static void nothing_but_dislikes_is_refused(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 10);
    struct vt_ials_options options = options_of(VT_IALS_CG);
    struct vt_ials_model model;
    for (uint64_t e = 0; e < matrix.n_entries; e++)
        matrix.values[e] = -1;
    assert_code(vt_ials_train(&matrix, &options, NULL, &model), VT_INVALID);
    vt_sparse_free(&matrix);
}

/* Without regularisation and with far more dimensions than data the equations are singular to a
 * float: the answer is finite factors or a plain refusal, never NaN. */
static void singular_equations_end_finite_or_refused(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix(6, 5, 11);
    matrix.values[0] = 1e20F;
    for (unsigned solver = 0; solver < VT_IALS_SOLVERS; solver++) {
        struct vt_ials_options options = options_of(solver);
        struct vt_ials_model model;
        options.regularization = 0;
        struct vt_err err = vt_ials_train(&matrix, &options, NULL, &model);
        if (vt_failed(err)) {
            assert_int_equal(err.code, VT_CORRUPT);
            continue;
        }
        for (size_t at = 0; at < items_bytes(&model) / sizeof(float); at++)
            assert_true(isfinite(model.item_factors[at]));
        vt_ials_model_free(&model);
    }
    vt_sparse_free(&matrix);
}

static void solver_options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix(USERS, ITEMS, 12);
    static const struct {
        const char *field;
        uint32_t solver, cg_steps, block_size;
    } cases[] = {{"solver", VT_IALS_SOLVERS, 3, 32},
                 {"cg_steps", VT_IALS_CG, 0, 32},
                 {"cg_steps", VT_IALS_CG, VT_IALS_CG_STEPS_MAX + 1, 32},
                 {"block_size", VT_IALS_SUBSPACE, 3, 0},
                 {"block_size", VT_IALS_SUBSPACE, 3, 24},
                 {"block_size", VT_IALS_SUBSPACE, 3, 2 * VT_FACTORS_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_ials_options options = options_of(cases[i].solver);
        struct vt_ials_model model;
        struct vt_diag diag = {0};
        options.cg_steps = cases[i].cg_steps;
        options.block_size = cases[i].block_size;
        assert_code(vt_ials_train(&matrix, &options, &diag, &model), VT_INVALID);
        assert_string_equal(diag.field, cases[i].field);
    }
    vt_sparse_free(&matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_is_the_objective_of_the_factors_and_never_rises),
        cmocka_unit_test(the_gradient_vanishes_where_rows_are_solved_to_the_end),
        cmocka_unit_test(all_solvers_end_at_the_same_loss),
        cmocka_unit_test(any_thread_count_gives_the_same_bytes_with_every_solver),
        cmocka_unit_test(a_checkpoint_goes_on_to_the_bytes_of_one_run),
        cmocka_unit_test(items_alone_begin_where_they_ended),
        cmocka_unit_test(rows_that_fade_away_stay_faint),
        cmocka_unit_test(a_row_too_long_to_keep_is_solved_too),
        cmocka_unit_test(the_smallest_matrices_train),
        cmocka_unit_test(weights_that_mean_nothing_are_refused),
        cmocka_unit_test(nothing_but_dislikes_is_refused),
        cmocka_unit_test(singular_equations_end_finite_or_refused),
        cmocka_unit_test(solver_options_out_of_range_are_refused_by_name),
    };
    return cmocka_run_group_tests_name("factor/solvers", tests, NULL, NULL);
}
