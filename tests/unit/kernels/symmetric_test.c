/* Inverses by tiles against the product with what was inverted, over sides around a tile. */
#include "models/kernels/kernels.h"
#include "models/kernels/symmetric.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double random_uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (double)(*state >> 40) / 8388608.0 - 1.0;
}

/* Diagonally dominant, so positive definite; lower half only, as writers fill it. */
static struct vt_symmetric random_positive(uint32_t n, uint64_t seed)
{
    struct vt_symmetric matrix;
    assert_ok(vt_symmetric_init(n, &matrix));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < i; j++)
            *vt_symmetric_at(&matrix, i, j) = (float)random_uniform(&seed);
        *vt_symmetric_at(&matrix, i, i) = (float)n;
    }
    return matrix;
}

static void inverse_times_matrix_is_the_identity(void **state)
{
    (void)state;
    static const uint32_t sides[] = {1, 2, 37, VT_TILE - 1, VT_TILE, VT_TILE + 1, 600};
    for (size_t s = 0; s < sizeof sides / sizeof sides[0]; s++) {
        uint32_t n = sides[s];
        struct vt_symmetric matrix = random_positive(n, n), inverse = random_positive(n, n);
        assert_ok(vt_symmetric_invert(&inverse, 2, NULL, NULL));
        for (uint32_t i = 0; i < n; i += 1 + n / 50)
            for (uint32_t j = 0; j < n; j++) {
                double sum = 0;
                for (uint32_t k = 0; k < n; k++)
                    sum += (double)*vt_symmetric_at(&matrix, i, k) *
                           (double)*vt_symmetric_at(&inverse, k, j);
                assert_true(fabs(sum - (i == j)) < 1e-4);
            }
        vt_symmetric_fini(&matrix);
        vt_symmetric_fini(&inverse);
    }
}

static void inverse_has_the_same_bytes_for_any_thread_count(void **state)
{
    (void)state;
    enum { N = 700 };
    struct vt_symmetric one = random_positive(N, 5);
    assert_ok(vt_symmetric_invert(&one, 1, NULL, NULL));
    for (uint32_t threads = 2; threads <= 5; threads++) {
        struct vt_symmetric many = random_positive(N, 5);
        assert_ok(vt_symmetric_invert(&many, threads, NULL, NULL));
        assert_memory_equal(one.tiles, many.tiles, vt_symmetric_bytes(N));
        vt_symmetric_fini(&many);
    }
    vt_symmetric_fini(&one);
}

static void indefinite_matrices_are_refused_wherever_they_are(void **state)
{
    (void)state;
    static const uint32_t places[] = {0, VT_TILE - 1, VT_TILE, 599};
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
        struct vt_symmetric matrix = random_positive(600, 9);
        *vt_symmetric_at(&matrix, places[p], places[p]) = -1;
        assert_code(vt_symmetric_invert(&matrix, 2, NULL, NULL), VT_INVALID);
        vt_symmetric_fini(&matrix);
    }
}

static void whole_rows_are_read_from_both_halves(void **state)
{
    (void)state;
    enum { N = 600, STRIDE = 3 * VT_TILE };
    struct vt_symmetric matrix = random_positive(N, 2);
    float *rows = malloc(VT_TILE * STRIDE * sizeof *rows);
    assert_ok(vt_symmetric_invert(&matrix, 2, NULL, NULL));
    for (uint32_t tile = 0; tile < matrix.n_tiles; tile++) {
        vt_symmetric_tile_row(&matrix, tile, rows);
        for (uint32_t r = 0; r < VT_TILE && tile * VT_TILE + r < N; r++)
            for (uint32_t c = 0; c < N; c++)
                assert_memory_equal(&rows[(size_t)r * STRIDE + c],
                                    vt_symmetric_at(&matrix, tile * VT_TILE + r, c), sizeof *rows);
    }
    free(rows);
    vt_symmetric_fini(&matrix);
}

