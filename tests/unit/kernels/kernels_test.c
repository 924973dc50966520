#include "models/kernels/kernels.h"
#include "models/kernels/parallel.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM_MAX = 130, ROWS = 37 };

static float random_float(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (float)((double)(*state >> 40) / 8388608.0 - 1.0);
}

static void fill(float *values, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        values[i] = random_float(&seed);
}

static void score_has_the_same_bits_in_every_variant(void **state)
{
    (void)state;
    const struct vt_kernels *avx2 = vt_kernels_find("blas-avx2");
    if (avx2 == NULL)
        skip();
    const struct vt_kernels *ref = vt_kernels_find("ref");
    float a[DIM_MAX], b[DIM_MAX];
    for (uint32_t dim = 0; dim <= DIM_MAX; dim++) {
        fill(a, dim, dim + 1);
        fill(b, dim, dim + 1000);
        double expected = ref->dot(a, b, dim), got = avx2->dot(a, b, dim);
        assert_memory_equal(&expected, &got, sizeof got);
    }
}

static void score_of_special_values_agrees(void **state)
{
    (void)state;
    const float specials[] = {0.0F, -0.0F, 1e-45F, -1e38F, 3e38F, INFINITY};
    const struct vt_kernels *ref = vt_kernels_find("ref"), *best = vt_kernels();
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 6; j++) {
            float a[3] = {specials[i], specials[j], -1}, b[3] = {specials[j], specials[i], 2};
            double expected = ref->dot(a, b, 3), got = best->dot(a, b, 3);
            if (isnan(expected))
                assert_true(isnan(got));
            else
                assert_memory_equal(&expected, &got, sizeof got);
        }
    assert_true(isnan(best->dot((const float[]){NAN}, (const float[]){1}, 1)));
}

static void score_sums_lanes_in_the_documented_order(void **state)
{
    (void)state;
    /* Lanes 0 and 4 meet first: 2^60 - 2^60 + 1, where left-to-right would lose the 1. */
    float a[8] = {0x1p60F, 1, 0, 0, -0x1p60F, 0, 0, 0}, b[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    assert_true(vt_score_dot(a, b, 8) > 0.5);
}

static void gram_matches_ref_in_the_lower_triangle_and_leaves_the_upper(void **state)
{
    (void)state;
    enum { DIM = 19 };
    float rows[ROWS * DIM], expected[DIM * DIM], got[DIM * DIM];
    fill(rows, ROWS * DIM, 7);
    fill(expected, DIM * DIM, 8);
    memcpy(got, expected, sizeof got);
    vt_kernels_find("ref")->gram_add_f32(rows, ROWS, DIM, expected);
    vt_kernels()->gram_add_f32(rows, ROWS, DIM, got);
    for (size_t i = 0; i < DIM * DIM; i++)
        assert_true(fabsf(expected[i] - got[i]) < 1e-4F);
}

static void solve_leaves_a_small_residual(void **state)
{
    (void)state;
    enum { DIM = 33 };
    static const char *const names[] = {"ref", "blas"};
    float rows[2 * DIM * DIM], matrix[DIM * DIM] = {0}, factored[DIM * DIM], x[DIM];
    fill(rows, sizeof rows / sizeof rows[0], 3);
    vt_kernels_find("ref")->gram_add_f32(rows, 2 * DIM, DIM, matrix);
    for (size_t v = 0; v < 2; v++) {
        memcpy(factored, matrix, sizeof matrix);
        for (size_t d = 0; d < DIM; d++)
            x[d] = (float)d;
        assert_true(vt_kernels_find(names[v])->solve_f32(factored, DIM, x));
        for (size_t i = 0; i < DIM; i++) {
            double sum = 0;
            for (size_t j = 0; j < DIM; j++)
                sum += (double)(j <= i ? matrix[i * DIM + j] : matrix[j * DIM + i]) * (double)x[j];
            assert_true(fabs(sum - (double)i) < 2e-3);
        }
    }
}

static void solve_refuses_what_is_not_positive_definite(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "blas"};
    for (size_t v = 0; v < 2; v++) {
        double indefinite[4] = {1, 0, 2, 1}, rhs[2] = {1, 1};
        assert_false(vt_kernels_find(names[v])->solve_f64(indefinite, 2, rhs));
    }
}

