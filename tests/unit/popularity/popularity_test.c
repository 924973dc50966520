/* What counts as popular, on a matrix small enough to add up by hand. */
#include "models/popularity/popularity.h"
#include "tests/testlib/testlib.h"

enum { N_USERS = 3, N_ITEMS = 4, N_ENTRIES = 5 };

/* Item 0: one customer who bought it a hundred times. 1: two who bought it. 2: one who bought and
 * one who only looked. 3: nobody. */
static uint64_t starts[N_USERS + 1] = {0, 1, 3, 5};
static uint32_t columns[N_ENTRIES] = {0, 1, 2, 1, 2};
static float values[N_ENTRIES] = {100, 1, 1, 1, .25F};
static const struct vt_sparse matrix = {.n_rows = N_USERS,
                                        .n_cols = N_ITEMS,
                                        .n_entries = N_ENTRIES,
                                        .starts = starts,
                                        .columns = columns,
                                        .values = values};

static void a_confidence_adds_its_share_of_one_customer(void **state)
{
    (void)state;
    float popularity[N_ITEMS];
    assert_ok(vt_popularity_train(&matrix, popularity));
    assert_true(popularity[0] == (float)(100.0 / 101));
    assert_true(popularity[1] == 1.0F);
    assert_true(popularity[2] == (float)(.5 + .2));
    assert_true(popularity[3] == 0.0F);
}

static void two_customers_outweigh_one_who_buys_for_ever(void **state)
{
    (void)state;
    float popularity[N_ITEMS];
    assert_ok(vt_popularity_train(&matrix, popularity));
    assert_true(popularity[1] > popularity[0]);
}

static void without_entries_nothing_is_popular(void **state)
{
    (void)state;
    static uint64_t no_starts[1];
    struct vt_sparse empty = {.n_cols = 2, .starts = no_starts};
    float popularity[2] = {5, 5};
    assert_ok(vt_popularity_train(&empty, popularity));
    assert_true(popularity[0] == 0.0F && popularity[1] == 0.0F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_confidence_adds_its_share_of_one_customer),
        cmocka_unit_test(two_customers_outweigh_one_who_buys_for_ever),
        cmocka_unit_test(without_entries_nothing_is_popular),
    };
    return cmocka_run_group_tests_name("popularity/popularity", tests, NULL, NULL);
}
