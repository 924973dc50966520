#include "models/graph/graph.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 70, ITEMS = 37, LONELY = 5 }; /* not a multiple of the rows that are made at once */

static uint64_t starts[USERS + 1];
static uint32_t columns[USERS * ITEMS];
static float values[USERS * ITEMS];
static struct vt_sparse matrix = {USERS, ITEMS, 0, starts, columns, values};

/* Two tastes, confidences of 1 to 3; one item has no events. */
static void fill(bool with_dislikes)
{
    uint64_t state = 3;
    matrix.n_entries = 0;
    for (uint32_t user = 0; user < USERS; user++) {
        for (uint32_t item = 0; item < ITEMS; item++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
            uint32_t draw = (uint32_t)(state >> 60);
            if (item == LONELY || draw >= (item % 2 == user % 2 ? 7U : 1U))
                continue;
            columns[matrix.n_entries] = item;
            values[matrix.n_entries++] =
                with_dislikes && draw == 3 ? -1.0F : 1.0F + (float)(draw % 3);
        }
        starts[user + 1] = matrix.n_entries;
    }
}

static struct vt_graph_options small_options(void)
{
    struct vt_graph_options options;
    vt_graph_options_default(&options);
    options.vectors = 4;
    options.svd_iterations = 60;
    options.low_pass = 0.5;
    options.sharpening = 0.7;
    options.sharpenings = 2;
    options.user_exponent = 0.4;
    options.item_exponent = 0.6;
    options.popularity_exponent = 0.3;
    options.neighbors = ITEMS;
    options.threads = 1;
    return options;
}

/* ---- the definition, dense and in long double ---- */

typedef long double square[ITEMS][ITEMS];

static long double dense[USERS][ITEMS], user_degrees[USERS], item_degrees[ITEMS];

static void fill_dense(const struct vt_graph_options *options)
{
    memset(dense, 0, sizeof dense);
    memset(user_degrees, 0, sizeof user_degrees);
    memset(item_degrees, 0, sizeof item_degrees);
    for (uint32_t user = 0; user < USERS; user++)
        for (uint64_t e = starts[user]; e < starts[user + 1]; e++)
            if (values[e] > 0) {
                dense[user][columns[e]] = (long double)values[e];
                user_degrees[user] += (long double)values[e];
                item_degrees[columns[e]] += (long double)values[e];
            }
    for (uint32_t user = 0; user < USERS; user++)
        for (uint32_t item = 0; item < ITEMS; item++)
            if (dense[user][item] > 0)
                dense[user][item] *=
                    powl(user_degrees[user], -(long double)options->user_exponent) *
                    powl(item_degrees[item], -(long double)options->item_exponent);
}

/* The largest eigenvalue of `a` and its vector, by plain power iteration. */
static long double leading(square a, uint32_t start, long double *ret_vector)
{
    long double norm = 0, next[ITEMS];
    for (uint32_t i = 0; i < ITEMS; i++)
        ret_vector[i] = 1 + (long double)((i * 7 + start) % 11);
    for (int round = 0; round < 3000; round++) {
        norm = 0;
        for (uint32_t i = 0; i < ITEMS; i++) {
            next[i] = 0;
            for (uint32_t j = 0; j < ITEMS; j++)
                next[i] += a[i][j] * ret_vector[j];
            norm += next[i] * next[i];
        }
        norm = sqrtl(norm);
        for (uint32_t i = 0; i < ITEMS; i++)
            ret_vector[i] = next[i] / norm;
    }
    return norm;
}

static void dense_low_pass(const struct vt_graph_options *options, square p, square ret)
{
    static square left;
    long double vector[ITEMS];
    memcpy(left, p, sizeof left);
    memset(ret, 0, sizeof(square));
    for (uint32_t k = 0; k < options->vectors; k++) {
        long double value = leading(left, k, vector);
        for (uint32_t i = 0; i < ITEMS; i++)
            for (uint32_t j = 0; j < ITEMS; j++) {
                left[i][j] -= value * vector[i] * vector[j];
                if (item_degrees[i] > 0 && item_degrees[j] > 0)
                    ret[i][j] += vector[i] * vector[j] *
                                 powl(item_degrees[j] / item_degrees[i],
                                      (long double)options->item_exponent);
            }
    }
}

static void multiply(square a, square b, square ret)
{
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t j = 0; j < ITEMS; j++) {
            ret[i][j] = 0;
            for (uint32_t k = 0; k < ITEMS; k++)
                ret[i][j] += a[i][k] * b[k][j];
        }
}

static void scale_columns(const struct vt_graph_options *options, square kernel)
{
    long double sum = 0, n_wanted = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        sum += item_degrees[i];
        n_wanted += item_degrees[i] > 0;
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t j = 0; j < ITEMS; j++)
            kernel[i][j] *= item_degrees[j] > 0 ? powl(item_degrees[j] * n_wanted / sum,
                                                       -(long double)options->popularity_exponent)
                                                : 0;
}

