/* One flipped bit in any file of a model version: it is refused, or nothing in it is different. */
#include "models/bundle/bundle.h"
#include "models/bundle/bundle_set.h"
#include "services/common/base/log.h"
#include "tests/testlib/testlib.h"
#include "tests/unit/bundle/bundle_content.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLIPS = 20, FLIPS_ALL = 100, PATH_BYTES = 4096, FILES_MAX = 64 };

static unsigned n_flips(void)
{
    const char *all = getenv("VITRINE_TEST_ALL");
    return all != NULL && strcmp(all, "1") == 0 ? FLIPS_ALL : FLIPS;
}

static void write_version(const char *dir, const char *version)
{
    struct content content;
    content_init(&content, version);
    assert_ok(vt_bundle_write(dir, &content.view, NULL));
}

/* Flips a bit; the same again puts it back. */
static void flip(const char *path, off_t offset, unsigned bit)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= (unsigned char)(1U << bit);
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static unsigned list_files(const char *folder, char ret_paths[FILES_MAX][PATH_BYTES])
{
    unsigned n = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL && n < FILES_MAX;)
        if (entry->d_name[0] != '.')
            snprintf(ret_paths[n++], PATH_BYTES, "%s/%s", folder, entry->d_name);
    closedir(entries);
    return n;
}

static void assert_unchanged(const struct vt_bundle *bundle)
{
    struct content content;
    const struct vt_bundle_view *view = vt_bundle_view(bundle);
    content_init(&content, "v1");
    assert_string_equal(view->version, "v1");
    assert_memory_equal(view->item_numbers, content.numbers, sizeof content.numbers);
    assert_memory_equal(view->item_factors, content.factors, sizeof content.factors);
    assert_memory_equal(view->gram, content.gram, sizeof content.gram);
    assert_memory_equal(view->popularity, content.popularity, sizeof content.popularity);
    assert_memory_equal(&view->regularization, &content.view.regularization, sizeof(double));
    assert_memory_equal(&view->unobserved_weight, &content.view.unobserved_weight, sizeof(double));
}

static void flipped_bit_in_a_version_is_refused_or_changes_nothing(void **state)
{
    char folder[PATH_BYTES];
    static char files[FILES_MAX][PATH_BYTES];
    const char *dir = *state;
    unsigned n_refused = 0;
    write_version(dir, "v1");
    snprintf(folder, sizeof folder, "%s/bundles/v1", dir);
    unsigned n_files = list_files(folder, files);
    assert_true(n_files > 5);
    srand(20261126);
    for (unsigned i = 0; i < n_flips(); i++) {
        struct stat info;
        struct vt_bundle *bundle = NULL;
        const char *file = files[i % n_files];
        assert_int_equal(stat(file, &info), 0);
        off_t offset = rand() % info.st_size;
        unsigned bit = (unsigned)rand() % 8;
        flip(file, offset, bit);
        struct vt_err err = vt_bundle_open(dir, "v1", true, NULL, &bundle);
        if (vt_failed(err))
            n_refused++;
        else
            assert_unchanged(bundle);
        vt_bundle_release(bundle);
        flip(file, offset, bit);
    }
    assert_true(n_refused > n_flips() / 2);
}

static void flipped_bit_in_current_never_serves_what_is_not_there(void **state)
{
    char current[PATH_BYTES];
    const char *dir = *state;
    struct stat info;
    write_version(dir, "v1");
    write_version(dir, "v2");
    assert_ok(vt_bundle_publish(dir, "v1", NULL));
    assert_ok(vt_bundle_publish(dir, "v2", NULL));
    snprintf(current, sizeof current, "%s/bundles/CURRENT", dir);
    assert_int_equal(stat(current, &info), 0);
    for (off_t offset = 0; offset < info.st_size; offset++) {
        struct vt_bundle_set *set = NULL;
        flip(current, offset, (unsigned)offset % 8);
        struct vt_err err = vt_bundle_set_open(dir, NULL, NULL, &set);
        struct vt_bundle *bundle = vt_failed(err) ? NULL : vt_bundle_set_current(set);
        const char *version = bundle != NULL ? vt_bundle_view(bundle)->version : "v1";
        assert_true(strcmp(version, "v1") == 0 || strcmp(version, "v2") == 0);
        vt_bundle_release(bundle);
        vt_bundle_set_close(set);
        flip(current, offset, (unsigned)offset % 8);
    }
}

static int make_folder(void **state)
{
    vt_log_set_level(VT_LOG_ERROR);
    *state = vt_test_folder_new();
    return 0;
}

static int remove_folder(void **state)
{
    vt_test_folder_remove(*state);
    return 0;
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(flipped_bit_in_a_version_is_refused_or_changes_nothing),
        TEST(flipped_bit_in_current_never_serves_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
