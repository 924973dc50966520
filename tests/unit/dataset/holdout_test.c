/* What is held out, by whom, and that nothing is lost or doubled. */
#include "models/dataset/holdout.h"
#include "tests/testlib/testlib.h"

#include <stdlib.h>

enum { USERS = 500, ITEMS = 40 };

/* User u has items u mod 7, u mod 7 + 1 …, up to 20 of them; every fifth is a dislike. */
static struct vt_sparse some_matrix(void)
{
    struct vt_sparse matrix = {.n_rows = USERS, .n_cols = ITEMS};
    matrix.starts = calloc(USERS + 1, sizeof *matrix.starts);
    matrix.columns = calloc(USERS * ITEMS, sizeof *matrix.columns);
    matrix.values = calloc(USERS * ITEMS, sizeof *matrix.values);
    for (uint32_t user = 0; user < USERS; user++) {
        for (uint32_t i = 0; i < user % 21; i++) {
            matrix.columns[matrix.n_entries] = user % 7 + i;
            matrix.values[matrix.n_entries++] = i % 5 == 4 ? -1 : 2;
        }
        matrix.starts[user + 1] = matrix.n_entries;
    }
    return matrix;
}

static void both_parts_together_are_the_matrix(void **state)
{
    (void)state;
    struct vt_sparse matrix = some_matrix(), train, test;
    struct vt_holdout_options options = {.share = 0.3, .users_max = USERS, .seed = 1};
    assert_ok(vt_holdout_make(&matrix, &options, &train, &test));
    assert_int_equal(train.n_entries + test.n_entries, matrix.n_entries);
    assert_in_range(test.n_entries, matrix.n_entries / 8, matrix.n_entries / 3);
    for (uint32_t user = 0; user < USERS; user++) {
        uint64_t a = train.starts[user], b = test.starts[user];
        for (uint64_t e = matrix.starts[user]; e < matrix.starts[user + 1]; e++) {
            bool held_out = b < test.starts[user + 1] && test.columns[b] == matrix.columns[e];
            if (held_out)
                assert_true(matrix.values[e] > 0 && test.values[b++] > 0);
            else
                assert_int_equal(train.columns[a++], matrix.columns[e]);
        }
        assert_int_equal(a, train.starts[user + 1]);
        assert_true(matrix.starts[user + 1] == matrix.starts[user] || a > train.starts[user]);
    }
    vt_sparse_free(&matrix);
    vt_sparse_free(&train);
    vt_sparse_free(&test);
}

static void about_as_many_users_are_chosen_as_asked(void **state)
{
    (void)state;
    struct vt_sparse matrix = some_matrix(), train, test;
    struct vt_holdout_options options = {.share = 0.9, .users_max = USERS / 5, .seed = 3};
    assert_ok(vt_holdout_make(&matrix, &options, &train, &test));
    uint32_t n = 0;
    for (uint32_t user = 0; user < USERS; user++)
        n += test.starts[user + 1] > test.starts[user];
    assert_in_range(n, USERS / 10, USERS / 3);
    vt_sparse_free(&matrix);
    vt_sparse_free(&train);
    vt_sparse_free(&test);
}

static void another_seed_holds_out_others(void **state)
{
    (void)state;
    struct vt_sparse matrix = some_matrix(), train, test[2];
    for (uint32_t s = 0; s < 2; s++) {
        struct vt_holdout_options options = {.share = 0.5, .users_max = USERS, .seed = s};
        assert_ok(vt_holdout_make(&matrix, &options, &train, &test[s]));
        vt_sparse_free(&train);
    }
    uint64_t n_alike = 0,
             n = test[0].n_entries < test[1].n_entries ? test[0].n_entries : test[1].n_entries;
    for (uint64_t e = 0; e < n; e++)
        n_alike += test[0].columns[e] == test[1].columns[e];
    assert_true(n_alike < n / 2);
    vt_sparse_free(&matrix);
    vt_sparse_free(&test[0]);
    vt_sparse_free(&test[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_parts_together_are_the_matrix),
        cmocka_unit_test(about_as_many_users_are_chosen_as_asked),
        cmocka_unit_test(another_seed_holds_out_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
