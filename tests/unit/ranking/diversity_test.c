/* What diversity does to an order, worked out by hand on five items of three directions. */
#include "services/ranking/diversity.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"

#include <math.h>

/* The items of content_init, and how the blend scored them: 1, 3 and 4 are of one kind. */
static const double scores[CONTENT_ITEMS] = {1, .95, .9, .6, .5};
static const unsigned directions[CONTENT_ITEMS] = {0, 0, 0, 1, 2};

static char *folder;
static struct vt_bundle *bundle;
static struct vt_candidate candidates[CONTENT_ITEMS];
static struct vt__scored scored[CONTENT_ITEMS];

static int begin(void **state)
{
    (void)state;
    struct content content;
    content_init(&content, "v1");
    for (unsigned row = 0; row < CONTENT_ITEMS; row++) {
        for (unsigned i = 0; i < CONTENT_DIM; i++)
            content.factors[row * CONTENT_STRIDE + i] = 0;
        content.factors[row * CONTENT_STRIDE + directions[row]] = (float)(1U << row);
        candidates[row] = (struct vt_candidate){.item = content.numbers[row]};
        scored[row] = (struct vt__scored){.candidate = &candidates[row], .score = scores[row]};
    }
    folder = vt_test_folder_new();
    assert_ok(vt_bundle_write(folder, &content.view, NULL));
    return vt_failed(vt_bundle_open(folder, "v1", true, NULL, &bundle));
}

static int end(void **state)
{
    (void)state;
    vt_bundle_release(bundle);
    vt_test_folder_remove(folder);
    return 0;
}

static void assert_order(const uint32_t *items, uint32_t n)
{
    for (uint32_t place = 0; place < n; place++) {
        assert_int_equal(scored[place].candidate->item, items[place]);
        assert_true(place == 0 || scored[place].score <= scored[place - 1].score);
    }
}

/* Place 2: (1 − λ)·.95 for another of the first's kind against (1 − λ)·.6 + λ for a new one. */
static void each_level_moves_other_kinds_further_up(void **state)
{
    static const uint32_t orders[][CONTENT_ITEMS] = {
        [1] = {1, 3, 4, 7, 1000},
        [2] = {1, 3, 4, 7, 1000}, /* λ .1: .855 and .81 against .64 */
        [3] = {1, 3, 7, 4, 1000}, /* λ .25: .7125, then .675 against .7 */
        [4] = {1, 7, 1000, 3, 4}, /* λ .45: .5225 against .78 and .725 */
    };
    for (unsigned level = 1; level <= 4; level++) {
        (void)begin(state);
        assert_int_equal(vt__diversify(scored, CONTENT_ITEMS, CONTENT_ITEMS, level, bundle),
                         CONTENT_ITEMS);
        assert_order(orders[level], CONTENT_ITEMS);
        (void)end(state);
    }
}

static void a_low_level_still_tells_near_ties_apart(void **state)
{
    (void)state;
    scored[3].score = .9; /* 7: .9·.9 + .1 = .91 against .855 */
    assert_int_equal(vt__diversify(scored, CONTENT_ITEMS, 2, 2, bundle), 2);
    assert_order((const uint32_t[]){1, 7}, 2);
}

static void without_a_model_the_order_is_that_of_the_scores(void **state)
{
    (void)state;
    assert_int_equal(vt__diversify(scored, CONTENT_ITEMS, 3, 4, NULL), 3);
    assert_order((const uint32_t[]){1, 3, 4}, 3);
}

/* Items newer than the model are like nothing it knows. */
static void an_item_without_a_row_is_unlike_all_others(void **state)
{
    (void)state;
    candidates[4].item = 2000;
    assert_int_equal(vt__diversify(scored, CONTENT_ITEMS, 3, 4, bundle), 3);
    assert_order((const uint32_t[]){1, 7, 2000}, 3);
}

static void equal_items_stand_by_number(void **state)
{
    (void)state;
    scored[1].score = scored[2].score = 1;
    assert_int_equal(vt__diversify(scored, CONTENT_ITEMS, 3, 2, bundle), 3);
    assert_order((const uint32_t[]){1, 3, 4}, 3);
}

