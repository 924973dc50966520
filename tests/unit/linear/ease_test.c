/* EASE against a direct inverse in long double, in both forms, at the edges of its input. */
#include "models/linear/ease.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DENSE_MAX = 64, USERS_MAX = 300 };

/* A seeded sparse matrix; about one value in eight is a dislike. */
static struct vt_sparse random_matrix(uint32_t n_users, uint32_t n_items, double density,
                                      uint64_t seed)
{
    struct vt_sparse matrix = {.n_rows = n_users, .n_cols = n_items};
    matrix.starts = calloc(n_users + 1, sizeof *matrix.starts);
    matrix.columns = calloc((size_t)n_users * n_items, sizeof *matrix.columns);
    matrix.values = calloc((size_t)n_users * n_items, sizeof *matrix.values);
    for (uint32_t user = 0; user < n_users; user++) {
        for (uint32_t item = 0; item < n_items; item++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            double uniform = (double)(seed >> 40) / (double)(1 << 24);
            if (uniform >= density)
                continue;
            matrix.columns[matrix.n_entries] = item;
            matrix.values[matrix.n_entries++] = seed >> 20 & 7 ? 1 + (float)(seed >> 30 & 3) : -1;
        }
        matrix.starts[user + 1] = matrix.n_entries;
    }
    return matrix;
}

static long double value_at(const struct vt_sparse *matrix, uint32_t user, uint32_t item)
{
    for (uint64_t e = matrix->starts[user]; e < matrix->starts[user + 1]; e++)
        if (matrix->columns[e] == item)
            return (long double)matrix->values[e];
    return 0;
}

/* a ← a⁻¹ by Gauss-Jordan with row pivots. */
static void invert_plainly(uint32_t n, long double a[DENSE_MAX][2 * DENSE_MAX])
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            a[i][n + j] = i == j;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t pivot = k;
        for (uint32_t i = k; i < n; i++)
            pivot = fabsl(a[i][k]) > fabsl(a[pivot][k]) ? i : pivot;
        for (uint32_t j = 0; j < 2 * n; j++) {
            long double kept = a[k][j];
            a[k][j] = a[pivot][j];
            a[pivot][j] = kept;
        }
        for (uint32_t j = 2 * n; j-- > k;)
            a[k][j] /= a[k][k];
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 2 * n; i != k && j-- > k;)
                a[i][j] -= a[i][k] * a[k][j];
    }
}

