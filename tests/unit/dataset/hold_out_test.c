#include "models/dataset/hold_out.h"
#include "models/dataset/split.h"
#include "tests/testlib/testlib.h"

enum { USERS = 40, ITEMS = 30 };

/* User u has items u, u + 1 … of u % 7 entries; every fifth entry is a dislike. */
static struct vt_sparse make_matrix(void)
{
    static uint64_t starts[USERS + 1];
    static uint32_t columns[USERS * 7];
    static float values[USERS * 7];
    uint64_t n = 0;
    for (uint32_t user = 0; user < USERS; user++) {
        for (uint32_t i = 0; i < user % 7; i++, n++) {
            columns[n] = user % 20 + i;
            values[n] = n % 5 == 4 ? -1.0F : 2.0F;
        }
        starts[user + 1] = n;
    }
    return (struct vt_sparse){USERS, ITEMS, n, starts, columns, values};
}

static void no_entry_is_in_both_parts_and_none_is_lost(void **state)
{
    (void)state;
    const struct vt_sparse matrix = make_matrix();
    const struct vt_hold_out_options options = {.share = 0.3, .seed = 3};
    struct vt_hold_out parts;
    assert_ok(vt_hold_out_make(&matrix, &options, &parts));
    assert_int_equal(parts.fit.n_entries + parts.held.n_entries, matrix.n_entries);
    assert_true(parts.held.n_entries > 0);
    for (uint32_t user = 0; user < USERS; user++)
        for (uint64_t e = matrix.starts[user]; e < matrix.starts[user + 1]; e++) {
            bool fits = vt_sparse_has(&parts.fit, user, matrix.columns[e]);
            bool held = vt_sparse_has(&parts.held, user, matrix.columns[e]);
            assert_true(fits != held);
            assert_false(held && matrix.values[e] < 0);
        }
    vt_hold_out_free(&parts);
}

static void everybody_who_is_asked_keeps_something_and_gives_something(void **state)
{
    (void)state;
    const struct vt_sparse matrix = make_matrix();
    static const double shares[] = {0.001, 0.5, 0.999};
    for (size_t s = 0; s < sizeof shares / sizeof shares[0]; s++) {
        const struct vt_hold_out_options options = {.share = shares[s], .seed = 1};
        struct vt_hold_out parts;
        assert_ok(vt_hold_out_make(&matrix, &options, &parts));
        for (uint32_t user = 0; user < USERS; user++) {
            uint32_t wanted = 0;
            for (uint64_t e = matrix.starts[user]; e < matrix.starts[user + 1]; e++)
                wanted += matrix.values[e] > 0;
            uint64_t n_held = parts.held.starts[user + 1] - parts.held.starts[user];
            assert_true(wanted < 2 ? n_held == 0 : n_held >= 1 && n_held < wanted);
        }
        vt_hold_out_free(&parts);
    }
}

static void no_more_users_than_wanted_are_asked(void **state)
{
    (void)state;
    const struct vt_sparse matrix = make_matrix();
    const struct vt_hold_out_options options = {.share = 0.3, .users_max = 5, .seed = 3};
    struct vt_hold_out parts;
    uint32_t n_asked = 0;
    assert_ok(vt_hold_out_make(&matrix, &options, &parts));
    for (uint32_t user = 0; user < USERS; user++)
        n_asked += parts.held.starts[user + 1] > parts.held.starts[user];
    assert_int_equal(n_asked, 5);
    vt_hold_out_free(&parts);
}

static void shares_that_hold_nothing_or_all_are_refused(void **state)
{
    (void)state;
    const struct vt_sparse matrix = make_matrix();
    static const double shares[] = {0, 1, -1, 2};
    struct vt_hold_out parts;
    for (size_t s = 0; s < sizeof shares / sizeof shares[0]; s++) {
        const struct vt_hold_out_options options = {.share = shares[s]};
        assert_code(vt_hold_out_make(&matrix, &options, &parts), VT_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_entry_is_in_both_parts_and_none_is_lost),
        cmocka_unit_test(everybody_who_is_asked_keeps_something_and_gives_something),
        cmocka_unit_test(no_more_users_than_wanted_are_asked),
        cmocka_unit_test(shares_that_hold_nothing_or_all_are_refused),
    };
    return cmocka_run_group_tests_name("dataset/hold_out", tests, NULL, NULL);
}
