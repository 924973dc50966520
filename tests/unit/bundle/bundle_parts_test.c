#include "models/bundle/manifest.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void every_part_reads_back(void **state)
{
    struct content content;
    struct vt_bundle *bundle;
    content_init(&content, "v1");
    content_add_parts(&content);
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_open(*state, "v1", true, NULL, &bundle));
    const struct vt_bundle_view *view = vt_bundle_view(bundle);
    assert_string_equal(view->kernel_name, "ease");
    assert_int_equal(view->kernel.n_rows, CONTENT_ITEMS);
    assert_memory_equal(view->kernel.values, content.kernel_values, sizeof content.kernel_values);
    assert_memory_equal(&view->mix, &content.view.mix, sizeof view->mix);
    assert_memory_equal(view->factor_moments, content.moments, sizeof content.moments);
    assert_memory_equal(view->bought_together.columns, content.columns, sizeof content.columns);
    assert_memory_equal(view->trending, content.trending, sizeof content.trending);
    assert_memory_equal(view->rebuy, content.rebuy, sizeof content.rebuy);
    assert_int_equal(view->groups.lists.n_rows, 2);
    assert_memory_equal(view->groups.keys, content.group_keys, sizeof content.group_keys);
    assert_int_equal(view->content.n_terms, 2);
    assert_memory_equal(view->content.map, content.map, sizeof content.map);
    assert_int_equal(view->ranker.n_trees, 2);
    assert_memory_equal(view->ranker.nodes, content.nodes, sizeof content.nodes);
    assert_int_equal(view->ranker.features.n, 3);
    assert_memory_equal(view->ranker.features.ids, content.view.ranker.features.ids, 3);
    assert_int_equal(view->ranker.n_knots, 2);
    assert_memory_equal(view->ranker.calibration, content.calibration, sizeof content.calibration);
    vt_bundle_release(bundle);
}

static void a_version_without_them_has_none(void **state)
{
    struct content content;
    struct vt_bundle *bundle;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_open(*state, "v1", true, NULL, &bundle));
    const struct vt_bundle_view *view = vt_bundle_view(bundle);
    assert_string_equal(view->kernel_name, "");
    assert_int_equal(view->kernel.n_rows, 0);
    assert_int_equal(view->bought_together.n_rows, 0);
    assert_int_equal(view->groups.lists.n_rows, 0);
    assert_int_equal(view->content.n_terms, 0);
    assert_int_equal(view->ranker.n_trees, 0);
    assert_null(view->trending);
    assert_null(view->rebuy);
    assert_null(view->factor_moments);
    vt_bundle_release(bundle);
}

/* ---- parts that must not become a version ---- */

static void plant_nan_kernel(struct content *content)
{
    content->kernel_values[2] = NAN;
}
static void plant_kernel_of_other_items(struct content *content)
{
    content->view.kernel.n_rows = CONTENT_ITEMS - 1;
}
static void plant_kernel_out_of_range(struct content *content)
{
    content->kernel_columns[2] = CONTENT_ITEMS;
}
static void plant_unordered_kernel(struct content *content)
{
    content->kernel_values[1] = 0.75F;
}
static void plant_mix_without_kernel(struct content *content)
{
    content->view.kernel = (struct vt_csr){0};
}
static void plant_mix_without_moments(struct content *content)
{
    content->view.factor_moments = NULL;
}
static void plant_infinite_moment(struct content *content)
{
    content->moments[0] = (double)INFINITY;
}
static void plant_negative_trend(struct content *content)
{
    content->trending[0] = -1;
}

/* The last number: a check of the first column alone would not see it. */
static void plant_negative_rhythm(struct content *content)
{
    content->rebuy[CONTENT_ITEMS * VT_BUNDLE_REBUY_COLUMNS - 1] = -1;
}
static void plant_same_group_twice(struct content *content)
{
    content->group_keys[1] = content->group_keys[0];
}
static void plant_group_out_of_range(struct content *content)
{
    content->group_columns[0] = CONTENT_ITEMS;
}
static void plant_descending_terms(struct content *content)
{
    content->terms[1] = 10;
}
static void plant_negative_idf(struct content *content)
{
    content->idf[0] = -1;
}
static void plant_content_without_idf(struct content *content)
{
    content->view.content.idf = NULL;
}
static void plant_loop_in_tree(struct content *content)
{
    content->nodes[1] = 0; /* left: the root itself */
}
static void plant_child_in_other_tree(struct content *content)
{
    content->nodes[2] = 3;
}
static void plant_empty_tree(struct content *content)
{
    content->tree_starts[1] = 0;
}

