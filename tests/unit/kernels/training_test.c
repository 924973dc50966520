/* The kernels of training: every variant against the plain one, by residual; those of AVX-512, and
 * the same over SIMDe, against those of AVX2, bit for bit. */
#include "models/kernels/kernels.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM_MAX = 144, ROWS_MAX = 72, STRIDE_MAX = 176 };

/* tests/testlib/CMakeLists.txt: avx512_training.c over SIMDe. */
void vt_simde_gather_f32(const float *factors, uint32_t dim, const uint32_t *columns,
                         const float *weights, uint32_t n, float *ret_rows, float *ret_targets);
double vt_simde_residual_f32(const struct vt_rows_f32 *rows, const float *targets,
                             const float *vector, float *ret_residuals, float *ret_sum);

static const char *const variants[] = {"blas", "blas-avx2", "blas-avx512"};
enum { N_VARIANTS = sizeof variants / sizeof variants[0] };

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

static float storage[ROWS_MAX * STRIDE_MAX];

/* n random rows and zeros behind them, as gather_f32 leaves them. */
static struct vt_rows_f32 random_rows(uint32_t n, uint32_t dim, uint32_t stride)
{
    memset(storage, 0, sizeof storage);
    fill(storage, (size_t)n * stride, 1000 * n + dim);
    return (struct vt_rows_f32){storage, n, dim, stride};
}

static void assert_near(const float *expected, const float *got, size_t n, float within)
{
    for (size_t i = 0; i < n; i++)
        assert_true(fabsf(expected[i] - got[i]) <= within);
}

static void residuals_match_ref(void **state)
{
    (void)state;
    const struct vt_kernels *ref = vt_kernels_find("ref");
    for (size_t v = 0; v < N_VARIANTS; v++) {
        const struct vt_kernels *kernels = vt_kernels_find(variants[v]);
        for (uint32_t n = 0; kernels != NULL && n <= ROWS_MAX; n += 5)
            for (uint32_t dim = 16; dim <= DIM_MAX; dim += 32)
                for (unsigned with = 0; with < 16; with++) {
                    struct vt_rows_f32 rows = random_rows(n, dim, dim + (n % 2) * 16);
                    float targets[ROWS_MAX + 8] = {0}, vector[DIM_MAX], sums[2][DIM_MAX];
                    float residuals[2][ROWS_MAX + 8] = {{0}};
                    fill(targets, n, n);
                    fill(vector, dim, dim);
                    fill(sums[0], dim, 5);
                    memcpy(sums[1], sums[0], sizeof sums[0]);
                    double squares[2];
                    for (int i = 0; i < 2; i++)
                        squares[i] = (i == 0 ? ref : kernels)
                                         ->residual_f32(&rows, with & 1 ? targets : NULL,
                                                        with & 2 ? vector : NULL,
                                                        with & 4 ? residuals[i] : NULL,
                                                        with & 8 ? sums[i] : NULL);
                    assert_true(fabs(squares[0] - squares[1]) <= 1e-5 * (1 + squares[0]));
                    assert_near(residuals[0], residuals[1], n, 1e-4F);
                    assert_near(sums[0], sums[1], dim, 2e-3F);
                }
    }
}

/* What a residual kernel leaves, and what gathering that kernel's rows does. */
struct leavings {
    float residuals[ROWS_MAX + 8], sums[DIM_MAX], rows[ROWS_MAX * DIM_MAX], targets[ROWS_MAX + 8];
    double squares;
};

static void run_kernels(const struct vt_kernels *kernels, uint32_t n, uint32_t dim,
                        struct leavings *ret)
{
    uint32_t columns[ROWS_MAX];
    float weights[ROWS_MAX], vector[DIM_MAX];
    struct vt_rows_f32 rows = random_rows(ROWS_MAX, dim, dim);
    memset(ret, 0, sizeof *ret);
    fill(weights, n, n);
    fill(vector, dim, dim);
    for (uint32_t e = 0; e < n; e++)
        columns[e] = e * 31 % ROWS_MAX;
    kernels->gather_f32(rows.values, dim, columns, weights, n, ret->rows, ret->targets);
    rows = (struct vt_rows_f32){ret->rows, n, dim, dim};
    ret->squares = kernels->residual_f32(&rows, ret->targets, vector, ret->residuals, ret->sums);
}

