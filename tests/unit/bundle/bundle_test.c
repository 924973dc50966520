/* A version that is written, opened, published; every kind of damage refused with file and reason.
 */
#include "models/bundle/bundle.h"
#include "services/common/base/file.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_folder(void **state)
{
    *state = vt_test_folder_new();
    return 0;
}

static int remove_folder(void **state)
{
    vt_test_folder_remove(*state);
    return 0;
}

static void path_of(char path[4096], const char *dir, const char *version, const char *file)
{
    snprintf(path, 4096, "%s/bundles/%s/%s", dir, version, file);
}

static void opened_bundle_equals_what_was_written(void **state)
{
    struct content content;
    struct vt_bundle *bundle;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_open(*state, "v1", true, NULL, &bundle));
    const struct vt_bundle_view *view = vt_bundle_view(bundle);
    assert_string_equal(view->version, "v1");
    assert_string_equal(view->algorithm, "ials");
    assert_string_equal(view->blas, "OpenBLAS Haswell");
    assert_string_equal(view->parameters[0].value, "3");
    assert_int_equal(view->create_time_ms, content.view.create_time_ms);
    assert_int_equal(view->last_time_ms, content.view.last_time_ms);
    assert_int_equal(view->n_items, CONTENT_ITEMS);
    assert_int_equal((uintptr_t)view->item_factors % 64, 0);
    assert_memory_equal(view->item_factors, content.factors, sizeof content.factors);
    assert_memory_equal(view->gram, content.gram, sizeof content.gram);
    assert_memory_equal(view->neighbors.values, content.values, sizeof content.values);
    assert_memory_equal(view->popularity, content.popularity, sizeof content.popularity);
    assert_memory_equal(view->event_weights, content.view.event_weights,
                        sizeof view->event_weights);
    assert_memory_equal(view->value_exponents, content.view.value_exponents,
                        sizeof view->value_exponents);
    static const uint32_t popular[] = {0, 1, 2, 4, 3};
    assert_memory_equal(view->popular_rows, popular, sizeof popular);
    assert_non_null(view->index);
    vt_bundle_release(bundle);
}

static void rows_are_found_by_item_number(void **state)
{
    struct content content;
    struct vt_bundle *bundle;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_open(*state, "v1", false, NULL, &bundle));
    assert_int_equal(vt_bundle_row(bundle, 1), 0);
    assert_int_equal(vt_bundle_row(bundle, 7), 3);
    assert_int_equal(vt_bundle_row(bundle, 1000), 4);
    assert_int_equal(vt_bundle_row(bundle, 0), UINT32_MAX);
    assert_int_equal(vt_bundle_row(bundle, 2), UINT32_MAX);
    assert_int_equal(vt_bundle_row(bundle, 1001), UINT32_MAX);
    assert_int_equal(vt_bundle_row(bundle, UINT32_MAX), UINT32_MAX);
    vt_bundle_release(bundle);
}

static void sparse_item_numbers_are_searched(void **state)
{
    struct content content;
    struct vt_bundle *bundle;
    content_init(&content, "v1");
    content.numbers[4] = 4000000000U;
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_open(*state, "v1", false, NULL, &bundle));
    assert_int_equal(vt_bundle_row(bundle, 4000000000U), 4);
    assert_int_equal(vt_bundle_row(bundle, 4), 2);
    assert_int_equal(vt_bundle_row(bundle, 5), UINT32_MAX);
    assert_int_equal(vt_bundle_row(bundle, 4000000001U), UINT32_MAX);
    vt_bundle_release(bundle);
}

static void model_without_factors_or_neighbors_is_fine(void **state)
{
    struct content content;
    struct vt_bundle *bundle;
    content_init(&content, "v1");
    content.view.dim = content.view.factor_stride = 0;
    content.view.neighbors = (struct vt_csr){0};
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_open(*state, "v1", true, NULL, &bundle));
    assert_null(vt_bundle_view(bundle)->item_factors);
    assert_int_equal(vt_bundle_view(bundle)->neighbors.n_rows, 0);
    vt_bundle_release(bundle);
}

/* ---- content that must not become a version ---- */

