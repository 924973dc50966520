#include "models/tune/halving.h"
#include "models/tune/journal.h"
#include "models/tune/space.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Trial t is worth t at the first rung and less the higher t is above 20 at the last. */
struct world {
    struct vt_tune_journal *journal; /* NULL: none */
    uint32_t n_measured, stop_after; /* 0: never */
};

static double worth(uint32_t trial, uint32_t rung)
{
    return rung == 0 ? (double)trial : 100 - fabs((double)trial - 20);
}

static struct vt_err measure(void *ctx, uint32_t trial, uint32_t rung, struct vt_diag *diag,
                             double *ret_value, bool *ret_stop)
{
    struct world *world = ctx;
    (void)diag;
    if (world->journal != NULL && vt_tune_journal_has(world->journal, trial, rung, ret_value))
        return vt_ok();
    *ret_stop = world->stop_after > 0 && world->n_measured >= world->stop_after;
    if (*ret_stop)
        return vt_ok();
    world->n_measured++;
    *ret_value = trial == 26 ? (double)NAN : worth(trial, rung);
    const struct vt_tune_result result = {trial, rung, *ret_value};
    return world->journal != NULL ? vt_tune_journal_add(world->journal, &result) : vt_ok();
}

static struct vt_tune_result halve(struct world *world)
{
    const struct vt_tune_options options = {.n_trials = 27, .measure = measure, .ctx = world};
    struct vt_tune_result best = {0};
    assert_ok(vt_tune_halve(&options, NULL, &best));
    return best;
}

static void a_third_of_each_rung_goes_on(void **state)
{
    (void)state;
    struct world world = {0};
    const struct vt_tune_result best = halve(&world);
    assert_int_equal(world.n_measured, 27 + 9 + 3);
    assert_int_equal(best.trial, 20); /* 17 … 25 reach rung 1; 26 failed */
    assert_int_equal(best.rung, VT_TUNE_RUNGS - 1);
}

static void the_last_rung_decides_and_not_a_cheap_one(void **state)
{
    (void)state;
    struct world world = {.stop_after = 27};
    assert_int_equal(halve(&world).trial, 25); /* only rung 0 was reached */
}

static void too_few_and_too_many_trials_are_refused(void **state)
{
    (void)state;
    struct world world = {.stop_after = 0};
    struct vt_tune_options options = {.n_trials = 0, .measure = measure, .ctx = &world};
    struct vt_tune_result best;
    assert_code(vt_tune_halve(&options, NULL, &best), VT_INVALID);
    options.n_trials = VT_TUNE_TRIALS_MAX + 1;
    assert_code(vt_tune_halve(&options, NULL, &best), VT_INVALID);
}

static char path[] = "/tmp/vitrine-tune-test-XXXXXX";

static void make_path(void)
{
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
}

/* Killed after any number of measurements, the second run measures the rest and comes to the same.
 */
