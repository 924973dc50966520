#include "models/factor/moments.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3000, DIM = 5, STRIDE = 16 };

static float values[ROWS * STRIDE];
static const struct vt_factor_rows rows = {values, ROWS, DIM, STRIDE};
static const float vector[DIM] = {0.5F, -1, 0.25F, 2, -0.125F};

static void fill(void)
{
    uint64_t state = 7;
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t d = 0; d < DIM; d++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
            values[row * STRIDE + d] = (float)(state >> 40) / 16777216.0F - 0.3F * (float)d;
        }
}

static void moments_are_those_of_all_scores(void **state)
{
    (void)state;
    double moments[(DIM + 1) * DIM], mean, deviation;
    long double sum = 0, squares = 0;
    fill();
    for (uint32_t row = 0; row < ROWS; row++) {
        long double score = 0;
        for (uint32_t d = 0; d < DIM; d++)
            score += (long double)values[row * STRIDE + d] * (long double)vector[d];
        sum += score;
        squares += score * score;
    }
    assert_ok(vt_factor_moments(&rows, 1, moments));
    vt_factor_score_moments(moments, DIM, vector, &mean, &deviation);
    long double expected = sum / ROWS;
    assert_true(fabsl((long double)mean - expected) < 1e-10L);
    assert_true(fabsl((long double)deviation - sqrtl(squares / ROWS - expected * expected)) <
                1e-10L);
}

static void moments_are_the_same_bytes_for_any_thread_count(void **state)
{
    (void)state;
    double one[(DIM + 1) * DIM], more[(DIM + 1) * DIM];
    fill();
    assert_ok(vt_factor_moments(&rows, 1, one));
    for (uint32_t threads = 2; threads <= 5; threads++) {
        assert_ok(vt_factor_moments(&rows, threads, more));
        assert_memory_equal(one, more, sizeof one);
    }
}

static void the_same_score_everywhere_has_no_deviation(void **state)
{
    (void)state;
    double moments[(DIM + 1) * DIM], mean, deviation;
    for (uint32_t i = 0; i < ROWS * STRIDE; i++)
        values[i] = 0.5F;
    assert_ok(vt_factor_moments(&rows, 2, moments));
    vt_factor_score_moments(moments, DIM, vector, &mean, &deviation);
    assert_true(deviation >= 0 && deviation < 1e-6);
    assert_code(vt_factor_moments(&(struct vt_factor_rows){values, 0, DIM, STRIDE}, 1, moments),
                VT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_those_of_all_scores),
        cmocka_unit_test(moments_are_the_same_bytes_for_any_thread_count),
        cmocka_unit_test(the_same_score_everywhere_has_no_deviation),
    };
    return cmocka_run_group_tests_name("factor/moments", tests, NULL, NULL);
}
