/* The list equals brute force by the defined score, bit for bit, whatever the rows look like. */
#include "models/index/index.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 5000, DIM_MAX = 80 };

static float factors[ROWS_MAX * DIM_MAX];
static struct vt_index_hit got[ROWS_MAX + 10], expected[ROWS_MAX];
static uint64_t random_state;

static uint32_t random_u32(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33);
}

static float random_float(void)
{
    return (float)random_u32() / (float)(UINT32_C(1) << 30) - 1;
}

static int by_score_then_row(const void *left, const void *right)
{
    const struct vt_index_hit *a = left, *b = right;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static bool is_out(const uint64_t *excluded, uint32_t row)
{
    return excluded != NULL && ((excluded[row / 64] >> (row % 64)) & 1) != 0;
}

static uint32_t brute_force(const struct vt_index *index, uint32_t n_rows,
                            const struct vt_index_query *query)
{
    uint32_t n = 0;
    for (uint32_t r = 0; r < n_rows; r++)
        if (!is_out(query->excluded, r) &&
            (query->allowed == NULL || query->allowed(query->allowed_ctx, r)))
            expected[n++] = (struct vt_index_hit){
                .score = vt_index_score(index, query->measure, r, query->vector), .row = r};
    qsort(expected, n, sizeof *expected, by_score_then_row);
    return n < query->n ? n : query->n;
}

static void assert_same_as_brute_force(const struct vt_index *index, uint32_t n_rows,
                                       struct vt_index_query query)
{
    static const char *const variants[] = {"ref", "blas", "blas-avx2", "blas-avx512"};
    uint32_t n_expected = brute_force(index, n_rows, &query);
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        uint32_t n_got = 0;
        query.kernels = vt_kernels_find(variants[v]);
        if (query.kernels == NULL)
            continue;
        query.in_any_order = v % 2 == 1;
        assert_ok(vt_index_search(index, &query, got, &n_got));
        if (query.in_any_order)
            qsort(got, n_got, sizeof *got, by_score_then_row);
        assert_int_equal(n_got, n_expected);
        for (uint32_t i = 0; i < n_got; i++) {
            assert_int_equal(got[i].row, expected[i].row);
            assert_memory_equal(&got[i].score, &expected[i].score, sizeof got[i].score);
        }
    }
}

static struct vt_index *index_of(uint32_t n_rows, uint32_t dim, uint32_t row_stride)
{
    struct vt_index *index = NULL;
    assert_ok(vt_index_new(
        &(struct vt_index_rows){
            .factors = factors, .n_rows = n_rows, .dim = dim, .row_stride = row_stride},
        &index));
    return index;
}

static void fill_random(uint32_t n_rows, uint32_t row_stride, float scale)
{
    for (uint32_t i = 0; i < n_rows * row_stride; i++)
        factors[i] = scale * random_float();
}

static void assert_both_measures(uint32_t n_rows, uint32_t dim, uint32_t row_stride,
                                 const float *vector)
{
    static const uint32_t list_lengths[] = {1, 10, 100, ROWS_MAX + 7};
    struct vt_index *index = index_of(n_rows, dim, row_stride);
    for (size_t i = 0; i < 4; i++)
        for (int measure = VT_INDEX_DOT; measure <= VT_INDEX_COSINE; measure++)
            assert_same_as_brute_force(
                index, n_rows,
                (struct vt_index_query){.vector = vector,
                                        .n = list_lengths[i],
                                        .measure = (enum vt_index_measure)measure});
    vt_index_free(index);
}

static void random_vector(float *vector, uint32_t dim)
{
    for (uint32_t d = 0; d < dim; d++)
        vector[d] = random_float();
}

static void search_equals_brute_force_on_random_rows(void **state)
{
    (void)state;
    static const uint32_t shapes[][3] = {{1, 1, 1},      {63, 3, 5},     {64, 8, 8},
                                         {1024, 17, 32}, {1025, 64, 64}, {4999, 33, 48}};
    random_state = 1;
    for (size_t s = 0; s < 6; s++) {
        float vector[DIM_MAX];
        fill_random(shapes[s][0], shapes[s][2], 1);
        random_vector(vector, shapes[s][1]);
        assert_both_measures(shapes[s][0], shapes[s][1], shapes[s][2], vector);
    }
}

