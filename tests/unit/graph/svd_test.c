#include "models/graph/svd.h"
#include "tests/testlib/testlib.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 60, CELLS_MAX = SIDE_MAX * SIDE_MAX };

/* A sparse matrix, its transpose, and the same dense. */
struct fixture {
    uint64_t starts[SIDE_MAX + 1];
    uint32_t columns[CELLS_MAX];
    float values[CELLS_MAX];
    struct vt_sparse matrix, transposed;
    double dense[CELLS_MAX];
};

static uint64_t random_state;
static double next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

static void from_dense(struct fixture *fixture, uint32_t n_rows, uint32_t n_cols)
{
    uint64_t n = 0;
    for (uint32_t r = 0; r < n_rows; r++) {
        for (uint32_t c = 0; c < n_cols; c++) {
            float value = (float)fixture->dense[r * n_cols + c];
            fixture->dense[r * n_cols + c] = (double)value;
            if (value > 0 || value < 0) {
                fixture->columns[n] = c;
                fixture->values[n++] = value;
            }
        }
        fixture->starts[r + 1] = n;
    }
    fixture->matrix =
        (struct vt_sparse){n_rows, n_cols, n, fixture->starts, fixture->columns, fixture->values};
    assert_ok(vt_sparse_transpose(&fixture->matrix, &fixture->transposed));
}

static void fill_random(struct fixture *fixture, uint32_t n_rows, uint32_t n_cols, double density)
{
    *fixture = (struct fixture){0};
    random_state = 11 + n_rows * 100 + n_cols;
    for (uint32_t i = 0; i < n_rows * n_cols; i++)
        fixture->dense[i] = next_random() < density ? next_random() - 0.3 : 0;
    from_dense(fixture, n_rows, n_cols);
}

/* Singular values and right vectors (rows of vt) of the dense matrix, by LAPACK. */
static void lapack_svd(const struct fixture *fixture, double *ret_values, double *ret_vt)
{
    static double copy[CELLS_MAX], u[CELLS_MAX];
    lapack_int m = (lapack_int)fixture->matrix.n_rows, n = (lapack_int)fixture->matrix.n_cols;
    lapack_int shorter = m < n ? m : n;
    memcpy(copy, fixture->dense, sizeof copy);
    assert_int_equal(
        LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', m, n, copy, n, ret_values, u, shorter, ret_vt, n), 0);
}

static void assert_orthonormal(const struct vt_svd *svd)
{
    for (uint32_t a = 0; a < svd->rank; a++)
        for (uint32_t b = 0; b <= a; b++) {
            double dot = 0;
            for (uint32_t j = 0; j < svd->n_cols; j++)
                dot += (double)svd->vectors[(size_t)j * svd->stride + a] *
                       (double)svd->vectors[(size_t)j * svd->stride + b];
            assert_true(fabs(dot - (a == b)) < 1e-5);
        }
}

/* |VVᵀ − WWᵀ|, largest element: the same space, whatever the signs and order in it. */
static double distance_of_spaces(const struct vt_svd *svd, const double *vt)
{
    double largest = 0;
    for (uint32_t i = 0; i < svd->n_cols; i++)
        for (uint32_t j = 0; j < svd->n_cols; j++) {
            double ours = 0, theirs = 0;
            for (uint32_t k = 0; k < svd->rank; k++) {
                ours += (double)svd->vectors[(size_t)i * svd->stride + k] *
                        (double)svd->vectors[(size_t)j * svd->stride + k];
                theirs += vt[k * svd->n_cols + i] * vt[k * svd->n_cols + j];
            }
            largest = fmax(largest, fabs(ours - theirs));
        }
    return largest;
}

static void svd_is_lapacks(void **state)
{
    (void)state;
    static const struct {
        uint32_t n_rows, n_cols, rank;
        double density;
    } cases[] = {
        {50, 40, 8, 0.3}, {40, 60, 12, 0.2}, {60, 7, 5, 0.5}, {5, 60, 5, 0.5}, {30, 30, 30, 0.4}};
    static struct fixture fixture;
    static double values[SIDE_MAX], vt[CELLS_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_svd svd;
        fill_random(&fixture, cases[i].n_rows, cases[i].n_cols, cases[i].density);
        const struct vt_svd_options options = {
            .rank = cases[i].rank, .iterations = 60, .seed = 1, .threads = 2};
        assert_ok(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &svd));
        lapack_svd(&fixture, values, vt);
        assert_int_equal(svd.rank, cases[i].rank);
        for (uint32_t k = 0; k < svd.rank; k++)
            assert_true(fabs(svd.values[k] - values[k]) < 1e-6 * values[0]);
        assert_orthonormal(&svd);
        assert_true(distance_of_spaces(&svd, vt) < 1e-4);
        vt_svd_free(&svd);
        vt_sparse_free(&fixture.transposed);
    }
}

