#include "models/factor/ials.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 90, ITEMS = 60 };

/* Two tastes: users like items of their own parity, by a fixed pseudo-random choice. */
static struct vt_sparse make_matrix(void)
{
    static struct vt_interaction list[USERS * ITEMS];
    uint64_t n = 0, state = 1;
    for (uint32_t user = 0; user < USERS; user++)
        for (uint32_t item = 0; item < ITEMS; item++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
            if (item % 2 == user % 2 && (state >> 60) < 5)
                list[n++] = (struct vt_interaction){
                    .user = user, .item = item, .type = VT_EVENT_VIEW, .value = 1};
        }
    struct vt_dataset_options options = {.event_weights[VT_EVENT_VIEW] = 1.5F};
    struct vt_dataset dataset;
    assert_ok(vt_dataset_build(list, n, &options, NULL, &dataset));
    free(dataset.user_ids);
    free(dataset.item_ids);
    return dataset.matrix;
}

static struct vt_ials_options small_options(void)
{
    struct vt_ials_options options;
    vt_ials_options_default(&options);
    options.factors = 7;
    options.iterations = 6;
    options.threads = 1;
    options.solver = VT_IALS_CHOLESKY; /* solvers_test.c has the others */
    return options;
}

static struct vt_ials_model train(const struct vt_sparse *matrix,
                                  const struct vt_ials_options *options)
{
    struct vt_ials_model model;
    assert_ok(vt_ials_train(matrix, options, NULL, &model));
    return model;
}

static bool loss_falls(void *ctx, const struct vt_ials_progress *progress)
{
    double *last = ctx;
    assert_true(progress->loss <= *last * (1 + 1e-6));
    *last = progress->loss;
    return true;
}

static void loss_never_rises(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    struct vt_ials_model model;
    double last = INFINITY;
    options.progress = loss_falls;
    options.progress_ctx = &last;
    assert_ok(vt_ials_train(&matrix, &options, NULL, &model));
    assert_true(isfinite(last));
    vt_ials_model_free(&model);
    vt_sparse_free(&matrix);
}

static void any_thread_count_gives_the_same_bytes(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    struct vt_ials_model one = train(&matrix, &options);
    for (options.threads = 2; options.threads <= 5; options.threads++) {
        struct vt_ials_model many = train(&matrix, &options);
        assert_memory_equal(one.item_factors, many.item_factors,
                            (size_t)one.n_items * one.row_stride * sizeof(float));
        assert_memory_equal(one.gram, many.gram, (size_t)one.dim * one.dim * sizeof(double));
        vt_ials_model_free(&many);
    }
    vt_ials_model_free(&one);
    vt_sparse_free(&matrix);
}

/* What a checkpoint would keep: the item factors after iteration 3, and then an end. */
struct checkpoint {
    float items[ITEMS * 16];
    uint32_t iteration;
};

static bool keep_the_third_iteration(void *ctx, const struct vt_ials_progress *progress)
{
    struct checkpoint *kept = ctx;
    assert_true((size_t)progress->n_items * progress->row_stride <= sizeof kept->items / 4);
    kept->iteration = progress->iteration;
    memcpy(kept->items, progress->item_factors,
           (size_t)progress->n_items * progress->row_stride * sizeof(float));
    return progress->iteration < 3;
}

static void going_on_from_a_checkpoint_gives_the_bytes_of_one_run(void **state)
{
    (void)state;
    static struct checkpoint kept;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options(), first = small_options();
    struct vt_ials_model whole = train(&matrix, &options);
    first.progress = keep_the_third_iteration;
    first.progress_ctx = &kept;
    struct vt_ials_model stopped = train(&matrix, &first);
    assert_int_equal(kept.iteration, 3);
    options.start_items = kept.items;
    options.start_stride = stopped.row_stride;
    options.first_iteration = kept.iteration;
    struct vt_ials_model resumed = train(&matrix, &options);
    assert_memory_equal(resumed.item_factors, whole.item_factors,
                        (size_t)whole.n_items * whole.row_stride * sizeof(float));
    vt_ials_model_free(&whole);
    vt_ials_model_free(&stopped);
    vt_ials_model_free(&resumed);
    vt_sparse_free(&matrix);
}

static void another_seed_gives_other_bytes(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    struct vt_ials_model one = train(&matrix, &options);
    options.seed++;
    struct vt_ials_model other = train(&matrix, &options);
    assert_memory_not_equal(one.item_factors, other.item_factors, one.dim * sizeof(float));
    vt_ials_model_free(&one);
    vt_ials_model_free(&other);
    vt_sparse_free(&matrix);
}