static void matmul_and_matvec_match_ref(void **state)
{
    (void)state;
    enum { DIM = 21, STRIDE = 32, N_A = 5 };
    float a[N_A * STRIDE], b[ROWS * STRIDE], expected[N_A * ROWS], got[N_A * ROWS], row[ROWS];
    fill(a, N_A * STRIDE, 11);
    fill(b, ROWS * STRIDE, 12);
    vt_kernels_find("ref")->matmul_nt_f32(a, N_A, STRIDE, b, ROWS, STRIDE, DIM, expected, ROWS);
    vt_kernels()->matmul_nt_f32(a, N_A, STRIDE, b, ROWS, STRIDE, DIM, got, ROWS);
    vt_kernels()->matvec_f32(b, ROWS, STRIDE, a, DIM, row);
    for (size_t i = 0; i < N_A * ROWS; i++)
        assert_true(fabsf(expected[i] - got[i]) < 1e-4F);
    for (size_t i = 0; i < ROWS; i++)
        assert_true(fabsf(expected[i] - row[i]) < 1e-4F);
}

/* The three products of the same numbers, laid out as each wants them. */
static void transposed_matmuls_match_ref(void **state)
{
    (void)state;
    enum { DIM = 13, N_A = 5, N_B = 9, STRIDE = 16 };
    static const char *const names[] = {"ref", "blas"};
    float a[N_A * STRIDE], b[DIM * STRIDE], a_turned[DIM * STRIDE], b_turned[N_B * STRIDE];
    float expected[N_A * STRIDE], got[N_A * STRIDE];
    fill(a, N_A * STRIDE, 21);
    fill(b, DIM * STRIDE, 22);
    for (size_t r = 0; r < DIM; r++) {
        for (size_t i = 0; i < N_A; i++)
            a_turned[r * STRIDE + i] = a[i * STRIDE + r];
        for (size_t j = 0; j < N_B; j++)
            b_turned[j * STRIDE + r] = b[r * STRIDE + j];
    }
    vt_kernels_find("ref")->matmul_nt_f32(a, N_A, STRIDE, b_turned, N_B, STRIDE, DIM, expected,
                                          STRIDE);
    for (size_t v = 0; v < sizeof names / sizeof names[0]; v++)
        for (int turned = 0; turned < 2; turned++) {
            const struct vt_kernels *kernels = vt_kernels_find(names[v]);
            if (turned)
                kernels->matmul_tn_f32(a_turned, N_A, STRIDE, b, N_B, STRIDE, DIM, got, STRIDE);
            else
                kernels->matmul_nn_f32(a, N_A, STRIDE, b, N_B, STRIDE, DIM, got, STRIDE);
            for (size_t i = 0; i < N_A; i++)
                for (size_t j = 0; j < N_B; j++)
                    assert_true(fabsf(expected[i * STRIDE + j] - got[i * STRIDE + j]) < 1e-4F);
        }
}

static void count_block(void *ctx, uint32_t block, uint32_t thread)
{
    (void)thread;
    ((uint32_t *)ctx)[block]++;
}

static void parallel_runs_each_block_once(void **state)
{
    (void)state;
    uint32_t counts[100];
    for (uint32_t threads = 1; threads <= 5; threads++) {
        memset(counts, 0, sizeof counts);
        vt_parallel(100, threads, count_block, counts);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(counts[i], 1);
    }
}

static void this_machines_openblas_is_accepted(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    assert_ok(vt_kernels_check(&diag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_has_the_same_bits_in_every_variant),
        cmocka_unit_test(score_of_special_values_agrees),
        cmocka_unit_test(score_sums_lanes_in_the_documented_order),
        cmocka_unit_test(gram_matches_ref_in_the_lower_triangle_and_leaves_the_upper),
        cmocka_unit_test(solve_leaves_a_small_residual),
        cmocka_unit_test(solve_refuses_what_is_not_positive_definite),
        cmocka_unit_test(matmul_and_matvec_match_ref),
        cmocka_unit_test(transposed_matmuls_match_ref),
        cmocka_unit_test(parallel_runs_each_block_once),
        cmocka_unit_test(this_machines_openblas_is_accepted),
    };
    return cmocka_run_group_tests_name("kernels/kernels", tests, NULL, NULL);
}