static void plant_nan_factor(struct content *content)
{
    content->factors[1] = NAN;
}
static void plant_infinite_gram(struct content *content)
{
    content->gram[8] = (double)INFINITY;
}
static void plant_nan_neighbor(struct content *content)
{
    content->values[0] = NAN;
}
static void plant_descending_numbers(struct content *content)
{
    content->numbers[1] = 1;
}
static void plant_wrong_stride(struct content *content)
{
    content->view.factor_stride = 4;
}
static void plant_padding(struct content *content)
{
    content->factors[CONTENT_DIM] = 1;
}
static void plant_column_out_of_range(struct content *content)
{
    content->columns[4] = CONTENT_ITEMS;
}
static void plant_descending_starts(struct content *content)
{
    content->starts[2] = 1;
}
static void plant_first_start(struct content *content)
{
    content->starts[0] = 1;
}
static void plant_short_csr(struct content *content)
{
    content->view.neighbors.n_rows = CONTENT_ITEMS - 1;
}
static void plant_unordered_neighbors(struct content *content)
{
    content->values[1] = 1;
}
static void plant_negative_popularity(struct content *content)
{
    content->popularity[0] = -1;
}
static void plant_no_items(struct content *content)
{
    content->view.n_items = 0;
    content->view.neighbors = (struct vt_csr){0};
    content->view.dim = content->view.factor_stride = 0;
}
static void plant_no_popularity(struct content *content)
{
    content->view.popularity = NULL;
}

static const struct {
    void (*plant)(struct content *content);
    const char *file, *reason;
} bad_contents[] = {
    {plant_nan_factor, "item_factors.arr", "not finite"},
    {plant_infinite_gram, "gram.arr", "not finite"},
    {plant_nan_neighbor, "neighbor_values.arr", "not finite"},
    {plant_descending_numbers, "item_numbers.arr", "not ascending"},
    {plant_wrong_stride, "item_factors.arr", "rounded up to 16"},
    {plant_padding, "item_factors.arr", "padding"},
    {plant_column_out_of_range, "neighbor_columns.arr", "does not exist"},
    {plant_descending_starts, "neighbor_starts.arr", "descend"},
    {plant_first_start, "neighbor_starts.arr", "begin with 0"},
    {plant_short_csr, "neighbor_starts.arr", "shape"},
    {plant_unordered_neighbors, "neighbor_values.arr", "best first"},
    {plant_negative_popularity, "popularity.arr", "negative"},
    {plant_no_items, "item_numbers.arr", "no items"},
    {plant_no_popularity, "popularity.arr", "missing"},
};

static void writing_bad_content_is_refused_and_leaves_nothing(void **state)
{
    for (size_t i = 0; i < sizeof bad_contents / sizeof bad_contents[0]; i++) {
        struct content content;
        struct vt_diag diag = {0};
        char(*versions)[VT_VERSION_BYTES_MAX];
        uint32_t n;
        content_init(&content, "bad");
        bad_contents[i].plant(&content);
        assert_code(vt_bundle_write(*state, &content.view, &diag), VT_CORRUPT);
        if (strstr(diag.text, bad_contents[i].file) == NULL ||
            strstr(diag.text, bad_contents[i].reason) == NULL)
            fail_msg("%s/%s: diag is '%s'", bad_contents[i].file, bad_contents[i].reason,
                     diag.text);
        assert_ok(vt_bundle_list(*state, &versions, &n));
        assert_int_equal(n, 0);
        free(versions);
    }
}

/* ---- damage on disk ---- */

static const char *const array_files[] = {
    "item_numbers.arr",     "item_factors.arr",    "gram.arr",       "neighbor_starts.arr",
    "neighbor_columns.arr", "neighbor_values.arr", "popularity.arr",
};
enum { N_ARRAY_FILES = sizeof array_files / sizeof array_files[0] };

static void flip_byte(const char *path, off_t at)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void assert_refused(const char *dir, bool verify, const char *file)
{
    struct vt_bundle *bundle;
    struct vt_diag diag = {0};
    assert_code(vt_bundle_open(dir, "v1", verify, &diag, &bundle), VT_CORRUPT);
    if (strstr(diag.text, file) == NULL)
        fail_msg("diag does not name %s: '%s'", file, diag.text);
}

static void flipped_byte_in_any_array_is_refused(void **state)
{
    struct content content;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    for (size_t i = 0; i < N_ARRAY_FILES; i++) {
        char path[4096];
        struct stat info;
        path_of(path, *state, "v1", array_files[i]);
        assert_int_equal(stat(path, &info), 0);
        flip_byte(path, info.st_size - 1);
        assert_refused(*state, true, array_files[i]);
        flip_byte(path, info.st_size - 1);
    }
    struct vt_bundle *bundle;
    assert_ok(vt_bundle_open(*state, "v1", true, NULL, &bundle)); /* mended: the test tests */
    vt_bundle_release(bundle);
}