/* Fold-in of every row of `matrix` into `model`: n_rows × dim. */
static float *fold_in_all(const struct vt_fold_in_model *model, const struct vt_sparse *matrix)
{
    float *vectors = calloc((size_t)matrix->n_rows * model->dim, sizeof *vectors);
    void *scratch = malloc(vt_fold_in_scratch_bytes(model->dim));
    for (uint32_t row = 0; row < matrix->n_rows; row++) {
        uint64_t start = matrix->starts[row];
        assert_ok(vt_fold_in(model, matrix->columns + start, matrix->values + start,
                             (uint32_t)(matrix->starts[row + 1] - start), scratch,
                             vectors + (size_t)row * model->dim));
    }
    free(scratch);
    return vectors;
}

static void gram_of(const float *rows, uint32_t n_rows, uint32_t dim, double weight, double *ret)
{
    memset(ret, 0, (size_t)dim * dim * sizeof *ret);
    for (uint32_t row = 0; row < n_rows; row++)
        for (uint32_t i = 0; i < dim; i++)
            for (uint32_t j = 0; j < dim; j++)
                ret[i * dim + j] +=
                    weight * (double)rows[row * dim + i] * (double)rows[row * dim + j];
}

/* One more iteration by fold-in alone, users from the items and then items from those users, gives
 * the items that training one iteration longer has: what serves is what was trained. */
static void fold_in_of_a_training_row_is_its_trained_vector(void **state)
{
    (void)state;
    struct vt_sparse by_user = make_matrix(), by_item;
    struct vt_ials_options options = small_options();
    struct vt_ials_model before = train(&by_user, &options);
    options.iterations++;
    struct vt_ials_model after = train(&by_user, &options);
    struct vt_fold_in_model to_users = vt_ials_fold_in_model(&before);
    float *users = fold_in_all(&to_users, &by_user);
    double gram[7 * 7];
    gram_of(users, by_user.n_rows, before.dim, before.unobserved_weight, gram);
    struct vt_fold_in_model to_items = to_users;
    to_items.item_factors = users;
    to_items.gram = gram;
    to_items.n_items = by_user.n_rows;
    to_items.row_stride = before.dim;
    assert_ok(vt_sparse_transpose(&by_user, &by_item));
    float *items = fold_in_all(&to_items, &by_item);
    for (uint32_t i = 0; i < after.n_items; i++)
        for (uint32_t d = 0; d < after.dim; d++)
            assert_float_equal(items[i * after.dim + d],
                               after.item_factors[(size_t)i * after.row_stride + d], 1e-4);
    free(users);
    free(items);
    vt_ials_model_free(&before);
    vt_ials_model_free(&after);
    vt_sparse_free(&by_user);
    vt_sparse_free(&by_item);
}

/* The gradient of the fold-in's objective at x, in long double, from the definition. */
static long double gradient(const struct vt_ials_model *model, const uint32_t *rows,
                            const float *weights, uint32_t n, const float *x, uint32_t d)
{
    long double sum = 0, weight_sum = 0;
    for (uint32_t i = 0; i < model->n_items; i++) {
        const float *y = model->item_factors + (size_t)i * model->row_stride;
        long double score = 0;
        for (uint32_t j = 0; j < model->dim; j++)
            score += (long double)y[j] * x[j];
        sum += model->unobserved_weight * score * y[d];
        for (uint32_t e = 0; e < n; e++)
            if (rows[e] == i)
                sum += weights[e] * (score - 1) * y[d];
    }
    for (uint32_t e = 0; e < n; e++)
        weight_sum += weights[e];
    long double mass = weight_sum + (long double)model->unobserved_weight * model->n_items;
    return sum +
           model->regularization * powl(mass, (long double)model->regularization_exponent) * x[d];
}

static void fold_in_is_where_the_gradient_vanishes(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    struct vt_ials_model model = train(&matrix, &options);
    struct vt_fold_in_model fold_in = vt_ials_fold_in_model(&model);
    const uint32_t rows[] = {2, 8, 2, 31};
    const float weights[] = {1, 0.5F, 2, 1};
    void *scratch = malloc(vt_fold_in_scratch_bytes(model.dim));
    float x[7];
    assert_ok(vt_fold_in(&fold_in, rows, weights, 4, scratch, x));
    for (uint32_t d = 0; d < model.dim; d++)
        assert_true(fabsl(gradient(&model, rows, weights, 4, x, d)) < 1e-6L);
    free(scratch);
    vt_ials_model_free(&model);
    vt_sparse_free(&matrix);
}

