/* Draws against the moments of their distribution, and propensities against how often arms win. */
#include "services/ranking/explore.h"
#include "tests/testlib/testlib.h"

#include <math.h>

enum { DRAWS = 200000, ROUNDS = 20000 };

static void draws_have_the_moments_of_their_beta(void **state)
{
    (void)state;
    static const double shapes[][2] = {{1, 1}, {1, 20}, {5, 20}, {40, 3}};
    struct vt__random random = {7};
    for (size_t row = 0; row < sizeof shapes / sizeof shapes[0]; row++) {
        double a = shapes[row][0], b = shapes[row][1], sum = 0, squares = 0;
        for (int i = 0; i < DRAWS; i++) {
            double x = vt__random_beta(&random, a, b);
            assert_true(x >= 0 && x <= 1);
            sum += x;
            squares += x * x;
        }
        double mean = sum / DRAWS, variance = squares / DRAWS - mean * mean;
        double wanted = a * b / ((a + b) * (a + b) * (a + b + 1));
        /* Five standard errors of the mean; 3 % of the variance. */
        assert_true(fabs(mean - a / (a + b)) < 5 * sqrt(wanted / DRAWS));
        assert_true(fabs(variance - wanted) < .03 * wanted);
    }
}

static void set_arms(struct vt__exploration *exploration, struct vt_candidate *candidates,
                     const double (*shapes)[2], uint32_t n)
{
    exploration->n_arms = n;
    for (uint32_t i = 0; i < n; i++) {
        candidates[i] = (struct vt_candidate){.item = 100 + i};
        exploration->arms[i] = (struct vt__arm){&candidates[i], shapes[i][0], shapes[i][1]};
    }
}

static void propensities_are_how_often_an_arm_wins(void **state)
{
    (void)state;
    static const double shapes[][2] = {{1, 20}, {2, 20}, {6, 20}, {1, 200}, {30, 20}};
    enum { N = sizeof shapes / sizeof shapes[0] };
    struct vt_candidate candidates[N];
    double propensities[N], sum = 0, ignored;
    uint32_t wins[N] = {0};
    struct vt__exploration exploration = {.random = {3}};
    for (int round = 0; round < ROUNDS; round++) {
        set_arms(&exploration, candidates, shapes, N);
        wins[vt__exploration_draw(&exploration, false, &ignored) - 100]++;
        assert_int_equal(exploration.n_arms, N - 1);
    }
    set_arms(&exploration, candidates, shapes, N);
    vt__thompson_propensities(exploration.arms, N, propensities);
    for (int i = 0; i < N; i++) {
        double rate = (double)wins[i] / ROUNDS;
        sum += propensities[i];
        assert_true(fabs(propensities[i] - rate) < 5 * sqrt(.25 / ROUNDS));
    }
    assert_float_equal(sum, 1, 1e-12);
}

static void arms_that_are_alike_have_equal_chances(void **state)
{
    (void)state;
    struct vt__arm arms[VT_EXPLORE_ARMS_MAX];
    double propensities[VT_EXPLORE_ARMS_MAX];
    for (uint32_t i = 0; i < VT_EXPLORE_ARMS_MAX; i++)
        arms[i] = (struct vt__arm){.wins = 1, .misses = 20};
    vt__thompson_propensities(arms, VT_EXPLORE_ARMS_MAX, propensities);
    for (uint32_t i = 0; i < VT_EXPLORE_ARMS_MAX; i++)
        assert_float_equal(propensities[i], 1. / VT_EXPLORE_ARMS_MAX, 1e-12);
    vt__thompson_propensities(arms, 1, propensities);
    assert_float_equal(propensities[0], 1, 0);
}

static void the_draw_says_the_probability_of_its_own_choice(void **state)
{
    (void)state;
    static const double shapes[][2] = {{3, 20}, {3, 20}};
    struct vt_candidate candidates[2];
    struct vt__exploration exploration = {.random = {5}};
    double propensity = 0;
    set_arms(&exploration, candidates, shapes, 2);
    assert_true(vt__exploration_draw(&exploration, true, &propensity) >= 100);
    assert_float_equal(propensity, .5, 1e-12);
    assert_true(vt__exploration_draw(&exploration, true, &propensity) >= 100);
    assert_float_equal(propensity, 1, 0); /* only one was left */
    assert_int_equal(vt__exploration_draw(&exploration, true, &propensity), UINT32_MAX);
}

static void a_quota_below_one_place_is_kept_on_average(void **state)
{
    (void)state;
    struct vt_item_table *items = NULL;
    const struct vt_exploration options = {.quota = .1, .prior_wins = 1, .prior_misses = 20};
    uint32_t n_places = 0;
    assert_ok(vt_item_table_new(&items));
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct vt__exploration exploration;
        vt__exploration_init(&exploration, &options, &(struct vt_sight){.items = items}, 0, seed,
                             NULL, 0, 4);
        assert_true(exploration.n_places <= 1);
        n_places += exploration.n_places;
    }
    assert_true(fabs((double)n_places / ROUNDS - .4) < 5 * sqrt(.24 / ROUNDS));
    vt_item_table_free(items);
}

static void places_are_spread_and_as_many_as_there_should_be(void **state)
{
    (void)state;
    struct vt__exploration exploration = {0};
    for (uint32_t n = 1; n <= 200; n++)
        for (exploration.n_places = 0; exploration.n_places <= n / 2; exploration.n_places++) {
            uint32_t count = 0;
            for (uint32_t place = 0; place < n; place++)
                count += vt__exploration_is_place(&exploration, place, n);
            assert_int_equal(count, exploration.n_places);
            assert_true(n == 1 || exploration.n_places == 0 ||
                        !vt__exploration_is_place(&exploration, 0, n));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_have_the_moments_of_their_beta),
        cmocka_unit_test(propensities_are_how_often_an_arm_wins),
        cmocka_unit_test(arms_that_are_alike_have_equal_chances),
        cmocka_unit_test(the_draw_says_the_probability_of_its_own_choice),
        cmocka_unit_test(a_quota_below_one_place_is_kept_on_average),
        cmocka_unit_test(places_are_spread_and_as_many_as_there_should_be),
    };
    return cmocka_run_group_tests_name("ranking/explore", tests, NULL, NULL);
}
