#include "services/common/store/store.h"
#include "tests/testlib/testlib.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLAIN, LISTED, N_FAMILIES };

static bool append(const void *state, const struct vt_slice *values, size_t n_values,
                   char **ret_value, size_t *ret_len)
{
    (void)state;
    size_t total = 0;
    for (size_t i = 0; i < n_values; i++)
        total += values[i].len;
    char *result = malloc(total + 1);
    *ret_value = result;
    *ret_len = total;
    for (size_t i = 0; i < n_values; i++) {
        memcpy(result, values[i].data, values[i].len);
        result += values[i].len;
    }
    return true;
}

static const struct vt_store_merge append_merge = {"test.append", NULL, append};
static const struct vt_store_family families[N_FAMILIES] = {
    {.name = "plain"}, {.name = "listed", .merge = &append_merge}};

struct fixture {
    char *folder;
    char path[4096];
    struct vt_store *store;
    struct vt_store_batch *batch;
    struct vt_diag diag;
};

static struct vt_store_options options_of(const struct fixture *f)
{
    return (struct vt_store_options){
        .path = f->path, .families = families, .n_families = N_FAMILIES, .create = true};
}

static void open_store(struct fixture *f)
{
    struct vt_store_options options = options_of(f);
    assert_ok(vt_store_open(&options, &f->diag, &f->store));
    assert_ok(vt_store_batch_new(f->store, &f->batch));
}

static void close_store(struct fixture *f)
{
    vt_store_batch_free(f->batch);
    vt_store_close(f->store);
    f->batch = NULL;
    f->store = NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = vt_test_folder_new();
    snprintf(f->path, sizeof f->path, "%s/live", f->folder);
    open_store(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_store(f);
    vt_test_folder_remove(f->folder);
    free(f);
    return 0;
}

static struct vt_slice s(const char *text)
{
    return vt_slice_str(text);
}

static void put(struct fixture *f, const char *key, const char *value)
{
    vt_store_batch_clear(f->batch);
    vt_store_batch_put(f->batch, PLAIN, s(key), s(value));
    assert_ok(vt_store_write(f->store, f->batch, &f->diag));
}

static void assert_value(struct fixture *f, uint32_t family, const char *key, const char *expected)
{
    struct vt_store_value value = {0};
    bool found = false;
    assert_ok(vt_store_get(f->store, family, s(key), &f->diag, &value, &found));
    assert_int_equal(found, expected != NULL);
    if (found)
        assert_true(vt_slice_equal(value.bytes, s(expected)));
    vt_store_value_release(&value);
    assert_int_equal(vt_store_n_live(f->store), 0);
}

static void written_value_survives_reopening(void **state)
{
    struct fixture *f = *state;
    put(f, "a", "1");
    close_store(f);
    open_store(f);
    assert_value(f, PLAIN, "a", "1");
    assert_value(f, PLAIN, "b", NULL);
}

static void operands_fold_in_order(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 3; i++) {
        vt_store_batch_clear(f->batch);
        vt_store_batch_merge(f->batch, LISTED, s("k"), vt_slice(&"abc"[i], 1));
        assert_ok(vt_store_write(f->store, f->batch, &f->diag));
    }
    assert_value(f, LISTED, "k", "abc");
    close_store(f);
    open_store(f);
    assert_value(f, LISTED, "k", "abc");
}

static void iteration_stays_inside_its_range(void **state)
{
    struct fixture *f = *state;
    struct vt_store_iter *rows = NULL;
    bool more = false;
    put(f, "a", "1");
    put(f, "b", "2");
    put(f, "c", "3");
    assert_ok(vt_store_iter_open(f->store, PLAIN, s("b"), s("c"), &rows));
    assert_ok(vt_store_iter_next(rows, &f->diag, &more));
    assert_true(more && vt_slice_equal(vt_store_iter_key(rows), s("b")));
    assert_ok(vt_store_iter_next(rows, &f->diag, &more));
    assert_false(more);
    vt_store_iter_close(rows);
    assert_int_equal(vt_store_n_live(f->store), 0);
}

static void checkpoint_opens_read_only_and_refuses_writes(void **state)
{
    struct fixture *f = *state;
    char copy[4200];
    struct vt_store *other = NULL;
    struct vt_store_batch *batch = NULL;
    put(f, "a", "1");
    snprintf(copy, sizeof copy, "%s.copy", f->path);
    assert_ok(vt_store_checkpoint(f->store, copy, &f->diag));
    struct vt_store_options options = options_of(f);
    options.path = copy;
    options.read_only = true;
    assert_ok(vt_store_open(&options, &f->diag, &other));
    assert_ok(vt_store_batch_new(other, &batch));
    vt_store_batch_put(batch, PLAIN, s("b"), s("2"));
    assert_true(vt_failed(vt_store_write(other, batch, &f->diag)));
    vt_store_batch_free(batch);
    vt_store_close(other);
}