static void fold_in_finds_the_taste_of_one_event(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    struct vt_ials_model model = train(&matrix, &options);
    struct vt_fold_in_model fold_in = vt_ials_fold_in_model(&model);
    void *scratch = malloc(vt_fold_in_scratch_bytes(model.dim));
    float x[7];
    double even = 0, odd = 0;
    assert_ok(vt_fold_in(&fold_in, &(uint32_t){4}, &(float){1}, 1, scratch, x));
    for (uint32_t i = 0; i < model.n_items; i++)
        for (uint32_t d = 0; d < model.dim; d++)
            *(i % 2 == 0 ? &even : &odd) +=
                (double)x[d] * (double)model.item_factors[(size_t)i * model.row_stride + d];
    assert_true(even > 10 * fabs(odd));
    free(scratch);
    vt_ials_model_free(&model);
    vt_sparse_free(&matrix);
}

/* Three tastes of 20 items; a third of the users have taste 0, a third 0 and 1, so that these two
 * are near each other, a third 2. With `disliking`, those of taste 0 alone say no to half of the
 * items of 1. */
static struct vt_sparse make_tastes(bool disliking)
{
    static struct vt_interaction list[USERS * ITEMS];
    uint64_t n = 0, state = 9;
    for (uint32_t user = 0; user < USERS; user++)
        for (uint32_t item = 0; item < ITEMS; item++) {
            uint32_t taste = item / 20;
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
            bool likes = user % 3 == 1 ? taste < 2 : taste == user % 3;
            bool says_no = user % 3 == 0 && taste == 1 && item % 2 == 0;
            if (likes && (state >> 60) < 6)
                list[n++] =
                    (struct vt_interaction){.user = user, .item = item, .type = VT_EVENT_LIKE};
            else if (disliking && says_no)
                list[n++] =
                    (struct vt_interaction){.user = user, .item = item, .type = VT_EVENT_DISLIKE};
        }
    struct vt_dataset_options options;
    struct vt_dataset dataset;
    vt_dataset_options_default(&options);
    assert_ok(vt_dataset_build(list, n, &options, NULL, &dataset));
    assert_int_equal(dataset.matrix.n_rows, USERS);
    assert_int_equal(dataset.matrix.n_cols, ITEMS);
    free(dataset.user_ids);
    free(dataset.item_ids);
    return dataset.matrix;
}

/* Mean of x·y over the items [first, last] in steps of 2. */
static double mean_score(const struct vt_ials_model *model, const float *vector, uint32_t first,
                         uint32_t last)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t item = first; item <= last; item += 2, n++)
        for (uint32_t d = 0; d < model->dim; d++)
            sum += (double)(vector[d] * model->item_factors[item * model->row_stride + d]);
    return sum / n;
}

static void fold(const struct vt_ials_model *model, const uint32_t *rows, const float *weights,
                 uint32_t n, float *ret_vector)
{
    struct vt_fold_in_model fold_in = vt_ials_fold_in_model(model);
    void *scratch = malloc(vt_fold_in_scratch_bytes(model->dim));
    assert_ok(vt_fold_in(&fold_in, rows, weights, n, scratch, ret_vector));
    free(scratch);
}

/* As in a shop, where a customer knows one item in a thousand: what was said counts far more than
 * what was not. Few factors, so that tastes share them. */
static struct vt_ials_options sparse_options(void)
{
    struct vt_ials_options options = small_options();
    options.factors = 3;
    options.unobserved_weight = 0.02;
    return options;
}

static void one_dislike_pushes_its_neighbours_down_and_leaves_the_rest(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_tastes(false);
    struct vt_ials_options options = sparse_options();
    struct vt_ials_model model = train(&matrix, &options);
    const uint32_t rows[] = {0, 4, 20, 24};
    const float weights[] = {1, 1, 1, -1};
    float before[8], after[8];
    fold(&model, rows, weights, 3, before);
    fold(&model, rows, weights, 4, after);
    double fall = mean_score(&model, before, 21, 39) - mean_score(&model, after, 21, 39);
    double cost = mean_score(&model, before, 1, 19) - mean_score(&model, after, 1, 19);
    assert_true(fall > 0.2 * mean_score(&model, before, 21, 39));
    assert_true(fall > 2 * cost);
    assert_true(mean_score(&model, after, 1, 19) > 0.5 * mean_score(&model, before, 1, 19));
    vt_ials_model_free(&model);
    vt_sparse_free(&matrix);
}