/* Two different rows, many times: rank 2, whatever was asked for. */
static void a_matrix_of_lower_rank_has_fewer_vectors(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct vt_svd svd;
    fixture = (struct fixture){0};
    for (uint32_t r = 0; r < 20; r++)
        for (uint32_t c = 0; c < 15; c++)
            fixture.dense[r * 15 + c] = c % 2 == r % 2 ? 1 : 0;
    from_dense(&fixture, 20, 15);
    const struct vt_svd_options options = {.rank = 6, .iterations = 5, .seed = 1, .threads = 1};
    assert_ok(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &svd));
    assert_int_equal(svd.rank, 2);
    assert_true(fabs(svd.values[0] - sqrt(80)) < 1e-6 && fabs(svd.values[1] - sqrt(70)) < 1e-6);
    assert_orthonormal(&svd);
    vt_svd_free(&svd);
    vt_sparse_free(&fixture.transposed);
}

static void one_row_and_one_column_are_matrices_too(void **state)
{
    (void)state;
    static struct fixture fixture;
    const struct vt_svd_options options = {.rank = 3, .iterations = 3, .seed = 1, .threads = 1};
    static const uint32_t sides[][2] = {{1, 9}, {9, 1}};
    for (int i = 0; i < 2; i++) {
        struct vt_svd svd;
        fill_random(&fixture, sides[i][0], sides[i][1], 0.9);
        assert_ok(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &svd));
        assert_int_equal(svd.rank, 1);
        assert_orthonormal(&svd);
        vt_svd_free(&svd);
        vt_sparse_free(&fixture.transposed);
    }
}

static void zeros_and_ranks_out_of_range_are_refused(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct vt_svd_options options = {.rank = 3, .iterations = 3, .seed = 1, .threads = 1};
    struct vt_svd svd;
    fixture = (struct fixture){0};
    from_dense(&fixture, 4, 4);
    assert_code(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &svd), VT_INVALID);
    vt_sparse_free(&fixture.transposed);
    fill_random(&fixture, 9, 9, 0.9);
    options.rank = 0;
    assert_code(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &svd), VT_INVALID);
    options.rank = VT_SVD_RANK_MAX + 1;
    assert_code(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &svd), VT_INVALID);
    vt_sparse_free(&fixture.transposed);
}

static void any_thread_count_gives_the_same_bytes(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct vt_svd_options options = {.rank = 6, .iterations = 4, .seed = 3, .threads = 1};
    struct vt_svd one, more;
    fill_random(&fixture, 60, 50, 0.3);
    assert_ok(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &one));
    for (options.threads = 2; options.threads <= 5; options.threads++) {
        assert_ok(vt_svd_right(&fixture.matrix, &fixture.transposed, &options, &more));
        assert_memory_equal(one.vectors, more.vectors,
                            (size_t)one.n_cols * one.stride * sizeof(float));
        assert_memory_equal(one.values, more.values, one.rank * sizeof(double));
        vt_svd_free(&more);
    }
    vt_svd_free(&one);
    vt_sparse_free(&fixture.transposed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(svd_is_lapacks),
        cmocka_unit_test(a_matrix_of_lower_rank_has_fewer_vectors),
        cmocka_unit_test(one_row_and_one_column_are_matrices_too),
        cmocka_unit_test(zeros_and_ranks_out_of_range_are_refused),
        cmocka_unit_test(any_thread_count_gives_the_same_bytes),
    };
    return cmocka_run_group_tests_name("graph/svd", tests, NULL, NULL);
}
