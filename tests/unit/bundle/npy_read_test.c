/* numpy files from outside: what is taken, and how everything else is refused. */
#include "models/bundle/npy_read.h"
#include "tests/testlib/testlib.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES = 8192 };

struct file {
    size_t len;
    char bytes[FILE_BYTES];
};

/* A file of format `version`.0 with that literal, and `n` bytes behind it. */
static struct file file_of(int version, const char *literal, const void *values, size_t n)
{
    struct file file = {0};
    const size_t prefix = version == 1 ? 10 : 12, len = strlen(literal);
    memcpy(file.bytes, "\x93NUMPY", 6);
    file.bytes[6] = (char)version;
    file.bytes[8] = (char)(len & 0xFF);
    file.bytes[9] = (char)(len >> 8);
    memcpy(file.bytes + prefix, literal, len);
    memcpy(file.bytes + prefix + len, values, n);
    file.len = prefix + len + n;
    return file;
}

static struct vt_err decode(const struct file *file, struct vt_diag *diag, struct vt_npy *ret_npy)
{
    return vt_npy_decode(vt_slice(file->bytes, file->len), diag, ret_npy);
}

static void assert_refused(const struct file *file, const char *reason)
{
    struct vt_diag diag = {0};
    struct vt_npy npy = {.rows = 77};
    assert_code(decode(file, &diag, &npy), VT_INVALID);
    assert_non_null(strstr(diag.text, reason));
    assert_int_equal(npy.rows, 77);
}

static const float singles[] = {1, 2, 3, 4, 5, 6};
static const double doubles[] = {1, 2, 3, 4, 5, 6};

static void a_matrix_reads_the_same_in_either_order(void **state)
{
    (void)state;
    struct vt_npy c, fortran;
    struct vt_diag diag = {0};
    const struct file c_file =
        file_of(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", singles,
                sizeof singles);
    const double by_column[] = {1, 4, 2, 5, 3, 6};
    const struct file fortran_file =
        file_of(2, "{\"shape\": (2, 3), \"fortran_order\": True, \"descr\": \"<f8\"}\n", by_column,
                sizeof by_column);
    assert_ok(decode(&c_file, &diag, &c));
    assert_ok(decode(&fortran_file, &diag, &fortran));
    assert_int_equal(c.rows, 2);
    assert_int_equal(c.cols, 3);
    for (uint64_t row = 0; row < 2; row++)
        for (uint64_t col = 0; col < 3; col++) {
            const double expected = doubles[row * 3 + col];
            assert_true(fabs(vt_npy_at(&c, row, col) - expected) <= 0);
            assert_true(fabs(vt_npy_at(&fortran, row, col) - expected) <= 0);
        }
}

static void what_cannot_be_taken_says_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *literal, *reason;
    } cases[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", "'>f4'"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3)}", "'<i8'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", "structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", "1 dimensions, 6"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "0 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}", "more than 2"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", "cut off"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", "longer than it says"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3)}", "0 × 3"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 65537)}", "at most 65536"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967297, 3)}", "beyond 2^32"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}", "not a number"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}", "neither True nor False"},
        {"{'descr': '<f4', 'shape': (2, 3)}", "lacks"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "twice"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", "behind it"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", "not closed"},
        {"['descr']", "does not begin with {"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct file file = file_of(1, cases[i].literal, singles, sizeof singles);
        assert_refused(&file, cases[i].reason);
    }
}

static void every_cut_of_a_file_is_refused(void **state)
{
    (void)state;
    struct file file = file_of(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n",
                               doubles, sizeof doubles);
    struct vt_diag diag = {0};
    struct vt_npy npy;
    assert_ok(decode(&file, &diag, &npy));
    while (file.len-- > 0)
        assert_code(decode(&file, &diag, &npy), VT_INVALID);
}

static void a_header_has_a_limit(void **state)
{
    (void)state;
    static const char literal[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    char padded[VT_NPY_HEADER_BYTES_MAX + 2];
    struct vt_diag diag = {0};
    struct vt_npy npy;
    memset(padded, ' ', sizeof padded);
    memcpy(padded, literal, sizeof literal - 1);
    padded[VT_NPY_HEADER_BYTES_MAX] = '\0';
    const struct file longest = file_of(1, padded, singles, sizeof singles);
    assert_ok(decode(&longest, &diag, &npy));
    padded[VT_NPY_HEADER_BYTES_MAX] = ' ';
    padded[VT_NPY_HEADER_BYTES_MAX + 1] = '\0';
    const struct file longer = file_of(1, padded, singles, sizeof singles);
    assert_refused(&longer, "longer than 4096");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_matrix_reads_the_same_in_either_order),
        cmocka_unit_test(what_cannot_be_taken_says_what_it_is),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(a_header_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
