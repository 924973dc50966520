#include "models/algorithm/algorithm.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is measured as popularity is what serves: a hundred purchases by one user weigh less than
 * two users. */
static void popularity_counts_users_as_serving_does(void **state)
{
    (void)state;
    static uint64_t starts[] = {0, 2, 4, 4};
    static uint32_t columns[] = {0, 3, 1, 3};
    static float values[] = {100, 1, 100, 1};
    const struct vt_sparse heavy = {3, 5, 4, starts, columns, values};
    struct vt_algorithm_options options;
    struct vt_trained trained;
    double scores[5];
    vt_algorithm_options_default(&options);
    const struct vt_algorithm *popularity = vt_algorithm_find("popularity", NULL);
    assert_ok(vt_algorithm_train(popularity, &heavy, &options, NULL, &trained));
    assert_ok(trained.recommender.score(trained.recommender.self, NULL, NULL, scores));
    assert_true(fabs(scores[3] - 1) < 1e-12);
    assert_true(scores[0] < scores[3] && scores[0] > 0.98);
    vt_trained_free(&trained);
}

static void wrong_settings_name_the_nearest_right_one(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    struct vt_algorithm_options options;
    const struct vt_algorithm *ials = vt_algorithm_find("ials", &diag);
    vt_algorithm_options_default(&options);
    assert_ok(vt_algorithm_set(ials, "factors=32", &diag, &options));
    assert_int_equal(options.ials.factors, 32);
    assert_code(vt_algorithm_set(ials, "factor=32", &diag, &options), VT_INVALID);
    assert_non_null(strstr(diag.text, "'factors'"));
    static const char *const wrong[] = {
        "factors",   "=3",           "factors=",          "factors=1.5",
        "factors=0", "factors=1025", "regularization=nan"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_code(vt_algorithm_set(ials, wrong[i], &diag, &options), VT_INVALID);
    assert_null(vt_algorithm_find("isla", &diag));
}

/* The list in messages is the table's. */
static void every_family_is_found_by_its_name(void **state)
{
    (void)state;
    const struct vt_algorithm *algorithm;
    for (size_t place = 0; (algorithm = vt_algorithm_at(place)) != NULL; place++) {
        const char *name = vt_algorithm_name(algorithm);
        assert_ptr_equal(vt_algorithm_find(name, NULL), algorithm);
        const char *listed = strstr(vt_algorithm_choices(), name);
        assert_non_null(listed);
        assert_true(strlen(vt_algorithm_summary(algorithm)) > 0);
    }
}

/* Linear in the data, and never nothing. */
static void needs_grow_with_the_data(void **state)
{
    (void)state;
    const struct vt_shape small = {1000, 500, 20000}, large = {10000, 5000, 200000};
    struct vt_algorithm_options options;
    const struct vt_algorithm *algorithm;
    vt_algorithm_options_default(&options);
    for (size_t place = 0; (algorithm = vt_algorithm_at(place)) != NULL; place++) {
        struct vt_need less = vt_algorithm_need(algorithm, &small, &options);
        struct vt_need more = vt_algorithm_need(algorithm, &large, &options);
        assert_true(less.gflop > 0 && less.memory_bytes > 0);
        assert_true(more.gflop > less.gflop && more.memory_bytes > less.memory_bytes);
    }
}

/* Where arithmetic is far from time, core seconds say it; a blend that finds its weights trains
 * twice. */
static void core_seconds_are_those_of_the_parts(void **state)
{
    (void)state;
    const struct vt_shape small = {1000, 500, 20000}, large = {10000, 5000, 200000};
    static const char *const names[] = {"ease", "graph", "sharpened", "itemcf", "blend"};
    struct vt_algorithm_options options;
    vt_algorithm_options_default(&options);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct vt_algorithm *algorithm = vt_algorithm_find(names[i], NULL);
        const double less = vt_algorithm_need(algorithm, &small, &options).core_seconds;
        assert_true(less > 0);
        assert_true(vt_algorithm_need(algorithm, &large, &options).core_seconds > less);
    }
    const struct vt_algorithm *blend = vt_algorithm_find("blend", NULL);
    const double found = vt_algorithm_need(blend, &small, &options).core_seconds;
    options.blend.weights = VT_BLEND_GIVEN;
    const double given = vt_algorithm_need(blend, &small, &options).core_seconds;
    assert_true(given > 0 && found >= 2 * given);
    options.ease.regularization = 100;
    assert_true(vt_algorithm_need(blend, &small, &options).core_seconds < given);
    const struct vt_algorithm *ials = vt_algorithm_find("ials", NULL);
    assert_true(vt_algorithm_need(ials, &small, &options).core_seconds <= 0);
}

struct told {
    const struct vt_algorithm *algorithm;
    struct vt_algorithm_options options;
    uint32_t n;
};

static void set_again(void *ctx, const char *key, const char *value)
{
    struct told *told = ctx;
    char setting[2 * VT_SETTING_BYTES];
    (void)snprintf(setting, sizeof setting, "%s=%s", key, value);
    /* 0 stands for "chosen from the data" where the range begins above it. */
    struct vt_err err = vt_algorithm_set(told->algorithm, setting, NULL, &told->options);
    told->n += !vt_failed(err) || strcmp(value, "0") == 0;
}

/* What a version's parameters say can be said to --set again. */
static void settings_that_are_told_can_be_set(void **state)
{
    (void)state;
    struct vt_algorithm_options options;
    struct told told;
    vt_algorithm_options_default(&options);
    for (size_t place = 0; (told.algorithm = vt_algorithm_at(place)) != NULL; place++) {
        struct told counted = {.algorithm = told.algorithm};
        vt_algorithm_options_default(&counted.options);
        vt_algorithm_settings(counted.algorithm, &options, set_again, &counted);
        assert_memory_equal(&counted.options.ials, &options.ials, sizeof options.ials);
    }
    const struct vt_settled settled = {
        .algorithm = "ials", .n_settings = 2, .settings = {"factors=9", "solver=subspace"}};
    assert_ok(vt_settled_apply(&settled, NULL, &told.algorithm, &options));
    assert_string_equal(vt_algorithm_name(told.algorithm), "ials");
    assert_int_equal(options.ials.factors, 9);
    const struct vt_settled broken = {
        .algorithm = "ials", .n_settings = 1, .settings = {"nonsense=9"}};
    assert_code(vt_settled_apply(&broken, NULL, &told.algorithm, &options), VT_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(popularity_counts_users_as_serving_does),
        cmocka_unit_test(wrong_settings_name_the_nearest_right_one),
        cmocka_unit_test(every_family_is_found_by_its_name),
        cmocka_unit_test(needs_grow_with_the_data),
        cmocka_unit_test(core_seconds_are_those_of_the_parts),
        cmocka_unit_test(settings_that_are_told_can_be_set),
    };
    return cmocka_run_group_tests_name("algorithm/algorithm", tests, NULL, NULL);
}