/* B of the header's formulas, straight from them. */
static void ease_plainly(const struct vt_sparse *matrix, const struct vt_ease_options *options,
                         long double ret_b[DENSE_MAX][DENSE_MAX])
{
    static long double a[DENSE_MAX][2 * DENSE_MAX];
    long double weights[USERS_MAX], popularity[DENSE_MAX] = {0}, before = 0, after = 0;
    uint32_t n = matrix->n_cols;
    memset(a, 0, sizeof a);
    for (uint32_t u = 0; u < matrix->n_rows; u++) {
        long double squares = 0;
        for (uint32_t i = 0; i < n; i++) {
            squares += powl(value_at(matrix, u, i), 2);
            popularity[i] += powl(value_at(matrix, u, i), 2);
        }
        weights[u] = squares > 0 ? powl(squares, -(long double)options->user_exponent) : 0;
        before += squares;
        after += weights[u] * squares;
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            for (uint32_t u = 0; u < matrix->n_rows; u++)
                a[i][j] +=
                    weights[u] * before / after * value_at(matrix, u, i) * value_at(matrix, u, j);
    for (uint32_t i = 0; i < n; i++)
        a[i][i] += (long double)options->regularization +
                   (long double)(options->dropout / (1 - options->dropout)) * a[i][i];
    invert_plainly(n, a);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            ret_b[i][j] = i == j || !(popularity[j] > 0)
                              ? 0
                              : -a[i][n + j] / a[j][n + j] *
                                    powl(popularity[j] / before * n,
                                         -(long double)options->popularity_exponent);
}

static const struct vt_ease_options whole = {.regularization = 2,
                                             .dropout = 0.3,
                                             .user_exponent = 0.5,
                                             .popularity_exponent = 0.25,
                                             .support = VT_EASE_SUPPORT_MAX,
                                             .neighbors = VT_EASE_NEIGHBORS_MAX,
                                             .threads = 2};

static void assert_equals_direct_inverse(enum vt_ease_form form, uint32_t n_users, uint32_t n_items,
                                         uint64_t seed)
{
    static long double expected[DENSE_MAX][DENSE_MAX];
    struct vt_sparse matrix = random_matrix(n_users, n_items, 0.3, seed);
    struct vt_item_kernel kernel;
    struct vt_ease_options options = whole;
    options.form = form;
    ease_plainly(&matrix, &options, expected);
    assert_ok(vt_ease_train(&matrix, &options, NULL, &kernel));
    for (uint32_t i = 0; i < n_items; i++)
        for (uint64_t e = kernel.starts[i]; e < kernel.starts[i + 1]; e++) {
            uint32_t j = kernel.columns[e];
            assert_true(j != i);
            assert_true(fabsl((long double)kernel.values[e] - expected[i][j]) < 1e-5L);
            expected[i][j] = 0;
        }
    for (uint32_t i = 0; i < n_items; i++) /* nothing was left out */
        for (uint32_t j = 0; j < n_items; j++)
            assert_true(fabsl(expected[i][j]) < 1e-5L);
    vt_item_kernel_free(&kernel);
    vt_sparse_free(&matrix);
}

static void ease_through_items_equals_a_direct_inverse(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        assert_equals_direct_inverse(VT_EASE_ITEMS, 50, 10 + 9 * (uint32_t)seed, seed);
}

/* Where every pair of items has a user, nothing is left out of a support that is large enough. */
static void columns_fitted_on_everything_equal_a_direct_inverse(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        assert_equals_direct_inverse(VT_EASE_NEAR, 300, 12 + 7 * (uint32_t)seed, seed);
}

/* Fitted by hand: item 2 goes with item 1 most, so b = G_12 / (G_11 + ridge). */
static void a_support_of_one_is_a_regression_on_the_nearest(void **state)
{
    (void)state;
    uint64_t starts[] = {0, 2, 4, 5, 7};
    const struct vt_sparse matrix = {
        4, 3, 7, starts, (uint32_t[]){1, 2, 1, 2, 0, 0, 2}, (float[]){1, 1, 1, 1, 1, 1, 1}};
    struct vt_ease_options options = {
        .regularization = 2, .neighbors = 3, .support = 1, .form = VT_EASE_NEAR};
    struct vt_item_kernel kernel;
    double scores[3];
    assert_ok(vt_ease_train(&matrix, &options, NULL, &kernel));
    vt_item_kernel_score(&kernel, (uint32_t[]){1}, (float[]){1}, 1, scores);
    assert_true(fabs(scores[2] - 2.0 / 4) < 1e-6);
    vt_item_kernel_score(&kernel, (uint32_t[]){0}, (float[]){1}, 1, scores);
    assert_true(!(scores[2] > 0));
    vt_item_kernel_free(&kernel);
}

static void dense_data_are_inverted_and_sparse_data_fitted(void **state)
{
    (void)state;
    struct vt_ease_options options;
    vt_ease_options_default(&options);
    assert_int_equal(vt_ease_plan(6000, 3000, 800000, &options).form, VT_EASE_ITEMS);
    assert_int_equal(vt_ease_plan(6000, 3000, 80000, &options).form, VT_EASE_NEAR);
}

static void assert_same_kernels(const struct vt_item_kernel *a, const struct vt_item_kernel *b)
{
    uint64_t n = a->starts[a->n_items];
    assert_memory_equal(a->starts, b->starts, (a->n_items + 1) * sizeof *a->starts);
    assert_memory_equal(a->columns, b->columns, n * sizeof *a->columns);
    assert_memory_equal(a->values, b->values, n * sizeof *a->values);
}

static void any_thread_count_gives_the_same_bytes(void **state)
{
    (void)state;
    static const enum vt_ease_form forms[] = {VT_EASE_ITEMS, VT_EASE_NEAR};
    static const uint32_t thread_counts[] = {2, 3, 5};
    struct vt_sparse matrix = random_matrix(600, 700, 0.02, 5);
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        struct vt_ease_options options = whole;
        struct vt_item_kernel one, many;
        options.form = forms[f];
        options.neighbors = 40;
        options.support = 50;
        options.threads = 1;
        assert_ok(vt_ease_train(&matrix, &options, NULL, &one));
        for (size_t t = 0; t < 3; t++) {
            options.threads = thread_counts[t];
            assert_ok(vt_ease_train(&matrix, &options, NULL, &many));
            assert_same_kernels(&one, &many);
            vt_item_kernel_free(&many);
        }
        vt_item_kernel_free(&one);
    }
    vt_sparse_free(&matrix);
}