/* Neighbours in the list differ by less than a float product's error: only rescoring orders them.
 */
static void search_orders_rows_that_float_cannot_tell_apart(void **state)
{
    (void)state;
    enum { N = 3000, DIM = 64 };
    float base[DIM], vector[DIM];
    random_state = 2;
    random_vector(base, DIM);
    random_vector(vector, DIM);
    for (uint32_t r = 0; r < N; r++)
        for (uint32_t d = 0; d < DIM; d++)
            factors[r * DIM + d] = base[d] * (1 + (float)(random_u32() % 5) * 0x1p-23F);
    assert_both_measures(N, DIM, DIM, vector);
}

static void search_breaks_ties_by_row(void **state)
{
    (void)state;
    enum { N = 2500, DIM = 16 };
    float vector[DIM];
    random_state = 3;
    random_vector(vector, DIM);
    for (uint32_t r = 0; r < N; r++)
        for (uint32_t d = 0; d < DIM; d++)
            factors[r * DIM + d] = (float)((r % 7 + d) % 3); /* few distinct rows */
    assert_both_measures(N, DIM, DIM, vector);
}

static void search_with_a_zero_vector_returns_the_first_rows(void **state)
{
    (void)state;
    float vector[16] = {0};
    random_state = 4;
    fill_random(2000, 16, 1);
    assert_both_measures(2000, 16, 16, vector);
}

static void search_handles_huge_tiny_and_zero_rows(void **state)
{
    (void)state;
    enum { N = 3000, DIM = 24 };
    static const float scales[] = {0, 1e-45F, 1e-38F, 1e-20F, 1, 1e20F, 3e38F};
    float vector[DIM];
    random_state = 5;
    for (size_t v = 0; v < 7; v++) {
        for (uint32_t r = 0; r < N; r++)
            for (uint32_t d = 0; d < DIM; d++)
                factors[r * DIM + d] = scales[(r * 31 + v) % 7] * random_float();
        random_vector(vector, DIM);
        for (uint32_t d = 0; d < DIM; d++)
            vector[d] *= scales[v];
        assert_both_measures(N, DIM, DIM, vector);
    }
}

static bool is_even(void *ctx, uint32_t row)
{
    ++*(uint32_t *)ctx;
    return row % 2 == 0;
}

static void search_honours_bitmap_and_predicate(void **state)
{
    (void)state;
    enum { N = 4100, DIM = 32 };
    static const uint32_t kept_of_1000[] = {0, 1, 10, 300, 900, 1000};
    float vector[DIM];
    random_state = 6;
    fill_random(N, DIM, 1);
    random_vector(vector, DIM);
    struct vt_index *index = index_of(N, DIM, DIM);
    for (size_t k = 0; k < 6; k++) {
        uint64_t excluded[(N + 63) / 64] = {0};
        uint32_t n_asked = 0;
        for (uint32_t r = 0; r < N; r++)
            if (random_u32() % 1000 >= kept_of_1000[k])
                excluded[r / 64] |= UINT64_C(1) << (r % 64);
        struct vt_index_query query = {.vector = vector, .n = 50, .excluded = excluded};
        assert_same_as_brute_force(index, N, query);
        query.allowed = is_even;
        query.allowed_ctx = &n_asked;
        assert_same_as_brute_force(index, N, query);
    }
    vt_index_free(index);
}

static void search_asks_the_predicate_for_few_rows(void **state)
{
    (void)state;
    enum { N = 4000, DIM = 32 };
    float vector[DIM];
    uint32_t n_asked = 0, n_got = 0;
    random_state = 7;
    fill_random(N, DIM, 1);
    random_vector(vector, DIM);
    struct vt_index *index = index_of(N, DIM, DIM);
    struct vt_index_query query = {
        .vector = vector, .n = 10, .allowed = is_even, .allowed_ctx = &n_asked};
    assert_ok(vt_index_search(index, &query, got, &n_got));
    assert_int_equal(n_got, 10);
    assert_true(n_asked < N / 10);
    vt_index_free(index);
}

