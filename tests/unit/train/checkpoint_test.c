/* What a killed training leaves is taken up as it was, or refused. */
#include "models/train/checkpoint.h"
#include "services/common/base/file.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 5, DIM = 3, STRIDE = 16, FLOATS = ITEMS * STRIDE };

struct fixture {
    char *folder, path[4096];
    float items[FLOATS], best[FLOATS];
    struct vt_train_checkpoint checkpoint;
};

static int make_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->folder = vt_test_folder_new();
    snprintf(fixture->path, sizeof fixture->path, "%s/train.checkpoint", fixture->folder);
    for (int i = 0; i < FLOATS; i++) {
        fixture->items[i] = (float)i / 7;
        fixture->best[i] = -(float)i;
    }
    fixture->checkpoint = (struct vt_train_checkpoint){
        .fingerprint = UINT64_C(0xfedcba9876543210),
        .iteration = 4,
        .best_iteration = 2,
        .n_items = ITEMS,
        .dim = DIM,
        .row_stride = STRIDE,
        .curve = {.n = 2, .points = {{1, 100, -1}, {2, 90, 0.25}}},
        .items = fixture->items,
        .best = fixture->best,
    };
    *state = fixture;
    return 0;
}

static int remove_fixture(void **state)
{
    struct fixture *fixture = *state;
    vt_test_folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static void what_was_written_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct vt_train_checkpoint read;
    assert_ok(vt_train_checkpoint_write(fixture->path, &fixture->checkpoint, NULL));
    assert_ok(vt_train_checkpoint_read(fixture->path, NULL, &read));
    assert_true(read.fingerprint == fixture->checkpoint.fingerprint);
    assert_int_equal(read.iteration, 4);
    assert_int_equal(read.best_iteration, 2);
    assert_false(read.complete);
    assert_int_equal(read.curve.n, 2);
    assert_memory_equal(read.curve.points, fixture->checkpoint.curve.points,
                        2 * sizeof read.curve.points[0]);
    assert_memory_equal(read.items, fixture->items, sizeof fixture->items);
    assert_memory_equal(read.best, fixture->best, sizeof fixture->best);
    vt_train_checkpoint_free(&read);
}

static void nothing_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct vt_train_checkpoint read;
    assert_code(vt_train_checkpoint_read(fixture->path, NULL, &read), VT_NOT_FOUND);
}

static void every_flipped_byte_and_every_length_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct vt_train_checkpoint read;
    char *bytes;
    size_t len;
    assert_ok(vt_train_checkpoint_write(fixture->path, &fixture->checkpoint, NULL));
    assert_ok(vt_file_read(fixture->path, 1 << 20, NULL, &bytes, &len));
    for (size_t at = 0; at < len; at++) {
        struct vt_diag diag = {0};
        bytes[at] = (char)(bytes[at] ^ 1);
        assert_code(vt_train_checkpoint_parse(vt_slice(bytes, len), &diag, &read), VT_CORRUPT);
        assert_non_null(strstr(diag.text, "damaged"));
        bytes[at] = (char)(bytes[at] ^ 1);
        assert_code(vt_train_checkpoint_parse(vt_slice(bytes, at), NULL, &read), VT_CORRUPT);
    }
    assert_ok(vt_train_checkpoint_parse(vt_slice(bytes, len), NULL, &read));
    vt_train_checkpoint_free(&read);
    free(bytes);
}

static void factors_that_are_not_finite_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct vt_train_checkpoint read;
    fixture->best[FLOATS - 1] = NAN;
    assert_ok(vt_train_checkpoint_write(fixture->path, &fixture->checkpoint, NULL));
    assert_code(vt_train_checkpoint_read(fixture->path, NULL, &read), VT_CORRUPT);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_fixture, remove_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read),
        TEST(nothing_there_is_not_found),
        TEST(every_flipped_byte_and_every_length_is_refused),
        TEST(factors_that_are_not_finite_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
