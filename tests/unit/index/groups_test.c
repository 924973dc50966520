/* Rows that stand in groups of one direction: the list equals brute force all the same, and most
 * groups are never looked into. */
#include "models/index/index.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { N = 24000, DIM = 20, STRIDE = 24, BASES = 1200, LIST_MAX = N + 5 };

static float factors[N * STRIDE];
static struct vt_index_hit got[LIST_MAX], expected[N];
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

static void random_vector(float *vector, float scale)
{
    for (uint32_t d = 0; d < DIM; d++)
        vector[d] = scale * random_float();
}

/* Row r is base r % BASES, moved by `noise` of its size; bases differ in their norms. */
static void fill_copies(float noise, float scale)
{
    static float bases[BASES * DIM];
    for (uint32_t b = 0; b < BASES; b++)
        random_vector(bases + (size_t)b * DIM, scale / (float)sqrt(1 + b % 50));
    for (uint32_t r = 0; r < N; r++)
        for (uint32_t d = 0; d < DIM; d++)
            factors[r * STRIDE + d] = bases[r % BASES * DIM + d] * (1 + noise * random_float());
}

static struct vt_index *index_of_factors(void)
{
    struct vt_index *index = NULL;
    assert_ok(vt_index_new(
        &(struct vt_index_rows){.factors = factors, .n_rows = N, .dim = DIM, .row_stride = STRIDE},
        &index));
    return index;
}

static int by_score_then_row(const void *left, const void *right)
{
    const struct vt_index_hit *a = left, *b = right;
    if (a->score < b->score || a->score > b->score)
        return a->score > b->score ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static uint32_t brute_force(const struct vt_index *index, const struct vt_index_query *query)
{
    uint32_t n = 0;
    for (uint32_t r = 0; r < N; r++)
        if ((query->excluded == NULL || (query->excluded[r / 64] >> (r % 64) & 1) == 0) &&
            (query->allowed == NULL || query->allowed(query->allowed_ctx, r)))
            expected[n++] = (struct vt_index_hit){
                .score = vt_index_score(index, query->measure, r, query->vector), .row = r};
    qsort(expected, n, sizeof *expected, by_score_then_row);
    return n < query->n ? n : query->n;
}

/* Rows scanned, of the variant that scanned most. */
static uint64_t assert_same_as_brute_force(const struct vt_index *index,
                                           struct vt_index_query query)
{
    static const char *const variants[] = {"ref", "blas", "blas-avx2", "blas-avx512"};
    uint32_t n_expected = brute_force(index, &query);
    uint64_t n_scanned = 0;
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        uint32_t n_got = 0;
        struct vt_index_work work = {0};
        query.kernels = vt_kernels_find(variants[v]);
        query.ret_work = &work;
        if (query.kernels == NULL)
            continue;
        assert_ok(vt_index_search(index, &query, got, &n_got));
        assert_int_equal(n_got, n_expected);
        for (uint32_t i = 0; i < n_got; i++) {
            assert_int_equal(got[i].row, expected[i].row);
            assert_memory_equal(&got[i].score, &expected[i].score, sizeof got[i].score);
        }
        n_scanned = work.n_scanned > n_scanned ? work.n_scanned : n_scanned;
    }
    return n_scanned;
}

static void search_among_copies_skips_groups_and_equals_brute_force(void **state)
{
    (void)state;
    static const float noises[] = {0, 1e-6F, 0.05F, 0.2F};
    static const uint32_t list_lengths[] = {1, 10, 100};
    random_state = 1;
    for (size_t i = 0; i < 4; i++) {
        fill_copies(noises[i], 1);
        struct vt_index *index = index_of_factors();
        for (size_t l = 0; l < 3; l++) {
            float vector[DIM];
            random_vector(vector, 1);
            struct vt_index_query query = {.vector = vector, .n = list_lengths[l]};
            assert_true(assert_same_as_brute_force(index, query) < N / 2);
        }
        vt_index_free(index);
    }
}

/* Groups of rows that share one direction and have each a way of its own off it, across which the
 * queries go: what the middles say is next to nothing, and the radius is all that counts. */
