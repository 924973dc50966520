/* The bounded list against qsort, over scores that are spread, crowded, equal and extreme. */
#include "models/index/top.h"
#include "tests/testlib/testlib.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { HITS_MAX = 3000 };

static int best_first(const void *a, const void *b)
{
    const struct vt_index_hit *x = a, *y = b;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static double uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (double)(*state >> 11) * 0x1p-53;
}

/* How scores may lie: one function a way, of a number from 0 to 1. */
static double spread(double u)
{
    return u;
}
static double descending_powers(double u)
{
    return pow(10, 300 * u - 290);
}
static double few_values(double u)
{
    return floor(u * 5) - 2;
}
static double all_equal(double u)
{
    (void)u;
    return -3.5;
}
static double one_far_away(double u)
{
    return u < 0.001 ? DBL_MAX : u;
}
static double from_end_to_end(double u)
{
    return u < 0.5 ? -DBL_MAX : DBL_MAX * u;
}
static double infinite(double u)
{
    return u < 0.3 ? -INFINITY : u > 0.8 ? INFINITY : u;
}
static double near_each_other(double u)
{
    return nextafter(1, 2) + floor(u * 3) * DBL_EPSILON;
}

static void assert_best(double (*score_of)(double), uint32_t n, uint32_t capacity, uint64_t seed)
{
    static struct vt_index_hit all[HITS_MAX], kept[HITS_MAX];
    struct vt_top top = {.hits = kept, .capacity = capacity};
    for (uint32_t i = 0; i < n; i++) {
        all[i] = (struct vt_index_hit){score_of(uniform(&seed)), i * 7919 % HITS_MAX};
        vt_top_offer(&top, all[i]);
    }
    vt_top_sort(&top);
    qsort(all, n, sizeof all[0], best_first);
    assert_int_equal(top.n, n < capacity ? n : capacity);
    for (uint32_t i = 0; i < top.n; i++) {
        assert_int_equal(kept[i].row, all[i].row);
        assert_true(!(kept[i].score < all[i].score) && !(kept[i].score > all[i].score));
    }
}

static void the_list_is_the_beginning_of_all_that_was_offered_sorted(void **state)
{
    (void)state;
    static double (*const ways[])(double) = {spread,    descending_powers, few_values,
                                             all_equal, one_far_away,      from_end_to_end,
                                             infinite,  near_each_other};
    static const uint32_t sizes[] = {0, 1, 2, 31, 32, 33, 200, 777, HITS_MAX};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++)
                assert_best(ways[way], sizes[i], sizes[j], 17 * way + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_the_beginning_of_all_that_was_offered_sorted),
    };
    return cmocka_run_group_tests_name("index/top", tests, NULL, NULL);
}