static void truncated_array_is_refused_without_verify(void **state)
{
    struct content content;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    for (size_t i = N_ARRAY_FILES; i-- > 0;) {
        char path[4096];
        struct stat info;
        path_of(path, *state, "v1", array_files[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(truncate(path, info.st_size - 1), 0);
        assert_refused(*state, false, array_files[i]);
        assert_int_equal(truncate(path, 10), 0);
        assert_refused(*state, false, array_files[i]);
    }
}

static void missing_array_is_refused(void **state)
{
    struct content content;
    char path[4096];
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    path_of(path, *state, "v1", "gram.arr");
    assert_int_equal(unlink(path), 0);
    assert_refused(*state, false, "gram.arr");
}

static void missing_manifest_is_refused(void **state)
{
    struct content content;
    char path[4096];
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    path_of(path, *state, "v1", "manifest.json");
    assert_int_equal(unlink(path), 0);
    assert_refused(*state, false, "manifest.json");
}

static void changed_manifest_is_refused(void **state)
{
    struct content content;
    char path[4096];
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    path_of(path, *state, "v1", "manifest.json");
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    char text[8192] = "";
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    char *digit = strstr(text, "\"users\": ");
    assert_non_null(digit);
    digit += strlen("\"users\": ");
    assert_int_equal(fseek(file, digit - text, SEEK_SET), 0);
    assert_int_equal(fputc(*digit == '9' ? '8' : '9', file), *digit == '9' ? '8' : '9');
    assert_int_equal(fclose(file), 0);
    assert_refused(*state, false, "sha256");
}

static void folder_renamed_to_another_version_is_refused(void **state)
{
    struct content content;
    char from[4096], to[4096];
    struct vt_bundle *bundle;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    path_of(from, *state, "v1", "");
    path_of(to, *state, "v2", "");
    assert_int_equal(rename(from, to), 0);
    assert_code(vt_bundle_open(*state, "v2", false, NULL, &bundle), VT_CORRUPT);
}

/* ---- versions ---- */

static void unknown_and_malformed_versions_are_told_apart(void **state)
{
    struct vt_bundle *bundle;
    assert_code(vt_bundle_open(*state, "v9", true, NULL, &bundle), VT_NOT_FOUND);
    assert_code(vt_bundle_open(*state, "../v9", true, NULL, &bundle), VT_INVALID);
    assert_code(vt_bundle_open(*state, "", true, NULL, &bundle), VT_INVALID);
}

static void version_is_written_once(void **state)
{
    struct content content;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_code(vt_bundle_write(*state, &content.view, NULL), VT_PRECONDITION);
}

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/bundles/%s", dir, name);
    assert_ok(vt_file_write_atomic(path, vt_slice_str(text), NULL));
}

static void previous_is_that_of_the_side_current_is_on(void **state)
{
    char version[VT_VERSION_BYTES_MAX];
    assert_ok(vt_folder_create(*state, NULL));
    struct content content;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    write_text(*state, "CURRENT", "v2\n");
    write_text(*state, "PREVIOUS", "v2\nv3\nv1\n"); /* killed before CURRENT became v3 */
    assert_ok(vt_bundle_previous(*state, NULL, version));
    assert_string_equal(version, "v1");
    write_text(*state, "CURRENT", "v3\n");
    assert_ok(vt_bundle_previous(*state, NULL, version));
    assert_string_equal(version, "v2");
    write_text(*state, "PREVIOUS", "v2\n"); /* as older versions wrote it */
    assert_ok(vt_bundle_previous(*state, NULL, version));
    assert_string_equal(version, "v2");
    write_text(*state, "PREVIOUS", "v3\n"); /* and left it when killed */
    assert_code(vt_bundle_previous(*state, NULL, version), VT_NOT_FOUND);
    static const char *const damaged[] = {"../../etc\n", "v2\nv3\nv1\nv0\n", "v2\n..\nv1\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        write_text(*state, "PREVIOUS", damaged[i]);
        assert_code(vt_bundle_previous(*state, NULL, version), VT_CORRUPT);
    }
    write_text(*state, "CURRENT", "\n");
    assert_code(vt_bundle_current(*state, NULL, version), VT_CORRUPT);
}

static void pruning_keeps_the_newest_and_what_serves(void **state)
{
    static const char *const names[] = {"v1", "v2", "v3", "v4", "v5"};
    char(*versions)[VT_VERSION_BYTES_MAX];
    uint32_t n, n_removed;
    struct content content;
    for (unsigned i = 0; i < 5; i++) {
        content_init(&content, names[i]);
        assert_ok(vt_bundle_write(*state, &content.view, NULL));
    }
    assert_ok(vt_bundle_publish(*state, "v2", NULL));
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    assert_code(vt_bundle_prune(*state, 0, NULL, NULL), VT_INVALID);
    assert_ok(vt_bundle_prune(*state, 1, NULL, &n_removed));
    assert_int_equal(n_removed, 2);
    assert_ok(vt_bundle_list(*state, &versions, &n));
    assert_int_equal(n, 3);
    assert_string_equal(versions[0], "v5");
    assert_string_equal(versions[1], "v2"); /* PREVIOUS */
    assert_string_equal(versions[2], "v1"); /* CURRENT */
    free(versions);
}

static void publish_switches_current_and_remembers_previous(void **state)
{
    struct content content;
    char version[VT_VERSION_BYTES_MAX];
    assert_code(vt_bundle_current(*state, NULL, version), VT_NOT_FOUND);
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    content_init(&content, "v2");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    assert_code(vt_bundle_previous(*state, NULL, version), VT_NOT_FOUND);
    assert_ok(vt_bundle_publish(*state, "v2", NULL));
    assert_ok(vt_bundle_publish(*state, "v2", NULL)); /* again changes nothing */
    assert_ok(vt_bundle_current(*state, NULL, version));
    assert_string_equal(version, "v2");
    assert_ok(vt_bundle_previous(*state, NULL, version));
    assert_string_equal(version, "v1");
}

static void publishing_a_damaged_version_leaves_current(void **state)
{
    struct content content;
    char version[VT_VERSION_BYTES_MAX], path[4096];
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_ok(vt_bundle_publish(*state, "v1", NULL));
    content_init(&content, "v2");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    path_of(path, *state, "v2", "gram.arr");
    flip_byte(path, 70);
    assert_code(vt_bundle_publish(*state, "v2", NULL), VT_CORRUPT);
    assert_ok(vt_bundle_current(*state, NULL, version));
    assert_string_equal(version, "v1");
}

static void versions_are_listed_newest_first_without_leftovers(void **state)
{
    struct content content;
    char path[4096], (*versions)[VT_VERSION_BYTES_MAX];
    uint32_t n;
    content_init(&content, "20260101-000000000-aa");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    path_of(path, *state, ".tmp-killed", "");
    assert_int_equal(mkdir(path, 0700), 0);
    content_init(&content, "20260102-000000000-aa");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    assert_int_equal(access(path, F_OK), -1); /* the next writer removed it */
    assert_ok(vt_bundle_list(*state, &versions, &n));
    assert_int_equal(n, 2);
    assert_string_equal(versions[0], "20260102-000000000-aa");
    free(versions);
}

static void version_name_has_time_and_content(void **state)
{
    (void)state;
    struct content content;
    char name[VT_VERSION_BYTES_MAX], other[VT_VERSION_BYTES_MAX];
    content_init(&content, "");
    vt_bundle_version_name(&content.view, name);
    assert_memory_equal(name, "20261122-221530123-", 19);
    assert_int_equal(strlen(name), 27);
    vt_bundle_version_name(&content.view, other);
    assert_string_equal(name, other);
    content.popularity[0] += 1;
    vt_bundle_version_name(&content.view, other);
    assert_string_not_equal(name, other);
}

static void same_content_gives_same_array_bytes(void **state)
{
    struct content content;
    content_init(&content, "v1");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    content_init(&content, "v2");
    assert_ok(vt_bundle_write(*state, &content.view, NULL));
    for (size_t i = 0; i < N_ARRAY_FILES; i++) {
        char one[4096], two[4096], sha1[VT_SHA256_HEX_BYTES], sha2[VT_SHA256_HEX_BYTES];
        path_of(one, *state, "v1", array_files[i]);
        path_of(two, *state, "v2", array_files[i]);
        assert_ok(vt_file_sha256(one, NULL, sha1));
        assert_ok(vt_file_sha256(two, NULL, sha2));
        assert_string_equal(sha1, sha2);
    }
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opened_bundle_equals_what_was_written),
        TEST(rows_are_found_by_item_number),
        TEST(sparse_item_numbers_are_searched),
        TEST(model_without_factors_or_neighbors_is_fine),
        TEST(writing_bad_content_is_refused_and_leaves_nothing),
        TEST(flipped_byte_in_any_array_is_refused),
        TEST(truncated_array_is_refused_without_verify),
        TEST(missing_array_is_refused),
        TEST(missing_manifest_is_refused),
        TEST(changed_manifest_is_refused),
        TEST(folder_renamed_to_another_version_is_refused),
        TEST(unknown_and_malformed_versions_are_told_apart),
        TEST(version_is_written_once),
        TEST(publish_switches_current_and_remembers_previous),
        TEST(previous_is_that_of_the_side_current_is_on),
        TEST(pruning_keeps_the_newest_and_what_serves),
        TEST(publishing_a_damaged_version_leaves_current),
        TEST(versions_are_listed_newest_first_without_leftovers),
        TEST(version_name_has_time_and_content),
        TEST(same_content_gives_same_array_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