static void both_widths_leave_the_same_bits(void **state)
{
    (void)state;
    static struct leavings expected, got;
    const struct vt_kernels *avx2 = vt_kernels_find("blas-avx2");
    const struct vt_kernels *avx512 = vt_kernels_find("blas-avx512");
    if (avx2 == NULL)
        skip();
    struct vt_kernels simde = *avx2;
    simde.gather_f32 = vt_simde_gather_f32;
    simde.residual_f32 = vt_simde_residual_f32;
    for (uint32_t dim = 16; dim <= DIM_MAX; dim += 16)
        for (uint32_t n = 0; n <= ROWS_MAX; n++) {
            run_kernels(avx2, n, dim, &expected);
            run_kernels(&simde, n, dim, &got);
            assert_memory_equal(&expected, &got, sizeof got);
            if (avx512 != NULL) {
                run_kernels(avx512, n, dim, &got);
                assert_memory_equal(&expected, &got, sizeof got);
            }
        }
}

static void residuals_may_replace_their_targets(void **state)
{
    (void)state;
    struct vt_rows_f32 rows = random_rows(13, 48, 48);
    float targets[16] = {0}, vector[48], expected[16];
    fill(targets, 13, 1);
    fill(vector, 48, 2);
    vt_kernels()->residual_f32(&rows, targets, vector, expected, NULL);
    vt_kernels()->residual_f32(&rows, targets, vector, targets, NULL);
    assert_memory_equal(expected, targets, 13 * sizeof(float));
}

static void residuals_pass_on_what_is_not_finite(void **state)
{
    (void)state;
    static const float wrong[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct vt_rows_f32 rows = random_rows(9, 16, 16);
        float vector[16], sum[16] = {0};
        fill(vector, 16, 3);
        storage[4 * 16 + 7] = wrong[i];
        double squares = vt_kernels()->residual_f32(&rows, NULL, vector, NULL, sum);
        assert_true(!isfinite(squares) && !isfinite(sum[7]));
    }
}

static void gathered_rows_are_scaled_and_padded(void **state)
{
    (void)state;
    enum { DIM = 32, N = 11, PADDED = 16 };
    float factors[20 * DIM], weights[N];
    uint32_t columns[N];
    fill(factors, 20 * DIM, 1);
    for (uint32_t e = 0; e < N; e++) {
        columns[e] = (e * 7) % 20;
        weights[e] = e % 3 == 0 ? -0.8F : (float)e;
    }
    for (size_t v = 0; v < N_VARIANTS; v++) {
        const struct vt_kernels *kernels = vt_kernels_find(variants[v]);
        float rows[PADDED * DIM], targets[PADDED];
        if (kernels == NULL)
            continue;
        memset(rows, 1, sizeof rows);
        memset(targets, 1, sizeof targets);
        kernels->gather_f32(factors, DIM, columns, weights, N, rows, targets);
        for (uint32_t e = 0; e < PADDED; e++) {
            float root = e < N ? sqrtf(fabsf(weights[e])) : 0;
            float target = e < N && weights[e] > 0 ? root : 0;
            assert_true(fabsf(targets[e] - target) < 1e-6F);
            for (uint32_t d = 0; d < DIM; d++) {
                float row = e < N ? root * factors[columns[e] * DIM + d] : 0;
                assert_true(fabsf(rows[e * DIM + d] - row) < 1e-6F);
            }
        }
    }
}

static void the_gram_matrix_matches_ref_above_the_diagonal(void **state)
{
    (void)state;
    static float expected[DIM_MAX * DIM_MAX], got[DIM_MAX * DIM_MAX];
    for (size_t v = 0; v < N_VARIANTS; v++) {
        const struct vt_kernels *kernels = vt_kernels_find(variants[v]);
        for (uint32_t n = 0; kernels != NULL && n <= 40; n += 13)
            for (uint32_t dim = 16; dim <= DIM_MAX; dim += 16) {
                struct vt_rows_f32 rows = random_rows(n, dim, dim + 16);
                fill(expected, (size_t)dim * dim, n);
                memcpy(got, expected, sizeof got);
                vt_kernels_find("ref")->gram_upper_f32(&rows, expected);
                kernels->gram_upper_f32(&rows, got);
                for (uint32_t i = 0; i < dim; i++)
                    assert_near(expected + (size_t)i * dim + i, got + (size_t)i * dim + i, dim - i,
                                1e-4F);
            }
    }
}

/* A = rowsᵀ·rows + I, both triangles, and its upper one with rubbish below. */
static void make_equations(uint32_t dim, float *symmetric, float *upper)
{
    struct vt_rows_f32 rows = random_rows(ROWS_MAX, dim, dim);
    memset(symmetric, 0, (size_t)dim * dim * sizeof *symmetric);
    vt_kernels_find("ref")->gram_upper_f32(&rows, symmetric);
    for (uint32_t i = 0; i < dim; i++) {
        symmetric[(size_t)i * dim + i] += 1;
        for (uint32_t j = 0; j < i; j++)
            symmetric[(size_t)i * dim + j] = symmetric[(size_t)j * dim + i];
    }
    for (uint32_t i = 0; i < dim; i++)
        for (uint32_t j = 0; j < dim; j++)
            upper[(size_t)i * dim + j] = j >= i ? symmetric[(size_t)i * dim + j] : 1e6F;
}