static void dense_kernel(const struct vt_graph_options *options, square ret)
{
    static square p, low_pass, step, product;
    fill_dense(options);
    memset(p, 0, sizeof p);
    for (uint32_t user = 0; user < USERS; user++)
        for (uint32_t i = 0; i < ITEMS; i++)
            for (uint32_t j = 0; j < ITEMS; j++)
                p[i][j] += dense[user][i] * dense[user][j];
    dense_low_pass(options, p, low_pass);
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t j = 0; j < ITEMS; j++) {
            ret[i][j] = p[i][j] + (long double)options->low_pass * low_pass[i][j];
            step[i][j] = (i == j) - (long double)options->sharpening * p[i][j];
        }
    for (uint32_t s = 0; s < options->sharpenings; s++) {
        multiply(ret, step, product);
        memcpy(ret, product, sizeof product);
    }
    scale_columns(options, ret);
}

static float entry(const struct vt_item_kernel *kernel, uint32_t row, uint32_t column)
{
    for (uint64_t e = kernel->starts[row]; e < kernel->starts[row + 1]; e++)
        if (kernel->columns[e] == column)
            return kernel->values[e];
    return 0;
}

static void assert_kernel_is_the_definition(const struct vt_graph_options *options)
{
    static square expected;
    struct vt_item_kernel kernel;
    assert_ok(vt_graph_train(&matrix, options, NULL, &kernel));
    dense_kernel(options, expected);
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t j = 0; j < ITEMS; j++)
            if (i != j)
                assert_true(fabsl((long double)entry(&kernel, i, j) - expected[i][j]) < 2e-5L);
    vt_item_kernel_free(&kernel);
}

static void kernel_is_the_definition(void **state)
{
    (void)state;
    struct vt_graph_options options = small_options();
    fill(false);
    assert_kernel_is_the_definition(&options);
    options.sharpenings = 0;
    assert_kernel_is_the_definition(&options);
    options.vectors = 0;
    assert_kernel_is_the_definition(&options);
}

static void dislikes_take_no_part(void **state)
{
    (void)state;
    struct vt_graph_options options = small_options();
    fill(true);
    assert_kernel_is_the_definition(&options);
}

static void rows_are_cut_to_the_largest_entries(void **state)
{
    (void)state;
    struct vt_graph_options options = small_options();
    struct vt_item_kernel whole, cut;
    fill(false);
    assert_ok(vt_graph_train(&matrix, &options, NULL, &whole));
    options.neighbors = 5;
    assert_ok(vt_graph_train(&matrix, &options, NULL, &cut));
    for (uint32_t row = 0; row < ITEMS; row++) {
        float smallest = INFINITY;
        uint32_t n_larger = 0;
        assert_int_equal(cut.starts[row + 1] - cut.starts[row], row == LONELY ? 0 : 5);
        for (uint64_t e = cut.starts[row]; e < cut.starts[row + 1]; e++) {
            smallest = fminf(smallest, fabsf(cut.values[e]));
            assert_true(e == cut.starts[row] || cut.values[e] <= cut.values[e - 1]);
        }
        for (uint64_t e = whole.starts[row]; e < whole.starts[row + 1]; e++)
            n_larger += fabsf(whole.values[e]) > smallest;
        assert_true(row == LONELY || n_larger == 4);
    }
    vt_item_kernel_free(&whole);
    vt_item_kernel_free(&cut);
}

static void any_thread_count_gives_the_same_bytes(void **state)
{
    (void)state;
    struct vt_graph_options options = small_options();
    struct vt_item_kernel one, more;
    fill(true);
    assert_ok(vt_graph_train(&matrix, &options, NULL, &one));
    for (options.threads = 2; options.threads <= 5; options.threads++) {
        assert_ok(vt_graph_train(&matrix, &options, NULL, &more));
        assert_memory_equal(one.starts, more.starts, sizeof starts[0] * (ITEMS + 1));
        assert_memory_equal(one.columns, more.columns, one.starts[ITEMS] * sizeof *one.columns);
        assert_memory_equal(one.values, more.values, one.starts[ITEMS] * sizeof *one.values);
        vt_item_kernel_free(&more);
    }
    vt_item_kernel_free(&one);
}

static bool stop_at_once(void *ctx, uint32_t done, uint32_t total)
{
    (void)ctx;
    assert_true(done <= total);
    return false;
}

static void bad_options_and_matrices_are_refused(void **state)
{
    (void)state;
    struct vt_graph_options options = small_options();
    struct vt_item_kernel kernel;
    struct vt_diag diag = {0};
    fill(false);
    options.low_pass = (double)NAN;
    assert_code(vt_graph_train(&matrix, &options, &diag, &kernel), VT_INVALID);
    assert_non_null(strstr(diag.text, "low_pass"));
    options = small_options();
    options.neighbors = 0;
    assert_code(vt_graph_train(&matrix, &options, &diag, &kernel), VT_INVALID);
    options = small_options();
    options.progress = stop_at_once;
    assert_code(vt_graph_train(&matrix, &options, &diag, &kernel), VT_CANCELLED);
    for (uint64_t e = 0; e < matrix.n_entries; e++)
        values[e] = -1;
    assert_code(vt_graph_train(&matrix, &options, &diag, &kernel), VT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_is_the_definition),
        cmocka_unit_test(dislikes_take_no_part),
        cmocka_unit_test(rows_are_cut_to_the_largest_entries),
        cmocka_unit_test(any_thread_count_gives_the_same_bytes),
        cmocka_unit_test(bad_options_and_matrices_are_refused),
    };
    return cmocka_run_group_tests_name("graph/graph", tests, NULL, NULL);
}
