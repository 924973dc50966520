/* What may replace a serving version, and what may not. */
#include "models/train/train.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <string.h>

static const uint32_t parent_items[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static const struct vt_bundle_metric parent_metrics[] = {{"recall", 0.2}, {"ndcg", 0.3}};
static const struct vt_bundle_view parent = {.version = "v1",
                                             .n_items = 10,
                                             .item_numbers = parent_items,
                                             .metrics = parent_metrics,
                                             .n_metrics = 2};

static struct vt_err check(const struct vt_bundle_view *content, const struct vt_bundle_view *old,
                           struct vt_diag *diag)
{
    struct vt_gate_options options;
    vt_gate_options_default(&options);
    const struct vt_gate_input input = {.content = content, .parent = old};
    return vt_gate_check(&input, &options, diag, NULL);
}

static void equal_model_passes(void **state)
{
    (void)state;
    assert_ok(check(&parent, &parent, NULL));
}

static void first_model_passes(void **state)
{
    (void)state;
    assert_ok(check(&parent, NULL, NULL));
}

static void manifest_a_little_worse_passes_and_a_lot_worse_does_not(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    struct vt_bundle_metric metrics[] = {{"recall", 0.19}, {"ndcg", 0.28}};
    struct vt_bundle_view content = parent;
    content.metrics = metrics;
    assert_ok(check(&content, &parent, NULL));
    metrics[1].value = 0.2;
    assert_code(check(&content, &parent, &diag), VT_PRECONDITION);
    assert_string_equal(diag.field, "ndcg");
    assert_non_null(strstr(diag.text, "v1"));
}

static void missing_metric_is_refused(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    struct vt_bundle_view content = parent;
    content.n_metrics = 1;
    assert_code(check(&content, &parent, &diag), VT_PRECONDITION);
    assert_string_equal(diag.field, "ndcg");
}

static void metric_that_is_no_number_is_refused(void **state)
{
    (void)state;
    const struct vt_bundle_metric metrics[] = {{"recall", (double)NAN}};
    struct vt_bundle_view content = parent;
    content.metrics = metrics;
    content.n_metrics = 1;
    assert_code(check(&content, NULL, NULL), VT_PRECONDITION);
}

static void lost_items_are_refused_below_four_fifths(void **state)
{
    (void)state;
    struct vt_diag diag = {0};
    struct vt_bundle_view content = parent;
    content.n_items = 8;
    assert_ok(check(&content, &parent, NULL));
    content.n_items = 7;
    assert_code(check(&content, &parent, &diag), VT_PRECONDITION);
    assert_string_equal(diag.field, "items");
}

static void model_without_items_is_refused(void **state)
{
    (void)state;
    const struct vt_bundle_view content = {0};
    assert_code(check(&content, NULL, NULL), VT_PRECONDITION);
}

static void second_trainer_is_kept_out(void **state)
{
    (void)state;
    char *folder = vt_test_folder_new();
    struct vt_diag diag = {0};
    int first, second;
    assert_ok(vt_train_lock(folder, NULL, &first));
    assert_code(vt_train_lock(folder, &diag, &second), VT_UNAVAILABLE);
    assert_non_null(strstr(diag.text, "another training"));
    vt_train_unlock(first);
    assert_ok(vt_train_lock(folder, NULL, &second));
    vt_train_unlock(second);
    vt_test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_model_passes),
        cmocka_unit_test(first_model_passes),
        cmocka_unit_test(manifest_a_little_worse_passes_and_a_lot_worse_does_not),
        cmocka_unit_test(missing_metric_is_refused),
        cmocka_unit_test(metric_that_is_no_number_is_refused),
        cmocka_unit_test(lost_items_are_refused_below_four_fifths),
        cmocka_unit_test(model_without_items_is_refused),
        cmocka_unit_test(second_trainer_is_kept_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