static void second_holder_is_told_the_pid(void **state)
{
    struct fixture *f = *state;
    struct vt_store *other = NULL;
    char pid[32];
    struct vt_store_options options = options_of(f);
    assert_code(vt_store_open(&options, &f->diag, &other), VT_UNAVAILABLE);
    snprintf(pid, sizeof pid, "process %ld:", (long)getpid());
    assert_non_null(strstr(f->diag.text, pid));
}

static void missing_folder_is_not_found_unless_created(void **state)
{
    struct fixture *f = *state;
    struct vt_store *other = NULL;
    struct vt_store_options options = options_of(f);
    char path[4200];
    snprintf(path, sizeof path, "%s/nothing/here", f->folder);
    options.path = path;
    options.create = false;
    assert_code(vt_store_open(&options, &f->diag, &other), VT_NOT_FOUND);
    assert_string_equal(f->diag.field, path);
}

static void family_of_a_later_version_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct vt_store *other = NULL;
    close_store(f);
    struct vt_store_options options = options_of(f);
    options.n_families = 1;
    assert_code(vt_store_open(&options, &f->diag, &other), VT_PRECONDITION);
    assert_non_null(strstr(f->diag.text, "listed"));
    open_store(f);
}

static void store_without_its_current_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;
    char current[4200], away[4200];
    struct vt_store *other = NULL;
    struct vt_store_options options = options_of(f);
    put(f, "a", "1");
    close_store(f);
    snprintf(current, sizeof current, "%s/CURRENT", f->path);
    snprintf(away, sizeof away, "%s/CURRENT.away", f->path);
    assert_int_equal(rename(current, away), 0);
    assert_code(vt_store_open(&options, &f->diag, &other), VT_CORRUPT);
    assert_non_null(strstr(f->diag.text, "CURRENT"));
    assert_int_equal(rename(away, current), 0);
    open_store(f);
    assert_value(f, PLAIN, "a", "1");
}

/* Flips one byte in the middle of the first file that matches. */
static void flip_byte(const char *pattern)
{
    glob_t files;
    struct stat info;
    unsigned char byte = 0;
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    int fd = open(files.gl_pathv[0], O_RDWR);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(pread(fd, &byte, 1, info.st_size / 3), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, info.st_size / 3), 1);
    close(fd);
    globfree(&files);
}

static void count_report(void *ctx, const struct vt_store_damage *damage)
{
    unsigned *n_reports = ctx;
    assert_string_equal(damage->family, "plain");
    assert_true(damage->first_key[0] != '\0' && damage->last_key[0] != '\0');
    (*n_reports)++;
}

static void flipped_byte_in_a_table_is_corrupt_not_the_end(void **state)
{
    unsigned n_reports = 0;
    struct fixture *f = *state;
    char copy[4200], pattern[4300], key[16];
    struct vt_store *other = NULL;
    struct vt_store_iter *rows = NULL;
    bool more = true;
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "key-%05u", i);
        vt_store_batch_put(f->batch, PLAIN, s(key), s("some value of some length"));
    }
    assert_ok(vt_store_write(f->store, f->batch, &f->diag));
    snprintf(copy, sizeof copy, "%s.copy", f->path);
    snprintf(pattern, sizeof pattern, "%s/*.sst", copy);
    assert_ok(vt_store_checkpoint(f->store, copy, &f->diag));
    flip_byte(pattern);
    struct vt_store_options options = options_of(f);
    options.path = copy;
    options.read_only = true;
    options.on_damage = count_report;
    options.damage_ctx = &n_reports;
    assert_ok(vt_store_open(&options, &f->diag, &other));
    assert_ok(vt_store_iter_open(other, PLAIN, s(""), s(""), &rows));
    struct vt_err err;
    while (!vt_failed(err = vt_store_iter_next(rows, &f->diag, &more)) && more)
        ;
    assert_code(err, VT_CORRUPT);
    assert_non_null(strstr(f->diag.field, ".sst"));
    assert_non_null(strstr(f->diag.text, "family plain, keys 6b65792d3030303030 to 6b6579"));
    assert_int_equal(n_reports, 1);
    vt_store_iter_close(rows);
    vt_store_close(other);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(written_value_survives_reopening),
        TEST(operands_fold_in_order),
        TEST(iteration_stays_inside_its_range),
        TEST(checkpoint_opens_read_only_and_refuses_writes),
        TEST(second_holder_is_told_the_pid),
        TEST(missing_folder_is_not_found_unless_created),
        TEST(family_of_a_later_version_is_refused_by_name),
        TEST(store_without_its_current_is_refused_and_left_alone),
        TEST(flipped_byte_in_a_table_is_corrupt_not_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