/* Users 0 … 3 of two items that always go together, and one item that nobody has. */
static uint64_t twin_starts[] = {0, 2, 4, 6, 6};
static uint32_t twin_columns[] = {0, 1, 0, 1, 0, 1};
static float twin_values[] = {1, 1, 1, 1, 1, 1};
static const struct vt_sparse twins = {4, 3, 6, twin_starts, twin_columns, twin_values};

static void a_singular_matrix_is_refused_with_the_item(void **state)
{
    (void)state;
    struct vt_item_kernel kernel;
    struct vt_diag diag = {0};
    struct vt_ease_options options = {.regularization = 1e-9, .neighbors = 5, .support = 5};
    assert_code(vt_ease_train(&twins, &options, &diag, &kernel), VT_INVALID);
    assert_non_null(strstr(diag.text, "raise it"));
}

static void items_without_events_have_no_row_and_no_column(void **state)
{
    (void)state;
    struct vt_item_kernel kernel;
    assert_ok(vt_ease_train(&twins, &whole, NULL, &kernel));
    assert_int_equal(kernel.starts[1], 1);
    assert_int_equal(kernel.columns[0], 1);
    assert_int_equal(kernel.starts[3], 2);
    vt_item_kernel_free(&kernel);
}

static void one_user_and_one_item_are_enough(void **state)
{
    (void)state;
    uint64_t starts[] = {0, 1};
    const struct vt_sparse one = {1, 1, 1, starts, (uint32_t[]){0}, (float[]){1}};
    struct vt_item_kernel kernel;
    struct vt_ease_options options;
    vt_ease_options_default(&options);
    assert_ok(vt_ease_train(&one, &options, NULL, &kernel));
    assert_int_equal(kernel.starts[1], 0);
    vt_item_kernel_free(&kernel);
}

static void no_interactions_are_refused(void **state)
{
    (void)state;
    uint64_t starts[] = {0, 0};
    const struct vt_sparse none = {1, 1, 0, starts, (uint32_t[]){0}, (float[]){0}};
    struct vt_item_kernel kernel;
    assert_code(vt_ease_train(&none, &whole, NULL, &kernel), VT_INVALID);
}