/* What others of the taste dislike falls, and so does what is alike to it and nobody judged. */
static void dislikes_in_training_push_alike_items_down(void **state)
{
    (void)state;
    const uint32_t rows[] = {0, 4};
    const float weights[] = {1, 1};
    double judged[2], alike[2];
    for (unsigned disliking = 0; disliking < 2; disliking++) {
        struct vt_sparse matrix = make_tastes(disliking == 1);
        struct vt_ials_options options = sparse_options();
        struct vt_ials_model model = train(&matrix, &options);
        float vector[8];
        fold(&model, rows, weights, 2, vector);
        double liked = mean_score(&model, vector, 1, 19);
        judged[disliking] = mean_score(&model, vector, 20, 38) / liked;
        alike[disliking] = mean_score(&model, vector, 21, 39) / liked;
        vt_ials_model_free(&model);
        vt_sparse_free(&matrix);
    }
    assert_true(judged[1] < 0.5 * judged[0]);
    assert_true(alike[1] < 0.95 * alike[0]);
}

static void loss_never_rises_with_dislikes(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_tastes(true);
    struct vt_ials_options options = small_options();
    struct vt_ials_model model;
    double last = INFINITY;
    options.progress = loss_falls;
    options.progress_ctx = &last;
    assert_ok(vt_ials_train(&matrix, &options, NULL, &model));
    vt_ials_model_free(&model);
    vt_sparse_free(&matrix);
}

static void dislikes_alone_fold_into_zero(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    struct vt_ials_model model = train(&matrix, &options);
    const uint32_t row = 3;
    const float weight = -1;
    float vector[8] = {1, 1, 1, 1, 1, 1, 1};
    fold(&model, &row, &weight, 1, vector);
    for (uint32_t d = 0; d < model.dim; d++)
        assert_float_equal(vector[d], 0, 0);
    vt_ials_model_free(&model);
    vt_sparse_free(&matrix);
}

static void fold_in_of_no_usable_event_is_zero(void **state)
{
    (void)state;
    const float factors[2] = {1, 2};
    const double gram[1] = {1};
    struct vt_fold_in_model model = {
        .item_factors = factors, .gram = gram, .n_items = 2, .dim = 1, .row_stride = 1};
    double scratch[64];
    float x = 7;
    assert_true(vt_fold_in_scratch_bytes(1) <= sizeof scratch);
    assert_ok(
        vt_fold_in(&model, (const uint32_t[]){0, 1}, (const float[]){-1, NAN}, 2, scratch, &x));
    assert_float_equal(x, 0, 0);
}

static void fold_in_refuses_a_model_that_is_not_finite(void **state)
{
    (void)state;
    const float factors[1] = {1};
    const double gram[1] = {NAN};
    struct vt_fold_in_model model = {
        .item_factors = factors, .gram = gram, .n_items = 1, .dim = 1, .row_stride = 1};
    double scratch[64];
    float x;
    assert_code(vt_fold_in(&model, &(uint32_t){0}, &(float){1}, 1, scratch, &x), VT_CORRUPT);
}

static void options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    struct vt_ials_model model;
    struct vt_diag diag = {0};
    options.factors = VT_FACTORS_MAX + 1;
    assert_code(vt_ials_train(&matrix, &options, &diag, &model), VT_INVALID);
    assert_string_equal(diag.field, "factors");
    options = small_options();
    options.regularization = NAN;
    assert_code(vt_ials_train(&matrix, &options, &diag, &model), VT_INVALID);
    assert_string_equal(diag.field, "regularization");
    vt_sparse_free(&matrix);
}

static void more_factors_than_items_still_trains(void **state)
{
    (void)state;
    struct vt_sparse matrix = make_matrix();
    struct vt_ials_options options = small_options();
    options.factors = 2 * ITEMS;
    struct vt_ials_model model = train(&matrix, &options);
    assert_true(isfinite(model.loss));
    vt_ials_model_free(&model);
    vt_sparse_free(&matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_never_rises),
        cmocka_unit_test(any_thread_count_gives_the_same_bytes),
        cmocka_unit_test(going_on_from_a_checkpoint_gives_the_bytes_of_one_run),
        cmocka_unit_test(another_seed_gives_other_bytes),
        cmocka_unit_test(fold_in_of_a_training_row_is_its_trained_vector),
        cmocka_unit_test(fold_in_is_where_the_gradient_vanishes),
        cmocka_unit_test(fold_in_finds_the_taste_of_one_event),
        cmocka_unit_test(fold_in_of_no_usable_event_is_zero),
        cmocka_unit_test(one_dislike_pushes_its_neighbours_down_and_leaves_the_rest),
        cmocka_unit_test(dislikes_in_training_push_alike_items_down),
        cmocka_unit_test(loss_never_rises_with_dislikes),
        cmocka_unit_test(dislikes_alone_fold_into_zero),
        cmocka_unit_test(fold_in_refuses_a_model_that_is_not_finite),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
        cmocka_unit_test(more_factors_than_items_still_trains),
    };
    return cmocka_run_group_tests_name("factor/ials", tests, NULL, NULL);
}
