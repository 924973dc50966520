#include "models/algorithm/choose.h"
#include "tests/testlib/testlib.h"

#include <stdlib.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)

static const struct vt_shape shop = {20000, 5000, 200000};
static const struct vt_shape shapes[] = {
    {0, 0, 0},
    {1, 1, 1},
    {2, 2, 3},
    {900, 1700, 90000},
    {60000, 2000, 1},
    {1500, 30000, 60000},
    {40000, 40000, 700000},
    {UINT32_MAX, UINT32_MAX, UINT64_C(1) << 40},
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

static struct vt_choice choose(const struct vt_shape *shape, uint64_t memory_bytes)
{
    struct vt_choice choice;
    vt_choose_by_data(shape, memory_bytes, &choice);
    return choice;
}

/* The value of a setting; NULL: the recipe does not have it. */
static const char *setting_of(const struct vt_choice *choice, const char *key)
{
    const size_t len = strlen(key);
    for (uint32_t i = 0; i < choice->recipe.n_settings; i++)
        if (strncmp(choice->recipe.settings[i], key, len) == 0 &&
            choice->recipe.settings[i][len] == '=')
            return choice->recipe.settings[i] + len + 1;
    return NULL;
}

static void a_shop_gets_a_blend_and_a_reason(void **state)
{
    (void)state;
    const struct vt_choice choice = choose(&shop, 4 * GIB);
    assert_string_equal(choice.recipe.algorithm, "blend");
    assert_string_equal(setting_of(&choice, "ease"), "1");
    assert_non_null(strstr(choice.line, "20000 customers and 5000 items"));
    assert_non_null(strstr(choice.line, "0.2 %"));
    assert_non_null(strstr(choice.line, "--algorithm NAME"));
    assert_non_null(strstr(choice.note, "0.2 %"));
    assert_true(choice.core_seconds > 0);
}

static void every_recipe_can_be_set_and_fits_its_texts(void **state)
{
    (void)state;
    static const uint64_t memories[] = {0, 1, GIB / 16, GIB, 64 * GIB, UINT64_MAX};
    for (size_t s = 0; s < N_SHAPES; s++)
        for (size_t m = 0; m < sizeof memories / sizeof memories[0]; m++) {
            const struct vt_choice choice = choose(&shapes[s], memories[m]);
            const struct vt_algorithm *algorithm;
            struct vt_algorithm_options options;
            vt_algorithm_options_default(&options);
            assert_ok(vt_settled_apply(&choice.recipe, NULL, &algorithm, &options));
            assert_true(vt_algorithm_serves(algorithm));
            assert_true(strlen(choice.line) < VT_CHOICE_LINE_BYTES - 1);
            assert_true(strlen(choice.note) < VT_CHOICE_NOTE_BYTES - 1);
            assert_non_null(strstr(choice.line, "otherwise"));
        }
}

/* What little memory allows is a part of what much allows. */
static void less_memory_never_chooses_what_needs_more(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SHAPES; s++) {
        uint64_t before = UINT64_MAX;
        for (uint64_t memory = 64 * GIB; memory > 0; memory /= 2) {
            const uint64_t need = choose(&shapes[s], memory).memory_bytes;
            assert_true(need <= before);
            before = need;
        }
    }
}

static void what_does_not_fit_is_left_out_and_told(void **state)
{
    (void)state;
    const struct vt_choice whole = choose(&shop, 4 * GIB);
    const struct vt_choice exact = choose(&shop, 2 * whole.memory_bytes);
    const struct vt_choice less = choose(&shop, 2 * whole.memory_bytes - 2);
    assert_true(exact.memory_bytes == whole.memory_bytes);
    assert_true(less.memory_bytes < whole.memory_bytes);
    assert_null(strstr(exact.line, "more families"));
    assert_non_null(strstr(less.line, "more families would take"));
    assert_non_null(strstr(less.note, "a larger blend does not fit"));
}

static void without_memory_for_any_blend_factors_become_fewer(void **state)
{
    (void)state;
    const struct vt_choice choice = choose(&shop, GIB / 100);
    assert_string_equal(choice.recipe.algorithm, "ials");
    assert_true(atoi(setting_of(&choice, "factors")) < 64);
    assert_true(atoi(setting_of(&choice, "factors")) >= 8);
}