/* Norms that fall by powers: most of the rows are never looked at, and the list is still exact. */
static void search_stops_where_no_norm_can_reach_the_list(void **state)
{
    (void)state;
    enum { N = 5000, DIM = 16 };
    float vector[DIM];
    uint32_t n_got = 0;
    struct vt_index_work work = {0};
    random_state = 10;
    fill_random(N, DIM, 1);
    for (uint32_t r = 0; r < N; r++)
        for (uint32_t d = 0; d < DIM; d++)
            factors[r * DIM + d] /= (float)(1 + r * 31 % N);
    random_vector(vector, DIM);
    struct vt_index *index = index_of(N, DIM, DIM);
    struct vt_index_query query = {.vector = vector, .n = 10, .ret_work = &work};
    assert_ok(vt_index_search(index, &query, got, &n_got));
    assert_true(work.n_scanned < N / 4);
    assert_true(work.n_scored < N / 4);
    query.ret_work = NULL;
    assert_same_as_brute_force(index, N, query);
    vt_index_free(index);
}

/* One dimension outweighs all others: the bytes of the others are all the same, which costs time
 * and nothing else. */
static void search_is_exact_where_bytes_say_little(void **state)
{
    (void)state;
    enum { N = 3000, DIM = 48 };
    float vector[DIM];
    random_state = 11;
    fill_random(N, DIM, 1e-3F);
    for (uint32_t r = 0; r < N; r++)
        factors[r * DIM] = 100;
    random_vector(vector, DIM);
    vector[0] = 1e-4F;
    assert_both_measures(N, DIM, DIM, vector);
    for (uint32_t d = 0; d < DIM; d++) /* and a query that points away from all of it */
        vector[d] = -vector[d];
    vector[0] = -1;
    assert_both_measures(N, DIM, DIM, vector);
}

static void search_for_nothing_returns_nothing(void **state)
{
    (void)state;
    float vector[4] = {1, 2, 3, 4};
    uint32_t n_got = 9;
    random_state = 8;
    fill_random(10, 4, 1);
    struct vt_index *index = index_of(10, 4, 4);
    assert_ok(vt_index_search(index, &(struct vt_index_query){.vector = vector}, got, &n_got));
    assert_int_equal(n_got, 0);
    vt_index_free(index);
}

static void numbers_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        struct vt_index *index = NULL;
        struct vt_index_rows rows = {.factors = factors, .n_rows = 10, .dim = 3, .row_stride = 4};
        uint32_t n_got = 0;
        random_state = 9;
        fill_random(10, 4, 1);
        factors[9 * 4 + 2] = bad[i];
        assert_code(vt_index_new(&rows, &index), VT_CORRUPT);
        assert_null(index);
        factors[9 * 4 + 2] = 0;
        factors[9 * 4 + 3] = bad[i]; /* padding is not looked at */
        assert_ok(vt_index_new(&rows, &index));
        float vector[3] = {1, bad[i], 1};
        struct vt_index_query query = {.vector = vector, .n = 1};
        assert_code(vt_index_search(index, &query, got, &n_got), VT_INVALID);
        vt_index_free(index);
    }
}

static void dimensions_outside_the_limit_are_refused(void **state)
{
    (void)state;
    struct vt_index *index = NULL;
    struct vt_index_rows rows = {.factors = factors, .n_rows = 1, .dim = 0, .row_stride = 4};
    assert_code(vt_index_new(&rows, &index), VT_INVALID);
    rows.dim = rows.row_stride = VT_INDEX_DIM_MAX + 1;
    assert_code(vt_index_new(&rows, &index), VT_INVALID);
    rows.dim = rows.row_stride = VT_INDEX_DIM_MAX;
    memset(factors, 0, sizeof factors);
    assert_ok(vt_index_new(&rows, &index));
    vt_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_equals_brute_force_on_random_rows),
        cmocka_unit_test(search_orders_rows_that_float_cannot_tell_apart),
        cmocka_unit_test(search_breaks_ties_by_row),
        cmocka_unit_test(search_with_a_zero_vector_returns_the_first_rows),
        cmocka_unit_test(search_handles_huge_tiny_and_zero_rows),
        cmocka_unit_test(search_honours_bitmap_and_predicate),
        cmocka_unit_test(search_asks_the_predicate_for_few_rows),
        cmocka_unit_test(search_stops_where_no_norm_can_reach_the_list),
        cmocka_unit_test(search_is_exact_where_bytes_say_little),
        cmocka_unit_test(search_for_nothing_returns_nothing),
        cmocka_unit_test(numbers_that_are_not_finite_are_refused),
        cmocka_unit_test(dimensions_outside_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
