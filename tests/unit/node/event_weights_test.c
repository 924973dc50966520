#include "services/node/event_weights.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

static struct vt_err set(const char *const *texts, size_t n, struct vt_diag *diag,
                         struct vt_dataset_options *dataset)
{
    struct vt_option_list list = {0};
    list.items = (void *)(uintptr_t)texts;
    list.n = n;
    return vt_event_weights_set(&list, diag, dataset);
}

static void weights_are_set_by_the_name_of_the_type(void **state)
{
    (void)state;
    static const char *const texts[] = {"purchase=5", "view=0", "dislike=-2.5"};
    struct vt_dataset_options dataset, before;
    vt_dataset_options_default(&dataset);
    before = dataset;
    assert_ok(set(texts, 3, NULL, &dataset));
    assert_true(fabsf(dataset.event_weights[VT_EVENT_PURCHASE] - 5) < 1e-6F);
    assert_true(fabsf(dataset.event_weights[VT_EVENT_VIEW]) < 1e-6F);
    assert_true(fabsf(dataset.event_weights[VT_EVENT_DISLIKE] + 2.5F) < 1e-6F);
    assert_true(fabsf(dataset.event_weights[VT_EVENT_LIKE] - before.event_weights[VT_EVENT_LIKE]) <
                1e-6F);
}

static void wrong_weights_are_refused_and_nothing_is_set(void **state)
{
    (void)state;
    static const char *const wrong[] = {"purchas=5",    "purchase",     "purchase=", "purchase=x",
                                        "purchase=nan", "purchase=inf", "view=1001", "=1"};
    struct vt_dataset_options dataset, before;
    vt_dataset_options_default(&dataset);
    before = dataset;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *texts[] = {"like=7", wrong[i]};
        struct vt_diag diag = {0};
        assert_code(set(texts, 2, &diag, &dataset), VT_INVALID);
        assert_string_equal(diag.field, "weight");
        assert_memory_equal(&dataset, &before, sizeof dataset);
    }
}

static void a_misspelt_type_is_told_the_nearest(void **state)
{
    (void)state;
    static const char *const texts[] = {"purchas=5"};
    struct vt_diag diag = {0};
    struct vt_dataset_options dataset;
    vt_dataset_options_default(&dataset);
    assert_code(set(texts, 1, &diag, &dataset), VT_INVALID);
    assert_non_null(strstr(diag.text, "'purchase'"));
}

static struct vt_err set_values(const char *text, struct vt_diag *diag,
                                struct vt_dataset_options *dataset)
{
    struct vt_option_list list = {0};
    list.items = (void *)&text;
    list.n = 1;
    return vt_value_exponents_set(&list, diag, dataset);
}

static void exponents_of_values_are_0_to_1(void **state)
{
    (void)state;
    static const char *const wrong[] = {"purchase=nan", "purchase=-0.1", "purchase=1.1",
                                        "purchase=",    "rating",        "ratings=1"};
    struct vt_dataset_options dataset;
    vt_dataset_options_default(&dataset);
    assert_ok(set_values("purchase=0.5", NULL, &dataset));
    assert_float_equal(dataset.value_exponents[VT_EVENT_PURCHASE], 0.5, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct vt_diag diag = {0};
        assert_code(set_values(wrong[i], &diag, &dataset), VT_INVALID);
        assert_string_equal(diag.field, "value");
    }
    assert_float_equal(dataset.value_exponents[VT_EVENT_PURCHASE], 0.5, 0);
}

static void weights_of_a_file_without_types_are_refused(void **state)
{
    (void)state;
    const struct vt_option_list none = {0}, one = {.n = 1};
    struct vt_diag diag = {0};
    assert_ok(vt_event_weights_check_file(&none, &none, 0, &diag));
    assert_code(vt_event_weights_check_file(&one, &none, 0, &diag), VT_INVALID);
    assert_string_equal(diag.field, "weight");
    assert_code(vt_event_weights_check_file(&none, &one, 0, &diag), VT_INVALID);
    assert_string_equal(diag.field, "value");
    assert_code(vt_event_weights_check_file(&none, &none, 30, &diag), VT_INVALID);
    assert_string_equal(diag.field, "half-life");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_set_by_the_name_of_the_type),
        cmocka_unit_test(wrong_weights_are_refused_and_nothing_is_set),
        cmocka_unit_test(a_misspelt_type_is_told_the_nearest),
        cmocka_unit_test(exponents_of_values_are_0_to_1),
        cmocka_unit_test(weights_of_a_file_without_types_are_refused),
    };
    return cmocka_run_group_tests_name("node/event_weights", tests, NULL, NULL);
}
