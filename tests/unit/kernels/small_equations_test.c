/* The double kernels of folding in, each variant beside plain C, by what is left over. */
#include "models/kernels/kernels.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

enum { DIM_MAX = 144, ROWS_MAX = 70 };
static const uint32_t dims[] = {1, 7, 8, 12, 16, 24, 64, 120, 128, 136};
static const char *const variants[] = {"ref", "blas", "blas-avx2", "blas-avx512"};
enum { N_DIMS = sizeof dims / sizeof dims[0], N_VARIANTS = sizeof variants / sizeof variants[0] };

static double rows[ROWS_MAX * DIM_MAX], expected[DIM_MAX * DIM_MAX], got[DIM_MAX * DIM_MAX];
static uint64_t random_state;

static double random_double(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(random_state >> 33) * 0x1p-30 - 1;
}

static void fill_rows(void)
{
    for (size_t i = 0; i < ROWS_MAX * DIM_MAX; i++)
        rows[i] = random_double();
}

static void assert_gram(const struct vt_kernels *kernels, uint32_t n_rows, uint32_t dim)
{
    for (size_t i = 0; i < (size_t)dim * dim; i++)
        expected[i] = got[i] = (double)i;
    vt_kernels_find("ref")->gram_add_f64(rows, n_rows, dim, expected);
    kernels->gram_add_f64(rows, n_rows, dim, got);
    for (size_t i = 0; i < dim; i++) {
        for (size_t j = 0; j <= i; j++)
            assert_true(fabs(got[i * dim + j] - expected[i * dim + j]) <=
                        1e-13 * (fabs(expected[i * dim + j]) + n_rows));
        for (size_t j = i + 1; j < dim; j++) /* what is above the diagonal stays as it was */
            assert_memory_equal(&got[i * dim + j], &expected[i * dim + j], sizeof got[0]);
    }
}

static void gram_adds_the_lower_triangle_alone(void **state)
{
    (void)state;
    static const uint32_t row_counts[] = {0, 1, 5, 50, 64, 65};
    random_state = 1;
    fill_rows();
    for (size_t v = 0; v < N_VARIANTS; v++)
        for (size_t d = 0; d < N_DIMS && vt_kernels_find(variants[v]) != NULL; d++)
            for (size_t n = 0; n < sizeof row_counts / sizeof row_counts[0]; n++)
                assert_gram(vt_kernels_find(variants[v]), row_counts[n], dims[d]);
}

/* A = Σ rows·rowsᵀ + I in the lower triangle; what is above it is NaN, and must not be looked at.
 */
static void make_equations(uint32_t dim, double *ret_lower)
{
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j < dim; j++)
            ret_lower[i * dim + j] = j > i ? NAN : j == i ? 1 : 0;
    vt_kernels_find("ref")->gram_add_f64(rows, 50, dim, ret_lower);
}

static void assert_solved(const struct vt_kernels *kernels, uint32_t dim)
{
    double solution[DIM_MAX], rhs[DIM_MAX];
    make_equations(dim, expected);
    memcpy(got, expected, sizeof got);
    for (size_t d = 0; d < dim; d++)
        solution[d] = rhs[d] = random_double();
    assert_true(kernels->solve_f64(got, dim, solution));
    for (size_t i = 0; i < dim; i++) {
        double left = -rhs[i];
        for (size_t j = 0; j < dim; j++)
            left += expected[j <= i ? i * dim + j : j * dim + i] * solution[j];
        assert_true(fabs(left) < 1e-11);
    }
}

static void solution_leaves_no_residual(void **state)
{
    (void)state;
    random_state = 2;
    fill_rows();
    for (size_t v = 0; v < N_VARIANTS; v++)
        for (size_t d = 0; d < N_DIMS && vt_kernels_find(variants[v]) != NULL; d++)
            assert_solved(vt_kernels_find(variants[v]), dims[d]);
}

/* Wherever the bad pivot stands. */
static void equations_without_a_solution_are_told(void **state)
{
    (void)state;
    enum { DIM = 64 };
    static const double bad[] = {-1, 0};
    double rhs[DIM] = {1};
    for (size_t v = 0; v < N_VARIANTS; v++)
        for (size_t at = 0; at < DIM && vt_kernels_find(variants[v]) != NULL; at += 9) {
            for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
                memset(got, 0, sizeof got);
                for (size_t d = 0; d < DIM; d++)
                    got[d * DIM + d] = d == at ? bad[b] : 1;
                assert_false(vt_kernels_find(variants[v])->solve_f64(got, DIM, rhs));
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gram_adds_the_lower_triangle_alone),
        cmocka_unit_test(solution_leaves_no_residual),
        cmocka_unit_test(equations_without_a_solution_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
