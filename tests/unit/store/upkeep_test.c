#include "services/common/store/upkeep.h"
#include "tests/testlib/testlib.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READERS = 2, REOPENINGS = 12 };

static const struct vt_store_family families[] = {{.name = "plain"}};

struct fixture {
    char *folder;
    char path[4096];
    struct vt_store *store;
    struct vt_store_batch *batch;
    struct vt_diag diag;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = vt_test_folder_new();
    snprintf(f->path, sizeof f->path, "%s/live", f->folder);
    struct vt_store_options options = {
        .path = f->path, .families = families, .n_families = 1, .create = true};
    assert_ok(vt_store_open(&options, &f->diag, &f->store));
    assert_ok(vt_store_batch_new(f->store, &f->batch));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_store_batch_free(f->batch);
    vt_store_close(f->store);
    vt_test_folder_remove(f->folder);
    free(f);
    return 0;
}

static struct vt_slice s(const char *text)
{
    return vt_slice_str(text);
}

static struct vt_err try_put(struct fixture *f, const char *key, const char *value)
{
    vt_store_batch_put(f->batch, 0, s(key), s(value));
    struct vt_err err = vt_store_write(f->store, f->batch, &f->diag);
    vt_store_batch_clear(f->batch);
    return err;
}

static struct vt_err read_value(struct vt_store *store, const char *key, char *ret_text,
                                size_t size_bytes)
{
    struct vt_store_value value = {0};
    bool found = false;
    VT_TRY(vt_store_get(store, 0, s(key), NULL, &value, &found));
    snprintf(ret_text, size_bytes, "%.*s", found ? (int)value.bytes.len : 0,
             found ? (const char *)value.bytes.data : "");
    vt_store_value_release(&value);
    return vt_ok();
}

static void assert_value(struct fixture *f, const char *key, const char *expected)
{
    char text[64];
    assert_ok(read_value(f->store, key, text, sizeof text));
    assert_string_equal(text, expected);
}

/* How many files of the store hold these bytes. */
static unsigned n_files_with(const struct fixture *f, const char *needle)
{
    unsigned n = 0;
    DIR *folder = opendir(f->path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4400];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", f->path, entry->d_name);
        if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
            continue;
        char *bytes = malloc((size_t)info.st_size);
        int fd = open(path, O_RDONLY);
        assert_int_equal(read(fd, bytes, (size_t)info.st_size), info.st_size);
        n += memmem(bytes, (size_t)info.st_size, needle, strlen(needle)) != NULL;
        close(fd);
        free(bytes);
    }
    closedir(folder);
    return n;
}

static void flushed_compacted_and_reopened_store_holds_no_deleted_byte(void **state)
{
    struct fixture *f = *state;
    assert_ok(try_put(f, "a-neighbour", "stays"));
    assert_ok(try_put(f, "erase-me-key", "erase-me-value"));
    assert_ok(vt_store_flush(f->store, &f->diag));
    vt_store_batch_delete(f->batch, 0, s("erase-me-key"));
    assert_ok(vt_store_write(f->store, f->batch, &f->diag));
    vt_store_batch_clear(f->batch);
    assert_true(n_files_with(f, "erase-me") > 0);
    assert_ok(vt_store_flush(f->store, &f->diag));
    assert_ok(vt_store_compact(f->store, 0, s(""), s(""), &f->diag));
    assert_ok(vt_store_reopen(f->store, &f->diag));
    assert_int_equal(n_files_with(f, "erase-me"), 0);
    assert_value(f, "a-neighbour", "stays");
}

static void reopened_store_takes_writes_of_the_old_batch(void **state)
{
    struct fixture *f = *state;
    assert_ok(try_put(f, "a", "1"));
    assert_ok(vt_store_reopen(f->store, &f->diag));
    assert_ok(try_put(f, "b", "2"));
    assert_ok(vt_store_reopen(f->store, &f->diag));
    assert_value(f, "a", "1");
    assert_value(f, "b", "2");
    assert_int_equal(vt_store_n_live(f->store), 0);
}

/* ---- readers and a writer beside it ---- */

struct crowd {
    struct fixture *f;
    atomic_uint last; /* what the writer has written; release, and readers acquire it */
    atomic_bool stop; /* relaxed: a hint */
    atomic_uint n_reads, n_failures, n_stale;
};

static void *write_on(void *ctx)
{
    struct crowd *crowd = ctx;
    for (unsigned i = 1; !atomic_load_explicit(&crowd->stop, memory_order_relaxed); i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        if (vt_failed(try_put(crowd->f, "counter", text)))
            atomic_fetch_add(&crowd->n_failures, 1);
        atomic_store_explicit(&crowd->last, i, memory_order_release);
    }
    return NULL;
}