/* ---- random lists against plain greedy selection ---- */

enum { MANY = 90, MANY_DIM = 3, ROUNDS = 200 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 16;
}

static long double plain_cosine(const float *a, const float *b)
{
    long double dot = 0, aa = 0, bb = 0;
    for (int i = 0; i < MANY_DIM; i++) {
        dot += (long double)a[i] * b[i];
        aa += (long double)a[i] * a[i];
        bb += (long double)b[i] * b[i];
    }
    return dot / sqrtl(aa * bb);
}

/* Every value anew for every place. */
static void plain_greedy(const float *factors, const double *values, uint32_t n, double lambda,
                         uint32_t *ret_items)
{
    bool used[MANY] = {false};
    for (uint32_t place = 0; place < n; place++) {
        uint32_t best = UINT32_MAX;
        long double best_value = 0;
        for (uint32_t i = 0; i < MANY; i++) {
            long double nearest = 0;
            for (uint32_t p = 0; p < place; p++)
                nearest = fmaxl(
                    nearest, plain_cosine(factors + (size_t)i * CONTENT_STRIDE,
                                          factors + (size_t)(ret_items[p] - 1) * CONTENT_STRIDE));
            long double value = (1 - lambda) * values[i] + lambda * (1 - nearest);
            if (!used[i] && (best == UINT32_MAX || value > best_value)) {
                best = i;
                best_value = value;
            }
        }
        used[best] = true;
        ret_items[place] = best + 1;
    }
}

static void lists_are_those_of_plain_greedy_selection(void **state)
{
    (void)state;
    static _Alignas(64) float factors[MANY * CONTENT_STRIDE];
    static struct vt_candidate many[MANY];
    static struct vt__scored list[MANY];
    uint32_t numbers[MANY], random = 5, wanted[MANY];
    float popularity[MANY];
    double gram[MANY_DIM * MANY_DIM] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, values[MANY];
    for (uint32_t i = 0; i < MANY; i++) {
        numbers[i] = i + 1;
        popularity[i] = 1;
        for (int d = 0; d < MANY_DIM; d++)
            factors[i * CONTENT_STRIDE + (size_t)d] = (float)next_random(&random) / 32768 - 1;
    }
    struct vt_bundle_view view = {.version = "many",
                                  .parent = "",
                                  .algorithm = "ials",
                                  .blas = "",
                                  .n_items = MANY,
                                  .item_numbers = numbers,
                                  .dim = MANY_DIM,
                                  .factor_stride = CONTENT_STRIDE,
                                  .item_factors = factors,
                                  .gram = gram,
                                  .regularization = .1,
                                  .unobserved_weight = .1,
                                  .popularity = popularity};
    struct vt_bundle *of_many = NULL;
    assert_ok(vt_bundle_write(folder, &view, NULL));
    assert_ok(vt_bundle_open(folder, "many", true, NULL, &of_many));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        static const double lambdas[] = {0, .1, .25, .45};
        unsigned level = 1 + round % 4;
        for (uint32_t i = 0; i < MANY; i++) {
            values[i] = (double)next_random(&random) / 65536;
            many[i] = (struct vt_candidate){.item = i + 1};
            list[i] = (struct vt__scored){.candidate = &many[i], .score = values[i]};
        }
        const uint32_t n = 20; /* the pool of 2·20 + 50 holds them all */
        plain_greedy(factors, values, n, lambdas[level - 1], wanted);
        assert_int_equal(vt__diversify(list, MANY, n, level, of_many), n);
        for (uint32_t place = 0; place < n; place++)
            assert_int_equal(list[place].candidate->item, wanted[place]);
    }
    vt_bundle_release(of_many);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_moves_other_kinds_further_up),
        CASE(a_low_level_still_tells_near_ties_apart),
        CASE(without_a_model_the_order_is_that_of_the_scores),
        CASE(an_item_without_a_row_is_unlike_all_others),
        CASE(equal_items_stand_by_number),
        CASE(lists_are_those_of_plain_greedy_selection),
    };
    return cmocka_run_group_tests_name("ranking/diversity", tests, NULL, NULL);
}