static double worst_residual(const float *symmetric, uint32_t dim, const float *x)
{
    double worst = 0;
    for (uint32_t i = 0; i < dim; i++) {
        double sum = -(double)i;
        for (uint32_t j = 0; j < dim; j++)
            sum += (double)symmetric[(size_t)i * dim + j] * (double)x[j];
        worst = fabs(sum) > worst ? fabs(sum) : worst;
    }
    return worst;
}

static void solutions_leave_a_small_residual_in_every_variant(void **state)
{
    (void)state;
    static float symmetric[DIM_MAX * DIM_MAX], upper[DIM_MAX * DIM_MAX];
    static const char *const names[] = {"ref", "blas", "blas-avx2"};
    for (size_t v = 0; v < sizeof names / sizeof names[0]; v++) {
        const struct vt_kernels *kernels = vt_kernels_find(names[v]);
        for (uint32_t dim = 16; kernels != NULL && dim <= DIM_MAX; dim += 16) {
            float x[DIM_MAX];
            make_equations(dim, symmetric, upper);
            for (uint32_t d = 0; d < dim; d++)
                x[d] = (float)d;
            assert_true(kernels->solve_upper_f32(upper, dim, x));
            assert_true(worst_residual(symmetric, dim, x) < 5e-5 * dim * dim);
        }
    }
}

static void what_is_not_positive_definite_is_refused_wherever_it_shows(void **state)
{
    (void)state;
    static float symmetric[64 * 64], upper[64 * 64];
    static const float wrong[] = {0, -1, NAN};
    for (size_t v = 0; v < N_VARIANTS; v++) {
        const struct vt_kernels *kernels = vt_kernels_find(variants[v]);
        for (uint32_t at = 0; kernels != NULL && at < 64; at += 9)
            for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                float x[64] = {0};
                make_equations(64, symmetric, upper);
                upper[at * 64 + at] = wrong[i];
                /* Some LAPACKs do not look for NaN, but none hides one. */
                x[at] = 1;
                bool solved = kernels->solve_upper_f32(upper, 64, x);
                assert_true(!solved || (isnan(wrong[i]) && isnan(x[at])));
            }
    }
}

static void eigenvectors_are_orthonormal_and_give_back_the_matrix(void **state)
{
    (void)state;
    enum { DIM = 37 };
    static const char *const names[] = {"ref", "blas"};
    double matrix[DIM * DIM], vectors[DIM * DIM], values[DIM];
    uint64_t seed = 1;
    for (size_t i = 0; i < DIM; i++)
        for (size_t j = 0; j <= i; j++)
            matrix[i * DIM + j] = matrix[j * DIM + i] = (double)random_float(&seed);
    for (size_t v = 0; v < 2; v++) {
        memcpy(vectors, matrix, sizeof vectors);
        assert_true(vt_kernels_find(names[v])->eigen_f64(vectors, DIM, values));
        for (size_t i = 0; i < DIM; i++) {
            assert_true(i == 0 || values[i] >= values[i - 1]);
            for (size_t j = 0; j < DIM; j++) {
                double product = 0, image = 0;
                for (size_t k = 0; k < DIM; k++) {
                    product += vectors[i * DIM + k] * vectors[j * DIM + k];
                    image += matrix[j * DIM + k] * vectors[i * DIM + k];
                }
                assert_true(fabs(product - (i == j)) < 1e-12);
                assert_true(fabs(image - values[i] * vectors[i * DIM + j]) < 1e-11);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residuals_match_ref),
        cmocka_unit_test(both_widths_leave_the_same_bits),
        cmocka_unit_test(residuals_may_replace_their_targets),
        cmocka_unit_test(residuals_pass_on_what_is_not_finite),
        cmocka_unit_test(gathered_rows_are_scaled_and_padded),
        cmocka_unit_test(the_gram_matrix_matches_ref_above_the_diagonal),
        cmocka_unit_test(solutions_leave_a_small_residual_in_every_variant),
        cmocka_unit_test(what_is_not_positive_definite_is_refused_wherever_it_shows),
        cmocka_unit_test(eigenvectors_are_orthonormal_and_give_back_the_matrix),
    };
    return cmocka_run_group_tests_name("kernels/training", tests, NULL, NULL);
}