static void plant_tree_of_unnamed_feature(struct content *content)
{
    content->view.ranker.features.n = 2;
}
static void plant_falling_probability(struct content *content)
{
    content->calibration[3] = 0;
}

static const struct {
    void (*plant)(struct content *content);
    const char *file, *reason;
} bad_parts[] = {
    {plant_nan_kernel, "kernel_values.arr", "not finite"},
    {plant_kernel_of_other_items, "kernel_starts.arr", "shape"},
    {plant_kernel_out_of_range, "kernel_columns.arr", "does not exist"},
    {plant_unordered_kernel, "kernel_values.arr", "best first"},
    {plant_mix_without_kernel, "kernel_starts.arr", "the mix needs it"},
    {plant_mix_without_moments, "factor_moments.arr", "the mix needs it"},
    {plant_infinite_moment, "factor_moments.arr", "not finite"},
    {plant_negative_trend, "trending.arr", "negative"},
    {plant_negative_rhythm, "rebuy.arr", "negative"},
    {plant_same_group_twice, "group_keys.arr", "not ascending"},
    {plant_group_out_of_range, "group_columns.arr", "does not exist"},
    {plant_descending_terms, "content_terms.arr", "not ascending"},
    {plant_negative_idf, "content_idf.arr", "negative"},
    {plant_content_without_idf, "content_idf.arr", "missing"},
    {plant_loop_in_tree, "ranker_nodes.arr", "points out of the tree"},
    {plant_child_in_other_tree, "ranker_nodes.arr", "points out of the tree"},
    {plant_empty_tree, "ranker_nodes.arr", "empty"},
    {plant_tree_of_unnamed_feature, "ranker_nodes.arr", "out of the tree or of the features"},
    {plant_falling_probability, "ranker_calibration.arr", "ascend"},
};

static void bad_parts_are_refused_by_name(void **state)
{
    for (size_t i = 0; i < sizeof bad_parts / sizeof bad_parts[0]; i++) {
        struct content content;
        struct vt_diag diag = {0};
        content_init(&content, "bad");
        content_add_parts(&content);
        bad_parts[i].plant(&content);
        assert_code(vt_bundle_write(*state, &content.view, &diag), VT_CORRUPT);
        if (strstr(diag.text, bad_parts[i].file) == NULL ||
            strstr(diag.text, bad_parts[i].reason) == NULL)
            fail_msg("%s/%s: diag is '%s'", bad_parts[i].file, bad_parts[i].reason, diag.text);
    }
}

/* A later program's feature: its trees cannot be asked, so the version is refused and says why. */
static void an_unknown_feature_of_the_ranker_is_refused_by_name(void **state)
{
    (void)state;
    struct vt_manifest manifest = {.version = "v1", .n_items = 1}, decoded;
    struct vt_diag diag = {0};
    char *text = NULL, *name;
    vt_rank_features_all(&manifest.ranker_features);
    assert_ok(vt_manifest_encode(&manifest, &text));
    assert_ok(vt_manifest_decode(vt_slice_str(text), &diag, &decoded));
    assert_memory_equal(&decoded.ranker_features, &manifest.ranker_features,
                        sizeof decoded.ranker_features);
    name = strstr(text, "\"price_to_customer\"");
    assert_non_null(name);
    name[1] = 'q';
    assert_code(vt_manifest_decode(vt_slice_str(text), &diag, &decoded), VT_CORRUPT);
    assert_non_null(strstr(diag.text, "'qrice_to_customer'"));
    assert_non_null(strstr(diag.text, "later vitrine"));
    free(text);
}

static int make_folder(void **state)
{
    *state = vt_test_folder_new();
    return *state != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    vt_test_folder_remove(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_part_reads_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_version_without_them_has_none, make_folder,
                                        remove_folder),
        cmocka_unit_test(an_unknown_feature_of_the_ranker_is_refused_by_name),
        cmocka_unit_test_setup_teardown(bad_parts_are_refused_by_name, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("bundle/parts", tests, NULL, NULL);
}