static void sides_out_of_range_are_refused(void **state)
{
    (void)state;
    struct vt_symmetric matrix;
    assert_code(vt_symmetric_init(0, &matrix), VT_INVALID);
    assert_code(vt_symmetric_init(VT_SYMMETRIC_MAX + 1, &matrix), VT_INVALID);
}

static bool end_after_two(void *ctx, uint32_t done, uint32_t total)
{
    *(uint32_t *)ctx = done;
    assert_int_equal(total, 3);
    return done < 2;
}

static void progress_counts_the_steps_and_ends_the_work(void **state)
{
    (void)state;
    uint32_t done = 0;
    struct vt_symmetric matrix = random_positive(3 * VT_TILE, 4);
    assert_code(vt_symmetric_invert(&matrix, 2, end_after_two, &done), VT_CANCELLED);
    assert_int_equal(done, 2);
    vt_symmetric_fini(&matrix);
}

static void small_inverses_agree_in_every_variant(void **state)
{
    (void)state;
    enum { DIM = 23 };
    static const char *const names[] = {"ref", "blas"};
    for (size_t v = 0; v < 2; v++) {
        const struct vt_kernels *kernels = vt_kernels_find(names[v]);
        double matrix[DIM][DIM] = {0}, inverse[DIM][DIM];
        uint64_t seed = 8;
        for (size_t i = 0; i < DIM; i++)
            for (size_t j = 0; j <= i; j++)
                matrix[i][j] = matrix[j][i] = i == j ? DIM : random_uniform(&seed);
        memcpy(inverse, matrix, sizeof matrix);
        assert_true(kernels->invert_f64(&inverse[0][0], DIM));
        for (size_t i = 0; i < DIM; i++)
            for (size_t j = 0; j < DIM; j++) {
                double sum = 0;
                for (size_t k = 0; k < DIM; k++)
                    sum += matrix[i][k] * (j <= k ? inverse[k][j] : inverse[j][k]);
                assert_true(fabs(sum - (i == j)) < 1e-12);
            }
        double indefinite[] = {1, 2, 2, 1};
        assert_false(kernels->invert_f64(indefinite, 2));
    }
}

static void products_are_subtracted_alike_in_every_variant(void **state)
{
    (void)state;
    enum { N_A = 5, N_B = 7, DIM = 9, STRIDE = 12 };
    static const char *const names[] = {"ref", "blas"};
    float results[2][N_A * STRIDE], a[N_A * STRIDE], b[N_B * STRIDE];
    uint64_t seed = 3;
    for (size_t i = 0; i < N_A * STRIDE; i++)
        a[i] = results[0][i] = results[1][i] = (float)random_uniform(&seed);
    for (size_t i = 0; i < N_B * STRIDE; i++)
        b[i] = (float)random_uniform(&seed);
    for (size_t v = 0; v < 2; v++)
        vt_kernels_find(names[v])->matmul_nt_sub_f32(a, N_A, STRIDE, b, N_B, STRIDE, DIM,
                                                     results[v], STRIDE);
    for (size_t i = 0; i < N_A * STRIDE; i++)
        assert_true(fabsf(results[0][i] - results[1][i]) < 1e-5F);
    assert_true(fabsf(results[0][0] - a[0] + (float)vt_score_dot(a, b, DIM)) < 1e-5F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inverse_times_matrix_is_the_identity),
        cmocka_unit_test(inverse_has_the_same_bytes_for_any_thread_count),
        cmocka_unit_test(indefinite_matrices_are_refused_wherever_they_are),
        cmocka_unit_test(whole_rows_are_read_from_both_halves),
        cmocka_unit_test(sides_out_of_range_are_refused),
        cmocka_unit_test(progress_counts_the_steps_and_ends_the_work),
        cmocka_unit_test(small_inverses_agree_in_every_variant),
        cmocka_unit_test(products_are_subtracted_alike_in_every_variant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
