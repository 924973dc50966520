#include "tests/unit/profile/fixture.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A hole in the log. The store is copied while it is open, which is what kill -9 leaves; a page of
 * the copy's log is zeroed, as by a power cut that saved the pages of a write in any order.
 */

enum { ITEMS = 300, TITLE_BYTES = 900, PAGE = 4096, PATH_BYTES = 4096 };

struct copy {
    char folder[PATH_BYTES];
    struct vt_profile_options options;
    struct vt_profile *profile;
};

/* About 300 KiB of log in one write. */
static void write_items(struct fixture *f, const char *prefix)
{
    struct vt_upsert_result result;
    vt_arena_reset(&f->arena);
    struct vt_item *items = vt_arena_array(&f->arena, ITEMS, sizeof *items);
    char *title = vt_arena_array(&f->arena, TITLE_BYTES, 1);
    memset(title, 'x', TITLE_BYTES);
    for (unsigned i = 0; i < ITEMS; i++)
        items[i] = (struct vt_item){.id = vt_arena_printf(&f->arena, "%s-%u", prefix, i),
                                    .title = vt_slice(title, TITLE_BYTES)};
    vt_profile_upsert_items(f->profile, &f->write, items, ITEMS, 0, &result);
    assert_ok(fixture_wait(f));
}

static void copy_store(struct fixture *f, struct copy *copy)
{
    char command[3 * PATH_BYTES];
    snprintf(copy->folder, sizeof copy->folder, "%s.copy", f->folder);
    snprintf(command, sizeof command, "cp -a '%s' '%s'", f->folder, copy->folder);
    assert_int_equal(system(command), 0);
    copy->options = f->options;
    copy->options.data_dir = copy->folder;
    copy->options.metrics = NULL;
    copy->profile = NULL;
}

static void remove_copy(struct copy *copy)
{
    vt_profile_close(copy->profile);
    vt_test_folder_remove(strdup(copy->folder));
}

/* Zeroes a page of the newest log, that many bytes before its end. */
static void make_hole(const struct copy *copy, off_t before_end)
{
    static const unsigned char zeros[PAGE];
    char pattern[PATH_BYTES + 16];
    glob_t logs;
    struct stat info;
    snprintf(pattern, sizeof pattern, "%s/live/*.log", copy->folder);
    assert_int_equal(glob(pattern, 0, NULL, &logs), 0);
    int fd = open(logs.gl_pathv[logs.gl_pathc - 1], O_RDWR);
    assert_int_equal(fstat(fd, &info), 0);
    assert_true(info.st_size > before_end);
    assert_int_equal(pwrite(fd, zeros, PAGE, (info.st_size - before_end) / PAGE * PAGE), PAGE);
    close(fd);
    globfree(&logs);
}

static void forget_mark(const struct copy *copy)
{
    char mark[PATH_BYTES + 16];
    snprintf(mark, sizeof mark, "%s/live.acked", copy->folder);
    assert_int_equal(unlink(mark), 0);
}

static bool has_item(struct fixture *f, struct vt_profile *profile, const char *id)
{
    struct vt_item item;
    bool found = false;
    assert_ok(vt_profile_get_item(profile, &f->request, vt_slice_str(id), 0, &item, &found));
    return found;
}

static void hole_in_a_last_write_that_was_not_acknowledged_costs_that_write_only(void **state)
{
    struct fixture *f = *state;
    struct copy copy;
    write_items(f, "told");
    write_items(f, "torn");
    copy_store(f, &copy);
    make_hole(&copy, 100 << 10);
    forget_mark(&copy); /* nobody was told */
    assert_ok(vt_profile_open(&copy.options, &f->diag, &copy.profile));
    assert_true(has_item(f, copy.profile, "told-299"));
    assert_false(has_item(f, copy.profile, "torn-0"));
    vt_profile_close(copy.profile); /* it is whole from here on */
    copy.profile = NULL;
    assert_ok(vt_profile_open(&copy.options, &f->diag, &copy.profile));
    assert_true(has_item(f, copy.profile, "told-0"));
    remove_copy(&copy);
}

static void hole_in_an_acknowledged_write_is_refused(void **state)
{
    struct fixture *f = *state;
    struct copy copy;
    write_items(f, "told");
    copy_store(f, &copy);
    make_hole(&copy, 100 << 10);
    assert_code(vt_profile_open(&copy.options, &f->diag, &copy.profile), VT_CORRUPT);
    remove_copy(&copy);
}

static void hole_before_another_write_is_refused_even_without_the_mark(void **state)
{
    struct fixture *f = *state;
    struct copy copy;
    write_items(f, "told");
    write_items(f, "behind");
    copy_store(f, &copy);
    make_hole(&copy, 400 << 10);
    forget_mark(&copy);
    assert_code(vt_profile_open(&copy.options, &f->diag, &copy.profile), VT_CORRUPT);
    remove_copy(&copy);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(hole_in_a_last_write_that_was_not_acknowledged_costs_that_write_only),
        TEST(hole_in_an_acknowledged_write_is_refused),
        TEST(hole_before_another_write_is_refused_even_without_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
