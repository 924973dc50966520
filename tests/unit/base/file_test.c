#include "services/common/base/file.h"
#include "tests/testlib/testlib.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char *folder;
    char path[PATH_MAX];
    struct vt_diag diag;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    place->folder = vt_test_folder_new();
    snprintf(place->path, sizeof place->path, "%s/file", place->folder);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    vt_test_folder_remove(place->folder);
    free(place);
    return 0;
}

static void write_replaces_whole_content_and_leaves_nothing_beside(void **state)
{
    struct place *place = *state;
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str("first, longer"), &place->diag));
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str("second"), &place->diag));
    char *text = NULL;
    size_t len = 0;
    assert_ok(vt_file_read(place->path, 100, &place->diag, &text, &len));
    assert_string_equal(text, "second");
    assert_int_equal(len, 6);
    free(text);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(rmdir(place->folder), 0); /* only works when empty */
    assert_int_equal(mkdir(place->folder, 0700), 0);
}

static void failures_name_the_path_and_the_reason(void **state)
{
    struct place *place = *state;
    char *text = NULL;
    size_t len = 0;
    assert_code(vt_file_read(place->path, 100, &place->diag, &text, &len), VT_NOT_FOUND);
    assert_null(text);
    assert_non_null(strstr(place->diag.text, place->path));
    assert_non_null(strstr(place->diag.text, "No such file or directory"));
    assert_code(vt_file_read(place->folder, 100, NULL, &text, &len), VT_UNAVAILABLE);
    assert_code(vt_file_write_atomic("/proc/none/x", vt_slice_str("a"), NULL), VT_NOT_FOUND);
    assert_code(vt_file_write_atomic("", vt_slice_str("a"), NULL), VT_INVALID);
}

static void read_holds_its_limit(void **state)
{
    struct place *place = *state;
    char *text = NULL;
    size_t len = 0;
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str("12345"), &place->diag));
    assert_ok(vt_file_read(place->path, 5, &place->diag, &text, &len));
    free(text);
    text = NULL;
    assert_code(vt_file_read(place->path, 4, &place->diag, &text, &len), VT_EXHAUSTED);
    assert_null(text);
}

static void map_shows_the_bytes_and_an_empty_file_is_empty(void **state)
{
    struct place *place = *state;
    struct vt_slice bytes;
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str("mapped"), &place->diag));
    assert_ok(vt_file_map(place->path, &place->diag, &bytes));
    assert_true(vt_slice_equal(bytes, vt_slice_str("mapped")));
    vt_file_unmap(bytes);
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str(""), &place->diag));
    assert_ok(vt_file_map(place->path, &place->diag, &bytes));
    assert_int_equal(bytes.len, 0);
    vt_file_unmap(bytes);
}

/* The two vectors of FIPS 180-2, appendix B, that fit on a line. */
static void sha256_gives_the_published_digests(void **state)
{
    struct place *place = *state;
    char hex[VT_SHA256_HEX_BYTES];
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str("abc"), &place->diag));
    assert_ok(vt_file_sha256(place->path, &place->diag, hex));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str(""), &place->diag));
    assert_ok(vt_file_sha256(place->path, &place->diag, hex));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void folders_are_made_with_parents_for_the_owner_alone(void **state)
{
    struct place *place = *state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.3000s/a/b//c/", place->folder);
    assert_ok(vt_folder_create(path, &place->diag));
    assert_ok(vt_folder_create(path, &place->diag));
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str("x"), &place->diag));
    snprintf(path, sizeof path, "%.3000s/file/d", place->folder);
    assert_code(vt_folder_create(path, &place->diag), VT_UNAVAILABLE);
}

static void remove_takes_links_but_not_what_they_point_to(void **state)
{
    struct place *place = *state;
    char inner[PATH_MAX], link[PATH_MAX];
    snprintf(inner, sizeof inner, "%.3000s/tree/inner", place->folder);
    snprintf(link, sizeof link, "%.3000s/tree/inner/link", place->folder);
    assert_ok(vt_folder_create(inner, &place->diag));
    assert_ok(vt_file_write_atomic(place->path, vt_slice_str("kept"), &place->diag));
    assert_int_equal(symlink(place->folder, link), 0);
    snprintf(inner, sizeof inner, "%.3000s/tree", place->folder);
    assert_ok(vt_folder_remove(inner, &place->diag));
    assert_int_not_equal(access(inner, F_OK), 0);
    assert_int_equal(access(place->path, F_OK), 0);
    assert_ok(vt_folder_remove(inner, &place->diag)); /* missing is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_replaces_whole_content_and_leaves_nothing_beside),
        cmocka_unit_test(failures_name_the_path_and_the_reason),
        cmocka_unit_test(read_holds_its_limit),
        cmocka_unit_test(map_shows_the_bytes_and_an_empty_file_is_empty),
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(folders_are_made_with_parents_for_the_owner_alone),
        cmocka_unit_test(remove_takes_links_but_not_what_they_point_to),
    };
    return cmocka_run_group_tests_name("base/file", tests, set_up, tear_down);
}
