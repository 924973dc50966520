/* The key file: made once, private, the same for all, and never taken when it is damaged. */
#include "services/common/base/file.h"
#include "services/node/token_key.h"
#include "tests/testlib/testlib.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;
static char path[PATH_MAX];
static struct vt_diag diag;

static int set_up(void **state)
{
    (void)state;
    folder = vt_test_folder_new();
    snprintf(path, sizeof path, "%s/token.key", folder);
    diag = (struct vt_diag){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vt_test_folder_remove(folder);
    return 0;
}

static unsigned files_in_folder(void)
{
    unsigned n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void key_is_made_once_private_and_then_kept(void **state)
{
    (void)state;
    unsigned char first[VT_TOKEN_KEY_BYTES] = {0}, second[VT_TOKEN_KEY_BYTES];
    static const unsigned char zero[VT_TOKEN_KEY_BYTES];
    struct stat info;
    assert_ok(vt_token_key_load(folder, &diag, first));
    assert_memory_not_equal(first, zero, sizeof zero);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, VT_TOKEN_KEY_BYTES);
    assert_ok(vt_token_key_load(folder, &diag, second));
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(files_in_folder(), 1); /* nothing stays beside it */
}

static void two_folders_have_two_keys(void **state)
{
    (void)state;
    unsigned char first[VT_TOKEN_KEY_BYTES], second[VT_TOKEN_KEY_BYTES];
    assert_ok(vt_token_key_load(folder, &diag, first));
    assert_int_equal(unlink(path), 0);
    assert_ok(vt_token_key_load(folder, &diag, second));
    assert_memory_not_equal(first, second, sizeof first);
}

static void damaged_key_is_refused_with_its_path_and_kept(void **state)
{
    (void)state;
    static const char *const damaged[] = {"", "only a few bytes",
                                          "thirty-three bytes, one too many."};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        unsigned char key[VT_TOKEN_KEY_BYTES] = {7};
        assert_ok(vt_file_write_atomic(path, vt_slice_str(damaged[i]), &diag));
        assert_code(vt_token_key_load(folder, &diag, key), VT_CORRUPT);
        assert_non_null(strstr(diag.text, path));
        assert_int_equal(key[0], 7); /* untouched on failure */
    }
    char *text = NULL;
    size_t len;
    assert_ok(vt_file_read(path, 100, &diag, &text, &len));
    assert_string_equal(text, damaged[2]); /* a damaged key is never replaced behind one's back */
    free(text);
}

static void missing_folder_is_told(void **state)
{
    (void)state;
    unsigned char key[VT_TOKEN_KEY_BYTES];
    snprintf(path, sizeof path, "%s/missing", folder);
    assert_code(vt_token_key_load(path, &diag, key), VT_UNAVAILABLE);
    assert_non_null(strstr(diag.text, path));
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(key_is_made_once_private_and_then_kept),
        TEST(two_folders_have_two_keys),
        TEST(damaged_key_is_refused_with_its_path_and_kept),
        TEST(missing_folder_is_told),
    };
    return cmocka_run_group_tests_name("node/token_key", tests, NULL, NULL);
}