static void a_killed_tuning_goes_on_to_the_same_result(void **state)
{
    (void)state;
    static const uint32_t kills[] = {1, 13, 27, 30, 38};
    struct world whole = {0};
    const struct vt_tune_result wanted = halve(&whole);
    for (size_t i = 0; i < sizeof kills / sizeof kills[0]; i++) {
        struct vt_tune_journal journal = {0};
        make_path();
        assert_ok(vt_tune_journal_open(path, "about", NULL, &journal));
        struct world first = {.journal = &journal, .stop_after = kills[i]};
        halve(&first);
        vt_tune_journal_close(&journal);
        assert_ok(vt_tune_journal_open(path, "about", NULL, &journal));
        struct world second = {.journal = &journal};
        const struct vt_tune_result got = halve(&second);
        assert_int_equal(got.trial, wanted.trial);
        assert_int_equal(got.rung, wanted.rung);
        assert_int_equal(second.n_measured, whole.n_measured - kills[i]);
        vt_tune_journal_close(&journal);
        unlink(path);
    }
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_line_cut_short_is_dropped_and_a_wrong_one_refused(void **state)
{
    (void)state;
    struct vt_tune_journal journal = {0};
    struct vt_diag diag = {0};
    double value;
    make_path();
    write_text("about\n3 1 0x1.8p-2\n4 0 0x1");
    assert_ok(vt_tune_journal_open(path, "about", &diag, &journal));
    assert_int_equal(journal.n, 1);
    assert_true(vt_tune_journal_has(&journal, 3, 1, &value) && fabs(value - 0.375) < 1e-15);
    assert_false(vt_tune_journal_has(&journal, 4, 0, &value));
    vt_tune_journal_close(&journal);
    static const char *const damaged[] = {"about\n3 1\n",
                                          "about\n3 9 1\n",
                                          "about\n1000 0 1\n",
                                          "about\nx\n",
                                          "about\n1 1 1z\n",
                                          "about\n1 1 inf\n",
                                          "about\n1 1 0x1p-1\n1 1 0x1p-2\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        write_text(damaged[i]);
        assert_code(vt_tune_journal_open(path, "about", &diag, &journal), VT_CORRUPT);
    }
    unlink(path);
}

static void a_file_that_is_no_journal_is_refused_and_left_alone(void **state)
{
    (void)state;
    static const char *const others[] = {"of something else\n", "ab and a poem", "about that\n",
                                         "about 1\n0 0 0x1p-1\n"};
    struct vt_tune_journal journal = {0};
    make_path();
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct vt_diag diag = {0};
        char left[64] = "";
        write_text(others[i]);
        assert_code(vt_tune_journal_open(path, "about", &diag, &journal), VT_INVALID);
        assert_non_null(strstr(diag.text, "--out"));
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fread(left, 1, sizeof left, file), strlen(others[i]));
        fclose(file);
        assert_string_equal(left, others[i]);
    }
    unlink(path);
}

static void a_first_line_cut_short_begins_anew_and_a_second_tuning_waits(void **state)
{
    (void)state;
    struct vt_tune_journal journal = {0}, second = {0};
    struct vt_diag diag = {0};
    make_path();
    write_text("abo");
    assert_ok(vt_tune_journal_open(path, "about", NULL, &journal));
    assert_int_equal(journal.n, 0);
    assert_code(vt_tune_journal_open(path, "about", &diag, &second), VT_UNAVAILABLE);
    assert_non_null(strstr(diag.text, "another tuning"));
    assert_ok(vt_tune_journal_add(&journal, &(struct vt_tune_result){1, 2, 0.5}));
    vt_tune_journal_close(&journal);
    assert_ok(vt_tune_journal_open(path, "about", NULL, &journal));
    assert_int_equal(journal.n, 1);
    vt_tune_journal_close(&journal);
    unlink(path);
}

static void trials_are_seeded_and_trial_0_is_the_defaults(void **state)
{
    (void)state;
    static const char *const families[] = {"ials", "ease", "graph", "sharpened", "itemcf"};
    char a[VT_TUNE_AXES_MAX][VT_TUNE_SETTING_BYTES], b[VT_TUNE_AXES_MAX][VT_TUNE_SETTING_BYTES];
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        const struct vt_tune_axis *axes = vt_tune_space(families[f]);
        assert_non_null(axes);
        assert_int_equal(vt_tune_trial(axes, 0, 1, a), 0);
        const uint32_t n = vt_tune_trial(axes, 5, 1, a);
        assert_true(n > 0);
        assert_int_equal(vt_tune_trial(axes, 5, 1, b), n);
        for (uint32_t i = 0; i < n; i++) {
            assert_string_equal(a[i], b[i]);
            assert_memory_equal(a[i], axes[i].key, strlen(axes[i].key));
        }
    }
    assert_null(vt_tune_space("popularity"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_third_of_each_rung_goes_on),
        cmocka_unit_test(the_last_rung_decides_and_not_a_cheap_one),
        cmocka_unit_test(too_few_and_too_many_trials_are_refused),
        cmocka_unit_test(a_killed_tuning_goes_on_to_the_same_result),
        cmocka_unit_test(a_line_cut_short_is_dropped_and_a_wrong_one_refused),
        cmocka_unit_test(a_file_that_is_no_journal_is_refused_and_left_alone),
        cmocka_unit_test(a_first_line_cut_short_begins_anew_and_a_second_tuning_waits),
        cmocka_unit_test(trials_are_seeded_and_trial_0_is_the_defaults),
    };
    return cmocka_run_group_tests_name("tune/tune", tests, NULL, NULL);
}