static void what_would_take_hours_is_left_out(void **state)
{
    (void)state;
    const struct vt_shape huge = {20000000, 200000, 1000000000};
    const struct vt_choice choice = choose(&huge, 1024 * GIB);
    assert_string_equal(choice.recipe.algorithm, "ials");
    assert_non_null(strstr(choice.line, "core seconds of"));
}

static void fewer_pairs_a_customer_are_regularised_more(void **state)
{
    (void)state;
    double before = 1;
    for (uint64_t pairs = 1; pairs <= 256; pairs *= 2) {
        const struct vt_shape shape = {1000, 500, 1000 * pairs};
        const struct vt_choice choice = choose(&shape, 4 * GIB);
        const double now = atof(setting_of(&choice, "ials.regularization"));
        assert_true(now <= before && now >= 0.01);
        before = now;
    }
    assert_true(before < 0.011);
}

/* A day's events more: the gate would have to train the recipe before beside it. */
static void a_little_more_data_is_the_same_recipe(void **state)
{
    (void)state;
    const struct vt_shape more = {20100, 5003, 201500};
    const struct vt_choice a = choose(&shop, 4 * GIB), b = choose(&more, 4 * GIB);
    assert_int_equal(a.recipe.n_settings, b.recipe.n_settings);
    for (uint32_t i = 0; i < a.recipe.n_settings; i++)
        assert_string_equal(a.recipe.settings[i], b.recipe.settings[i]);
}

static void what_is_stated_counts_else_at_most_4_gib(void **state)
{
    (void)state;
    assert_true(vt_choice_memory_bytes(7 * GIB, GIB) == 7 * GIB);
    assert_true(vt_choice_memory_bytes(0, GIB) == GIB);
    assert_true(vt_choice_memory_bytes(0, 64 * GIB) == 4 * GIB);
}

/* ---- by words ---- */

static const char *named_by(const char *name, const char *setting, struct vt_diag *diag)
{
    const struct vt_algorithm *algorithm = NULL;
    struct vt_algorithm_options options;
    vt_algorithm_options_default(&options);
    const struct vt_err err =
        vt_choose_by_words(name, &setting, setting != NULL ? 1 : 0, diag, &options, &algorithm);
    if (vt_failed(err))
        return "refused";
    return algorithm != NULL ? vt_algorithm_name(algorithm) : "the data";
}

static void settings_say_whose_they_are(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    assert_string_equal(named_by(NULL, NULL, &diag), "the data");
    assert_string_equal(named_by("itemcf", NULL, &diag), "itemcf");
    assert_string_equal(named_by(NULL, "factors=8", &diag), "ials");
    assert_string_equal(named_by(NULL, "regularization=0.1", &diag), "ials");
    assert_string_equal(named_by(NULL, "ials.factors=8", &diag), "blend");
    assert_string_equal(named_by(NULL, "seconds=30", &diag), "auto");
}

static void wrong_words_are_refused_with_the_nearest(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    assert_string_equal(named_by("isla", NULL, &diag), "refused");
    assert_non_null(strstr(diag.text, "unknown algorithm"));
    assert_string_equal(named_by(NULL, "factor=8", &diag), "refused");
    assert_non_null(strstr(diag.text, "'factors'"));
    assert_string_equal(named_by(NULL, "factors=0", &diag), "refused");
    assert_string_equal(named_by("itemcf", "factors=8", &diag), "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shop_gets_a_blend_and_a_reason),
        cmocka_unit_test(every_recipe_can_be_set_and_fits_its_texts),
        cmocka_unit_test(less_memory_never_chooses_what_needs_more),
        cmocka_unit_test(what_does_not_fit_is_left_out_and_told),
        cmocka_unit_test(without_memory_for_any_blend_factors_become_fewer),
        cmocka_unit_test(what_would_take_hours_is_left_out),
        cmocka_unit_test(fewer_pairs_a_customer_are_regularised_more),
        cmocka_unit_test(a_little_more_data_is_the_same_recipe),
        cmocka_unit_test(what_is_stated_counts_else_at_most_4_gib),
        cmocka_unit_test(settings_say_whose_they_are),
        cmocka_unit_test(wrong_words_are_refused_with_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