static void *read_on(void *ctx)
{
    struct crowd *crowd = ctx;
    while (!atomic_load_explicit(&crowd->stop, memory_order_relaxed)) {
        char text[16] = "";
        unsigned at_least = atomic_load_explicit(&crowd->last, memory_order_acquire);
        if (vt_failed(read_value(crowd->f->store, "counter", text, sizeof text)))
            atomic_fetch_add(&crowd->n_failures, 1);
        else if (strtoul(text, NULL, 10) < at_least)
            atomic_fetch_add(&crowd->n_stale, 1);
        atomic_fetch_add(&crowd->n_reads, 1);
    }
    return NULL;
}

static void readers_and_the_writer_do_not_notice_a_reopening(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd = {.f = f};
    pthread_t writer, readers[READERS];
    assert_int_equal(pthread_create(&writer, NULL, write_on, &crowd), 0);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &crowd), 0);
    for (unsigned i = 0; i < REOPENINGS; i++) {
        struct vt_diag diag = {0};
        assert_ok(vt_store_reopen(f->store, &diag));
    }
    atomic_store(&crowd.stop, true);
    pthread_join(writer, NULL);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&crowd.n_failures), 0);
    assert_int_equal(atomic_load(&crowd.n_stale), 0);
    assert_true(atomic_load(&crowd.n_reads) > 0);
    assert_int_equal(vt_store_n_live(f->store), 0);
}

static void *reopen(void *ctx)
{
    struct fixture *f = ctx;
    struct vt_diag diag = {0};
    return vt_failed(vt_store_reopen(f->store, &diag)) ? ctx : NULL;
}

static void iterator_of_before_a_reopening_reads_to_its_end(void **state)
{
    struct fixture *f = *state;
    struct vt_store_iter *rows = NULL;
    pthread_t thread;
    void *failed = NULL;
    bool more = false;
    assert_ok(try_put(f, "a", "1"));
    assert_ok(try_put(f, "b", "2"));
    assert_ok(vt_store_iter_open(f->store, 0, s(""), s(""), &rows));
    assert_int_equal(pthread_create(&thread, NULL, reopen, f), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(vt_store_iter_next(rows, &f->diag, &more));
        assert_true(more);
    }
    assert_ok(vt_store_iter_next(rows, &f->diag, &more));
    assert_false(more);
    vt_store_iter_close(rows);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_value(f, "b", "2");
}

/* ---- when it cannot be opened ---- */

static void rename_current(const struct fixture *f, const char *from, const char *to)
{
    char a[4200], b[4200];
    snprintf(a, sizeof a, "%s/%s", f->path, from);
    snprintf(b, sizeof b, "%s/%s", f->path, to);
    assert_int_equal(rename(a, b), 0);
}

static void store_that_cannot_be_opened_again_refuses_until_it_can(void **state)
{
    struct fixture *f = *state;
    char text[16];
    assert_ok(try_put(f, "a", "1"));
    rename_current(f, "CURRENT", "CURRENT.away");
    assert_true(vt_failed(vt_store_reopen(f->store, &f->diag)));
    assert_code(read_value(f->store, "a", text, sizeof text), VT_UNAVAILABLE);
    assert_code(try_put(f, "b", "2"), VT_UNAVAILABLE);
    assert_code(vt_store_flush(f->store, &f->diag), VT_UNAVAILABLE);
    rename_current(f, "CURRENT.away", "CURRENT");
    assert_ok(vt_store_reopen(f->store, &f->diag));
    assert_value(f, "a", "1");
    assert_ok(try_put(f, "b", "2"));
}

static void free_bytes_are_those_of_the_disk_below(void **state)
{
    struct fixture *f = *state;
    uint64_t free_bytes = 0, total_bytes = 0;
    assert_ok(vt_store_free_bytes(f->store, &free_bytes, &total_bytes));
    assert_true(total_bytes > 0 && free_bytes <= total_bytes);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(flushed_compacted_and_reopened_store_holds_no_deleted_byte),
        TEST(reopened_store_takes_writes_of_the_old_batch),
        TEST(readers_and_the_writer_do_not_notice_a_reopening),
        TEST(iterator_of_before_a_reopening_reads_to_its_end),
        TEST(store_that_cannot_be_opened_again_refuses_until_it_can),
        TEST(free_bytes_are_those_of_the_disk_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