static void options_out_of_range_are_named(void **state)
{
    (void)state;
    const struct {
        struct vt_ease_options options;
        const char *names;
    } cases[] = {
        {{.neighbors = 0}, "neighbors"},
        {{.neighbors = VT_EASE_NEIGHBORS_MAX + 1}, "neighbors"},
        {{.neighbors = 1, .support = 0}, "support"},
        {{.neighbors = 1, .support = VT_EASE_SUPPORT_MAX + 1}, "support"},
        {{.neighbors = 1, .support = 1, .regularization = -1}, "regularization"},
        {{.neighbors = 1, .support = 1, .regularization = NAN}, "regularization"},
        {{.neighbors = 1, .support = 1, .dropout = 1}, "dropout"},
        {{.neighbors = 1, .support = 1, .user_exponent = 3}, "user_exponent"},
        {{.neighbors = 1, .support = 1, .popularity_exponent = NAN}, "popularity_exponent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_item_kernel kernel;
        struct vt_diag diag = {0};
        assert_code(vt_ease_train(&twins, &cases[i].options, &diag, &kernel), VT_INVALID);
        assert_non_null(strstr(diag.text, cases[i].names));
    }
}

static void a_budget_too_small_is_refused_with_both_numbers(void **state)
{
    (void)state;
    struct vt_item_kernel kernel;
    struct vt_diag diag = {0};
    struct vt_ease_options options = whole;
    options.memory_bytes = 1 << 8;
    assert_code(vt_ease_train(&twins, &options, &diag, &kernel), VT_EXHAUSTED);
    assert_non_null(strstr(diag.text, "MiB"));
}

static void what_no_inverse_fits_is_fitted_on_the_nearest(void **state)
{
    (void)state;
    struct vt_ease_options options;
    vt_ease_options_default(&options);
    struct vt_ease_plan plan = vt_ease_plan(45000, 41000, 800000, &options);
    assert_int_equal(plan.form, VT_EASE_NEAR);
    assert_true(plan.fits);
    struct vt_sparse matrix = random_matrix(300, 300, 0.1, 4);
    struct vt_item_kernel kernel;
    options = whole;
    options.neighbors = options.support = 20;
    options.threads = 1;
    options.memory_bytes = 1 << 20; /* an inverse of 300 × 300 takes more, by its tiles */
    assert_ok(vt_ease_train(&matrix, &options, NULL, &kernel));
    assert_int_equal(vt_ease_plan(300, 300, matrix.n_entries, &options).form, VT_EASE_NEAR);
    vt_item_kernel_free(&kernel);
    vt_sparse_free(&matrix);
}

static bool end_at_once(void *ctx, uint32_t done, uint32_t total)
{
    *(uint32_t *)ctx = done;
    (void)total;
    return false;
}

static void the_caller_ends_training(void **state)
{
    (void)state;
    uint32_t done = 0;
    struct vt_item_kernel kernel;
    struct vt_ease_options options = whole;
    options.progress = end_at_once;
    options.progress_ctx = &done;
    assert_code(vt_ease_train(&twins, &options, NULL, &kernel), VT_CANCELLED);
    assert_int_equal(done, 1);
}

static void the_default_ridge_grows_with_the_history_of_a_user(void **state)
{
    (void)state;
    struct vt_sparse light = random_matrix(40, 60, 0.1, 3), heavy = random_matrix(40, 60, 0.4, 3);
    assert_true(vt_ease_regularization(&light, &whole) > 0);
    assert_true(vt_ease_regularization(&heavy, &whole) >
                2 * vt_ease_regularization(&light, &whole));
    vt_sparse_free(&light);
    vt_sparse_free(&heavy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ease_through_items_equals_a_direct_inverse),
        cmocka_unit_test(columns_fitted_on_everything_equal_a_direct_inverse),
        cmocka_unit_test(a_support_of_one_is_a_regression_on_the_nearest),
        cmocka_unit_test(dense_data_are_inverted_and_sparse_data_fitted),
        cmocka_unit_test(any_thread_count_gives_the_same_bytes),
        cmocka_unit_test(a_singular_matrix_is_refused_with_the_item),
        cmocka_unit_test(items_without_events_have_no_row_and_no_column),
        cmocka_unit_test(one_user_and_one_item_are_enough),
        cmocka_unit_test(no_interactions_are_refused),
        cmocka_unit_test(options_out_of_range_are_named),
        cmocka_unit_test(a_budget_too_small_is_refused_with_both_numbers),
        cmocka_unit_test(what_no_inverse_fits_is_fitted_on_the_nearest),
        cmocka_unit_test(the_caller_ends_training),
        cmocka_unit_test(the_default_ridge_grows_with_the_history_of_a_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