static void search_across_the_groups_meets_their_radius(void **state)
{
    (void)state;
    enum { SHARED = DIM / 2 };
    random_state = 2;
    memset(factors, 0, sizeof factors);
    for (uint32_t r = 0; r < N; r++) {
        factors[r * STRIDE + r % SHARED] = 1 + random_float() / 10;
        factors[r * STRIDE + SHARED + random_u32() % SHARED] = random_float() / 5;
    }
    struct vt_index *index = index_of_factors();
    for (uint32_t q = 0; q < 40; q++) {
        float vector[DIM];
        random_vector(vector, 0.01F);
        vector[SHARED + q % SHARED] = q % 2 == 0 ? 1 : -1;
        assert_same_as_brute_force(index, (struct vt_index_query){.vector = vector, .n = 1 + q});
    }
    vt_index_free(index);
}

static bool is_third(void *ctx, uint32_t row)
{
    (void)ctx;
    return row % 3 == 0;
}

static void search_among_copies_honours_bitmap_predicate_and_measure(void **state)
{
    (void)state;
    static const uint32_t kept_of_1000[] = {0, 5, 30, 300, 900};
    static uint64_t excluded[(N + 63) / 64];
    float vector[DIM];
    random_state = 3;
    fill_copies(0.1F, 1);
    random_vector(vector, 1);
    struct vt_index *index = index_of_factors();
    for (size_t k = 0; k < 5; k++) {
        memset(excluded, 0, sizeof excluded);
        for (uint32_t r = 0; r < N; r++)
            if (random_u32() % 1000 >= kept_of_1000[k])
                excluded[r / 64] |= UINT64_C(1) << (r % 64);
        struct vt_index_query query = {.vector = vector, .n = 60, .excluded = excluded};
        assert_same_as_brute_force(index, query);
        query.allowed = is_third;
        assert_same_as_brute_force(index, query);
        query.measure = VT_INDEX_COSINE;
        assert_same_as_brute_force(index, query);
    }
    struct vt_index_query all = {.vector = vector, .n = LIST_MAX};
    assert_same_as_brute_force(index, all);
    vt_index_free(index);
}

/* Sizes at which float can hold neither squares nor shares, of rows and of queries. */
static void search_among_copies_of_any_size_equals_brute_force(void **state)
{
    (void)state;
    static const float scales[] = {1e-42F, 1e-30F, 1e-15F, 1e12F, 3e38F};
    random_state = 4;
    for (size_t r = 0; r < 5; r++) {
        fill_copies(0.1F, scales[r]);
        struct vt_index *index = index_of_factors();
        for (size_t q = 0; q < 5; q++) {
            float vector[DIM];
            random_vector(vector, scales[q]);
            assert_same_as_brute_force(index, (struct vt_index_query){.vector = vector, .n = 25});
        }
        vt_index_free(index);
    }
}

/* Copies beside rows that resemble nothing, zeros among them. */
static void search_among_copies_and_strangers_equals_brute_force(void **state)
{
    (void)state;
    random_state = 5;
    fill_copies(0.05F, 1);
    for (uint32_t r = 0; r < N; r += 3)
        random_vector(factors + (size_t)r * STRIDE, r % 2 == 0 ? 0.3F : 0);
    struct vt_index *index = index_of_factors();
    for (uint32_t q = 0; q < 10; q++) {
        float vector[DIM];
        random_vector(vector, 1);
        assert_same_as_brute_force(index, (struct vt_index_query){.vector = vector, .n = 80});
    }
    vt_index_free(index);
}

static void groups_stay_within_the_memory_allowed(void **state)
{
    (void)state;
    random_state = 6;
    fill_copies(0.1F, 1);
    struct vt_index *index = index_of_factors();
    uint64_t grouped = vt_index_bytes(index);
    vt_index_free(index);
    for (uint32_t r = 0; r < N; r++)
        random_vector(factors + (size_t)r * STRIDE, 1);
    index = index_of_factors();
    uint64_t plain = vt_index_bytes(index);
    vt_index_free(index);
    assert_true(grouped > plain);
    assert_true(grouped < plain + plain / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_among_copies_skips_groups_and_equals_brute_force),
        cmocka_unit_test(search_across_the_groups_meets_their_radius),
        cmocka_unit_test(search_among_copies_honours_bitmap_predicate_and_measure),
        cmocka_unit_test(search_among_copies_of_any_size_equals_brute_force),
        cmocka_unit_test(search_among_copies_and_strangers_equals_brute_force),
        cmocka_unit_test(groups_stay_within_the_memory_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
