/* Draws against the probabilities added up in long double: chi-square over the first ranks and the
 * rest, at a bound that a right sampler passes all but once in 100,000 seeds. */
#include "loadtest/zipf.h"
#include "tests/testlib/testlib.h"

#include <math.h>

enum { DRAWS = 200000, RANKS = 20, CHI_SQUARE_BOUND = 62 /* 20 degrees of freedom, 1 - 4e-6 */ };

static long double weight_of(uint64_t rank, double exponent)
{
    return powl((long double)(rank + 1), -(long double)exponent);
}

static void check_law(uint64_t n, double exponent)
{
    struct zipf zipf;
    struct load_random random = {42};
    double counts[RANKS + 1] = {0}, chi_square = 0;
    long double all = 0, first = 0;
    for (uint64_t rank = 0; rank < n; rank++)
        all += weight_of(rank, exponent);
    zipf_init(&zipf, n, exponent);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t rank = zipf_draw(&zipf, &random);
        assert_true(rank < n);
        counts[rank < RANKS ? rank : RANKS]++;
    }
    for (uint64_t rank = 0; rank < RANKS && rank < n; rank++) {
        long double share = weight_of(rank, exponent) / all;
        double expected = (double)(share * DRAWS);
        chi_square += (counts[rank] - expected) * (counts[rank] - expected) / expected;
        first += share;
    }
    double expected = (double)((1 - first) * DRAWS);
    if (n > RANKS)
        chi_square += (counts[RANKS] - expected) * (counts[RANKS] - expected) / expected;
    assert_true(chi_square < CHI_SQUARE_BOUND);
}

static void ranks_come_by_their_weight(void **state)
{
    static const double exponents[] = {0.3, 0.8, 1, 1.2, 3};
    (void)state;
    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++) {
        check_law(30, exponents[i]);
        check_law(100000, exponents[i]);
    }
}

static void exponent_zero_is_uniform(void **state)
{
    (void)state;
    check_law(50, 0);
}

static void one_rank_is_always_drawn(void **state)
{
    struct zipf zipf;
    struct load_random random = {1};
    (void)state;
    zipf_init(&zipf, 1, 0.8);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zipf_draw(&zipf, &random), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_come_by_their_weight),
        cmocka_unit_test(exponent_zero_is_uniform),
        cmocka_unit_test(one_rank_is_always_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
